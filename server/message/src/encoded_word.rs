//! Encoded words in header fields (RFC 2047), and the charsets behind them.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::transfer;

/// Decodes the encoded words of an unfolded value. What is malformed, or in a charset nobody knows, stays as it is;
/// bytes outside of encoded words are UTF-8 (RFC 6532), or Latin-1 where they are not.
pub(crate) fn decode(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    // Bytes of a character may be split over adjacent words of one charset: they are joined before they are decoded.
    let mut pending: Option<(&'static Encoding, Vec<u8>)> = None;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let between_words = pending.is_some() && before.trim_ascii().is_empty();
        let Some((word, length)) = EncodedWord::parse(from) else {
            flush(&mut pending, &mut out);
            push_text(before, &mut out);
            out.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        if !between_words {
            flush(&mut pending, &mut out);
            push_text(before, &mut out);
        }
        match &mut pending {
            Some((charset, bytes)) if *charset == word.charset => bytes.extend(word.bytes),
            _ => {
                flush(&mut pending, &mut out);
                pending = Some((word.charset, word.bytes));
            }
        }
        rest = from.get(length..).unwrap_or_default();
    }
    flush(&mut pending, &mut out);
    push_text(rest, &mut out);
    out
}

/// The charset of this name. What is called ASCII but has other bytes is UTF-8 more often than anything else.
pub(crate) fn charset(label: &[u8]) -> Option<&'static Encoding> {
    let label = label.trim_ascii();
    if label.eq_ignore_ascii_case(b"us-ascii") || label.eq_ignore_ascii_case(b"ascii") {
        return Some(encoding_rs::UTF_8);
    }
    Encoding::for_label(label)
}

/// Text in a charset; what is said to be UTF-8 and isn't is read as Latin-1.
pub(crate) fn to_text<'a>(bytes: &'a [u8], charset: &'static Encoding) -> Cow<'a, str> {
    if charset != encoding_rs::UTF_8 {
        return charset.decode_without_bom_handling(bytes).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::mem::decode_latin1(bytes),
    }
}

struct EncodedWord {
    charset: &'static Encoding,
    bytes: Vec<u8>,
}

impl EncodedWord {
    /// Reads `=?charset[*language]?q|b?text?=` from the front, and tells its length.
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let inner = bytes.get(2..)?;
        // A word has at most 75 characters (RFC 2047 2); longer ones are about, but none is endless.
        let inner = inner.get(..2_000).unwrap_or(inner);
        let mut parts = inner.splitn(3, |byte| *byte == b'?');
        let (label, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let end = memchr::memmem::find(rest, b"?=")?;
        let text = rest.get(..end)?;
        let label = label.split(|byte| *byte == b'*').next()?;
        let charset = charset(label)?;
        let bytes = match encoding {
            b"q" | b"Q" => transfer::decode_q(text),
            b"b" | b"B" => transfer::decode_base64(text),
            _ => return None,
        };
        // "=?" charset "?" encoding "?" text "?="
        let length = 2 + label_length(inner) + 1 + encoding.len() + 1 + end + 2;
        Some((Self { charset, bytes }, length))
    }
}

fn label_length(inner: &[u8]) -> usize {
    memchr::memchr(b'?', inner).unwrap_or(inner.len())
}

fn flush(pending: &mut Option<(&'static Encoding, Vec<u8>)>, out: &mut String) {
    if let Some((charset, bytes)) = pending.take() {
        out.push_str(&to_text(&bytes, charset));
    }
}

fn push_text(bytes: &[u8], out: &mut String) {
    out.push_str(&to_text(bytes, encoding_rs::UTF_8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_become_text() {
        for (value, text) in [
            ("plain", "plain"),
            ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= Bonn", "Grüße aus Bonn"),
            ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
            ("=?UTF-8?B?R3LDvMOfZQ?=", "Grüße"),
            ("=?iso-8859-1?q?Andr=E9?= =?iso-8859-1?q?s?=", "Andrés"),
            ("=?iso-8859-1*fr?q?Andr=E9?=", "André"),
            ("a =?utf-8?q?b?= c =?utf-8?q?d?=\t=?utf-8?q?e?=", "a b c de"),
            ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
            ("=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            ("=?gb2312?B?xOO6ww==?=", "你好"),
            ("=?windows-1256?B?4dPnyQ==?=", "لسçة"),
            ("=?nobody-knows?q?x?=", "=?nobody-knows?q?x?="),
            ("=?utf-8?x?y?=", "=?utf-8?x?y?="),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
            ("=?=?utf-8?q?x?=", "=?x"),
            ("2 =? 3", "2 =? 3"),
            ("x=?utf-8?q?y?=z", "xyz"),
        ] {
            assert_eq!(decode(value.as_bytes()), text, "{value}");
        }
        assert_eq!(decode(b"Andr\xe9"), "André");
    }

    #[test]
    fn endless_openings_are_bounded() {
        let value = b"=?utf-8?q?".repeat(6_000);
        assert!(decode(&value).len() <= value.len());
        assert_eq!(decode(&b"=?".repeat(30_000)).len(), 60_000);
    }
}
