//! Messages waiting to go out.

use mailstead_message::{Address, ReversePath, TraceId};
use mailstead_migrations::v1;
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

use crate::record::{decode, decode_first, encode};
use crate::{Acceptance, BlobHash, QueueId, Store, StoreError, StoryEvent, Timestamp};

/// A message to put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewQueueEntry {
    /// Where failure is told.
    pub reverse_path: ReversePath,
    /// To whom.
    pub recipients: Vec<NewRecipient>,
    /// `ENVID` (RFC 3461 4.4), decoded.
    pub envid: Option<String>,
    /// `RET`.
    pub ret: Option<Ret>,
    /// `BODY=8BITMIME` or `BINARYMIME` was said, or the message has 8-bit bytes.
    pub eight_bit: bool,
    /// `SMTPUTF8` is needed.
    pub smtputf8: bool,
    /// What TLS it needs on its way.
    pub tls: TlsNeed,
}

/// What TLS a message needs on its way (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsNeed {
    /// What the recipients' domains demand.
    #[default]
    Usual,
    /// Verified, at this hop and all later ones, or it comes back (`REQUIRETLS`).
    Required,
    /// None, whatever the recipients' domains demand (`TLS-Required: No`).
    Waived,
}

/// How much of the message a DSN returns (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// All.
    Full,
    /// The header.
    Headers,
}

/// `NOTIFY` (RFC 3461 4.1); nothing set and not `never` means the default: failure and delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notify {
    /// `NEVER`
    pub never: bool,
    /// `SUCCESS`
    pub success: bool,
    /// `FAILURE`
    pub failure: bool,
    /// `DELAY`
    pub delay: bool,
}

/// A recipient to put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRecipient {
    /// The address.
    pub address: Address,
    /// `ORCPT` as (type, decoded address), or for a forward the address it was first sent to.
    pub orcpt: Option<(String, String)>,
    /// `NOTIFY`.
    pub notify: Option<Notify>,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// Its id.
    pub id: QueueId,
    /// The message's trace.
    pub trace: TraceId,
    /// Its blob.
    pub blob: BlobHash,
    /// Bytes of the message.
    pub size: u64,
    /// When it was enqueued.
    pub created: Timestamp,
    /// When the runner should look at it again.
    pub due: Timestamp,
    /// Tries of the whole entry so far.
    pub attempts: u32,
    /// An operator holds it.
    pub held: bool,
    /// A delay notice was sent.
    pub delay_notified: bool,
    /// Where failure is told.
    pub reverse_path: ReversePath,
    /// `ENVID`.
    pub envid: Option<String>,
    /// `RET`.
    pub ret: Option<Ret>,
    /// Has 8-bit bytes.
    pub eight_bit: bool,
    /// Needs SMTPUTF8.
    pub smtputf8: bool,
    /// What TLS it needs on its way. Kept behind the rest of the record, see [`QueueEntry::from_bytes`].
    #[serde(skip)]
    pub tls: TlsNeed,
    /// Recipients, settled ones included.
    pub recipients: Vec<QueueRecipient>,
}

impl QueueEntry {
    /// A record's bytes. What schema version 1 did not know stands behind what it did, and only where it is not the
    /// usual: its records stay as they are, and are read as they were meant.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = encode(self)?;
        if self.tls != TlsNeed::default() {
            bytes.extend(encode(&self.tls)?);
        }
        Ok(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "a queue entry";
        let (mut entry, rest) = decode_first::<Self>(bytes, WHAT)?;
        if !rest.is_empty() {
            entry.tls = decode(rest, WHAT)?;
        }
        Ok(entry)
    }
}

/// A recipient in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipient {
    /// The address.
    pub address: Address,
    /// `ORCPT`.
    pub orcpt: Option<(String, String)>,
    /// `NOTIFY`.
    pub notify: Option<Notify>,
    /// How it stands.
    pub state: RecipientState,
    /// The last thing that happened, in the peer's words or ours.
    pub last: Option<String>,
}

/// How a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// To be tried.
    Waiting,
    /// Accepted by a peer.
    Delivered,
    /// Given up, and told.
    Failed,
}

/// What an attempt changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement {
    /// (index of the recipient, its new state, what happened).
    pub recipients: Vec<(usize, RecipientState, String)>,
    /// When to look again, if anyone still waits; the entry is gone when nobody does.
    pub due: Option<Timestamp>,
    /// The entry's attempts are counted up.
    pub attempted: bool,
    /// A delay notice goes with it.
    pub delay_notified: bool,
    /// Events for the story.
    pub story: Vec<StoryEvent>,
}

/// What an operator asks of a queued message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueAction {
    /// Due now, and no longer held.
    Retry,
    /// Held until retried.
    Hold,
    /// Removed without a word to the sender.
    Remove,
}

impl Store {
    /// The entries due at `now` (not held), oldest due first.
    pub fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<QueueEntry>, StoreError> {
        let transaction = self.shared().read()?;
        let (due, queue) = (transaction.open_table(v1::QUEUE_DUE)?, transaction.open_table(v1::QUEUE)?);
        let mut entries = Vec::new();
        for key in due.range(..=(now.0, u64::MAX))?.take(limit) {
            if let Some(bytes) = queue.get(key?.0.value().1)? {
                entries.push(QueueEntry::from_bytes(bytes.value())?);
            }
        }
        Ok(entries)
    }

    /// When the next entry is due.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let due = self.shared().read()?.open_table(v1::QUEUE_DUE)?;
        Ok(due.first()?.map(|(key, _)| Timestamp(key.value().0)))
    }

    /// Wakes the runner: changes with every commit that adds to the queue or makes something due.
    pub fn watch_queue(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared().watchers.queue()
    }

    /// Writes what an attempt brought, together with the notices (DSNs) it causes, in one transaction. Of an entry
    /// that was removed meanwhile nothing is written and nobody is told.
    pub async fn settle(
        &self,
        id: QueueId,
        settlement: Settlement,
        notices: Vec<Acceptance>,
    ) -> Result<(), StoreError> {
        // Taken on a full disk as well: what a peer accepted must be written down before all else.
        self.lessen(move |change| change.settle(id, &settlement, &notices)).await
    }

    /// All entries, oldest first.
    pub fn queue(&self) -> Result<Vec<QueueEntry>, StoreError> {
        let queue = self.shared().read()?.open_table(v1::QUEUE)?;
        queue.iter()?.map(|entry| QueueEntry::from_bytes(entry?.1.value())).collect()
    }

    /// One entry.
    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        let queue = self.shared().read()?.open_table(v1::QUEUE)?;
        queue.get(id.0)?.map(|bytes| QueueEntry::from_bytes(bytes.value())).transpose()
    }

    /// As [`Store::settle`], but only if the entry still is as it was read: no recipient is told to have failed that a
    /// peer took meanwhile.
    ///
    /// # Errors
    /// It has changed or is gone, and those of any change.
    pub async fn settle_unchanged(
        &self,
        entry: QueueEntry,
        settlement: Settlement,
        notices: Vec<Acceptance>,
    ) -> Result<(), StoreError> {
        self.lessen(move |change| {
            change.require_unchanged(&entry)?;
            change.settle(entry.id, &settlement, &notices)
        })
        .await
    }

    /// Makes all due now that wait and are not held; gives how many.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn retry_all(&self) -> Result<usize, StoreError> {
        self.lessen(|change| change.retry_all()).await
    }

    /// An operator's wish.
    pub async fn queue_action(&self, id: QueueId, action: QueueAction) -> Result<(), StoreError> {
        self.lessen(move |change| change.queue_action(id, action)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn entry(tls: TlsNeed) -> QueueEntry {
        QueueEntry {
            id: QueueId(7),
            trace: TraceId::new(1, 2),
            blob: BlobHash([3; 32]),
            size: 4,
            created: Timestamp(5),
            due: Timestamp(6),
            attempts: 1,
            held: false,
            delay_notified: true,
            reverse_path: None,
            envid: Some("x".to_owned()),
            ret: Some(Ret::Full),
            eight_bit: true,
            smtputf8: false,
            tls,
            recipients: vec![QueueRecipient {
                address: Address::parse("bob@world.test").unwrap(),
                orcpt: None,
                notify: None,
                state: RecipientState::Waiting,
                last: None,
            }],
        }
    }

    #[test]
    fn a_record_of_version_1_is_read_as_it_was_meant() {
        // As version 1 wrote it, field by field.
        let bytes = [
            &[7][..],
            &encode(&TraceId::new(1, 2)).unwrap(),
            &[3; 32],
            &[4, 10, 12, 1, 0, 1, 0, 1, 1, b'x', 1, 0, 1, 0, 1],
            &encode(&Address::parse("bob@world.test").unwrap()).unwrap(),
            &[0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(QueueEntry::from_bytes(&bytes).unwrap(), entry(TlsNeed::Usual));
        assert_eq!(entry(TlsNeed::Usual).to_bytes().unwrap(), bytes, "the usual is written as ever");
    }

    #[test]
    fn what_tls_a_message_needs_is_kept_and_a_damaged_record_is_found() {
        for tls in [TlsNeed::Usual, TlsNeed::Required, TlsNeed::Waived] {
            let bytes = entry(tls).to_bytes().unwrap();
            assert_eq!(QueueEntry::from_bytes(&bytes).unwrap(), entry(tls));
        }
        let damaged = [entry(TlsNeed::Usual).to_bytes().unwrap(), vec![9]].concat();
        assert!(matches!(QueueEntry::from_bytes(&damaged), Err(StoreError::Damaged(_))));
    }
}
