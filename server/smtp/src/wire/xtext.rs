//! The encodings of DSN parameters: xtext (RFC 3461 4) and utf-8-addr-xtext (RFC 6533 3).

/// Decodes xtext. `None` when it is malformed, or when it hides a control character or bytes that are not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
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

/// Decodes an internationalised address: `\x{HEX}` stands for a character, other characters for themselves.
pub(super) fn decode_utf8_address(text: &str) -> Option<String> {
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

/// The RFCs want upper case, and only upper case.
fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("a+2b", None),
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
            (r"\x{f6}", None),
            (r"a\b", None),
            (r"\x{41", None),
        ] {
            assert_eq!(decode_utf8_address(text).as_deref(), decoded, "{text}");
        }
    }
}
