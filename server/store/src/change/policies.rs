//! MTA-STS policies: kept while they may be needed.

use mailstead_message::Domain;
use mailstead_migrations::v2;
use redb::ReadableTable as _;

use super::Change;
use crate::policies::setting;
use crate::record::{decode, encode};
use crate::{StoreError, StsMode, StsPolicy, Timestamp};

impl Change<'_> {
    pub(crate) fn keep_sts_policy(&mut self, domain: &Domain, policy: &StsPolicy) -> Result<(), StoreError> {
        let bytes = encode(policy)?;
        self.write_side(v2::STS_POLICIES)?.insert(domain.as_str(), bytes.as_slice())?;
        Ok(())
    }

    /// Drops up to `limit` policies that have run out.
    pub(crate) fn forget_sts_policies(&mut self, now: Timestamp, limit: usize) -> Result<(), StoreError> {
        let mut over = Vec::new();
        for entry in self.side(v2::STS_POLICIES)?.iter()? {
            let (domain, bytes) = entry?;
            // What can't be read is of no use to anybody either.
            let holds = decode(bytes.value(), "a policy").is_ok_and(|policy: StsPolicy| policy.expires > now);
            if !holds && over.len() < limit {
                over.push(domain.value().to_owned());
            }
        }
        if over.is_empty() {
            return Ok(());
        }
        let mut table = self.write_side(v2::STS_POLICIES)?;
        for domain in over {
            table.remove(domain.as_str())?;
        }
        Ok(())
    }

    pub(crate) fn set_sts_mode(&mut self, domain: &Domain, mode: StsMode) -> Result<(), StoreError> {
        self.require_domain(domain)?;
        let bytes = encode(&mode)?;
        self.write().settings.insert(setting(domain).as_str(), bytes.as_slice())?;
        Ok(())
    }
}
