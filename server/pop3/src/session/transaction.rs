//! STAT, LIST, UIDL, RETR, TOP, DELE, RSET (RFC 1939 5 and 7).

use std::fmt::Write as _;

use super::{Doing, Event, MessageRefusal, Session, State};
use crate::body::Body;
use crate::command::Number;
use crate::limits::BLOCK;
use crate::maildrop::{Entry, Maildrop};

/// A listing of all messages that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    next: usize,
    what: fn(&Maildrop, Entry) -> String,
}

fn size(_: &Maildrop, entry: Entry) -> String {
    entry.size.to_string()
}

impl Session {
    pub(super) fn stat(&mut self) {
        let State::Transaction(maildrop, _) = &self.state else { return };
        let (messages, octets) = maildrop.left();
        self.ok(&format!("{messages} {octets}"));
    }

    pub(super) fn list(&mut self, number: Option<Number>) {
        self.list_by(number, size);
    }

    pub(super) fn uidl(&mut self, number: Option<Number>) {
        self.list_by(number, Maildrop::unique_id);
    }

    fn list_by(&mut self, number: Option<Number>, what: fn(&Maildrop, Entry) -> String) {
        let State::Transaction(maildrop, doing) = &mut self.state else { return };
        match number {
            Some(number) => match maildrop.get(number) {
                Some(entry) => {
                    let line = format!("{number} {}", what(maildrop, entry));
                    self.ok(&line);
                }
                None => self.no_such_message(),
            },
            None => {
                *doing = Doing::Listing(Listing { next: 1, what });
                let messages = maildrop.left().0;
                self.ok(&format!("{messages} messages"));
            }
        }
    }

    /// Writes a block of the listing that is under way.
    pub(super) fn list_some(&mut self) {
        let State::Transaction(maildrop, doing) = &mut self.state else { return };
        let Doing::Listing(listing) = doing else { return };
        let mut text = String::new();
        while listing.next <= maildrop.len() && text.len() < BLOCK {
            let number = Number::try_from(listing.next).unwrap_or(Number::MAX);
            if let Some(entry) = maildrop.get(number) {
                let _ = write!(text, "{number} {}\r\n", (listing.what)(maildrop, entry));
            }
            listing.next += 1;
        }
        if listing.next > maildrop.len() {
            text.push_str(".\r\n");
            *doing = Doing::Nothing;
        }
        self.output.extend_from_slice(text.as_bytes());
    }

    pub(super) fn retrieve(&mut self, number: Number, lines: Option<u64>) {
        let State::Transaction(maildrop, doing) = &mut self.state else { return };
        match maildrop.get(number) {
            Some(entry) => {
                *doing = Doing::Asked(lines);
                self.event = Some(Event::Message(maildrop.mailbox(), entry.uid));
            }
            None => self.no_such_message(),
        }
    }

    /// The answer to [`Event::Message`] when there is no message.
    pub(crate) fn message_refused(&mut self, why: MessageRefusal) {
        if let State::Transaction(_, doing) = &mut self.state {
            *doing = Doing::Nothing;
        }
        // No fault of the client: not counted against it.
        self.err(match why {
            MessageRefusal::Gone => "the message is gone: something else has deleted it",
            MessageRefusal::Unavailable => "[SYS/TEMP] the message can't be read now, try again later",
            MessageRefusal::Damaged => "[SYS/PERM] the message is damaged on the server; its operator has been told",
        });
    }

    /// The message asked for is at hand and has so many octets.
    pub(crate) fn message_begins(&mut self, octets: u64) {
        let State::Transaction(_, doing) = &mut self.state else { return };
        let Doing::Asked(lines) = *doing else { return };
        *doing = Doing::Sending(Body::new(lines));
        match lines {
            None => self.ok(&format!("{octets} octets")),
            Some(_) => self.ok("the top of it"),
        }
    }

    /// The message's next bytes. False when the rest is not wanted.
    pub(crate) fn message_block(&mut self, block: &[u8]) -> bool {
        let State::Transaction(_, Doing::Sending(body)) = &mut self.state else { return false };
        body.encode(block, &mut self.output)
    }

    /// The message is complete, or what was wanted of it.
    pub(crate) fn message_ends(&mut self) {
        let State::Transaction(_, doing) = &mut self.state else { return };
        if let Doing::Sending(body) = std::mem::replace(doing, Doing::Nothing) {
            body.finish(&mut self.output);
        }
    }

    pub(super) fn delete(&mut self, number: Number) {
        let State::Transaction(maildrop, _) = &mut self.state else { return };
        if maildrop.mark(number) {
            self.ok("it will be deleted when you QUIT");
        } else {
            self.no_such_message();
        }
    }

    pub(super) fn reset(&mut self) {
        let State::Transaction(maildrop, _) = &mut self.state else { return };
        maildrop.unmark_all();
        let (messages, octets) = maildrop.left();
        self.ok(&format!("nothing will be deleted: {messages} messages ({octets} octets)"));
    }

    fn no_such_message(&mut self) {
        self.refuse("there is no such message");
    }
}
