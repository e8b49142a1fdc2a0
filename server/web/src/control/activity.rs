//! Stories, told: each whole, or in one line.

mod words;

use std::collections::HashMap;

use mailstead_message::{Address, TraceId};
use mailstead_store::{Direction, Fate, QueueEntry, Store, StoreError, Story, Verdict};
use serde::{Deserialize, Serialize};

use super::operator::{Operator, time};
use super::protocol::{Answer, Request};
use super::views::{EventView, StoryView};

/// The most stories told at once: more is no answer to read.
const MAX_STORIES: usize = 200;

/// A message in one line. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterView {
    /// Its trace id.
    pub trace: String,
    /// When its story began.
    pub at: String,
    /// Its sender, if one is named.
    pub from: Option<String>,
    /// Its recipients.
    pub to: Vec<String>,
    /// From where it came; missing where an older version wrote the story.
    pub direction: Option<DirectionView>,
    /// What has become of it.
    pub outcome: Outcome,
}

/// From where a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectionView {
    /// From another server.
    In,
    /// From one of our own people.
    Out,
    /// From this server itself: a report.
    Own,
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in a mailbox here.
    Delivered,
    /// It is in Junk.
    Junk,
    /// It was read here, as reports are.
    Read,
    /// Other servers have it.
    Sent,
    /// It waits in the queue.
    Waiting,
    /// It failed for some, and not for others.
    PartlyFailed,
    /// It can't be delivered.
    Failed,
    /// Some of its recipients were refused.
    PartlyRefused,
    /// It was refused.
    Refused,
    /// Whoever brought it went away before its end.
    Abandoned,
    /// An operator removed it from the queue.
    Removed,
    /// It was taken; no more is known.
    Unknown,
}

impl Outcome {
    /// The same in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Delivered => "It was accepted and is in a mailbox here.",
            Self::Junk => "It was accepted, but is in Junk: it could not be proved who it is from.",
            Self::Read => "It was a report, and was read by this server.",
            Self::Sent => "It was handed on: the servers of all recipients have it.",
            Self::Waiting => "It has not reached everybody yet, and is tried again.",
            Self::PartlyFailed => "It reached some of its recipients, but not all.",
            Self::Failed => "It could not be delivered.",
            Self::PartlyRefused => "It was taken for some of its recipients, and refused for others.",
            Self::Refused => "It was not taken.",
            Self::Abandoned => {
                "Whoever brought it went away before all of it was here; nothing was lost, they still have it."
            }
            Self::Removed => "An operator removed it from the queue before it was delivered.",
            Self::Unknown => "What became of it is told below.",
        }
    }
}

/// One message's whole story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterDetail {
    /// It in one line.
    #[serde(flatten)]
    pub letter: LetterView,
    /// What has become of it, in a sentence.
    pub sentence: String,
    /// Why it was not taken, and what can be done.
    pub refusal: Option<Remedy>,
    /// Its number in the queue, if it waits there.
    pub queued: Option<u64>,
    /// What was found out about who sent it.
    pub checks: Vec<CheckView>,
    /// The same as in the message's `Authentication-Results`.
    pub results: Option<String>,
    /// The name of who brought it, by DNS and confirmed.
    pub reverse_name: Option<String>,
    /// What happened, in order.
    pub events: Vec<EventView>,
}

/// Why a message was not taken, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// Why.
    pub why: String,
    /// What its sender could do.
    pub sender: String,
    /// What an operator could do.
    pub operator: Option<String>,
}

/// Something found out about who sent a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// `SPF`, `DKIM` or `DMARC`.
    pub name: String,
    /// Its result, in the words of RFC 8601.
    pub result: String,
    /// What that means, in a sentence.
    pub meaning: String,
}

impl Operator {
    pub(super) fn activity(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::Trace { id } => Ok(Answer::Stories(vec![story_view(find(&self.store, &id)?)])),
            Request::TraceAddress { address, limit } => {
                let stories = self.store.stories_of(&address, limit.clamp(1, MAX_STORIES))?;
                Ok(Answer::Stories(stories.into_iter().map(story_view).collect()))
            }
            Request::Activity { address, before, limit } => {
                let before = before.as_deref().map(parse).transpose()?;
                let limit = limit.clamp(1, MAX_STORIES);
                let stories = match address {
                    Some(address) => self.store.glimpses_of(&address, before, limit)?,
                    None => self.store.latest_glimpses(before, limit)?,
                };
                Ok(Answer::Activity(stories.iter().map(letter_view).collect()))
            }
            Request::Story { id } => Ok(Answer::Story(Box::new(detail(&self.store, &id)?))),
            _ => Err(StoreError::Invalid("That is not about stories.".to_owned())),
        }
    }
}

fn parse(id: &str) -> Result<TraceId, StoreError> {
    id.parse().map_err(|error| StoreError::Invalid(format!("{id}: {error}.")))
}

fn find(store: &Store, id: &str) -> Result<Story, StoreError> {
    store.story(parse(id)?)?.ok_or_else(|| StoreError::NotFound(format!("a story of {id}")))
}

fn detail(store: &Store, id: &str) -> Result<LetterDetail, StoreError> {
    let story = find(store, id)?;
    let verdict = store.verdict(story.trace)?;
    let queued: Option<QueueEntry> = store.queue()?.into_iter().find(|entry| entry.trace == story.trace);
    let letter = letter_view(&story);
    Ok(LetterDetail {
        sentence: letter.outcome.sentence().to_owned(),
        refusal: refusal(&story, verdict.as_ref()),
        queued: queued.map(|entry| entry.id.0),
        checks: verdict.iter().flat_map(words::checks).collect(),
        results: verdict.as_ref().map(|verdict| verdict.results.clone()),
        reverse_name: verdict.and_then(|verdict| verdict.reverse_name).map(|name| name.to_unicode()),
        events: story_view(story).events,
        letter,
    })
}

/// Why it was refused, by the last reply that did.
fn refusal(story: &Story, verdict: Option<&Verdict>) -> Option<Remedy> {
    let came = story.events.iter().filter_map(|event| event.meaning.came);
    let (came, reply) = came.rev().find_map(|came| Some((came, came.refused?)))?;
    Some(words::remedy(came.direction, reply, verdict))
}

fn letter_view(story: &Story) -> LetterView {
    let mut to: Vec<&Address> = Vec::new();
    let (mut from, mut direction) = (None, None);
    for event in &story.events {
        let Some(came) = event.meaning.came else { continue };
        let sender = usize::from(came.has_sender);
        direction = direction.or(Some(came.direction));
        from = from.or_else(|| event.addresses.first().filter(|_| came.has_sender));
        for address in event.addresses.iter().skip(sender) {
            if !to.contains(&address) {
                to.push(address);
            }
        }
    }
    LetterView {
        trace: story.trace.to_string(),
        at: story.events.first().map(|event| time(event.at)).unwrap_or_default(),
        from: from.map(ToString::to_string),
        to: to.into_iter().map(ToString::to_string).collect(),
        direction: direction.map(|direction| match direction {
            Direction::In => DirectionView::In,
            Direction::Out => DirectionView::Out,
            Direction::Own => DirectionView::Own,
        }),
        outcome: outcome(story),
    }
}

/// What has become of it, by what has become of it for each address last.
fn outcome(story: &Story) -> Outcome {
    let mut fates: HashMap<String, Fate> = HashMap::new();
    for (address, fate) in story.events.iter().flat_map(|event| &event.meaning.fates) {
        fates.insert(address.key(), *fate);
    }
    let has = |wanted: Fate| fates.values().any(|fate| *fate == wanted);
    let arrived = [Fate::Stored, Fate::Junk, Fate::Read, Fate::Delivered].into_iter().any(has);
    match () {
        () if has(Fate::Failed) => {
            if arrived {
                Outcome::PartlyFailed
            } else {
                Outcome::Failed
            }
        }
        () if has(Fate::Waiting) => Outcome::Waiting,
        () if has(Fate::Refused) => {
            if arrived {
                Outcome::PartlyRefused
            } else {
                Outcome::Refused
            }
        }
        () if has(Fate::Removed) => Outcome::Removed,
        () if has(Fate::Delivered) => Outcome::Sent,
        () if has(Fate::Stored) => Outcome::Delivered,
        () if has(Fate::Junk) => Outcome::Junk,
        () if has(Fate::Read) => Outcome::Read,
        () if has(Fate::Abandoned) => Outcome::Abandoned,
        () if was_refused(story) => Outcome::Refused,
        () => Outcome::Unknown,
    }
}

fn was_refused(story: &Story) -> bool {
    story.events.iter().any(|event| event.meaning.came.is_some_and(|came| came.refused.is_some()))
}

fn story_view(story: Story) -> StoryView {
    let events = story.events.into_iter().map(|event| EventView { at: time(event.at), text: event.text }).collect();
    StoryView { trace: story.trace.to_string(), events }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mailstead_store::{Came, StoryEvent, Timestamp};

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn story(events: Vec<StoryEvent>) -> Story {
        Story { trace: TraceId::new(1, 1), events }
    }

    fn fates(list: &[(&str, Fate)]) -> StoryEvent {
        let fates = list.iter().map(|(text, fate)| (address(text), *fate)).collect();
        StoryEvent::new(Timestamp(1), String::new(), Vec::new()).meaning(None, fates)
    }

    #[test]
    fn the_last_word_on_each_recipient_makes_the_outcome() {
        const A: &str = "a@far.test";
        const B: &str = "b@far.test";
        for (events, expected) in [
            (vec![], Outcome::Unknown),
            (vec![fates(&[(A, Fate::Waiting)])], Outcome::Waiting),
            (vec![fates(&[(A, Fate::Waiting), (B, Fate::Waiting)]), fates(&[(A, Fate::Delivered)])], Outcome::Waiting),
            (vec![fates(&[(A, Fate::Waiting)]), fates(&[("A@FAR.test", Fate::Delivered)])], Outcome::Sent),
            (vec![fates(&[(A, Fate::Failed), (B, Fate::Delivered)])], Outcome::PartlyFailed),
            (vec![fates(&[(A, Fate::Waiting)]), fates(&[(A, Fate::Failed)])], Outcome::Failed),
            (vec![fates(&[(A, Fate::Refused)]), fates(&[(B, Fate::Stored)])], Outcome::PartlyRefused),
            (vec![fates(&[(A, Fate::Refused)])], Outcome::Refused),
            (vec![fates(&[(A, Fate::Junk)])], Outcome::Junk),
            (vec![fates(&[(A, Fate::Removed)])], Outcome::Removed),
        ] {
            assert_eq!(outcome(&story(events.clone())), expected, "{events:?}");
        }
    }

    #[test]
    fn a_letter_to_oneself_has_sender_and_recipient() {
        let came = Came { direction: Direction::Out, has_sender: true, refused: None };
        let me = address("a@home.test");
        let event = StoryEvent::new(Timestamp(0), String::new(), vec![me.clone(), me]).meaning(Some(came), Vec::new());
        let view = letter_view(&story(vec![event]));
        assert_eq!((view.from.as_deref(), view.to), (Some("a@home.test"), vec!["a@home.test".to_owned()]));
        assert_eq!(view.direction, Some(DirectionView::Out));
    }
}
