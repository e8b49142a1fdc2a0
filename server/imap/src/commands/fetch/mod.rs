//! FETCH (RFC 3501 6.4.5, RFC 7162 3.1.4).
//!
//! [`producer`] makes the responses block by block on a blocking thread, while the block before is written to the
//! socket; [`section`] finds the bytes a section means.

mod producer;
mod section;

use mailstead_store::{MailboxId, ModSeq, Uid};
use producer::{Producer, Stopped};

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::{Session, Told};
use crate::wire::{Fetch, FetchItem, SequenceSet};

/// What to tell of each message.
struct Plan {
    mailbox: MailboxId,
    items: Vec<FetchItem>,
    /// UIDs from here on are recent.
    first_recent: Uid,
    changed_since: Option<ModSeq>,
    /// `\Seen` is to be set.
    sets_seen: bool,
    /// Flags that change by this are told with their modseq.
    condstore: bool,
}

impl Plan {
    fn needs_summary(&self) -> bool {
        self.items.iter().any(|item| match item {
            FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => true,
            FetchItem::Rfc822Header | FetchItem::Rfc822Text => true,
            FetchItem::Section { section, .. } => !section.part.is_empty() || section.text.is_some(),
            _ => false,
        })
    }
}

pub(super) async fn fetch(
    session: &mut Session,
    connection: &mut Connection,
    by_uid: bool,
    set: &SequenceSet,
    fetch: Fetch,
    told: &mut Told,
) -> Result<Reply, Failure> {
    let selection = session.view()?.pick(set, by_uid)?;
    let mut items = fetch.items;
    if by_uid && !items.contains(&FetchItem::Uid) {
        items.insert(0, FetchItem::Uid);
    }
    if fetch.changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
        items.push(FetchItem::ModSeq);
    }
    if items.contains(&FetchItem::ModSeq) {
        session.enable_condstore(&mut connection.out);
    }
    let condstore = session.user()?.condstore;
    let view = session.view()?;
    let plan = Plan {
        mailbox: view.mailbox,
        first_recent: view.first_recent(),
        changed_since: fetch.changed_since.map(ModSeq),
        sets_seen: !view.read_only && items.iter().any(reads_body),
        condstore,
        items,
    };
    let mut producer = stream(Producer::new(session.store.clone(), plan, selection), connection).await?;
    told.extend(producer.take_told());
    Ok(match producer.damaged() {
        Some(uid) => Reply::no("CORRUPTION", format!("the message with UID {uid} is damaged on the server")),
        None if producer.is_missing_some() && !by_uid => Reply::no("EXPUNGEISSUED", "some of these messages are gone"),
        None => Reply::ok("fetched"),
    })
}

/// Items that set `\Seen` (RFC 3501 6.4.5).
fn reads_body(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Rfc822 | FetchItem::Rfc822Text | FetchItem::Section { peek: false, .. })
}

/// Writes each block while the next is made.
async fn stream(producer: Producer, connection: &mut Connection) -> Result<Producer, Failure> {
    let mut spare = Vec::new();
    let mut step = produce(producer, std::mem::take(&mut connection.out)).await?;
    loop {
        match step.result {
            Ok(true) => {}
            Ok(false) => {
                connection.out = step.block;
                return Ok(step.producer);
            }
            Err(Stopped::BetweenResponses(error)) => {
                connection.out = step.block;
                return Err(error.into());
            }
            Err(Stopped::WithinLiteral(error)) => {
                tracing::error!(%error, "a message can't be read to its end: the connection is cut");
                return Err(std::io::Error::other(error).into());
            }
        }
        // Within a response a goodbye would be taken for a part of a message.
        if connection.is_stopping() && !step.producer.is_within_response() {
            connection.out = step.block;
            return Err(Failure::Bye("the server is going down, come back soon"));
        }
        let (sent, next) = tokio::join!(connection.send(&step.block), produce(step.producer, spare));
        sent?;
        spare = step.block;
        spare.clear();
        step = next?;
    }
}

struct Step {
    producer: Producer,
    block: Vec<u8>,
    /// Whether there is more, or why there is not.
    result: Result<bool, Stopped>,
}

async fn produce(mut producer: Producer, mut block: Vec<u8>) -> Result<Step, Failure> {
    let made = tokio::task::spawn_blocking(move || {
        let result = producer.step(&mut block);
        Step { producer, block, result }
    });
    made.await.map_err(|stopped| std::io::Error::other(stopped).into())
}
