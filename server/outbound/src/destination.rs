//! Where a message goes next: the hosts of a domain, or a smarthost.

use std::fmt;
use std::hash::{Hash, Hasher};

use mailstead_message::{Domain, ReversePath};
use mailstead_store::{Smarthost, Store, StoreError, TlsNeed};

/// Where messages go together: they share queues, connections and misfortune. Those that need other TLS go apart: a
/// connection good enough for one may not be for another, and what one can't have, another may do without.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    /// The servers.
    pub(crate) place: Place,
    /// What TLS the messages need.
    pub(crate) need: TlsNeed,
}

/// Whose servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The hosts of a domain.
    Domain(Domain),
    /// A relay the operator chose.
    Relay(Relay),
}

/// A smarthost that can be a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay(pub(crate) Smarthost);

impl Hash for Relay {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.host.hash(state);
        self.0.port.hash(state);
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Relay(relay) => write!(f, "the relay {}:{}", relay.0.host, relay.0.port),
        }
    }
}

/// Which relay, if any, takes all mail of that sender.
pub(crate) fn relay_of(store: &Store, sender: &ReversePath) -> Result<Option<Relay>, StoreError> {
    Ok(store.smarthost_for(sender.as_ref().map(|address| address.domain()))?.map(Relay))
}
