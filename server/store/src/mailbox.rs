//! Mailboxes and their messages.

use std::collections::BTreeSet;
use std::ops::Range;

use mailstead_message::{Summary, TraceId};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, BlobHash, MailboxId, ModSeq, NewQueueEntry, Snapshot, Store, StoreError, StoryEvent, Timestamp, Uid,
};

/// What a mailbox is for (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecialUse {
    /// `\Drafts`
    Drafts,
    /// `\Sent`
    Sent,
    /// `\Archive`
    Archive,
    /// `\Junk`
    Junk,
    /// `\Trash`
    Trash,
}

/// A mailbox as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// Whose it is.
    pub account: AccountId,
    /// Full name in Unicode, hierarchy separated by `/`; the inbox is always `INBOX`.
    pub name: String,
    /// UIDVALIDITY, never 0.
    pub uid_validity: u32,
    /// The UID the next message gets.
    pub uid_next: Uid,
    /// Its special use.
    pub special_use: Option<SpecialUse>,
    /// Modseq of its latest change.
    pub highest_modseq: ModSeq,
    /// Messages in it.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Sum of the message sizes, in bytes.
    pub size: u64,
    /// Messages from this UID on are recent for the next session that selects it.
    pub first_recent: Uid,
}

/// The system flags, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Flags(pub u8);

impl Flags {
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(2);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(4);
    /// `\Deleted`
    pub const DELETED: Self = Self(8);
    /// `\Draft`
    pub const DRAFT: Self = Self(16);

    /// True when all of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Flags and keywords together. Keywords keep the case of their first use, compare without it, and are atoms of at most 100 octets, at most 64 a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagSet {
    /// System flags.
    pub system: Flags,
    /// Keywords.
    pub keywords: BTreeSet<String>,
}

/// A message's record: all that listing and syncing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its UID.
    pub uid: Uid,
    /// Flags and keywords.
    pub flags: FlagSet,
    /// RFC822.SIZE: bytes of the joined message.
    pub size: u64,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// Modseq of its latest change.
    pub modseq: ModSeq,
    /// Its blob.
    pub blob: BlobHash,
    /// Bytes of the per-recipient header that precede the blob when it is read.
    pub prefix_len: u32,
}

/// A message on its way in: hashed, compressed and summarised, not yet stored.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The blob's name.
    pub hash: BlobHash,
    /// Bytes of the message, uncompressed.
    pub size: u64,
    /// Its precomputed facts.
    pub summary: Summary,
    // compressed bytes (or a spool file of them) follow, private
}

impl Prepared {
    /// Prepares a message held in memory. Costs CPU: call it off the async threads for anything large.
    pub fn from_bytes(_message: &[u8]) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// Prepares the message that is `head` followed by the spool file's bytes from `start` on. The compressed form
    /// of a large one stays on disk until it is in the pack.
    pub fn from_file(_head: &[u8], _spool: &std::fs::File, _start: u64) -> Result<Self, StoreError> {
        unimplemented!()
    }
}

/// A local delivery of an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub account: AccountId,
    /// Into which mailbox.
    pub into: Into,
    /// Header lines of this recipient (Return-Path, Delivered-To), with CRLF, put before the blob on reading.
    pub prefix: Vec<u8>,
    /// Flags it arrives with.
    pub flags: FlagSet,
}

/// The mailbox of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Into {
    /// INBOX.
    Inbox,
    /// The mailbox with this use, or INBOX where there is none.
    Special(SpecialUse),
    /// The mailbox of this name, or INBOX where it is gone.
    Named(String),
}

/// A message accepted from a peer or made by ourselves: everything it becomes, in one transaction.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The message.
    pub message: Prepared,
    /// INTERNALDATE and queue time.
    pub received: Timestamp,
    /// Local deliveries.
    pub deliveries: Vec<Delivery>,
    /// Queue entries (more than one when reverse-paths differ, as with forwards).
    pub queue: Vec<NewQueueEntry>,
    /// Its story so far.
    pub trace: TraceId,
    /// Events to write with it.
    pub story: Vec<StoryEvent>,
}

/// A message to append (RFC 9051 6.3.12).
#[derive(Debug, Clone)]
pub struct Append {
    /// The message.
    pub message: Prepared,
    /// Its flags.
    pub flags: FlagSet,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
}

/// How flags change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagChange {
    /// Replaces all (`FLAGS`).
    Replace(FlagSet),
    /// Adds (`+FLAGS`).
    Add(FlagSet),
    /// Removes (`-FLAGS`).
    Remove(FlagSet),
}

/// What became of a flag change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagsChanged {
    /// Messages as they are now, also those that did not change.
    pub messages: Vec<Message>,
    /// Those refused by UNCHANGEDSINCE.
    pub modified: Vec<Uid>,
    /// The account's modseq after it.
    pub modseq: ModSeq,
}

/// Where copied or moved messages are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the destination.
    pub uid_validity: u32,
    /// (source, destination) in ascending source order.
    pub uids: Vec<(Uid, Uid)>,
}

/// Changes of a mailbox since a modseq.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Messages new or changed, by UID.
    pub changed: Vec<Message>,
    /// UIDs gone, ascending.
    pub expunged: Vec<Uid>,
    /// The state these changes lead to.
    pub up_to: ModSeq,
}

impl Store {
    /// Takes responsibility for messages: all local deliveries and queue entries of all acceptances in one
    /// transaction. Returns after the commit is on disk; on error nothing of it is stored.
    pub async fn accept(&self, _messages: Vec<Acceptance>) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Tells of every commit that touched the account: the value is its modseq. Wakes after the commit.
    pub fn watch(&self, _account: AccountId) -> tokio::sync::watch::Receiver<ModSeq> {
        unimplemented!()
    }
    /// Makes a mailbox (and missing parents). Names are checked: no empty level, control character, `%` or `*`;
    /// at most 20 levels and 500 octets.
    pub async fn create_mailbox(
        &self,
        _account: AccountId,
        _name: &str,
        _use: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        unimplemented!()
    }
    /// Deletes a mailbox with its messages; refused for INBOX and while it has children.
    pub async fn delete_mailbox(&self, _account: AccountId, _name: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Renames a mailbox with its children, parents made as needed; renaming INBOX moves its messages to a new mailbox (RFC 9051 6.3.6).
    pub async fn rename_mailbox(&self, _account: AccountId, _from: &str, _to: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Subscribes or unsubscribes a name, existing or not.
    pub async fn subscribe(&self, _account: AccountId, _name: &str, _subscribed: bool) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Appends messages to a mailbox in one transaction; gives their UIDs.
    pub async fn append(&self, _mailbox: MailboxId, _messages: Vec<Append>) -> Result<(u32, Vec<Uid>), StoreError> {
        unimplemented!()
    }
    /// Changes flags. UIDs that don't exist are passed over.
    pub async fn change_flags(
        &self,
        _mailbox: MailboxId,
        _uids: Vec<Uid>,
        _change: FlagChange,
        _unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsChanged, StoreError> {
        unimplemented!()
    }
    /// Copies messages, all or none; flags, keywords and internal dates go along.
    pub async fn copy(&self, _from: MailboxId, _uids: Vec<Uid>, _to: MailboxId) -> Result<Copied, StoreError> {
        unimplemented!()
    }
    /// Moves messages, all or none.
    pub async fn move_messages(&self, _from: MailboxId, _uids: Vec<Uid>, _to: MailboxId) -> Result<Copied, StoreError> {
        unimplemented!()
    }
    /// Removes messages: those with `\Deleted`, limited to `uids` where given.
    pub async fn expunge(&self, _mailbox: MailboxId, _uids: Option<Vec<Uid>>) -> Result<Vec<Uid>, StoreError> {
        unimplemented!()
    }
    /// Removes exactly these messages whatever their flags (POP3).
    pub async fn remove_messages(&self, _mailbox: MailboxId, _uids: Vec<Uid>) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Takes the recent messages of a mailbox for one session: UIDs from here on are recent for it.
    pub async fn claim_recent(&self, _mailbox: MailboxId) -> Result<Uid, StoreError> {
        unimplemented!()
    }
    /// Reads a message's bytes, prefix and blob joined. Pins no snapshot while it is read.
    pub fn open_message(&self, _mailbox: MailboxId, _uid: Uid) -> Result<MessageReader, StoreError> {
        unimplemented!()
    }
    /// Reads a blob's bytes without any prefix (the queue's).
    pub fn open_blob(&self, _blob: BlobHash) -> Result<MessageReader, StoreError> {
        unimplemented!()
    }
}

/// Random access to a message's bytes; holds at most one decompressed chunk (1 MiB) in memory.
/// Its blob is kept from being freed while the reader lives. Calls block on the disk.
pub struct MessageReader {}

impl MessageReader {
    /// Length of the joined message in bytes.
    pub fn len(&self) -> u64 {
        unimplemented!()
    }
    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bytes of a range, cut to the message's end.
    pub fn read(&mut self, _range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        unimplemented!()
    }
    /// The whole message.
    pub fn read_all(&mut self) -> Result<Vec<u8>, StoreError> {
        unimplemented!()
    }
}

impl Snapshot {
    /// All mailboxes of an account, INBOX first, then by name.
    pub fn mailboxes(&self, _account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
        unimplemented!()
    }
    /// A mailbox by its name; INBOX in any case.
    pub fn mailbox_by_name(&self, _account: AccountId, _name: &str) -> Result<Option<Mailbox>, StoreError> {
        unimplemented!()
    }
    /// A mailbox by its id, if it is that account's.
    pub fn mailbox(&self, _account: AccountId, _id: MailboxId) -> Result<Option<Mailbox>, StoreError> {
        unimplemented!()
    }
    /// Subscribed names.
    pub fn subscriptions(&self, _account: AccountId) -> Result<Vec<String>, StoreError> {
        unimplemented!()
    }
    /// All UIDs of a mailbox, ascending: the sequence numbers are their positions.
    pub fn uids(&self, _mailbox: MailboxId) -> Result<Vec<Uid>, StoreError> {
        unimplemented!()
    }
    /// The messages of a UID range, ascending.
    pub fn messages(&self, _mailbox: MailboxId, _from: Uid, _to: Uid) -> Result<Vec<Message>, StoreError> {
        unimplemented!()
    }
    /// One message.
    pub fn message(&self, _mailbox: MailboxId, _uid: Uid) -> Result<Option<Message>, StoreError> {
        unimplemented!()
    }
    /// The precomputed summary of a message's blob.
    pub fn summary(&self, _blob: BlobHash) -> Result<Summary, StoreError> {
        unimplemented!()
    }
    /// The header lines of this recipient that precede the blob.
    pub fn prefix(&self, _mailbox: MailboxId, _uid: Uid) -> Result<Vec<u8>, StoreError> {
        unimplemented!()
    }
    /// What happened in a mailbox after `since`.
    pub fn changes(&self, _mailbox: MailboxId, _since: ModSeq) -> Result<Changes, StoreError> {
        unimplemented!()
    }
    /// The account's modseq.
    pub fn modseq(&self, _account: AccountId) -> Result<ModSeq, StoreError> {
        unimplemented!()
    }
    /// Keywords in use in a mailbox.
    pub fn keywords(&self, _mailbox: MailboxId) -> Result<Vec<String>, StoreError> {
        unimplemented!()
    }
}
