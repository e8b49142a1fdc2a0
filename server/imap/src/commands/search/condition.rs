//! What must hold, arranged so that what is cheap to know is asked first.

use jiff::civil::Date;
use mailstead_message::text::Needle;
use mailstead_store::{Flags, StoreError};

use super::candidate::Candidate;
use crate::session::{Selection, View};
use crate::wire::{Ranges, SearchKey, When};

/// What has to be read to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    Record,
    Summary,
    Header,
    Body,
}

/// A condition on a message.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Either(Box<(Condition, Condition)>),
    Not(Box<Condition>),
    Numbers(Ranges),
    Uids(Ranges),
    Flag(Flags),
    Keyword(String),
    Recent,
    Received(When, Date),
    Sent(When, Date),
    Larger(u64),
    Smaller(u64),
    ChangedSince(u64),
    Header(String, Needle),
    Body(Needle),
    Text(Needle),
}

impl Condition {
    /// Compiles a search for a view. Sets that must hold anyway narrow what is looked at.
    pub(super) fn compile(key: SearchKey, view: &View) -> (Self, Selection) {
        let mut selection = view.all();
        let mut conditions = Vec::new();
        let mut keys = vec![key];
        while let Some(key) = keys.pop() {
            match key {
                SearchKey::And(more) => keys.extend(more),
                SearchKey::Numbers(set) => selection = selection.and(&view.select(&set, false)),
                SearchKey::Uids(set) => selection = selection.and(&view.select(&set, true)),
                other => conditions.push(Self::of(other, view)),
            }
        }
        (Self::all(conditions), selection)
    }

    fn of(key: SearchKey, view: &View) -> Self {
        match key {
            SearchKey::And(keys) => Self::all(keys.into_iter().map(|key| Self::of(key, view)).collect()),
            SearchKey::Or(both) => {
                let (first, second) = (Self::of(both.0, view), Self::of(both.1, view));
                let ordered = if first.cost() <= second.cost() { (first, second) } else { (second, first) };
                Self::Either(Box::new(ordered))
            }
            SearchKey::Not(key) => Self::Not(Box::new(Self::of(*key, view))),
            SearchKey::Numbers(set) => Self::Numbers(set.resolve(view.exists())),
            SearchKey::Uids(set) => Self::Uids(set.resolve(view.last_uid().0)),
            SearchKey::Flag(flag) => Self::Flag(flag),
            SearchKey::Keyword(name) => Self::Keyword(name),
            SearchKey::Recent => Self::Recent,
            SearchKey::Received(when, date) => Self::Received(when, date),
            SearchKey::Sent(when, date) => Self::Sent(when, date),
            SearchKey::Larger(size) => Self::Larger(size),
            SearchKey::Smaller(size) => Self::Smaller(size),
            SearchKey::ModSeq(modseq) => Self::ChangedSince(modseq),
            SearchKey::Header(name, text) => Self::Header(name, Needle::new(&text)),
            SearchKey::Body(text) => Self::Body(Needle::new(&text)),
            SearchKey::Text(text) => Self::Text(Needle::new(&text)),
        }
    }

    fn all(mut conditions: Vec<Self>) -> Self {
        conditions.sort_by_key(Self::cost);
        Self::All(conditions)
    }

    /// True when there is nothing to ask.
    pub(super) fn is_always_true(&self) -> bool {
        matches!(self, Self::All(conditions) if conditions.is_empty())
    }

    /// What may have to be read.
    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::All(conditions) => conditions.iter().map(Self::cost).max().unwrap_or(Cost::Record),
            Self::Either(both) => both.0.cost().max(both.1.cost()),
            Self::Not(condition) => condition.cost(),
            Self::Sent(..) => Cost::Summary,
            Self::Header(name, _) if Candidate::is_in_summary(name) => Cost::Summary,
            Self::Header(..) => Cost::Header,
            Self::Body(_) | Self::Text(_) => Cost::Body,
            _ => Cost::Record,
        }
    }

    pub(super) fn holds(&self, candidate: &mut Candidate<'_>) -> Result<bool, StoreError> {
        Ok(match self {
            Self::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(candidate)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Either(both) => both.0.holds(candidate)? || both.1.holds(candidate)?,
            Self::Not(condition) => !condition.holds(candidate)?,
            Self::Numbers(ranges) => ranges.contains(candidate.number),
            Self::Uids(ranges) => ranges.contains(candidate.message.uid.0),
            Self::Flag(flag) => candidate.message.flags.system.contains(*flag),
            Self::Keyword(name) => {
                candidate.message.flags.keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(name))
            }
            Self::Recent => candidate.is_recent,
            Self::Received(when, date) => when.holds(candidate.day_received(), *date),
            Self::Sent(when, date) => candidate.day_sent()?.is_some_and(|day| when.holds(day, *date)),
            Self::Larger(size) => candidate.message.size > *size,
            Self::Smaller(size) => candidate.message.size < *size,
            Self::ChangedSince(modseq) => candidate.message.modseq.0 >= *modseq,
            Self::Header(name, needle) => candidate.header_contains(name, needle)?,
            Self::Body(needle) => candidate.body_contains(needle)?,
            Self::Text(needle) => candidate.text_contains(needle)?,
        })
    }
}
