//! Sessions as transcripts.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unused_imports)]

use std::sync::LazyLock;

use mailstead_message::Address;
use mailstead_net::Certificates;
use proptest::prelude::*;
use rustls_pki_types::PrivateKeyDer;

use super::*;
use crate::server::Role;

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["mail.home.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Certificates::new(vec![made.cert.der().clone()], key).unwrap()
});

fn config(role: Role) -> Config {
    Config {
        hostname: "mail.home.test".into(),
        role,
        implicit_tls: false,
        certificates: CERTIFICATES.clone(),
        max_message_size: 100_000,
        spool_above: 10_000,
        spool_folder: "/nonexistent".into(),
        max_recipients: 5,
        max_messages: 4,
        max_errors: 10,
        max_refused_recipients: 6,
        max_commands: 100,
        command_timeout: Duration::from_secs(60),
        session_timeout: Duration::from_secs(600),
    }
}

fn tls() -> TlsInfo {
    TlsInfo { version: "TLSv1.3".into(), cipher: "TLS_AES_128_GCM_SHA256".into(), server_name: None }
}

/// A session with a house behind it that knows alice, her password, and nobody else at home.test.
struct House {
    session: Session,
    /// All that happened, a line each.
    log: Vec<String>,
    spooled: Vec<u8>,
    room: bool,
    closed: bool,
}

impl House {
    fn new(config: Config, tls: Option<TlsInfo>) -> Self {
        let address = "192.0.2.1:1234".parse().unwrap();
        let session = Session::new(Arc::new(config), Peer { remote: address, local: address }, tls);
        let mut house = Self { session, log: Vec::new(), spooled: Vec::new(), room: true, closed: false };
        house.settle();
        house
    }

    fn exchange() -> Self {
        Self::new(config(Role::Exchange), None)
    }

    fn submission() -> Self {
        Self::new(config(Role::Submission), Some(tls()))
    }

    fn settle(&mut self) {
        loop {
            match self.session.next_event() {
                Event::Read => break,
                Event::Close => {
                    self.closed = true;
                    break;
                }
                event => self.answer(event),
            }
        }
        let output = String::from_utf8(self.session.take_output()).unwrap();
        assert!(output.is_empty() || output.ends_with("\r\n"));
        self.log.extend(output.split_terminator("\r\n").map(str::to_owned));
    }

    fn note(&mut self, what: String) {
        let output = String::from_utf8(self.session.take_output()).unwrap();
        self.log.extend(output.split_terminator("\r\n").map(str::to_owned));
        self.log.push(what);
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::Connected => self.session.connected(Ok(())),
            Event::Auth(credentials) => {
                let right = credentials.login == "alice" && credentials.password.as_str() == "secret";
                let identity = Identity { account: 1, address: Address::parse("alice@home.test").unwrap() };
                let wrong = Reply::new(535, (5, 7, 8), "wrong");
                self.session.authenticated(if right { Ok(identity) } else { Err(wrong) });
            }
            Event::Mail(from) => {
                let banned = from.reverse_path.as_ref().is_some_and(|path| path.domain().as_str() == "banned.test");
                let answer = if banned { Err(Reply::new(550, (5, 7, 1), "not you")) } else { Ok(()) };
                self.session.mail_answered(TraceId::from_u64(7), from, answer);
            }
            Event::Rcpt(to) => {
                let answer = match to.address.to_string().as_str() {
                    "alice@home.test" | "postmaster@mail.home.test" => Ok(()),
                    "later@home.test" => Err(Reply::new(451, (4, 2, 1), "later")),
                    _ => Err(Reply::new(550, (5, 1, 1), "unknown")),
                };
                self.session.rcpt_answered(to, answer);
            }
            Event::Spool(block) => {
                if self.room {
                    self.spooled.extend(block);
                }
                self.session.spooled(self.room);
            }
            Event::Discard => self.spooled.clear(),
            Event::Message(envelope, tail) => {
                let body = [std::mem::take(&mut self.spooled), tail].concat();
                let shown = String::from_utf8_lossy(body.get(..60.min(body.len())).unwrap()).into_owned();
                self.note(format!("MESSAGE to {} of {}: {shown:?}", envelope.recipients.len(), body.len()));
                self.session.message_answered(&Reply::new(250, (2, 0, 0), "kept"));
            }
            Event::Abandoned(_, why) => {
                self.spooled.clear();
                self.note(format!("ABANDONED {why}"));
            }
            Event::Delay(time) => self.note(format!("DELAY {}", time.as_millis())),
            Event::StartTls => {
                self.note("STARTTLS".into());
                self.session.tls_started(tls());
            }
            Event::Read | Event::Close => unreachable!("settled elsewhere"),
        }
    }

    /// Sends bytes, gives what happened.
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> Vec<String> {
        self.session.receive(bytes.as_ref());
        self.settle();
        std::mem::take(&mut self.log)
    }

    /// Sends a line, gives the code of the last thing said.
    #[track_caller]
    fn code(&mut self, line: impl AsRef<str>) -> u16 {
        let log = self.send(format!("{}\r\n", line.as_ref()));
        log.last().expect("an answer").split([' ', '-']).next().unwrap().parse().expect("a reply")
    }

    #[track_caller]
    fn expect(&mut self, lines: &[(&str, u16)]) -> &mut Self {
        for (line, code) in lines {
            assert_eq!(self.code(line), *code, "{line}");
        }
        self
    }

    fn greeted(mut self) -> Self {
        self.expect(&[("EHLO client.test", 250)]);
        self
    }

    fn with_recipient(self) -> Self {
        let mut house = self.greeted();
        house.expect(&[("MAIL FROM:<bob@world.test>", 250), ("RCPT TO:<alice@home.test>", 250)]);
        house
    }

    fn in_data(self) -> Self {
        let mut house = self.with_recipient();
        house.expect(&[("DATA", 354)]);
        house
    }
}

#[test]
fn a_whole_group_is_answered_at_once() {
    let mut house = House::exchange();
    assert_eq!(std::mem::take(&mut house.log), ["220 mail.home.test ESMTP Mailstead"]);
    house.send("EHLO client.test\r\n");
    let said =
        house.send("MAIL FROM:<bob@world.test>\r\nRCPT TO:<nobody@home.test>\r\nRCPT TO:<alice@home.test>\r\nDATA\r\n");
    let codes: Vec<_> = said.iter().map(|line| line.get(..9).unwrap()).collect();
    assert_eq!(codes, ["250 2.1.0", "550 5.1.1", "250 2.1.5", "354 go ah"]);
    let said = house.send("Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n");
    assert_eq!(said, [r#"MESSAGE to 1 of 20: "Subject: x\r\n\r\n.dot\r\n""#, "250 2.0.0 kept", "221 2.0.0 goodbye"]);
    assert!(house.closed);
}
