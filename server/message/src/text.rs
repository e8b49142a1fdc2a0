//! Decoded text of a message, for SEARCH (RFC 3501 6.4.4).
//!
//! A [`Needle`] is prepared once and held against many messages. Matching knows no case, in any script, and composed
//! and decomposed characters as one. An ASCII needle, the usual one, is searched in the bytes as they lie, without
//! building text, wherever the transfer encoding and charset allow it.

use std::borrow::Cow;

use encoding_rs::UTF_8;
use memchr::{memchr, memmem};

use crate::address::fold;
use crate::address_list::Mailbox;
use crate::encoded_word::{charset, decode, to_text};
use crate::header::{fields, unfold};
use crate::mime::MAX_HEADER;
use crate::summary::{Content, Part, Summary};
use crate::transfer;

/// Bytes of one part that are decoded to be searched; what needs no decoding is searched to its end.
pub const MAX_DECODED: usize = 8 * 1024 * 1024;
/// Bytes brought to lower case at a time: enough to be quick, little enough to stay in the cache.
const CHUNK: usize = 32 * 1024;

/// What is searched for.
///
/// ```
/// use mailstead_message::Summary;
/// use mailstead_message::text::Needle;
///
/// let message = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello";
/// let summary = Summary::parse(message);
/// assert!(Needle::new("GRÜßE").is_in_message(message, &summary));
/// assert!(Needle::new("hello").is_in_body(message, &summary));
/// assert!(!Needle::new("grüße").is_in_body(message, &summary));
/// ```
#[derive(Debug, Clone)]
pub struct Needle {
    folded: String,
    finder: memmem::Finder<'static>,
    /// A single ASCII word: markup between its letters is too rare to look behind.
    plain_word: bool,
}

impl Needle {
    /// Prepares a text to search for. The empty text is in everything.
    pub fn new(text: &str) -> Self {
        let folded = fold(text);
        let finder = memmem::Finder::new(folded.as_bytes()).into_owned();
        let plain_word = folded.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self { folded, finder, plain_word }
    }

    /// True for the empty text.
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// True when it is in this text.
    pub fn is_in_text(&self, text: &str) -> bool {
        if self.folded.is_ascii() {
            return self.is_in_ascii(text.as_bytes());
        }
        !text.is_ascii() && self.finder.find(fold(text).as_bytes()).is_some()
    }

    /// True when it is in this raw header value, once that is unfolded and decoded (`SUBJECT` on a stored envelope).
    pub fn is_in_value(&self, value: &[u8]) -> bool {
        self.is_in_text(&decode(&unfold(value)))
    }

    /// True when it is in one of these addresses: name, local part and domain as a person reads them (`FROM`, `TO`).
    pub fn is_in_mailboxes(&self, mailboxes: &[Mailbox]) -> bool {
        mailboxes.iter().any(|mailbox| {
            let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(decode).unwrap_or_default();
            let (name, local, host) = (text(&mailbox.name), text(&mailbox.mailbox), text(&mailbox.host));
            self.is_in_text(&format!("{name} <{local}@{host}>")) || self.is_in_unicode_host(&host)
        })
    }

    /// True when it is in a field of this name (`HEADER`); the empty needle asks whether there is such a field.
    pub fn is_in_field(&self, header: &[u8], name: &str) -> bool {
        bounded(header, MAX_HEADER, fields).any(|field| field.is(name) && self.is_in_value(field.value))
    }

    /// True when it is in the header or in the body (`TEXT`).
    pub fn is_in_message(&self, message: &[u8], summary: &Summary) -> bool {
        self.is_in_header(slice(message, &summary.root.header())) || self.is_in_body(message, summary)
    }

    /// True when it is in the text of a part, in the header of a part, or in an enclosed message (`BODY`). Of a message
    /// too large to hold its front will do: what is missing is not searched.
    pub fn is_in_body(&self, message: &[u8], summary: &Summary) -> bool {
        self.folded.is_empty()
            || summary.parts().enumerate().any(|(index, part)| {
                (index > 0 && self.is_in_header(slice(message, &part.header()))) || self.is_in_part(message, part)
            })
    }

    /// True when it is in a header block, names of fields included.
    pub fn is_in_header(&self, header: &[u8]) -> bool {
        let lines = bounded(header, MAX_HEADER, fields);
        lines.into_iter().any(|field| {
            let value = unfold(field.value);
            let value =
                if memmem::find(&value, b"=?").is_some() { decode(&value).into() } else { to_text(&value, UTF_8) };
            self.is_in_text(&format!("{}: {value}", field.name))
        })
    }

    fn is_in_part(&self, message: &[u8], part: &Part) -> bool {
        let is_text = part.media_type == b"TEXT" || part.media_type == b"MESSAGE";
        if part.content != Content::Leaf || !is_text {
            return false;
        }
        let bytes = transfer_decoded(slice(message, &part.body()), &part.encoding);
        let charset = part.param("CHARSET").and_then(charset).unwrap_or(UTF_8);
        // In other charsets a byte of a character may look like an ASCII letter.
        let direct = charset == UTF_8 || charset.is_single_byte();
        if direct && self.folded.is_ascii() && self.is_in_ascii(&bytes) {
            return true;
        }
        let html = part.media_subtype == b"HTML" && !self.plain_word;
        if direct && !html && (self.folded.is_ascii() || bytes.is_ascii()) {
            return false;
        }
        let text = to_text(bytes.get(..MAX_DECODED).unwrap_or(&bytes), charset);
        self.is_in_text(&text) || (html && self.is_in_text(&mail_parser::decoders::html::html_to_text(&text)))
    }

    /// Searches bytes for an ASCII needle, case aside.
    fn is_in_ascii(&self, bytes: &[u8]) -> bool {
        let overlap = self.folded.len().saturating_sub(1);
        let mut lower = Vec::with_capacity((CHUNK + overlap).min(bytes.len()));
        let mut rest = bytes;
        loop {
            let chunk = rest.get(..CHUNK + overlap).unwrap_or(rest);
            lower.clear();
            lower.extend_from_slice(chunk);
            lower.make_ascii_lowercase();
            if self.finder.find(&lower).is_some() {
                return true;
            }
            match rest.get(CHUNK..) {
                Some(next) if chunk.len() < rest.len() => rest = next,
                _ => return false,
            }
        }
    }

    /// A domain stored as A-labels is found by its U-labels too.
    fn is_in_unicode_host(&self, host: &str) -> bool {
        !self.folded.is_ascii() && host.contains("xn--") && self.is_in_text(&idna::domain_to_unicode(host).0)
    }
}

/// Bytes of a message of which perhaps only the front is at hand.
fn slice<'a>(message: &'a [u8], range: &std::ops::Range<u64>) -> &'a [u8] {
    let bound = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(message.len());
    message.get(bound(range.start)..bound(range.end)).unwrap_or_default()
}

fn bounded<'a, T>(bytes: &'a [u8], length: usize, read: impl Fn(&'a [u8]) -> T) -> T {
    read(bytes.get(..length).unwrap_or(bytes))
}

/// The bytes of a part that holds no others, without their transfer encoding; of more than [`MAX_DECODED`] encoded
/// bytes the front.
pub fn content<'a>(message: &'a [u8], part: &Part) -> Cow<'a, [u8]> {
    transfer_decoded(slice(message, &part.body()), &part.encoding)
}

fn transfer_decoded<'a>(bytes: &'a [u8], encoding: &[u8]) -> Cow<'a, [u8]> {
    match encoding {
        b"BASE64" => Cow::Owned(bounded(bytes, MAX_DECODED, transfer::decode_base64)),
        b"QUOTED-PRINTABLE" if memchr(b'=', bytes).is_some() => {
            Cow::Owned(bounded(bytes, MAX_DECODED, transfer::decode_quoted_printable))
        }
        _ => Cow::Borrowed(bytes),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn finds(message: &[u8], needle: &str) -> bool {
        Needle::new(needle).is_in_message(message, &Summary::parse(message))
    }

    #[test]
    fn text_is_found_behind_encodings_charsets_and_markup() {
        let letter = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n\r\n", body].concat();
        let html = "Content-Type: text/html; charset=utf-8";
        for (message, needle, found) in [
            (letter("Subject: Lunch", b"at noon"), "LUNCH", true),
            (letter("Subject: Lunch", b"at noon"), "noon", true),
            (letter("Subject: Lunch", b"at noon"), "dinner", false),
            (letter("Subject: Lunch", b"at noon"), "subject: l", true),
            (letter("Subject: =?koi8-r?B?8NLJ18XU?=", b""), "привет", true),
            (letter("Subject: a\r\n b", b""), "a b", true),
            (letter("Subject: x", "Straße in München".as_bytes()), "MÜNCHEN", true),
            (letter("Subject: x", "Mu\u{308}nchen".as_bytes()), "münchen", true),
            (letter("Content-Transfer-Encoding: quoted-printable", b"M=C3=BCn=\r\nchen a=3Db"), "münchen A=B", true),
            (letter("Content-Transfer-Encoding: base64", b"SGVsbG8g\r\nV29ybGQ="), "hello world", true),
            (letter("Content-Transfer-Encoding: base64", b"SGVsbG8g"), "SGVsbG8", false),
            (letter("Content-Type: text/plain; charset=iso-8859-1", b"M\xfcnchen"), "münchen", true),
            (letter("Content-Type: text/plain; charset=iso-8859-1", b"M\xfcnchen"), "nchen", true),
            (letter("Content-Type: text/plain; charset=iso-2022-jp", b"\x1b$BF|K\\8l\x1b(B"), "日本語", true),
            (letter("Content-Type: text/plain; charset=iso-2022-jp", b"\x1b$BF|K\\8l\x1b(B"), "K", false),
            (letter("Content-Type: text/plain; charset=utf-16le", b"H\0i\0"), "hi", true),
            (letter("Content-Type: text/plain; charset=nonsense", "Grüße".as_bytes()), "grüße", true),
            (letter(html, b"<p>Hello\r\n<b>World</b>"), "hello world", true),
            (letter(html, b"<p>B&uuml;cher"), "bücher", true),
            (letter(html, b"<p>word"), "word", true),
            (letter("Content-Type: image/png", b"word"), "word", false),
        ] {
            assert_eq!(finds(&message, needle), found, "{needle} in {}", String::from_utf8_lossy(&message));
        }
    }

    #[test]
    fn enclosed_letters_and_names_of_attachments_are_part_of_the_body() {
        let message = b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
            Subject: inner\r\n\r\nletter\r\n--b\r\nContent-Type: image/png; name=holiday.png\r\n\r\nxyz\r\n--b--\r\n";
        let summary = Summary::parse(message);
        for (needle, found) in
            [("inner", true), ("letter", true), ("holiday", true), ("outer", false), ("xyz", false), ("", true)]
        {
            assert_eq!(Needle::new(needle).is_in_body(message, &summary), found, "{needle}");
        }
    }

    #[test]
    fn fields_and_addresses_are_matched_as_people_read_them() {
        let message = "From: =?utf-8?q?J=C3=B6rg?= <joerg@xn--bcher-kva.test>\r\nX-Empty:\r\n\r\n".as_bytes();
        let from = &Summary::parse(message).envelope.from;
        for (needle, found) in [("JÖRG", true), ("joerg@", true), ("bücher", true), ("xn--bcher", true), ("bob", false)]
        {
            assert_eq!(Needle::new(needle).is_in_mailboxes(from), found, "{needle}");
        }
        assert!(Needle::new("jörg").is_in_field(message, "from"));
        assert!(Needle::new("").is_in_field(message, "x-empty"));
        assert!(!Needle::new("").is_in_field(message, "x-other"));
        assert!(!Needle::new("x").is_in_field(message, "x-empty"));
    }

    #[test]
    fn the_front_of_a_message_is_searched_as_far_as_it_goes() {
        let message = b"Subject: x\r\n\r\nfirst words, last words";
        let summary = Summary::parse(message);
        let front = &message[..25];
        assert!(Needle::new("first").is_in_body(front, &summary));
        assert!(!Needle::new("last").is_in_body(front, &summary));
        assert!(!Needle::new("first").is_in_body(&message[..5], &summary));
    }

    #[test]
    fn long_texts_are_searched_over_the_seams_of_chunks() {
        for before in [0, 1, CHUNK - 5, CHUNK - 1, CHUNK, 3 * CHUNK - 2] {
            let text = format!("{}NeedleInHay{}", "x".repeat(before), "y".repeat(100));
            assert!(Needle::new("needleinhay").is_in_text(&text), "{before}");
        }
        let needle = format!("{}b", "a".repeat(5_000));
        assert!(!Needle::new(&needle).is_in_text(&"a".repeat(2_000_000)));
    }

    proptest! {
        #[test]
        fn a_piece_of_a_text_is_found_in_it(text in "\\PC{1,60}", start in 0usize..60, length in 1usize..20) {
            let piece: String = text.chars().skip(start).take(length).collect();
            // Combining marks would belong to the letter before the piece.
            if piece.chars().all(char::is_alphanumeric) && piece.is_ascii() {
                prop_assert!(Needle::new(&piece.to_uppercase()).is_in_text(&text));
            }
        }

        #[test]
        fn any_html_is_read_without_panic(text in "[<>&;!/ a-cü\\-]{0,80}") {
            let message = format!("Content-Type: text/html\r\n\r\n{text}");
            finds(message.as_bytes(), "no such thing");
        }
    }
}
