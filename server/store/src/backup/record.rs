//! What is remembered of the last backups.

use mailstead_migrations::v1;
use serde::{Deserialize, Serialize};

use crate::record::{decode, encode};
use crate::{Store, StoreError, Timestamp};

/// Under which name it is kept.
pub(crate) const BACKUPS: &str = "backups";

/// A backup that was made and proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// When it was complete.
    pub at: Timestamp,
    /// Where it is.
    pub place: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes of them that were copied; the others were there from the backup before.
    pub copied: u64,
    /// Letters in it, each read back and found equal.
    pub letters: u64,
    /// Letters in it that are damaged in the server itself.
    pub damaged: u64,
    /// Seconds it took.
    pub seconds: u64,
}

/// A backup that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFailure {
    /// When.
    pub at: Timestamp,
    /// Where it should have gone.
    pub place: String,
    /// Why, in a sentence.
    pub why: String,
}

/// The last backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backups {
    /// The last that was made and proved.
    pub good: Option<BackupRecord>,
    /// The failure since then.
    pub failed: Option<BackupFailure>,
}

impl Store {
    /// What is remembered of the last backups.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn backups(&self) -> Result<Backups, StoreError> {
        let settings = self.shared().read()?.open_table(v1::SETTINGS)?;
        Ok(settings
            .get(BACKUPS)?
            .map(|bytes| decode(bytes.value(), "the last backups"))
            .transpose()?
            .unwrap_or_default())
    }

    /// Remembers how a backup ended.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn note_backup(&self, outcome: Result<BackupRecord, BackupFailure>) -> Result<(), StoreError> {
        let backups = match outcome {
            Ok(good) => Backups { good: Some(good), failed: None },
            Err(failed) => Backups { failed: Some(failed), ..self.backups()? },
        };
        let bytes = encode(&backups)?;
        self.lessen(move |change| change.put_backups(&bytes)).await
    }
}
