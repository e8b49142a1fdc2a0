//! Modified UTF-7, in which mailbox names travel (RFC 3501 5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::SyntaxError;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Writes a name for the wire.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut shifted, &mut out);
            out.push(character);
            if character == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut shifted, &mut out);
    out
}

fn flush(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        BASE64.encode_string(&*shifted, out);
        out.push('-');
        shifted.clear();
    }
}

/// Reads a name from the wire.
///
/// # Errors
/// [`SyntaxError::MailboxName`] for anything [`encode`] could not have written, up to where runs are cut: each
/// name has one spelling.
pub fn decode(wire: &[u8]) -> Result<String, SyntaxError> {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => {
                let end = rest.iter().position(|byte| *byte == b'-').ok_or(SyntaxError::MailboxName)?;
                let (run, after) = rest.split_at_checked(end).ok_or(SyntaxError::MailboxName)?;
                rest = after.get(1..).unwrap_or_default();
                if run.is_empty() { out.push('&') } else { decode_run(run, &mut out)? }
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => return Err(SyntaxError::MailboxName),
        }
    }
    Ok(out)
}

fn decode_run(run: &[u8], out: &mut String) -> Result<(), SyntaxError> {
    let bytes = BASE64.decode(run).map_err(|_| SyntaxError::MailboxName)?;
    let (pairs, []) = bytes.as_chunks::<2>() else { return Err(SyntaxError::MailboxName) };
    for character in char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair))) {
        match character {
            Ok(character) if !character.is_ascii() => out.push(character),
            _ => return Err(SyntaxError::MailboxName),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_and_read() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("", ""),
            ("Bits & Bobs", "Bits &- Bobs"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Mülleimer ☃", "M&APw-lleimer &JgM-"),
            ("🐌", "&2D3cDA-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn what_is_not_modified_utf_7_is_refused() {
        for wire in ["&", "&AAA-", "&%%%-", "&APw", "&AGE-", "&APx-", "&2D0-", "&A-", "\u{7f}", "a\nb", "ü", "&APw=-"]
        {
            assert_eq!(decode(wire.as_bytes()), Err(SyntaxError::MailboxName), "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[ -~\u{80}-\u{10ffff}]*") {
            prop_assert_eq!(decode(encode(&name).as_bytes()).unwrap(), name);
        }

        #[test]
        fn rubbish_never_panics(wire in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&wire);
        }
    }
}
