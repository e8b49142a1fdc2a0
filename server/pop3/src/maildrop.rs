//! The maildrop: INBOX as it was at login (RFC 1939 4).

use mailstead_store::{AccountId, MailboxId, Store, StoreError, Uid};

use crate::command::Number;

/// Message records read from the store at a time.
const BATCH: usize = 1_000;

/// The messages of INBOX at login, and which of them are marked to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Maildrop {
    mailbox: MailboxId,
    uid_validity: u32,
    messages: Vec<Entry>,
    /// Messages that are not marked, and their bytes.
    left: (usize, u64),
}

/// A message of the maildrop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its UID in the mailbox.
    pub(crate) uid: Uid,
    /// Its size in octets.
    pub(crate) size: u64,
    deleted: bool,
}

impl Maildrop {
    /// A maildrop of these messages, in this order.
    pub(crate) fn new(mailbox: MailboxId, uid_validity: u32, messages: impl IntoIterator<Item = (Uid, u64)>) -> Self {
        let messages: Vec<Entry> =
            messages.into_iter().map(|(uid, size)| Entry { uid, size, deleted: false }).collect();
        let left = (messages.len(), messages.iter().map(|entry| entry.size).sum());
        Self { mailbox, uid_validity, messages, left }
    }

    /// Takes the maildrop of an account as it is now. Blocks on the disk.
    ///
    /// # Errors
    /// The store can't be read.
    pub(crate) fn open(store: &Store, account: AccountId) -> Result<Self, StoreError> {
        let snapshot = store.snapshot()?;
        let inbox = snapshot.mailbox_by_name(account, "INBOX")?;
        let inbox = inbox.ok_or_else(|| StoreError::NotFound("INBOX".to_owned()))?;
        let uids = snapshot.uids(inbox.id)?;
        let mut messages = Vec::with_capacity(uids.len());
        for batch in uids.chunks(BATCH) {
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else { continue };
            let records = snapshot.messages(inbox.id, *first, *last)?;
            messages.extend(records.iter().map(|record| (record.uid, record.size)));
        }
        Ok(Self::new(inbox.id, inbox.uid_validity, messages))
    }

    /// The mailbox it is.
    pub(crate) fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// How many messages are not marked, and their octets.
    pub(crate) fn left(&self) -> (usize, u64) {
        self.left
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// A message that is not marked.
    pub(crate) fn get(&self, number: Number) -> Option<Entry> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.messages.get(index).copied().filter(|entry| !entry.deleted)
    }

    /// The unique id of a message (RFC 1939 7): the same in every session, and never another message's.
    pub(crate) fn unique_id(&self, entry: Entry) -> String {
        format!("{:08x}{:08x}", self.uid_validity, entry.uid.0)
    }

    /// Marks a message. False when there is none of that number.
    pub(crate) fn mark(&mut self, number: Number) -> bool {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let entry = index.and_then(|index| self.messages.get_mut(index)).filter(|entry| !entry.deleted);
        let Some(entry) = entry else { return false };
        entry.deleted = true;
        self.left = (self.left.0.saturating_sub(1), self.left.1.saturating_sub(entry.size));
        true
    }

    /// Takes all marks back.
    pub(crate) fn unmark_all(&mut self) {
        self.messages.iter_mut().for_each(|entry| entry.deleted = false);
        self.left = (self.messages.len(), self.messages.iter().map(|entry| entry.size).sum());
    }

    /// What is marked.
    pub(crate) fn marked(&self) -> Vec<Uid> {
        self.messages.iter().filter(|entry| entry.deleted).map(|entry| entry.uid).collect()
    }
}
