//! COPY and MOVE (RFC 3501 6.4.7, RFC 4315 3, RFC 6851).

use mailstead_store::{Copied, MailboxId, StoreError};

use crate::connection::Connection;
use crate::reply::{Failure, Reply, try_create};
use crate::session::Session;
use crate::wire::{Ranges, SequenceSet};

pub(super) async fn copy(
    session: &mut Session,
    by_uid: bool,
    set: &SequenceSet,
    destination: &str,
) -> Result<Reply, Failure> {
    let view = session.view()?;
    let (from, uids) = (view.mailbox, view.pick(set, by_uid)?.uids());
    let to = destination_id(session, destination)?;
    if uids.is_empty() {
        return Ok(Reply::ok("there are no such messages"));
    }
    let copied = session.store.copy(from, uids, to).await.map_err(try_create)?;
    match copy_uid(&copied) {
        Some(code) => Ok(Reply::ok("copied").with_code(code)),
        None => all_gone(by_uid),
    }
}

/// The EXPUNGE responses come with the changes that are told after the command, COPYUID before them (RFC 6851 4.3).
pub(super) async fn move_messages(
    session: &mut Session,
    connection: &mut Connection,
    by_uid: bool,
    set: &SequenceSet,
    destination: &str,
) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let (from, uids) = (view.mailbox, view.pick(set, by_uid)?.uids());
    let to = destination_id(session, destination)?;
    if uids.is_empty() {
        return Ok(Reply::ok("there are no such messages"));
    }
    let moved = session.store.move_messages(from, uids, to).await.map_err(try_create)?;
    let Some(code) = copy_uid(&moved) else { return all_gone(by_uid) };
    Reply::ok("moved").with_code(code).write("*", &mut connection.out);
    Ok(Reply::ok("done"))
}

fn destination_id(session: &mut Session, name: &str) -> Result<MailboxId, Failure> {
    let account = session.user()?.id;
    let found = session.store.snapshot()?.mailbox_by_name(account, name)?;
    found.map(|mailbox| mailbox.id).ok_or_else(|| try_create(StoreError::NotFound(name.to_owned())))
}

/// Another session was faster with all of them. With some, what was copied is copied: `NO` would promise that
/// nothing was (RFC 3501 6.4.7), and the client would copy it again. COPYUID and the EXPUNGE tell which.
fn all_gone(by_uid: bool) -> Result<Reply, Failure> {
    if by_uid {
        return Ok(Reply::ok("there are no such messages"));
    }
    Err(Reply::no("EXPUNGEISSUED", "these messages are gone").into())
}

/// `COPYUID` (RFC 4315 3); nothing copied has none.
fn copy_uid(copied: &Copied) -> Option<String> {
    if copied.uids.is_empty() {
        return None;
    }
    let sources = Ranges::from_ascending(copied.uids.iter().map(|(source, _)| source.0));
    let destinations = Ranges::from_ascending(copied.uids.iter().map(|(_, destination)| destination.0));
    Some(format!("COPYUID {} {sources} {destinations}", copied.uid_validity))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use mailstead_store::Uid;

    use super::*;

    #[test]
    fn copyuid_pairs_sources_with_destinations() {
        let uids = [(3, 10), (4, 11), (9, 12)].map(|(a, b)| (Uid(a), Uid(b))).to_vec();
        let copied = Copied { uid_validity: 7, uids };
        assert_eq!(copy_uid(&copied).unwrap(), "COPYUID 7 3:4,9 10:12");
        assert_eq!(copy_uid(&Copied { uid_validity: 7, uids: Vec::new() }), None);
    }
}
