//! Mailboxes and their messages.

use std::collections::BTreeSet;

use mailstead_message::TraceId;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, BlobHash, MailboxId, MessageReader, ModSeq, NewQueueEntry, NewReport, Prepared, Store, StoreError,
    StoryEvent, Timestamp, Uid,
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
    /// The report in it about our domains, if that is what it was sent for.
    pub report: Option<NewReport>,
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
    pub async fn accept(&self, messages: Vec<Acceptance>) -> Result<(), StoreError> {
        let bytes = messages.iter().map(|acceptance| acceptance.message.compressed.len()).sum();
        self.add(bytes, move |change| change.accept(&messages)).await
    }

    /// Tells of every commit that touched the account: the value is its modseq. Wakes after the commit, and before
    /// whoever asked for the change is answered.
    pub fn watch(&self, account: AccountId) -> tokio::sync::watch::Receiver<ModSeq> {
        let now = self.snapshot().and_then(|snapshot| snapshot.modseq(account)).unwrap_or_default();
        self.shared().watchers.account(account, now)
    }

    /// Makes a mailbox (and missing parents). Names are checked: no empty level, control character, `%` or `*`;
    /// at most 20 levels and 500 octets.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        purpose: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        let name = name.to_owned();
        self.add(0, move |change| change.create_mailbox(account, &name, purpose)).await
    }

    /// Deletes a mailbox with its messages; refused for INBOX and while it has children.
    pub async fn delete_mailbox(&self, account: AccountId, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.lessen(move |change| change.delete_mailbox(account, &name)).await
    }

    /// Renames a mailbox with its children, parents made as needed; renaming INBOX moves its messages to a new mailbox (RFC 9051 6.3.6).
    pub async fn rename_mailbox(&self, account: AccountId, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.add(0, move |change| change.rename_mailbox(account, &from, &to)).await
    }

    /// Subscribes or unsubscribes a name, existing or not.
    pub async fn subscribe(&self, account: AccountId, name: &str, subscribed: bool) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.add(0, move |change| change.subscribe(account, &name, subscribed)).await
    }

    /// Appends messages to a mailbox in one transaction; gives their UIDs.
    pub async fn append(&self, mailbox: MailboxId, messages: Vec<Append>) -> Result<(u32, Vec<Uid>), StoreError> {
        let bytes = messages.iter().map(|append| append.message.compressed.len()).sum();
        self.add(bytes, move |change| change.append(mailbox, &messages)).await
    }

    /// Changes flags. UIDs that don't exist are passed over.
    pub async fn change_flags(
        &self,
        mailbox: MailboxId,
        uids: Vec<Uid>,
        flags: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsChanged, StoreError> {
        // Nothing can be deleted on a full disk if nothing can be marked as deleted.
        self.lessen(move |change| change.change_flags(mailbox, &uids, &flags, unchanged_since)).await
    }

    /// Copies messages, all or none of those that exist; flags, keywords and internal dates go along.
    pub async fn copy(&self, from: MailboxId, uids: Vec<Uid>, to: MailboxId) -> Result<Copied, StoreError> {
        self.add(0, move |change| change.copy(from, &uids, to)).await
    }

    /// Moves messages, all or none of those that exist.
    pub async fn move_messages(&self, from: MailboxId, uids: Vec<Uid>, to: MailboxId) -> Result<Copied, StoreError> {
        self.lessen(move |change| change.move_messages(from, &uids, to)).await
    }

    /// Removes messages: those with `\Deleted`, limited to `uids` where given.
    pub async fn expunge(&self, mailbox: MailboxId, uids: Option<Vec<Uid>>) -> Result<Vec<Uid>, StoreError> {
        self.lessen(move |change| change.expunge(mailbox, uids.as_deref())).await
    }

    /// Removes exactly these messages whatever their flags (POP3). UIDs that don't exist are passed over.
    pub async fn remove_messages(&self, mailbox: MailboxId, uids: Vec<Uid>) -> Result<(), StoreError> {
        self.lessen(move |change| change.remove_messages(mailbox, &uids)).await
    }

    /// Takes the recent messages of a mailbox for one session: UIDs from here on are recent for it.
    pub async fn claim_recent(&self, mailbox: MailboxId) -> Result<Uid, StoreError> {
        self.add(0, move |change| change.claim_recent(mailbox)).await
    }

    /// Reads a message's bytes, prefix and blob joined. Pins no snapshot while it is read.
    pub fn open_message(&self, mailbox: MailboxId, uid: Uid) -> Result<MessageReader, StoreError> {
        MessageReader::open_message(self.shared(), mailbox, uid)
    }

    /// Reads a blob's bytes without any prefix (the queue's).
    pub fn open_blob(&self, blob: BlobHash) -> Result<MessageReader, StoreError> {
        MessageReader::open_blob(self.shared(), blob)
    }
}

/// Octets of a mailbox name.
pub(crate) const MAX_NAME: usize = 500;
/// Levels of a mailbox name.
const MAX_LEVELS: usize = 20;

/// A checked mailbox name, INBOX in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailboxName(String);

impl MailboxName {
    pub(crate) fn parse(name: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| Err(StoreError::Invalid(format!("a mailbox name {why}")));
        if name.is_empty() || name.split('/').any(str::is_empty) {
            return wrong("can't be empty, and neither can one of its levels");
        }
        if name.len() > MAX_NAME || name.split('/').count() > MAX_LEVELS {
            return wrong("has at most 500 octets and 20 levels");
        }
        if name.chars().any(|c| c.is_control() || matches!(c, '%' | '*' | '\u{2028}' | '\u{2029}')) {
            return wrong("can't have control characters, % or *");
        }
        Ok(Self(Self::lenient(name)))
    }

    /// A name that need not be valid, with INBOX in its one spelling.
    pub(crate) fn lenient(name: &str) -> String {
        let (first, rest) = name.split_once('/').map_or((name, None), |(first, rest)| (first, Some(rest)));
        match (first.eq_ignore_ascii_case("INBOX"), rest) {
            (true, Some(rest)) => format!("INBOX/{rest}"),
            (true, None) => "INBOX".to_owned(),
            (false, _) => name.to_owned(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The names above it, topmost first.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }

    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}
