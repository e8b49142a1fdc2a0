//! Message bytes, behind DATA and in BDAT chunks.

use bytes::Buf as _;

use super::{Event, MAX_SKIPPED_CHUNK, Phase, Session, Transaction};
use crate::Reply;
use crate::server::Envelope;
use crate::server::intake::{After, Intake, too_large};

impl Session {
    pub(super) fn take_data(&mut self) -> bool {
        let Phase::Data(receiving) = &mut self.phase else { return false };
        if self.input.is_empty() {
            return false;
        }
        receiving.intake.expect(receiving.transaction.from.size);
        let before = receiving.intake.held.len();
        let (used, ended) = receiving.lines.decode(&self.input, &mut receiving.intake.held);
        self.input.advance(used);
        let after = receiving.intake.appended(before, receiving.lines.faults(), ended);
        if self.do_after(after) && ended {
            let Phase::Data(receiving) = std::mem::replace(&mut self.phase, Phase::Command(None)) else { return true };
            self.received_all(receiving.transaction, receiving.intake);
        }
        true
    }

    /// False when the session is over.
    pub(super) fn do_after(&mut self, after: After) -> bool {
        match after {
            After::Nothing => {}
            After::Spool(block) => self.events.push_back(Event::Spool(block)),
            After::Discard => self.events.push_back(Event::Discard),
            After::GiveUp => {
                self.end(&Reply::new(421, (4, 3, 4), "the message is far too large"));
                return false;
            }
        }
        true
    }

    pub(super) fn received_all(&mut self, transaction: Transaction, intake: Intake) {
        self.count.steps += 1;
        match intake.refusal() {
            Some(reply) => {
                self.events.push_back(Event::Abandoned(transaction, reply.to_string()));
                self.respond(&reply);
            }
            None => {
                let Transaction { trace, from, recipients } = transaction;
                self.events.push_back(Event::Message(Envelope { trace, from, recipients }, intake.held));
            }
        }
    }

    pub(super) fn bdat(&mut self, octets: u64, last: bool) {
        let receiving = match std::mem::replace(&mut self.phase, Phase::Command(None)) {
            Phase::Chunk { receiving, .. } => Ok(receiving),
            other => {
                self.phase = other;
                self.take_transaction().map(|transaction| Box::new(self.receiving(transaction)))
            }
        };
        match receiving {
            Ok(receiving) if receiving.intake.would_be_too_large(octets) => {
                let transaction = receiving.transaction;
                let reply = too_large(self.config.max_message_size);
                self.events.push_back(Event::Abandoned(transaction, reply.to_string()));
                self.refuse_chunk(octets, reply);
            }
            Ok(receiving) => self.phase = Phase::Chunk { receiving, left: Some((octets, last)) },
            Err(reply) => self.refuse_chunk(octets, reply),
        }
    }

    /// The chunk comes whether it is wanted or not (RFC 3030 2).
    pub(super) fn refuse_chunk(&mut self, octets: u64, reply: Reply) {
        if octets > MAX_SKIPPED_CHUNK {
            return self.end(&Reply::new(421, (4, 3, 4), "the chunk is far too large"));
        }
        let Phase::Command(transaction) = std::mem::replace(&mut self.phase, Phase::Command(None)) else { return };
        self.phase = Phase::SkipChunk { left: octets, reply, transaction };
    }

    pub(super) fn skip_chunk(&mut self) -> bool {
        let Phase::SkipChunk { left, .. } = &mut self.phase else { return false };
        let here = self.input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        self.input.advance(here);
        *left -= here as u64;
        if *left > 0 {
            return false;
        }
        let Phase::SkipChunk { reply, transaction, .. } = std::mem::replace(&mut self.phase, Phase::Command(None))
        else {
            return false;
        };
        self.count.steps += 1;
        self.phase = Phase::Command(transaction);
        self.respond(&reply);
        true
    }

    pub(super) fn take_chunk(&mut self) -> bool {
        let Phase::Chunk { receiving, left: Some((left, last)) } = &mut self.phase else { return false };
        let here = self.input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        if here == 0 && *left > 0 {
            return false;
        }
        receiving.intake.expect(Some(*left));
        let block = self.input.split_to(here);
        receiving.lines.check(&block);
        let before = receiving.intake.held.len();
        receiving.intake.held.extend_from_slice(&block);
        *left -= here as u64;
        let (ended, last) = (*left == 0, *last);
        if ended && last && receiving.intake.size() + here as u64 > 0 && !receiving.lines.ends_in_crlf() {
            // A chunk need not end in a line end, a stored message does; no signature minds (RFC 6376 3.4.3).
            receiving.intake.held.extend_from_slice(b"\r\n");
        }
        let after = receiving.intake.appended(before, receiving.lines.faults(ended && last), ended && last);
        if self.do_after(after) && ended {
            self.chunk_ended(last);
        }
        true
    }

    pub(super) fn chunk_ended(&mut self, last: bool) {
        let Phase::Chunk { receiving, .. } = std::mem::replace(&mut self.phase, Phase::Command(None)) else { return };
        if last || receiving.intake.refusal().is_some() {
            return self.received_all(receiving.transaction, receiving.intake);
        }
        self.count.steps += 1;
        let octets = receiving.intake.size();
        self.phase = Phase::Chunk { receiving, left: None };
        self.say(&Reply::new(250, (2, 0, 0), format!("{octets} octets received")));
    }
}
