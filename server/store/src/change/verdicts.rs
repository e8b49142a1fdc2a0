//! Verdicts on letters, and the sealers that are trusted.

use mailstead_message::{Domain, TraceId};
use mailstead_migrations::v2;
use redb::ReadableTable as _;

use super::Change;
use crate::StoreError;
use crate::record::encode;
use crate::verdicts::{TRUSTED_SEALERS, Verdict, sealers};

/// Sealers that can be trusted: somebody chose each of them.
const MAX_SEALERS: usize = 1_000;

impl Change<'_> {
    pub(crate) fn keep_verdict(&mut self, trace: TraceId, verdict: &Verdict) -> Result<(), StoreError> {
        let bytes = encode(verdict)?;
        self.write_side(v2::VERDICTS)?.insert(trace.to_u64(), bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn forget_verdicts(&mut self, traces: impl Iterator<Item = u64>) -> Result<(), StoreError> {
        let mut table = self.write_side(v2::VERDICTS)?;
        for trace in traces {
            table.remove(trace)?;
        }
        Ok(())
    }

    pub(crate) fn trust_sealer(&mut self, domain: &Domain) -> Result<(), StoreError> {
        let mut sealers = self.trusted_sealers()?;
        if sealers.contains(domain) {
            return Err(StoreError::Exists(format!("trust in the seals of {domain}")));
        }
        if sealers.len() >= MAX_SEALERS {
            return Err(StoreError::Invalid("there are too many trusted sealers".to_owned()));
        }
        sealers.push(domain.clone());
        sealers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        self.put_trusted_sealers(&sealers)
    }

    pub(crate) fn distrust_sealer(&mut self, domain: &Domain) -> Result<(), StoreError> {
        let mut sealers = self.trusted_sealers()?;
        let before = sealers.len();
        sealers.retain(|sealer| sealer != domain);
        if sealers.len() == before {
            return Err(StoreError::NotFound(format!("trust in the seals of {domain}")));
        }
        self.put_trusted_sealers(&sealers)
    }

    fn trusted_sealers(&self) -> Result<Vec<Domain>, StoreError> {
        match self.tables.settings.get(TRUSTED_SEALERS)? {
            Some(bytes) => Ok(sealers(bytes.value())),
            None => Ok(Vec::new()),
        }
    }

    fn put_trusted_sealers(&mut self, sealers: &[Domain]) -> Result<(), StoreError> {
        let bytes = encode(&sealers)?;
        self.write().settings.insert(TRUSTED_SEALERS, bytes.as_slice())?;
        Ok(())
    }
}
