//! SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2; RFC 7162 3.1.2).

use mailstead_store::{Flags, Mailbox, Message, Snapshot, StoreError, Uid};

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::{Opened, Session, View, off_loop};
use crate::wire::encode;

/// Messages looked at at once for the first unseen one.
const SCAN: usize = 1000;

pub(super) async fn select(
    session: &mut Session,
    connection: &mut Connection,
    name: &str,
    read_only: bool,
    condstore: bool,
) -> Result<Reply, Failure> {
    // RFC 3501 6.3.1: whether it succeeds or not, the mailbox selected before is left.
    session.deselect();
    let account = session.user()?.id;
    let missing = || Failure::from(Reply::no("NONEXISTENT", "no such mailbox"));
    let found = session.store.snapshot()?.mailbox_by_name(account, name)?.ok_or_else(missing)?;
    let claimed = if !read_only && found.first_recent < found.uid_next {
        match session.store.claim_recent(found.id).await {
            // A mailbox that can be read is shown, whatever the disk says: then the messages are recent once more.
            Err(error) if error.is_temporary() => Some(found.first_recent),
            claimed => Some(claimed?),
        }
    } else {
        None
    };
    if condstore {
        session.enable_condstore(&mut connection.out);
    }
    let store = session.store.clone();
    let user = session.user()?;
    // Noted before the snapshot is taken: what is committed in between is looked at again.
    let looked_at = *user.watch.borrow_and_update();
    let opened = off_loop(|| -> Result<_, StoreError> {
        let snapshot = store.snapshot()?;
        let Some(mailbox) = snapshot.mailbox(account, found.id)? else { return Ok(None) };
        let uids = snapshot.uids(mailbox.id)?;
        let unseen = first_unseen(&snapshot, &mailbox, &uids)?;
        let opened = Opened {
            mailbox: mailbox.id,
            read_only,
            uids,
            first_recent: claimed.unwrap_or(mailbox.first_recent),
            modseq: mailbox.highest_modseq,
            looked_at,
            keywords: snapshot.keywords(mailbox.id)?.into_iter().collect(),
        };
        Ok(Some((mailbox, opened, unseen)))
    })?;
    let (mailbox, opened, unseen) = opened.ok_or_else(missing)?;
    let view = View::new(opened);
    describe(&view, &mailbox, unseen, &mut connection.out);
    user.view = Some(view);
    Ok(if read_only {
        Reply::ok("opened for reading").with_code("READ-ONLY")
    } else {
        Reply::ok("opened").with_code("READ-WRITE")
    })
}

fn describe(view: &View, mailbox: &Mailbox, unseen: Option<usize>, out: &mut Vec<u8>) {
    view.write_known_flags(out);
    encode::number_in(b"* ", u64::from(view.exists()), b" EXISTS\r\n", out);
    encode::number_in(b"* ", view.recent() as u64, b" RECENT\r\n", out);
    if let Some(unseen) = unseen {
        encode::number_in(b"* OK [UNSEEN ", unseen as u64, b"] the first unseen message\r\n", out);
    }
    let status = [
        ("UIDVALIDITY", u64::from(mailbox.uid_validity), "as long as this stays, UIDs do"),
        ("UIDNEXT", u64::from(mailbox.uid_next.0), "the next message's UID"),
        ("HIGHESTMODSEQ", mailbox.highest_modseq.0.max(1), "the latest change"),
    ];
    for (name, value, text) in status {
        out.extend_from_slice(format!("* OK [{name} {value}] {text}\r\n").as_bytes());
    }
}

/// The number of the first message without `\Seen`.
fn first_unseen(snapshot: &Snapshot, mailbox: &Mailbox, uids: &[Uid]) -> Result<Option<usize>, StoreError> {
    if mailbox.unseen == 0 {
        return Ok(None);
    }
    let is_unseen = |message: &Message| !message.flags.system.contains(Flags::SEEN);
    for (index, chunk) in uids.chunks(SCAN).enumerate() {
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { break };
        let messages = snapshot.messages(mailbox.id, *first, *last)?;
        if let Some(offset) = messages.iter().position(is_unseen) {
            return Ok(Some(index * SCAN + offset + 1));
        }
    }
    Ok(None)
}
