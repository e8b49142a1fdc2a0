//! What is known, for as long as it holds and as far as there is room.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Answer, Data, DnsError, Kind};

/// Answers kept; a household meets some thousand domains at most.
const MAX_ENTRIES: usize = 8_192;
/// Bytes of data kept: strangers decide what is asked, and a name may have 64 KB of text.
const MAX_BYTES: usize = 16 << 20;
/// What an entry costs beside its data.
const ENTRY_BYTES: usize = 256;
/// How long a failure is remembered, so that a name that can't be resolved does not cost everybody a wait (RFC 9520
/// asks for at least a second).
const FAILURE_TTL: Duration = Duration::from_secs(2);

/// A question: a name in lower case, with its final dot, and what of it.
pub(super) type Question = (String, Kind);
pub(super) type Outcome = Result<Answer<Data>, DnsError>;

struct Entry {
    outcome: Outcome,
    until: Instant,
    bytes: usize,
}

#[derive(Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Question, Entry>,
    bytes: usize,
}

impl Cache {
    /// What is known; an answer's TTL is what is left of it.
    pub(super) fn get(&self, question: &Question, now: Instant) -> Option<Outcome> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.entries.get(question).filter(|entry| entry.until > now)?;
        let left = entry.until.saturating_duration_since(now);
        Some(entry.outcome.clone().map(|answer| Answer { ttl: left, ..answer }))
    }

    /// Keeps an outcome for `ttl`, a failure for a moment.
    pub(super) fn put(&self, question: Question, outcome: &Outcome, ttl: Duration, now: Instant) {
        let ttl = match outcome {
            Err(error) if error.is_temporary() => FAILURE_TTL,
            _ => ttl,
        };
        if ttl.is_zero() {
            return;
        }
        let bytes = ENTRY_BYTES + question.0.len() + outcome.as_ref().map_or(0, size);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget(&question);
        kept.make_room(bytes, now);
        kept.bytes += bytes;
        kept.entries.insert(question, Entry { outcome: outcome.clone(), until: now + ttl, bytes });
    }
}

impl Kept {
    fn forget(&mut self, question: &Question) {
        if let Some(old) = self.entries.remove(question) {
            self.bytes -= old.bytes;
        }
    }

    /// Lets go of what holds no longer, then of the quarter that would soonest.
    fn make_room(&mut self, bytes: usize, now: Instant) {
        if self.entries.len() < MAX_ENTRIES && self.bytes + bytes <= MAX_BYTES {
            return;
        }
        let mut ends: Vec<Instant> = self.entries.values().map(|entry| entry.until).collect();
        ends.sort_unstable();
        let limit = ends.get(ends.len() / 4).copied().unwrap_or(now).max(now);
        self.entries.retain(|_, entry| entry.until > limit);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
        if self.bytes + bytes > MAX_BYTES {
            self.entries.clear();
            self.bytes = 0;
        }
    }
}

fn size(answer: &Answer<Data>) -> usize {
    let sizes = answer.records.iter().map(|data| match data {
        Data::Address(_) => 0,
        Data::Mx(mx) => mx.host.len(),
        Data::Txt(text) => text.len(),
        Data::Name(name) => name.len(),
        Data::Tlsa(tlsa) => tlsa.data.len(),
        Data::Srv(srv) => srv.host.len(),
        Data::Caa(caa) => caa.tag.len() + caa.value.len(),
    });
    answer.records.len() * size_of::<Data>() + sizes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn text(bytes: usize) -> Outcome {
        Ok(Answer::insecure(vec![Data::Txt(vec![b'x'; bytes])]))
    }

    fn question(name: &str) -> Question {
        (name.to_owned(), Kind::Txt)
    }

    #[test]
    fn an_answer_holds_for_its_ttl_and_tells_what_is_left_of_it() {
        let (cache, now) = (Cache::default(), Instant::now());
        cache.put(question("a."), &text(1), Duration::from_secs(10), now);
        let later = cache.get(&question("a."), now + Duration::from_secs(4)).unwrap().unwrap();
        assert_eq!(later.ttl, Duration::from_secs(6));
        assert!(cache.get(&question("a."), now + Duration::from_secs(10)).is_none());
        cache.put(question("b."), &text(1), Duration::ZERO, now);
        assert!(cache.get(&question("b."), now).is_none());
    }

    #[test]
    fn a_failure_is_kept_for_a_moment_whatever_ttl_comes_with_it() {
        let (cache, now) = (Cache::default(), Instant::now());
        let failure = Err(DnsError::Temporary("SERVFAIL".to_owned()));
        cache.put(question("a."), &failure, Duration::from_secs(3600), now);
        assert_eq!(cache.get(&question("a."), now + Duration::from_secs(1)), Some(failure));
        assert!(cache.get(&question("a."), now + FAILURE_TTL).is_none());
    }

    #[test]
    fn big_answers_and_many_answers_stay_within_bounds() {
        let (cache, now) = (Cache::default(), Instant::now());
        for number in 0..3_000_u64 {
            cache.put(question(&format!("{number}.")), &text(65_000), Duration::from_secs(60 + number), now);
            assert!(cache.kept.lock().unwrap().bytes <= MAX_BYTES);
        }
        assert!(cache.get(&question("2999."), now).is_some());
        for number in 0..20_000_u64 {
            cache.put(question(&format!("{number}.")), &text(1), Duration::from_secs(60 + number), now);
            assert!(cache.kept.lock().unwrap().entries.len() <= MAX_ENTRIES);
        }
        let kept = cache.kept.lock().unwrap();
        assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }
}
