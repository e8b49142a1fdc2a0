//! What was found out about who sent a letter, kept as long as its story; and whose seals the operator trusts.

use mailstead_message::{Domain, TraceId};
use mailstead_migrations::{v1, v2};
use serde::{Deserialize, Serialize};

use crate::record::decode;
use crate::{Acceptance, AuthResult, DkimAuth, DmarcPolicy, SpfAuth, Store, StoreError};

/// Setting: the trusted sealers.
pub(crate) const TRUSTED_SEALERS: &str = "trusted_sealers";

/// What was found out about who sent a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What stands in our `Authentication-Results` behind our name (RFC 8601).
    pub results: String,
    /// The same in sentences.
    pub told: Vec<String>,
    /// The client's name by DNS, confirmed.
    pub reverse_name: Option<Domain>,
    /// SPF of the reverse-path, or of the client's name where that is null.
    pub spf: SpfAuth,
    /// Each DKIM signature that was looked at.
    pub dkim: Vec<DkimAuth>,
    /// The author's domain, if there is one that can be judged.
    pub author: Option<Domain>,
    /// Whether it is proved to be the author's (DMARC).
    pub dmarc: AuthResult,
    /// What was done with the letter for that.
    pub disposition: DmarcPolicy,
}

impl Store {
    /// As [`Store::accept`], with the verdict on the message whose trace comes first: all in one transaction.
    ///
    /// # Errors
    /// Those of [`Store::accept`].
    pub async fn accept_judged(&self, messages: Vec<Acceptance>, verdict: Verdict) -> Result<(), StoreError> {
        let bytes = messages.iter().map(|acceptance| acceptance.message.compressed.len()).sum();
        let work = move |change: &mut crate::change::Change<'_>| {
            change.accept(&messages)?;
            match messages.first() {
                Some(first) => change.keep_verdict(first.trace, &verdict),
                None => Ok(()),
            }
        };
        self.add(bytes, work).await
    }

    /// The verdict on a message.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn verdict(&self, trace: TraceId) -> Result<Option<Verdict>, StoreError> {
        let table = self.shared().read()?.open_table(v2::VERDICTS)?;
        table.get(trace.to_u64())?.map(|bytes| decode(bytes.value(), "a verdict")).transpose()
    }

    /// The domains whose ARC seals are trusted, so that what they vouch for is taken although its author's domain asks
    /// to refuse it (RFC 8617 7.2).
    ///
    /// # Errors
    /// The store can't be read.
    pub fn trusted_sealers(&self) -> Result<Vec<Domain>, StoreError> {
        let table = self.shared().read()?.open_table(v1::SETTINGS)?;
        Ok(table.get(TRUSTED_SEALERS)?.map(|bytes| sealers(bytes.value())).unwrap_or_default())
    }

    /// Trusts a domain's seals.
    ///
    /// # Errors
    /// It is trusted already, and those of any change.
    pub async fn trust_sealer(&self, domain: Domain) -> Result<(), StoreError> {
        self.add(0, move |change| change.trust_sealer(&domain)).await
    }

    /// Trusts a domain's seals no more.
    ///
    /// # Errors
    /// It was not trusted, and those of any change.
    pub async fn distrust_sealer(&self, domain: Domain) -> Result<(), StoreError> {
        self.lessen(move |change| change.distrust_sealer(&domain)).await
    }
}

/// The list of trusted sealers. A damaged one trusts nobody: it must not keep every letter from being judged.
pub(crate) fn sealers(bytes: &[u8]) -> Vec<Domain> {
    decode(bytes, "the trusted sealers").unwrap_or_else(|error| {
        tracing::error!("no sealer is trusted until they are chosen anew: {error}");
        Vec::new()
    })
}
