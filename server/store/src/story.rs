//! The story of each message: who connected, what was decided and why, each delivery attempt.

use mailstead_message::{Address, TraceId};
use mailstead_migrations::v1;
use serde::{Deserialize, Serialize};

use crate::record::{decode, decode_first, encode};
use crate::{Store, StoreError, Timestamp, Verdict};

/// Events a list reads of one story: its beginning, and as many from its end.
const GLIMPSE: usize = 40;

/// One event of a message's life, told as a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryEvent {
    /// When.
    pub at: Timestamp,
    /// What, in one sentence for the operator; a peer's own words are quoted, control characters escaped.
    pub text: String,
    /// Addresses it concerns: the story is found under them.
    pub addresses: Vec<Address>,
    /// What it means. Kept behind the rest of the record, see [`StoryEvent::from_bytes`].
    #[serde(skip)]
    pub meaning: Meaning,
}

/// What an event means, for lists that tell a story in one line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meaning {
    /// The message came, or was to come.
    pub came: Option<Came>,
    /// What has become of it for whom.
    pub fates: Vec<(Address, Fate)>,
}

/// How a message came. The event's addresses are its sender, if it has one, and its recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    /// From where.
    pub direction: Direction,
    /// The first of the event's addresses is the sender.
    pub has_sender: bool,
    /// The reply that refused it: code and enhanced status.
    pub refused: Option<ReplyCode>,
}

/// The code of an SMTP reply, and its enhanced status (RFC 3463).
pub type ReplyCode = (u16, Option<(u8, u16, u16)>);

/// From where a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From another server.
    In,
    /// From one of our own people.
    Out,
    /// From this server itself: a report.
    Own,
}

/// What has become of a message for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fate {
    /// It is in a mailbox.
    Stored,
    /// It is in Junk.
    Junk,
    /// It was read here, as reports are.
    Read,
    /// It waits in the queue.
    Waiting,
    /// Another server has it.
    Delivered,
    /// It can't be delivered.
    Failed,
    /// It was refused.
    Refused,
    /// The transaction came to nothing.
    Abandoned,
    /// An operator removed it.
    Removed,
}

impl StoryEvent {
    /// An event that means nothing but what it says.
    pub fn new(at: Timestamp, text: String, addresses: Vec<Address>) -> Self {
        Self { at, text, addresses, meaning: Meaning::default() }
    }

    /// The same with what it means.
    #[must_use]
    pub fn meaning(self, came: Option<Came>, fates: Vec<(Address, Fate)>) -> Self {
        Self { meaning: Meaning { came, fates }, ..self }
    }

    /// A record's bytes. What schema version 1 did not know stands behind what it did, and only where there is any.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = encode(self)?;
        if self.meaning != Meaning::default() {
            bytes.extend(encode(&self.meaning)?);
        }
        Ok(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "an event";
        let (mut event, rest) = decode_first::<Self>(bytes, WHAT)?;
        if !rest.is_empty() {
            event.meaning = decode(rest, WHAT)?;
        }
        Ok(event)
    }
}

/// A message's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// Its id.
    pub trace: TraceId,
    /// What happened, in order.
    pub events: Vec<StoryEvent>,
}

impl Store {
    /// Adds to a story without waiting for the disk (for what was refused or is only worth knowing). With thousands
    /// waiting to be written, more are dropped.
    pub fn tell(&self, trace: TraceId, events: Vec<StoryEvent>) {
        self.send_and_forget(move |change| change.tell(trace, &events));
    }

    /// As [`Store::tell`], with the verdict on a message that was refused for it.
    pub fn tell_judged(&self, trace: TraceId, events: Vec<StoryEvent>, verdict: Verdict) {
        self.send_and_forget(move |change| {
            change.tell(trace, &events)?;
            change.keep_verdict(trace, &verdict)
        });
    }

    /// One story.
    pub fn story(&self, trace: TraceId) -> Result<Option<Story>, StoreError> {
        let table = self.shared().read()?.open_table(v1::STORIES)?;
        read_story(&table, trace, usize::MAX)
    }

    /// The latest stories an address is part of, newest first.
    pub fn stories_of(&self, address: &Address, limit: usize) -> Result<Vec<Story>, StoreError> {
        self.stories_before(address, None, limit, usize::MAX)
    }

    /// The beginnings and the ends of the latest stories an address is part of, newest first: of those before `before`
    /// if that is given. They say enough for a list, and cost little however long the stories are.
    pub fn glimpses_of(
        &self,
        address: &Address,
        before: Option<TraceId>,
        limit: usize,
    ) -> Result<Vec<Story>, StoreError> {
        self.stories_before(address, before, limit, GLIMPSE)
    }

    fn stories_before(
        &self,
        address: &Address,
        before: Option<TraceId>,
        limit: usize,
        events: usize,
    ) -> Result<Vec<Story>, StoreError> {
        let transaction = self.shared().read()?;
        let index = transaction.open_table(v1::STORY_ADDRESSES)?;
        let table = transaction.open_table(v1::STORIES)?;
        let key = address.key();
        let end = before.map_or(u64::MAX, |before| before.to_u64().saturating_sub(1));
        let mut stories = Vec::new();
        for entry in index.range((key.as_str(), 0)..=(key.as_str(), end))?.rev().take(limit) {
            stories.extend(read_story(&table, TraceId::from_u64(entry?.0.value().1), events)?);
        }
        Ok(stories)
    }

    /// The same as [`Store::glimpses_of`] of all stories.
    pub fn latest_glimpses(&self, before: Option<TraceId>, limit: usize) -> Result<Vec<Story>, StoreError> {
        let transaction = self.shared().read()?;
        let table = transaction.open_table(v1::STORIES)?;
        let ages = transaction.open_table(v1::STORY_AGES)?;
        let end = match before {
            None => (i64::MAX, u64::MAX),
            // One that is forgotten by now was as old as its name says.
            Some(before) => {
                let known = read_story(&table, before, 1)?.and_then(|story| Some(story.events.first()?.at.0));
                (known.unwrap_or_else(|| before.seconds()), before.to_u64())
            }
        };
        let mut stories = Vec::new();
        for age in ages.range(..end)?.rev().take(limit) {
            stories.extend(read_story(&table, TraceId::from_u64(age?.0.value().1), GLIMPSE)?);
        }
        Ok(stories)
    }
}

/// A story; of a longer one than `most` events the first and the last of them.
fn read_story(
    table: &redb::ReadOnlyTable<(u64, u32), &'static [u8]>,
    trace: TraceId,
    most: usize,
) -> Result<Option<Story>, StoreError> {
    let number = trace.to_u64();
    let mut range = table.range((number, 0)..=(number, u32::MAX))?;
    let mut events = Vec::new();
    for event in range.by_ref().take(most) {
        events.push(StoryEvent::from_bytes(event?.1.value())?);
    }
    if most != usize::MAX {
        let mut last = Vec::new();
        for event in range.rev().take(most) {
            last.push(StoryEvent::from_bytes(event?.1.value())?);
        }
        events.extend(last.into_iter().rev());
    }
    Ok((!events.is_empty()).then_some(Story { trace, events }))
}
