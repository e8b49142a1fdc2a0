//! Backups: a consistent copy of a store, running or not, that is proved by reading it back.
//!
//! It is made in two steps. [`Store::stage_backup`] puts a frozen picture of the store into a folder inside the data
//! folder: the database as of one moment, copied under a short snapshot, and one more name (hard link) for each pack
//! that it refers to. What a pack holds below its end never changes, so the picture stays whole however long it lies
//! there, and neither the snapshot nor the thinning of packs has to wait for slow disks. Then [`write`] carries it
//! elsewhere, under any user who may read it.
//!
//! A backup is a folder with the same shape as a data folder and a manifest beside it that names every file with its
//! length and hash. It gets its name only once it is complete, on disk and read back: what has a name is whole. Packs
//! that the backup before has already are linked instead of copied, and proved again all the same.

mod check;
mod copy;
mod manifest;
mod place;
mod record;
mod restore;
mod stage;

use std::path::PathBuf;

use crate::StoreError;

pub use check::check;
pub use copy::{Order, Written, write};
pub use manifest::{Listed, Manifest};
pub use place::{Lock, lock};
pub(crate) use record::BACKUPS;
pub use record::{BackupFailure, BackupRecord, Backups};
pub use restore::{Restored, restore};
pub(crate) use stage::clear_abandoned;

/// The database's name in a data folder and in a backup.
const DATABASE: &str = "store.redb";
/// The folder of packs in both.
const PACKS: &str = "packs";
/// The copy of the configuration in a backup.
pub const CONFIGURATION: &str = "mailstead.toml";

/// Why there is no backup, or none can be restored. Each is one sentence for the operator.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackupError {
    /// Another one is under way.
    #[error("another backup or restore is under way in {}", .0.display())]
    Busy(PathBuf),
    /// No room where it goes.
    #[error(
        "there is not enough room in {}: {needed} MB are needed, {free} MB are free. Nothing is left of this try; make \
         room, or name another disk", folder.display()
    )]
    Full {
        /// Where.
        folder: PathBuf,
        /// Megabytes that are needed.
        needed: u64,
        /// Megabytes that are free.
        free: u64,
    },
    /// A file can't be read or written.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// There is none.
    #[error("{} holds no complete backup", .0.display())]
    None(PathBuf),
    /// It can't be relied on.
    #[error("this backup is damaged: {0}")]
    Damaged(String),
    /// A newer program made it.
    #[error("a newer mailstead ({0}) made this backup: restore it with that one")]
    Newer(String),
    /// There is something where it shall be restored to.
    #[error(
        "{} is not empty: nothing is ever restored over a store. Stop the server and move that folder away first, or \
         name another with --data", .0.display()
    )]
    NotEmpty(PathBuf),
    /// The store itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for BackupError {
            fn from(error: redb::$error) -> Self {
                Self::Store(error.into())
            }
        }
    )*};
}

from_redb!(Error, StorageError, TableError, TransactionError);
