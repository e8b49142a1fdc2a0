//! Sessions as transcripts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::LazyLock;

use mailstead_message::Address;
use mailstead_net::Certificates;
use mailstead_net::sasl::Bindings;
use proptest::prelude::*;
use rustls_pki_types::PrivateKeyDer;

use super::*;
use crate::server::Role;
use crate::wire::data::tests::FALSE_ENDS;

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
    TlsInfo {
        version: "TLSv1.3".into(),
        cipher: "TLS_AES_128_GCM_SHA256".into(),
        server_name: None,
        bindings: Bindings::default(),
    }
}

/// A session with a house behind it that knows alice, her password, and nobody else at home.test.
struct House {
    session: Session,
    /// All that happened, a line each.
    log: Vec<String>,
    /// Why transactions were abandoned.
    told: Vec<String>,
    spooled: Vec<u8>,
    room: bool,
    closed: bool,
}

impl House {
    fn new(config: Config, tls: Option<TlsInfo>) -> Self {
        let address = "192.0.2.1:1234".parse().unwrap();
        let session = Session::new(Arc::new(config), Peer { remote: address, local: address }, tls);
        let mut house =
            Self { session, log: Vec::new(), told: Vec::new(), spooled: Vec::new(), room: true, closed: false };
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
            Event::Auth(claim) => {
                let right = (claim.login(), claim.guess()) == ("alice", "secret");
                let identity = Identity { account: 1, address: Address::parse("alice@home.test").unwrap() };
                let wrong = Reply::new(535, (5, 7, 8), "wrong");
                self.session.authenticated(if right { Ok(Admitted { identity, last_word: None }) } else { Err(wrong) });
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
                self.told.push(why);
            }
            Event::Delay(time, reply) => {
                self.note(format!("DELAY {}", time.as_millis()));
                self.session.delayed(&reply);
            }
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

#[test]
fn ehlo_offers_what_there_is_and_helo_nothing() {
    let offers = |house: &mut House, line: &str| house.send(format!("{line}\r\n")).join("|");
    let plain = offers(&mut House::exchange(), "EHLO client.test");
    for keyword in [
        "PIPELINING",
        "SIZE 100000",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
        "LIMITS MAILMAX=4 RCPTMAX=5",
        "STARTTLS",
    ] {
        assert!(plain.contains(&format!("250-{keyword}|")) || plain.ends_with(&format!("250 {keyword}")), "{keyword}");
    }
    assert!(!plain.contains("AUTH"));
    let secure = offers(&mut House::new(config(Role::Exchange), Some(tls())), "EHLO client.test");
    assert!(!secure.contains("STARTTLS") && !secure.contains("AUTH"), "{secure}");
    let early = offers(&mut House::new(config(Role::Submission), None), "EHLO client.test");
    assert!(early.contains("STARTTLS") && !early.contains("AUTH"), "{early}");
    let submission = offers(&mut House::submission(), "EHLO client.test");
    assert!(submission.contains("AUTH PLAIN LOGIN") && !submission.contains("STARTTLS"), "{submission}");
    assert_eq!(House::exchange().send("HELO client.test\r\n").last().unwrap(), "250 mail.home.test");
}

#[test]
fn requiretls_is_for_sessions_under_tls_alone() {
    const MAIL: &str = "MAIL FROM:<bob@world.test> REQUIRETLS";
    let mut plain = House::exchange().greeted();
    assert!(plain.send(format!("{MAIL}\r\n")).concat().contains("530 5.7.10 REQUIRETLS needs TLS"));
    plain.expect(&[("MAIL FROM:<bob@world.test>", 250)]);
    for role in [Role::Exchange, Role::Submission] {
        let mut secure = House::new(config(role), Some(tls()));
        let offered = secure.send("EHLO client.test\r\n").concat();
        assert!(offered.contains("REQUIRETLS"), "{offered}");
    }
    House::new(config(Role::Exchange), Some(tls())).greeted().expect(&[(MAIL, 250)]);
}

#[test]
fn commands_out_of_order_are_refused() {
    House::exchange().expect(&[
        ("MAIL FROM:<bob@world.test>", 503),
        ("RCPT TO:<alice@home.test>", 503),
        ("DATA", 503),
        ("EHLO client.test", 250),
        ("DATA", 503),
        ("MAIL FROM:<bob@world.test>", 250),
        ("DATA", 554),
        ("MAIL FROM:<bob@world.test>", 503),
        ("RCPT TO:<alice@home.test>", 250),
        ("RSET", 250),
        ("RCPT TO:<alice@home.test>", 503),
        ("VRFY alice", 252),
        ("EXPN all", 502),
        ("HELP", 214),
        ("NOOP x", 250),
        ("MAIL FROM:<bob@banned.test>", 550),
        ("RCPT TO:<alice@home.test>", 503),
        ("QUIT", 221),
    ]);
}

#[test]
fn every_transaction_that_ends_early_is_told() {
    for (end, why) in [
        ("RSET\r\n", "RSET"),
        ("EHLO again.test\r\n", "EHLO"),
        ("STARTTLS\r\n", "STARTTLS"),
        ("QUIT\r\n", "QUIT"),
        ("DATA\r\na\nb\r\n.\r\n", "550 5.6.11"),
        ("BDAT 1000000 LAST\r\n", "552 5.3.4"),
    ] {
        let mut house = House::exchange().with_recipient();
        let log = house.send(end);
        assert!(house.told.len() == 1 && house.told[0].contains(why), "{end:?}: {:?}, {log:?}", house.told);
    }
    let mut lost = House::exchange().in_data();
    lost.session.lost();
    assert!(matches!(lost.session.next_event(), Event::Abandoned(_, why) if why.contains("lost")));
    let mut unheard = House::exchange().greeted();
    unheard.expect(&[("MAIL FROM:<bob@world.test>", 250), ("RCPT TO:<nobody@home.test>", 550)]);
    unheard.send("RSET\r\n");
    assert!(unheard.told[0].contains("no recipient was accepted"));
}

#[test]
fn no_trick_of_line_ends_smuggles_a_message() {
    let second = "MAIL FROM:<evil@world.test>\r\nRCPT TO:<alice@home.test>\r\nDATA\r\nHa.";
    for end in FALSE_ENDS {
        let mut house = House::exchange().in_data();
        let log = house.send(format!("Subject: x\r\n\r\nbody{end}{second}\r\n.\r\n"));
        assert!(log.last().unwrap().starts_with("550 5.6.11"), "{end:?}: {log:?}");
        assert!(!log.iter().any(|line| line.starts_with("MESSAGE")), "{end:?}: {log:?}");
        assert_eq!(house.code("NOOP"), 250);
        assert_eq!(house.code("RCPT TO:<alice@home.test>"), 503, "the transaction is over");
    }
}

#[test]
fn no_trick_of_line_ends_gets_into_a_message_by_chunks() {
    for end in FALSE_ENDS {
        let body = format!("Subject: x\r\n\r\nbody{end}\r\n");
        for cut in [1, body.len() - 4, body.len()] {
            let (first, last) = body.split_at(cut);
            let mut house = House::exchange().with_recipient();
            let log = house.send(format!("BDAT {}\r\n{first}BDAT {} LAST\r\n{last}NOOP\r\n", first.len(), last.len()));
            assert!(log.iter().any(|line| line.starts_with("550 5.6.11")), "{end:?}: {log:?}");
            assert!(!log.iter().any(|line| line.starts_with("MESSAGE")), "{end:?}: {log:?}");
            assert!(log.last().unwrap().starts_with("250 2.0.0 still here"), "the session is in step: {log:?}");
        }
    }
}

#[test]
fn what_is_pipelined_behind_starttls_is_thrown_away_and_the_session_begins_anew() {
    let mut house = House::exchange().with_recipient();
    let log = house.send("STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@world.test>\r\n");
    assert!(log.iter().any(|line| line.starts_with("220 ")) && log.last().unwrap() == "STARTTLS", "{log:?}");
    assert_eq!(house.send(""), Vec::<String>::new());
    house.expect(&[
        ("RCPT TO:<alice@home.test>", 503),
        ("MAIL FROM:<bob@world.test>", 503),
        ("EHLO client.test", 250),
        ("STARTTLS", 503),
        ("MAIL FROM:<bob@world.test>", 250),
    ]);
}

#[test]
fn relaying_syntax_gets_nobody_anywhere() {
    for to in [
        "bob@world.test",
        "bob%world.test@home.test",
        "@home.test:bob@world.test",
        "@home.test,@x.test:bob@world.test",
        "bob@world.test@home.test",
        "\"bob@world.test\"@home.test",
        "world.test!bob@home.test",
        "bob@",
        "bob",
        "alice@[192.0.2.1]",
        "alice@home.test.",
        "alice@home.test\u{200b}",
        "alice@hom\u{435}.test",
        "alice@home.test,bob@world.test",
        "",
    ] {
        let mut house = House::exchange().greeted();
        house.expect(&[("MAIL FROM:<bob@world.test> SMTPUTF8", 250)]);
        let code = house.code(format!("RCPT TO:<{to}>"));
        assert!((500..=559).contains(&code), "{to}: {code}");
    }
    let mut house = House::exchange().greeted();
    house.expect(&[
        ("MAIL FROM:<@a.test:bob@world.test>", 250),
        ("RCPT TO:<@x.test:alice@home.test>", 250),
        ("RCPT TO:<PostMaster>", 250),
        ("RCPT TO:<al\u{ef}ce@home.test>", 553),
    ]);
}

#[test]
fn limits_answer_before_they_close() {
    let mut errors = House::exchange();
    (0..10).for_each(|_| errors.expect(&[("XYZ", 500)]).settle());
    assert_eq!(errors.code("XYZ"), 421);
    assert!(errors.closed);

    let mut commands = House::exchange();
    let log = commands.send("NOOP\r\n".repeat(1_000));
    assert_eq!(log.len(), 102);
    assert!(log[101].starts_with("421 4.7.0") && commands.closed, "{}", log[101]);

    let mut messages = House::exchange().greeted();
    for _ in 0..4 {
        messages.expect(&[("MAIL FROM:<>", 250), ("RSET", 250)]);
    }
    assert_eq!(messages.code("MAIL FROM:<>"), 421);

    let mut recipients = House::exchange().greeted();
    recipients.expect(&[("MAIL FROM:<>", 250)]);
    (0..5).for_each(|_| recipients.expect(&[("RCPT TO:<alice@home.test>", 250)]).settle());
    (0..40).for_each(|_| recipients.expect(&[("RCPT TO:<alice@home.test>", 452)]).settle());
    recipients.expect(&[("DATA", 354)]);
}

#[test]
fn unknown_recipients_are_answered_ever_more_slowly_and_then_not_at_all() {
    let mut house = House::exchange().greeted();
    house.expect(&[("MAIL FROM:<>", 250), ("RCPT TO:<later@home.test>", 451)]);
    let log = house.send("RCPT TO:<nobody@home.test>\r\n".repeat(20));
    let delays: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("DELAY ")).collect();
    assert_eq!(delays, ["250", "500", "750", "1000"]);
    assert_eq!(log.iter().filter(|line| line.starts_with("550 5.1.1")).count(), 6);
    assert!(log.last().unwrap().starts_with("421 4.7.0") && house.closed, "{log:?}");
}

#[test]
fn a_line_too_long_is_refused_once_and_thrown_away() {
    for size in [1, 100, 100_000] {
        let mut house = House::exchange();
        let line = format!("NOOP {}\r\nHELP\r\n", "x".repeat(20_000));
        let log: Vec<_> = line.as_bytes().chunks(size).flat_map(|chunk| house.send(chunk)).collect();
        let codes: Vec<_> = log.iter().map(|line| line.get(..3).unwrap()).filter(|code| *code != "220").collect();
        assert_eq!(codes, ["500", "214"]);
    }
    let mut house = House::exchange();
    let log: Vec<_> = (0..200).flat_map(|_| house.send("x".repeat(16_384))).collect();
    assert!(log.last().unwrap().starts_with("421") && house.closed, "{log:?}");
    assert_eq!(House::exchange().code(format!("NOOP {}", "x".repeat(MAX_LINE - 5))), 250);
    assert_eq!(House::exchange().code(format!("NOOP {}", "x".repeat(MAX_LINE - 4))), 500);
}

#[test]
fn a_size_is_believed_when_too_large_and_checked_when_not() {
    let mut house = House::exchange().greeted();
    house.expect(&[("MAIL FROM:<> SIZE=100001", 552), ("MAIL FROM:<> SIZE=99999999999999999999999", 501)]);
    house.expect(&[("MAIL FROM:<> SIZE=10", 250), ("RCPT TO:<alice@home.test>", 250), ("DATA", 354)]);
    let line = format!("{}\r\n", "x".repeat(998));
    assert_eq!(house.send(line.repeat(150)), Vec::<String>::new());
    assert!(house.spooled.is_empty(), "nothing of it is kept");
    assert_eq!(house.code("."), 552);
    assert_eq!(house.code("NOOP"), 250);
    let mut endless = House::exchange().in_data();
    let log = endless.send(line.repeat(2_000));
    assert!(log.last().unwrap().starts_with("421 4.3.4") && endless.closed, "{log:?}");
}

#[test]
fn a_large_message_is_spooled_and_whole() {
    let line = format!("{}\r\n", "x".repeat(98));
    let mut house = House::exchange().in_data();
    for _ in 0..50 {
        assert!(house.send(line.repeat(10)).is_empty());
    }
    assert!(house.spooled.len() > 10_000);
    let log = house.send(".\r\n");
    assert!(log[0].starts_with("MESSAGE to 1 of 50000"), "{log:?}");

    let mut full = House::exchange().in_data();
    full.room = false;
    for _ in 0..50 {
        full.send(line.repeat(10));
    }
    let log = full.send(".\r\nNOOP\r\n");
    assert!(log[0].starts_with("452 4.3.1") && log[1].starts_with("250"), "{log:?}");
}

#[test]
fn chunks_make_a_message() {
    let mut house = House::exchange().with_recipient();
    let log = house.send("BDAT 13\r\nSubject: x\r\n\rBDAT 10\r\n\n.\r\n..\r\ny\rBDAT 1 LAST\r\n\nNOOP\r\n");
    assert!(log[0].starts_with("250 ") && log[1].starts_with("250 "), "{log:?}");
    assert_eq!(log[2], r#"MESSAGE to 1 of 24: "Subject: x\r\n\r\n.\r\n..\r\ny\r\n""#);
    assert!(log[3].starts_with("250 2.0.0 kept") && log[4].starts_with("250"), "{log:?}");

    let mut cut = House::exchange().with_recipient();
    assert!(cut.send("BDAT 3 LAST\r\na:b")[0].ends_with(r#""a:b\r\n""#), "a missing line end is added");

    let mut empty = House::exchange().with_recipient();
    assert!(empty.send("BDAT 3\r\na\r\nBDAT 0 LAST\r\n")[1].starts_with("MESSAGE to 1 of 3"));
}

#[test]
fn chunks_nobody_wants_are_swallowed_and_refused() {
    let mut house = House::exchange().greeted();
    let log = house.send("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    assert_eq!(log.len(), 2);
    assert!(log[0].starts_with("503") && log[1].starts_with("250"), "{log:?}");
    house.expect(&[("MAIL FROM:<bob@world.test>", 250), ("RCPT TO:<nobody@home.test>", 550)]);
    assert!(house.send("BDAT 6 LAST\r\nQUIT\r\n")[0].starts_with("554 5.5.1"));
    house.expect(&[("RCPT TO:<alice@home.test>", 250)]);
    house.send("BDAT 3\r\na\r\n");
    house.expect(&[("DATA", 503), ("MAIL FROM:<>", 503), ("RCPT TO:<alice@home.test>", 503), ("NOOP", 250)]);
    for body in ["a\nb\r\n", "a\rb\r\n", "a\r\n\r", "a\0\r\n"] {
        let mut house = House::exchange().with_recipient();
        let log = house.send(format!("BDAT {} LAST\r\n{body}", body.len()));
        assert!(log.last().unwrap().starts_with("550 5.6.11"), "{body:?}: {log:?}");
        assert_eq!(house.code("NOOP"), 250);
    }
    let mut split = House::exchange().with_recipient();
    let log = split.send("BDAT 3\r\na\nbBDAT 3 LAST\r\nc\r\nNOOP\r\n");
    let codes: Vec<_> = log.iter().map(|line| line.get(..3).unwrap()).collect();
    assert_eq!(codes, ["550", "503", "250"]);
}

#[test]
fn login_works_in_all_its_forms() {
    for lines in [
        &[("AUTH PLAIN AGFsaWNlAHNlY3JldA==", 235)][..],
        &[("AUTH PLAIN", 334), ("AGFsaWNlAHNlY3JldA==", 235)],
        &[("AUTH LOGIN", 334), ("YWxpY2U=", 334), ("c2VjcmV0", 235)],
        &[("AUTH LOGIN YWxpY2U=", 334), ("c2VjcmV0", 235)],
    ] {
        let mut house = House::submission().greeted();
        house.expect(&[("MAIL FROM:<alice@home.test>", 530)]).expect(lines);
        assert!(house.session.client().identity.is_some());
        house.expect(&[("AUTH PLAIN AGFsaWNlAHNlY3JldA==", 503), ("MAIL FROM:<alice@home.test>", 250)]);
    }
}

#[test]
fn login_that_is_wrong_is_refused() {
    let plain = "AUTH PLAIN AGFsaWNlAHNlY3JldA==";
    assert_eq!(House::exchange().greeted().code(plain), 502);
    assert_eq!(House::new(config(Role::Submission), None).greeted().code(plain), 538);
    assert_eq!(House::submission().code(plain), 503);
    House::submission().greeted().expect(&[
        ("AUTH PLAIN", 334),
        ("*", 501),
        ("AUTH CRAM-MD5", 504),
        ("AUTH PLAIN", 334),
        ("not base64!", 501),
        ("AUTH PLAIN =", 501),
        ("NOOP", 250),
    ]);
    House::submission().greeted().expect(&[
        ("AUTH PLAIN AGFsaWNlAHdyb25n", 535),
        ("AUTH LOGIN YWxpY2U=", 334),
        ("d3Jvbmc=", 535),
        ("MAIL FROM:<alice@home.test>", 530),
        ("AUTH PLAIN AGFsaWNlAHdyb25n", 535),
        (plain, 421),
    ]);
    let mut long = House::submission().greeted();
    assert_eq!(long.code(format!("AUTH PLAIN {}", "A".repeat(8_000))), 501);
    assert_eq!(long.code("AUTH PLAIN"), 334);
    assert_eq!(long.code("A".repeat(MAX_AUTH_LINE + 1)), 500);
    assert_eq!(long.code("NOOP"), 250, "the dialogue is over");
}

#[test]
fn a_message_may_end_when_the_server_goes_down_and_no_other_begins() {
    let mut house = House::exchange().in_data();
    house.session.stop();
    assert!(house.send("a: b\r\n").is_empty());
    let log = house.send(".\r\nMAIL FROM:<>\r\n");
    assert!(log[0].starts_with("MESSAGE") && log[1].starts_with("250"), "{log:?}");
    assert!(log[2].starts_with("421 4.3.2") && house.closed, "{log:?}");
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO client.test\r\n",
        "MAIL FROM:<bob@world.test>\r\n",
        "RCPT TO:<alice@home.test>\r\n",
        "RCPT TO:<nobody@home.test>\r\n",
        "DATA\r\n",
        "a: b\r\n\r\nc\r\n.\r\n",
        "..\r\n",
        ".\r\n",
        "BDAT 5\r\n",
        "BDAT 7 LAST\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "AUTH PLAIN\r\n",
        "AUTH LOGIN YWxpY2U=\r\n",
        "c2VjcmV0\r\n",
        "\r",
        "\n",
        "\0",
        "x",
    ]);
    prop_oneof![6 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..30)]
}

proptest! {
    #[test]
    fn where_the_stream_is_cut_makes_no_difference(
        pieces in prop::collection::vec(piece(), 0..40),
        sizes in prop::collection::vec(1_usize..50, 1..30),
        submission: bool,
    ) {
        let stream = pieces.concat();
        let new = || if submission { House::submission() } else { House::exchange() };
        let mut at_once = new();
        let whole = at_once.send(&stream);
        let (mut house, mut log, mut rest) = (new(), Vec::new(), stream.as_slice());
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            log.extend(house.send(chunk));
            rest = after;
            if rest.is_empty() || house.closed {
                break;
            }
        }
        prop_assert_eq!((log, house.told), (whole, at_once.told));
    }
}
