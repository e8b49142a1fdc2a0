//! The session: bytes in, questions out; answers in, reply bytes out. No socket, no clock, no store.
//!
//! Feed [`Session::input`], ask [`Session::next_event`] what it wants, do that, and so on. Replies to a pipelined
//! group gather in the output until it wants [`Event::Read`] or [`Event::Flush`].

mod authorization;
#[cfg(test)]
mod tests;
mod transaction;

use bytes::BytesMut;
use mailstead_net::sasl::{Claim, Exchange, Offer};
use mailstead_store::{MailboxId, Uid};

use crate::body::Body;
use crate::command::{self, Command, CommandError};
use crate::limits::{MAX_AUTH_LINE, MAX_COMMANDS_BEFORE_LOGIN, MAX_ERRORS, MAX_LINE};
use crate::lines::{Lines, Next};
use crate::maildrop::Maildrop;
use transaction::Listing;

/// What the session wants. A question (from [`Event::Login`] on) must be answered, by the method it names, before the
/// next event is asked for.
#[derive(Debug)]
pub(crate) enum Event {
    /// Send the output, then read.
    Read,
    /// Send the output: there is more to come.
    Flush,
    /// Send the output, then do the handshake. → [`Session::tls_started`]
    StartTls,
    /// Send the output and close.
    Close,
    /// Who is it, and what is in the maildrop? → [`Session::login_answered`]
    Login(Claim),
    /// This message, please. → [`Session::message_refused`], or [`Session::message_begins`], then
    /// [`Session::message_block`] until all is given or no more is wanted, then [`Session::message_ends`]
    Message(MailboxId, Uid),
    /// Delete these. → [`Session::removed`]
    Remove(MailboxId, Vec<Uid>),
}

/// What became of a login.
#[derive(Debug)]
pub(crate) enum LoginAnswer {
    /// Welcome; this is the maildrop, and what the client must hear before, in base64, where the mechanism has that.
    Welcome(Maildrop, Option<String>),
    /// Wrong name or password, in these words.
    Denied(&'static str),
    /// Their network has guessed too often.
    LockedOut,
    /// It could not be found out now.
    Unavailable,
}

/// Why a message can't be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageRefusal {
    /// Another session has deleted it since the login.
    Gone,
    /// It can't be read now.
    Unavailable,
    /// It is damaged on the disk.
    Damaged,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    /// How one may log in; `None` without TLS.
    offer: Option<Offer>,
    state: State,
    lines: Lines,
    output: Vec<u8>,
    event: Option<Event>,
    stopping: bool,
    count: Count,
}

/// Counted against the limits.
#[derive(Debug, Default)]
struct Count {
    commands_before_login: u32,
    login_failures: u32,
    errors: u32,
}

/// Where the session is (RFC 1939 3).
#[derive(Debug)]
enum State {
    /// AUTHORIZATION, with what USER said.
    Authorization { user: Option<String> },
    /// AUTH waits for the next message.
    Sasl(Box<Exchange>),
    /// The client takes note of the last word of AUTH, then this is its maildrop.
    LastWord(Maildrop),
    /// TRANSACTION.
    Transaction(Maildrop, Doing),
    /// UPDATE, and all that ends a session.
    Closed,
}

/// What an answer under way is.
#[derive(Debug)]
enum Doing {
    Nothing,
    Listing(Listing),
    /// A message that was asked for; whole, or so many lines of its body.
    Asked(Option<u64>),
    Sending(Body),
}

impl Session {
    /// A session that begins, with its greeting in the output.
    pub(crate) fn new(hostname: &str, offer: Option<Offer>) -> Self {
        let mut session = Self {
            offer,
            state: State::Authorization { user: None },
            lines: Lines::default(),
            output: Vec::new(),
            event: None,
            stopping: false,
            count: Count::default(),
        };
        session.ok(&format!("{hostname} Mailstead is ready"));
        session
    }

    /// Where bytes from the client are read into.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        self.lines.input()
    }

    /// Reply bytes for the client.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// How much there is to send.
    pub(crate) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// True once somebody has logged in.
    pub(crate) fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(..))
    }

    /// What the session wants next.
    pub(crate) fn next_event(&mut self) -> Event {
        loop {
            if let Some(event) = self.event.take() {
                return event;
            }
            if matches!(self.state, State::Closed) {
                return Event::Close;
            }
            if matches!(self.state, State::Transaction(_, Doing::Listing(_))) {
                self.list_some();
                return Event::Flush;
            }
            if self.stopping {
                self.end("[SYS/TEMP] the server is going down, come back soon");
                continue;
            }
            match self.lines.next(self.line_limit()) {
                Next::Incomplete => return Event::Read,
                Next::Line(line) => self.line(&line),
                Next::TooLong => self.refuse_line(CommandError::TooLong),
                Next::Endless => self.end("the line does not end, goodbye"),
            }
        }
    }

    /// TLS is on: what was said before counts for nothing (RFC 2595 4).
    pub(crate) fn tls_started(&mut self, offer: Offer) {
        self.lines.discard();
        self.state = State::Authorization { user: None };
        self.offer = Some(offer);
    }

    /// The server goes down: an answer under way may end, then the client hears of it. Nothing is deleted.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Ends without a word, as RFC 1939 3 wants it of a timer, or because the connection is gone. Nothing is deleted.
    pub(crate) fn abandon(&mut self) {
        self.close();
    }
}

/// Lines.
impl Session {
    fn line_limit(&self) -> usize {
        let auth = self.is_in_sasl() || self.lines.begins_with(b"AUTH ");
        if auth { MAX_AUTH_LINE } else { MAX_LINE }
    }

    fn is_in_sasl(&self) -> bool {
        matches!(self.state, State::Sasl(_) | State::LastWord(_))
    }

    fn line(&mut self, line: &[u8]) {
        if !self.is_logged_in() {
            self.count.commands_before_login += 1;
            if self.count.commands_before_login > MAX_COMMANDS_BEFORE_LOGIN {
                return self.end("too many commands without a login, goodbye");
            }
        }
        if self.is_in_sasl() {
            return self.sasl_response(line);
        }
        match command::parse(line) {
            Ok(command) => self.command(command),
            Err(error) => self.refuse_line(error),
        }
    }

    fn refuse_line(&mut self, error: CommandError) {
        if self.is_in_sasl() {
            self.state = State::Authorization { user: None };
        }
        self.refuse(&error.to_string());
    }

    /// The one place that knows which command belongs to which state.
    fn command(&mut self, command: Command<'_>) {
        match (&self.state, command) {
            (_, Command::Capa) => self.capabilities(),
            (_, Command::Lang(range)) => self.language(range),
            (_, Command::Quit) => self.quit(),
            (State::Authorization { .. }, Command::Stls) => self.start_tls(),
            // Names, passwords and messages are taken and given as they are, with and without it.
            (State::Authorization { .. }, Command::Utf8) => self.ok("UTF-8 it is"),
            (State::Authorization { .. }, Command::User(name)) => self.user(name),
            (State::Authorization { .. }, Command::Pass(password)) => self.pass(password),
            (State::Authorization { .. }, Command::Auth { mechanism, initial }) => self.auth(mechanism, initial),
            (State::Transaction(..), Command::Stat) => self.stat(),
            (State::Transaction(..), Command::List(number)) => self.list(number),
            (State::Transaction(..), Command::Uidl(number)) => self.uidl(number),
            (State::Transaction(..), Command::Retr(number)) => self.retrieve(number, None),
            (State::Transaction(..), Command::Top { number, lines }) => self.retrieve(number, Some(lines)),
            (State::Transaction(..), Command::Dele(number)) => self.delete(number),
            (State::Transaction(..), Command::Rset) => self.reset(),
            (State::Transaction(..), Command::Noop) => self.ok("still here"),
            (State::Transaction(..), _) => self.refuse("you are logged in already"),
            (_, _) => self.refuse("log in first"),
        }
    }
}

/// What may be said in any state.
impl Session {
    /// CAPA (RFC 2449 5). The same before and after login, but for STLS.
    fn capabilities(&mut self) {
        self.ok("this server can");
        for capability in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "UTF8 USER"] {
            self.write_line(capability);
        }
        self.write_line("LANG");
        if let Some(offer) = &self.offer {
            let names: Vec<&str> = offer.mechanisms().collect();
            self.write_line("USER");
            self.write_line(&format!("SASL {}", names.join(" ")));
        } else {
            self.write_line("STLS");
        }
        self.write_line("IMPLEMENTATION Mailstead");
        self.write_line(".");
    }

    /// LANG (RFC 6856 3.2). English is all there is.
    fn language(&mut self, range: Option<&str>) {
        let spoken = |range: &str| {
            let primary = range.split('-').next().unwrap_or_default();
            range == "*" || primary.eq_ignore_ascii_case("en") || range.eq_ignore_ascii_case("i-default")
        };
        match range {
            None => {
                self.ok("this server speaks");
                self.write_line("en English");
                self.write_line(".");
            }
            Some(range) if spoken(range) => self.ok("en English it is"),
            Some(_) => self.refuse("this server speaks English only"),
        }
    }

    /// QUIT (RFC 1939 4 and 6): the only way to UPDATE.
    fn quit(&mut self) {
        let marked = match &self.state {
            State::Transaction(maildrop, _) => maildrop.marked(),
            _ => Vec::new(),
        };
        match &self.state {
            State::Transaction(maildrop, _) if !marked.is_empty() => {
                self.event = Some(Event::Remove(maildrop.mailbox(), marked));
            }
            _ => {
                self.ok("goodbye");
                self.close();
            }
        }
    }

    /// The answer to [`Event::Remove`]: whether the messages are gone for good. If not, all of them are still there.
    pub(crate) fn removed(&mut self, done: bool) {
        if done {
            self.ok("goodbye, what you deleted is gone");
        } else {
            self.err("[SYS/TEMP] nothing could be deleted now, all messages are still there");
        }
        self.close();
    }
}

/// Replies.
impl Session {
    fn ok(&mut self, text: &str) {
        self.write_line(&format!("+OK {text}"));
    }

    fn err(&mut self, text: &str) {
        self.write_line(&format!("-ERR {text}"));
    }

    /// Refuses what made no sense, and counts it.
    fn refuse(&mut self, text: &str) {
        self.count.errors += 1;
        if self.count.errors > MAX_ERRORS {
            self.end("too many errors, goodbye");
        } else {
            self.err(text);
        }
    }

    fn write_line(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Ends the session with a last word. Nothing is deleted.
    fn end(&mut self, text: &str) {
        self.err(text);
        self.close();
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.lines.discard();
    }
}
