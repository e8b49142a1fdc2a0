//! Cutting what arrives into lines, in bounded memory.

use bytes::{Buf as _, BytesMut};
use zeroize::{Zeroize as _, Zeroizing};

use crate::limits::MAX_SKIPPED;

/// What the input has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// No whole line yet.
    Incomplete,
    /// A line without its end; wiped when dropped, for it may be a password.
    Line(Zeroizing<Vec<u8>>),
    /// A line was too long and is gone.
    TooLong,
    /// A line has no end worth waiting for.
    Endless,
}

/// The input: what came and was not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    input: BytesMut,
    /// No line ends in this much of the input.
    scanned: usize,
    /// Thrown away of a line that was too long.
    skipped: Option<usize>,
}

impl Lines {
    /// Where bytes are read into.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        if self.input.is_empty() {
            // A waiting session must not keep what its longest line needed.
            self.input = BytesMut::new();
        }
        &mut self.input
    }

    /// Throws away whatever was read ahead.
    pub(crate) fn discard(&mut self) {
        self.input.as_mut().zeroize();
        *self = Self::default();
    }

    /// Takes the next line of at most `limit` octets. A bare LF ends a line as CRLF does: nothing here can be
    /// smuggled by it, and people try servers by hand.
    pub(crate) fn next(&mut self, limit: usize) -> Next {
        let unseen = self.input.get(self.scanned..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', unseen).map(|at| self.scanned + at) else {
            return self.incomplete(limit);
        };
        let mut line = self.input.split_to(end);
        self.input.advance(1);
        self.scanned = 0;
        if let Some(skipped) = self.skipped.take() {
            return if skipped + end > MAX_SKIPPED { Next::Endless } else { Next::TooLong };
        }
        let content = line.strip_suffix(b"\r").unwrap_or(&line);
        let next = if content.len() <= limit {
            Next::Line(Zeroizing::new(content.to_vec()))
        } else if end > MAX_SKIPPED {
            Next::Endless
        } else {
            Next::TooLong
        };
        line.as_mut().zeroize();
        next
    }

    fn incomplete(&mut self, limit: usize) -> Next {
        self.scanned = self.input.len();
        // The CR of a CRLF may have come already.
        if self.skipped.is_none() && self.scanned <= limit + 1 {
            return Next::Incomplete;
        }
        let skipped = self.skipped.unwrap_or_default() + self.scanned;
        self.input.as_mut().zeroize();
        self.input.clear();
        self.scanned = 0;
        self.skipped = Some(skipped);
        if skipped > MAX_SKIPPED { Next::Endless } else { Next::Incomplete }
    }

    /// True when the line that begins here has begun with `word`, in any case.
    pub(crate) fn begins_with(&self, word: &[u8]) -> bool {
        self.input.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<Next> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.input().extend_from_slice(piece);
            loop {
                match lines.next(8) {
                    Next::Incomplete => break,
                    next @ Next::Endless => {
                        found.push(next);
                        return found;
                    }
                    next => found.push(next),
                }
            }
            assert!(lines.input.len() <= 9, "no more than a line is held");
        }
        found
    }

    fn line(text: &str) -> Next {
        Next::Line(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn lines_end_in_crlf_or_lf() {
        assert_eq!(all(&[b"a\r\nb\nc\r\r\n\r\n\nd"]), [line("a"), line("b"), line("c\r"), line(""), line("")]);
        assert_eq!(all(&[b"a\r", b"\nb", b"\n"]), [line("a"), line("b")]);
    }

    #[test]
    fn a_long_line_is_told_once_and_the_next_one_counts() {
        assert_eq!(all(&[b"12345678\r\n123456789\r\nb\r\n"]), [line("12345678"), Next::TooLong, line("b")]);
        assert_eq!(
            all(&[b"12345678\r", b"\n12345678", b"9\r", b"\nb\r\n"]),
            [line("12345678"), Next::TooLong, line("b")]
        );
        assert_eq!(all(&[b"1234567890", b"1234567890", b"1234567890\nb\n"]), [Next::TooLong, line("b")]);
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let block = [b'a'; 64 << 10];
        let blocks = vec![&block[..]; MAX_SKIPPED / block.len() + 1];
        assert_eq!(all(&blocks), [Next::Endless]);
    }
}
