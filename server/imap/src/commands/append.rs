//! APPEND (RFC 3501 6.3.11, RFC 4315, RFC 7888, RFC 7889).
//!
//! Everything that can be judged is judged when the literal is announced, before a byte of it is read.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use mailstead_store::{Append, MailboxId, Prepared, StoreError, Timestamp};
use tokio::time::Instant;

use crate::connection::{Arrival, Connection};
use crate::limits::{APPEND_TIME, MAX_DISCARDED, MESSAGE_BUFFER, MIN_APPEND_RATE, SPOOL_ABOVE};
use crate::reply::{Failure, Reply, store_reply, try_create};
use crate::session::{Moment, Session, Told, off_loop};
use crate::wire::framing::{Frame, Literal};
use crate::wire::{AppendHead, BadRequest};

/// Carries out an APPEND whose message is announced.
pub(crate) async fn run(
    session: &mut Session,
    connection: &mut Connection,
    head: Result<AppendHead, BadRequest>,
    literal: &Literal,
) -> Result<(), Failure> {
    let tag = match &head {
        Ok(head) => head.tag.clone(),
        Err(bad) => bad.tag.clone().unwrap_or_else(|| "*".to_owned()),
    };
    let reply = match judge(session, head, literal.size) {
        Ok((head, mailbox)) => append(session, connection, head, mailbox, literal).await,
        Err(failure) => refuse(connection, literal, &tag, &failure).await.and(Err(failure)),
    };
    let reply = match reply {
        Ok(reply) | Err(Failure::Refused(reply)) => reply,
        Err(Failure::Store(error)) => store_reply(&error),
        Err(failure) => return Err(failure),
    };
    session.tell_changes(Moment::Any, &Told::new(), &mut connection.out);
    reply.write(&tag, &mut connection.out);
    Ok(())
}

fn judge(
    session: &mut Session,
    head: Result<AppendHead, BadRequest>,
    size: u64,
) -> Result<(AppendHead, MailboxId), Failure> {
    let head = head.map_err(|bad| Reply::bad(bad.to_string()))?;
    if size > session.config.max_message_size {
        let text = format!("messages may have {} bytes here", session.config.max_message_size);
        return Err(Reply::no("TOOBIG", text).into());
    }
    if size == 0 {
        return Err(Reply::no("CANNOT", "a message has at least one byte").into());
    }
    let account = session.user()?.id;
    let found = session.store.snapshot()?.mailbox_by_name(account, &head.mailbox)?;
    let mailbox = found.ok_or_else(|| try_create(StoreError::NotFound(head.mailbox.clone())))?;
    Ok((head, mailbox.id))
}

/// A client that waits for leave just gets none; one that sends at once must be heard out.
async fn refuse(connection: &mut Connection, literal: &Literal, tag: &str, failure: &Failure) -> Result<(), Failure> {
    if literal.synchronising {
        connection.framer.refuse();
        return Ok(());
    }
    if literal.size > MAX_DISCARDED {
        if let Failure::Refused(reply) = failure {
            reply.write(tag, &mut connection.out);
        }
        return Err(Failure::Bye("the literal is too large"));
    }
    receive(connection, literal.size, &mut Spool::Nowhere).await
}

async fn append(
    session: &mut Session,
    connection: &mut Connection,
    head: AppendHead,
    mailbox: MailboxId,
    literal: &Literal,
) -> Result<Reply, Failure> {
    let mut spool = Spool::new(literal.size, &session.config.spool_folder);
    if literal.synchronising {
        connection.out.extend_from_slice(b"+ go ahead\r\n");
    }
    receive(connection, literal.size, &mut spool).await?;
    let message = tokio::task::spawn_blocking(move || spool.prepare())
        .await
        .map_err(|stopped| StoreError::Io(stopped.to_string()))??;
    let internal_date = head.date.unwrap_or_else(now);
    let message = Append { message, flags: head.flags, internal_date };
    let (uid_validity, uids) = session.store.append(mailbox, vec![message]).await.map_err(try_create)?;
    let reply = Reply::ok("kept");
    Ok(match uids.first() {
        Some(uid) => reply.with_code(format!("APPENDUID {uid_validity} {uid}")),
        None => reply,
    })
}

/// Reads the announced literal and the line end behind it.
async fn receive(connection: &mut Connection, size: u64, spool: &mut Spool) -> Result<(), Failure> {
    connection.framer.stream();
    let deadline = Instant::now() + APPEND_TIME + Duration::from_secs(size / MIN_APPEND_RATE);
    let mut ended = false;
    loop {
        match connection.framer.next() {
            Frame::Chunk(chunk) => spool.add(&chunk),
            Frame::ChunksEnd => ended = true,
            Frame::Command(rest) if ended && rest.is_empty() => return Ok(()),
            Frame::Incomplete => match connection.read(deadline, MESSAGE_BUFFER).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(Failure::Bye("the message came too slowly")),
                Arrival::Stopping => return Err(Failure::Bye("the server is going down, come back soon")),
            },
            Frame::Literal(Literal { synchronising: true, .. }) => {
                connection.framer.refuse();
                return Err(Reply::bad("one message at a time").into());
            }
            Frame::Literal(_) | Frame::TooLong(_) => return Err(Failure::Bye("one message at a time")),
            Frame::Command(_) => return Err(Reply::bad("nothing may follow the message").into()),
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Where the message is while it comes.
enum Spool {
    /// It is refused.
    Nowhere,
    Memory(Vec<u8>),
    /// Unlinked from birth, so nothing is ever left behind.
    File(File),
    /// It can't be kept; the client hears so when it has sent all.
    Failed(StoreError),
}

impl Spool {
    fn new(size: u64, folder: &Path) -> Self {
        if size <= SPOOL_ABOVE {
            return Self::Memory(Vec::new());
        }
        match tempfile::tempfile_in(folder) {
            Ok(file) => Self::File(file),
            Err(error) => Self::failed(&error),
        }
    }

    fn failed(error: &io::Error) -> Self {
        tracing::warn!(%error, "a message can't be spooled");
        Self::Failed(if error.kind() == io::ErrorKind::StorageFull {
            StoreError::DiskFull
        } else {
            StoreError::Io(error.to_string())
        })
    }

    fn add(&mut self, chunk: &[u8]) {
        match self {
            Self::Memory(bytes) => bytes.extend_from_slice(chunk),
            Self::File(file) => {
                if let Err(error) = off_loop(|| file.write_all(chunk)) {
                    *self = Self::failed(&error);
                }
            }
            Self::Nowhere | Self::Failed(_) => {}
        }
    }

    fn prepare(self) -> Result<Prepared, StoreError> {
        match self {
            Self::Nowhere => Prepared::from_bytes(&[]),
            Self::Memory(bytes) => Prepared::from_bytes(&bytes),
            Self::File(file) => {
                let size = file.metadata().map_err(|error| StoreError::Io(error.to_string()))?.len();
                Prepared::from_file(&[], &file, 0..size)
            }
            Self::Failed(error) => Err(error),
        }
    }
}
