//! What FETCH asks for (RFC 3501 6.4.5), and how sections are written back.

use super::cursor::{Cursor, is_astring_char};
use super::{SyntaxError, encode};

/// Items one FETCH may name: each costs an answer per message.
const MAX_ITEMS: usize = 50;
/// Field names in one HEADER.FIELDS.
const MAX_FIELDS: usize = 500;
/// Numbers in a part's address; deeper trees than this are not looked into anyway.
const MAX_PART_DEPTH: usize = 100;

/// The items and modifiers of a FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What to tell of each message, each once, in order.
    pub items: Vec<FetchItem>,
    /// `CHANGEDSINCE` (RFC 7162 3.1.4).
    pub changed_since: Option<u64>,
}

/// One FETCH item; macros are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the RFC's own words")]
pub enum FetchItem {
    Uid,
    Flags,
    InternalDate,
    Rfc822Size,
    ModSeq,
    Envelope,
    /// `BODY`: BODYSTRUCTURE without extension data.
    Body,
    BodyStructure,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    /// `BODY[…]` and `BODY.PEEK[…]`.
    Section {
        section: Section,
        partial: Option<Partial>,
        peek: bool,
    },
}

/// Which bytes of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The part's address; empty for the message itself.
    pub part: Vec<u32>,
    /// What of it; `None` for all (of a part: its body).
    pub text: Option<SectionText>,
}

/// What of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the RFC's own words")]
pub enum SectionText {
    Header,
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    Mime,
}

/// `<first.length>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The first byte.
    pub first: u64,
    /// At most so many.
    pub length: u64,
}

impl Fetch {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut fetch = Self { items: Vec::new(), changed_since: None };
        if cursor.eat(b'(') {
            loop {
                fetch.add(item(cursor)?)?;
                if cursor.eat(b')') {
                    break;
                }
                cursor.space()?;
            }
        } else if let Some(items) = macro_items(cursor) {
            fetch.items = items;
        } else {
            fetch.add(item(cursor)?)?;
        }
        if cursor.eat(b' ') && !cursor.is_at_end() {
            cursor.open()?;
            if !cursor.eat_word("CHANGEDSINCE ") {
                return Err(cursor.expected("CHANGEDSINCE"));
            }
            fetch.changed_since = Some(cursor.number64()?);
            cursor.close()?;
        }
        Ok(fetch)
    }

    fn add(&mut self, item: FetchItem) -> Result<(), SyntaxError> {
        if self.items.len() == MAX_ITEMS {
            return Err(SyntaxError::TooMany("FETCH items"));
        }
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        Ok(())
    }
}

fn macro_items(cursor: &mut Cursor<'_>) -> Option<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    let mut ahead = *cursor;
    let items = match ahead.keyword().ok()?.as_str() {
        "ALL" => vec![Flags, InternalDate, Rfc822Size, Envelope],
        "FAST" => vec![Flags, InternalDate, Rfc822Size],
        "FULL" => vec![Flags, InternalDate, Rfc822Size, Envelope, Body],
        _ => return None,
    };
    *cursor = ahead;
    Some(items)
}

fn item(cursor: &mut Cursor<'_>) -> Result<FetchItem, SyntaxError> {
    let start = *cursor;
    let name = cursor.run(|byte| byte.is_ascii_alphanumeric() || byte == b'.').to_ascii_uppercase();
    Ok(match name.as_slice() {
        b"UID" => FetchItem::Uid,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"MODSEQ" => FetchItem::ModSeq,
        b"ENVELOPE" => FetchItem::Envelope,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"BODY" if cursor.peek() != Some(b'[') => FetchItem::Body,
        b"BODY" => section_item(cursor, false)?,
        b"BODY.PEEK" => section_item(cursor, true)?,
        _ => return Err(start.expected("a FETCH item")),
    })
}

fn section_item(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, SyntaxError> {
    cursor.demand(b'[', "[")?;
    let section = Section::parse(cursor)?;
    cursor.demand(b']', "]")?;
    let partial = if cursor.eat(b'<') {
        let first = cursor.number64()?;
        cursor.demand(b'.', ".")?;
        let start = *cursor;
        let length = cursor.number64()?;
        if length == 0 {
            return Err(start.expected("a number from 1"));
        }
        cursor.demand(b'>', ">")?;
        Some(Partial { first, length })
    } else {
        None
    };
    Ok(FetchItem::Section { section, partial, peek })
}

impl Section {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut section = Self::default();
        loop {
            match cursor.peek() {
                Some(b']') if section.part.is_empty() => return Ok(section),
                Some(b'0'..=b'9') => {
                    let start = *cursor;
                    let number = cursor.number()?;
                    if number == 0 {
                        return Err(start.expected("a part number from 1"));
                    }
                    if section.part.len() == MAX_PART_DEPTH {
                        return Err(SyntaxError::TooMany("levels of parts"));
                    }
                    section.part.push(number);
                    if !cursor.eat(b'.') {
                        return Ok(section);
                    }
                }
                _ => {
                    section.text = Some(section_text(cursor, !section.part.is_empty())?);
                    return Ok(section);
                }
            }
        }
    }

    /// Writes what stands between the brackets.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (index, number) in self.part.iter().enumerate() {
            if index > 0 {
                out.push(b'.');
            }
            out.extend_from_slice(number.to_string().as_bytes());
        }
        let Some(text) = &self.text else { return };
        if !self.part.is_empty() {
            out.push(b'.');
        }
        match text {
            SectionText::Header => out.extend_from_slice(b"HEADER"),
            SectionText::Text => out.extend_from_slice(b"TEXT"),
            SectionText::Mime => out.extend_from_slice(b"MIME"),
            SectionText::HeaderFields(names) => write_fields("HEADER.FIELDS (", names, out),
            SectionText::HeaderFieldsNot(names) => write_fields("HEADER.FIELDS.NOT (", names, out),
        }
    }
}

fn write_fields(what: &str, names: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(what.as_bytes());
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        // The name as an atom where it can be one: clients compare it with what they sent.
        if name.bytes().all(is_astring_char) && !name.is_empty() {
            out.extend_from_slice(name.as_bytes());
        } else {
            encode::string(name.as_bytes(), out);
        }
    }
    out.push(b')');
}

fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Result<SectionText, SyntaxError> {
    let start = *cursor;
    let name = cursor.run(|byte| byte.is_ascii_alphabetic() || byte == b'.').to_ascii_uppercase();
    Ok(match name.as_slice() {
        b"HEADER" => SectionText::Header,
        b"TEXT" => SectionText::Text,
        b"MIME" if of_part => SectionText::Mime,
        b"HEADER.FIELDS" => SectionText::HeaderFields(field_names(cursor)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(field_names(cursor)?),
        _ => return Err(start.expected("a section")),
    })
}

fn field_names(cursor: &mut Cursor<'_>) -> Result<Vec<String>, SyntaxError> {
    cursor.space()?;
    cursor.open()?;
    let mut names = Vec::new();
    loop {
        if names.len() == MAX_FIELDS {
            return Err(SyntaxError::TooMany("header fields"));
        }
        names.push(String::from_utf8_lossy(&cursor.astring()?).into_owned());
        if cursor.eat(b')') {
            return Ok(names);
        }
        cursor.space()?;
    }
}
