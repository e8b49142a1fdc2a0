//! What ACME wants kept: accounts and certificates, by name, as bytes whose meaning is its own.

use mailstead_migrations::v2;

use crate::{Store, StoreError};

impl Store {
    /// What was kept under this name.
    pub fn kept_certificate(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.shared().read()?.open_table(v2::CERTIFICATES)?;
        Ok(table.get(name)?.map(|bytes| bytes.value().to_vec()))
    }

    /// Everything kept whose name begins so, by name.
    pub fn kept_certificates(&self, beginning: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let table = self.shared().read()?.open_table(v2::CERTIFICATES)?;
        let mut kept = Vec::new();
        for entry in table.range(beginning..)? {
            let (name, bytes) = entry?;
            if !name.value().starts_with(beginning) {
                break;
            }
            kept.push((name.value().to_owned(), bytes.value().to_vec()));
        }
        Ok(kept)
    }

    /// Keeps this under the name, in place of what was there.
    pub async fn keep_certificate(&self, name: String, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.add(0, move |change| change.keep_certificate(&name, &bytes)).await
    }

    /// Keeps these no longer; one that is not there is no error.
    pub async fn forget_certificates(&self, names: Vec<String>) -> Result<(), StoreError> {
        self.lessen(move |change| change.forget_certificates(&names)).await
    }
}
