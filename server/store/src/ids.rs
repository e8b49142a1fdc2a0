//! The names of things; not to be mixed up.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An account; never used again after removal.
    AccountId,
    u64
);
id!(
    /// A mailbox; unique in the store, never used again.
    MailboxId,
    u64
);
id!(
    /// A message's unique identifier in its mailbox (RFC 9051 2.3.1.1); never 0.
    Uid,
    u32
);
id!(
    /// A modification sequence (RFC 7162), per account, growing.
    ModSeq,
    u64
);
id!(
    /// A message waiting to go out.
    QueueId,
    u64
);
id!(
    /// An app password; never used again after removal.
    AppPasswordId,
    u64
);

/// A blob's name: the BLAKE3 hash of its uncompressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobHash(pub [u8; 32]);

/// Seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Timestamp(pub i64);
