//! AUTH (RFC 4954 4).

use mailstead_net::sasl::{self, CredentialsError};
use zeroize::Zeroizing;

use super::{Dialogue, Event, MAX_AUTH_FAILURES, Phase, Session};
use crate::Reply;
use crate::server::{Credentials, Role};
use crate::wire::Mechanism;

impl Session {
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
        let dialogue = match mechanism {
            Mechanism::Plain => Dialogue::Plain,
            Mechanism::Login => Dialogue::LoginName,
        };
        match initial {
            Some(response) => self.auth_step(dialogue, response),
            None => {
                let prompt = if mechanism == Mechanism::Plain { "" } else { sasl::ASK_LOGIN };
                self.phase = Phase::Auth(dialogue);
                self.say(&Reply::bare(334, prompt));
            }
        }
    }

    pub(super) fn auth_line(&mut self, dialogue: Dialogue, line: &[u8]) {
        match std::str::from_utf8(line) {
            Ok("*") => self.respond(&Reply::new(501, (5, 7, 0), "login cancelled")),
            // Only in the command itself does `=` stand for nothing; here it is not base64.
            Ok(line) if line != "=" => self.auth_step(dialogue, line),
            _ => self.credentials_refused(CredentialsError::Base64),
        }
    }

    pub(super) fn auth_step(&mut self, dialogue: Dialogue, response: &str) {
        let credentials = match dialogue {
            Dialogue::Plain => sasl::plain(response),
            Dialogue::LoginName => match sasl::login_name(response) {
                Ok(login) => {
                    self.phase = Phase::Auth(Dialogue::LoginPassword(login));
                    return self.say(&Reply::bare(334, sasl::ASK_PASSWORD));
                }
                Err(error) => Err(error),
            },
            Dialogue::LoginPassword(login) => {
                sasl::login_password(response).map(|password: Zeroizing<String>| Credentials { login, password })
            }
        };
        match credentials {
            Ok(credentials) => self.events.push_back(Event::Auth(credentials)),
            Err(error) => self.credentials_refused(error),
        }
    }

    pub(super) fn credentials_refused(&mut self, error: CredentialsError) {
        let reply = match error {
            CredentialsError::Identity => Reply::new(535, (5, 7, 8), error.to_string()),
            _ => Reply::new(501, (5, 5, 2), error.to_string()),
        };
        self.auth_failed(&reply);
    }
}
