//! What every part of the runner works with.

use std::sync::Arc;

use mailstead_inbound::Signing;
use mailstead_net::dns::Dns;
use mailstead_store::{Store, Timestamp};

use crate::Policy;
use crate::policy::Patience;
use crate::report::Writer;
use crate::sts::Failures;

/// Store, DNS and the operator's will.
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) signing: Signing,
    pub(crate) dns: Arc<dyn Dns>,
    pub(crate) policy: Policy,
    pub(crate) patience: Patience,
    /// Policies that could not be fetched lately.
    pub(crate) sts: Failures,
}

impl Context {
    /// Who writes our reports to senders.
    pub(crate) fn writer(&self) -> Writer<'_> {
        Writer { store: &self.store, signing: &self.signing, hostname: &self.policy.hostname }
    }

    /// The time by the system's clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_second())
    }
}
