//! The story of each message: who connected, what was decided and why, each delivery attempt.

use mailstead_message::{Address, TraceId};
use serde::{Deserialize, Serialize};

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
    /// Adds to a story without waiting for the disk (for what was refused or is only worth knowing).
    pub fn tell(&self, _trace: TraceId, _events: Vec<StoryEvent>) {
        unimplemented!()
    }
    /// One story.
    pub fn story(&self, _trace: TraceId) -> Result<Option<Story>, StoreError> {
        unimplemented!()
    }
    /// The latest stories an address is part of, newest first.
    pub fn stories_of(&self, _address: &Address, _limit: usize) -> Result<Vec<Story>, StoreError> {
        unimplemented!()
    }
}
