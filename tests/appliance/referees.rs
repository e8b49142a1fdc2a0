//! Judges no one here wrote, on what home.test sends: dkimpy, OpenDKIM, SpamAssassin and rspamd find it right and have
//! nothing to say against it.

use mailstead_tests::letter::{contains, headers};
use mailstead_tests::referees::{Arrival, Dkimpy, OpenDkim, Rspamd, Signing, SigningKey, SpamAssassin, now, txt_line};
use mailstead_tests::sink::Taken;
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Names, Sink, eventually};
use tempfile::TempDir;

use crate::MAILSTEAD;

const ALICE: &str = "alice@home.test";
const FRIEND: &str = "friend@away.test";
const STRANGER: &str = "someone@sender.test";
/// The address mail.home.test has for the referees, who hold it against nobody that he comes from loopback: they look no
/// further then.
const ADDRESS: &str = "11.22.33.44";

/// home.test with a DNS record set as on the internet, and away.test, where everything is kept as it came.
struct Post {
    demo: Demo,
    sink: Sink,
    names: Names,
    /// Of sender.test (selector `s1`) and list.test (`l1`), who write to home.test.
    stranger: SigningKey,
    _folder: TempDir,
}

impl Post {
    #[track_caller]
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let records = folder.path().join("records");
        let reverse = ADDRESS.split('.').rev().collect::<Vec<_>>().join(".");
        let mut text = format!("mail.home.test. 5 IN A {ADDRESS}\n{reverse}.in-addr.arpa. 5 IN PTR mail.home.test.\n");
        let stranger = SigningKey::rsa(folder.path(), "stranger", 2_048);
        for (name, value) in [
            ("sender.test", "v=spf1 ip4:127.0.0.1 -all"),
            ("_dmarc.sender.test", "v=DMARC1; p=reject"),
            ("s1._domainkey.sender.test", &stranger.record()),
            ("l1._domainkey.list.test", &stranger.record()),
            ("_smtp._tls.away.test", "v=TLSRPTv1; rua=mailto:tls@away.test"),
            ("_dmarc.away.test", "v=DMARC1; p=none; rua=mailto:dmarc@away.test"),
        ] {
            text += &txt_line(name, value);
        }
        std::fs::write(&records, text).unwrap();
        let sink = Sink::listen(0);
        let neighbour = format!("away.test=127.0.0.1:{}", sink.port);
        let demo = Demo::start(MAILSTEAD, &["--neighbour", &neighbour, "--records", records.to_str().unwrap()]);
        let names = Names::of(&demo.world.dns);
        Self { demo, sink, names, stranger, _folder: folder }
    }

    /// A letter as it comes to away.test.
    #[track_caller]
    fn arrived(&self, part: &str) -> Taken {
        eventually(&format!("a letter with {part:?} leaves"), DELIVERY, || {
            self.sink.taken().into_iter().find(|taken| contains(&taken.message, part))
        })
    }

    /// Sends alice's letter to away.test and gives it as it came there.
    #[track_caller]
    fn send(&self, subject: &str, letter: &[u8]) -> Taken {
        self.demo.submission(ALICE).send(ALICE, &[FRIEND], letter);
        self.arrived(subject)
    }

    /// A report to away.test that a letter of its could not be sent on.
    #[track_caller]
    fn report(&self) -> Taken {
        let gone = "gone@home.test";
        self.demo.command("home.test").args(["alias", "add", gone, "nobody@nowhere.invalid"]).run();
        let letter = Letter::new(FRIEND, gone, "to nobody").bytes();
        self.demo.exchange("home.test").send(FRIEND, &[gone], &letter);
        self.arrived("multipart/report")
    }

    /// A letter from sender.test to an alias that leads to away.test, as it comes there.
    #[track_caller]
    fn forwarded(&self, subject: &str, message: &[u8]) -> Taken {
        let alias = "friend@home.test";
        self.demo.command("home.test").args(["alias", "add", alias, FRIEND]).run_any();
        self.demo.exchange("home.test").send(STRANGER, &[alias], message);
        self.arrived(subject)
    }

    /// A letter of sender.test's, signed by dkimpy.
    #[track_caller]
    fn signed(&self, subject: &str) -> Vec<u8> {
        let letter = Letter::new(STRANGER, "friend@home.test", subject).body(BODY).bytes();
        Dkimpy(&self.names).sign(&letter, &self.stranger, &Signing::usual("sender.test", "s1"))
    }

    fn arrival(taken: &Taken) -> Arrival {
        Arrival {
            address: ADDRESS.into(),
            host: "mail.home.test".into(),
            sender: taken.sender.clone(),
            recipient: taken.recipients[0].clone(),
        }
    }
}

/// A letter as a person's mail program writes it.
fn letter(subject: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Alice Liddell <{ALICE}>\r\nTo: A Friend <{FRIEND}>\r\nSubject: {subject}\r\nDate: {}\r\n\
         Message-ID: <{}@home.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{body}",
        now(),
        subject.replace(' ', "."),
    )
    .into_bytes()
}

const BODY: &str = "Good morning,\r\n\r\nthe garden is under water again, and the boat is still at Carol's house.\r\n\
                    Could you bring it over this afternoon?\r\n\r\nAlice\r\n";

/// A subject and a body for every shape in which a body's end or white space could be mistaken.
const SHAPES: [(&str, &str); 9] = [
    ("a plain letter", BODY),
    ("an empty body", ""),
    ("only line ends", "\r\n\r\n\r\n"),
    ("spaces at the end", "Hello\r\n  \r\n"),
    ("white space inside", " one\ttwo  three \t\r\n\r\n\r\n  four\r\n\t\r\n"),
    ("no line end", "the last line goes on"),
    ("dots", ".\r\n..\r\n.hidden\r\n"),
    ("umlauts", "Schöne Grüße aus Köln – 日本語\r\n"),
    ("trailing empty lines", "one\r\n\r\n\r\n\r\n"),
];

#[test]
fn dkimpy_and_opendkim_verify_both_signatures_of_every_shape_of_letter() {
    let post = Post::open();
    for (subject, body) in SHAPES {
        let message = post.send(subject, &letter(subject, body)).message;
        assert_signed(&post, subject, &message);
    }
}

/// Both signatures are home.test's and right, cover what a letter is known by and all of its body.
#[track_caller]
fn assert_signed(post: &Post, what: &str, message: &[u8]) {
    let shown = String::from_utf8_lossy(message);
    let signatures = Dkimpy(&post.names).verify(message);
    let mut algorithms: Vec<&str> = signatures.iter().map(|s| s.algorithm.as_str()).collect();
    algorithms.sort_unstable();
    assert_eq!(algorithms, ["ed25519-sha256", "rsa-sha256"], "{what}:\n{shown}");
    for signature in &signatures {
        assert!(signature.valid && signature.domain == "home.test", "{what}: {signature:?}\n{shown}");
        assert_eq!(signature.length, None, "{what}");
        for oversigned in ["from", "subject", "to", "date", "message-id"] {
            let there = headers(message, oversigned).len();
            let signed = signature.fields.iter().filter(|field| *field == oversigned).count();
            assert_eq!(signed, there + 1, "{what}: {oversigned} in {signature:?}");
        }
    }
    for (index, signature) in signatures.iter().enumerate() {
        let alone = with_one_signature(message, index);
        let verdict = OpenDkim(&post.names).verify(&alone);
        assert_eq!(verdict, Ok(()), "{what}, {}:\n{}", signature.algorithm, String::from_utf8_lossy(&alone));
    }
}

/// The message with only one of its signatures: OpenDKIM is content with one right one.
fn with_one_signature(message: &[u8], index: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(message).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let mut fields: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match fields.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => *last += &format!("\r\n{line}"),
            _ => fields.push(line.to_owned()),
        }
    }
    let mut seen = 0;
    fields.retain(|field| {
        let signature = field.starts_with("DKIM-Signature:");
        seen += usize::from(signature);
        !signature || seen == index + 1
    });
    format!("{}\r\n\r\n{body}", fields.join("\r\n")).into_bytes()
}

/// What SpamAssassin may see in a letter of ours: proofs, and nothing against it.
const SPAMASSASSIN_PROOFS: [&str; 6] =
    ["DKIM_SIGNED", "DKIM_VALID", "DKIM_VALID_AU", "DKIM_VALID_EF", "SPF_HELO_PASS", "SPF_PASS"];
/// The same in a report, which has no reverse-path: it is its server that is proved.
const SPAMASSASSIN_PROOFS_OF_REPORTS: [&str; 4] = ["DKIM_SIGNED", "DKIM_VALID", "DKIM_VALID_AU", "SPF_HELO_PASS"];
/// What both also see in letters of that kind, which is so meant, and counts nothing or little.
const AS_MEANT: [&str; 2] = ["HTML_MESSAGE", "BOUNCE_MESSAGE"];

/// Letters as mail programs and programs that mail write them, with and without what a letter should have.
fn letters() -> Vec<(&'static str, Vec<u8>)> {
    let date = now();
    let bare =
        |subject: &str, more: &str| format!("From: {ALICE}\r\nSubject: {subject}\r\n{more}\r\n{BODY}").into_bytes();
    let html = format!(
        "From: Alice Liddell <{ALICE}>\r\nTo: A Friend <{FRIEND}>\r\nSubject: =?utf-8?B?5bqt44Gu5Lu2?=\r\n\
         Date: {date}\r\nMessage-ID: <5f0c.8e7a@home.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"=_b7c2d1\"\r\n\r\n\
         --=_b7c2d1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{BODY}\r\n\
         --=_b7c2d1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         <!DOCTYPE html>\r\n<html><head><title>The garden</title></head><body><p>Good morning,</p>\r\n\
         <p>the garden is under water again, and the boat is still at Carol's house.\r\n\
         Could you bring it over this afternoon?</p>\r\n<p>Alice</p></body></html>\r\n--=_b7c2d1--\r\n"
    );
    vec![
        ("the boat", letter("the boat", BODY)),
        ("Subject: =?utf-8?B?5bqt", html.into_bytes()),
        ("without a date", bare("without a date", &format!("To: {FRIEND}\r\n"))),
        ("without a recipient", bare("without a recipient", &format!("Date: {date}\r\n"))),
    ]
}

#[test]
fn spamassassin_finds_every_proof_and_nothing_against_a_letter_or_a_report() {
    let post = Post::open();
    let judge = SpamAssassin::new(&post.names);
    let seen = |taken: &Taken| {
        let rules = judge.judge(&taken.message, &Post::arrival(taken));
        let seen: Vec<String> = rules.into_keys().filter(|rule| !AS_MEANT.contains(&rule.as_str())).collect();
        (seen, String::from_utf8_lossy(&taken.message).into_owned())
    };
    for (part, letter) in letters() {
        let (seen, shown) = seen(&post.send(part, &letter));
        assert_eq!(seen, SPAMASSASSIN_PROOFS, "{shown}");
    }
    let (seen, shown) = seen(&post.report());
    assert_eq!(seen, SPAMASSASSIN_PROOFS_OF_REPORTS, "{shown}");
}

#[test]
fn rspamd_finds_every_proof_and_nothing_against_a_letter_or_a_report() {
    let post = Post::open();
    let judge = Rspamd::start(&post.names);
    for (part, letter) in letters() {
        // Whoever names nobody whom the letter is to hides its recipients, and that is what is said of it.
        let but = if part == "without a recipient" { &["FORGED_RECIPIENTS"][..] } else { &[] };
        assert_nothing_against(&judge, &post.send(part, &letter), but);
    }
    assert_nothing_against(&judge, &post.report(), &[]);
}

#[track_caller]
fn assert_nothing_against(judge: &Rspamd, taken: &Taken, but: &[&str]) {
    let judgement = judge.judge(&taken.message, &Post::arrival(taken));
    let against = judgement.symbols.iter().filter(|(name, symbol)| symbol.score > 0.0 && !but.contains(&name.as_str()));
    let against: Vec<_> = against.collect();
    let seen: Vec<_> = judgement.symbols.keys().collect();
    let shown = format!("{seen:?}\n{}", String::from_utf8_lossy(&taken.message));
    assert!(against.is_empty(), "{against:?}\n{shown}");
    for proof in ["R_DKIM_ALLOW", "R_SPF_ALLOW", "DMARC_POLICY_ALLOW"] {
        assert!(judgement.symbols.contains_key(proof), "no {proof}: {shown}");
    }
}

#[test]
fn reports_on_tls_and_dmarc_are_proved_as_letters_are() {
    let post = Post::open();
    post.send("the boat", &letter("the boat", BODY));
    let greeting = Letter::new(FRIEND, ALICE, "from away").bytes();
    post.demo.exchange("home.test").send(FRIEND, &[ALICE], &greeting);
    let judge = Rspamd::start(&post.names);
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    for (to, part) in [("tls@away.test", "report-type=\"tlsrpt\""), ("dmarc@away.test", "application/gzip")] {
        let taken = eventually(&format!("a report to {to} leaves"), DELIVERY, || {
            post.demo.command("home.test").args(["report", "send", "--day", &today]).run();
            post.sink.taken().into_iter().find(|taken| taken.recipients == [to])
        });
        assert!(contains(&taken.message, part), "{}", String::from_utf8_lossy(&taken.message));
        assert_signed(&post, to, &taken.message);
        assert_nothing_against(&judge, &taken, &[]);
        let rules = SpamAssassin::new(&post.names).judge(&taken.message, &Post::arrival(&taken));
        let seen: Vec<&String> = rules.keys().collect();
        assert_eq!(seen, SPAMASSASSIN_PROOFS, "{}", String::from_utf8_lossy(&taken.message));
    }
}

#[test]
fn what_is_sent_on_carries_its_proofs_and_ours() {
    let post = Post::open();
    let taken = post.forwarded("sent on", &post.signed("sent on"));
    let shown = String::from_utf8_lossy(&taken.message).into_owned();
    assert!(taken.sender.ends_with("@home.test"), "SPF would not pass for {}", taken.sender);
    let chain = Dkimpy(&post.names).arc_verify(&taken.message);
    assert_eq!((chain.cv.as_str(), chain.sets), ("pass", 1), "{chain:?}\n{shown}");
    assert!(Dkimpy(&post.names).verify(&taken.message).iter().all(|signature| signature.valid), "{shown}");

    let judgement = Rspamd::start(&post.names).judge(&taken.message, &Post::arrival(&taken));
    for proof in ["ARC_ALLOW", "R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"] {
        assert!(judgement.symbols.contains_key(proof), "no {proof}: {judgement:?}\n{shown}");
    }
    let rules = SpamAssassin::new(&post.names).judge(&taken.message, &Post::arrival(&taken));
    for proof in ["ARC_VALID", "SPF_PASS", "DKIM_VALID_AU"] {
        assert!(rules.contains_key(proof), "no {proof}: {rules:?}\n{shown}");
    }
}

#[test]
fn a_chain_that_came_is_gone_on_with_and_a_broken_one_said_to_be_broken() {
    let post = Post::open();
    let dkimpy = Dkimpy(&post.names);
    let sealed = |subject: &str| {
        let seen = b"Authentication-Results: mx.list.test; dkim=pass header.d=sender.test\r\n";
        let seen = [seen.as_slice(), &post.signed(subject)].concat();
        dkimpy.arc_sign(&seen, &post.stranger, "list.test", "l1", "mx.list.test")
    };
    let whole = post.forwarded("a whole chain", &sealed("a whole chain"));
    let chain = dkimpy.arc_verify(&whole.message);
    let shown = String::from_utf8_lossy(&whole.message).into_owned();
    assert_eq!((chain.cv.as_str(), chain.sets), ("pass", 2), "{chain:?}\n{shown}");

    let text = String::from_utf8_lossy(&sealed("a broken chain"))
        .replace("mx.list.test; dkim=pass", "mx.list.test; dkim=fail");
    let broken = post.forwarded("a broken chain", text.as_bytes());
    let chain = dkimpy.arc_verify(&broken.message);
    let shown = String::from_utf8_lossy(&broken.message).into_owned();
    assert!(shown.contains("cv=fail") && chain.cv != "pass", "{chain:?}\n{shown}");
}
