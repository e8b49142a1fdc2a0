//! Sequence sets (RFC 3501 `sequence-set`) and the ranges they mean.

use std::fmt;
use std::num::NonZeroU32;

use super::SyntaxError;
use super::cursor::Cursor;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A number.
    Number(NonZeroU32),
    /// `*`: the largest in use.
    Last,
}

/// A set of message numbers or UIDs as the client wrote it. The length of a command line bounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet(Vec<(Bound, Bound)>);

impl SequenceSet {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut ranges = Vec::new();
        loop {
            let first = bound(cursor)?;
            let last = if cursor.eat(b':') { bound(cursor)? } else { first };
            ranges.push((first, last));
            if !cursor.eat(b',') {
                return Ok(Self(ranges));
            }
        }
    }

    /// The numbers meant, when `last` is the largest in use (0 for none).
    pub fn resolve(&self, last: u32) -> Ranges {
        let number = |bound: Bound| match bound {
            Bound::Number(number) => number.get(),
            Bound::Last => last,
        };
        Ranges::new(self.0.iter().map(|(a, b)| (number(*a), number(*b))).collect())
    }

    /// True when `*` is part of it.
    pub fn has_last(&self) -> bool {
        self.0.iter().any(|(first, last)| *first == Bound::Last || *last == Bound::Last)
    }
}

fn bound(cursor: &mut Cursor<'_>) -> Result<Bound, SyntaxError> {
    if cursor.eat(b'*') {
        return Ok(Bound::Last);
    }
    let number = cursor.number()?;
    NonZeroU32::new(number).map(Bound::Number).ok_or_else(|| cursor.expected("a number from 1"))
}

/// Numbers as ascending, disjoint ranges, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Orders and merges; the ends of a range may come in either order.
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        for (first, last) in &mut ranges {
            if first > last {
                std::mem::swap(first, last);
            }
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        Self(merged)
    }

    /// From numbers in ascending order.
    pub fn from_ascending(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(number) => *end = number,
                _ => ranges.push((number, number)),
            }
        }
        Self(ranges)
    }

    /// True when the number is in it.
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|(_, last)| number <= *last)
    }

    /// True when nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}:{last}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> Result<SequenceSet, SyntaxError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let set = SequenceSet::parse(&mut cursor)?;
        cursor.end()?;
        Ok(set)
    }

    #[test]
    fn sets_mean_ranges_ordered_and_merged() {
        for (text, last, meant) in [
            ("1", 9, "1"),
            ("2,4:7,9,12:*", 15, "2,4:7,9,12:15"),
            ("*:4,5:7", 10, "4:10"),
            ("3:1", 10, "1:3"),
            ("*", 7, "7"),
            ("12:*", 3, "3:12"),
            ("1:*,1:*,5", 4, "1:5"),
            ("4294967295", 1, "4294967295"),
        ] {
            assert_eq!(set(text).unwrap().resolve(last).to_string(), meant, "{text}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "0", "1:0", "4294967296", "a", "1,", "1:", ":1", ",1", "1 2", "1::2", "-1", "*5"] {
            assert!(set(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ranges_contain_what_was_put_in(pairs in proptest::collection::vec((1_u32..60, 1_u32..60), 0..20)) {
            let expected: BTreeSet<u32> = pairs.iter().flat_map(|(a, b)| *a.min(b)..=*a.max(b)).collect();
            let ranges = Ranges::new(pairs);
            for number in 0..70 {
                prop_assert_eq!(ranges.contains(number), expected.contains(&number));
            }
            prop_assert_eq!(&Ranges::from_ascending(expected), &ranges);
            if !ranges.is_empty() {
                prop_assert_eq!(set(&ranges.to_string()).unwrap().resolve(9), ranges);
            }
        }
    }
}
