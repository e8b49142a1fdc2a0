//! What others sign and break, and what home.test makes of it: told in `Authentication-Results`, obeyed on port 25.

use mailstead_tests::letter::headers;
use mailstead_tests::postfix::Setup;
use mailstead_tests::referees::{
    Dkimpy, MethodResult, OpenDkim, OpenDkimMilter, Signing, SigningKey, authentication_results, now, txt_line,
};
use mailstead_tests::{Demo, Names, Reply};
use tempfile::TempDir;

use crate::MAILSTEAD;

const ALICE: &str = "alice@home.test";

/// home.test, and the keys and records of those who write to it.
struct Court {
    demo: Demo,
    names: Names,
    rsa: SigningKey,
    ed25519: SigningKey,
    small: SigningKey,
    least: SigningKey,
    _folder: TempDir,
}

impl Court {
    /// `sender.test` may send from here and asks nobody to refuse anything; `strict.test` and `careful.test` may not and
    /// ask for `reject` and `quarantine`; `list.test` sends on what others wrote.
    #[track_caller]
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let rsa = SigningKey::rsa(at, "rsa", 2_048);
        let ed25519 = SigningKey::ed25519(at, "ed25519");
        let small = SigningKey::rsa(at, "small", 768);
        let least = SigningKey::rsa(at, "least", 1_024);
        let mut records = String::new();
        for (domain, spf, dmarc) in [
            ("sender.test", "v=spf1 ip4:127.0.0.1 -all", "v=DMARC1; p=none"),
            ("strict.test", "v=spf1 -all", "v=DMARC1; p=reject"),
            ("careful.test", "v=spf1 -all", "v=DMARC1; p=quarantine"),
            ("list.test", "v=spf1 ip4:127.0.0.1 -all", "v=DMARC1; p=none"),
        ] {
            records += &txt_line(domain, spf);
            records += &txt_line(&format!("_dmarc.{domain}"), dmarc);
            for (selector, key) in [("r1", &rsa), ("e1", &ed25519), ("small", &small), ("least", &least)] {
                records += &txt_line(&format!("{selector}._domainkey.{domain}"), &key.record());
            }
        }
        for (selector, record) in [
            ("other", least.record()),
            ("revoked", "v=DKIM1; k=rsa; p=".to_owned()),
            ("garbage", "v=DKIM1; k=rsa; p=@@@not base64@@@".to_owned()),
            ("nonsense", "\u{1}\u{2}=;;;=p=p=".to_owned()),
            ("short", format!("v=DKIM1; k=rsa; p={}", &rsa.public[..100])),
            ("sha1", format!("v=DKIM1; h=sha1; p={}", rsa.public)),
            ("chat", format!("v=DKIM1; s=chat; p={}", rsa.public)),
            ("kind", format!("v=DKIM1; k=ed25519; p={}", rsa.public)),
            ("version", format!("v=DKIM9; p={}", rsa.public)),
        ] {
            records += &txt_line(&format!("{selector}._domainkey.sender.test"), &record);
        }
        std::fs::write(at.join("records"), records).unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", at.join("records").to_str().unwrap()]);
        let names = Names::of(&demo.world.dns);
        Self { demo, names, rsa, ed25519, small, least, _folder: folder }
    }

    /// Sends a message on port 25; gives what home.test answers.
    #[track_caller]
    fn offer(&self, sender: &str, message: &[u8]) -> Reply {
        self.demo.exchange("home.test").try_send(sender, &[ALICE], message).unwrap()
    }

    /// Sends a message, has it taken, and gives what home.test found out about it.
    #[track_caller]
    fn judge(&self, subject: &str, message: &[u8]) -> Results {
        self.offer("someone@sender.test", message).expect(250);
        let stored = self.demo.imap(ALICE).wait_for("INBOX", &format!("Subject: {subject}\r\n"));
        Results::of(&stored)
    }
}

/// What home.test says in its `Authentication-Results`, as authres reads it.
#[derive(Debug)]
struct Results(Vec<MethodResult>);

impl Results {
    #[track_caller]
    fn of(stored: &[u8]) -> Self {
        let mut fields = authentication_results(stored);
        fields.retain(|field| field.by == "mail.home.test");
        assert_eq!(fields.len(), 1, "not one field of ours in\n{}", String::from_utf8_lossy(stored));
        Self(fields.remove(0).results)
    }

    /// The results of that method, such as `dkim`: `pass`, `fail`, …
    fn by(&self, method: &str) -> Vec<&str> {
        self.0.iter().filter(|one| one.method == method).map(|one| one.result.as_str()).collect()
    }

    /// The one result of that method.
    #[track_caller]
    fn one(&self, method: &str) -> &str {
        let all = self.by(method);
        assert_eq!(all.len(), 1, "{method} in {self:?}");
        all[0]
    }
}

fn letter(from: &str, subject: &str, body: &str) -> Vec<u8> {
    format!(
        "From: <{from}>\r\nTo: <{ALICE}>\r\nSubject: {subject}\r\nDate: {}\r\nMessage-ID: <{}@letters.test>\r\n\r\n{body}",
        now(),
        subject.replace(' ', "."),
    )
    .into_bytes()
}

fn replaced(message: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    assert_eq!(text.matches(old).count(), 1, "{old:?} once in\n{text}");
    text.replace(old, new).into_bytes()
}

/// A subject and a body for every shape in which a body's end or white space could be mistaken.
const BODIES: [(&str, &str); 8] = [
    ("a plain letter", "Good morning,\r\n\r\nthe garden is under water again.\r\n"),
    ("an empty body", ""),
    ("only line ends", "\r\n\r\n\r\n"),
    ("spaces at the end", "Hello\r\n  \r\n"),
    ("white space inside", " one\ttwo  three \t\r\n\r\n\r\n  four\r\n\t\r\n\r\n"),
    ("no line end", "the last line goes on"),
    ("dots", ".\r\n..\r\n.hidden\r\n"),
    ("umlauts", "Schöne Grüße aus Köln – 日本語\r\n"),
];

#[test]
fn every_canonicalization_and_algorithm_of_dkimpy_passes_for_every_shape_of_body() {
    let court = Court::open();
    let mut signatures = Vec::new();
    for header in ["simple", "relaxed"] {
        for body in ["simple", "relaxed"] {
            for (key, selector) in [(&court.rsa, "r1"), (&court.ed25519, "e1")] {
                signatures.push((key, Signing { header, body, ..Signing::usual("sender.test", selector) }));
            }
        }
    }
    for (subject, body) in BODIES {
        let message = letter("someone@sender.test", subject, body);
        let signed = Dkimpy(&court.names).sign_often(&message, &signatures);
        let results = court.judge(subject, &signed);
        let dkim = results.by("dkim");
        assert_eq!(dkim.len(), signatures.len(), "{subject}: {results:?}");
        assert!(dkim.iter().all(|result| *result == "pass"), "{subject}: {results:?}");
        let signed = results.0.iter().filter(|one| one.properties.get("header.d").is_some_and(|d| d == "sender.test"));
        assert_eq!(signed.count(), signatures.len(), "{subject}: {results:?}");
        assert_eq!((results.one("dmarc"), results.one("arc")), ("pass", "none"), "{subject}: {results:?}");
    }
}

#[test]
fn what_was_changed_after_signing_fails_and_what_was_not_signed_may_change() {
    let court = Court::open();
    let both = |key, selector, header, body| {
        let fields = &["from", "from", "to", "subject", "subject", "date", "message-id"];
        (key, Signing { header, body, fields, ..Signing::usual("sender.test", selector) })
    };
    let signatures = [
        both(&court.rsa, "r1", "relaxed", "relaxed"),
        both(&court.ed25519, "e1", "relaxed", "relaxed"),
        both(&court.rsa, "r1", "simple", "simple"),
        both(&court.ed25519, "e1", "simple", "simple"),
    ];
    let body = "Dear Alice,\r\nten apples \r\n";
    type Change = fn(&[u8]) -> Vec<u8>;
    let cases: [(&str, Change, [&str; 4]); 10] = [
        ("nothing", <[u8]>::to_vec, ["pass"; 4]),
        ("a word", |m| replaced(m, "ten apples", "two apples"), ["fail"; 4]),
        ("a line at the end", |m| [m, b"P. S.\r\n"].concat(), ["fail"; 4]),
        ("empty lines at the end", |m| [m, b"\r\n\r\n"].concat(), ["pass"; 4]),
        ("white space in the body", |m| replaced(m, "ten apples ", "ten \t apples"), ["pass", "pass", "fail", "fail"]),
        ("white space in the header", |m| replaced(m, "To: <", "to :   <"), ["pass", "pass", "fail", "fail"]),
        ("the subject", |m| replaced(m, "Subject: ", "Subject: Re: "), ["fail"; 4]),
        ("a second Subject", |m| [b"Subject: no\r\n", m].concat(), ["fail"; 4]),
        ("a field nobody signed", |m| [b"X-Seen: yes\r\n", m].concat(), ["pass"; 4]),
        ("the signature", |m| replace_signature(m), ["fail"; 4]),
    ];
    for (what, change, expected) in cases {
        let subject = format!("changed is {what}");
        let message = letter("someone@sender.test", &subject, body);
        let signed = Dkimpy(&court.names).sign_often(&message, &signatures);
        let changed = change(&signed);
        court.offer("someone@sender.test", &changed).expect(250);
        let stored = court.demo.imap(ALICE).wait_for("INBOX", &format!("{subject}\r\n"));
        let results = Results::of(&stored);
        assert_eq!(results.by("dkim"), expected, "{what}: {results:?}");
    }
    // Of two authors nobody knows which one a reader is shown.
    let signed =
        Dkimpy(&court.names).sign(&letter("someone@sender.test", "two authors", body), &court.rsa, &signatures[0].1);
    let doubled = [b"From: <boss@bank.test>\r\n".as_slice(), &signed].concat();
    court.offer("someone@sender.test", &doubled).expect_status(550, "5.7.1");
}

/// Every `b=` with its last characters before the end changed.
fn replace_signature(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let changed: Vec<String> = text
        .split("\r\nDKIM-Signature:")
        .map(|part| match part.split_once(" b=") {
            Some((before, value)) => {
                let first = if value.starts_with('A') { 'B' } else { 'A' };
                format!("{before} b={first}{}", &value[1..])
            }
            None => part.to_owned(),
        })
        .collect();
    changed.join("\r\nDKIM-Signature:").into_bytes()
}

#[test]
fn keys_that_are_missing_wrong_or_garbage_prove_nothing() {
    let court = Court::open();
    for (selector, expected) in [
        ("r1", "pass"),
        ("missing", "permerror"),
        ("other", "fail"),
        ("revoked", "permerror"),
        ("garbage", "permerror"),
        ("nonsense", "permerror"),
        ("short", "permerror"),
        ("sha1", "permerror"),
        ("chat", "permerror"),
        ("kind", "permerror"),
        ("version", "permerror"),
    ] {
        let subject = format!("the key is {selector}");
        let message = letter("someone@sender.test", &subject, "Hello\r\n");
        let signed = Dkimpy(&court.names).sign(&message, &court.rsa, &Signing::usual("sender.test", selector));
        let results = court.judge(&subject, &signed);
        assert_eq!(results.one("dkim"), expected, "{selector}: {results:?}");
    }
    for (selector, key, expected) in [("small", &court.small, "permerror"), ("least", &court.least, "pass")] {
        let subject = format!("the size is {selector}");
        let message = letter("someone@sender.test", &subject, "Hello\r\n");
        let signed = Dkimpy(&court.names).sign(&message, key, &Signing::usual("sender.test", selector));
        let results = court.judge(&subject, &signed);
        assert_eq!(results.one("dkim"), expected, "{selector}: {results:?}");
    }
}

#[test]
fn opendkims_old_hash_proves_nothing_any_more() {
    let court = Court::open();
    let message = letter("someone@sender.test", "signed with sha1", "Hello\r\n");
    let signed = OpenDkim(&court.names).sign(&message, &court.rsa, "sender.test", "r1");
    assert!(String::from_utf8_lossy(&signed).contains("a=rsa-sha1"), "{}", String::from_utf8_lossy(&signed));
    let results = court.judge("signed with sha1", &signed);
    assert_ne!(results.one("dkim"), "pass", "{results:?}");
}

#[test]
fn what_postfix_sends_signed_by_opendkim_passes() {
    let court = Court::open();
    let home = court.demo.home().ports.smtp;
    for way in ["simple/simple", "relaxed/relaxed"] {
        let milter = OpenDkimMilter::signing("sender.test", "r1", &court.rsa, way);
        let milters = format!("non_smtpd_milters = inet:127.0.0.1:{}\n", milter.port);
        let postfix = Setup::new("sender.test", &[]).route("home.test", home).further(&milters).start();
        let subject = format!("by OpenDKIM {way}");
        let body = "Hello \tAlice,\r\n  \r\n.hidden\r\nall's well.\r\n\r\n\r\n";
        postfix.sendmail("someone@sender.test", &[ALICE], &letter("someone@sender.test", &subject, body));
        let stored = court.demo.imap(ALICE).wait_for("INBOX", &format!("Subject: {subject}\r\n"));
        let results = Results::of(&stored);
        assert_eq!((results.one("dkim"), results.one("dmarc")), ("pass", "pass"), "{way}: {results:?}");
        let signature = headers(&stored, "DKIM-Signature").remove(0);
        assert!(signature.contains(&format!("c={way};")), "{signature}");
    }
}

#[test]
fn a_signature_over_part_of_the_body_proves_nothing_about_the_rest() {
    let court = Court::open();
    let how = Signing { length: true, ..Signing::usual("sender.test", "r1") };
    let message = letter("someone@sender.test", "only a part", "Hello\r\n");
    let signed = Dkimpy(&court.names).sign(&message, &court.rsa, &how);
    let longer = [&signed, b"and send me all your money\r\n".as_slice()].concat();
    let results = court.judge("only a part", &longer);
    assert_ne!(results.one("dkim"), "pass", "{results:?}");
}

#[test]
fn what_a_domain_asks_of_letters_it_did_not_send_is_done() {
    let court = Court::open();
    let refused = court.offer("someone@sender.test", &letter("ceo@strict.test", "not from strict", "x\r\n"));
    refused.expect_status(550, "5.7.1");
    court.offer("someone@sender.test", &letter("ceo@careful.test", "not from careful", "x\r\n")).expect(250);
    let stored = court.demo.imap(ALICE).wait_for("Junk", "Subject: not from careful");
    assert_eq!(Results::of(&stored).one("dmarc"), "fail");
    // The same letters with a signature of their authors' domains are welcome.
    for domain in ["strict.test", "careful.test"] {
        let subject = format!("signed by {domain}");
        let message = letter(&format!("ceo@{domain}"), &subject, "x\r\n");
        let signed = Dkimpy(&court.names).sign(&message, &court.ed25519, &Signing::usual(domain, "e1"));
        assert_eq!(court.judge(&subject, &signed).one("dmarc"), "pass");
    }
}

#[test]
fn results_in_our_name_that_came_with_a_letter_are_gone_and_others_stay() {
    let court = Court::open();
    let message = letter("someone@sender.test", "forged results", "x\r\n");
    let forged = [
        b"Authentication-Results: mail.home.test; dkim=pass header.d=bank.test\r\n\
          Authentication-Results: MAIL.home.test 1; spf=pass\r\n\
          Authentication-Results: (hi) mail.home.test (ho); spf=pass\r\n\
          Authentication-Results: mx.other.test; spf=fail\r\n"
            .as_slice(),
        &message,
    ]
    .concat();
    court.offer("someone@sender.test", &forged).expect(250);
    let stored = court.demo.imap(ALICE).wait_for("INBOX", "forged results");
    let fields = headers(&stored, "Authentication-Results");
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert!(fields[0].starts_with("mail.home.test;") && !fields[0].contains("bank.test"), "{fields:?}");
    assert_eq!(fields[1], "mx.other.test; spf=fail");
}

#[test]
fn chains_sealed_by_dkimpy_are_followed_and_broken_ones_found() {
    let court = Court::open();
    let dkimpy = Dkimpy(&court.names);
    let results = b"Authentication-Results: mx.list.test; spf=pass smtp.mailfrom=someone@sender.test\r\n";
    let chain = |subject: &str| {
        let once = [results.as_slice(), &letter("someone@sender.test", subject, "Hello\r\n")].concat();
        let once = dkimpy.arc_sign(&once, &court.rsa, "list.test", "r1", "mx.list.test");
        let again = b"Authentication-Results: mx.second.test; arc=pass\r\n";
        let twice = [again.as_slice(), &once].concat();
        let twice = dkimpy.arc_sign(&twice, &court.rsa, "sender.test", "r1", "mx.second.test");
        (once, twice)
    };
    let (once, twice) = chain("sealed once or twice");
    assert_eq!(dkimpy.arc_verify(&twice).cv, "pass");
    let results = court.judge("sealed once or twice", &once);
    assert_eq!(results.one("arc"), "pass", "{results:?}");
    type Break = fn(&[u8]) -> Vec<u8>;
    let broken: [(&str, Break, &str); 6] = [
        ("sealed twice", <[u8]>::to_vec, "pass"),
        ("changed after sealing", |m| replaced(m, "Hello", "Goodbye"), "fail"),
        ("without the first seal", |m| without(m, "ARC-Seal: i=1;"), "fail"),
        ("without the first signature", |m| without(m, "ARC-Message-Signature: i=1;"), "fail"),
        ("with results changed", |m| replaced(m, "i=1; mx.list.test; spf=pass", "i=1; mx.list.test; spf=fail"), "fail"),
        ("with its second seal twice", |m| doubled(m, "ARC-Seal: i=2;"), "fail"),
    ];
    for (subject, change, expected) in broken {
        let (_, twice) = chain(subject);
        let results = court.judge(subject, &change(&twice));
        assert_eq!(results.one("arc"), expected, "{subject}: {results:?}");
    }
}

/// The header fields with their line ends, and where the body begins.
fn fields(message: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8_lossy(message).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let mut fields: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match fields.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => *last += &format!("{line}\r\n"),
            _ => fields.push(format!("{line}\r\n")),
        }
    }
    (fields, format!("\r\n{body}"))
}

fn without(message: &[u8], beginning: &str) -> Vec<u8> {
    let (mut fields, body) = fields(message);
    let before = fields.len();
    fields.retain(|field| !field.starts_with(beginning));
    assert_eq!(fields.len(), before - 1, "one {beginning}");
    (fields.concat() + &body).into_bytes()
}

fn doubled(message: &[u8], beginning: &str) -> Vec<u8> {
    let (fields, _) = fields(message);
    let field = fields.iter().find(|field| field.starts_with(beginning)).expect("the field");
    [field.as_bytes(), message].concat()
}
