//! The encodings of DSN parameters: xtext (RFC 3461 4) and utf-8-addr-xtext (RFC 6533 3).

use std::fmt::Write as _;

/// Encodes any text so that it can stand in a command: no space, control or non-ASCII byte remains.
pub(super) fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'+' && byte != b'=' {
            out.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(out, "+{byte:02X}");
        }
    }
    out
}

/// Encodes an internationalised address in ASCII.
fn utf8_addr_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_graphic() && !matches!(character, '+' | '=' | '\\') {
            out.push(character);
        } else {
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(character));
        }
    }
    out
}

/// The value of ORCPT: address type and encoded address.
pub(super) fn orcpt(kind: &str, address: &str) -> String {
    let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if kind.eq_ignore_ascii_case("utf-8") || !address.is_ascii() {
        format!("utf-8;{}", utf8_addr_xtext(address))
    } else {
        format!("{kind};{}", xtext(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_a_command_is_encoded() {
        for (kind, address, value) in [
            ("rfc822", "bob@world.test", "rfc822;bob@world.test"),
            ("rfc822", "a+b=c@world.test", "rfc822;a+2Bb+3Dc@world.test"),
            ("rfc822", "a b\r\nRSET@x", "rfc822;a+20b+0D+0ARSET@x"),
            ("rfc822", "jörg@world.test", "utf-8;j\\x{F6}rg@world.test"),
            ("utf-8", "a\\b\u{7f}@world.test", "utf-8;a\\x{5C}b\\x{7F}@world.test"),
            ("x y\r\n", "z", "xy;z"),
        ] {
            assert_eq!(orcpt(kind, address), value);
        }
        assert_eq!(xtext("é"), "+C3+A9");
    }
}
