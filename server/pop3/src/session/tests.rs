//! Transcripts: what a client says, and what it hears.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;
use crate::limits::{MAX_LOGIN_FAILURES, MAX_SKIPPED};

const MESSAGES: [&str; 3] =
    ["Subject: one\r\n\r\nHello.\r\n", "Subject: two\r\n\r\n.dot\r\nlast\r\n", "Subject: three\r\n\r\nx\r\n"];

/// A house without disk or network.
struct House {
    session: Session,
    heard: Vec<u8>,
    removed: Vec<Uid>,
    /// What the house does wrong.
    fault: Fault,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Message two was deleted by another session; QUIT can't delete.
    Store,
    LockedOut,
    Unavailable,
}

impl House {
    fn new(encrypted: bool, fault: Fault) -> Self {
        let session = Session::new("mail.home.test", encrypted.then(Offer::default));
        Self { session, heard: Vec::new(), removed: Vec::new(), fault, over: false }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if !self.over {
            self.session.input().extend_from_slice(bytes);
            self.work();
        }
    }

    /// Does what the session wants until it wants to read.
    fn work(&mut self) {
        loop {
            let event = self.session.next_event();
            match event {
                Event::Read => return self.heard.extend(self.session.take_output()),
                Event::Close => {
                    self.over = true;
                    return self.heard.extend(self.session.take_output());
                }
                Event::Flush => self.heard.extend(self.session.take_output()),
                Event::StartTls => {
                    self.heard.extend(self.session.take_output());
                    self.session.tls_started(Offer::default());
                }
                Event::Login(claim) => self.session.login_answered(self.answer(&claim)),
                Event::Message(MailboxId(7), uid) => self.message(uid),
                Event::Remove(MailboxId(7), uids) => {
                    let done = self.fault != Fault::Store;
                    if done {
                        self.removed = uids;
                    }
                    self.session.removed(done);
                }
                Event::Message(..) | Event::Remove(..) => panic!("another mailbox: {event:?}"),
            }
        }
    }

    fn answer(&self, claim: &Claim) -> LoginAnswer {
        match self.fault {
            Fault::LockedOut => LoginAnswer::LockedOut,
            Fault::Unavailable => LoginAnswer::Unavailable,
            _ if (claim.login(), claim.guess()) == ("alice", "open sesame") => {
                let sizes = [10, 20, 30].map(Uid).into_iter().zip(MESSAGES.map(|message| message.len() as u64));
                LoginAnswer::Welcome(Maildrop::new(MailboxId(7), 0xabc, sizes), None)
            }
            _ => LoginAnswer::Denied(claim.denial()),
        }
    }

    fn message(&mut self, uid: Uid) {
        if self.fault == Fault::Store && uid == Uid(20) {
            return self.session.message_refused(MessageRefusal::Gone);
        }
        let message = MESSAGES[uid.0 as usize / 10 - 1].as_bytes();
        self.session.message_begins(message.len() as u64);
        for block in message.chunks(5) {
            if !self.session.message_block(block) {
                break;
            }
        }
        self.session.message_ends();
    }
}

/// All that is heard of a session in which this is said.
fn heard(encrypted: bool, fault: Fault, said: impl AsRef<[u8]>) -> (String, House) {
    let mut house = House::new(encrypted, fault);
    house.hear(said.as_ref());
    (String::from_utf8(house.heard.clone()).unwrap(), house)
}

/// The answers to lines said after login, under TLS.
fn transaction(fault: Fault, lines: &str) -> (String, House) {
    let said = format!("USER alice\r\nPASS open sesame\r\n{}\r\n", lines.replace('\n', "\r\n"));
    let (text, house) = heard(true, fault, said);
    let start = "+OK mail.home.test Mailstead is ready\r\n+OK now the password\r\n+OK 3 messages (73 octets)\r\n";
    (text.strip_prefix(start).unwrap_or_else(|| panic!("{text}")).replace("\r\n", "\n"), house)
}

/// The first words of all answers.
fn verdicts(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with(['+', '-'])).map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn a_day_of_pop3() {
    let (text, house) = transaction(
        Fault::None,
        "STAT\nLIST\nLIST 2\nUIDL\nUIDL 3\nRETR 2\nTOP 2 1\nDELE 1\nSTAT\nLIST\nRETR 1\nRSET\nDELE 3\nNOOP\nQUIT",
    );
    let expected = "\
+OK 3 73
+OK 3 messages\n1 24\n2 28\n3 21\n.
+OK 2 28
+OK 3 messages\n1 00000abc0000000a\n2 00000abc00000014\n3 00000abc0000001e\n.
+OK 3 00000abc0000001e
+OK 28 octets\nSubject: two\n\n..dot\nlast\n.
+OK the top of it\nSubject: two\n\n..dot\n.
+OK it will be deleted when you QUIT
+OK 2 49
+OK 2 messages\n2 28\n3 21\n.
-ERR there is no such message
+OK nothing will be deleted: 3 messages (73 octets)
+OK it will be deleted when you QUIT
+OK still here
+OK goodbye, what you deleted is gone
";
    assert_eq!(text, expected);
    assert_eq!(house.removed, [Uid(30)]);
    assert!(house.over);
}

#[test]
fn nothing_is_deleted_without_quit() {
    for end in ["", "XYZZY", "DELE 2"] {
        let (_, mut house) = transaction(Fault::None, &format!("DELE 1\n{end}"));
        house.session.abandon();
        house.work();
        assert!(house.over && house.removed.is_empty());
    }
    let (_, mut house) = transaction(Fault::None, "DELE 1");
    house.session.stop();
    house.work();
    assert!(house.over && house.removed.is_empty());
    assert!(
        String::from_utf8(house.heard)
            .unwrap()
            .ends_with("-ERR [SYS/TEMP] the server is going down, come back soon\r\n")
    );
}

#[test]
fn a_quit_that_cannot_delete_says_so() {
    let (text, house) = transaction(Fault::Store, "DELE 1\nQUIT");
    assert!(text.ends_with("-ERR [SYS/TEMP] nothing could be deleted now, all messages are still there\n"), "{text}");
    assert!(house.over);
}

#[test]
fn a_message_deleted_by_another_session_is_refused_and_the_others_keep_their_numbers() {
    let (text, _) = transaction(Fault::Store, "RETR 2\nTOP 2 0\nLIST 3\nTOP 3 0");
    assert_eq!(verdicts(&text), ["-ERR", "-ERR", "+OK", "+OK"], "{text}");
    assert!(text.contains("+OK 3 21\n+OK the top of it\nSubject: three\n\n.\n"), "{text}");
}

#[test]
fn no_password_is_taken_in_clear_text() {
    let plain = BASE64_STANDARD.encode(b"\0alice\0open sesame");
    let (text, _) =
        heard(false, Fault::None, format!("USER alice\r\nPASS open sesame\r\nAUTH PLAIN {plain}\r\nSTAT\r\n"));
    assert_eq!(verdicts(&text), ["+OK", "-ERR", "-ERR", "-ERR", "-ERR"], "{text}");
}

#[test]
fn capabilities_tell_of_logins_only_under_tls() {
    let (text, _) = heard(false, Fault::None, "CAPA\r\n");
    assert!(text.contains("\r\nSTLS\r\n") && !text.contains("USER\r\n+") && !text.contains("SASL"), "{text}");
    assert!(!text.contains("\r\nUSER\r\n"), "{text}");
    let (text, _) = heard(true, Fault::None, "CAPA\r\n");
    for line in ["TOP", "UIDL", "USER", "SASL PLAIN", "PIPELINING", "RESP-CODES", "EXPIRE NEVER"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    assert!(!text.contains("STLS") && text.ends_with("\r\n.\r\n"), "{text}");
}

#[test]
fn what_came_before_tls_counts_for_nothing() {
    let (text, mut house) = heard(false, Fault::None, "STLS\r\nUSER alice\r\nPASS open sesame\r\n");
    assert_eq!(verdicts(&text), ["+OK", "+OK"], "{text}");
    house.hear(b"PASS open sesame\r\nSTAT\r\nSTLS\r\nUSER alice\r\nPASS open sesame\r\nSTLS\r\nSTAT\r\n");
    let text = String::from_utf8(house.heard).unwrap();
    let after = ["-ERR", "-ERR", "-ERR", "+OK", "+OK", "-ERR", "+OK"];
    assert_eq!(verdicts(&text)[2..], after, "{text}");
}

#[test]
fn auth_plain_works_with_and_without_an_initial_response() {
    let plain = BASE64_STANDARD.encode(b"\0alice\0open sesame");
    let (text, house) = heard(true, Fault::None, format!("AUTH PLAIN {plain}\r\n"));
    assert!(text.ends_with("\r\n+OK 3 messages (73 octets)\r\n") && house.session.is_logged_in(), "{text}");
    let (text, house) = heard(true, Fault::None, format!("auth plain\r\n{plain}\r\n"));
    assert!(text.ends_with("\r\n+ \r\n+OK 3 messages (73 octets)\r\n") && house.session.is_logged_in(), "{text}");
}

#[test]
fn auth_that_is_not_plain_is_refused() {
    let other = BASE64_STANDARD.encode(b"carol\0alice\0open sesame");
    for said in [
        "AUTH PLAIN\r\n*\r\n".to_owned(),
        "AUTH PLAIN\r\n=\r\n".to_owned(),
        "AUTH PLAIN\r\n\r\n".to_owned(),
        "AUTH PLAIN =\r\n".to_owned(),
        "AUTH PLAIN !\r\n".to_owned(),
        "AUTH CRAM-MD5\r\n".to_owned(),
        format!("AUTH PLAIN {other}\r\n"),
        format!("AUTH PLAIN\r\n{}\r\n", "A".repeat(20_000)),
        format!("AUTH PLAIN\r\n{}\r\n", "A".repeat(12_288)),
    ] {
        let (text, house) = heard(true, Fault::None, format!("{said}NOOP\r\n"));
        let answers = verdicts(&text);
        assert_eq!(answers[answers.len() - 2..], ["-ERR", "-ERR"], "{said}: {text}");
        assert!(!house.session.is_logged_in() && text.ends_with("-ERR log in first\r\n"), "{said}: {text}");
    }
}

#[test]
fn an_unknown_user_hears_what_a_wrong_password_hears() {
    let [known, unknown] = ["alice", "nobody"].map(|name| {
        let (text, house) = heard(true, Fault::None, format!("USER {name}\r\nPASS wrong\r\nPASS open sesame\r\n"));
        assert!(!house.session.is_logged_in(), "the name is forgotten with its password");
        text
    });
    assert_eq!(known, unknown);
    assert!(known.contains("-ERR [AUTH] wrong name or password\r\n"), "{known}");
}

#[test]
fn faults_of_the_house_are_not_told_as_wrong_passwords() {
    let (text, house) = heard(true, Fault::Unavailable, "USER alice\r\nPASS open sesame\r\n");
    assert!(text.contains("-ERR [SYS/TEMP] ") && !house.over, "{text}");
    let (text, house) = heard(true, Fault::LockedOut, "USER alice\r\nPASS open sesame\r\n");
    assert!(text.contains("-ERR [LOGIN-DELAY] ") && house.over, "{text}");
}

#[test]
fn guessing_scanning_and_nonsense_end_the_session_with_a_word() {
    let (text, house) = heard(true, Fault::None, "USER alice\r\nPASS wrong\r\n".repeat(20));
    assert_eq!(text.matches("-ERR [AUTH]").count(), MAX_LOGIN_FAILURES as usize);
    assert!(house.over);
    let (text, house) = heard(false, Fault::None, "CAPA\r\n".repeat(1_000));
    assert!(house.over && text.ends_with("\r\n-ERR too many commands without a login, goodbye\r\n"));
    let (text, house) = transaction(Fault::None, "XYZZY\n".repeat(1_000).as_str());
    assert_eq!(text.matches("-ERR").count(), MAX_ERRORS as usize + 1);
    assert!(house.over && text.ends_with("\n-ERR too many errors, goodbye\n"));
    let (text, house) = heard(false, Fault::None, "a".repeat(MAX_SKIPPED + 1));
    assert!(house.over && text.ends_with("\r\n-ERR the line does not end, goodbye\r\n"));
    let (text, house) = heard(false, Fault::None, format!("{}\r\nQUIT\r\n", "a".repeat(MAX_SKIPPED / 2)));
    assert!(house.over && text.ends_with("\r\n-ERR the line is too long\r\n+OK goodbye\r\n"), "{text}");
}

#[test]
fn a_thousand_honest_commands_are_no_fault() {
    let (text, house) = transaction(Fault::Store, &"NOOP\nRETR 2\n".repeat(500));
    assert!(!house.over);
    assert_eq!(text.matches("+OK").count(), 500);
}

#[test]
fn languages_are_told_and_english_is_spoken() {
    let (text, _) = heard(true, Fault::None, "LANG\r\nLANG *\r\nLANG en-GB\r\nLANG i-default\r\nLANG mul\r\nUTF8\r\n");
    assert_eq!(verdicts(&text), ["+OK", "+OK", "+OK", "+OK", "+OK", "-ERR", "+OK"], "{text}");
    assert!(text.contains("+OK this server speaks\r\nen English\r\n.\r\n+OK en "), "{text}");
    let (text, _) = transaction(Fault::None, "UTF8");
    assert_eq!(verdicts(&text), ["-ERR"], "UTF8 comes before the login (RFC 6856 2.1)");
}

#[test]
fn a_long_listing_comes_in_blocks() {
    let mut session = Session::new("mail.home.test", Some(Offer::default()));
    let messages = (1..=50_000).map(|uid| (Uid(uid), 100));
    session.state = State::Transaction(Maildrop::new(MailboxId(7), 1, messages), Doing::Nothing);
    session.input().extend_from_slice(b"UIDL\r\n");
    let (mut blocks, mut text) = (0, Vec::new());
    while let Event::Flush = session.next_event() {
        let block = session.take_output();
        assert!(block.len() < crate::limits::BLOCK + 100);
        text.extend(block);
        blocks += 1;
    }
    assert!(blocks > 2);
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 50_002 + 1);
}

/// Lines of all kinds, right and wrong.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER alice",
        "PASS open sesame",
        "PASS wrong",
        "CAPA",
        "STLS",
        "UTF8",
        "LANG",
        "STAT",
        "LIST",
        "LIST 1",
        "UIDL",
        "UIDL 9",
        "RETR 1",
        "RETR 2",
        "RETR 0",
        "TOP 2 1",
        "TOP 3",
        "DELE 1",
        "DELE 3",
        "RSET",
        "NOOP",
        "QUIT",
        "AUTH PLAIN",
        "AUTH PLAIN AGFsaWNlAG9wZW4gc2VzYW1l",
        "AGFsaWNlAG9wZW4gc2VzYW1l",
        "*",
        "=",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| format!("{line}\r\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
        1 => (500_usize..1_100).prop_map(|length| [vec![b'x'; length], b"\r\n".to_vec()].concat()),
    ]
}

proptest! {
    #[test]
    fn wherever_it_is_cut_the_answers_are_the_same(
        lines in prop::collection::vec(line(), 0..25),
        cuts in prop::collection::vec(1_usize..40, 1..20),
        early in any::<bool>(),
    ) {
        let start = if early { Vec::new() } else { b"USER alice\r\nPASS open sesame\r\n".to_vec() };
        let said = [start, lines.concat()].concat();
        let (mut once, mut pieces) = (House::new(true, Fault::None), House::new(true, Fault::None));
        once.hear(&said);
        pieces.hear(b"");
        let mut rest = &said[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(*cut.min(&rest.len()));
            pieces.hear(piece);
            rest = after;
        }
        prop_assert_eq!(String::from_utf8_lossy(&once.heard), String::from_utf8_lossy(&pieces.heard));
        prop_assert_eq!(once.removed, pieces.removed);
        prop_assert_eq!(once.over, pieces.over);
    }

    #[test]
    fn whatever_is_said_every_answer_is_a_line_and_nothing_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        encrypted in any::<bool>(),
    ) {
        let mut house = House::new(encrypted, Fault::None);
        house.hear(&bytes);
        let text = String::from_utf8(house.heard).unwrap();
        prop_assert!(text.split_terminator("\r\n").all(|line| !line.contains(['\r', '\n'])));
        prop_assert!(text.ends_with("\r\n"));
    }
}
