//! STATUS (RFC 3501 6.3.10, RFC 7162, RFC 7889, RFC 8438).

use mailstead_store::{Mailbox, Snapshot, StoreError};

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::Session;
use crate::wire::{StatusItem, encode};

pub(super) fn status(
    session: &mut Session,
    connection: &mut Connection,
    name: &str,
    items: &[StatusItem],
) -> Result<Reply, Failure> {
    if items.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore(&mut connection.out);
    }
    let account = session.user()?.id;
    let snapshot = session.store.snapshot()?;
    let Some(mailbox) = snapshot.mailbox_by_name(account, name)? else {
        return Err(Reply::no("NONEXISTENT", "no such mailbox").into());
    };
    write(&snapshot, &mailbox, items, session.config.max_message_size, &mut connection.out)?;
    Ok(Reply::ok("told"))
}

/// Writes one STATUS response.
pub(super) fn write(
    snapshot: &Snapshot,
    mailbox: &Mailbox,
    items: &[StatusItem],
    append_limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let recent = if items.contains(&StatusItem::Recent) { count_recent(snapshot, mailbox)? } else { 0 };
    out.extend_from_slice(b"* STATUS ");
    encode::mailbox(&mailbox.name, out);
    let mut before: &[u8] = b" (";
    for (item, name) in StatusItem::NAMES {
        if !items.contains(&item) {
            continue;
        }
        let value = match item {
            StatusItem::Messages => u64::from(mailbox.messages),
            StatusItem::Recent => recent,
            StatusItem::UidNext => u64::from(mailbox.uid_next.0),
            StatusItem::UidValidity => u64::from(mailbox.uid_validity),
            StatusItem::Unseen => u64::from(mailbox.unseen),
            StatusItem::Deleted => u64::from(mailbox.deleted),
            StatusItem::Size => mailbox.size,
            StatusItem::HighestModSeq => mailbox.highest_modseq.0.max(1),
            StatusItem::AppendLimit => append_limit,
        };
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        encode::number_in(b" ", value, b"", out);
        before = b" ";
    }
    out.extend_from_slice(b")\r\n");
    Ok(())
}

fn count_recent(snapshot: &Snapshot, mailbox: &Mailbox) -> Result<u64, StoreError> {
    if mailbox.first_recent >= mailbox.uid_next {
        return Ok(0);
    }
    let uids = snapshot.uids(mailbox.id)?;
    Ok((uids.len() - uids.partition_point(|uid| *uid < mailbox.first_recent)) as u64)
}
