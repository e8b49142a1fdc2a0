//! STLS, USER and PASS, AUTH (RFC 2595 4, RFC 1939 7, RFC 5034).

use mailstead_net::sasl::{self, Claim, Credentials, CredentialsError, Exchange, Mechanism, Turn};
use zeroize::Zeroizing;

use super::{Doing, Event, LoginAnswer, Session, State};
use crate::limits::MAX_LOGIN_FAILURES;
use crate::maildrop::Maildrop;

const NO_TLS: &str = "no passwords in clear text: say STLS first";

impl Session {
    pub(super) fn start_tls(&mut self) {
        if self.offer.is_some() {
            return self.refuse("this connection is encrypted already");
        }
        self.ok("begin TLS now");
        // A stranger on the way may have put commands behind it.
        self.lines.discard();
        self.event = Some(Event::StartTls);
    }

    pub(super) fn user(&mut self, name: &str) {
        if self.refused_in_clear() {
            return;
        }
        self.state = State::Authorization { user: Some(name.to_owned()) };
        // Whether there is such a user is nobody's business.
        self.ok("now the password");
    }

    pub(super) fn pass(&mut self, password: &str) {
        if self.refused_in_clear() {
            return;
        }
        let State::Authorization { user } = &mut self.state else { return };
        match user.take() {
            Some(login) => {
                let password = Zeroizing::new(password.to_owned());
                self.event = Some(Event::Login(Claim::Password(Credentials { login, password })));
            }
            None => self.refuse("say USER first"),
        }
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        let Some(offer) = &self.offer else { return self.refuse(NO_TLS) };
        let offered = Mechanism::parse(mechanism).filter(|mechanism| *mechanism != Mechanism::Login);
        let Some(exchange) = offered.and_then(|mechanism| offer.begin(mechanism)) else {
            return self.refuse("that mechanism is not offered here, CAPA names those that are");
        };
        match initial {
            Some(response) => self.sasl_step(exchange, sasl::initial_response(response)),
            None => self.ask(exchange.first_question(), exchange),
        }
    }

    pub(super) fn sasl_response(&mut self, line: &[u8]) {
        match std::mem::replace(&mut self.state, State::Authorization { user: None }) {
            _ if line == b"*" => self.refuse("login cancelled"),
            State::Sasl(exchange) => self.sasl_step(*exchange, sasl::response(line)),
            State::LastWord(maildrop) if line.is_empty() => self.welcome(maildrop),
            _ => self.refuse(&CredentialsError::Scram.to_string()),
        }
    }

    fn sasl_step(&mut self, exchange: Exchange, message: Result<Zeroizing<Vec<u8>>, CredentialsError>) {
        match message.and_then(|message| exchange.answer(&message)) {
            Ok(Turn::Ask(question, exchange)) => self.ask(&question, exchange),
            Ok(Turn::Check(claim)) => self.event = Some(Event::Login(claim)),
            Err(error) if error.is_refusal() => self.refuse(&format!("[AUTH] {error}")),
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    fn ask(&mut self, question: &str, exchange: Exchange) {
        self.state = State::Sasl(Box::new(exchange));
        self.write_line(&format!("+ {question}"));
    }

    fn welcome(&mut self, maildrop: Maildrop) {
        let (messages, octets) = maildrop.left();
        self.state = State::Transaction(maildrop, Doing::Nothing);
        self.ok(&format!("{messages} messages ({octets} octets)"));
    }

    /// The answer to [`Event::Login`].
    pub(crate) fn login_answered(&mut self, answer: LoginAnswer) {
        match answer {
            LoginAnswer::Welcome(maildrop, None) => self.welcome(maildrop),
            LoginAnswer::Welcome(maildrop, Some(word)) => {
                self.state = State::LastWord(maildrop);
                self.write_line(&format!("+ {word}"));
            }
            LoginAnswer::Denied(why) => {
                self.err(&format!("[AUTH] {why}"));
                self.count.login_failures += 1;
                if self.count.login_failures >= MAX_LOGIN_FAILURES {
                    self.close();
                }
            }
            // Not AUTH: a mail program would ask its user for another password.
            LoginAnswer::LockedOut => {
                self.end("[LOGIN-DELAY] too many wrong passwords from your network, try again later");
            }
            LoginAnswer::Unavailable => self.err("[SYS/TEMP] nobody can log in now, try again later"),
        }
    }

    fn refused_in_clear(&mut self) -> bool {
        if self.offer.is_none() {
            self.refuse(NO_TLS);
        }
        self.offer.is_none()
    }
}
