//! From the banner to the first MAIL: EHLO, STARTTLS, AUTH. Takes replies, gives commands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mailstead_net::{Flaw, TlsFault};
use zeroize::Zeroizing;

use super::ClientError;
use super::capabilities::Capabilities;
use crate::Reply;

/// Whether STARTTLS is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartTls {
    Never,
    IfOffered,
    Required,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this line, wait for a reply. The name of the step is for errors.
    Send { line: Zeroizing<Vec<u8>>, when: &'static str },
    /// Do the TLS handshake; forget whatever was read ahead; then call [`Handshake::encrypted`].
    Encrypt,
    /// The session is open.
    Ready(Capabilities),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Banner,
    Ehlo,
    Helo,
    StartTls,
    AuthPlain,
    AuthLogin,
    AuthUser,
    AuthPassword,
}

/// The opening of a session.
pub(super) struct Handshake {
    state: State,
    hostname: String,
    start_tls: StartTls,
    login: Option<(String, String)>,
    /// Credentials may go over this connection: TLS is on, or the caller chose to have none.
    private: bool,
    tls: bool,
    capabilities: Capabilities,
}

impl Handshake {
    /// Begins with waiting for the banner. `tls` says that TLS is on already.
    pub(super) fn new(hostname: String, start_tls: StartTls, login: Option<(String, String)>, tls: bool) -> Self {
        let private = tls || start_tls == StartTls::Never;
        let capabilities = Capabilities::default();
        Self { state: State::Banner, hostname, start_tls, login, private, tls, capabilities }
    }

    /// What the reply to the last step leads to.
    pub(super) fn reply(&mut self, reply: Reply) -> Result<Step, ClientError> {
        match self.state {
            State::Banner => {
                expect(&reply, 220, "greeting")?;
                Ok(self.ehlo())
            }
            State::Ehlo if reply.code == 250 => {
                self.capabilities = Capabilities::parse(&reply);
                self.after_ehlo()
            }
            State::Ehlo if self.may_say_helo(&reply) => {
                self.state = State::Helo;
                Ok(send(format!("HELO {}\r\n", self.hostname), "HELO"))
            }
            State::Ehlo => Err(refused(reply, "EHLO")),
            State::Helo => {
                expect(&reply, 250, "HELO")?;
                self.capabilities = Capabilities::default();
                self.after_ehlo()
            }
            State::StartTls if reply.code == 220 => Ok(Step::Encrypt),
            // RFC 3207 4: the session goes on after a refusal, unless it is being closed.
            State::StartTls if self.start_tls == StartTls::IfOffered && reply.code != 421 => self.authenticate(),
            State::StartTls => Err(refused(reply, "STARTTLS")),
            State::AuthPlain | State::AuthPassword => {
                expect(&reply, 235, "AUTH")?;
                Ok(Step::Ready(self.capabilities.clone()))
            }
            State::AuthLogin => self.login_word(&reply, State::AuthUser),
            State::AuthUser => self.login_word(&reply, State::AuthPassword),
        }
    }

    /// TLS is on. Everything learnt in clear text is forgotten and asked again (RFC 3207 4.2).
    pub(super) fn encrypted(&mut self) -> Step {
        self.tls = true;
        self.private = true;
        self.capabilities = Capabilities::default();
        self.ehlo()
    }

    fn ehlo(&mut self) -> Step {
        self.state = State::Ehlo;
        send(format!("EHLO {}\r\n", self.hostname), "EHLO")
    }

    /// A server that does not know EHLO is served by HELO, unless what we need comes with EHLO only.
    fn may_say_helo(&self, reply: &Reply) -> bool {
        reply.is_permanent() && self.login.is_none() && (self.tls || self.start_tls != StartTls::Required)
    }

    fn after_ehlo(&mut self) -> Result<Step, ClientError> {
        if self.tls || self.start_tls == StartTls::Never {
            return self.authenticate();
        }
        if self.capabilities.starttls {
            self.state = State::StartTls;
            return Ok(send("STARTTLS\r\n".to_owned(), "STARTTLS"));
        }
        match self.start_tls {
            StartTls::Required => {
                Err(ClientError::Tls(TlsFault::new(Flaw::NotOffered, "the server does not offer STARTTLS")))
            }
            StartTls::Never | StartTls::IfOffered => self.authenticate(),
        }
    }

    fn authenticate(&mut self) -> Result<Step, ClientError> {
        let Some((user, password)) = &self.login else {
            return Ok(Step::Ready(self.capabilities.clone()));
        };
        if !self.private {
            let text = "the password is not sent without TLS";
            return Err(ClientError::Tls(TlsFault::new(Flaw::NotOffered, text)));
        }
        if self.capabilities.auth_plain && !user.contains('\0') && !password.contains('\0') {
            self.state = State::AuthPlain;
            let secret = Zeroizing::new(format!("\0{user}\0{password}"));
            return Ok(send_secret("AUTH PLAIN ", &secret));
        }
        if self.capabilities.auth_login {
            self.state = State::AuthLogin;
            return Ok(send("AUTH LOGIN\r\n".to_owned(), "AUTH"));
        }
        Err(ClientError::Protocol("the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned()))
    }

    /// Answers a prompt of AUTH LOGIN: first the name, then the password, whatever the prompt says.
    fn login_word(&mut self, reply: &Reply, next: State) -> Result<Step, ClientError> {
        expect(reply, 334, "AUTH")?;
        self.state = next;
        let (user, password) = self.login.as_ref().map_or(("", ""), |(user, password)| (user, password));
        Ok(send_secret("", if next == State::AuthUser { user } else { password }))
    }
}

fn send(line: String, when: &'static str) -> Step {
    Step::Send { line: Zeroizing::new(line.into_bytes()), when }
}

fn send_secret(command: &str, secret: &str) -> Step {
    let encoded = Zeroizing::new(BASE64.encode(secret));
    let line = Zeroizing::new([command.as_bytes(), encoded.as_bytes(), b"\r\n"].concat());
    Step::Send { line, when: "AUTH" }
}

fn expect(reply: &Reply, code: u16, when: &'static str) -> Result<(), ClientError> {
    if reply.code == code { Ok(()) } else { Err(refused(reply.clone(), when)) }
}

/// A refusal, or a breach of the protocol where a success of the wrong kind came.
pub(super) fn refused(reply: Reply, when: &'static str) -> ClientError {
    if reply.is_temporary() || reply.is_permanent() {
        ClientError::Refused { when, reply }
    } else {
        ClientError::Protocol(format!("unexpected answer to {when}: {reply}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn reply(text: &str) -> Reply {
        let mut lines = text.split('|');
        let (code, first) = lines.next().unwrap().split_once(' ').unwrap();
        let lines = std::iter::once(first).chain(lines).map(str::to_owned).collect();
        Reply { code: code.parse().unwrap(), status: None, lines }
    }

    /// Feeds the replies in turn; tells each step in a word or two.
    fn play(mut handshake: Handshake, replies: &[&str]) -> Vec<String> {
        let mut told = Vec::new();
        for text in replies {
            let mut step = handshake.reply(reply(text));
            if matches!(step, Ok(Step::Encrypt)) {
                told.push("<TLS>".to_owned());
                step = Ok(handshake.encrypted());
            }
            told.push(match step {
                Ok(Step::Send { line, .. }) => String::from_utf8(line.to_vec()).unwrap().trim_end().to_owned(),
                Ok(Step::Encrypt) => unreachable!(),
                Ok(Step::Ready(_)) => "<ready>".to_owned(),
                Err(error) => format!("{error}"),
            });
        }
        told
    }

    fn plain(start_tls: StartTls) -> Handshake {
        Handshake::new("home.test".to_owned(), start_tls, None, false)
    }

    fn with_login(start_tls: StartTls, tls: bool) -> Handshake {
        Handshake::new("home.test".to_owned(), start_tls, Some(("u".to_owned(), "p".to_owned())), tls)
    }

    #[test]
    fn starttls_is_taken_when_offered_and_ehlo_is_said_again() {
        let told = play(plain(StartTls::IfOffered), &["220 hi", "250 x|STARTTLS", "220 go", "250 x|STARTTLS"]);
        assert_eq!(told, ["EHLO home.test", "STARTTLS", "<TLS>", "EHLO home.test", "<ready>"]);
    }

    #[test]
    fn capabilities_heard_in_clear_text_are_forgotten() {
        let mut handshake = plain(StartTls::IfOffered);
        for text in ["220 hi", "250 x|STARTTLS|DSN|PIPELINING", "220 go"] {
            handshake.reply(reply(text)).unwrap();
        }
        handshake.encrypted();
        assert_eq!(handshake.reply(reply("250 x")).unwrap(), Step::Ready(Capabilities::default()));
    }

    #[test]
    fn a_refused_starttls_is_passed_over_only_if_tls_is_optional() {
        let replies = ["220 hi", "250 x|STARTTLS", "454 not now"];
        assert_eq!(play(plain(StartTls::IfOffered), &replies).last().unwrap(), "<ready>");
        assert_eq!(play(plain(StartTls::Required), &replies).last().unwrap(), "STARTTLS: 454 not now");
        let closing = ["220 hi", "250 x|STARTTLS", "421 bye"];
        assert_eq!(play(plain(StartTls::IfOffered), &closing).last().unwrap(), "STARTTLS: 421 bye");
    }

    #[test]
    fn required_tls_that_is_not_offered_is_an_error() {
        let told = play(plain(StartTls::Required), &["220 hi", "250 x"]);
        assert_eq!(told.last().unwrap(), "TLS: the server does not offer STARTTLS");
    }

    #[test]
    fn helo_is_the_last_resort() {
        let told = play(plain(StartTls::IfOffered), &["220 hi", "502 what?", "250 x"]);
        assert_eq!(told, ["EHLO home.test", "HELO home.test", "<ready>"]);
        assert_eq!(play(plain(StartTls::Never), &["220 hi", "450 busy"]).last().unwrap(), "EHLO: 450 busy");
        assert_eq!(play(plain(StartTls::Required), &["220 hi", "502 what?"]).last().unwrap(), "EHLO: 502 what?");
    }

    #[test]
    fn a_banner_other_than_220_ends_the_session() {
        for (banner, told) in [
            ("554 go away", "greeting: 554 go away"),
            ("421 later", "greeting: 421 later"),
            ("250 odd", "protocol error: unexpected answer to greeting: 250 odd"),
        ] {
            assert_eq!(play(plain(StartTls::Never), &[banner]), [told]);
        }
    }

    #[test]
    fn plain_is_preferred_and_login_is_known() {
        let told = play(with_login(StartTls::Never, true), &["220 hi", "250 x|AUTH LOGIN PLAIN", "235 in"]);
        assert_eq!(told, ["EHLO home.test", "AUTH PLAIN AHUAcA==", "<ready>"]);
        let told = play(with_login(StartTls::Never, true), &["220 hi", "250 x|AUTH LOGIN", "334 U", "334 P", "235 in"]);
        assert_eq!(told, ["EHLO home.test", "AUTH LOGIN", "dQ==", "cA==", "<ready>"]);
    }

    #[test]
    fn a_wrong_password_is_told_in_the_servers_words() {
        let told = play(with_login(StartTls::Never, true), &["220 hi", "250 x|AUTH PLAIN", "535 no"]);
        assert_eq!(told.last().unwrap(), "AUTH: 535 no");
    }

    #[test]
    fn the_password_stays_here_when_tls_did_not_come() {
        let told = play(with_login(StartTls::IfOffered, false), &["220 hi", "250 x|AUTH PLAIN"]);
        assert_eq!(told.last().unwrap(), "TLS: the password is not sent without TLS");
    }

    #[test]
    fn a_server_without_a_known_login_method_is_told_so() {
        let told = play(with_login(StartTls::Never, true), &["220 hi", "250 x|AUTH GSSAPI"]);
        assert!(told.last().unwrap().contains("neither AUTH PLAIN nor AUTH LOGIN"));
    }
}
