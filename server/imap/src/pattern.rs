//! LIST's patterns (RFC 3501 6.3.8): `*` matches anything, `%` anything but the separator.
//!
//! Names and patterns meet in modified UTF-7, the form in which the client wrote its pattern.

use crate::wire::mutf7;

/// A pattern, ready to match. Matching costs the length of the pattern times that of the name, whatever they are.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    /// A pattern relative to a reference.
    pub(crate) fn new(reference: &[u8], pattern: &[u8]) -> Self {
        let mut joined: Vec<u8> = Vec::with_capacity(reference.len() + pattern.len());
        for byte in reference.iter().chain(pattern) {
            match (joined.last_mut(), *byte) {
                // A run of wildcards is as good as its strongest.
                (Some(last @ (b'*' | b'%')), wildcard @ (b'*' | b'%')) => {
                    if wildcard == b'*' {
                        *last = b'*';
                    }
                }
                (_, byte) => joined.push(byte),
            }
        }
        Self(joined)
    }

    /// True when `%` is in it.
    pub(crate) fn has_percent(&self) -> bool {
        self.0.contains(&b'%')
    }

    /// True when the name matches; INBOX does in any case.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let fold = name == "INBOX";
        self.reaches(mutf7::encode(name).as_bytes(), fold)
    }

    /// Follows all positions in the pattern that the name so far may have reached.
    fn reaches(&self, name: &[u8], fold: bool) -> bool {
        let mut at = vec![false; self.0.len() + 1];
        if let Some(start) = at.first_mut() {
            *start = true;
        }
        self.pass_wildcards(&mut at);
        for byte in name {
            let mut next = vec![false; at.len()];
            for (index, wanted) in self.0.iter().enumerate() {
                if at.get(index) != Some(&true) {
                    continue;
                }
                let (stays, moves) = match wanted {
                    b'*' => (true, false),
                    b'%' => (*byte != b'/', false),
                    letter => (false, letter == byte || (fold && letter.eq_ignore_ascii_case(byte))),
                };
                if let Some(here) = next.get_mut(index) {
                    *here |= stays;
                }
                if let Some(there) = next.get_mut(index + 1) {
                    *there |= moves;
                }
            }
            self.pass_wildcards(&mut next);
            at = next;
        }
        at.last() == Some(&true)
    }

    /// A wildcard also matches nothing.
    fn pass_wildcards(&self, at: &mut [bool]) {
        for (index, wanted) in self.0.iter().enumerate() {
            if matches!(wanted, b'*' | b'%')
                && at.get(index) == Some(&true)
                && let Some(next) = at.get_mut(index + 1)
            {
                *next = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::{Duration, Instant};

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(b"", pattern.as_bytes()).matches(name)
    }

    #[test]
    fn wildcards_match_as_the_rfc_says() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a/*", "a/b/c", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a%", "a", true),
            ("*%", "a/b", true),
            ("%*", "a/b", true),
            ("inbox", "INBOX", true),
            ("InB*", "INBOX", true),
            ("sent", "Sent", false),
            ("Entw&APw-rfe", "Entwürfe", true),
            ("Entw*", "Entwürfe", true),
            ("", "a", false),
            ("*a*a*", "bab", false),
            ("%b", "a/b", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
        assert!(Pattern::new(b"a/", b"%").matches("a/b"));
    }

    #[test]
    fn a_thousand_wildcards_cost_no_more_than_their_number() {
        let name = "a".repeat(500);
        let start = Instant::now();
        for pattern in ["*%".repeat(2000), "*a".repeat(2000), "%a".repeat(2000) + "b"] {
            matches(&pattern, &name);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
