//! FETCH responses, block by block.
//!
//! A step reads records and summaries under one snapshot and bodies through a reader that pins none, fills a
//! block, and returns: no snapshot and no thread waits for a slow client. Bodies larger than a block are
//! announced and then come piece by piece over several steps.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use mailstead_message::Summary;
use mailstead_store::{FlagChange, FlagSet, Flags, Message, MessageReader, ModSeq, Snapshot, Store, StoreError, Uid};

use super::Plan;
use super::section::{Place, choose_fields, locate};
use crate::limits::BLOCK;
use crate::session::Selection;
use crate::wire::{FetchItem, Partial, Section, SectionText, date, encode, envelope, structure};

/// Records read at once.
const BATCH: usize = 256;
/// Of a header larger than this only so much is looked at for single fields, as everywhere.
const MAX_HEADER: u64 = mailstead_message::mime::MAX_HEADER as u64;

/// Where making responses stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The responses so far are whole.
    BetweenResponses(StoreError),
    /// More bytes were announced than can be read: the stream is lost.
    WithinLiteral(StoreError),
}

/// Makes the responses to one FETCH.
pub(super) struct Producer {
    store: Store,
    plan: Arc<Plan>,
    needs_summary: bool,
    /// What is still to be read.
    selection: Selection,
    /// Read, to be told.
    batch: VecDeque<(u32, Message)>,
    /// What CHANGEDSINCE picks is found at once, at the first step.
    is_picked: bool,
    /// `\Seen` was set on these just now: (UID, modseq).
    told: Vec<(Uid, ModSeq)>,
    /// The message that is being told.
    reader: Option<MessageReader>,
    pieces: VecDeque<Piece>,
    is_missing_some: bool,
    damaged: Option<Uid>,
}

/// What of the current response is still to be written.
enum Piece {
    Text(Vec<u8>),
    Body(Range<u64>),
}

impl Producer {
    pub(super) fn new(store: Store, plan: Plan, selection: Selection) -> Self {
        Self {
            store,
            needs_summary: plan.needs_summary(),
            plan: Arc::new(plan),
            selection,
            batch: VecDeque::new(),
            is_picked: false,
            told: Vec::new(),
            reader: None,
            pieces: VecDeque::new(),
            is_missing_some: false,
            damaged: None,
        }
    }

    /// Changes of flags that the responses told of.
    pub(super) fn take_told(&mut self) -> Vec<(Uid, ModSeq)> {
        std::mem::take(&mut self.told)
    }

    /// True when some messages were gone.
    pub(super) fn is_missing_some(&self) -> bool {
        self.is_missing_some
    }

    /// True when a response has begun and its end is still to come.
    pub(super) fn is_within_response(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// A message that could not be told, being damaged.
    pub(super) fn damaged(&self) -> Option<Uid> {
        self.damaged
    }

    /// Adds about one block; `false` when all is told.
    pub(super) fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, Stopped> {
        let mut snapshot = None;
        while out.len() < BLOCK {
            if let Some(piece) = self.pieces.pop_front() {
                self.write_piece(piece, out).map_err(Stopped::WithinLiteral)?;
            } else if let Some((number, message)) = self.batch.pop_front() {
                self.respond(number, &message, &mut snapshot, out).map_err(Stopped::BetweenResponses)?;
            } else if !self.read_batch(&mut snapshot).map_err(Stopped::BetweenResponses)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_piece(&mut self, piece: Piece, out: &mut Vec<u8>) -> Result<(), StoreError> {
        match piece {
            Piece::Text(text) => out.extend_from_slice(&text),
            Piece::Body(range) => {
                let end = range.end.min(range.start.saturating_add(BLOCK as u64));
                let bytes = self.read_bytes(range.start..end)?;
                out.extend_from_slice(&bytes);
                if end < range.end {
                    self.pieces.push_front(Piece::Body(end..range.end));
                }
            }
        }
        if self.pieces.is_empty() {
            self.reader = None;
        }
        Ok(())
    }

    /// Exactly these bytes.
    fn read_bytes(&mut self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let wanted = range.end - range.start;
        let reader = self.reader.as_mut().ok_or(StoreError::Closed)?;
        let bytes = reader.read(range)?;
        if bytes.len() as u64 == wanted { Ok(bytes) } else { Err(StoreError::Damaged("a message is cut short".into())) }
    }

    /// Reads the next records; `false` when there are none.
    fn read_batch(&mut self, snapshot: &mut Option<Snapshot>) -> Result<bool, StoreError> {
        if let Some(since) = self.plan.changed_since {
            return self.pick_changed(since, snapshot);
        }
        let mut wanted = 0;
        while wanted < BATCH {
            let Some(run) = self.selection.take_run(BATCH - wanted) else { break };
            let Some((first, last)) = run.bounds() else { break };
            wanted += run.len();
            let found = open(&self.store, snapshot)?.messages(self.plan.mailbox, first, last)?;
            self.is_missing_some |= found.len() < run.len();
            let numbered = found.into_iter().filter_map(|message| Some((run.number_of(message.uid)?, message)));
            self.batch.extend(numbered);
        }
        self.set_seen(snapshot)?;
        Ok(wanted > 0)
    }

    /// RFC 7162 3.1.4: only what changed after `since`.
    fn pick_changed(&mut self, since: ModSeq, snapshot: &mut Option<Snapshot>) -> Result<bool, StoreError> {
        if std::mem::replace(&mut self.is_picked, true) {
            return Ok(false);
        }
        let changes = open(&self.store, snapshot)?.changes(self.plan.mailbox, since)?;
        let picked = changes.changed.into_iter();
        self.batch = picked.filter_map(|message| Some((self.selection.number_of(message.uid)?, message))).collect();
        self.set_seen(snapshot)?;
        Ok(!self.batch.is_empty())
    }

    /// Sets `\Seen` where the items ask for it, on disk before it is told.
    fn set_seen(&mut self, snapshot: &mut Option<Snapshot>) -> Result<(), StoreError> {
        if !self.plan.sets_seen {
            return Ok(());
        }
        let unseen = self.batch.iter().filter(|(_, message)| !message.flags.system.contains(Flags::SEEN));
        let uids: Vec<Uid> = unseen.map(|(_, message)| message.uid).collect();
        if uids.is_empty() {
            return Ok(());
        }
        // No snapshot waits for the disk.
        *snapshot = None;
        let seen = FlagChange::Add(FlagSet { system: Flags::SEEN, ..FlagSet::default() });
        let changing = self.store.change_flags(self.plan.mailbox, uids, seen, None);
        let changed = tokio::runtime::Handle::current().block_on(changing)?;
        self.told.extend(changed.messages.iter().map(|message| (message.uid, message.modseq)));
        for message in changed.messages {
            if let Ok(index) = self.batch.binary_search_by_key(&message.uid, |(_, known)| known.uid)
                && let Some((_, known)) = self.batch.get_mut(index)
            {
                *known = message;
            }
        }
        Ok(())
    }

    /// Writes one response, or nothing where the message is gone or damaged.
    fn respond(
        &mut self,
        number: u32,
        message: &Message,
        snapshot: &mut Option<Snapshot>,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let start = out.len();
        let told = self.write_response(number, message, snapshot, out);
        if self.pieces.is_empty() {
            self.reader = None;
        }
        let Err(error) = told else { return Ok(()) };
        out.truncate(start);
        self.pieces.clear();
        self.reader = None;
        match error {
            StoreError::NotFound(_) => self.is_missing_some = true,
            StoreError::Damaged(what) => {
                tracing::error!(mailbox = %self.plan.mailbox, uid = %message.uid, %what, "a message is damaged");
                self.damaged.get_or_insert(message.uid);
            }
            other => return Err(other),
        }
        Ok(())
    }

    fn write_response(
        &mut self,
        number: u32,
        message: &Message,
        snapshot: &mut Option<Snapshot>,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let summary = if self.needs_summary { Some(open(&self.store, snapshot)?.summary(message.blob)?) } else { None };
        encode::number_in(b"* ", u64::from(number), b" FETCH (", out);
        let plan = Arc::clone(&self.plan);
        for (index, item) in plan.items.iter().enumerate() {
            if index > 0 {
                self.text(out).push(b' ');
            }
            self.write_item(item, message, summary.as_ref(), out)?;
        }
        self.write_seen(message, out);
        self.text(out).extend_from_slice(b")\r\n");
        Ok(())
    }

    /// `\Seen` that was set on the way is told, unless the flags are told anyway.
    fn write_seen(&mut self, message: &Message, out: &mut Vec<u8>) {
        let has = |item: &FetchItem| self.plan.items.contains(item);
        if self.told.binary_search_by_key(&message.uid, |(uid, _)| *uid).is_err() {
            return;
        }
        let (flags, modseq) = (!has(&FetchItem::Flags), self.plan.condstore && !has(&FetchItem::ModSeq));
        let recent = message.uid >= self.plan.first_recent;
        let text = self.text(out);
        if flags {
            text.extend_from_slice(b" FLAGS ");
            encode::flags(&message.flags, recent, text);
        }
        if modseq {
            encode::number_in(b" MODSEQ (", message.modseq.0, b")", text);
        }
    }

    /// Where text goes: directly out, or behind the pieces that are waiting.
    fn text<'a>(&'a mut self, out: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        if self.pieces.is_empty() {
            return out;
        }
        if !matches!(self.pieces.back(), Some(Piece::Text(_))) {
            self.pieces.push_back(Piece::Text(Vec::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Text(text)) => text,
            _ => out,
        }
    }

    fn write_item(
        &mut self,
        item: &FetchItem,
        message: &Message,
        summary: Option<&Summary>,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let recent = message.uid >= self.plan.first_recent;
        let text = self.text(out);
        match (item, summary) {
            (FetchItem::Uid, _) => encode::number_in(b"UID ", u64::from(message.uid.0), b"", text),
            (FetchItem::Rfc822Size, _) => encode::number_in(b"RFC822.SIZE ", message.size, b"", text),
            (FetchItem::ModSeq, _) => encode::number_in(b"MODSEQ (", message.modseq.0, b")", text),
            (FetchItem::Flags, _) => {
                text.extend_from_slice(b"FLAGS ");
                encode::flags(&message.flags, recent, text);
            }
            (FetchItem::InternalDate, _) => {
                text.extend_from_slice(b"INTERNALDATE ");
                date::write_date_time(message.internal_date, text);
            }
            (FetchItem::Envelope, Some(summary)) => {
                text.extend_from_slice(b"ENVELOPE ");
                envelope::write(&summary.envelope, text);
            }
            (FetchItem::Body, Some(summary)) => {
                text.extend_from_slice(b"BODY ");
                structure::write(&summary.root, false, text);
            }
            (FetchItem::BodyStructure, Some(summary)) => {
                text.extend_from_slice(b"BODYSTRUCTURE ");
                structure::write(&summary.root, true, text);
            }
            (FetchItem::Rfc822, _) => {
                text.extend_from_slice(b"RFC822 ");
                self.write_section(&Section::default(), None, message, summary, out)?;
            }
            (FetchItem::Rfc822Header, _) => {
                text.extend_from_slice(b"RFC822.HEADER ");
                self.write_section(&whole(SectionText::Header), None, message, summary, out)?;
            }
            (FetchItem::Rfc822Text, _) => {
                text.extend_from_slice(b"RFC822.TEXT ");
                self.write_section(&whole(SectionText::Text), None, message, summary, out)?;
            }
            (FetchItem::Section { section, partial, .. }, _) => {
                text.extend_from_slice(b"BODY[");
                section.write(text);
                match partial {
                    Some(partial) => encode::number_in(b"]<", partial.first, b"> ", text),
                    None => text.extend_from_slice(b"] "),
                }
                self.write_section(section, *partial, message, summary, out)?;
            }
            // The summary was read, for it is needed.
            (FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure, None) => {}
        }
        Ok(())
    }

    fn write_section(
        &mut self,
        section: &Section,
        partial: Option<Partial>,
        message: &Message,
        summary: Option<&Summary>,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        if self.reader.is_none() {
            self.reader = Some(self.store.open_message(self.plan.mailbox, message.uid)?);
        }
        let length = self.reader.as_ref().map_or(0, MessageReader::len);
        let place = match summary {
            Some(summary) if section.text.is_some() || !section.part.is_empty() => {
                locate(section, summary, u64::from(message.prefix_len))
            }
            _ => Place::Bytes(0..length),
        };
        match (place, &section.text) {
            (Place::Bytes(range), _) => {
                let range = range.start.min(length)..range.end.min(length);
                self.write_range(cut(range, partial), out)
            }
            (Place::Fields(range), Some(text)) => {
                let end = range.end.min(length).min(range.start.saturating_add(MAX_HEADER));
                let chosen = choose_fields(&self.read_bytes(range.start.min(end)..end)?, text);
                let part = cut(0..chosen.len() as u64, partial);
                let bytes = usize::try_from(part.start).ok().zip(usize::try_from(part.end).ok());
                let bytes = bytes.and_then(|(start, end)| chosen.get(start..end)).unwrap_or_default();
                let text = self.text(out);
                encode::number_in(b"{", bytes.len() as u64, b"}\r\n", text);
                text.extend_from_slice(bytes);
                Ok(())
            }
            _ => {
                self.text(out).extend_from_slice(b"NIL");
                Ok(())
            }
        }
    }

    /// A literal: small ones at once, large ones over the next steps.
    fn write_range(&mut self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), StoreError> {
        // The first bytes are read before the literal is announced: most damage shows here, and costs one message.
        let first = if self.pieces.is_empty() {
            self.read_bytes(range.start..range.end.min(range.start.saturating_add(BLOCK as u64)))?
        } else {
            Vec::new()
        };
        let text = self.text(out);
        encode::number_in(b"{", range.end - range.start, b"}\r\n", text);
        text.extend_from_slice(&first);
        let rest = range.start + first.len() as u64..range.end;
        if rest.start < rest.end {
            self.pieces.push_back(Piece::Body(rest));
        }
        Ok(())
    }
}

fn whole(text: SectionText) -> Section {
    Section { part: Vec::new(), text: Some(text) }
}

/// `<first.length>` of a range (RFC 3501 6.4.5: what lies beyond the end is empty).
fn cut(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let start = range.start.saturating_add(partial.first).min(range.end);
    start..start.saturating_add(partial.length).min(range.end)
}

fn open<'a>(store: &Store, snapshot: &'a mut Option<Snapshot>) -> Result<&'a Snapshot, StoreError> {
    if snapshot.is_none() {
        *snapshot = Some(store.snapshot()?);
    }
    snapshot.as_ref().ok_or(StoreError::Closed)
}
