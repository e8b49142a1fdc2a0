//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3, RFC 6154).

use mailstead_store::SpecialUse;

use crate::reply::{Failure, Reply};
use crate::session::Session;

pub(super) async fn create(
    session: &mut Session,
    mailbox: &str,
    uses: &[Option<SpecialUse>],
) -> Result<Reply, Failure> {
    let special_use = match uses {
        [] => None,
        [Some(one)] => Some(*one),
        [None] => return Err(Reply::no("USEATTR", "this special use is not known here").into()),
        _ => return Err(Reply::no("USEATTR", "a mailbox has one special use at most").into()),
    };
    if mailbox == "INBOX" {
        return Err(Reply::no("ALREADYEXISTS", "INBOX is always there").into());
    }
    let account = session.user()?.id;
    session.store.create_mailbox(account, mailbox, special_use).await?;
    Ok(Reply::ok("created"))
}

pub(super) async fn delete(session: &mut Session, mailbox: &str) -> Result<Reply, Failure> {
    let account = session.user()?.id;
    session.store.delete_mailbox(account, mailbox).await?;
    Ok(Reply::ok("deleted"))
}

pub(super) async fn rename(session: &mut Session, from: &str, to: &str) -> Result<Reply, Failure> {
    let account = session.user()?.id;
    session.store.rename_mailbox(account, from, to).await?;
    Ok(Reply::ok("renamed"))
}

pub(super) async fn subscribe(session: &mut Session, mailbox: &str, subscribed: bool) -> Result<Reply, Failure> {
    let account = session.user()?.id;
    session.store.subscribe(account, mailbox, subscribed).await?;
    Ok(Reply::ok(if subscribed { "subscribed" } else { "unsubscribed" }))
}
