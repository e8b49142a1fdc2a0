//! The client's side: one connection to one server, for any number of messages.

use std::time::Duration;

use mailstead_message::{Address, ReversePath};
use mailstead_net::{BoxFuture, ClientTls, Stream, TlsInfo};

use crate::Reply;
use crate::server::NotifyParam;

/// How to open a session.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our name, for EHLO.
    pub hostname: String,
    /// The server's name, for TLS.
    pub server_name: String,
    /// What TLS is wanted.
    pub tls: Tls,
    /// Login, after TLS.
    pub login: Option<(String, String)>,
    /// Limits of patience.
    pub timeouts: Timeouts,
}

/// What TLS is wanted.
#[derive(Debug, Clone)]
pub enum Tls {
    /// None, ever.
    Never,
    /// STARTTLS when offered; if the handshake fails the error says so and the caller may connect again with [`Tls::Never`].
    Opportunistic(ClientTls),
    /// STARTTLS must be offered and succeed.
    Required(ClientTls),
    /// TLS from the first byte.
    Implicit(ClientTls),
}

/// Limits of patience (RFC 5321 4.5.3.2).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Banner.
    pub greeting: Duration,
    /// EHLO, MAIL, RCPT, RSET.
    pub command: Duration,
    /// Each block of data written.
    pub write: Duration,
    /// The reply behind the final dot.
    pub accepted: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            write: Duration::from_secs(180),
            accepted: Duration::from_secs(600),
        }
    }
}

/// Why a session or a message failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The connection broke or timed out; `when` says in which step.
    #[error("{when}: {what}")]
    Network {
        /// The step.
        when: &'static str,
        /// The cause.
        what: String,
        /// The final dot had been sent: the peer may have taken the message.
        after_data: bool,
    },
    /// The server refused the session (banner, EHLO, AUTH).
    #[error("{when}: {reply}")]
    Refused {
        /// The step.
        when: &'static str,
        /// Its words.
        reply: Reply,
    },
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
}

/// A recipient of an outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Address,
    /// NOTIFY, passed on when the server has DSN.
    pub notify: Option<NotifyParam>,
    /// ORCPT, passed on when the server has DSN.
    pub orcpt: Option<(String, String)>,
}

/// An outgoing envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// From.
    pub reverse_path: ReversePath,
    /// To, at least one.
    pub recipients: Vec<Recipient>,
    /// Bytes of the message.
    pub size: u64,
    /// Has bytes over 127.
    pub eight_bit: bool,
    /// Needs SMTPUTF8.
    pub smtputf8: bool,
    /// ENVID.
    pub envid: Option<String>,
    /// RET (true is FULL).
    pub ret_full: Option<bool>,
}

/// Gives the message's bytes block by block (CRLF lines, not dot-stuffed), so that it need not be held in memory.
pub trait Source: Send {
    /// The next block; an empty one at the end.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, std::io::Result<Vec<u8>>>;
}

/// What became of one message: a result for each recipient, in order.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The server's last word on each recipient: success means it has taken responsibility.
    pub recipients: Vec<Reply>,
    /// The server has the DSN extension, so NOTIFY=SUCCESS is its duty now.
    pub dsn: bool,
}

/// An open session.
pub struct Client {}

impl Client {
    /// Greets, says EHLO (HELO as the last resort), does TLS and login.
    pub async fn open(_stream: Stream, _options: Options) -> Result<Self, ClientError> {
        unimplemented!()
    }
    /// TLS, if it is on.
    pub fn tls(&self) -> Option<&TlsInfo> {
        unimplemented!()
    }
    /// Sends one message, pipelined where offered. A server without 8BITMIME still gets 8-bit bytes only if the
    /// caller allows by not setting `eight_bit`; otherwise, and for SMTPUTF8 and SIZE likewise, all recipients fail with a
    /// local 5.6.3 / 5.6.7 / 5.3.4 reply without a byte sent. After an `Err` the session must be dropped.
    pub async fn send(&mut self, _envelope: &Outgoing, _source: &mut dyn Source) -> Result<Outcome, ClientError> {
        unimplemented!()
    }
    /// Says QUIT and closes, in bounded time.
    pub async fn quit(self) {
        unimplemented!()
    }
}
