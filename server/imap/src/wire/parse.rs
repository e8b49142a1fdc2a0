//! From a framed command to a [`Command`].

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mailstead_store::{FlagSet, Flags, SpecialUse};
use zeroize::Zeroizing;

use super::cursor::{Cursor, is_astring_char};
use super::list::bound_patterns;
use super::{
    AppendHead, BadRequest, Command, Fetch, List, Request, Search, SequenceSet, StatusItem, Store, StoreAction,
    SyntaxError, date,
};

/// Flags one command may name; the store keeps at most 64 keywords a message.
const MAX_FLAGS: usize = 100;
/// Pairs in ID (RFC 2971 3.3).
const MAX_ID_PAIRS: usize = 30;

/// Parses a command as [`super::framing`] gives it: without the final line end, literals in place.
///
/// # Errors
/// [`BadRequest`], with the tag where there is one.
pub fn parse(bytes: &[u8]) -> Result<Request, BadRequest> {
    let mut cursor = Cursor::new(bytes);
    let tag = tag(&mut cursor).map_err(|error| BadRequest { tag: None, error })?;
    match command(&mut cursor) {
        Ok(command) => Ok(Request { tag, command }),
        Err(error) => Err(BadRequest { tag: Some(tag), error }),
    }
}

/// Reads the command that a literal is announced for: `Some` when the literal is APPEND's message.
pub fn append_head(bytes: &[u8]) -> Option<Result<AppendHead, BadRequest>> {
    let mut cursor = Cursor::new(bytes);
    let tag = tag(&mut cursor).ok()?;
    if !cursor.eat_word("APPEND ") || cursor.is_at_end() {
        return None;
    }
    Some(append(&mut cursor, tag.clone()).map_err(|error| BadRequest { tag: Some(tag), error }))
}

fn append(cursor: &mut Cursor<'_>, tag: String) -> Result<AppendHead, SyntaxError> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let mut head = AppendHead { tag, mailbox, flags: FlagSet::default(), date: None };
    if cursor.peek() == Some(b'(') {
        head.flags = flag_list(cursor)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        head.date = Some(date::date_time(cursor)?);
        cursor.space()?;
    }
    if cursor.is_at_end() { Ok(head) } else { Err(cursor.expected("the message as a literal")) }
}

fn tag(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let tag = cursor.run(|byte| is_astring_char(byte) && byte != b'+');
    match std::str::from_utf8(tag) {
        Ok(tag) if !tag.is_empty() && cursor.eat(b' ') => Ok(tag.to_owned()),
        _ => Err(SyntaxError::Tag),
    }
}

fn command(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let name = cursor.keyword().map_err(|_| SyntaxError::UnknownCommand)?;
    let command = match name.as_str() {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "EXPUNGE" => Command::Expunge { uids: None },
        "UID" => {
            cursor.space()?;
            uid_command(cursor)?
        }
        _ => {
            let arguments = argument_parser(&name).ok_or(SyntaxError::UnknownCommand)?;
            cursor.space()?;
            arguments(cursor)?
        }
    };
    cursor.end()?;
    Ok(command)
}

type ArgumentParser = fn(&mut Cursor<'_>) -> Result<Command, SyntaxError>;

fn argument_parser(name: &str) -> Option<ArgumentParser> {
    Some(match name {
        "AUTHENTICATE" => authenticate,
        "LOGIN" => login,
        "ENABLE" => enable,
        "ID" => id,
        "SELECT" => |cursor| select(cursor, false),
        "EXAMINE" => |cursor| select(cursor, true),
        "CREATE" => create,
        "DELETE" => |cursor| cursor.mailbox().map(Command::Delete),
        "RENAME" => rename,
        "SUBSCRIBE" => |cursor| cursor.mailbox().map(Command::Subscribe),
        "UNSUBSCRIBE" => |cursor| cursor.mailbox().map(Command::Unsubscribe),
        "LIST" => |cursor| List::parse(cursor).map(Command::List),
        "LSUB" => lsub,
        "STATUS" => status,
        // Its message is a literal that is streamed: what arrives here whole has none.
        "APPEND" => {
            |cursor| append(cursor, String::new()).and_then(|_| Err(cursor.expected("the message as a literal")))
        }
        "SEARCH" => |cursor| Search::parse(cursor).map(|search| Command::Search { uid: false, search }),
        "FETCH" => |cursor| fetch(cursor, false),
        "STORE" => |cursor| store(cursor, false),
        "COPY" => |cursor| copy(cursor, false),
        "MOVE" => |cursor| move_messages(cursor, false),
        _ => return None,
    })
}

fn uid_command(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let start = *cursor;
    let name = cursor.keyword()?;
    cursor.space()?;
    match name.as_str() {
        "FETCH" => fetch(cursor, true),
        "STORE" => store(cursor, true),
        "SEARCH" => Search::parse(cursor).map(|search| Command::Search { uid: true, search }),
        "COPY" => copy(cursor, true),
        "MOVE" => move_messages(cursor, true),
        "EXPUNGE" => Ok(Command::Expunge { uids: Some(SequenceSet::parse(cursor)?) }),
        _ => Err(start.expected("FETCH, STORE, SEARCH, COPY, MOVE or EXPUNGE")),
    }
}

fn authenticate(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let mechanism = cursor.keyword()?;
    let mut initial = None;
    if cursor.eat(b' ') {
        let start = *cursor;
        let text = cursor.run(|byte| byte.is_ascii_graphic());
        // RFC 4959: a lone `=` is an empty initial response.
        let decoded = if text == b"=" { Ok(Vec::new()) } else { BASE64_STANDARD.decode(text) };
        initial = Some(decoded.map_err(|_| start.expected("base64"))?);
    }
    Ok(Command::Authenticate { mechanism, initial })
}

fn login(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let user = text(cursor.astring()?);
    cursor.space()?;
    let password = Zeroizing::new(text(cursor.astring()?));
    Ok(Command::Login { user, password })
}

/// What is not UTF-8 matches no login and no password.
fn text(bytes: Cow<'_, [u8]>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn enable(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let mut names = vec![cursor.keyword()?];
    while !cursor.is_at_end() {
        cursor.space()?;
        names.push(cursor.keyword()?);
    }
    Ok(Command::Enable(names))
}

fn id(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    if !cursor.eat_word("NIL") {
        cursor.open()?;
        for pair in 0.. {
            if cursor.eat(b')') {
                break;
            }
            if pair == MAX_ID_PAIRS {
                return Err(SyntaxError::TooMany("ID fields"));
            }
            if pair > 0 {
                cursor.space()?;
            }
            cursor.string()?;
            cursor.space()?;
            cursor.nstring()?;
        }
    }
    Ok(Command::Id)
}

fn select(cursor: &mut Cursor<'_>, read_only: bool) -> Result<Command, SyntaxError> {
    let mailbox = cursor.mailbox()?;
    let mut condstore = false;
    if cursor.eat(b' ') {
        cursor.open()?;
        if !cursor.eat_word("CONDSTORE") {
            return Err(cursor.expected("CONDSTORE"));
        }
        cursor.close()?;
        condstore = true;
    }
    Ok(Command::Select { mailbox, read_only, condstore })
}

fn create(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let mut mailbox = cursor.mailbox()?;
    // RFC 3501 6.3.3: a final separator only says that children are to come.
    if mailbox.len() > 1 && mailbox.ends_with('/') {
        mailbox.pop();
    }
    let mut uses = Vec::new();
    if cursor.eat(b' ') {
        cursor.open()?;
        if !cursor.eat_word("USE ") {
            return Err(cursor.expected("USE"));
        }
        cursor.open()?;
        while !cursor.eat(b')') {
            if !uses.is_empty() {
                cursor.space()?;
            }
            cursor.demand(b'\\', "a special use")?;
            uses.push(special_use(cursor.atom()?));
        }
        cursor.close()?;
    }
    Ok(Command::Create { mailbox, uses })
}

/// The uses the store knows (RFC 6154).
fn special_use(name: &str) -> Option<SpecialUse> {
    let known = [
        ("Drafts", SpecialUse::Drafts),
        ("Sent", SpecialUse::Sent),
        ("Archive", SpecialUse::Archive),
        ("Junk", SpecialUse::Junk),
        ("Trash", SpecialUse::Trash),
    ];
    known.into_iter().find_map(|(known, special_use)| known.eq_ignore_ascii_case(name).then_some(special_use))
}

fn rename(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let from = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Rename { from, to: cursor.mailbox()? })
}

fn lsub(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let reference = cursor.astring()?.into_owned();
    cursor.space()?;
    let pattern = cursor.list_mailbox()?.into_owned();
    bound_patterns(&reference, &[&pattern])?;
    Ok(Command::Lsub { reference, pattern })
}

fn status(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Status { mailbox, items: status_items(cursor)? })
}

pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>, SyntaxError> {
    cursor.open()?;
    let mut items = Vec::new();
    loop {
        let start = *cursor;
        let name = cursor.keyword()?;
        let known = StatusItem::NAMES.into_iter().find_map(|(item, known)| (known == name).then_some(item));
        let item = known.ok_or_else(|| start.expected("a STATUS item"))?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.eat(b')') {
            return Ok(items);
        }
        cursor.space()?;
    }
}

fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    Ok(Command::Fetch { uid, set, fetch: Fetch::parse(cursor)? })
}

fn store(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.eat(b'(') {
        if !cursor.eat_word("UNCHANGEDSINCE ") {
            return Err(cursor.expected("UNCHANGEDSINCE"));
        }
        unchanged_since = Some(cursor.number64()?);
        cursor.close()?;
        cursor.space()?;
    }
    let action = match cursor.peek() {
        Some(b'+') => StoreAction::Add,
        Some(b'-') => StoreAction::Remove,
        _ => StoreAction::Replace,
    };
    if action != StoreAction::Replace {
        cursor.run(|byte| matches!(byte, b'+' | b'-'));
    }
    if !cursor.eat_word("FLAGS") {
        return Err(cursor.expected("FLAGS, +FLAGS or -FLAGS"));
    }
    let silent = cursor.eat_word(".SILENT");
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { flag_list(cursor)? } else { bare_flags(cursor)? };
    Ok(Command::Store { uid, set, store: Store { action, flags, silent, unchanged_since } })
}

fn flag_list(cursor: &mut Cursor<'_>) -> Result<FlagSet, SyntaxError> {
    cursor.open()?;
    let flags = if cursor.peek() == Some(b')') { FlagSet::default() } else { bare_flags(cursor)? };
    cursor.close()?;
    Ok(flags)
}

fn bare_flags(cursor: &mut Cursor<'_>) -> Result<FlagSet, SyntaxError> {
    let mut flags = FlagSet::default();
    for _ in 0..MAX_FLAGS {
        if cursor.eat(b'\\') {
            flags.system = flags.system | system_flag(cursor)?;
        } else {
            flags.keywords.insert(cursor.atom()?.to_owned());
        }
        if !cursor.eat(b' ') {
            return Ok(flags);
        }
    }
    Err(SyntaxError::TooMany("flags"))
}

/// A system flag behind its backslash. `\Recent` is nobody's to set (RFC 3501 2.3.2), yet clients hand back what
/// they were shown: it counts as nothing.
fn system_flag(cursor: &mut Cursor<'_>) -> Result<Flags, SyntaxError> {
    let start = *cursor;
    let name = cursor.keyword()?;
    Ok(match name.as_str() {
        "SEEN" => Flags::SEEN,
        "ANSWERED" => Flags::ANSWERED,
        "FLAGGED" => Flags::FLAGGED,
        "DELETED" => Flags::DELETED,
        "DRAFT" => Flags::DRAFT,
        "RECENT" => Flags::default(),
        _ => return Err(start.expected("a flag")),
    })
}

fn copy(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    Ok(Command::Copy { uid, set, mailbox: cursor.mailbox()? })
}

fn move_messages(cursor: &mut Cursor<'_>, uid: bool) -> Result<Command, SyntaxError> {
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    Ok(Command::Move { uid, set, mailbox: cursor.mailbox()? })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
