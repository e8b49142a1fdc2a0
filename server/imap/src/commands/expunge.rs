//! EXPUNGE, UID EXPUNGE and CLOSE (RFC 3501 6.4.2, 6.4.3; RFC 4315 2.1).

use crate::reply::{Failure, Reply};
use crate::session::Session;
use crate::wire::SequenceSet;

/// The EXPUNGE responses come with the changes that are told after the command.
pub(super) async fn expunge(session: &mut Session, uids: Option<&SequenceSet>) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let (mailbox, uids) = (view.mailbox, uids.map(|set| view.select(set, true).uids()));
    if uids.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Reply::ok("there are no such messages"));
    }
    session.store.expunge(mailbox, uids).await?;
    Ok(Reply::ok("expunged"))
}

pub(super) async fn close(session: &mut Session) -> Result<Reply, Failure> {
    let view = session.view()?;
    let (mailbox, read_only) = (view.mailbox, view.read_only);
    if !read_only {
        session.store.expunge(mailbox, None).await?;
    }
    session.deselect();
    Ok(Reply::ok("closed"))
}
