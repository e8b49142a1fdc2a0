//! The story of each message: who connected, what was decided and why, each delivery attempt.

use mailstead_message::{Address, TraceId};
use mailstead_migrations::v1;
use serde::{Deserialize, Serialize};

use crate::record::decode;
use crate::{Store, StoreError, Timestamp};

/// One event of a message's life, told as a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryEvent {
    /// When.
    pub at: Timestamp,
    /// What, in one sentence for the operator; a peer's own words are quoted, control characters escaped.
    pub text: String,
    /// Addresses it concerns: the story is found under them.
    pub addresses: Vec<Address>,
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

    /// One story.
    pub fn story(&self, trace: TraceId) -> Result<Option<Story>, StoreError> {
        read_story(&self.shared().read()?, trace)
    }

    /// The latest stories an address is part of, newest first.
    pub fn stories_of(&self, address: &Address, limit: usize) -> Result<Vec<Story>, StoreError> {
        let transaction = self.shared().read()?;
        let index = transaction.open_table(v1::STORY_ADDRESSES)?;
        let key = address.key();
        let mut stories = Vec::new();
        for entry in index.range((key.as_str(), 0)..=(key.as_str(), u64::MAX))?.rev().take(limit) {
            stories.extend(read_story(&transaction, TraceId::from_u64(entry?.0.value().1))?);
        }
        Ok(stories)
    }
}

fn read_story(transaction: &redb::ReadTransaction, trace: TraceId) -> Result<Option<Story>, StoreError> {
    let table = transaction.open_table(v1::STORIES)?;
    let mut events = Vec::new();
    for event in table.range((trace.to_u64(), 0)..=(trace.to_u64(), u32::MAX))? {
        events.push(decode(event?.1.value(), "an event")?);
    }
    Ok((!events.is_empty()).then_some(Story { trace, events }))
}
