//! Writing strings so that the stream stays parseable whatever they hold (RFC 3501 4.3).

use mailstead_store::{FlagSet, Flags};

use super::mutf7;

/// Above this a literal is kinder to clients with line buffers.
const MAX_QUOTED: usize = 4 << 10;

/// A string: quoted where that can carry it, else a literal. NUL can be in neither and becomes `?`.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    let plain =
        text.len() <= MAX_QUOTED && text.iter().all(|byte| matches!(byte, 1..=0x7f) && !matches!(byte, b'\r' | b'\n'));
    if !plain {
        number_in(b"{", text.len() as u64, b"}\r\n", out);
        out.extend(text.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }));
        return;
    }
    out.push(b'"');
    if text.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
    } else {
        out.extend_from_slice(text);
    }
    out.push(b'"');
}

/// A string or NIL.
pub(crate) fn nstring(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        Some(text) => string(text, out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// A mailbox name, in modified UTF-7, always quoted: `INBOX` alone is shown bare, as everyone expects it.
pub(crate) fn mailbox(name: &str, out: &mut Vec<u8>) {
    if name == "INBOX" { out.extend_from_slice(b"INBOX") } else { string(mutf7::encode(name).as_bytes(), out) }
}

/// A number.
pub(crate) fn number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut left = number;
    loop {
        first -= 1;
        if let Some(digit) = digits.get_mut(first) {
            *digit = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// A number between two texts.
pub(crate) fn number_in(before: &[u8], value: u64, after: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    number(value, out);
    out.extend_from_slice(after);
}

/// The system flags with their names, in the order they are shown.
pub(crate) const SYSTEM_FLAGS: [(Flags, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

/// `(\Seen …)`.
pub(crate) fn flags(flags: &FlagSet, recent: bool, out: &mut Vec<u8>) {
    out.push(b'(');
    let start = out.len();
    let system = SYSTEM_FLAGS.iter().filter(|(flag, _)| flags.system.contains(*flag)).map(|(_, name)| *name);
    let recent = recent.then_some("\\Recent");
    for name in system.chain(recent).chain(flags.keywords.iter().map(String::as_str)) {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::wire::cursor::Cursor;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn strings_are_quoted_or_literal_as_they_need() {
        for (text, wire) in [
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\r\nb", "{4}\r\na\r\nb"),
            ("é", "{2}\r\né"),
            ("a\0b", "{3}\r\na?b"),
        ] {
            assert_eq!(written(|out| string(text.as_bytes(), out)), wire, "{text:?}");
        }
        assert!(written(|out| string(&[b'a'; 5000], out)).starts_with("{5000}\r\naaa"));
        assert_eq!(written(|out| nstring(None, out)), "NIL");
    }

    #[test]
    fn names_numbers_and_flags_are_written() {
        assert_eq!(written(|out| mailbox("INBOX", out)), "INBOX");
        assert_eq!(written(|out| mailbox("Entwürfe", out)), "\"Entw&APw-rfe\"");
        for value in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(written(|out| number(value, out)), value.to_string());
        }
        let mut set = FlagSet { system: Flags::SEEN | Flags::DELETED, ..FlagSet::default() };
        set.keywords.insert("$Forwarded".to_owned());
        assert_eq!(written(|out| flags(&set, true, out)), "(\\Deleted \\Seen \\Recent $Forwarded)");
        assert_eq!(written(|out| flags(&FlagSet::default(), false, out)), "()");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in proptest::collection::vec(1_u8.., 0..80)) {
            let mut out = Vec::new();
            string(&text, &mut out);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(&*cursor.string().unwrap(), &text);
            prop_assert!(cursor.is_at_end());
        }
    }
}
