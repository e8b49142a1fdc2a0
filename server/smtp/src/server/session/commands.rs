//! EHLO, MAIL, RCPT, DATA, STARTTLS: who may say what when.

use mailstead_message::{Address, Domain, LocalPart};

use super::{Event, Phase, Receiving, Session, Transaction};
use crate::Reply;
use crate::server::intake::{Intake, too_large};
use crate::server::{MailFrom, NotifyParam, RcptTo, Role};
use crate::wire::{CommandError, ForwardPath};

impl Session {
    pub(super) fn hello(&mut self, name: &str, esmtp: bool) {
        self.abandon("the client began anew (EHLO)");
        self.client.helo = name.to_owned();
        self.client.esmtp = esmtp;
        let mut lines = vec![self.config.hostname.clone()];
        if esmtp {
            lines.extend(
                ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN"].map(String::from),
            );
            lines.push(format!("SIZE {}", self.config.max_message_size));
            lines.push(format!("LIMITS MAILMAX={} RCPTMAX={}", self.config.max_messages, self.config.max_recipients));
            match (&self.client.tls, self.config.role) {
                (None, _) => lines.push("STARTTLS".to_owned()),
                (Some(_), Role::Submission) => lines.push(self.mechanisms()),
                (Some(_), Role::Exchange) => {}
            }
            if self.client.tls.is_some() {
                lines.push("REQUIRETLS".to_owned());
            }
        }
        self.say(&Reply { code: 250, status: None, lines });
    }

    pub(super) fn out_of_order(&mut self, text: &str) {
        self.respond(&Reply::new(503, (5, 5, 1), text));
    }

    pub(super) fn mail(&mut self, from: MailFrom) {
        if self.client.helo.is_empty() {
            return self.out_of_order("say EHLO first");
        }
        if !matches!(self.phase, Phase::Command(None)) {
            return self.out_of_order("one message after the other: there is a MAIL already");
        }
        if self.config.role == Role::Submission && self.client.identity.is_none() {
            return self.respond(&Reply::new(530, (5, 7, 0), "log in first (STARTTLS, then AUTH)"));
        }
        // RFC 8689 4.1: what must never travel in the clear has begun badly.
        if from.require_tls && self.client.tls.is_none() {
            return self.respond(&Reply::new(
                530,
                (5, 7, 10),
                "REQUIRETLS needs TLS from the start: say STARTTLS first",
            ));
        }
        if self.count.messages >= self.config.max_messages {
            return self.end(&Reply::new(421, (4, 7, 0), "enough messages for one session, connect again for more"));
        }
        if from.size.is_some_and(|size| size > self.config.max_message_size) {
            return self.respond(&too_large(self.config.max_message_size));
        }
        self.events.push_back(Event::Mail(from));
    }

    pub(super) fn rcpt(
        &mut self,
        to: ForwardPath,
        notify: Option<NotifyParam>,
        orcpt: Option<(String, String)>,
        utf8: bool,
    ) {
        let Phase::Command(Some(transaction)) = &self.phase else {
            return self.out_of_order("say MAIL before RCPT");
        };
        if utf8 && !transaction.from.smtputf8 {
            return self.respond(&CommandError::NeedsSmtpUtf8.reply());
        }
        if transaction.recipients.len() >= self.config.max_recipients {
            return self.say(&Reply::new(452, (4, 5, 3), "too many recipients, send the rest in another message"));
        }
        let address = match to {
            ForwardPath::Mailbox(address) => Some(address),
            ForwardPath::Postmaster => self.postmaster(),
        };
        match address {
            Some(address) => self.events.push_back(Event::Rcpt(RcptTo { address, notify, orcpt })),
            None => self.respond(&Reply::new(550, (5, 1, 1), "the postmaster has a domain")),
        }
    }

    pub(super) fn postmaster(&self) -> Option<Address> {
        Some(Address::new(LocalPart::parse("postmaster").ok()?, Domain::parse(&self.config.hostname).ok()?))
    }

    /// Takes the transaction for its message, or says what is missing.
    pub(super) fn take_transaction(&mut self) -> Result<Transaction, Reply> {
        match std::mem::replace(&mut self.phase, Phase::Command(None)) {
            Phase::Command(Some(transaction)) if !transaction.recipients.is_empty() => Ok(*transaction),
            other => {
                let in_mail = matches!(other, Phase::Command(Some(_)));
                self.phase = other;
                Err(if in_mail {
                    Reply::new(554, (5, 5, 1), "there is no valid recipient")
                } else {
                    Reply::new(503, (5, 5, 1), "say MAIL and RCPT first, and do not mix DATA with BDAT")
                })
            }
        }
    }

    pub(super) fn data(&mut self) {
        match self.take_transaction() {
            Ok(transaction) => {
                self.phase = Phase::Data(Box::new(self.receiving(transaction)));
                self.say(&Reply::bare(354, "go ahead, end with <CRLF>.<CRLF>"));
            }
            Err(reply) => self.respond(&reply),
        }
    }

    pub(super) fn receiving<D: Default>(&self, transaction: Transaction) -> Receiving<D> {
        let intake = Intake::new(self.config.max_message_size, self.config.spool_above);
        Receiving { transaction, lines: D::default(), intake }
    }

    pub(super) fn start_tls(&mut self) {
        if self.client.tls.is_some() {
            return self.out_of_order("TLS is on already");
        }
        self.abandon("the client began anew (STARTTLS)");
        // Whatever stands behind it came from who knows whom (CVE-2011-0411).
        self.forget_input();
        self.say(&Reply::new(220, (2, 0, 0), "go ahead with the handshake"));
        self.events.push_back(Event::StartTls);
    }
}
