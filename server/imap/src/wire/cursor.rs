//! Reading the small pieces of a command: atoms, strings, numbers (RFC 3501 section 9).

use std::borrow::Cow;

use super::{SyntaxError, mutf7};

/// A place in a command's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// `ATOM-CHAR`.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`.
pub(crate) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error that something else belongs here.
    pub(crate) fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError::Expected { expected, at: self.at }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes the byte if it is that one.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn demand(&mut self, byte: u8, name: &'static str) -> Result<(), SyntaxError> {
        if self.eat(byte) { Ok(()) } else { Err(self.expected(name)) }
    }

    pub(crate) fn space(&mut self) -> Result<(), SyntaxError> {
        self.demand(b' ', "a space")
    }

    pub(crate) fn open(&mut self) -> Result<(), SyntaxError> {
        self.demand(b'(', "(")
    }

    pub(crate) fn close(&mut self) -> Result<(), SyntaxError> {
        self.demand(b')', ")")
    }

    /// Nothing may follow; a trailing space is forgiven, since some clients send one.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        self.eat(b' ');
        if self.is_at_end() { Ok(()) } else { Err(self.expected("the end of the command")) }
    }

    /// Takes the longest run of such bytes, perhaps none.
    pub(crate) fn run(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !accept(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Takes these letters in any case.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.rest().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub(crate) fn atom(&mut self) -> Result<&'a str, SyntaxError> {
        let start = *self;
        let atom = self.run(is_atom_char);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => Err(start.expected("an atom")),
        }
    }

    /// An atom in upper case.
    pub(crate) fn keyword(&mut self) -> Result<String, SyntaxError> {
        self.atom().map(str::to_ascii_uppercase)
    }

    pub(crate) fn number(&mut self) -> Result<u32, SyntaxError> {
        let start = *self;
        self.number64().ok().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| start.expected("a number"))
    }

    /// RFC 7162 `mod-sequence-valzer`, at most 63 bits.
    pub(crate) fn number64(&mut self) -> Result<u64, SyntaxError> {
        let start = *self;
        let digits = self.run(|byte| byte.is_ascii_digit());
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        number.filter(|number| *number <= i64::MAX as u64).ok_or_else(|| start.expected("a number"))
    }

    /// `string`: quoted or literal. 8-bit characters are let through, for passwords and searches have them.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(self.expected("a string")),
        }
    }

    pub(crate) fn astring(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        self.string_or(is_astring_char)
    }

    /// `list-mailbox`: a pattern may hold wildcards unquoted.
    pub(crate) fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        self.string_or(|byte| is_astring_char(byte) || byte == b'%' || byte == b'*')
    }

    fn string_or(&mut self, accept: impl Fn(u8) -> bool) -> Result<Cow<'a, [u8]>, SyntaxError> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string();
        }
        match self.run(accept) {
            [] => Err(self.expected("a string")),
            run => Ok(Cow::Borrowed(run)),
        }
    }

    /// `nstring`.
    pub(crate) fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>, SyntaxError> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// A mailbox name, decoded; INBOX in any case is `INBOX`.
    pub(crate) fn mailbox(&mut self) -> Result<String, SyntaxError> {
        let name = mutf7::decode(&self.astring()?)?;
        Ok(if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name })
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        let start = *self;
        self.demand(b'"', "a quoted string")?;
        let plain = self.run(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(escaped @ (b'"' | b'\\')) => text.push(escaped),
                        _ => return Err(self.expected("a quote or backslash behind the backslash")),
                    }
                    self.at += 1;
                }
                Some(b'\r' | b'\n' | 0) | None => return Err(start.expected("a quoted string with its end")),
                Some(_) => {
                    let more = self.run(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
                    text.extend_from_slice(more);
                }
            }
        }
    }

    fn literal(&mut self) -> Result<&'a [u8], SyntaxError> {
        let start = *self;
        let wrong = || start.expected("a literal");
        self.demand(b'{', "a literal")?;
        let size = usize::try_from(self.number64()?).map_err(|_| wrong())?;
        self.eat(b'+');
        self.demand(b'}', "}")?;
        self.eat(b'\r');
        self.demand(b'\n', "a line end")?;
        let bytes = self.rest().get(..size).ok_or_else(wrong)?;
        if bytes.contains(&0) {
            return Err(start.expected("a literal without NUL"));
        }
        self.at += size;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn strings_of_every_kind_are_read() {
        for (wire, text) in [
            ("atom", "atom"),
            ("a]b", "a]b"),
            ("\"\"", ""),
            ("\"a b\"", "a b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("\"pässwörd\"", "pässwörd"),
            ("{3}\r\na\r\n", "a\r\n"),
            ("{0+}\r\n", ""),
        ] {
            let mut cursor = Cursor::new(wire.as_bytes());
            assert_eq!(cursor.astring().unwrap(), text.as_bytes(), "{wire:?}");
            assert!(cursor.is_at_end(), "{wire:?}");
        }
    }

    #[test]
    fn broken_strings_are_refused() {
        for wire in
            ["", "\"", "\"a", "\"a\\", "\"a\\b\"", "\"a\r\nb\"", "{5}\r\nabc", "{5}abcde", "{1}\r\n\0", "(", "é"]
        {
            assert!(Cursor::new(wire.as_bytes()).astring().is_err(), "{wire:?}");
        }
    }

    #[test]
    fn numbers_keep_within_their_bounds() {
        assert_eq!(Cursor::new(b"4294967295").number().unwrap(), u32::MAX);
        assert!(Cursor::new(b"4294967296").number().is_err());
        assert_eq!(Cursor::new(b"9223372036854775807").number64().unwrap(), i64::MAX as u64);
        assert!(Cursor::new(b"9223372036854775808").number64().is_err());
        assert!(Cursor::new(b"99999999999999999999999").number64().is_err());
        assert!(Cursor::new(b"x").number().is_err());
    }
}
