//! The header block: finding, reading, adding and removing fields without touching the others' bytes.
//!
//! Everything here takes either a whole message or its header block alone, and never looks past the empty line, so
//! that a large body need not be in memory. Lines may end in CRLF or, in old stored mail, in a bare LF.

use std::ops::Range;

use memchr::memchr;

use crate::address::{Address, AddressError};
use crate::address_list::MAX_ADDRESSES;
pub use crate::address_list::{Mailbox, addresses};
use crate::encoded_word;

/// Bytes of one field's value that are read; what is longer is cut, as nothing of use to a person is.
pub(crate) const MAX_VALUE: usize = 64 * 1024;

/// One header field: where it stands in the message, folded lines and final CRLF included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, without the colon.
    pub name: &'a str,
    /// The raw value behind the colon, folding kept, final CRLF left out.
    pub value: &'a [u8],
    /// The whole field's bytes in the message.
    pub range: Range<usize>,
}

impl Field<'_> {
    /// True when the field has this name, in whatever case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Why it can't be told who a message claims to be from (RFC 5322 3.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorsError {
    /// There is no such field, or it names nobody.
    #[error("the field is missing, or names nobody")]
    Missing,
    /// There is more than one such field.
    #[error("the field is there more than once")]
    Several,
    /// An address in it is malformed, or there are too many to look at.
    #[error("an address in the field is not valid")]
    Malformed,
}

/// The fields of a message's header, in order; stops at the empty line. Lines that are no field are passed over.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Lines { message, at: 0 }.filter_map(move |range| field(message, range))
}

/// Length of the header block with its empty line; the body begins there.
pub fn header_len(message: &[u8]) -> usize {
    let mut lines = Lines { message, at: 0 };
    lines.by_ref().for_each(drop);
    lines.at + message.get(lines.at..).map_or(0, empty_line)
}

/// The unfolded, decoded (RFC 2047) value of the first field of that name.
pub fn value(message: &[u8], name: &str) -> Option<String> {
    let field = fields(message).find(|field| field.is(name))?;
    Some(encoded_word::decode(&unfold(field.value)))
}

/// True when there is a field of that name.
pub fn has(message: &[u8], name: &str) -> bool {
    fields(message).any(|field| field.is(name))
}

/// How many fields of that name there are (`Received`, to find loops).
pub fn count(message: &[u8], name: &str) -> usize {
    fields(message).filter(|field| field.is(name)).count()
}

/// A value as one line: line ends gone, white space around it too, at most 64 KB of it.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let bounded = value.get(..MAX_VALUE).unwrap_or(value);
    let line: Vec<u8> = bounded.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect();
    line.trim_ascii().to_vec()
}

/// The addresses of the only `From` field, for checking that who submits a message may write in their name.
pub fn authors(message: &[u8]) -> Result<Vec<Address>, AuthorsError> {
    claimed(message, "From")
}

/// The addresses of the only `Sender` field, likewise.
pub fn senders(message: &[u8]) -> Result<Vec<Address>, AuthorsError> {
    claimed(message, "Sender")
}

fn claimed(message: &[u8], name: &str) -> Result<Vec<Address>, AuthorsError> {
    let mut found = fields(message).filter(|field| field.is(name));
    let (first, second) = (found.next().ok_or(AuthorsError::Missing)?, found.next());
    if second.is_some() {
        return Err(AuthorsError::Several);
    }
    let mailboxes = addresses(first.value);
    // What is cut off could name someone else.
    if first.value.len() > MAX_VALUE || mailboxes.len() >= MAX_ADDRESSES {
        return Err(AuthorsError::Malformed);
    }
    let claimed: Result<Vec<_>, AddressError> =
        mailboxes.iter().filter(|mailbox| !mailbox.is_group()).map(Mailbox::address).collect();
    match claimed {
        Ok(claimed) if claimed.is_empty() => Err(AuthorsError::Missing),
        Ok(claimed) => Ok(claimed),
        Err(_) => Err(AuthorsError::Malformed),
    }
}

/// The message without the fields of these names; all other bytes are kept as they are.
pub fn remove(message: &[u8], names: &[&str]) -> Vec<u8> {
    without(message, |field| names.iter().any(|name| field.is(name)))
}

/// The message without the fields that are such; all other bytes are kept as they are.
pub fn without(message: &[u8], is_such: impl Fn(&Field<'_>) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(message.len());
    let mut copied = 0;
    for field in fields(message).filter(is_such) {
        kept.extend_from_slice(message.get(copied..field.range.start).unwrap_or_default());
        copied = field.range.end;
    }
    kept.extend_from_slice(message.get(copied..).unwrap_or_default());
    kept
}

/// The message with finished fields (each with its CRLF) before its own.
pub fn prepend(message: &[u8], fields: &[u8]) -> Vec<u8> {
    [fields, message].concat()
}

/// Completes the header block of a submitted message (RFC 6409 8): `Bcc` and `Return-Path` go, `Date` and `Message-ID`
/// come where they are missing, and an empty group where nobody is named whom it is to (RFC 5322 3.4): SpamAssassin
/// holds it against a letter if there is no such field, rspamd if the group has the name most others give it. The block ends with its empty line afterwards, whether it did before or not.
///
/// `date` is an RFC 5322 date-time, `message_id` includes its angle brackets.
pub fn complete(header: &[u8], date: &str, message_id: &str) -> Vec<u8> {
    let header = header.get(..header_len(header)).unwrap_or(header);
    let mut complete = Vec::with_capacity(header.len() + 128);
    for (name, text) in [("Message-ID", message_id), ("Date", date)] {
        if !has(header, name) {
            complete.extend_from_slice(format!("{name}: {text}\r\n").as_bytes());
        }
    }
    if !has(header, "To") && !has(header, "Cc") {
        complete.extend_from_slice(b"To: Recipients not shown:;\r\n");
    }
    complete.extend(remove(header, &["Bcc", "Resent-Bcc", "Return-Path"]));
    if !complete.is_empty() && !complete.ends_with(b"\n") {
        complete.extend_from_slice(b"\r\n");
    }
    let ends = [&b"\n\r\n"[..], b"\n\n"].iter().any(|end| complete.ends_with(end));
    if !ends && empty_line(&complete) == 0 {
        complete.extend_from_slice(b"\r\n");
    }
    complete
}

/// A time in seconds since 1970 as an RFC 5322 date-time in UTC: `Tue, 24 Nov 2026 15:47:10 +0000`.
pub fn date(unix_seconds: i64) -> String {
    let timestamp = jiff::Timestamp::from_second(unix_seconds).unwrap_or_default();
    timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Walks the logical lines (folded ones as one) before the empty line; stands at the empty line, or the end, afterwards.
struct Lines<'a> {
    message: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let rest = self.message.get(start..)?;
        if rest.is_empty() || empty_line(rest) > 0 {
            return None;
        }
        self.at = line_end(self.message, start);
        while matches!(self.message.get(self.at), Some(b' ' | b'\t')) {
            self.at = line_end(self.message, self.at);
        }
        Some(start..self.at)
    }
}

/// Length of the empty line at the front, 0 where there is none.
pub(crate) fn empty_line(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    }
}

/// Where the line that begins at `start` ends, its line end included.
pub(crate) fn line_end(message: &[u8], start: usize) -> usize {
    let rest = message.get(start..).unwrap_or_default();
    memchr(b'\n', rest).map_or(message.len(), |at| start + at + 1)
}

fn field(message: &[u8], range: Range<usize>) -> Option<Field<'_>> {
    let bytes = message.get(range.clone())?;
    let colon = memchr(b':', bytes)?;
    // White space before the colon is obsolete but read (RFC 5322 4.5).
    let name = std::str::from_utf8(bytes.get(..colon)?).ok()?.trim_end_matches([' ', '\t']);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let value = bytes.get(colon + 1..)?;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    Some(Field { name, value, range })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"Received: from a\r\n\tby b\r\nSubject : =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IQ==?= aus\r\n Bonn\r\n\
        this line is garbage\r\n and folded: too\r\nFrom: Bob <bob@world.test>\r\nBCC: x@y.test,\r\n z@y.test\r\n\r\nSubject: body\r\n";

    #[test]
    fn fields_come_in_order_and_stop_at_the_empty_line() {
        let names: Vec<_> = fields(MESSAGE).map(|field| field.name).collect();
        assert_eq!(names, ["Received", "Subject", "From", "BCC"]);
        assert_eq!(&MESSAGE[header_len(MESSAGE)..], b"Subject: body\r\n");
        for field in fields(MESSAGE) {
            assert!(MESSAGE[field.range.clone()].starts_with(field.name.as_bytes()));
            assert!(MESSAGE[field.range].ends_with(b"\r\n"));
        }
    }

    #[test]
    fn values_are_unfolded_and_decoded() {
        assert_eq!(value(MESSAGE, "subject").as_deref(), Some("Grüße! aus Bonn"));
        assert_eq!(value(MESSAGE, "received").as_deref(), Some("from a\tby b"));
        assert_eq!(value(MESSAGE, "To"), None);
        assert_eq!(value("Subject: Größe\n\nx".as_bytes(), "Subject").as_deref(), Some("Größe"));
    }

    #[test]
    fn odd_headers_are_read_as_far_as_they_go() {
        for (message, names, length) in [
            (&b""[..], 0, 0),
            (b"\r\nbody", 0, 2),
            (b"\nbody", 0, 1),
            (b"A: b", 1, 4),
            (b"A: b\r\n", 1, 6),
            (b"A: b\n\nbody", 1, 6),
            (b"A: b\nC: d\r\n\nbody", 2, 12),
            (b" leading: fold\r\nA: b\r\n\r\n", 1, 24),
            (b": no name\r\n\xff\xfe: x\r\nA:\r\n\r\n", 1, 24),
            (b"just words\r\nand more", 0, 20),
            (b"A: b\r\n \r\n\r\nbody", 1, 11),
            (b"A: b\r\rC: d\r\n\r\n", 1, 14),
        ] {
            let shown = String::from_utf8_lossy(message);
            assert_eq!(fields(message).count(), names, "{shown:?}");
            assert_eq!(header_len(message), length, "{shown:?}");
        }
    }

    #[test]
    fn removing_fields_leaves_every_other_byte() {
        let without = remove(MESSAGE, &["Bcc", "Received"]);
        let text = String::from_utf8(without).unwrap();
        assert!(text.starts_with("Subject : =?utf-8"));
        assert!(
            text.contains(
                "this line is garbage\r\n and folded: too\r\nFrom: Bob <bob@world.test>\r\n\r\nSubject: body"
            )
        );
        assert_eq!(remove(MESSAGE, &["X-Nothing"]), MESSAGE);
        assert_eq!(count(MESSAGE, "received"), 1);
        assert!(has(&prepend(MESSAGE, b"X-New: 1\r\n"), "x-new"));
    }

    #[test]
    fn a_submitted_header_is_completed() {
        let date = "Tue, 24 Nov 2026 15:47:10 +0000";
        let nothing = "Message-ID: <1@h>\r\nDate: Tue, 24 Nov 2026 15:47:10 +0000\r\n\
                       To: Recipients not shown:;\r\n\r\n";
        for (header, expected) in [
            (
                "To: a\r\nBcc: c@d.test\r\n\r\n",
                "Message-ID: <1@h>\r\nDate: Tue, 24 Nov 2026 15:47:10 +0000\r\nTo: a\r\n\r\n",
            ),
            (
                "Date: x\r\nmessage-id: y\r\nCC: a\r\nReturn-Path: <z>\r\n\r\nbody",
                "Date: x\r\nmessage-id: y\r\nCC: a\r\n\r\n",
            ),
            (
                "Date: x\r\nMessage-Id: y\r\nBcc: a\r\n\r\n",
                "To: Recipients not shown:;\r\nDate: x\r\nMessage-Id: y\r\n\r\n",
            ),
            ("Date: x\r\nMessage-Id: y\r\nTo: a", "Date: x\r\nMessage-Id: y\r\nTo: a\r\n\r\n"),
            ("Date: x\r\nMessage-Id: y\r\nTo: a\r\n", "Date: x\r\nMessage-Id: y\r\nTo: a\r\n\r\n"),
            ("\r\nbody", nothing),
            ("", nothing),
        ] {
            let complete = complete(header.as_bytes(), date, "<1@h>");
            assert_eq!(String::from_utf8(complete).unwrap(), expected, "{header:?}");
        }
    }

    #[test]
    fn the_authors_are_told_or_it_is_said_why_not() {
        let list =
            |header: &str| authors(header.as_bytes()).map(|a| a.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(list("From: A <a@b.test>, c@d.test\r\n\r\n").unwrap(), ["a@b.test", "c@d.test"]);
        assert_eq!(list("From: Us: a@b.test;\r\n\r\n").unwrap(), ["a@b.test"]);
        assert_eq!(list("From: =?utf-8?q?x=40y=2Etest?= <a@b.test>\r\n\r\n").unwrap(), ["a@b.test"]);
        assert_eq!(list("To: a@b.test\r\n\r\n"), Err(AuthorsError::Missing));
        assert_eq!(list("From: \r\n\r\n"), Err(AuthorsError::Missing));
        assert_eq!(list("From: a@b.test\r\nfrom : c@d.test\r\n\r\n"), Err(AuthorsError::Several));
        assert_eq!(list("From: a@b.test, nobody\r\n\r\n"), Err(AuthorsError::Malformed));
        assert_eq!(list("From: <a@b.test> <c@d.test>\r\n\r\n"), Err(AuthorsError::Malformed));
        assert_eq!(
            list(&format!("From: a@b.test{},c@d.test\r\n\r\n", " ".repeat(MAX_VALUE))),
            Err(AuthorsError::Malformed)
        );
        let many = "a@b.test,".repeat(3_000);
        assert_eq!(list(&format!("From: {many}c@d.test\r\n\r\n")), Err(AuthorsError::Malformed));
        let header = b"From: a@b.test\r\nSender: c@d.test\r\n\r\n";
        assert_eq!(senders(header).unwrap(), [Address::parse("c@d.test").unwrap()]);
        assert_eq!(senders(b"From: a@b.test\r\n\r\n"), Err(AuthorsError::Missing));
    }

    #[test]
    fn dates_are_written_as_rfc_5322_wants_them() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date(1_795_535_230), "Tue, 24 Nov 2026 15:47:10 +0000");
        assert_eq!(date(i64::MAX), date(0));
    }

    #[test]
    fn endless_headers_cost_what_they_weigh() {
        let folded = [&b"Subject: x"[..], &b"\r\n x".repeat(1_000_000), b"\r\n\r\n"].concat();
        assert_eq!(fields(&folded).count(), 1);
        assert!(value(&folded, "Subject").unwrap().len() <= MAX_VALUE);
        let many = b"A: b\r\n".repeat(500_000);
        assert_eq!(count(&many, "a"), 500_000);
        assert_eq!(remove(&many, &["a"]), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(prop_oneof![
            Just(b':'), Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'A'), Just(b'"'), Just(b'<'), Just(b'='), any::<u8>()
        ], 0..200)) {
            let length = header_len(&bytes);
            prop_assert!(length <= bytes.len());
            let mut last = 0;
            for field in fields(&bytes) {
                prop_assert!(field.range.start >= last && field.range.end <= length);
                last = field.range.end;
            }
            prop_assert_eq!(remove(&bytes, &[]), bytes.clone());
            let _ = (authors(&bytes), value(&bytes, "A"));
            let complete = complete(&bytes, "now", "<id>");
            prop_assert_eq!(header_len(&complete), complete.len());
        }

        #[test]
        fn removing_one_name_keeps_all_other_fields(names in proptest::collection::vec("[A-D]", 0..12)) {
            let message: String = names.iter().map(|name| format!("{name}: 1\r\n\t2\r\n")).collect::<String>() + "\r\nB: body";
            let expected: String =
                names.iter().filter(|n| *n != "B").map(|name| format!("{name}: 1\r\n\t2\r\n")).collect::<String>() + "\r\nB: body";
            prop_assert_eq!(remove(message.as_bytes(), &["b"]), expected.into_bytes());
        }
    }
}
