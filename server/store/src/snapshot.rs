//! Reading: a consistent view, and the bytes of messages.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use mailstead_message::Summary;
use mailstead_migrations::v1;
use redb::{ReadOnlyTable, ReadTransaction};

use crate::blob::{CHUNK, decompress};
use crate::change::EXPUNGED;
use crate::engine::Shared;
use crate::pack::Packs;
use crate::record::{BlobRecord, MailboxRecord, MessageRecord, decode};
use crate::{AccountId, BlobHash, Changes, Mailbox, MailboxId, Message, ModSeq, StoreError, Uid};

type Messages = ReadOnlyTable<(u64, u32), &'static [u8]>;
type Summaries = ReadOnlyTable<&'static [u8; 32], &'static [u8]>;

/// A consistent read view of the whole store.
pub struct Snapshot {
    pub(crate) transaction: ReadTransaction,
    messages: OnceCell<Messages>,
    summaries: OnceCell<Summaries>,
}

impl Snapshot {
    pub(crate) fn new(transaction: ReadTransaction) -> Self {
        Self { transaction, messages: OnceCell::new(), summaries: OnceCell::new() }
    }

    /// All mailboxes of an account, INBOX first, then by name.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
        let names = self.transaction.open_table(v1::MAILBOX_NAMES)?;
        let mut mailboxes = Vec::new();
        for entry in names.range((account.0, "")..(account.0 + 1, ""))? {
            let id = MailboxId(entry?.1.value());
            mailboxes.extend(self.record(id)?.map(|record| record.to_mailbox(id)));
        }
        mailboxes.sort_by(|a, b| (a.name != "INBOX", &a.name).cmp(&(b.name != "INBOX", &b.name)));
        Ok(mailboxes)
    }

    /// A mailbox by its name; INBOX in any case.
    pub fn mailbox_by_name(&self, account: AccountId, name: &str) -> Result<Option<Mailbox>, StoreError> {
        let Ok(name) = crate::mailbox::MailboxName::parse(name) else { return Ok(None) };
        let names = self.transaction.open_table(v1::MAILBOX_NAMES)?;
        let id = names.get((account.0, name.as_str()))?.map(|value| MailboxId(value.value()));
        let Some(id) = id else { return Ok(None) };
        Ok(self.record(id)?.map(|record| record.to_mailbox(id)))
    }

    /// A mailbox by its id, if it is that account's.
    pub fn mailbox(&self, account: AccountId, id: MailboxId) -> Result<Option<Mailbox>, StoreError> {
        let record = self.record(id)?.filter(|record| record.account == account);
        Ok(record.map(|record| record.to_mailbox(id)))
    }

    /// Subscribed names.
    pub fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StoreError> {
        let table = self.transaction.open_table(v1::SUBSCRIPTIONS)?;
        let names = table.range((account.0, "")..(account.0 + 1, ""))?;
        names.map(|name| Ok(name?.0.value().1.to_owned())).collect()
    }

    /// All UIDs of a mailbox, ascending: the sequence numbers are their positions.
    pub fn uids(&self, mailbox: MailboxId) -> Result<Vec<Uid>, StoreError> {
        let messages = self.message_table()?.range((mailbox.0, 0)..=(mailbox.0, u32::MAX))?;
        messages.map(|message| Ok(Uid(message?.0.value().1))).collect()
    }

    /// The messages of a UID range, ascending.
    pub fn messages(&self, mailbox: MailboxId, from: Uid, to: Uid) -> Result<Vec<Message>, StoreError> {
        if from > to {
            return Ok(Vec::new());
        }
        let keywords = self.keywords(mailbox)?;
        let mut found = Vec::new();
        for message in self.message_table()?.range((mailbox.0, from.0)..=(mailbox.0, to.0))? {
            let (key, value) = message?;
            let record: MessageRecord = decode(value.value(), "a message record")?;
            found.push(record.to_message(key.value().1, &keywords));
        }
        Ok(found)
    }

    /// One message.
    pub fn message(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Message>, StoreError> {
        let Some(record) = self.message_record(mailbox, uid)? else { return Ok(None) };
        let keywords = if record.keywords.is_empty() { Vec::new() } else { self.keywords(mailbox)? };
        Ok(Some(record.to_message(uid.0, &keywords)))
    }

    /// The precomputed summary of a message's blob.
    pub fn summary(&self, blob: BlobHash) -> Result<Summary, StoreError> {
        if self.summaries.get().is_none() {
            let table = self.transaction.open_table(v1::SUMMARIES)?;
            let _ = self.summaries.set(table);
        }
        let table = self.summaries.get().ok_or(StoreError::Closed)?;
        match table.get(&blob.0)? {
            Some(bytes) => decode(bytes.value(), "a message's summary"),
            None => Err(StoreError::NotFound("the message".to_owned())),
        }
    }

    /// The header lines of this recipient that precede the blob.
    pub fn prefix(&self, mailbox: MailboxId, uid: Uid) -> Result<Vec<u8>, StoreError> {
        let record = self.message_record(mailbox, uid)?;
        record.map(|record| record.prefix).ok_or_else(|| StoreError::NotFound("the message".to_owned()))
    }

    /// What happened in a mailbox after `since`.
    pub fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
        let Some(record) = self.record(mailbox)? else {
            return Err(StoreError::NotFound("the mailbox".to_owned()));
        };
        let log = self.transaction.open_table(v1::CHANGES)?;
        let (mut changed, mut expunged) = (BTreeMap::new(), Vec::new());
        let first = (mailbox.0, since.0.saturating_add(1), 0);
        for entry in log.range(first..=(mailbox.0, u64::MAX, u32::MAX))? {
            let (key, kind) = entry?;
            let uid = Uid(key.value().2);
            if kind.value() == EXPUNGED {
                expunged.push(uid);
            } else if let Some(message) = self.message_record(mailbox, uid)? {
                changed.insert(uid, message.to_message(uid.0, &record.keywords));
            }
        }
        expunged.sort_unstable();
        Ok(Changes { changed: changed.into_values().collect(), expunged, up_to: self.modseq(record.account)? })
    }

    /// The account's modseq.
    pub fn modseq(&self, account: AccountId) -> Result<ModSeq, StoreError> {
        let state = self.transaction.open_table(v1::ACCOUNT_STATES)?.get(account.0)?.map(|value| value.value());
        state.map(|(_, modseq)| ModSeq(modseq)).ok_or_else(|| StoreError::NotFound("the account".to_owned()))
    }

    /// Keywords in use in a mailbox.
    pub fn keywords(&self, mailbox: MailboxId) -> Result<Vec<String>, StoreError> {
        Ok(self.record(mailbox)?.map(|record| record.keywords).unwrap_or_default())
    }

    fn record(&self, id: MailboxId) -> Result<Option<MailboxRecord>, StoreError> {
        match self.transaction.open_table(v1::MAILBOXES)?.get(id.0)? {
            Some(bytes) => Ok(Some(decode(bytes.value(), "a mailbox")?)),
            None => Ok(None),
        }
    }

    fn message_record(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<MessageRecord>, StoreError> {
        match self.message_table()?.get((mailbox.0, uid.0))? {
            Some(bytes) => Ok(Some(decode(bytes.value(), "a message record")?)),
            None => Ok(None),
        }
    }

    fn message_table(&self) -> Result<&Messages, StoreError> {
        if self.messages.get().is_none() {
            let _ = self.messages.set(self.transaction.open_table(v1::MESSAGES)?);
        }
        self.messages.get().ok_or(StoreError::Closed)
    }

    fn blob(&self, hash: BlobHash) -> Result<BlobRecord, StoreError> {
        match self.transaction.open_table(v1::BLOBS)?.get(&hash.0)? {
            Some(bytes) => decode(bytes.value(), "a blob record"),
            None => Err(StoreError::NotFound("the message".to_owned())),
        }
    }
}

/// Random access to a message's bytes; holds at most one decompressed chunk (1 MiB) in memory.
/// Its bytes stay readable while the reader lives, whatever becomes of the message. Calls block on the disk.
pub struct MessageReader {
    prefix: Vec<u8>,
    file: Arc<File>,
    record: BlobRecord,
    /// The chunk read last, and its bytes.
    chunk: Option<(usize, Vec<u8>)>,
}

impl MessageReader {
    pub(crate) fn open_message(shared: &Shared, mailbox: MailboxId, uid: Uid) -> Result<Self, StoreError> {
        let found = |snapshot: &Snapshot| {
            let record = snapshot.message_record(mailbox, uid)?;
            let record = record.ok_or_else(|| StoreError::NotFound("the message".to_owned()))?;
            Ok((record.blob, record.prefix))
        };
        Self::open(shared, found)
    }

    pub(crate) fn open_blob(shared: &Shared, blob: BlobHash) -> Result<Self, StoreError> {
        Self::open(shared, |_| Ok((blob, Vec::new())))
    }

    fn open(
        shared: &Shared,
        found: impl Fn(&Snapshot) -> Result<(BlobHash, Vec<u8>), StoreError>,
    ) -> Result<Self, StoreError> {
        let mut tries_left = 3;
        loop {
            let snapshot = Snapshot::new(shared.read()?);
            let (hash, prefix) = found(&snapshot)?;
            let record = snapshot.blob(hash)?;
            match shared.packs.reader(record.pack) {
                Ok(file) => return Ok(Self { prefix, file, record, chunk: None }),
                // The blob was moved to another pack between the look and the opening.
                Err(error) if error.kind() == ErrorKind::NotFound && tries_left > 0 => tries_left -= 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(StoreError::Damaged(format!("pack {} is missing", record.pack)));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Length of the joined message in bytes.
    pub fn len(&self) -> u64 {
        self.prefix.len() as u64 + self.record.size
    }

    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, cut to the message's end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the bytes are not those that were stored.
    pub fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let end = range.end.min(self.len());
        let mut at = range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(end.saturating_sub(at)).unwrap_or(0));
        while at < end {
            let part = self.piece(at, end)?;
            if part.is_empty() {
                return Err(StoreError::Damaged("a message ends too early".to_owned()));
            }
            at += part.len() as u64;
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// The whole message.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_all(&mut self) -> Result<Vec<u8>, StoreError> {
        self.read(0..self.len())
    }

    /// What lies in one piece from `at` on, up to `end`.
    fn piece(&mut self, at: u64, end: u64) -> Result<&[u8], StoreError> {
        let (prefix_len, size) = (self.prefix.len() as u64, self.record.size);
        let (base, bytes) = if at < prefix_len {
            (0, &self.prefix)
        } else {
            let index = usize::try_from((at - prefix_len) / CHUNK as u64).unwrap_or(usize::MAX);
            if self.chunk.as_ref().is_none_or(|(number, _)| *number != index) {
                self.chunk = None;
                let bytes = read_chunk(&self.file, &self.record, index, size)?;
                self.chunk = Some((index, bytes));
            }
            let (_, bytes) = self.chunk.as_ref().ok_or(StoreError::Closed)?;
            (prefix_len + (index * CHUNK) as u64, bytes)
        };
        let from = usize::try_from(at - base).unwrap_or(usize::MAX).min(bytes.len());
        let to = usize::try_from(end - base).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.get(from..to).unwrap_or_default())
    }
}

/// True when a blob can be read and is what its name says.
pub(crate) fn is_whole(packs: &Packs, hash: BlobHash, record: &BlobRecord) -> bool {
    packs.reader(record.pack).is_ok_and(|file| is_whole_in(&file, hash, record))
}

/// The same in a file that is at hand.
pub(crate) fn is_whole_in(file: &File, hash: BlobHash, record: &BlobRecord) -> bool {
    let mut hasher = blake3::Hasher::new();
    for index in 0..record.chunks.len() {
        let Ok(bytes) = read_chunk(file, record, index, record.size) else { return false };
        hasher.update(&bytes);
    }
    hasher.finalize() == hash.0
}

fn read_chunk(file: &File, record: &BlobRecord, index: usize, size: u64) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("a message's bytes".to_owned());
    let len = *record.chunks.get(index).ok_or_else(damaged)?;
    let behind: u64 = record.chunks.iter().skip(index).map(|len| u64::from(*len)).sum();
    let at = (record.offset + record.len).checked_sub(behind).ok_or_else(damaged)?;
    let mut compressed = vec![0; usize::try_from(len).map_err(|_| damaged())?];
    file.read_exact_at(&mut compressed, at).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => damaged(),
        _ => error.into(),
    })?;
    let left = size.saturating_sub((index * CHUNK) as u64);
    decompress(&compressed, usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK)))
}
