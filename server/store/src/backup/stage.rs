//! The frozen picture of a store, inside its own folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use redb::{Database, ReadTransaction};

use super::place::{lock, make_folder, remove_folder};
use super::{BackupError, DATABASE, PACKS};
use crate::{Store, StoreError};

/// Its folder in the data folder.
const STAGING: &str = "backup-staging";

impl Store {
    /// Takes a picture of all that is acknowledged until now, into a folder inside the data folder: the database, and a
    /// further name for each pack. Whoever asks holds the [`lock`] of the data folder, and removes the picture with
    /// [`Store::unstage_backup`].
    ///
    /// # Errors
    /// The disk is full or can't be written, or does not know hard links.
    pub async fn stage_backup(&self) -> Result<PathBuf, BackupError> {
        let staging = self.unstage_backup()?;
        let packs = staging.join(PACKS);
        make_folder(&staging)?;
        make_folder(&packs)?;
        let links = packs.clone();
        let picture = self.lessen(move |change| change.link_packs(&links)).await?;
        let (database, cache) = (staging.join(DATABASE), self.shared().options.cache_bytes);
        if let Err(error) = aside(move || write_database(&picture, &database, cache)).await {
            self.unstage_backup()?;
            return Err(error.into());
        }
        Ok(staging)
    }

    /// Removes the picture, if there is one; tells where it is or would be.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn unstage_backup(&self) -> Result<PathBuf, BackupError> {
        let staging = self.shared().folder.join(STAGING);
        remove_folder(&staging)?;
        Ok(staging)
    }
}

/// Removes what a backup that died left behind.
pub(crate) fn clear_abandoned(folder: &Path) {
    let staging = folder.join(STAGING);
    if !staging.exists() {
        return;
    }
    // While it is locked somebody still copies from it.
    if let Ok(_lock) = lock(folder)
        && let Err(error) = remove_folder(&staging)
    {
        tracing::warn!("what an unfinished backup left behind can't be removed: {error}");
    }
}

/// Does something that takes long in a thread of its own, since this must work outside a tokio runtime too.
async fn aside(work: impl FnOnce() -> Result<(), StoreError> + Send + 'static) -> Result<(), StoreError> {
    let (answer, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("backup".to_owned()).spawn(move || {
        let _ = answer.send(work());
    })?;
    result.await.map_err(|_| StoreError::Closed)?
}

/// Writes a database with all that a snapshot shows, without the room that was freed in the old one.
fn write_database(picture: &ReadTransaction, path: &Path, cache: usize) -> Result<(), StoreError> {
    let database: Database = Database::builder().set_cache_size(cache).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let transaction = database.begin_write()?;
    mailstead_migrations::copy(picture, &transaction)?;
    transaction.commit()?;
    drop(database);
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}
