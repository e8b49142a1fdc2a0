//! Structured MIME header values: a token or a media type, then parameters (RFC 2045 5.1, RFC 2183), read leniently.

use crate::summary::Params;

/// Parameters read from one field.
const MAX_PARAMS: usize = 64;

/// A value like `text/plain; charset=utf-8`: what stands before the first semicolon, in upper case and without
/// comments, and the parameters. RFC 2231 forms (`name*0*`) are kept as they are written.
pub(crate) fn parse(value: &[u8]) -> (Vec<u8>, Params) {
    let mut rest = Cursor { bytes: value, at: 0 };
    let head = rest.value().to_ascii_uppercase();
    let mut params = Params::new();
    while rest.next_param() && params.len() < MAX_PARAMS {
        let name = rest.name().to_ascii_uppercase();
        let value = if rest.take(b'=') { rest.value() } else { continue };
        if !name.is_empty() {
            params.push((name, value));
        }
    }
    (head, params)
}

/// A comma-separated list of tokens, comments dropped (`Content-Language`).
pub(crate) fn tokens(value: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = Cursor { bytes: value, at: 0 };
    let text = rest.value();
    let tags = text.split(|byte| *byte == b',').map(|tag| tag.trim_ascii().to_vec());
    tags.filter(|tag| !tag.is_empty()).take(MAX_PARAMS).collect()
}

/// The value of a parameter by its name in upper case.
pub(crate) fn param<'a>(params: &'a Params, name: &str) -> Option<&'a [u8]> {
    params.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Goes behind the next semicolon; quotes were passed by [`Self::value`] already.
    fn next_param(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            self.at += 1;
            if byte == b';' {
                return true;
            }
        }
        false
    }

    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        self.skip_blanks();
        while let Some(byte) = self.peek() {
            match byte {
                b'=' | b';' => break,
                b'(' => self.comment(),
                _ => {
                    name.push(byte);
                    self.at += 1;
                }
            }
        }
        name.trim_ascii().to_vec()
    }

    /// A quoted string, or everything up to the semicolon: agents that forget the quotes around a file name with
    /// spaces are many.
    fn value(&mut self) -> Vec<u8> {
        self.skip_blanks();
        if self.take(b'"') {
            return self.quoted();
        }
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b';' => break,
                // A parenthesis inside a word is no comment but a file name somebody forgot to quote.
                b'(' if value.last().is_none_or(u8::is_ascii_whitespace) => self.comment(),
                b'\r' | b'\n' => self.at += 1,
                _ => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        value.trim_ascii().to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    value.extend(self.peek());
                    self.at += 1;
                }
                b'\r' | b'\n' => {}
                _ => value.push(byte),
            }
        }
        value
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'(' => self.comment(),
                _ => break,
            }
        }
    }

    /// Passes over a comment with those nested in it.
    fn comment(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shown(value: &str) -> String {
        let (head, params) = parse(value.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        params.iter().fold(text(&head), |all, (name, value)| format!("{all}|{}={}", text(name), text(value)))
    }

    #[test]
    fn values_and_parameters_are_taken_apart() {
        for (value, expected) in [
            (" text/plain; charset=UTF-8", "TEXT/PLAIN|CHARSET=UTF-8"),
            ("text/plain;charset=\"utf-8\";format=flowed;", "TEXT/PLAIN|CHARSET=utf-8|FORMAT=flowed"),
            ("text/plain (hi; there) ; (x) charset (y) = (z) us-ascii (plain)", "TEXT/PLAIN|CHARSET=us-ascii"),
            ("multipart/mixed;\r\n\tboundary=\"a;b\\\"c\"", "MULTIPART/MIXED|BOUNDARY=a;b\"c"),
            ("multipart/mixed; boundary=a=b==_c", "MULTIPART/MIXED|BOUNDARY=a=b==_c"),
            ("attachment; filename=my file(1).pdf; size=3", "ATTACHMENT|FILENAME=my file(1).pdf|SIZE=3"),
            ("attachment; filename*0*=utf-8''a%20; filename*1=b", "ATTACHMENT|FILENAME*0*=utf-8''a%20|FILENAME*1=b"),
            ("inline", "INLINE"),
            ("", ""),
            (";;=x; novalue; a=", "|A="),
            ("a; b=\"open", "A|B=open"),
            ("a; b=(((", "A|B="),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
        assert_eq!(tokens(b"de, en (x),,"), [b"de".to_vec(), b"en".to_vec()]);
        assert_eq!(parse(&b"a;b=c".repeat(10_000)).1.len(), MAX_PARAMS);
    }
}
