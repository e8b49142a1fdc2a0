//! What becomes of a letter to the world: submission, queue, routing, delivery, reports.
//!
//! The [`Runner`] looks at what is due (`runner`), cuts each entry into parts by destination (`run`), hands them to
//! workers (`dispatch`) that find a server (`mx`, `search`), send (`attempt`) and write down what came of it together
//! with the reports it causes (`settle`, `report`, `dsn`, `retry`).
//!
//! **Invariants:** what a peer has accepted is written down before anything else is done, and is never sent again by
//! the same process, even if it can't be written. A refusal is permanent only if a server or the DNS clearly said so;
//! every other trouble is temporary. No report goes to the null reverse-path. No stranger's DNS makes us connect to our
//! own network.
//!
//! RFC 5321 (4.5.4 queueing, 5 routing), 7505 (null MX), 3461 and 3464 (reports), 7435 (opportunistic TLS), 6409
//! (submission). Start reading at [`Submission`], then [`Runner`].

mod attempt;
mod context;
mod destination;
mod dispatch;
mod dsn;
mod mx;
mod policy;
mod reach;
mod report;
mod retry;
mod run;
mod runner;
mod search;
mod settle;

pub use policy::{Policy, Schedule};
pub use runner::Runner;

use std::sync::Arc;

use mailstead_net::Gate;
use mailstead_store::Store;

pub(crate) use context::Context;

/// An enhanced status code (RFC 3463): class, subject, detail.
pub(crate) type Status = (u8, u16, u16);

/// The house behind ports 465 and 587: a [`mailstead_smtp::server::Handler`].
pub struct Submission {
    #[expect(dead_code, reason = "being built")]
    store: Store,
}

impl Submission {
    /// Makes the house behind 465 and 587.
    pub fn new(store: Store, _hostname: String, _gate: Arc<Gate>) -> Self {
        Self { store }
    }
}

impl mailstead_smtp::server::Handler for Submission {
    fn connected<'a>(
        &'a self,
        _: &'a mailstead_smtp::server::Client,
    ) -> mailstead_net::BoxFuture<'a, Result<(), mailstead_smtp::Reply>> {
        unimplemented!()
    }
    fn trace(&self) -> mailstead_message::TraceId {
        unimplemented!()
    }
    fn authenticate<'a>(
        &'a self,
        _: &'a mailstead_smtp::server::Client,
        _: mailstead_smtp::server::Credentials,
    ) -> mailstead_net::BoxFuture<'a, Result<mailstead_smtp::server::Identity, mailstead_smtp::Reply>> {
        unimplemented!()
    }
    fn mail<'a>(
        &'a self,
        _: &'a mailstead_smtp::server::Client,
        _: mailstead_message::TraceId,
        _: &'a mailstead_smtp::server::MailFrom,
    ) -> mailstead_net::BoxFuture<'a, Result<(), mailstead_smtp::Reply>> {
        unimplemented!()
    }
    fn rcpt<'a>(
        &'a self,
        _: &'a mailstead_smtp::server::Client,
        _: mailstead_message::TraceId,
        _: &'a mailstead_smtp::server::MailFrom,
        _: &'a [mailstead_smtp::server::RcptTo],
        _: &'a mailstead_smtp::server::RcptTo,
    ) -> mailstead_net::BoxFuture<'a, Result<(), mailstead_smtp::Reply>> {
        unimplemented!()
    }
    fn message<'a>(
        &'a self,
        _: &'a mailstead_smtp::server::Client,
        _: mailstead_smtp::server::Envelope,
        _: mailstead_smtp::server::Body,
    ) -> mailstead_net::BoxFuture<'a, mailstead_smtp::Reply> {
        unimplemented!()
    }
    fn abandoned(
        &self,
        _: &mailstead_smtp::server::Client,
        _: mailstead_message::TraceId,
        _: &mailstead_smtp::server::MailFrom,
        _: &[mailstead_smtp::server::RcptTo],
        _: &str,
    ) {
    }
}
