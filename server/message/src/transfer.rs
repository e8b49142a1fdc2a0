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

/// Encodes text with CRLF line ends as quoted-printable, no line longer than 76 characters.
pub(crate) fn encode_quoted_printable(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len() * 5 / 4);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            encoded.push_str("\r\n");
        }
        encode_line(line.strip_suffix(b"\r").unwrap_or(line), &mut encoded);
    }
    encoded
}

fn encode_line(line: &[u8], encoded: &mut String) {
    let mut column = 0;
    for (at, &byte) in line.iter().enumerate() {
        let blank_at_end = matches!(byte, b' ' | b'\t') && at + 1 == line.len();
        let plain = matches!(byte, b' '..=b'~' | b'\t') && byte != b'=' && !blank_at_end;
        let width = if plain { 1 } else { 3 };
        // The last column is left for the soft line break.
        if column + width > 75 {
            encoded.push_str("=\r\n");
            column = 0;
        }
        if plain {
            encoded.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
            encoded.extend(['=', digit(byte >> 4), digit(byte & 15)]);
        }
        column += width;
    }
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

    #[test]
    fn quoted_printable_is_written_so_that_it_is_read_back() {
        let long = format!("{}\r\n{} \r\n", "ü=".repeat(100), "x".repeat(300));
        for text in ["", "plain\r\n", "a = b \r\n\tc\t", &long] {
            let encoded = encode_quoted_printable(text.as_bytes());
            assert!(encoded.is_ascii() && encoded.split("\r\n").all(|line| line.len() <= 76));
            assert_eq!(decode_quoted_printable(encoded.as_bytes()), text.as_bytes());
        }
    }
}
