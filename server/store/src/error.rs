//! What can go wrong in the store, and whose fault it is.

/// An error of the store. [`StoreError::is_temporary`] tells a protocol whether to answer 4xx or 5xx.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has the folder open.
    #[error("another mailstead is using this data folder")]
    InUse,
    /// The store was written by a newer version.
    #[error("this store has schema version {found}, this program knows up to {known}: use the newer mailstead")]
    Newer {
        /// Version in the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// No room on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// Any other fault of disk or file.
    #[error("the store can't be read or written: {0}")]
    Io(String),
    /// A record or blob is damaged.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// The store is closing.
    #[error("the store is shutting down")]
    Closed,
    /// The thing named does not exist.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The thing to be made exists already.
    #[error("{0} exists already")]
    Exists(String),
    /// The account's quota is used up.
    #[error("the mailbox is full")]
    OverQuota,
    /// The request makes no sense, in a sentence for its author.
    #[error("{0}")]
    Invalid(String),
}

impl StoreError {
    /// True when the same request may succeed later without anyone changing it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::InUse | Self::DiskFull | Self::Io(_) | Self::Closed | Self::OverQuota)
    }

    /// True when the disk or the database failed, not the request.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self, Self::DiskFull | Self::Io(_) | Self::Closed)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::DatabaseClosed => Self::Closed,
            redb::Error::Corrupted(what) => Self::Damaged(what),
            other => Self::Io(other.to_string()),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}

from_redb!(StorageError, TableError, TransactionError, CommitError, DatabaseError);
