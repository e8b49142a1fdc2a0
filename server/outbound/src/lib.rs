//! What becomes of a letter to the world: submission, queue, routing, delivery, reports.
//!
//! Start reading at [`Submission`], then [`Runner`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailstead_net::dns::Dns;
use mailstead_net::{ClientTls, Gate};
use mailstead_store::Store;

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

/// How mail leaves.
#[derive(Clone)]
pub struct Policy {
    /// Our host name, for EHLO and reports.
    pub hostname: String,
    /// Port of other servers, 25 but in tests and the demo.
    pub port: u16,
    /// Other ports for certain MX hosts (the demo's tiny internet).
    pub port_overrides: std::collections::HashMap<String, u16>,
    /// Deliver to loopback and private addresses (the demo, a LAN).
    pub allow_private: bool,
    /// Our own addresses, never to be delivered to by MX.
    pub own_addresses: Vec<IpAddr>,
    /// Deliveries at once.
    pub concurrency: usize,
    /// Connections to one destination at once.
    pub per_destination: usize,
    /// The schedule.
    pub schedule: Schedule,
    /// Opportunistic TLS towards MX hosts.
    pub tls: ClientTls,
    /// Verified TLS towards smarthosts.
    pub verified_tls: ClientTls,
}

/// When to try again and when to give up.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Gap after the first failure; later ones grow to `max_gap`, jittered by a fifth.
    pub first_gap: Duration,
    /// Largest gap.
    pub max_gap: Duration,
    /// The delay notice (4 hours).
    pub notice_after: Duration,
    /// Giving up (5 days).
    pub give_up_after: Duration,
}

/// Takes what is due from the queue and delivers it.
pub struct Runner {}

impl Runner {
    /// Makes a runner; nothing happens before [`Self::run`].
    pub fn new(_store: Store, _dns: Arc<dyn Dns>, _policy: Policy) -> Self {
        Self {}
    }
    /// Runs until `shutdown` turns true, then lets attempts under way finish (bounded) and returns.
    pub async fn run(self, _shutdown: tokio::sync::watch::Receiver<bool>) {
        unimplemented!()
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first_gap: Duration::from_secs(5 * 60),
            max_gap: Duration::from_secs(4 * 60 * 60),
            notice_after: Duration::from_secs(4 * 60 * 60),
            give_up_after: Duration::from_secs(5 * 24 * 60 * 60),
        }
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
