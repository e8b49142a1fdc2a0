//! One message under search: what a condition asks for is read then, once, and no more than that.

use jiff::civil::Date;
use mailstead_message::summary::Mailbox;
use mailstead_message::{Summary, header};
use mailstead_store::{MailboxId, Message, MessageReader, Snapshot, Store, StoreError};
use memchr::memmem::Finder;

use crate::wire::date;

/// Of a header larger than this only so much is searched.
const MAX_HEADER: u64 = 1 << 20;
/// Of a message larger than this only so much is searched: text comes first, what follows are attachments.
const MAX_SEARCHED: u64 = 16 << 20;

/// A text to look for, in any case.
#[derive(Debug)]
pub(super) struct Needle(Finder<'static>);

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self(Finder::new(text.to_lowercase().as_bytes()).into_owned())
    }

    fn is_empty(&self) -> bool {
        self.0.needle().is_empty()
    }

    fn is_in(&self, text: &str) -> bool {
        self.is_empty() || self.0.find(text.to_lowercase().as_bytes()).is_some()
    }
}

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
    header: Option<Vec<u8>>,
    body: Option<String>,
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
        Self {
            number,
            message,
            is_recent,
            store,
            snapshot,
            mailbox,
            summary: None,
            reader: None,
            header: None,
            body: None,
        }
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
            let mut named = header::fields(self.header()?).filter(|field| field.is(name));
            return Ok(named.any(|field| needle.is_in(&decoded(field.value))));
        }
        let envelope = &self.summary()?.envelope;
        let list = |list: &[Mailbox]| !list.is_empty() && (needle.is_empty() || needle.is_in(&addresses(list)));
        let text = |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|text| needle.is_in(&decoded(text)));
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

    pub(super) fn text_contains(&mut self, needle: &Needle) -> Result<bool, StoreError> {
        let in_header =
            header::fields(self.header()?).any(|field| needle.is_in(field.name) || needle.is_in(&decoded(field.value)));
        Ok(in_header || self.body_contains(needle)?)
    }

    pub(super) fn body_contains(&mut self, needle: &Needle) -> Result<bool, StoreError> {
        if self.body.is_none() {
            let reader = self.reader()?;
            let bytes = reader.read(0..reader.len().min(MAX_SEARCHED))?;
            let body = bytes.get(header::header_len(&bytes)..).unwrap_or_default();
            self.body = Some(String::from_utf8_lossy(body).to_lowercase());
        }
        Ok(needle.is_empty() || self.body.as_ref().is_some_and(|body| needle.0.find(body.as_bytes()).is_some()))
    }

    fn summary(&mut self) -> Result<&Summary, StoreError> {
        if self.summary.is_none() {
            self.summary = Some(self.snapshot.summary(self.message.blob)?);
        }
        self.summary.as_ref().ok_or(StoreError::Closed)
    }

    fn reader(&mut self) -> Result<&mut MessageReader, StoreError> {
        if self.reader.is_none() {
            self.reader = Some(self.store.open_message(self.mailbox, self.message.uid)?);
        }
        self.reader.as_mut().ok_or(StoreError::Closed)
    }

    fn header(&mut self) -> Result<&[u8], StoreError> {
        if self.header.is_none() {
            let end = u64::from(self.message.prefix_len) + self.summary()?.root.body_start;
            self.header = Some(self.reader()?.read(0..end.min(MAX_HEADER))?);
        }
        Ok(self.header.as_deref().unwrap_or_default())
    }
}

/// `Name <local@domain>, …`, decoded.
fn addresses(list: &[Mailbox]) -> String {
    let mut text = String::new();
    for address in list {
        if let Some(name) = &address.name {
            text.push_str(&decoded(name));
            text.push(' ');
        }
        let local = String::from_utf8_lossy(address.mailbox.as_deref().unwrap_or_default());
        match &address.host {
            Some(host) => text.push_str(&format!("<{local}@{}>, ", String::from_utf8_lossy(host))),
            None => text.push_str(&local),
        }
    }
    text
}

fn decoded(value: &[u8]) -> String {
    header::value(&[b"x:", value, b"\r\n"].concat(), "x").unwrap_or_default()
}
