//! Reading replies out of a stream of bytes (RFC 5321 4.2), bounded whatever the server sends.

use std::collections::VecDeque;

use crate::Reply;

/// Longest reply line taken, line end included: four times what RFC 5321 4.5.3.1.5 allows, for talkative servers.
const MAX_LINE: usize = 2048;
/// Most lines of one reply: far above any EHLO, small enough to hold without a thought.
const MAX_LINES: usize = 128;

/// Why bytes are not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadReply {
    /// A line beyond [`MAX_LINE`].
    #[error("a reply line is over {MAX_LINE} bytes long")]
    LineTooLong,
    /// A reply beyond [`MAX_LINES`].
    #[error("a reply has over {MAX_LINES} lines")]
    TooManyLines,
    /// No three digits between 200 and 599 with a space, a hyphen or nothing behind them.
    #[error("a reply line does not begin with a reply code")]
    NoCode,
    /// The lines of one reply disagree about its code.
    #[error("the lines of a reply have different codes")]
    CodeMismatch,
}

/// Takes bytes, gives replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    bytes: VecDeque<u8>,
    /// Bytes at the front already searched for a line end, so that a line fed byte by byte costs linear time.
    searched: usize,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    code: u16,
    status: Option<(u8, u16, u16)>,
    lines: Vec<String>,
}

impl Replies {
    /// Adds bytes as they came from the server. The caller takes replies out before it reads more, which bounds what
    /// is held here to one reply and one read.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next whole reply, `None` when more bytes are needed.
    pub(super) fn take(&mut self) -> Result<Option<Reply>, BadReply> {
        while let Some(line) = self.line()? {
            if let Some(reply) = self.add(&line)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// True when nothing is buffered, not even a part of a reply.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.partial.is_none()
    }

    /// The next line without its end. A bare LF ends a line as well: some old servers send it, and nothing can be
    /// smuggled to us by a reply.
    fn line(&mut self) -> Result<Option<Vec<u8>>, BadReply> {
        let Some(offset) = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return if self.searched > MAX_LINE { Err(BadReply::LineTooLong) } else { Ok(None) };
        };
        let end = self.searched + offset;
        self.searched = 0;
        if end >= MAX_LINE {
            return Err(BadReply::LineTooLong);
        }
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    /// Adds a line to the reply being read; gives the reply when it was the last.
    fn add(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        let (code, more, text) = split(line).ok_or(BadReply::NoCode)?;
        let (status, text) = enhanced(code, text);
        let partial = self.partial.get_or_insert_with(|| Partial { code, status, lines: Vec::new() });
        if partial.code != code {
            return Err(BadReply::CodeMismatch);
        }
        if partial.lines.len() >= MAX_LINES {
            return Err(BadReply::TooManyLines);
        }
        partial.lines.push(text.to_owned());
        if more {
            return Ok(None);
        }
        Ok(self.partial.take().map(|partial| Reply {
            code: partial.code,
            status: partial.status,
            lines: partial.lines,
        }))
    }
}

/// Code, whether more lines follow, and the text. Text that is not UTF-8 is shown with replacement characters.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0u16, |code, digit| code * 10 + u16::from(digit - b'0'));
    if !(200..600).contains(&code) {
        return None;
    }
    let (more, text) = match rest.split_first() {
        None => (false, rest),
        Some((b' ', text)) => (false, text),
        Some((b'-', text)) => (true, text),
        Some(_) => return None,
    };
    Some((code, more, String::from_utf8_lossy(text).into_owned()))
}

/// Takes an enhanced status code (RFC 2034) off the front of a line, if it is one of the reply's own class.
fn enhanced(code: u16, text: String) -> (Option<(u8, u16, u16)>, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match parse_status(first) {
        Some(status) if u16::from(status.0) == code / 100 => (Some(status), rest.to_owned()),
        _ => (None, text),
    }
}

fn parse_status(text: &str) -> Option<(u8, u16, u16)> {
    let number = |part: Option<&str>| -> Option<u16> {
        let part = part?;
        let digits = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse().ok() } else { None }
    };
    let mut parts = text.split('.');
    let class = number(parts.next())?;
    let status = (u8::try_from(class).ok()?, number(parts.next())?, number(parts.next())?);
    if parts.next().is_none() && matches!(status.0, 2 | 4 | 5) { Some(status) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Reply>, BadReply> {
        let mut replies = Replies::default();
        replies.feed(bytes);
        replies.take()
    }

    fn reply(code: u16, status: Option<(u8, u16, u16)>, lines: &[&str]) -> Reply {
        Reply { code, status, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn well_formed_replies_are_read() {
        for (bytes, expected) in [
            (&b"250 OK\r\n"[..], reply(250, None, &["OK"])),
            (b"250\r\n", reply(250, None, &[""])),
            (b"220 mail.test ESMTP\n", reply(220, None, &["mail.test ESMTP"])),
            (b"250-mail.test\r\n250-SIZE 100\r\n250 DSN\r\n", reply(250, None, &["mail.test", "SIZE 100", "DSN"])),
            (b"550 5.1.1 no such user\r\n", reply(550, Some((5, 1, 1)), &["no such user"])),
            (b"550-5.1.1 no such\r\n550 5.1.1 user\r\n", reply(550, Some((5, 1, 1)), &["no such", "user"])),
            (b"250 2.0.0\r\n", reply(250, Some((2, 0, 0)), &[""])),
            (b"451 5.1.1 of another class\r\n", reply(451, None, &["5.1.1 of another class"])),
            (b"220 5.6.7.8 is an address\r\n", reply(220, None, &["5.6.7.8 is an address"])),
            (b"550 caf\xe9\r\n", reply(550, None, &["caf\u{fffd}"])),
        ] {
            assert_eq!(read(bytes), Ok(Some(expected)), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for (bytes, error) in [
            (&b"hello\r\n"[..], BadReply::NoCode),
            (b"\r\n", BadReply::NoCode),
            (b"25\r\n", BadReply::NoCode),
            (b"250_OK\r\n", BadReply::NoCode),
            (b"150 early\r\n", BadReply::NoCode),
            (b"650 late\r\n", BadReply::NoCode),
            (b"250-one\r\n550 two\r\n", BadReply::CodeMismatch),
        ] {
            assert_eq!(read(bytes), Err(error), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_line_of_100_kilobytes_is_refused_whether_it_ends_or_not() {
        let mut bytes = b"250 ".to_vec();
        bytes.resize(100_000, b'x');
        assert_eq!(read(&bytes), Err(BadReply::LineTooLong));
        bytes.extend(b"\r\n");
        assert_eq!(read(&bytes), Err(BadReply::LineTooLong));
    }

    #[test]
    fn an_endless_continuation_is_refused() {
        assert_eq!(read("250-more\r\n".repeat(1_000_000).as_bytes()), Err(BadReply::TooManyLines));
    }

    #[test]
    fn a_reply_is_not_given_before_its_last_byte() {
        let mut replies = Replies::default();
        let bytes = b"250-a\r\n250 b\r\n";
        for (at, byte) in bytes.iter().enumerate() {
            replies.feed(&[*byte]);
            assert_eq!(replies.take().unwrap().is_some(), at + 1 == bytes.len());
        }
        assert!(replies.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_bounded_reply_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let mut replies = Replies::default();
            replies.feed(&bytes);
            while let Ok(Some(reply)) = replies.take() {
                prop_assert!(reply.lines.len() <= MAX_LINES && (200..600).contains(&reply.code));
            }
        }
    }
}
