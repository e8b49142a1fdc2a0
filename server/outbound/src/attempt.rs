//! One try to hand a message to one destination.

use std::io;

use mailstead_message::Address;
use mailstead_net::BoxFuture;
use mailstead_smtp::Reply;
use mailstead_smtp::client::{ClientError, Outgoing, Recipient, Source};
use mailstead_smtp::server::NotifyParam;
use mailstead_store::{MessageReader, QueueEntry, QueueRecipient, Ret, TlsNeed};

use crate::destination::Destination;
use crate::search::{Misfortune, Peer, Search, Session, words};
use crate::{Context, Status};

/// Bytes read from the store at once.
const BLOCK: u64 = 256 * 1024;
/// Messages sent over one connection: many servers close after about a hundred.
const MAX_MESSAGES: usize = 100;

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Its index in the entry.
    pub(crate) recipient: usize,
    /// How it ended.
    pub(crate) fate: Fate,
    /// For reports.
    pub(crate) status: Status,
    /// In the peer's words or ours.
    pub(crate) text: String,
    /// The server that said so.
    pub(crate) remote: Option<String>,
    /// The server's own words.
    pub(crate) reply: Option<String>,
    /// The server may just have had enough recipients for one transaction (RFC 5321 4.5.3.1.10).
    pub(crate) crowded: bool,
}

/// How a try ended for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A server took it; whether that server will report success itself.
    Delivered { reports: bool },
    /// It can't be delivered.
    Failed,
    /// Not now.
    Later,
}

/// What a try brought.
pub(crate) struct Attempt {
    /// A verdict for each recipient that was tried.
    pub(crate) verdicts: Vec<Verdict>,
    /// What happened, in sentences.
    pub(crate) told: Vec<String>,
    /// The session, fit for another message.
    pub(crate) session: Option<Session>,
    /// The destination as a whole can't be served now: true for whatever else waits for it.
    pub(crate) shared: Option<Misfortune>,
}

impl Attempt {
    /// Takes out the recipients for whom there was no room beside others that were taken: their turn is at once, in
    /// another transaction. Each one takes at least one recipient, so that this ends.
    pub(crate) fn take_crowded(&mut self) -> Vec<usize> {
        if !self.verdicts.iter().any(|verdict| matches!(verdict.fate, Fate::Delivered { .. })) {
            return Vec::new();
        }
        let (crowded, settled): (Vec<Verdict>, Vec<Verdict>) =
            std::mem::take(&mut self.verdicts).into_iter().partition(|verdict| verdict.crowded);
        self.verdicts = settled;
        crowded.into_iter().map(|verdict| verdict.recipient).collect()
    }
}

impl Misfortune {
    /// The same verdict for all these recipients.
    pub(crate) fn verdicts(&self, recipients: &[usize]) -> Vec<Verdict> {
        let fate = if self.permanent { Fate::Failed } else { Fate::Later };
        let verdict = |recipient: &usize| Verdict {
            recipient: *recipient,
            fate,
            status: self.status,
            text: self.text.clone(),
            remote: self.remote.clone(),
            reply: self.reply.clone(),
            crowded: false,
        };
        recipients.iter().map(verdict).collect()
    }
}

/// Tries to deliver an entry to some of its recipients, over `session` if there is one.
pub(crate) async fn attempt(
    context: &Context,
    destination: &Destination,
    entry: &QueueEntry,
    recipients: &[usize],
    session: Option<Session>,
) -> Attempt {
    let mut told = Vec::new();
    if let Some(session) = session {
        told.push(format!("There is an open connection to {}.", session.how));
        match send(context, entry, recipients, session, &mut told).await {
            Sent::Done(verdicts, session) => return Attempt { verdicts, told, session, shared: None },
            Sent::Settled(misfortune) => return settled(misfortune, recipients, told),
            // Servers close idle connections as they like: that says nothing about the next one.
            Sent::TryElsewhere(trouble) => told.push(format!("The open connection was of no use ({}).", trouble.text)),
        }
    }
    let mut search = match Search::begin(context, destination, &mut told).await {
        Ok(search) => search,
        Err(misfortune) => {
            told.push(format!("{}.", misfortune.text));
            let verdicts = misfortune.verdicts(recipients);
            return Attempt { verdicts, told, session: None, shared: Some(misfortune) };
        }
    };
    let mut reached = false;
    while let Some(session) = search.next(&mut told).await {
        reached = true;
        match send(context, entry, recipients, session, &mut told).await {
            Sent::Done(verdicts, session) => return Attempt { verdicts, told, session, shared: None },
            Sent::Settled(misfortune) => return settled(misfortune, recipients, told),
            Sent::TryElsewhere(trouble) => search.trouble(trouble, &mut told),
        }
    }
    let misfortune = search.conclusion();
    let verdicts = misfortune.verdicts(recipients);
    // A session that broke off may have done so because of this very message.
    let shared = (!reached).then_some(misfortune);
    Attempt { verdicts, told, session: None, shared }
}

fn settled(misfortune: Misfortune, recipients: &[usize], mut told: Vec<String>) -> Attempt {
    told.push(format!("{}.", misfortune.text));
    Attempt { verdicts: misfortune.verdicts(recipients), told, session: None, shared: None }
}

/// What sending over one session came to.
enum Sent {
    /// A verdict for each recipient; the session if it can be used again.
    Done(Vec<Verdict>, Option<Session>),
    /// No other server may be tried now.
    Settled(Misfortune),
    /// Another server may do better.
    TryElsewhere(Misfortune),
}

async fn send(
    context: &Context,
    entry: &QueueEntry,
    recipients: &[usize],
    mut session: Session,
    told: &mut Vec<String>,
) -> Sent {
    let envelope = envelope(entry, recipients);
    let mut source = Blob::new(context, entry);
    match session.client.send(&envelope, &mut source).await {
        Ok(outcome) => {
            let answers = recipients.iter().zip(&outcome.recipients);
            let verdicts: Vec<Verdict> =
                answers.map(|(index, reply)| verdict(*index, &session.peer, reply, outcome.dsn)).collect();
            for (verdict, recipient) in verdicts.iter().zip(&envelope.recipients) {
                told.push(tell(verdict, &session.peer, &recipient.address));
            }
            session.messages += 1;
            let again = session.client.is_usable() && session.messages < MAX_MESSAGES;
            if !again && session.client.is_usable() {
                session.client.quit().await;
                return Sent::Done(verdicts, None);
            }
            Sent::Done(verdicts, again.then_some(session))
        }
        Err(error) => {
            let mut misfortune = Misfortune::of(&session.peer, &error);
            match error {
                // The server may have taken it. Only a later try can tell; trying another server now would more
                // likely make a second copy. This is SMTP's own unavoidable window (RFC 1047).
                ClientError::Network { after_data: true, .. } => {
                    misfortune.text.push_str("; it may or may not have taken the message");
                    Sent::Settled(misfortune)
                }
                ClientError::Message(ref what) => {
                    tracing::error!(trace = %entry.trace, "a queued message can't be read: {what}");
                    Sent::Settled(misfortune)
                }
                _ => Sent::TryElsewhere(misfortune),
            }
        }
    }
}

fn verdict(recipient: usize, peer: &Peer, reply: &Reply, reports: bool) -> Verdict {
    let fate = match reply.code {
        200..300 => Fate::Delivered { reports },
        500.. => Fate::Failed,
        _ => Fate::Later,
    };
    let class = match fate {
        Fate::Delivered { .. } => 2,
        Fate::Failed => 5,
        Fate::Later => 4,
    };
    let words = words(reply);
    Verdict {
        recipient,
        fate,
        status: reply.status.unwrap_or((class, 0, 0)),
        text: format!("{} said: {words}", peer.host.escape_debug()),
        remote: Some(peer.host.clone()),
        reply: Some(words),
        crowded: reply.code == 452 && matches!(reply.status, None | Some((4, 5, 3))),
    }
}

fn tell(verdict: &Verdict, peer: &Peer, recipient: &Address) -> String {
    let reply = verdict.reply.as_deref().unwrap_or_default();
    match verdict.fate {
        Fate::Delivered { .. } => format!("{peer} took the message for {recipient}: \"{reply}\"."),
        Fate::Failed => format!("{peer} refused the message for {recipient} for good: \"{reply}\"."),
        Fate::Later => format!("{peer} does not take the message for {recipient} now: \"{reply}\"."),
    }
}

fn envelope(entry: &QueueEntry, recipients: &[usize]) -> Outgoing {
    let recipient = |recipient: &QueueRecipient| Recipient {
        address: recipient.address.clone(),
        notify: recipient.notify.map(|notify| NotifyParam {
            never: notify.never,
            success: notify.success,
            failure: notify.failure,
            delay: notify.delay,
        }),
        orcpt: recipient.orcpt.clone(),
    };
    Outgoing {
        reverse_path: entry.reverse_path.clone(),
        recipients: recipients.iter().filter_map(|index| entry.recipients.get(*index)).map(recipient).collect(),
        size: entry.size,
        eight_bit: entry.eight_bit,
        smtputf8: entry.smtputf8,
        envid: entry.envid.clone(),
        ret_full: entry.ret.map(|ret| ret == Ret::Full),
        require_tls: entry.tls == TlsNeed::Required,
    }
}

/// A queued message's bytes, read block by block off the async threads.
struct Blob<'a> {
    context: &'a Context,
    entry: &'a QueueEntry,
    reader: Option<MessageReader>,
    offset: u64,
}

impl<'a> Blob<'a> {
    fn new(context: &'a Context, entry: &'a QueueEntry) -> Self {
        Self { context, entry, reader: None, offset: 0 }
    }
}

impl Source for Blob<'_> {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, io::Result<Vec<u8>>> {
        let (store, blob, reader) = (self.context.store.clone(), self.entry.blob, self.reader.take());
        let range = self.offset..self.offset.saturating_add(BLOCK);
        Box::pin(async move {
            let read = move || {
                let mut reader = match reader {
                    Some(reader) => reader,
                    None => store.open_blob(blob)?,
                };
                let block = reader.read(range)?;
                Ok::<_, mailstead_store::StoreError>((reader, block))
            };
            let (reader, block) =
                tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?.map_err(io::Error::other)?;
            self.reader = Some(reader);
            self.offset += block.len() as u64;
            Ok(block)
        })
    }
}
