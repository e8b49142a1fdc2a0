//! What SEARCH asks for (RFC 3501 6.4.4, RFC 4731, RFC 7162 3.1.5).

use jiff::civil::Date;
use mailstead_store::Flags;

use super::cursor::Cursor;
use super::{SequenceSet, SyntaxError, date};

/// Keys in one SEARCH: each costs a look at each message.
const MAX_KEYS: usize = 1_000;
/// Keys that need a message's text: each costs reading bodies.
const MAX_TEXT_KEYS: usize = 100;
/// Parentheses, NOT and OR within each other.
const MAX_DEPTH: usize = 50;

/// A SEARCH command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// `RETURN (…)`, where the client speaks ESEARCH.
    pub returns: Option<SearchReturn>,
    /// What must hold.
    pub key: SearchKey,
}

/// What an ESEARCH response tells (RFC 4731 3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the RFC's own words")]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
}

/// A condition on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// All of these; none is `ALL`.
    And(Vec<SearchKey>),
    /// One of the two.
    Or(Box<(SearchKey, SearchKey)>),
    /// Not this.
    Not(Box<SearchKey>),
    /// Message numbers.
    Numbers(SequenceSet),
    /// UIDs.
    Uids(SequenceSet),
    /// A system flag is set.
    Flag(Flags),
    /// A keyword is set.
    Keyword(String),
    /// `\Recent` is set.
    Recent,
    /// INTERNALDATE is before, on, or since.
    Received(When, Date),
    /// The `Date` field is before, on, or since.
    Sent(When, Date),
    /// Over so many bytes.
    Larger(u64),
    /// Under so many bytes.
    Smaller(u64),
    /// A header field contains a text; the name is in lower case.
    Header(String, String),
    /// The body contains a text.
    Body(String),
    /// Header or body contain a text.
    Text(String),
    /// Changed at this modseq or later.
    ModSeq(u64),
}

/// How a date compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Earlier than the day.
    Before,
    /// That day.
    On,
    /// That day or later.
    Since,
}

impl When {
    /// True when `day` stands so to `date`.
    pub fn holds(self, day: Date, date: Date) -> bool {
        match self {
            Self::Before => day < date,
            Self::On => day == date,
            Self::Since => day >= date,
        }
    }
}

impl Search {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut returns = None;
        if cursor.eat_word("RETURN ") {
            returns = Some(parse_returns(cursor)?);
            cursor.space()?;
        }
        if cursor.eat_word("CHARSET ") {
            let charset = cursor.astring()?.to_ascii_uppercase();
            if !matches!(charset.as_slice(), b"UTF-8" | b"US-ASCII") {
                return Err(SyntaxError::Charset);
            }
            cursor.space()?;
        }
        let mut keys = Keys { keys: 0, texts: 0 };
        let mut all = vec![keys.key(cursor, 0)?];
        while cursor.eat(b' ') && !cursor.is_at_end() {
            all.push(keys.key(cursor, 0)?);
        }
        Ok(Self { returns, key: SearchKey::And(all) })
    }
}

fn parse_returns(cursor: &mut Cursor<'_>) -> Result<SearchReturn, SyntaxError> {
    cursor.open()?;
    let mut returns = SearchReturn::default();
    let mut first = true;
    while !cursor.eat(b')') {
        if !first {
            cursor.space()?;
        }
        first = false;
        let start = *cursor;
        match cursor.keyword()?.as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            _ => return Err(start.expected("MIN, MAX, ALL or COUNT")),
        }
    }
    // RFC 4731 3.1: an empty list asks for ALL.
    returns.all |= returns == SearchReturn::default();
    Ok(returns)
}

/// Counts what has been read.
struct Keys {
    keys: usize,
    texts: usize,
}

impl Keys {
    fn key(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<SearchKey, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        self.keys += 1;
        if self.keys > MAX_KEYS {
            return Err(SyntaxError::TooMany("search keys"));
        }
        match cursor.peek() {
            Some(b'(') => self.group(cursor, depth),
            Some(b'0'..=b'9' | b'*') => SequenceSet::parse(cursor).map(SearchKey::Numbers),
            _ => self.named(cursor, depth),
        }
    }

    fn group(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<SearchKey, SyntaxError> {
        cursor.open()?;
        let mut all = Vec::new();
        loop {
            all.push(self.key(cursor, depth + 1)?);
            if cursor.eat(b')') {
                return Ok(SearchKey::And(all));
            }
            cursor.space()?;
        }
    }

    fn named(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<SearchKey, SyntaxError> {
        let start = *cursor;
        let name = cursor.keyword()?;
        if let Some(key) = plain(&name) {
            return Ok(key);
        }
        match name.as_str() {
            "NOT" => {
                cursor.space()?;
                Ok(not(self.key(cursor, depth + 1)?))
            }
            "OR" => {
                cursor.space()?;
                let first = self.key(cursor, depth + 1)?;
                cursor.space()?;
                Ok(SearchKey::Or(Box::new((first, self.key(cursor, depth + 1)?))))
            }
            _ => self.with_argument(&name, cursor, start),
        }
    }

    fn with_argument(
        &mut self,
        name: &str,
        cursor: &mut Cursor<'_>,
        start: Cursor<'_>,
    ) -> Result<SearchKey, SyntaxError> {
        let unknown = || start.expected("a search key");
        let when = |name: &str| match name {
            "BEFORE" => Some(When::Before),
            "ON" => Some(When::On),
            "SINCE" => Some(When::Since),
            _ => None,
        };
        cursor.space().map_err(|_| unknown())?;
        Ok(match name {
            "UID" => SearchKey::Uids(SequenceSet::parse(cursor)?),
            "KEYWORD" => SearchKey::Keyword(cursor.atom()?.to_owned()),
            "UNKEYWORD" => not(SearchKey::Keyword(cursor.atom()?.to_owned())),
            "LARGER" => SearchKey::Larger(cursor.number64()?),
            "SMALLER" => SearchKey::Smaller(cursor.number64()?),
            "MODSEQ" => modseq(cursor)?,
            "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => {
                SearchKey::Header(name.to_ascii_lowercase(), self.text(cursor)?)
            }
            "HEADER" => {
                let field = string(cursor)?.to_ascii_lowercase();
                cursor.space()?;
                SearchKey::Header(field, self.text(cursor)?)
            }
            "BODY" => SearchKey::Body(self.text(cursor)?),
            "TEXT" => SearchKey::Text(self.text(cursor)?),
            _ => match (when(name), name.strip_prefix("SENT").and_then(when)) {
                (Some(when), _) => SearchKey::Received(when, date::date(cursor)?),
                (_, Some(when)) => SearchKey::Sent(when, date::date(cursor)?),
                _ => return Err(unknown()),
            },
        })
    }

    fn text(&mut self, cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
        self.texts += 1;
        if self.texts > MAX_TEXT_KEYS {
            return Err(SyntaxError::TooMany("texts to search for"));
        }
        string(cursor)
    }
}

fn string(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let start = *cursor;
    String::from_utf8(cursor.astring()?.into_owned()).map_err(|_| start.expected("UTF-8"))
}

/// `MODSEQ [entry-name entry-type] n`: we keep one modseq a message, so the entry changes nothing.
fn modseq(cursor: &mut Cursor<'_>) -> Result<SearchKey, SyntaxError> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        let start = *cursor;
        if !matches!(cursor.keyword()?.as_str(), "PRIV" | "SHARED" | "ALL") {
            return Err(start.expected("priv, shared or all"));
        }
        cursor.space()?;
    }
    cursor.number64().map(SearchKey::ModSeq)
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

/// Keys without an argument.
fn plain(name: &str) -> Option<SearchKey> {
    let flag = |name: &str| match name {
        "ANSWERED" => Some(SearchKey::Flag(Flags::ANSWERED)),
        "DELETED" => Some(SearchKey::Flag(Flags::DELETED)),
        "DRAFT" => Some(SearchKey::Flag(Flags::DRAFT)),
        "FLAGGED" => Some(SearchKey::Flag(Flags::FLAGGED)),
        "SEEN" => Some(SearchKey::Flag(Flags::SEEN)),
        _ => None,
    };
    match name {
        "ALL" => Some(SearchKey::And(Vec::new())),
        "RECENT" => Some(SearchKey::Recent),
        "OLD" => Some(not(SearchKey::Recent)),
        "NEW" => Some(SearchKey::And(vec![SearchKey::Recent, not(SearchKey::Flag(Flags::SEEN))])),
        _ => flag(name).or_else(|| name.strip_prefix("UN").and_then(flag).map(not)),
    }
}
