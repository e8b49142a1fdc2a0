//! Address lists as they stand in header fields (RFC 5322 3.4, with the obsolete forms of 4.4), read leniently: bytes
//! that fit no rule belong to the nearest word.

use serde::{Deserialize, Serialize};

use crate::address::{Address, AddressError, Domain, LocalPart};
use crate::header::unfold;

/// Addresses read from one field; the rest of a longer list is passed over.
pub(crate) const MAX_ADDRESSES: usize = 2_000;

/// One address of a list; a group begins with `host: None, mailbox: Some(name)` and ends with both `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Display name, RFC 2047 encoding kept.
    pub name: Option<Vec<u8>>,
    /// Local part without its quotes, or the group's name.
    pub mailbox: Option<Vec<u8>>,
    /// Domain; empty where an address has none.
    pub host: Option<Vec<u8>>,
}

impl Mailbox {
    /// True for the entries that mark the begin and the end of a group.
    pub fn is_group(&self) -> bool {
        self.host.is_none()
    }

    /// The address, if it is one that mail can be sent to.
    pub fn address(&self) -> Result<Address, AddressError> {
        let text = |bytes: &Option<Vec<u8>>| bytes.clone().and_then(|b| String::from_utf8(b).ok());
        let local = text(&self.mailbox).ok_or(AddressError::LocalPart)?;
        let host = text(&self.host).ok_or(AddressError::Domain)?;
        Ok(Address::new(LocalPart::from_unquoted(&local)?, Domain::parse(&host)?))
    }
}

/// The addresses in the raw value of a field such as `From` or `To`. Routes and comments are dropped; a comment serves
/// as the name where there is no other (`bob@world.test (Bob)`).
pub fn addresses(value: &[u8]) -> Vec<Mailbox> {
    let value = unfold(value);
    let mut list = List::default();
    for token in (Tokens { bytes: &value, at: 0, spaced: false }) {
        if list.mailboxes.len() >= MAX_ADDRESSES {
            break;
        }
        list.take(token);
    }
    list.finish_address();
    list.finish_group();
    list.mailboxes
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// An atom, quoted string (unquoted) or domain literal, and whether white space or a comment stood before it.
    Word(Vec<u8>, bool),
    Comment(Vec<u8>),
    /// One of `<>@,:;`.
    Special(u8),
}

/// What is known so far of the list and of the address under way.
#[derive(Default)]
struct List {
    mailboxes: Vec<Mailbox>,
    in_group: bool,
    /// Words before `<`, or of a bare address.
    outside: Words,
    /// Words between `<` and `>`, once there were such.
    inside: Option<Words>,
    /// Between `<` and `>` now.
    angle: bool,
    /// Something unreadable stands behind `>`.
    spoilt: bool,
    comment: Option<Vec<u8>>,
}

/// Words with at most one `@` among them.
#[derive(Default)]
struct Words {
    local: Vec<u8>,
    domain: Option<Vec<u8>>,
    /// The words as a phrase, single spaces between them.
    phrase: Vec<u8>,
}

impl List {
    fn take(&mut self, token: Token) {
        match token {
            Token::Comment(text) => self.comment = Some(text).filter(|text| !text.is_empty()).or(self.comment.take()),
            Token::Word(word, spaced) => match self.current() {
                Some(words) => words.word(&word, spaced),
                None => self.spoilt = true,
            },
            Token::Special(b'@') => match self.current() {
                Some(words) => words.at(),
                None => self.spoilt = true,
            },
            Token::Special(b'<') if self.inside.is_none() => {
                self.inside = Some(Words::default());
                self.angle = true;
            }
            Token::Special(b'<') => self.spoilt = true,
            Token::Special(b'>') => self.angle = false,
            // A source route ends here and is dropped (RFC 5322 4.4).
            Token::Special(b':') if self.angle => self.inside = Some(Words::default()),
            Token::Special(b':') => self.begin_group(),
            // Commas in a route.
            Token::Special(b',') if self.angle && self.inside.as_ref().is_some_and(Words::is_route) => {}
            Token::Special(b';') => {
                self.finish_address();
                self.finish_group();
            }
            Token::Special(_) => self.finish_address(),
        }
    }

    /// The words that take what comes now: none behind `>`.
    fn current(&mut self) -> Option<&mut Words> {
        match (&mut self.inside, self.angle) {
            (Some(inside), true) => Some(inside),
            (Some(_), false) => None,
            (None, _) => Some(&mut self.outside),
        }
    }

    fn begin_group(&mut self) {
        if self.in_group || self.inside.is_some() || self.outside.domain.is_some() {
            return self.finish_address();
        }
        let name = std::mem::take(&mut self.outside).phrase;
        self.comment = None;
        self.in_group = true;
        self.mailboxes.push(Mailbox { name: None, mailbox: Some(name), host: None });
    }

    fn finish_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            self.mailboxes.push(Mailbox::default());
        }
    }

    fn finish_address(&mut self) {
        let (outside, inside) = (std::mem::take(&mut self.outside), self.inside.take());
        let (comment, spoilt) = (self.comment.take(), std::mem::take(&mut self.spoilt));
        self.angle = false;
        let filled = |bytes: Vec<u8>| Some(bytes).filter(|bytes| !bytes.is_empty());
        let (name, words) = match inside {
            Some(inside) => (filled(outside.phrase).or(comment), inside),
            None if outside.is_empty() => return,
            None => (comment, outside),
        };
        let (mut mailbox, host) = match words.domain {
            Some(domain) => (words.local, domain),
            None => (words.phrase, Vec::new()),
        };
        if spoilt {
            // Two readings of such an address exist in the world; ours must not pass for either.
            mailbox.push(b' ');
        }
        self.mailboxes.push(Mailbox {
            name,
            mailbox: Some(mailbox),
            host: Some(if spoilt { Vec::new() } else { host }),
        });
    }
}

impl Words {
    fn word(&mut self, word: &[u8], spaced: bool) {
        if spaced && !self.phrase.is_empty() {
            self.phrase.push(b' ');
        }
        self.phrase.extend_from_slice(word);
        self.domain.as_mut().unwrap_or(&mut self.local).extend_from_slice(word);
    }

    /// Of several `@` the last one counts; the others belong to the local part.
    fn at(&mut self) {
        self.phrase.push(b'@');
        if let Some(domain) = self.domain.replace(Vec::new()) {
            self.local.push(b'@');
            self.local.extend(domain);
        }
    }

    fn is_route(&self) -> bool {
        self.local.first().is_none_or(|first| *first == b'@') && self.domain.is_some()
    }

    fn is_empty(&self) -> bool {
        self.phrase.is_empty()
    }
}

/// Cuts an unfolded value into tokens; every step takes at least one byte.
struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    spaced: bool,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            let token = match byte {
                b' ' | b'\t' => {
                    self.spaced = true;
                    continue;
                }
                b'(' => {
                    self.spaced = true;
                    return Some(Token::Comment(self.comment()));
                }
                b'<' | b'>' | b'@' | b',' | b':' | b';' => Token::Special(byte),
                b'"' => Token::Word(self.until(b'"'), self.spaced),
                b'[' => Token::Word([&b"["[..], &self.until(b']'), b"]"].concat(), self.spaced),
                _ => Token::Word(self.atom(), self.spaced),
            };
            self.spaced = false;
            return Some(token);
        }
    }
}

impl Tokens<'_> {
    fn atom(&mut self) -> Vec<u8> {
        let rest = self.bytes.get(self.at - 1..).unwrap_or_default();
        let ends =
            |byte: &u8| matches!(byte, b' ' | b'\t' | b'(' | b'<' | b'>' | b'@' | b',' | b':' | b';' | b'"' | b'[');
        let length = rest.iter().skip(1).position(ends).map_or(rest.len(), |at| at + 1);
        self.at += length - 1;
        rest.get(..length).unwrap_or_default().to_vec()
    }

    /// Takes up to the closing byte or the end, backslashes resolved.
    fn until(&mut self, close: u8) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => text.extend(self.quoted_pair()),
                _ if byte == close => break,
                _ => text.push(byte),
            }
        }
        text
    }

    /// Takes what stands behind a backslash.
    fn quoted_pair(&mut self) -> Option<u8> {
        self.at += 1;
        self.bytes.get(self.at - 1).copied()
    }

    /// Takes a comment whose first parenthesis is behind us; those nested in it are kept.
    fn comment(&mut self) -> Vec<u8> {
        let (mut text, mut depth) = (Vec::new(), 1);
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => {
                    text.extend(self.quoted_pair());
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            text.push(byte);
        }
        text.trim_ascii().to_vec()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shown(value: &str) -> Vec<String> {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map_or_else(|| "NIL".to_owned(), |b| String::from_utf8(b.clone()).unwrap())
        };
        addresses(value.as_bytes())
            .iter()
            .map(|m| format!("{}|{}|{}", text(&m.name), text(&m.mailbox), text(&m.host)))
            .collect()
    }

    #[test]
    fn address_lists_are_taken_apart() {
        for (value, expected) in [
            ("", &[][..]),
            ("bob@world.test", &["NIL|bob|world.test"]),
            ("<bob@world.test>", &["NIL|bob|world.test"]),
            ("Bob <bob@world.test>", &["Bob|bob|world.test"]),
            ("Bob B. Brown<bob@world.test>", &["Bob B. Brown|bob|world.test"]),
            ("\"Brown, Bob \\\"B\\\"\" <bob@world.test>", &["Brown, Bob \"B\"|bob|world.test"]),
            ("=?utf-8?q?J=C3=B6rg?=\r\n =?utf-8?q?_M?= <j@m.test>", &["=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?=|j|m.test"]),
            ("Jörg <jörg@bücher.test>", &["Jörg|jörg|bücher.test"]),
            ("bob@world.test (Bob (the) builder)", &["Bob (the) builder|bob|world.test"]),
            ("bob @ world . test", &["NIL|bob|world.test"]),
            ("\"b o b\"@world.test", &["NIL|b o b|world.test"]),
            ("\"a@b\"@world.test", &["NIL|a@b|world.test"]),
            ("bob@[192.0.2.1]", &["NIL|bob|[192.0.2.1]"]),
            ("<@a.test,@b.test:bob@world.test>", &["NIL|bob|world.test"]),
            ("a@a.test,, b@b.test,", &["NIL|a|a.test", "NIL|b|b.test"]),
            ("a@a.test; b@b.test", &["NIL|a|a.test", "NIL|b|b.test"]),
            (
                "Friends: Bob <bob@world.test>, c@d.test;",
                &["NIL|Friends|NIL", "Bob|bob|world.test", "NIL|c|d.test", "NIL|NIL|NIL"],
            ),
            ("undisclosed-recipients:;", &["NIL|undisclosed-recipients|NIL", "NIL|NIL|NIL"]),
            ("A: a@b.test; c@d.test", &["NIL|A|NIL", "NIL|a|b.test", "NIL|NIL|NIL", "NIL|c|d.test"]),
            ("Open: a@b.test", &["NIL|Open|NIL", "NIL|a|b.test", "NIL|NIL|NIL"]),
            ("bob", &["NIL|bob|"]),
            ("bob brown", &["NIL|bob brown|"]),
            ("bob@world.test <bob@world.test>", &["bob@world.test|bob|world.test"]),
            ("Bob <>", &["Bob||"]),
            ("a@b.test@c.test", &["NIL|a@b.test|c.test"]),
            ("<a@b.test> c@d.test", &["NIL|a |"]),
            ("\"open <a@b.test>", &["NIL|open <a@b.test>|"]),
            ("(only a comment)", &[]),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn a_local_part_that_needed_quotes_gets_them_back() {
        let list = addresses(b"\"b o b\"@World.test");
        assert_eq!(list.first().unwrap().address().unwrap().to_string(), "\"b o b\"@world.test");
    }

    #[test]
    fn long_and_deep_lists_are_cut() {
        assert_eq!(addresses(&b"a@b.test,".repeat(100_000)).len(), MAX_ADDRESSES);
        assert_eq!(addresses(&b"(".repeat(1_000_000)).len(), 0);
        assert!(addresses(&b"a:".repeat(100_000)).len() <= MAX_ADDRESSES + 1);
        assert!(addresses(&b"<".repeat(100_000)).len() <= 1);
    }
}
