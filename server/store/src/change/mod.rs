//! A write transaction with all tables open, and what all changes share: counters, modseqs, mailboxes, records.

mod accept;
mod app_passwords;
mod backup;
mod blobs;
mod certificates;
mod directory;
mod forwardings;
mod keys;
mod mailboxes;
mod messages;
mod operators;
mod policies;
mod queue;
mod reports;
mod senders;
mod sessions;
mod setup;
mod stories;
pub(crate) mod tallies;
mod verdicts;

use std::collections::{BTreeMap, HashSet};

use mailstead_migrations::v1;
use redb::{Key, ReadableTable as _, Table, TableDefinition, Value, WriteTransaction};

use crate::engine::Shared;
use crate::record::{AccountRecord, MailboxRecord, MessageRecord, decode, encode};
use crate::{AccountId, BlobHash, MailboxId, ModSeq, StoreError, Uid};

/// A log entry's kind: new or changed.
pub(crate) const CHANGED: u8 = 0;
/// A log entry's kind: gone.
pub(crate) const EXPUNGED: u8 = 1;

/// All tables, open for writing.
pub(crate) struct Tables<'t> {
    pub(crate) counters: Table<'t, &'static str, u64>,
    pub(crate) settings: Table<'t, &'static str, &'static [u8]>,
    pub(crate) domains: Table<'t, &'static str, &'static [u8]>,
    pub(crate) accounts: Table<'t, u64, &'static [u8]>,
    pub(crate) account_states: Table<'t, u64, (u64, u64)>,
    pub(crate) addresses: Table<'t, &'static str, u64>,
    pub(crate) aliases: Table<'t, &'static str, &'static [u8]>,
    pub(crate) mailboxes: Table<'t, u64, &'static [u8]>,
    pub(crate) mailbox_names: Table<'t, (u64, &'static str), u64>,
    pub(crate) subscriptions: Table<'t, (u64, &'static str), ()>,
    pub(crate) messages: Table<'t, (u64, u32), &'static [u8]>,
    pub(crate) changes: Table<'t, (u64, u64, u32), u8>,
    pub(crate) blobs: Table<'t, &'static [u8; 32], &'static [u8]>,
    pub(crate) summaries: Table<'t, &'static [u8; 32], &'static [u8]>,
    pub(crate) packs: Table<'t, u32, (u64, u64)>,
    pub(crate) pack_blobs: Table<'t, (u32, u64), &'static [u8; 32]>,
    pub(crate) queue: Table<'t, u64, &'static [u8]>,
    pub(crate) queue_due: Table<'t, (i64, u64), ()>,
    pub(crate) stories: Table<'t, (u64, u32), &'static [u8]>,
    pub(crate) story_addresses: Table<'t, (&'static str, u64), ()>,
    pub(crate) story_ages: Table<'t, (i64, u64), ()>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            counters: transaction.open_table(v1::COUNTERS)?,
            settings: transaction.open_table(v1::SETTINGS)?,
            domains: transaction.open_table(v1::DOMAINS)?,
            accounts: transaction.open_table(v1::ACCOUNTS)?,
            account_states: transaction.open_table(v1::ACCOUNT_STATES)?,
            addresses: transaction.open_table(v1::ADDRESSES)?,
            aliases: transaction.open_table(v1::ALIASES)?,
            mailboxes: transaction.open_table(v1::MAILBOXES)?,
            mailbox_names: transaction.open_table(v1::MAILBOX_NAMES)?,
            subscriptions: transaction.open_table(v1::SUBSCRIPTIONS)?,
            messages: transaction.open_table(v1::MESSAGES)?,
            changes: transaction.open_table(v1::CHANGES)?,
            blobs: transaction.open_table(v1::BLOBS)?,
            summaries: transaction.open_table(v1::SUMMARIES)?,
            packs: transaction.open_table(v1::PACKS)?,
            pack_blobs: transaction.open_table(v1::PACK_BLOBS)?,
            queue: transaction.open_table(v1::QUEUE)?,
            queue_due: transaction.open_table(v1::QUEUE_DUE)?,
            stories: transaction.open_table(v1::STORIES)?,
            story_addresses: transaction.open_table(v1::STORY_ADDRESSES)?,
            story_ages: transaction.open_table(v1::STORY_AGES)?,
        })
    }
}

/// A write transaction under way.
pub(crate) struct Change<'t> {
    transaction: &'t WriteTransaction,
    tables: Tables<'t>,
    shared: &'t Shared,
    changed: bool,
    job_changed: bool,
    /// The modseq each account has got in this job: one for all its changes.
    job_modseqs: BTreeMap<AccountId, u64>,
    accounts: BTreeMap<AccountId, ModSeq>,
    queue_changed: bool,
    /// Blobs known to be readable: written or checked in this transaction.
    sound: HashSet<BlobHash>,
    appended: Appended,
    dropped_packs: Vec<u32>,
}

/// Which pack must be synced before the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// None.
    Nothing,
    /// This one; a pack that was filled before it in the same transaction is synced already.
    To(u32),
}

/// What a transaction did, for its commit.
pub(crate) struct Done {
    pub(crate) number: u64,
    pub(crate) changed: bool,
    pub(crate) appended: Appended,
    pub(crate) accounts: BTreeMap<AccountId, ModSeq>,
    pub(crate) queue: bool,
    pub(crate) dropped_packs: Vec<u32>,
}

impl<'t> Change<'t> {
    pub(crate) fn begin(transaction: &'t WriteTransaction, shared: &'t Shared) -> Result<Self, StoreError> {
        Ok(Self {
            transaction,
            tables: Tables::open(transaction)?,
            shared,
            changed: false,
            job_changed: false,
            job_modseqs: BTreeMap::new(),
            accounts: BTreeMap::new(),
            queue_changed: false,
            sound: HashSet::new(),
            appended: Appended::Nothing,
            dropped_packs: Vec::new(),
        })
    }

    /// Marks where a job begins.
    pub(crate) fn begin_job(&mut self) {
        self.job_changed = false;
        self.job_modseqs.clear();
    }

    /// True when the job under way has changed anything.
    pub(crate) fn job_has_changed(&self) -> bool {
        self.job_changed
    }

    /// Ends it, with a number no other commit has.
    pub(crate) fn finish(mut self) -> Result<Done, StoreError> {
        let number = if self.changed { self.next(crate::engine::COMMITS)? } else { 0 };
        Ok(Done {
            number,
            changed: self.changed,
            appended: self.appended,
            accounts: self.accounts,
            queue: self.queue_changed,
            dropped_packs: self.dropped_packs,
        })
    }

    /// The tables, to change them: every write goes through here, so that a failed job is known to have left traces.
    fn write(&mut self) -> &mut Tables<'t> {
        self.changed = true;
        self.job_changed = true;
        &mut self.tables
    }

    /// A table that few letters touch, open for reading.
    fn side<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<Table<'t, K, V>, StoreError> {
        Ok(self.transaction.open_table(table)?)
    }

    /// A table that few letters touch, to change it. Opened only where it is needed: opening costs every transaction.
    fn write_side<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<Table<'t, K, V>, StoreError> {
        self.changed = true;
        self.job_changed = true;
        self.side(table)
    }

    /// The next number of a kind, from 1 on, never given twice.
    fn next(&mut self, counter: &str) -> Result<u64, StoreError> {
        let next = self.tables.counters.get(counter)?.map_or(0, |value| value.value()) + 1;
        self.write().counters.insert(counter, next)?;
        Ok(next)
    }

    /// The modseq of this job's changes to an account.
    fn modseq(&mut self, account: AccountId) -> Result<u64, StoreError> {
        if let Some(modseq) = self.job_modseqs.get(&account) {
            return Ok(*modseq);
        }
        let (used, modseq) = self.account_state(account)?;
        let modseq = modseq + 1;
        self.write().account_states.insert(account.0, (used, modseq))?;
        self.job_modseqs.insert(account, modseq);
        self.accounts.insert(account, ModSeq(modseq));
        Ok(modseq)
    }

    /// (bytes stored, modseq)
    fn account_state(&self, account: AccountId) -> Result<(u64, u64), StoreError> {
        let state = self.tables.account_states.get(account.0)?.map(|value| value.value());
        state.ok_or_else(|| StoreError::NotFound("the account".to_owned()))
    }

    /// Counts bytes that came or went.
    fn use_bytes(&mut self, account: AccountId, more: u64, less: u64) -> Result<(), StoreError> {
        let (used, modseq) = self.account_state(account)?;
        let used = used.saturating_add(more).saturating_sub(less);
        self.write().account_states.insert(account.0, (used, modseq))?;
        Ok(())
    }

    /// Refuses what would not fit.
    fn check_quota(&self, account: AccountId, more: u64) -> Result<(), StoreError> {
        let quota = self.account_by_id(account)?.quota;
        let (used, _) = self.account_state(account)?;
        if quota.is_some_and(|quota| used.saturating_add(more) > quota) {
            return Err(StoreError::OverQuota);
        }
        Ok(())
    }

    fn account_by_id(&self, account: AccountId) -> Result<AccountRecord, StoreError> {
        match self.tables.accounts.get(account.0)? {
            Some(bytes) => decode(bytes.value(), "an account"),
            None => Err(StoreError::NotFound("the account".to_owned())),
        }
    }

    fn mailbox(&self, id: MailboxId) -> Result<MailboxRecord, StoreError> {
        match self.tables.mailboxes.get(id.0)? {
            Some(bytes) => decode(bytes.value(), "a mailbox"),
            None => Err(StoreError::NotFound("the mailbox".to_owned())),
        }
    }

    fn put_mailbox(&mut self, id: MailboxId, record: &MailboxRecord) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        self.write().mailboxes.insert(id.0, bytes.as_slice())?;
        Ok(())
    }

    fn mailbox_id(&self, account: AccountId, name: &str) -> Result<Option<MailboxId>, StoreError> {
        Ok(self.tables.mailbox_names.get((account.0, name))?.map(|value| MailboxId(value.value())))
    }

    fn message(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<MessageRecord>, StoreError> {
        match self.tables.messages.get((mailbox.0, uid.0))? {
            Some(bytes) => Ok(Some(decode(bytes.value(), "a message record")?)),
            None => Ok(None),
        }
    }

    fn put_message(&mut self, mailbox: MailboxId, uid: u32, record: &MessageRecord) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        let tables = self.write();
        tables.messages.insert((mailbox.0, uid), bytes.as_slice())?;
        tables.changes.insert((mailbox.0, record.modseq, uid), CHANGED)?;
        Ok(())
    }
}

/// The number behind a counter's name as a mailbox, message or queue id; ids fit their types for longer than disks last.
fn narrow(number: u64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Invalid("there are no numbers left".to_owned()))
}
