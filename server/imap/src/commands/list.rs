//! LIST and LSUB (RFC 3501 6.3.8, 6.3.9; RFC 5258, RFC 5819, RFC 6154).

use std::collections::{BTreeMap, BTreeSet};

use mailstead_store::{Mailbox, Snapshot, SpecialUse};

use super::status;
use crate::connection::Connection;
use crate::pattern::Pattern;
use crate::reply::{Failure, Reply};
use crate::session::{Session, off_loop};
use crate::wire::{List, StatusItem, encode};

/// A name that may be listed: a mailbox, or a subscription to one that is not there.
struct Entry<'a> {
    name: &'a str,
    mailbox: Option<&'a Mailbox>,
    is_subscribed: bool,
    has_children: bool,
    has_subscribed_child: bool,
}

pub(super) async fn list(session: &mut Session, connection: &mut Connection, list: &List) -> Result<Reply, Failure> {
    if list.basic && list.patterns.iter().all(Vec::is_empty) {
        // RFC 3501 6.3.8: an empty name asks for the separator.
        connection.untagged("LIST (\\Noselect) \"/\" \"\"");
        return Ok(Reply::ok("that is the separator"));
    }
    if list.returns.status.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore(&mut connection.out);
    }
    let account = session.user()?.id;
    let snapshot = session.store.snapshot()?;
    let mailboxes = snapshot.mailboxes(account)?;
    let subscriptions = snapshot.subscriptions(account)?;
    let entries = entries(&mailboxes, &subscriptions);
    let patterns: Vec<Pattern> = list.patterns.iter().map(|pattern| Pattern::new(&list.reference, pattern)).collect();
    let limit = session.config.max_message_size;
    let matches = |entry: &&Entry<'_>| patterns.iter().any(|pattern| pattern.matches(entry.name));
    off_loop(|| {
        let mut matching = entries.iter().filter(matches);
        matching.try_for_each(|entry| write_if_selected(&snapshot, list, entry, limit, &mut connection.out))
    })?;
    drop(snapshot);
    Ok(Reply::ok("listed"))
}

/// All names, INBOX first.
fn entries<'a>(mailboxes: &'a [Mailbox], subscriptions: &'a [String]) -> Vec<Entry<'a>> {
    let subscribed: BTreeSet<&str> = subscriptions.iter().map(String::as_str).collect();
    let mut names: BTreeMap<&str, Option<&Mailbox>> = subscribed.iter().map(|name| (*name, None)).collect();
    names.extend(mailboxes.iter().map(|mailbox| (mailbox.name.as_str(), Some(mailbox))));
    let parents =
        |names: &mut dyn Iterator<Item = &'a str>| -> BTreeSet<&'a str> { names.flat_map(ancestors).collect() };
    let with_children = parents(&mut mailboxes.iter().map(|mailbox| mailbox.name.as_str()));
    let with_subscribed = parents(&mut subscribed.iter().copied());
    let mut entries: Vec<Entry<'_>> = names
        .into_iter()
        .map(|(name, mailbox)| Entry {
            name,
            mailbox,
            is_subscribed: subscribed.contains(name),
            has_children: with_children.contains(name),
            has_subscribed_child: with_subscribed.contains(name),
        })
        .collect();
    entries.sort_by_key(|entry| entry.name != "INBOX");
    entries
}

/// The names above a name.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(index, _)| name.get(..index))
}

fn write_if_selected(
    snapshot: &Snapshot,
    list: &List,
    entry: &Entry<'_>,
    append_limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let special = entry.mailbox.and_then(|mailbox| mailbox.special_use);
    let selection = &list.selection;
    let selected = (!selection.subscribed || entry.is_subscribed)
        && (!selection.special_use || special.is_some())
        && (selection.subscribed || entry.mailbox.is_some());
    // RFC 5258 3.5: a parent stands in for children that the patterns may not reach.
    let for_children = selection.recursive_match && entry.has_subscribed_child && selection.subscribed;
    if !selected && !for_children {
        return Ok(());
    }
    let mut attributes = Vec::new();
    if entry.mailbox.is_none() {
        attributes.push("\\NonExistent");
    }
    if entry.is_subscribed && (list.returns.subscribed || selection.subscribed) {
        attributes.push("\\Subscribed");
    }
    attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    attributes.extend(special.map(special_use));
    write_line("LIST", &attributes, entry.name, out);
    if for_children {
        out.truncate(out.len().saturating_sub(2));
        out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
    }
    if let Some(mailbox) = entry.mailbox.filter(|_| !list.returns.status.is_empty()) {
        status::write(snapshot, mailbox, &list.returns.status, append_limit, out)?;
    }
    Ok(())
}

/// RFC 6154.
fn special_use(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Trash => "\\Trash",
    }
}

pub(super) fn lsub(
    session: &mut Session,
    connection: &mut Connection,
    reference: &[u8],
    pattern: &[u8],
) -> Result<Reply, Failure> {
    let account = session.user()?.id;
    let subscriptions = session.store.snapshot()?.subscriptions(account)?;
    let pattern = Pattern::new(reference, pattern);
    let mut lines: BTreeMap<&str, bool> = BTreeMap::new();
    for name in &subscriptions {
        if pattern.matches(name) {
            lines.insert(name, true);
        }
        // RFC 3501 6.3.9: `%` shows the parent of a subscribed name it does not reach, as not selectable.
        for parent in ancestors(name).filter(|parent| pattern.has_percent() && pattern.matches(parent)) {
            lines.entry(parent).or_insert(false);
        }
    }
    for (name, is_subscribed) in lines {
        let attributes: &[&str] = if is_subscribed { &[] } else { &["\\Noselect"] };
        write_line("LSUB", attributes, name, &mut connection.out);
    }
    Ok(Reply::ok("listed"))
}

fn write_line(what: &str, attributes: &[&str], name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("* {what} ({}) \"/\" ", attributes.join(" ")).as_bytes());
    encode::mailbox(name, out);
    out.extend_from_slice(b"\r\n");
}
