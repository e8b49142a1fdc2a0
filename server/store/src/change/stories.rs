//! Stories: added to event by event, dropped when they are old.

use mailstead_message::TraceId;
use redb::ReadableTable as _;

use super::Change;
use crate::{Meaning, StoreError, StoryEvent, Timestamp};

/// Events of one story: a message tried for five days has some hundred; an attacker's session has no end.
const MAX_EVENTS: u32 = 1_000;
/// Characters of an event.
const MAX_TEXT: usize = 2_000;
/// Addresses under which one event is found.
const MAX_ADDRESSES: usize = 200;
/// Stories kept at most: whoever knocks a million times must not fill the disk with what was said to him.
const MAX_STORIES: u64 = 200_000;

impl Change<'_> {
    pub(crate) fn tell(&mut self, trace: TraceId, events: &[StoryEvent]) -> Result<(), StoreError> {
        let Some(first) = events.first() else { return Ok(()) };
        let trace = trace.to_u64();
        let last = self.tables.stories.range((trace, 0)..=(trace, u32::MAX))?.next_back().transpose()?;
        let next = last.map_or(0, |(key, _)| key.value().1 + 1);
        if next == 0 {
            self.write().story_ages.insert((first.at.0, trace), ())?;
        }
        for (number, event) in (next..MAX_EVENTS).zip(events) {
            let event = StoryEvent {
                at: event.at,
                text: event.text.chars().take(MAX_TEXT).collect(),
                addresses: event.addresses.iter().take(MAX_ADDRESSES).cloned().collect(),
                meaning: Meaning {
                    came: event.meaning.came,
                    fates: event.meaning.fates.iter().take(MAX_ADDRESSES).cloned().collect(),
                },
            };
            let bytes = event.to_bytes()?;
            let tables = self.write();
            tables.stories.insert((trace, number), bytes.as_slice())?;
            for address in &event.addresses {
                tables.story_addresses.insert((address.key().as_str(), trace), ())?;
            }
        }
        Ok(())
    }

    /// Drops up to `limit` stories that began before `before`, or that are too many. Gives how many.
    pub(crate) fn forget_stories(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let stories = redb::ReadableTableMetadata::len(&self.tables.story_ages)?;
        let too_many = usize::try_from(stories.saturating_sub(MAX_STORIES)).unwrap_or(usize::MAX);
        let mut doomed = Vec::new();
        for age in self.tables.story_ages.iter()?.take(limit) {
            let key = age?.0.value();
            if key.0 >= before.0 && doomed.len() >= too_many {
                break;
            }
            doomed.push(key);
        }
        for (at, trace) in &doomed {
            let mut addresses = Vec::new();
            for event in self.tables.stories.range((*trace, 0)..=(*trace, u32::MAX))? {
                if let Ok(event) = StoryEvent::from_bytes(event?.1.value()) {
                    addresses.extend(event.addresses);
                }
            }
            let tables = self.write();
            for address in addresses {
                tables.story_addresses.remove((address.key().as_str(), *trace))?;
            }
            tables.stories.retain_in((*trace, 0)..=(*trace, u32::MAX), |_, _| false)?;
            tables.story_ages.remove((*at, *trace))?;
        }
        if !doomed.is_empty() {
            self.forget_verdicts(doomed.iter().map(|(_, trace)| *trace))?;
        }
        Ok(doomed.len())
    }
}
