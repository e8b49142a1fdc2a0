//! Content transfer encodings (RFC 2045 6), decoded leniently: for searching and showing, never for handing on.

/// Decodes base64; whatever is outside the alphabet is passed over, and the first padding ends it.
pub(crate) fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for &letter in text {
        let six = match BASE64.get(usize::from(letter)) {
            Some(&six) if six < 64 => u32::from(six),
            _ if letter == b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | six;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

/// Decodes quoted-printable: soft line breaks vanish, what is malformed stays as it is.
pub(crate) fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        bytes.extend_from_slice(before);
        rest = match from {
            [_, b'\r', b'\n', after @ ..] | [_, b'\n', after @ ..] => after,
            [_, high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    after
                }
                _ => keep_equals(from, &mut bytes),
            },
            _ => keep_equals(from, &mut bytes),
        };
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Decodes the `Q` encoding of encoded words (RFC 2047 4.2), in which an underscore is a space.
pub(crate) fn decode_q(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    decode_quoted_printable(&spaced)
}

fn keep_equals<'a>(from: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    bytes.push(b'=');
    from.get(1..).unwrap_or_default()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

const BASE64: [u8; 256] = {
    let mut table = [64u8; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    while index < 64 {
        table[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_over_line_ends_and_rubbish() {
        for (text, bytes) in
            [("", ""), ("SGFsbG8=", "Hallo"), ("SGF\r\nsb\tG8", "Hallo"), ("SGFsbG8=SGFs", "Hallo"), ("S!G?F", "Ha")]
        {
            assert_eq!(decode_base64(text.as_bytes()), bytes.as_bytes(), "{text}");
        }
    }

    #[test]
    fn quoted_printable_is_decoded_leniently() {
        for (text, bytes) in [
            ("a=3Db", &b"a=b"[..]),
            ("a=\r\nb=\nc", b"abc"),
            ("=c3=BC", b"\xc3\xbc"),
            ("100% = x =zz =", b"100% = x =zz ="),
            ("==41", b"=A"),
        ] {
            assert_eq!(decode_quoted_printable(text.as_bytes()), bytes, "{text}");
        }
        assert_eq!(decode_q(b"a_b=5F"), b"a b_");
    }
}
