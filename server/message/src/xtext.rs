//! How delivery notifications write what may hold any character: xtext (RFC 3461 4), for internationalised addresses
//! utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 3).
//!
//! What is encoded has no space and no control character; what is decoded has no control character.

use std::fmt::Write as _;

/// Encodes a text in ASCII.
///
/// ```
/// assert_eq!(mailstead_message::xtext::encode("a+b c"), "a+2Bb+20c");
/// ```
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=') {
            out.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(out, "+{byte:02X}");
        }
    }
    out
}

/// Decodes xtext. `None` when it is malformed, or when it hides a control character or bytes that are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => {
                let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
                out.push(high << 4 | low);
            }
            b'=' => return None,
            b'!'..=b'~' => out.push(byte),
            _ => return None,
        }
    }
    printable(String::from_utf8(out).ok()?)
}

/// Encodes an internationalised address; in ASCII, unless `unicode` lets the characters beyond it stand.
///
/// ```
/// use mailstead_message::xtext::encode_utf8_address;
///
/// assert_eq!(encode_utf8_address("jörg@world.test", false), r"j\x{F6}rg@world.test");
/// assert_eq!(encode_utf8_address("jörg@world.test", true), "jörg@world.test");
/// ```
pub fn encode_utf8_address(address: &str, unicode: bool) -> String {
    let mut out = String::with_capacity(address.len());
    for character in address.chars() {
        let stands = if character.is_ascii() {
            character.is_ascii_graphic() && !matches!(character, '+' | '=' | '\\')
        } else {
            unicode && !character.is_control()
        };
        if stands {
            out.push(character);
        } else {
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(character));
        }
    }
    out
}

/// Decodes an internationalised address: `\x{HEX}` stands for a character, other characters for themselves. `None` when
/// it is malformed or hides a control character.
pub fn decode_utf8_address(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        let (digits, after) = escaped.strip_prefix("x{")?.split_once('}')?;
        if !(1..=6).contains(&digits.len()) || !digits.bytes().all(|byte| hex(byte).is_some()) {
            return None;
        }
        out.push_str(before);
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    printable(out)
}

fn printable(text: String) -> Option<String> {
    (!text.chars().any(char::is_control)).then_some(text)
}

/// The RFCs want upper case; no letter is worth losing over the other.
fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_break_a_line_is_encoded() {
        for (text, encoded) in [
            ("bob@world.test", "bob@world.test"),
            ("a+b=c", "a+2Bb+3Dc"),
            ("a b\r\nRSET\0", "a+20b+0D+0ARSET+00"),
            ("é\u{7f}", "+C3+A9+7F"),
        ] {
            assert_eq!(encode(text), encoded);
        }
        for (address, ascii, unicode) in [
            ("jörg@world.test", r"j\x{F6}rg@world.test", "jörg@world.test"),
            ("a\\b\u{7f}\u{85}", r"a\x{5C}b\x{7F}\x{85}", r"a\x{5C}b\x{7F}\x{85}"),
            ("a+b=c d\r\n", r"a\x{2B}b\x{3D}c\x{20}d\x{0D}\x{0A}", r"a\x{2B}b\x{3D}c\x{20}d\x{0D}\x{0A}"),
        ] {
            assert_eq!(encode_utf8_address(address, false), ascii);
            assert_eq!(encode_utf8_address(address, true), unicode);
        }
    }

    #[test]
    fn xtext_is_decoded_and_nothing_dangerous_comes_out_of_it() {
        for (text, decoded) in [
            ("QQ314159", Some("QQ314159")),
            ("a+2Bb+3Dc", Some("a+b=c")),
            ("a+20b", Some("a b")),
            ("+C3+B6", Some("ö")),
            ("a+0D+0AX:+20y", None),
            ("a+00", None),
            ("a+7F", None),
            ("a=b", None),
            ("a+2", None),
            ("a+2b", Some("a+")),
            ("+FF", None),
            ("a b", None),
            ("é", None),
        ] {
            assert_eq!(decode(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn utf8_addresses_are_decoded_and_nothing_dangerous_comes_out_of_them() {
        for (text, decoded) in [
            (r"j\x{F6}rg@world.test", Some("jörg@world.test")),
            ("jörg@world.test", Some("jörg@world.test")),
            (r"a\x{5C}b", Some(r"a\b")),
            (r"\x{D}\x{A}", None),
            (r"\x{D800}", None),
            (r"\x{110000}", None),
            (r"\x{}", None),
            (r"\x{f6}", Some("ö")),
            (r"a\b", None),
            (r"\x{41", None),
        ] {
            assert_eq!(decode_utf8_address(text).as_deref(), decoded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in "\\PC{0,40}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text.clone()));
            for unicode in [false, true] {
                prop_assert_eq!(decode_utf8_address(&encode_utf8_address(&text, unicode)), Some(text.clone()));
            }
        }
    }
}
