//! Judges no one here wrote: other people's programs say whether what we send is right, and make what we must judge.
//!
//! All of them ask the DNS of the tiny internet (see [`crate::names::Names`]).

mod authres;
mod dkimpy;
mod key;
mod opendkim;
mod rspamd;
mod spamassassin;

pub use authres::{MethodResult, ResultsField, authentication_results};
pub use dkimpy::{ArcVerdict, Dkimpy, Signature, Signing};
pub use key::{SigningKey, txt_line};
pub use opendkim::{OpenDkim, OpenDkimMilter};
pub use rspamd::{Judgement, Rspamd};
pub use spamassassin::SpamAssassin;

/// How a letter came to the referee that judges it, as its own server would have seen it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The client's address.
    pub address: String,
    /// The client's host name, which it also said in EHLO.
    pub host: String,
    /// The reverse-path.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
}

impl Arrival {
    /// The message with the trace fields the referee's server would have put before it.
    pub fn traced(&self, message: &[u8]) -> Vec<u8> {
        let Self { address, host, sender, recipient } = self;
        let mut traced = format!(
            "Return-Path: <{sender}>\r\nReceived: from {host} ({host} [{address}])\r\n\
             \tby mx.referee.test (Postfix) with ESMTPS id 4ABCdE1z7zXy\r\n\tfor <{recipient}>; {}\r\n",
            now()
        )
        .into_bytes();
        traced.extend_from_slice(message);
        traced
    }
}

/// The time as a letter writes it.
pub fn now() -> String {
    crate::Tool::new("date").args(["-u", "-R"]).env("LC_ALL", "C").run().output.trim().to_owned()
}
