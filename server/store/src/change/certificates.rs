//! What ACME wants kept.

use mailstead_migrations::v2;

use super::Change;
use crate::StoreError;

impl Change<'_> {
    pub(crate) fn keep_certificate(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_side(v2::CERTIFICATES)?.insert(name, bytes)?;
        Ok(())
    }

    pub(crate) fn forget_certificates(&mut self, names: &[String]) -> Result<(), StoreError> {
        let mut table = self.write_side(v2::CERTIFICATES)?;
        for name in names {
            table.remove(name.as_str())?;
        }
        Ok(())
    }
}
