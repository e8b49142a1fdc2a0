//! What the tables hold, as postcard.

use mailstead_message::Address;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, BlobHash, FlagSet, Flags, Mailbox, MailboxId, Message, ModSeq, SpecialUse, StoreError, Timestamp, Uid,
};

/// An account without what changes with every letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) address: Address,
    pub(crate) addresses: Vec<Address>,
    pub(crate) disabled: bool,
    pub(crate) quota: Option<u64>,
    pub(crate) created: Timestamp,
    /// PHC string of argon2id.
    pub(crate) password: String,
}

/// A mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MailboxRecord {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) highest_modseq: u64,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) size: u64,
    pub(crate) first_recent: u32,
    /// Keywords ever used in it, in the case of their first use; messages name them by position.
    pub(crate) keywords: Vec<String>,
}

impl MailboxRecord {
    pub(crate) fn to_mailbox(&self, id: MailboxId) -> Mailbox {
        Mailbox {
            id,
            account: self.account,
            name: self.name.clone(),
            uid_validity: self.uid_validity,
            uid_next: Uid(self.uid_next),
            special_use: self.special_use,
            highest_modseq: ModSeq(self.highest_modseq),
            messages: self.messages,
            unseen: self.unseen,
            deleted: self.deleted,
            size: self.size,
            first_recent: Uid(self.first_recent),
        }
    }
}

/// A message in a mailbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    pub(crate) flags: Flags,
    /// Positions in the mailbox's list.
    pub(crate) keywords: Vec<u16>,
    pub(crate) size: u64,
    pub(crate) internal_date: Timestamp,
    pub(crate) modseq: u64,
    pub(crate) blob: BlobHash,
    pub(crate) prefix: Vec<u8>,
}

impl MessageRecord {
    pub(crate) fn to_message(&self, uid: u32, keywords: &[String]) -> Message {
        let names = self.keywords.iter().filter_map(|index| keywords.get(usize::from(*index)).cloned());
        Message {
            uid: Uid(uid),
            flags: FlagSet { system: self.flags, keywords: names.collect() },
            size: self.size,
            internal_date: self.internal_date,
            modseq: ModSeq(self.modseq),
            blob: self.blob,
            prefix_len: u32::try_from(self.prefix.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Where a blob lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    pub(crate) pack: u32,
    /// Offset of the entry, header included.
    pub(crate) offset: u64,
    /// Bytes of the entry, header included.
    pub(crate) len: u64,
    /// Bytes of the message.
    pub(crate) size: u64,
    /// Compressed bytes of each chunk; the last one ends the entry.
    pub(crate) chunks: Vec<u32>,
    /// Messages and queue entries that refer to it.
    pub(crate) references: u64,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|error| StoreError::Invalid(format!("this can't be stored: {error}")))
}

/// A value, and the bytes behind it.
pub(crate) fn decode_first<'b, T: DeserializeOwned>(bytes: &'b [u8], what: &str) -> Result<(T, &'b [u8]), StoreError> {
    postcard::take_from_bytes(bytes).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}
