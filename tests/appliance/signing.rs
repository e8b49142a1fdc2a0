//! What leaves is signed, and the other side of the tiny internet finds the signatures right.

use std::time::Duration;

use mailstead_tests::letter::{header, headers};
use mailstead_tests::smtp::ready_for_the_wire;
use mailstead_tests::tool::Said;
use mailstead_tests::{Demo, Letter, Served, eventually};
use serde_json::Value;

use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

fn asked(demo: &Demo, domain: &str, what: &[&str]) -> Value {
    json(&demo.command(domain).arg("--json").args(what).run())
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Both signatures are right, and prove the author.
fn assert_proved(stored: &[u8]) {
    let results = header(stored, "Authentication-Results").unwrap_or_default();
    let shown = String::from_utf8_lossy(stored);
    assert_eq!(results.matches("dkim=pass").count(), 2, "{}", shown.chars().take(6_000).collect::<String>());
    assert!(results.contains("dmarc=pass"), "{results}");
}

#[test]
fn letters_of_every_shape_arrive_with_signatures_that_are_right() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    let long = format!("{}\r\n", "x".repeat(990));
    for (number, (fields, body)) in [
        ("", String::new()),
        ("", "\r\n\r\n\r\n".to_owned()),
        ("", "Hello  there \t \r\n \t\r\n\r\n.\r\n..\r\n. \r\n\r\n".to_owned()),
        ("", "no line end".to_owned()),
        ("", long.repeat(400)),
        (
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
            "Gr\u{fc}\u{df}e\r\n".to_owned(),
        ),
        (
            "X-Folded: a\r\n\tb \r\n   c\r\nCc: Carol\r\n <carol@home.test>\r\nList-Id:\r\n <x.home.test>\r\n",
            "x\r\n".to_owned(),
        ),
        ("Comments:\r\nReferences: <a@b>\r\nSender : alice@home.test\r\n", "x\r\n".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let subject = format!("shape {number}.");
        let message = format!("From: {ALICE}\r\nTo: {BOB}\r\nSubject: {subject}\r\n{fields}\r\n{body}");
        smtp.send(ALICE, &[BOB], message.as_bytes());
        assert_proved(&demo.imap(BOB).wait_for("INBOX", &format!("Subject: {subject}")));
    }
}

#[test]
fn names_beyond_ascii_are_signed_as_they_are() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    smtp.wire.command(format!("MAIL FROM:<{ALICE}> SMTPUTF8 BODY=8BITMIME")).expect(250);
    smtp.wire.command(format!("RCPT TO:<{BOB}>")).expect(250);
    smtp.wire.command("DATA").expect(354);
    let message = format!("From: Älice <{ALICE}>\r\nTo: {BOB}\r\nSubject: Grüße  aus\r\n\tKöln\r\n\r\nÄ\r\n");
    smtp.wire.send(ready_for_the_wire(message.as_bytes()));
    smtp.wire.reply().expect(250);
    assert_proved(&demo.imap(BOB).wait_for("INBOX", "Grüße"));
}

#[test]
fn a_rotation_that_nobody_can_see_yet_can_be_called_off() {
    let mut served = Served::prepare(MAILSTEAD, None, "");
    let rotate = |served: &Served, more: &[&str]| {
        served.command().args(["--json", "domain", "rotate-key", "kept.test"]).args(more).run_any()
    };
    let states = |served: &Served| -> Vec<String> {
        let keys = json(&served.command().args(["--json", "domain", "keys", "kept.test"]).run());
        keys.as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    // A stopped server, and a running one that finds nothing in DNS.
    for round in 1..=2 {
        let nothing = rotate(&served, &["--cancel"]);
        assert!(nothing.status != 0 && nothing.errors.contains("No new keys of kept.test wait"), "{nothing}");
        assert_eq!(rotate(&served, &[]).status, 0);
        let twice = rotate(&served, &[]);
        assert!(twice.status != 0 && twice.errors.contains("rotate-key kept.test --cancel"), "{twice}");
        let cancelled = json(&rotate(&served, &["--cancel"]));
        assert!(cancelled.to_string().contains("the present ones go on signing"), "{cancelled}");
        let states = states(&served);
        let count = |state: &str| states.iter().filter(|one| *one == state).count();
        assert_eq!((count("active"), count("upcoming"), count("gone")), (2, 0, 2 * round), "{states:?}");
        let records = json(&served.command().args(["--json", "domain", "records", "kept.test"]).run());
        let obsolete = records["entries"].as_array().unwrap().iter().filter(|one| one["need"] == "obsolete").count();
        assert_eq!(obsolete, 2 * round, "what was published of them should go: {records}");
        if round == 1 {
            served.start();
        }
    }
}

#[test]
fn new_keys_sign_once_they_are_published_and_the_old_ones_records_stay() {
    let demo = demo();
    demo.command("home.test").args(["domain", "rotate-key", "home.test"]).run();
    let keys = || asked(&demo, "home.test", &["domain", "keys", "home.test"]);
    let in_state = |state: &str| -> Vec<String> {
        let keys = keys();
        let such = keys.as_array().unwrap().iter().filter(|key| key["state"] == state);
        such.map(|key| key["selector"].as_str().unwrap().to_owned()).collect()
    };
    let next = in_state("upcoming");
    assert_eq!(next.len(), 2, "{}", keys());
    let patience = Duration::from_secs(60);
    eventually("the new keys sign", patience, || (in_state("active") == next).then_some(()));
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "rotated").bytes());
    let stored = demo.imap(BOB).wait_for("INBOX", "Subject: rotated");
    for signature in headers(&stored, "DKIM-Signature") {
        assert!(next.iter().any(|selector| signature.contains(&format!("s={selector};"))), "{signature}");
    }
    assert_proved(&stored);
    let records = asked(&demo, "home.test", &["domain", "records", "home.test"]);
    for old in in_state("retiring") {
        let name = format!("{old}._domainkey.home.test");
        let told = records["entries"].as_array().unwrap().iter().find(|one| one["name"] == name.as_str()).unwrap();
        assert!(told["need"] == "recommended" && told["why"].as_str().unwrap().contains("must stay"), "{told}");
    }
}
