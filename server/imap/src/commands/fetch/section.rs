//! Which bytes of a message a section means (RFC 3501 6.4.5).

use std::ops::Range;

use mailstead_message::summary::Section as Kind;
use mailstead_message::{Summary, header};

use crate::wire::{Section, SectionText};

/// Where a section's bytes are, counted from the start of the message as it is read (prefix and blob joined).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is no such section.
    Nowhere,
    /// These bytes.
    Bytes(Range<u64>),
    /// Chosen fields of the header in these bytes.
    Fields(Range<u64>),
}

/// Finds a section. `prefix` bytes of this recipient's own header precede the blob.
pub(super) fn locate(section: &Section, summary: &Summary, prefix: u64) -> Place {
    let kind = match &section.text {
        None => Kind::Whole,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => Kind::Header,
        Some(SectionText::Text) => Kind::Text,
        Some(SectionText::Mime) => Kind::Mime,
    };
    let Some(range) = summary.range(&section.part, kind) else { return Place::Nowhere };
    // The outermost header begins with the prefix; everything else is moved by it.
    let is_outermost = section.part.is_empty() && matches!(kind, Kind::Whole | Kind::Header);
    let start = if is_outermost { 0 } else { range.start + prefix };
    let range = start..(range.end + prefix).max(start);
    match &section.text {
        Some(SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => Place::Fields(range),
        _ => Place::Bytes(range),
    }
}

/// The chosen fields of a header, with the empty line that ends it.
pub(super) fn choose_fields(header: &[u8], text: &SectionText) -> Vec<u8> {
    let (names, wanted) = match text {
        SectionText::HeaderFields(names) => (names, true),
        SectionText::HeaderFieldsNot(names) => (names, false),
        _ => return Vec::new(),
    };
    let mut chosen = Vec::new();
    for field in header::fields(header) {
        if names.iter().any(|name| name.eq_ignore_ascii_case(field.name)) == wanted {
            chosen.extend_from_slice(header.get(field.range).unwrap_or_default());
        }
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::wire::{Command, FetchItem, parse};

    const MESSAGE: &str = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
        --c\r\nX: 1\r\n\r\none\r\n--c\r\nX: 2\r\n\r\ntwo\r\n--c--\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: plain\r\n\r\ninside\r\n--b--\r\n";

    fn section(text: &str) -> Section {
        let line = format!("a FETCH 1 BODY[{text}]");
        let Command::Fetch { fetch, .. } = parse(line.as_bytes()).unwrap().command else { panic!() };
        let Some(FetchItem::Section { section, .. }) = fetch.items.into_iter().next() else { panic!() };
        section
    }

    fn bytes(message: &str, prefix: &str, text: &str) -> Option<String> {
        let summary = Summary::parse(message.as_bytes());
        let joined = [prefix, message].concat();
        let cut = |range: Range<u64>| joined[range.start as usize..range.end as usize].to_owned();
        let section = section(text);
        match locate(&section, &summary, prefix.len() as u64) {
            Place::Nowhere => None,
            Place::Bytes(range) => Some(cut(range)),
            Place::Fields(range) => {
                let chosen = choose_fields(cut(range).as_bytes(), section.text.as_ref().unwrap());
                Some(String::from_utf8(chosen).unwrap())
            }
        }
    }

    #[test]
    fn sections_are_found_through_all_levels() {
        for prefix in ["", "Return-Path: <x@y>\r\n"] {
            let found = |text: &str| bytes(MESSAGE, prefix, text);
            assert_eq!(found("").unwrap(), [prefix, MESSAGE].concat());
            assert!(found("HEADER").unwrap().starts_with(&format!("{prefix}Subject: outer")));
            assert!(found("HEADER").unwrap().ends_with("boundary=b\r\n\r\n"));
            assert!(found("TEXT").unwrap().starts_with("--b\r\n\r\nfirst"));
            assert_eq!(found("1").unwrap(), "first");
            assert_eq!(found("1.MIME").unwrap(), "\r\n");
            assert_eq!(found("2.MIME").unwrap(), "Content-Type: message/rfc822\r\n\r\n");
            assert!(found("2.HEADER").unwrap().starts_with("Subject: inner\r\n"));
            assert!(found("2").unwrap().starts_with("Subject: inner\r\n"));
            assert!(found("2.TEXT").unwrap().starts_with("--c\r\n"));
            assert_eq!(found("2.1").unwrap(), "one");
            assert_eq!(found("2.2.MIME").unwrap(), "X: 2\r\n\r\n");
            assert_eq!(found("2.HEADER.FIELDS (subject)").unwrap(), "Subject: inner\r\n\r\n");
            assert_eq!(found("HEADER.FIELDS (SUBJECT X)").unwrap(), "Subject: outer\r\n\r\n");
            assert!(found("HEADER.FIELDS.NOT (subject)").unwrap().ends_with("boundary=b\r\n\r\n"));
            assert_eq!(found("3.1").unwrap(), "inside");
            for missing in ["4", "1.1", "1.HEADER", "2.3", "2.1.1", "2.1.TEXT", "3.2"] {
                assert_eq!(found(missing), None, "{missing}");
            }
        }
    }

    #[test]
    fn a_plain_message_is_its_own_first_part() {
        let message = "Subject: x\r\n\r\nbody\r\n";
        assert_eq!(bytes(message, "", "1").unwrap(), "body\r\n");
        assert_eq!(bytes(message, "", "TEXT").unwrap(), "body\r\n");
        assert_eq!(bytes(message, "", "1.MIME").unwrap(), "Subject: x\r\n\r\n");
        assert_eq!(bytes(message, "", "2"), None);
    }
}
