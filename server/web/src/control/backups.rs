//! Backups: what is remembered of them, and one made now.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mailstead_store::backup::{BackupError, BackupFailure, BackupRecord, Lock, Order, lock, write};
use mailstead_store::{StoreError, Timestamp};
use serde::{Deserialize, Serialize};

use super::operator::{Operator, done, time};
use super::protocol::{Answer, Request};

/// Where those go that are asked for at the web: the one folder that the server's unit lets it write to.
const FOLDER: &str = "backups";
/// How many of those are kept.
const KEEP: usize = 2;

/// What is remembered of the last backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupsView {
    /// The last that was made and proved.
    pub good: Option<BackupView>,
    /// The failure since then.
    pub failed: Option<BackupFailureView>,
    /// One is being made.
    pub under_way: bool,
    /// Where one goes that is asked for at the web.
    pub folder: PathBuf,
}

/// A backup that was made and proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    /// When it was complete.
    pub at: String,
    /// Where it is.
    pub place: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes of them that were copied.
    pub copied: u64,
    /// Letters in it.
    pub letters: u64,
    /// Letters in it that are damaged in the server itself.
    pub damaged: u64,
    /// Seconds it took.
    pub seconds: u64,
}

/// A backup that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFailureView {
    /// When.
    pub at: String,
    /// Where it should have gone.
    pub place: String,
    /// Why, in a sentence.
    pub why: String,
}

impl Operator {
    pub(super) async fn backup(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::BackupStage => {
                let picture = self.store.stage_backup().await.map_err(told)?;
                Ok(Answer::BackupStaged(picture))
            }
            Request::BackupEnd { outcome } => {
                self.store.unstage_backup().map_err(told)?;
                self.store.note_backup(outcome).await?;
                done("The backup is noted.".to_owned())
            }
            Request::BackupNow => self.back_up_now(),
            _ => self.backups(),
        }
    }

    fn backups(&self) -> Result<Answer, StoreError> {
        let known = self.store.backups()?;
        let data = self.store.folder();
        Ok(Answer::Backups(BackupsView {
            good: known.good.map(|good| BackupView {
                at: time(good.at),
                place: good.place,
                bytes: good.bytes,
                copied: good.copied,
                letters: good.letters,
                damaged: good.damaged,
                seconds: good.seconds,
            }),
            failed: known.failed.map(|failed| BackupFailureView {
                at: time(failed.at),
                place: failed.place,
                why: failed.why,
            }),
            under_way: matches!(lock(data), Err(BackupError::Busy(_))),
            folder: data.join(FOLDER),
        }))
    }

    /// Begins a backup inside the data folder; how it ended is remembered.
    fn back_up_now(&self) -> Result<Answer, StoreError> {
        let folder = self.store.folder().join(FOLDER);
        let lock = lock(self.store.folder()).map_err(told)?;
        let sentence = format!("A backup is being made in {}.", folder.display());
        let operator = self.clone();
        tokio::spawn(async move { operator.back_up(folder, lock).await });
        done(sentence)
    }

    async fn back_up(&self, folder: PathBuf, lock: Lock) {
        let outcome = match self.store.stage_backup().await {
            Ok(picture) => {
                let target = folder.clone();
                let copying = move || {
                    let order = Order { folder: &target, keep: KEEP, configuration: None };
                    copy_picture(&picture, &order, &mut |_, _| {})
                };
                tokio::task::spawn_blocking(copying)
                    .await
                    .unwrap_or_else(|error| Err(failure(&folder, error.to_string())))
            }
            Err(error) => Err(failure(&folder, error.to_string())),
        };
        match &outcome {
            Ok(good) => tracing::info!(place = good.place, bytes = good.bytes, "a backup is made and proved"),
            Err(failed) => tracing::error!("no backup was made: {}", failed.why),
        }
        if let Err(error) = self.store.unstage_backup() {
            tracing::warn!("a backup's picture can't be removed: {error}");
        }
        if let Err(error) = self.store.note_backup(outcome).await {
            tracing::warn!("a backup can't be noted: {error}");
        }
        drop(lock);
    }
}

/// Carries a picture to where backups are kept, and tells how that ended as it is remembered.
///
/// # Errors
/// What is remembered of a failure.
pub fn copy_picture(
    picture: &Path,
    order: &Order<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BackupRecord, BackupFailure> {
    let begun = Instant::now();
    let written = write(picture, order, progress).map_err(|error| failure(order.folder, error.to_string()))?;
    Ok(BackupRecord {
        at: now(),
        place: written.backup.display().to_string(),
        bytes: written.manifest.bytes(),
        copied: written.copied,
        letters: written.manifest.letters,
        damaged: written.manifest.damaged.len() as u64,
        seconds: begun.elapsed().as_secs(),
    })
}

fn failure(folder: &Path, why: String) -> BackupFailure {
    BackupFailure { at: now(), place: folder.display().to_string(), why }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}

/// A failure of a backup, as the answer to a request.
fn told(error: BackupError) -> StoreError {
    match error {
        BackupError::Store(error) => error,
        other => StoreError::Invalid(other.to_string()),
    }
}
