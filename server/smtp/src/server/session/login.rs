//! AUTH (RFC 4954 4).

use mailstead_net::sasl::{self, CredentialsError, Mechanism, Turn};
use zeroize::Zeroizing;

use super::{Dialogue, Event, MAX_AUTH_FAILURES, Phase, Session};
use crate::Reply;
use crate::server::{Identity, Role};
use crate::wire::CommandError;

impl Session {
    /// The line of EHLO's answer that names the mechanisms.
    pub(super) fn mechanisms(&self) -> String {
        let mut names: Vec<&str> = self.offer.mechanisms().collect();
        names.insert(names.len().min(1), Mechanism::Login.name());
        format!("AUTH {}", names.join(" "))
    }

    pub(super) fn auth(&mut self, mechanism: Mechanism, initial: Option<&str>) {
        if self.config.role == Role::Exchange {
            return self.respond(&Reply::new(502, (5, 5, 1), "there is no login on this port, use submission"));
        }
        if self.client.tls.is_none() {
            return self.respond(&Reply::new(538, (5, 7, 11), "say STARTTLS first: no password without TLS"));
        }
        if !self.client.esmtp {
            return self.out_of_order("say EHLO first");
        }
        if self.client.identity.is_some() || !matches!(self.phase, Phase::Command(None)) {
            return self.out_of_order("AUTH comes once, and not within a transaction");
        }
        if self.count.auth_failures >= MAX_AUTH_FAILURES {
            return self.end(&Reply::new(421, (4, 7, 0), "too many failed logins"));
        }
        let Some(exchange) = self.offer.begin(mechanism) else {
            return self.respond(&CommandError::UnknownMechanism.reply());
        };
        match initial {
            Some(response) => self.auth_step(exchange, sasl::initial_response(response)),
            None => {
                let question = exchange.first_question();
                self.phase = Phase::Auth(Dialogue::Exchange(Box::new(exchange)));
                self.say(&Reply::bare(334, question));
            }
        }
    }

    pub(super) fn auth_line(&mut self, dialogue: Dialogue, line: &[u8]) {
        match dialogue {
            _ if line == b"*" => self.respond(&Reply::new(501, (5, 7, 0), "login cancelled")),
            Dialogue::Exchange(exchange) => self.auth_step(*exchange, sasl::response(line)),
            Dialogue::LastWord(identity) if line.is_empty() => self.welcome(identity),
            Dialogue::LastWord(_) => self.credentials_refused(CredentialsError::Scram),
        }
    }

    fn auth_step(&mut self, exchange: sasl::Exchange, message: Result<Zeroizing<Vec<u8>>, CredentialsError>) {
        match message.and_then(|message| exchange.answer(&message)) {
            Ok(Turn::Ask(question, exchange)) => {
                self.phase = Phase::Auth(Dialogue::Exchange(Box::new(exchange)));
                self.say(&Reply::bare(334, question));
            }
            Ok(Turn::Check(claim)) => self.events.push_back(Event::Auth(claim)),
            Err(error) => self.credentials_refused(error),
        }
    }

    pub(super) fn welcome(&mut self, identity: Identity) {
        self.client.identity = Some(identity);
        self.say(&Reply::new(235, (2, 7, 0), "welcome"));
    }

    fn credentials_refused(&mut self, error: CredentialsError) {
        let (code, status) = if error.is_refusal() { (535, (5, 7, 8)) } else { (501, (5, 5, 2)) };
        self.auth_failed(&Reply::new(code, status, error.to_string()));
    }
}
