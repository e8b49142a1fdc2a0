//! What LIST asks for (RFC 3501 6.3.8, RFC 5258, RFC 5819, RFC 6154).

use super::cursor::Cursor;
use super::parse::status_items;
use super::{StatusItem, SyntaxError};

/// Patterns of one LIST.
const MAX_PATTERNS: usize = 50;
/// Octets of all patterns with their references: each is held against each name, and names have at most 500 octets
/// in Unicode.
const MAX_PATTERN: usize = 4 << 10;

/// A LIST command. Reference and patterns are kept as they came, in modified UTF-7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Which mailboxes.
    pub selection: ListSelection,
    /// What the patterns are relative to.
    pub reference: Vec<u8>,
    /// One or more patterns with `*` and `%`.
    pub patterns: Vec<Vec<u8>>,
    /// What to tell of each.
    pub returns: ListReturn,
    /// The basic form, whose empty pattern asks for the separator.
    pub basic: bool,
}

/// Selection options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListSelection {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `RECURSIVEMATCH`
    pub recursive_match: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
}

/// Return options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListReturn {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `STATUS (…)`, empty for none. `CHILDREN` and `SPECIAL-USE` are always told.
    pub status: Vec<StatusItem>,
}

impl List {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut basic = true;
        let mut selection = ListSelection::default();
        if cursor.eat(b'(') {
            basic = false;
            selection = parse_selection(cursor)?;
            cursor.space()?;
        }
        let reference = cursor.astring()?.into_owned();
        cursor.space()?;
        let mut patterns = Vec::new();
        if cursor.eat(b'(') {
            basic = false;
            loop {
                if patterns.len() == MAX_PATTERNS {
                    return Err(SyntaxError::TooMany("patterns"));
                }
                patterns.push(cursor.list_mailbox()?.into_owned());
                if cursor.eat(b')') {
                    break;
                }
                cursor.space()?;
            }
        } else {
            patterns.push(cursor.list_mailbox()?.into_owned());
        }
        bound_patterns(&reference, &patterns)?;
        let mut returns = ListReturn::default();
        if cursor.eat(b' ') && !cursor.is_at_end() {
            basic = false;
            returns = parse_returns(cursor)?;
        }
        Ok(Self { selection, reference, patterns, returns, basic })
    }
}

/// Patterns beyond [`MAX_PATTERN`] are refused.
pub(super) fn bound_patterns(reference: &[u8], patterns: &[impl AsRef<[u8]>]) -> Result<(), SyntaxError> {
    let octets: usize = patterns.iter().map(|pattern| reference.len() + pattern.as_ref().len()).sum();
    if octets > MAX_PATTERN { Err(SyntaxError::TooMany("characters in the patterns")) } else { Ok(()) }
}

/// The options behind the opening parenthesis.
fn parse_selection(cursor: &mut Cursor<'_>) -> Result<ListSelection, SyntaxError> {
    let mut selection = ListSelection::default();
    let mut first = true;
    while !cursor.eat(b')') {
        if !first {
            cursor.space()?;
        }
        first = false;
        let start = *cursor;
        match cursor.keyword()?.as_str() {
            "SUBSCRIBED" => selection.subscribed = true,
            "RECURSIVEMATCH" => selection.recursive_match = true,
            "SPECIAL-USE" => selection.special_use = true,
            // There are no remote mailboxes to add.
            "REMOTE" => {}
            _ => return Err(start.expected("a LIST selection option")),
        }
    }
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(cursor.expected("another selection option beside RECURSIVEMATCH"));
    }
    Ok(selection)
}

fn parse_returns(cursor: &mut Cursor<'_>) -> Result<ListReturn, SyntaxError> {
    if !cursor.eat_word("RETURN ") {
        return Err(cursor.expected("RETURN"));
    }
    cursor.open()?;
    let mut returns = ListReturn::default();
    let mut first = true;
    while !cursor.eat(b')') {
        if !first {
            cursor.space()?;
        }
        first = false;
        let start = *cursor;
        match cursor.keyword()?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => {
                cursor.space()?;
                returns.status = status_items(cursor)?;
            }
            _ => return Err(start.expected("a LIST return option")),
        }
    }
    Ok(returns)
}
