//! How mail leaves: what the operator decides, and how patient we are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use mailstead_net::ClientTls;
use mailstead_smtp::client::Timeouts;

/// How mail leaves.
#[derive(Clone)]
pub struct Policy {
    /// Our host name, for EHLO and reports.
    pub hostname: String,
    /// Port of other servers, 25 but in tests and the demo.
    pub port: u16,
    /// Other ports for certain MX hosts and hosts of MTA-STS policies (the demo's tiny internet).
    pub port_overrides: HashMap<String, u16>,
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
    /// Whose certificates are believed, where they must be: by relays, MTA-STS policies and their hosts.
    pub verified_tls: ClientTls,
}

/// When to try again and when to give up.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Gap after the first failure; later ones double up to `max_gap`, jittered by a fifth.
    pub first_gap: Duration,
    /// Largest gap.
    pub max_gap: Duration,
    /// The delay notice (4 hours).
    pub notice_after: Duration,
    /// Giving up (5 days).
    pub give_up_after: Duration,
}

impl Default for Schedule {
    /// 5 minutes pass most greylisting; 4 hours between tries spare a server that is down for long; the notice after
    /// 4 hours and the end after 5 days are what RFC 5321 4.5.4.1 and custom have taught people to expect.
    fn default() -> Self {
        Self {
            first_gap: Duration::from_secs(5 * 60),
            max_gap: Duration::from_secs(4 * 60 * 60),
            notice_after: Duration::from_secs(4 * 60 * 60),
            give_up_after: Duration::from_secs(5 * 24 * 60 * 60),
        }
    }
}

/// How long things may take; fixed for operators, shortened by tests.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// A TCP connection. RFC 5321 says nothing; a host that is there answers within seconds.
    pub(crate) connect: Duration,
    /// From the connection to the end of EHLO, STARTTLS and AUTH.
    pub(crate) open: Duration,
    /// Fetching an MTA-STS policy, the looking up of its host included: the letter waits meanwhile.
    pub(crate) policy: Duration,
    /// No further host is tried for a message after this, so that a destination of many dead hosts keeps no worker.
    pub(crate) search: Duration,
    /// An open connection without work is kept for this.
    pub(crate) linger: Duration,
    /// Attempts under way at shutdown may take this long.
    pub(crate) grace: Duration,
    /// The steps of a session.
    pub(crate) smtp: Timeouts,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            open: Duration::from_secs(6 * 60),
            policy: Duration::from_secs(30),
            search: Duration::from_secs(10 * 60),
            linger: Duration::from_secs(3),
            grace: Duration::from_secs(20),
            smtp: Timeouts::default(),
        }
    }
}
