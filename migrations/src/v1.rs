//! Version 1: the first. All tables, empty; keys are tuples that sort the way they are scanned, values are postcard.

use redb::{TableDefinition, WriteTransaction};

type Bytes = &'static [u8];

/// Counters: the next id of each kind.
pub const COUNTERS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("counters");
/// Settings of the whole server, by name.
pub const SETTINGS: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("settings");
/// Domains, by name.
pub const DOMAINS: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("domains");
/// Accounts, by id.
pub const ACCOUNTS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("accounts");
/// What changes with every letter: account → (bytes stored, modseq).
pub const ACCOUNT_STATES: TableDefinition<'static, u64, (u64, u64)> = TableDefinition::new("account_states");
/// Address key → account.
pub const ADDRESSES: TableDefinition<'static, &'static str, u64> = TableDefinition::new("addresses");
/// Address key → alias.
pub const ALIASES: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("aliases");
/// Mailboxes, by id.
pub const MAILBOXES: TableDefinition<'static, u64, Bytes> = TableDefinition::new("mailboxes");
/// (account, mailbox name) → mailbox.
pub const MAILBOX_NAMES: TableDefinition<'static, (u64, &'static str), u64> = TableDefinition::new("mailbox_names");
/// (account, subscribed name).
pub const SUBSCRIPTIONS: TableDefinition<'static, (u64, &'static str), ()> = TableDefinition::new("subscriptions");
/// (mailbox, UID) → message record.
pub const MESSAGES: TableDefinition<'static, (u64, u32), Bytes> = TableDefinition::new("messages");
/// (mailbox, modseq, UID) → 0 for new or changed, 1 for expunged. One entry for each UID: its latest change.
pub const CHANGES: TableDefinition<'static, (u64, u64, u32), u8> = TableDefinition::new("changes");
/// Blob hash → where it lies and how many refer to it.
pub const BLOBS: TableDefinition<'static, &'static [u8; 32], Bytes> = TableDefinition::new("blobs");
/// Blob hash → precomputed summary.
pub const SUMMARIES: TableDefinition<'static, &'static [u8; 32], Bytes> = TableDefinition::new("summaries");
/// Pack → (bytes in it, bytes of them that are referred to).
pub const PACKS: TableDefinition<'static, u32, (u64, u64)> = TableDefinition::new("packs");
/// (pack, offset) → blob hash.
pub const PACK_BLOBS: TableDefinition<'static, (u32, u64), &'static [u8; 32]> = TableDefinition::new("pack_blobs");
/// Queue entries, by id.
pub const QUEUE: TableDefinition<'static, u64, Bytes> = TableDefinition::new("queue");
/// (due, queue id), for entries that are not held.
pub const QUEUE_DUE: TableDefinition<'static, (i64, u64), ()> = TableDefinition::new("queue_due");
/// (trace, number of the event) → event.
pub const STORIES: TableDefinition<'static, (u64, u32), Bytes> = TableDefinition::new("stories");
/// (address key, trace): which stories an address is part of.
pub const STORY_ADDRESSES: TableDefinition<'static, (&'static str, u64), ()> = TableDefinition::new("story_addresses");
/// (seconds of the first event, trace): what is dropped first.
pub const STORY_AGES: TableDefinition<'static, (i64, u64), ()> = TableDefinition::new("story_ages");

/// Makes the tables.
pub(crate) fn run(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(COUNTERS)?;
    transaction.open_table(SETTINGS)?;
    transaction.open_table(DOMAINS)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(ACCOUNT_STATES)?;
    transaction.open_table(ADDRESSES)?;
    transaction.open_table(ALIASES)?;
    transaction.open_table(MAILBOXES)?;
    transaction.open_table(MAILBOX_NAMES)?;
    transaction.open_table(SUBSCRIPTIONS)?;
    transaction.open_table(MESSAGES)?;
    transaction.open_table(CHANGES)?;
    transaction.open_table(BLOBS)?;
    transaction.open_table(SUMMARIES)?;
    transaction.open_table(PACKS)?;
    transaction.open_table(PACK_BLOBS)?;
    transaction.open_table(QUEUE)?;
    transaction.open_table(QUEUE_DUE)?;
    transaction.open_table(STORIES)?;
    transaction.open_table(STORY_ADDRESSES)?;
    transaction.open_table(STORY_AGES)?;
    Ok(())
}
