//! The session: bytes in, questions out; answers in, reply bytes out. No socket, no clock.
//!
//! Feed it with [`Session::receive`], ask [`Session::next_event`] what it wants, do that, and so on; whenever it wants
//! [`Event::Read`], what [`Session::take_output`] gives goes to the client first, so the replies to a pipelined group
//! leave in one write (RFC 2920 3.2).

mod commands;
mod login;
mod receiving;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use mailstead_message::TraceId;
use mailstead_net::sasl::{Claim, Exchange, Offer};
use mailstead_net::{Peer, TlsInfo};
use zeroize::Zeroize as _;

use super::intake::{Intake, no_room};
use super::{Admitted, Client, Config, Envelope, Identity, MailFrom, RcptTo};
use crate::Reply;
use crate::wire::{Command, CommandError, DotDecoder, LineRules, parse_command};

/// A command line, CRLF not counted. RFC 5321 4.5.3.1.4 asks for 510; DSN and internationalised addresses need more.
const MAX_LINE: usize = 2_048;
/// A line of AUTH (RFC 4954 4 asks for 12,288 octets).
const MAX_AUTH_LINE: usize = 12_288;
/// Of a line over the limit this much more is thrown away before the connection is given up.
const MAX_SKIPPED: usize = 1 << 20;
/// A refused BDAT chunk up to this size is read and thrown away, so that the session stays in step.
const MAX_SKIPPED_CHUNK: u64 = 128 << 20;
/// Wrong passwords in one session; who needs more may connect again, where the guard against guessing counts.
const MAX_AUTH_FAILURES: usize = 3;
/// So many recipients may be mistyped before answers come slower.
const PROMPT_REFUSALS: usize = 2;
/// Each refused recipient beyond that is answered this much later than the one before, up to [`MAX_DELAY`].
const DELAY_STEP: Duration = Duration::from_millis(250);
/// A client gives up after five minutes (RFC 5321 4.5.3.2.3); a pipelined group must stay well below.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// What the session wants. A question (from [`Event::Connected`] to [`Event::Message`]) must be answered, by the method
/// it names, before the next event is asked for.
#[derive(Debug)]
pub enum Event {
    /// Send the output, then read.
    Read,
    /// Is the connection welcome? → [`Session::connected`]
    Connected,
    /// Is it them? → [`Session::authenticated`]
    Auth(Claim),
    /// May a transaction begin? → [`Session::mail_answered`]
    Mail(MailFrom),
    /// May this be a recipient of the [`Session::transaction`]? → [`Session::rcpt_answered`]
    Rcpt(RcptTo),
    /// A block of a message too large for memory. → [`Session::spooled`]
    Spool(Vec<u8>),
    /// A whole message: what was spooled of it, and then this. → [`Session::message_answered`]
    Message(Envelope, Vec<u8>),
    /// What was spooled is not needed any more.
    Discard,
    /// A transaction ended without its message being handed over, for this reason.
    Abandoned(Transaction, String),
    /// Send the output, then wait this long before this is said. → [`Session::delayed`]
    Delay(Duration, Reply),
    /// Send the output, then do the handshake. → [`Session::tls_started`]
    StartTls,
    /// Send the output and close.
    Close,
}

/// A transaction: what MAIL and RCPT have brought so far.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Its trace.
    pub trace: TraceId,
    /// `MAIL FROM`
    pub from: MailFrom,
    /// Accepted recipients.
    pub recipients: Vec<RcptTo>,
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    client: Client,
    /// How one may log in.
    offer: Offer,
    phase: Phase,
    input: BytesMut,
    /// No line ends in this much of the input.
    scanned: usize,
    /// Thrown away of a line that was too long.
    skipping: Option<usize>,
    output: Vec<u8>,
    events: VecDeque<Event>,
    stopping: bool,
    count: Count,
}

/// Counted against the limits.
#[derive(Debug, Default)]
struct Count {
    steps: u64,
    commands: usize,
    errors: usize,
    messages: usize,
    refused: usize,
    auth_failures: usize,
}

/// Where the session is.
#[derive(Debug)]
enum Phase {
    /// Before the banner.
    Opening,
    /// A command comes next, in a transaction or out of one.
    Command(Option<Box<Transaction>>),
    /// An AUTH dialogue is under way.
    Auth(Dialogue),
    /// Behind 354.
    Data(Box<Receiving<DotDecoder>>),
    /// In a BDAT chunk, or (`left` is `None`) between two.
    Chunk { receiving: Box<Receiving<LineRules>>, left: Option<(u64, bool)> },
    /// In a BDAT chunk that is refused.
    SkipChunk { left: u64, reply: Reply, transaction: Option<Box<Transaction>> },
    /// Nothing more is read.
    Closed,
}

#[derive(Debug)]
struct Receiving<D> {
    transaction: Transaction,
    lines: D,
    intake: Intake,
}

/// What the next line of an AUTH dialogue is.
#[derive(Debug)]
enum Dialogue {
    /// The next message of the login.
    Exchange(Box<Exchange>),
    /// Nothing: the client, who this is, has taken note of the last word.
    LastWord(Identity),
}

impl Session {
    /// A session that begins. `tls` is given where TLS came first.
    pub fn new(config: Arc<Config>, peer: Peer, tls: Option<TlsInfo>) -> Self {
        Self {
            config,
            offer: Offer::new(tls.as_ref().map(|tls| tls.bindings.clone()).unwrap_or_default(), None),
            client: Client { peer, helo: String::new(), esmtp: false, tls, identity: None },
            phase: Phase::Opening,
            input: BytesMut::new(),
            scanned: 0,
            skipping: None,
            output: Vec::new(),
            events: VecDeque::new(),
            stopping: false,
            count: Count::default(),
        }
    }

    /// What is known of the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The transaction that is open for recipients.
    pub fn transaction(&self) -> Option<&Transaction> {
        match &self.phase {
            Phase::Command(transaction) => transaction.as_deref(),
            _ => None,
        }
    }

    /// True while a message's bytes come in.
    pub fn is_receiving(&self) -> bool {
        matches!(self.phase, Phase::Data(_) | Phase::Chunk { left: Some(_), .. } | Phase::SkipChunk { .. })
    }

    /// Octets of the message that is coming in.
    pub fn received(&self) -> u64 {
        match &self.phase {
            Phase::Data(receiving) => receiving.intake.size(),
            Phase::Chunk { receiving, .. } => receiving.intake.size(),
            _ => 0,
        }
    }

    /// Grows with each command and each change of state: a client that keeps it growing is not idle.
    pub fn steps(&self) -> u64 {
        self.count.steps
    }

    /// Bytes from the client.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Where bytes from the client are read into. What a message needed is given back before waiting for a command.
    pub fn input(&mut self) -> &mut BytesMut {
        if self.input.is_empty() && !self.is_receiving() {
            self.input = BytesMut::new();
        }
        &mut self.input
    }

    /// Reply bytes for the client.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What the session wants next.
    pub fn next_event(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let moved = match &self.phase {
                Phase::Opening => return Event::Connected,
                Phase::Closed => return Event::Close,
                _ if self.stopping && !self.is_receiving() => {
                    self.end(&Reply::new(421, (4, 3, 2), "the server is going down, come back later"));
                    true
                }
                Phase::Data(_) => self.take_data(),
                Phase::Chunk { left: Some(_), .. } => self.take_chunk(),
                Phase::SkipChunk { .. } => self.skip_chunk(),
                Phase::Command(_) | Phase::Auth(_) | Phase::Chunk { left: None, .. } => self.take_line(),
            };
            if !moved {
                return Event::Read;
            }
        }
    }

    /// The answer to [`Event::Connected`].
    pub fn connected(&mut self, answer: Result<(), Reply>) {
        match answer {
            Ok(()) => {
                self.phase = Phase::Command(None);
                let banner = Reply::bare(220, format!("{} ESMTP Mailstead", self.config.hostname));
                self.say(&banner);
            }
            Err(reply) => self.end(&reply),
        }
    }

    /// Offers SCRAM on these terms (salt, rounds of PBKDF2), where TLS is on.
    pub fn offer_scram(&mut self, terms: Option<(Vec<u8>, u32)>) {
        let bindings = self.client.tls.as_ref().map(|tls| tls.bindings.clone());
        self.offer = Offer::new(bindings.unwrap_or_default(), terms);
    }

    /// The answer to [`Event::Auth`].
    pub fn authenticated(&mut self, answer: Result<Admitted, Reply>) {
        match answer {
            Ok(Admitted { identity, last_word: None }) => self.welcome(identity),
            Ok(Admitted { identity, last_word: Some(word) }) => {
                self.phase = Phase::Auth(Dialogue::LastWord(identity));
                self.say(&Reply::bare(334, word));
            }
            Err(reply) => self.auth_failed(&reply),
        }
    }

    /// The answer to [`Event::Mail`], with what it was about.
    pub fn mail_answered(&mut self, trace: TraceId, from: MailFrom, answer: Result<(), Reply>) {
        match answer {
            Ok(()) => {
                self.count.messages += 1;
                self.phase = Phase::Command(Some(Box::new(Transaction { trace, from, recipients: Vec::new() })));
                self.say(&Reply::new(250, (2, 1, 0), "sender accepted"));
            }
            Err(reply) => self.respond(&reply),
        }
    }

    /// The answer to [`Event::Rcpt`], with what it was about.
    pub fn rcpt_answered(&mut self, to: RcptTo, answer: Result<(), Reply>) {
        match answer {
            Ok(()) => {
                if let Phase::Command(Some(transaction)) = &mut self.phase {
                    transaction.recipients.push(to);
                }
                self.say(&Reply::new(250, (2, 1, 5), "recipient accepted"));
            }
            Err(reply) if reply.is_permanent() => self.recipient_refused(&reply),
            Err(reply) => self.say(&reply),
        }
    }

    /// The time of [`Event::Delay`] is over.
    pub fn delayed(&mut self, reply: &Reply) {
        self.say(reply);
    }

    /// The answer to [`Event::Spool`]: whether there was room.
    pub fn spooled(&mut self, room: bool) {
        if room {
            return;
        }
        match &mut self.phase {
            Phase::Data(receiving) => receiving.intake.spool_failed(),
            Phase::Chunk { receiving, .. } => receiving.intake.spool_failed(),
            _ => {}
        }
    }

    /// The answer to [`Event::Message`].
    pub fn message_answered(&mut self, reply: &Reply) {
        self.respond(reply);
    }

    /// The other answer to [`Event::Message`]: there was no room for the rest of it.
    pub fn message_not_kept(&mut self, envelope: Envelope) {
        let Envelope { trace, from, recipients } = envelope;
        let reply = no_room();
        self.events.push_back(Event::Abandoned(Transaction { trace, from, recipients }, reply.to_string()));
        self.respond(&reply);
    }

    /// TLS is on: what was known of the client before counts for nothing (RFC 3207 4.2).
    pub fn tls_started(&mut self, tls: TlsInfo) {
        self.forget_input();
        self.offer = Offer::new(tls.bindings.clone(), None);
        self.client.tls = Some(tls);
        self.client.identity = None;
        self.client.helo.clear();
        self.client.esmtp = false;
    }

    /// The server goes down: a message that is coming in may still end, then the client hears 421.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Ends the session with a last word, whatever it is doing.
    pub fn end(&mut self, reply: &Reply) {
        self.abandon(&reply.to_string());
        self.say(reply);
        self.phase = Phase::Closed;
        self.forget_input();
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        self.abandon("the connection was lost");
        self.phase = Phase::Closed;
        self.forget_input();
    }
}

/// Replies and their limits.
impl Session {
    fn say(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
        if reply.code == 421 {
            self.close();
        }
    }

    /// Says it, and counts it when it is a refusal.
    fn respond(&mut self, reply: &Reply) {
        if reply.is_permanent() {
            self.count.errors += 1;
            if self.count.errors > self.config.max_errors {
                return self.end(&Reply::new(421, (4, 7, 0), "too many errors"));
            }
        }
        self.say(reply);
    }

    fn recipient_refused(&mut self, reply: &Reply) {
        self.count.refused += 1;
        if self.count.refused > self.config.max_refused_recipients {
            return self.end(&Reply::new(421, (4, 7, 0), "too many unknown recipients"));
        }
        let late = u32::try_from(self.count.refused.saturating_sub(PROMPT_REFUSALS)).unwrap_or(u32::MAX);
        if late == 0 {
            return self.say(reply);
        }
        self.events.push_back(Event::Delay(DELAY_STEP.saturating_mul(late).min(MAX_DELAY), reply.clone()));
    }

    fn auth_failed(&mut self, reply: &Reply) {
        if reply.is_permanent() {
            self.count.auth_failures += 1;
        }
        self.respond(reply);
    }

    fn close(&mut self) {
        self.abandon("the session ended");
        self.phase = Phase::Closed;
        self.forget_input();
    }

    /// Ends the transaction, if there is one; a command comes next.
    fn abandon(&mut self, why: &str) {
        let transaction = match std::mem::replace(&mut self.phase, Phase::Command(None)) {
            Phase::Command(transaction) | Phase::SkipChunk { transaction, .. } => transaction.map(|boxed| *boxed),
            Phase::Data(receiving) => Some(receiving.transaction),
            Phase::Chunk { receiving, .. } => Some(receiving.transaction),
            Phase::Opening | Phase::Auth(_) | Phase::Closed => None,
        };
        if let Some(transaction) = transaction {
            let nobody = if transaction.recipients.is_empty() { "no recipient was accepted; " } else { "" };
            self.events.push_back(Event::Abandoned(transaction, format!("{nobody}{why}")));
        }
    }

    fn forget_input(&mut self) {
        self.input = BytesMut::new();
        self.scanned = 0;
        self.skipping = None;
    }
}

/// Lines.
impl Session {
    /// Takes one line, if a whole one is there. False when more must be read.
    fn take_line(&mut self) -> bool {
        if self.skipping.is_some() {
            return self.skip_line();
        }
        let limit = self.line_limit();
        let Some(end) = self.line_end() else {
            // The CR of a CRLF may have come already.
            if self.input.len() > limit + 1 {
                self.skipping = Some(0);
                self.count.commands += 1;
                self.refuse_line(&CommandError::LineTooLong);
                return true;
            }
            return false;
        };
        self.count.steps += 1;
        self.count.commands += 1;
        let mut line = self.input.split_to(end + 2);
        self.scanned = 0;
        line.truncate(end);
        if self.count.commands > self.config.max_commands {
            self.end(&Reply::new(421, (4, 7, 0), "too many commands for one session"));
        } else if line.len() > limit {
            self.refuse_line(&CommandError::LineTooLong);
        } else {
            self.line(&line);
        }
        // It may have been a password.
        line.as_mut().zeroize();
        true
    }

    fn line_limit(&self) -> usize {
        let auth = matches!(self.phase, Phase::Auth(_))
            || self.input.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "));
        if auth { MAX_AUTH_LINE } else { MAX_LINE }
    }

    /// The place of the first CRLF.
    fn line_end(&mut self) -> Option<usize> {
        let unseen = self.input.get(self.scanned..)?;
        let found = memchr::memmem::find(unseen, b"\r\n").map(|at| self.scanned + at);
        if found.is_none() {
            self.scanned = self.input.len().saturating_sub(1);
        }
        found
    }

    fn skip_line(&mut self) -> bool {
        let end = self.line_end();
        let gone = match end {
            Some(end) => end + 2,
            None => self.scanned,
        };
        self.input.advance(gone);
        self.scanned = 0;
        let skipped = self.skipping.unwrap_or_default() + gone;
        self.skipping = if end.is_some() { None } else { Some(skipped) };
        if skipped > MAX_SKIPPED {
            self.end(&Reply::new(421, (4, 7, 0), "that line does not end"));
        }
        self.skipping.is_none()
    }

    fn refuse_line(&mut self, error: &CommandError) {
        if matches!(self.phase, Phase::Auth(_)) {
            self.phase = Phase::Command(None);
        }
        self.respond(&error.reply());
    }

    fn line(&mut self, line: &[u8]) {
        if matches!(self.phase, Phase::Auth(_)) {
            let Phase::Auth(dialogue) = std::mem::replace(&mut self.phase, Phase::Command(None)) else { return };
            return self.auth_line(dialogue, line);
        }
        match parse_command(line) {
            Ok(command) => self.command(command),
            Err(error) => self.refuse_line(&error),
        }
    }

    fn command(&mut self, command: Command<'_>) {
        match command {
            Command::Ehlo(name) => self.hello(name, true),
            Command::Helo(name) => self.hello(name, false),
            Command::Mail(from) => self.mail(from),
            Command::Rcpt { to, notify, orcpt, utf8 } => self.rcpt(to, notify, orcpt, utf8),
            Command::Data => self.data(),
            Command::Bdat { octets, last } => self.bdat(octets, last),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Rset => {
                self.abandon("the client took it back (RSET)");
                self.say(&Reply::new(250, (2, 0, 0), "as if nothing had been said"));
            }
            Command::Noop => self.say(&Reply::new(250, (2, 0, 0), "still here")),
            Command::Vrfy => self.say(&Reply::new(252, (2, 1, 5), "send your letter and see")),
            Command::Expn => self.respond(&Reply::new(502, (5, 5, 1), "lists are nobody's business")),
            Command::Help => self.say(&Reply::new(214, (2, 0, 0), "this server speaks SMTP as in RFC 5321")),
            Command::Quit => {
                self.abandon("the client left before its message (QUIT)");
                self.say(&Reply::new(221, (2, 0, 0), "goodbye"));
                self.close();
            }
        }
    }
}
