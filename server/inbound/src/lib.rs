//! What becomes of a letter from the world: who may send, who may receive, deliver.
//!
//! Start reading at [`Exchange`].

use std::sync::Arc;

use mailstead_store::Store;

/// The house behind port 25: a [`mailstead_smtp::server::Handler`].
pub struct Exchange {
    #[expect(dead_code, reason = "being built")]
    store: Store,
}

/// What port 25 needs to know of its house.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our host name, for Received.
    pub hostname: String,
    /// Received fields beyond which a message is a loop.
    pub max_received: usize,
}

impl Exchange {
    /// Makes the house behind port 25.
    pub fn new(store: Store, _policy: Policy, _gate: Arc<mailstead_net::Gate>) -> Self {
        Self { store }
    }
}

impl mailstead_smtp::server::Handler for Exchange {
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
