//! One message under search: what a condition asks for is read then, once, and no more than that.

use jiff::civil::Date;
use mailstead_message::Summary;
use mailstead_message::summary::Mailbox;
use mailstead_message::text::Needle;
use mailstead_store::{MailboxId, Message, MessageReader, Snapshot, Store, StoreError};

use crate::wire::date;

/// Of a message larger than this only so much is searched: text comes first, what follows are attachments.
const MAX_SEARCHED: u64 = 32 << 20;

/// A message under search.
pub(super) struct Candidate<'a> {
    pub(super) number: u32,
    pub(super) message: Message,
    pub(super) is_recent: bool,
    store: &'a Store,
    snapshot: &'a Snapshot,
    mailbox: MailboxId,
    summary: Option<Summary>,
    reader: Option<MessageReader>,
    /// The bytes read so far: the header, or as much as is searched.
    bytes: Vec<u8>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(
        store: &'a Store,
        snapshot: &'a Snapshot,
        mailbox: MailboxId,
        number: u32,
        message: Message,
        is_recent: bool,
    ) -> Self {
        Self { number, message, is_recent, store, snapshot, mailbox, summary: None, reader: None, bytes: Vec::new() }
    }

    /// Fields that need no look at the message itself.
    pub(super) fn is_in_summary(name: &str) -> bool {
        matches!(name, "from" | "to" | "cc" | "bcc" | "subject" | "date" | "message-id" | "in-reply-to")
    }

    pub(super) fn day_received(&self) -> Date {
        date::day_of(self.message.internal_date)
    }

    pub(super) fn day_sent(&mut self) -> Result<Option<Date>, StoreError> {
        Ok(self.summary()?.envelope.date.as_deref().and_then(date::day_of_letter))
    }

    /// True when a field of that name (in lower case) is there and contains the text.
    pub(super) fn header_contains(&mut self, name: &str, needle: &Needle) -> Result<bool, StoreError> {
        if !Self::is_in_summary(name) {
            return Ok(needle.is_in_field(self.header()?, name));
        }
        let envelope = &self.summary()?.envelope;
        let list = |list: &[Mailbox]| needle.is_in_mailboxes(list);
        let text = |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|text| needle.is_in_value(text));
        Ok(match name {
            "from" => list(&envelope.from),
            "to" => list(&envelope.to),
            "cc" => list(&envelope.cc),
            "bcc" => list(&envelope.bcc),
            "subject" => text(&envelope.subject),
            "date" => text(&envelope.date),
            "message-id" => text(&envelope.message_id),
            _ => text(&envelope.in_reply_to),
        })
    }

    pub(super) fn body_contains(&mut self, needle: &Needle) -> Result<bool, StoreError> {
        self.read(MAX_SEARCHED)?;
        self.summary()?;
        let Some(summary) = &self.summary else { return Ok(false) };
        Ok(needle.is_in_body(self.blob(), summary))
    }

    pub(super) fn text_contains(&mut self, needle: &Needle) -> Result<bool, StoreError> {
        self.read(MAX_SEARCHED)?;
        self.summary()?;
        let Some(summary) = &self.summary else { return Ok(false) };
        Ok(needle.is_in_header(self.prefix()) || needle.is_in_message(self.blob(), summary))
    }

    fn summary(&mut self) -> Result<&Summary, StoreError> {
        if self.summary.is_none() {
            self.summary = Some(self.snapshot.summary(self.message.blob)?);
        }
        self.summary.as_ref().ok_or(StoreError::Closed)
    }

    fn header(&mut self) -> Result<&[u8], StoreError> {
        let end = self.prefix_len() as u64 + self.summary()?.root.body_start;
        self.read(end.min(MAX_SEARCHED))?;
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(self.bytes.len());
        Ok(self.bytes.get(..end).unwrap_or_default())
    }

    /// Makes sure that so many bytes are read, or all there are.
    fn read(&mut self, length: u64) -> Result<(), StoreError> {
        let length = length.min(self.message.size);
        if (self.bytes.len() as u64) < length {
            if self.reader.is_none() {
                self.reader = Some(self.store.open_message(self.mailbox, self.message.uid)?);
            }
            let reader = self.reader.as_mut().ok_or(StoreError::Closed)?;
            self.bytes = reader.read(0..length)?;
        }
        Ok(())
    }

    fn prefix_len(&self) -> usize {
        usize::try_from(self.message.prefix_len).unwrap_or(usize::MAX)
    }

    /// This recipient's own header lines.
    fn prefix(&self) -> &[u8] {
        self.bytes.get(..self.prefix_len()).unwrap_or_default()
    }

    /// What follows them: the message the summary's offsets count in.
    fn blob(&self) -> &[u8] {
        self.bytes.get(self.prefix_len()..).unwrap_or_default()
    }
}
