//! The selected mailbox as this client knows it.
//!
//! The client counts messages by the list it was told, not by the list that is: the two meet only when the
//! client is told of arrivals and expunges. Until then a number means what it meant.

use std::collections::BTreeSet;
use std::sync::Arc;

use mailstead_store::{AccountId, Changes, MailboxId, Message, ModSeq, Store, StoreError, Uid};

use super::{Moment, Selection, Told};
use crate::reply::Reply;
use crate::wire::{SequenceSet, encode};

/// A selected mailbox.
pub(crate) struct View {
    pub(crate) mailbox: MailboxId,
    pub(crate) read_only: bool,
    /// Messages have arrived while it was open.
    pub(crate) has_arrivals: bool,
    /// What the client numbers, ascending; shared with reads under way.
    uids: Arc<Vec<Uid>>,
    /// Expunged, but not yet told; ascending.
    gone: Vec<Uid>,
    /// UIDs from here on are recent here.
    first_recent: Uid,
    /// Everything up to this modseq was told.
    modseq: ModSeq,
    /// The account's modseq when that was looked at.
    looked_at: ModSeq,
    /// Keywords the client was told of.
    keywords: BTreeSet<String>,
}

/// What an unasked FETCH response carries beside the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlagsStyle {
    pub(crate) uid: bool,
    pub(crate) modseq: bool,
}

/// What SELECT found.
pub(crate) struct Opened {
    pub(crate) mailbox: MailboxId,
    pub(crate) read_only: bool,
    pub(crate) uids: Vec<Uid>,
    pub(crate) first_recent: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) looked_at: ModSeq,
    pub(crate) keywords: BTreeSet<String>,
}

impl View {
    pub(crate) fn new(opened: Opened) -> Self {
        Self {
            mailbox: opened.mailbox,
            read_only: opened.read_only,
            has_arrivals: false,
            uids: Arc::new(opened.uids),
            gone: Vec::new(),
            first_recent: opened.first_recent,
            modseq: opened.modseq,
            looked_at: opened.looked_at,
            keywords: opened.keywords,
        }
    }

    /// The number of messages the client knows.
    pub(crate) fn exists(&self) -> u32 {
        u32::try_from(self.uids.len()).unwrap_or(u32::MAX)
    }

    /// How many of them are recent.
    pub(crate) fn recent(&self) -> usize {
        self.uids.len() - self.uids.partition_point(|uid| *uid < self.first_recent)
    }

    pub(crate) fn is_recent(&self, uid: Uid) -> bool {
        uid >= self.first_recent
    }

    pub(crate) fn first_recent(&self) -> Uid {
        self.first_recent
    }

    /// The largest UID the client knows, 0 for none.
    pub(crate) fn last_uid(&self) -> Uid {
        self.uids.last().copied().unwrap_or_default()
    }

    pub(crate) fn modseq(&self) -> u64 {
        self.modseq.0
    }

    pub(crate) fn all(&self) -> Selection {
        Selection::all(Arc::clone(&self.uids))
    }

    /// The messages a set means, as message numbers or as UIDs. What does not exist is passed over, but a set of
    /// message numbers of which none exists is a mistake, unless it asks for "the last" of none.
    pub(crate) fn pick(&self, set: &SequenceSet, by_uid: bool) -> Result<Selection, Reply> {
        let selection = self.select(set, by_uid);
        if selection.is_empty() && !by_uid && !set.has_last() {
            return Err(Reply::bad("there is no such message"));
        }
        Ok(selection)
    }

    /// The messages a set means, perhaps none.
    pub(crate) fn select(&self, set: &SequenceSet, by_uid: bool) -> Selection {
        let uids = Arc::clone(&self.uids);
        if by_uid {
            Selection::of_uids(uids, &set.resolve(self.last_uid().0))
        } else {
            Selection::of_numbers(uids, &set.resolve(self.exists()))
        }
    }

    /// The message number of a UID, if the client knows it.
    pub(crate) fn number_of(&self, uid: Uid) -> Option<u32> {
        self.uids.binary_search(&uid).ok().and_then(|index| u32::try_from(index + 1).ok())
    }

    /// True when there may be something to tell.
    pub(super) fn is_behind(&self, now: ModSeq, moment: Moment) -> bool {
        self.looked_at != now || (moment == Moment::Any && !self.gone.is_empty())
    }

    /// Reads what has changed, and tells it.
    #[expect(clippy::too_many_arguments, reason = "what to read, when, and how to say it")]
    pub(super) fn catch_up(
        &mut self,
        store: &Store,
        account: AccountId,
        now: ModSeq,
        moment: Moment,
        told: &Told,
        style: FlagsStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let snapshot = store.snapshot()?;
        let changes = if snapshot.mailbox(account, self.mailbox)?.is_some() {
            snapshot.changes(self.mailbox, self.modseq)?
        } else {
            // Deleted by another session: to this one it is as if all had been expunged (RFC 2180 3.3).
            Changes { expunged: self.uids.to_vec(), up_to: self.modseq, ..Changes::default() }
        };
        drop(snapshot);
        self.looked_at = now;
        self.tell(changes, moment, told, style, out);
        Ok(())
    }

    fn tell(&mut self, changes: Changes, moment: Moment, told: &Told, style: FlagsStyle, out: &mut Vec<u8>) {
        self.gone.extend(changes.expunged.iter().filter(|uid| self.uids.binary_search(uid).is_ok()));
        self.gone.sort_unstable();
        self.gone.dedup();
        if moment == Moment::Any {
            self.tell_expunges(out);
        }
        let last = self.last_uid();
        let (arrived, changed): (Vec<_>, Vec<_>) = changes.changed.into_iter().partition(|message| message.uid > last);
        self.tell_arrivals(&arrived, out);
        self.learn_keywords(arrived.iter().chain(&changed), out);
        for message in changed.iter().filter(|message| told.get(&message.uid) != Some(&message.modseq)) {
            self.write_flags(message, style, out);
        }
        self.modseq = self.modseq.max(changes.up_to);
    }

    /// Each EXPUNGE counts by the list the ones before it left (RFC 3501 7.4.1).
    fn tell_expunges(&mut self, out: &mut Vec<u8>) {
        if self.gone.is_empty() {
            return;
        }
        let gone = std::mem::take(&mut self.gone);
        let mut next = gone.iter().peekable();
        let mut kept = 0_u64;
        Arc::make_mut(&mut self.uids).retain(|uid| {
            if next.next_if_eq(&uid).is_some() {
                encode::number_in(b"* ", kept + 1, b" EXPUNGE\r\n", out);
                false
            } else {
                kept += 1;
                true
            }
        });
    }

    fn tell_arrivals(&mut self, arrived: &[Message], out: &mut Vec<u8>) {
        if arrived.is_empty() {
            return;
        }
        self.has_arrivals = true;
        Arc::make_mut(&mut self.uids).extend(arrived.iter().map(|message| message.uid));
        encode::number_in(b"* ", u64::from(self.exists()), b" EXISTS\r\n", out);
        encode::number_in(b"* ", self.recent() as u64, b" RECENT\r\n", out);
    }

    /// Tells of keywords the client has not heard of, before the first FETCH that shows one.
    pub(crate) fn learn_keywords<'a>(&mut self, messages: impl Iterator<Item = &'a Message>, out: &mut Vec<u8>) {
        let before = self.keywords.len();
        for message in messages {
            for keyword in &message.flags.keywords {
                if !self.keywords.contains(keyword) {
                    self.keywords.insert(keyword.clone());
                }
            }
        }
        if self.keywords.len() > before {
            self.write_known_flags(out);
        }
    }

    /// `FLAGS` and `PERMANENTFLAGS`.
    pub(crate) fn write_known_flags(&self, out: &mut Vec<u8>) {
        let system = encode::SYSTEM_FLAGS.iter().map(|(_, name)| *name);
        let names: Vec<&str> = system.chain(self.keywords.iter().map(String::as_str)).collect();
        let names = names.join(" ");
        let permanent = if self.read_only { String::new() } else { format!("{names} \\*") };
        let text = if self.read_only { "none can be changed" } else { "any keyword can be made" };
        out.extend_from_slice(
            format!("* FLAGS ({names})\r\n* OK [PERMANENTFLAGS ({permanent})] {text}\r\n").as_bytes(),
        );
    }

    /// A FETCH response with a message's flags; nothing for one the client does not know.
    pub(crate) fn write_flags(&self, message: &Message, style: FlagsStyle, out: &mut Vec<u8>) {
        let Some(number) = self.number_of(message.uid) else { return };
        encode::number_in(b"* ", u64::from(number), b" FETCH (", out);
        if style.uid {
            encode::number_in(b"UID ", u64::from(message.uid.0), b" ", out);
        }
        if style.modseq {
            encode::number_in(b"MODSEQ (", message.modseq.0, b") ", out);
        }
        out.extend_from_slice(b"FLAGS ");
        encode::flags(&message.flags, self.is_recent(message.uid), out);
        out.extend_from_slice(b")\r\n");
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
