//! Where a message goes next: the hosts of a domain, or a smarthost.

use std::fmt;
use std::hash::{Hash, Hasher};

use mailstead_message::{Domain, ReversePath};
use mailstead_net::ClientTls;
use mailstead_smtp::client::Tls;
use mailstead_store::{Smarthost, SmarthostTls, Store, StoreError};

use crate::Policy;

/// Where messages go together: they share queues, connections and misfortune.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Destination {
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

impl fmt::Display for Destination {
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

/// What TLS a connection must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsPolicy {
    /// STARTTLS with any certificate if it is offered and works, else none (RFC 7435).
    Opportunistic,
    /// STARTTLS with a certificate of that name.
    Verified,
    /// TLS from the first byte with a certificate of that name.
    Implicit,
    /// None.
    None,
}

impl TlsPolicy {
    /// The one place that decides on TLS; MTA-STS and DANE would be asked here, for the domain and its host.
    pub(crate) fn towards(destination: &Destination) -> Self {
        match destination {
            Destination::Domain(_) => Self::Opportunistic,
            Destination::Relay(Relay(relay)) => match relay.tls {
                SmarthostTls::Implicit => Self::Implicit,
                SmarthostTls::Starttls => Self::Verified,
                SmarthostTls::None => Self::None,
            },
        }
    }

    /// What the SMTP client is to do about it.
    pub(crate) fn wish(self, policy: &Policy) -> Tls {
        let verified = || -> ClientTls { policy.verified_tls.clone() };
        match self {
            Self::Opportunistic => Tls::Opportunistic(policy.tls.clone()),
            Self::Verified => Tls::Required(verified()),
            Self::Implicit => Tls::Implicit(verified()),
            Self::None => Tls::Never,
        }
    }
}
