//! Messages picked from the view: their numbers and UIDs, without copying either.

use std::ops::Range;
use std::sync::Arc;

use mailstead_store::Uid;

use crate::wire::Ranges;

/// Some messages of a view, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    uids: Arc<Vec<Uid>>,
    /// Index ranges into `uids`, ascending and disjoint; none is empty.
    runs: Vec<Range<usize>>,
}

impl Selection {
    pub(crate) fn all(uids: Arc<Vec<Uid>>) -> Self {
        let all = 0..uids.len();
        Self { runs: if all.is_empty() { Vec::new() } else { vec![all] }, uids }
    }

    /// Those whose message number is in the ranges.
    pub(crate) fn of_numbers(uids: Arc<Vec<Uid>>, numbers: &Ranges) -> Self {
        let length = uids.len();
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).min(length);
        let runs = numbers.iter().map(|(first, last)| index(first.saturating_sub(1))..index(last));
        Self { runs: runs.filter(|run| !run.is_empty()).collect(), uids }
    }

    /// Those whose UID is in the ranges.
    pub(crate) fn of_uids(uids: Arc<Vec<Uid>>, wanted: &Ranges) -> Self {
        let runs = wanted
            .iter()
            .map(|(first, last)| uids.partition_point(|uid| uid.0 < first)..uids.partition_point(|uid| uid.0 <= last));
        let mut joined: Vec<Range<usize>> = Vec::new();
        for run in runs.filter(|run| !run.is_empty()) {
            match joined.last_mut() {
                Some(before) if before.end == run.start => before.end = run.end,
                _ => joined.push(run),
            }
        }
        Self { runs: joined, uids }
    }

    /// Those that are in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let (mut ours, mut theirs) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let both = a.start.max(b.start)..a.end.min(b.end);
            if !both.is_empty() {
                runs.push(both);
            }
            let first_to_end = if a.end <= b.end { &mut ours } else { &mut theirs };
            first_to_end.next();
        }
        Self { uids: Arc::clone(&self.uids), runs }
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(Range::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// (message number, UID), ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Uid)> + '_ {
        self.runs.iter().flat_map(|run| {
            let uids = self.uids.get(run.clone()).unwrap_or_default();
            uids.iter().enumerate().map(|(offset, uid)| (number_at(run.start + offset), *uid))
        })
    }

    pub(crate) fn uids(&self) -> Vec<Uid> {
        self.iter().map(|(_, uid)| uid).collect()
    }

    /// The message number of a UID, if it is among these.
    pub(crate) fn number_of(&self, uid: Uid) -> Option<u32> {
        let index = self.uids.binary_search(&uid).ok()?;
        let run = self.runs.partition_point(|run| run.end <= index);
        self.runs.get(run).is_some_and(|run| run.contains(&index)).then(|| number_at(index))
    }

    /// Takes away the first messages, at most so many, that are consecutive in the view: their UID range.
    pub(crate) fn take_run(&mut self, most: usize) -> Option<Self> {
        let first = self.runs.first_mut()?;
        let end = first.end.min(first.start.saturating_add(most));
        let taken = first.start..end;
        first.start = end;
        if first.start >= first.end {
            self.runs.remove(0);
        }
        Some(Self { uids: Arc::clone(&self.uids), runs: vec![taken] })
    }

    /// The first and last UID.
    pub(crate) fn bounds(&self) -> Option<(Uid, Uid)> {
        let first = self.uids.get(self.runs.first()?.start)?;
        let last = self.uids.get(self.runs.last()?.end.checked_sub(1)?)?;
        Some((*first, *last))
    }
}

/// The message number at an index. A mailbox has at most 2^32 - 1 messages, for it has no more UIDs.
fn number_at(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn uids() -> Arc<Vec<Uid>> {
        Arc::new([3, 5, 6, 9, 20].map(Uid).to_vec())
    }

    fn picked(selection: &Selection) -> Vec<(u32, u32)> {
        selection.iter().map(|(number, uid)| (number, uid.0)).collect()
    }

    #[test]
    fn numbers_and_uids_pick_messages() {
        let some = Selection::of_numbers(uids(), &Ranges::new(vec![(2, 3), (5, 900)]));
        assert_eq!(picked(&some), [(2, 5), (3, 6), (5, 20)]);
        let some = Selection::of_uids(uids(), &Ranges::new(vec![(1, 4), (6, 9), (10, 19), (21, 99)]));
        assert_eq!(picked(&some), [(1, 3), (3, 6), (4, 9)]);
        assert_eq!(some.number_of(Uid(6)), Some(3));
        assert_eq!(some.number_of(Uid(5)), None);
        assert_eq!(some.number_of(Uid(7)), None);
        assert_eq!(some.bounds(), Some((Uid(3), Uid(9))));
        assert!(Selection::of_numbers(uids(), &Ranges::new(vec![(6, 7)])).is_empty());
    }

    #[test]
    fn what_is_in_both_is_kept() {
        let a = Selection::of_numbers(uids(), &Ranges::new(vec![(1, 2), (4, 5)]));
        let b = Selection::of_uids(uids(), &Ranges::new(vec![(5, 9)]));
        assert_eq!(picked(&a.and(&b)), [(2, 5), (4, 9)]);
        assert_eq!(Selection::all(uids()).and(&a).len(), 4);
    }

    #[test]
    fn runs_are_taken_piece_by_piece() {
        let mut some = Selection::of_numbers(uids(), &Ranges::new(vec![(1, 3), (5, 5)]));
        let taken: Vec<_> = std::iter::from_fn(|| some.take_run(2)).map(|run| run.uids()).collect();
        assert_eq!(taken, [vec![Uid(3), Uid(5)], vec![Uid(6)], vec![Uid(20)]]);
    }
}
