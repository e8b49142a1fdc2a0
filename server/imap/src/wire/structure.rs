//! BODYSTRUCTURE and BODY (RFC 3501 7.4.2).
//!
//! Recursion is as deep as the tree, and [`Summary`](mailstead_message::Summary) bounds that.

use mailstead_message::summary::{Content, Part};

use super::encode::{nstring, number, string};
use super::envelope;

type Param = (Vec<u8>, Vec<u8>);

/// Writes a part's structure; `extended` adds what BODYSTRUCTURE has over BODY.
pub(crate) fn write(part: &Part, extended: bool, out: &mut Vec<u8>) {
    out.push(b'(');
    match &part.content {
        Content::Multipart(parts) => {
            for inside in parts {
                write(inside, extended, out);
            }
            if parts.is_empty() {
                // The grammar demands a part; a multipart without any shows an empty text.
                write(&empty_text(), extended, out);
            }
            out.push(b' ');
            string(&part.media_subtype, out);
            if extended {
                out.push(b' ');
                params(&part.params, out);
                extensions(part, out);
            }
        }
        Content::Message(summary) => {
            basic(part, b"MESSAGE", &part.media_subtype, out);
            out.push(b' ');
            envelope::write(&summary.envelope, out);
            out.push(b' ');
            write(&summary.root, extended, out);
            out.push(b' ');
            number(part.lines, out);
            single_extensions(part, extended, out);
        }
        Content::Leaf => {
            // A composite type that was not looked into would promise what does not follow.
            let opaque = part.media_type.eq_ignore_ascii_case(b"MULTIPART")
                || (part.media_type.eq_ignore_ascii_case(b"MESSAGE")
                    && (part.media_subtype.eq_ignore_ascii_case(b"RFC822")
                        || part.media_subtype.eq_ignore_ascii_case(b"GLOBAL")));
            if opaque {
                basic(part, b"APPLICATION", b"OCTET-STREAM", out);
            } else {
                basic(part, &part.media_type, &part.media_subtype, out);
            }
            if part.media_type.eq_ignore_ascii_case(b"TEXT") {
                out.push(b' ');
                number(part.lines, out);
            }
            single_extensions(part, extended, out);
        }
    }
    out.push(b')');
}

fn empty_text() -> Part {
    Part {
        media_type: b"TEXT".to_vec(),
        media_subtype: b"PLAIN".to_vec(),
        encoding: b"7BIT".to_vec(),
        ..Part::default()
    }
}

/// `body-fields` behind type and subtype.
fn basic(part: &Part, media_type: &[u8], media_subtype: &[u8], out: &mut Vec<u8>) {
    string(media_type, out);
    out.push(b' ');
    string(media_subtype, out);
    out.push(b' ');
    params(&part.params, out);
    out.push(b' ');
    nstring(part.id.as_deref(), out);
    out.push(b' ');
    nstring(part.description.as_deref(), out);
    out.push(b' ');
    string(&part.encoding, out);
    out.push(b' ');
    number(part.body_end.saturating_sub(part.body_start), out);
}

fn single_extensions(part: &Part, extended: bool, out: &mut Vec<u8>) {
    if extended {
        out.push(b' ');
        nstring(part.md5.as_deref(), out);
        extensions(part, out);
    }
}

/// Disposition, language and location.
fn extensions(part: &Part, out: &mut Vec<u8>) {
    out.push(b' ');
    match &part.disposition {
        Some((kind, with)) => {
            out.push(b'(');
            string(kind, out);
            out.push(b' ');
            params(with, out);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match part.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [one] => string(one, out),
        several => list(several.iter().map(Vec::as_slice), out),
    }
    out.push(b' ');
    nstring(part.location.as_deref(), out);
}

fn params(params: &[Param], out: &mut Vec<u8>) {
    if params.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        list(params.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]), out);
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    out.push(b'(');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        string(text, out);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use mailstead_message::Summary;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::cursor::Cursor;

    fn written(part: &Part, extended: bool) -> String {
        let mut out = Vec::new();
        write(part, extended, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn part(kind: &str, subtype: &str, content: Content) -> Part {
        Part {
            body_start: 10,
            body_end: 110,
            lines: 3,
            media_type: kind.as_bytes().to_vec(),
            media_subtype: subtype.as_bytes().to_vec(),
            encoding: b"7BIT".to_vec(),
            content,
            ..Part::default()
        }
    }

    fn text() -> Part {
        Part { params: vec![(b"CHARSET".to_vec(), b"UTF-8".to_vec())], ..part("TEXT", "PLAIN", Content::Leaf) }
    }

    #[test]
    fn a_text_has_its_lines() {
        assert_eq!(written(&text(), false), r#"("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 100 3)"#);
        assert_eq!(
            written(&text(), true),
            r#"("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 100 3 NIL NIL NIL NIL)"#
        );
    }

    #[test]
    fn an_attachment_has_its_extension_data() {
        let image = Part {
            id: Some(b"<1@x>".to_vec()),
            description: Some(b"a \"picture\"".to_vec()),
            md5: Some(b"Q2hlY2s=".to_vec()),
            disposition: Some((b"attachment".to_vec(), vec![(b"filename".to_vec(), b"a.png".to_vec())])),
            language: vec![b"de".to_vec(), b"en".to_vec()],
            location: Some(b"http://x".to_vec()),
            encoding: b"BASE64".to_vec(),
            ..part("IMAGE", "PNG", Content::Leaf)
        };
        assert_eq!(
            written(&image, true),
            r#"("IMAGE" "PNG" NIL "<1@x>" "a \"picture\"" "BASE64" 100 "Q2hlY2s=" ("attachment" ("filename" "a.png")) ("de" "en") "http://x")"#
        );
    }

    #[test]
    fn parts_stand_within_their_multipart() {
        let mixed = Part {
            params: vec![(b"BOUNDARY".to_vec(), b"b".to_vec())],
            language: vec![b"de".to_vec()],
            ..part("MULTIPART", "MIXED", Content::Multipart(vec![text(), part("IMAGE", "PNG", Content::Leaf)]))
        };
        let (one, two) = (
            r#"("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 100 3)"#,
            r#"("IMAGE" "PNG" NIL NIL NIL "7BIT" 100)"#,
        );
        assert_eq!(written(&mixed, false), format!(r#"({one}{two} "MIXED")"#));
        assert!(written(&mixed, true).ends_with(r#" "MIXED" ("BOUNDARY" "b") NIL "de" NIL)"#));
    }

    #[test]
    fn a_message_inside_shows_envelope_structure_and_lines() {
        let inside = Summary { envelope: mailstead_message::summary::Envelope::default(), root: text() };
        let message = part("MESSAGE", "RFC822", Content::Message(Box::new(inside)));
        assert_eq!(
            written(&message, false),
            r#"("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 100 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 100 3) 3)"#
        );
    }

    #[test]
    fn what_was_too_deep_to_look_into_is_opaque() {
        for (kind, subtype) in [("MULTIPART", "MIXED"), ("MESSAGE", "RFC822")] {
            let wire = written(&part(kind, subtype, Content::Leaf), false);
            assert_eq!(wire, r#"("APPLICATION" "OCTET-STREAM" NIL NIL NIL "7BIT" 100)"#);
        }
        let wire = written(&part("MULTIPART", "MIXED", Content::Multipart(Vec::new())), false);
        assert_eq!(wire, r#"(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0) "MIXED")"#);
    }

    /// Reads one value as a client would: a list, a string, a number or NIL.
    fn read_value(cursor: &mut Cursor<'_>) {
        match cursor.peek().unwrap() {
            b'(' => {
                cursor.open().unwrap();
                while !cursor.eat(b')') {
                    cursor.eat(b' ');
                    read_value(cursor);
                }
            }
            b'"' | b'{' => drop(cursor.string().unwrap()),
            b'0'..=b'9' => drop(cursor.number64().unwrap()),
            _ => assert!(cursor.eat_word("NIL")),
        }
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "From: ",
                "To: ",
                "Subject: ",
                "Content-Type: ",
                "multipart/mixed; boundary=b",
                "text/plain; charset=\"",
                "message/rfc822",
                "\r\n",
                "\r\n\r\n",
                "--b\r\n",
                "--b--\r\n",
                "<a@b>",
                ",",
                ";",
                ":",
                "\"",
                "(",
                ")",
                "\\",
                "Content-Disposition: attachment; filename*=utf-8''%e2",
                "Content-Language: de, en",
                "{5}",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_message_the_stream_stays_parseable(message in message()) {
            let summary = Summary::parse(&message);
            for extended in [false, true] {
                let mut out = Vec::new();
                envelope::write(&summary.envelope, &mut out);
                out.push(b' ');
                write(&summary.root, extended, &mut out);
                let mut cursor = Cursor::new(&out);
                read_value(&mut cursor);
                cursor.space().unwrap();
                read_value(&mut cursor);
                prop_assert!(cursor.is_at_end());
            }
        }
    }
}
