//! STLS, USER and PASS, AUTH (RFC 2595 4, RFC 1939 7, RFC 5034).

use mailstead_net::sasl::{self, Credentials};
use zeroize::Zeroizing;

use super::{Doing, Event, LoginAnswer, Session, State};
use crate::limits::MAX_LOGIN_FAILURES;

impl Session {
    pub(super) fn start_tls(&mut self) {
        if self.encrypted {
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
                self.event = Some(Event::Login(Credentials { login, password }));
            }
            None => self.refuse("say USER first"),
        }
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        if self.refused_in_clear() {
            return;
        }
        if !mechanism.eq_ignore_ascii_case("PLAIN") {
            return self.refuse("PLAIN is the only mechanism here");
        }
        match initial {
            Some(response) => self.plain(response),
            None => {
                self.state = State::Sasl;
                self.write_line("+ ");
            }
        }
    }

    pub(super) fn sasl_response(&mut self, line: &[u8]) {
        self.state = State::Authorization { user: None };
        match std::str::from_utf8(line) {
            Ok("*") => self.refuse("login cancelled"),
            // Only in the command itself does `=` stand for nothing; here it is not base64.
            Ok(line) if line != "=" => self.plain(line),
            _ => self.refuse(&sasl::CredentialsError::Base64.to_string()),
        }
    }

    fn plain(&mut self, response: &str) {
        match sasl::plain(response) {
            Ok(credentials) => self.event = Some(Event::Login(credentials)),
            Err(error @ sasl::CredentialsError::Identity) => self.refuse(&format!("[AUTH] {error}")),
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    /// The answer to [`Event::Login`].
    pub(crate) fn login_answered(&mut self, answer: LoginAnswer) {
        match answer {
            LoginAnswer::Welcome(maildrop) => {
                let (messages, octets) = maildrop.left();
                self.state = State::Transaction(maildrop, Doing::Nothing);
                self.ok(&format!("{messages} messages ({octets} octets)"));
            }
            LoginAnswer::Denied => {
                self.err("[AUTH] wrong name or password");
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
        if !self.encrypted {
            self.refuse("no passwords in clear text: say STLS first");
        }
        !self.encrypted
    }
}
