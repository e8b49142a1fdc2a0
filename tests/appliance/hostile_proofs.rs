//! Letters, keys and records made to make judging dear: each ends in a short time with a clear record, and nothing else
//! has to wait for it.

use std::time::{Duration, Instant};

use mailstead_tests::letter::headers;
use mailstead_tests::referees::txt_line;
use mailstead_tests::{Demo, Letter};
use tempfile::TempDir;

use crate::MAILSTEAD;

const ALICE: &str = "alice@home.test";
const SENDER: &str = "someone@sender.test";
/// What one such letter may take, unoptimised and on a machine busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
/// Memory that judging them all one after the other may add, in KiB: the letters themselves are some megabytes.
const GROWTH: u64 = 150 * 1_024;

/// home.test, and a world of records that no honest domain has.
fn open() -> (Demo, TempDir) {
    let folder = TempDir::new().unwrap();
    let mut records = txt_line("sender.test", "v=spf1 ip4:127.0.0.1 -all");
    records += &txt_line("huge._domainkey.sender.test", &format!("v=DKIM1; n={}; p=MIIB", "x".repeat(60_000)));
    records += &txt_line("_dmarc.garbage.test", &format!("v=DMARC1; p=reject; {}", "rua=mailto:a@b.test,".repeat(400)));
    records += &txt_line("garbage.test", &format!("v=spf1 {}-all", "a:%{l1r+-/}.%{d9}.test ".repeat(300)));
    // Every step leads to two more.
    for step in 0..12 {
        let next = step + 1;
        records +=
            &txt_line(&format!("m{step}.test"), &format!("v=spf1 include:m{next}.test include:m{next}.test -all"));
    }
    std::fs::write(folder.path().join("records"), records).unwrap();
    let demo = Demo::start(MAILSTEAD, &["--records", folder.path().join("records").to_str().unwrap()]);
    (demo, folder)
}

fn under(header: &str, subject: &str) -> Vec<u8> {
    [header.as_bytes(), &Letter::new(SENDER, ALICE, subject).bytes()].concat()
}

/// A subject, a reverse-path, a letter, and what is said of it.
fn letters() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let signature = |selector: &str, names: &str| {
        format!("DKIM-Signature: v=1; a=rsa-sha256; d=sender.test; s={selector}; bh=AAAA; b=AAAA;\r\n h={names}\r\n")
    };
    let thousand: String = (0..1_000).map(|n| signature(&format!("s{n}"), "from")).collect();
    let names = format!("from{}", ":subject\r\n ".repeat(50_000));
    let chain: String = (1..=60)
        .map(|i| {
            format!(
                "ARC-Seal: i={i}; a=rsa-sha256; cv=pass; d=d{i}.test; s=s; b=AAAA\r\n\
                 ARC-Message-Signature: i={i}; a=rsa-sha256; d=d{i}.test; s=s; h=from; bh=AAAA; b=AAAA\r\n\
                 ARC-Authentication-Results: i={i}; d{i}.test; dmarc=pass\r\n"
            )
        })
        .collect();
    let comments = format!("Authentication-Results: {}mail.home.test; spf=pass\r\n", "(".repeat(100_000));
    vec![
        ("a thousand signatures", SENDER, under(&thousand, "a thousand signatures"), "990 more signatures"),
        ("a long list of names", SENDER, under(&signature("s", &names), "a long list of names"), "dkim=permerror"),
        ("a huge key", SENDER, under(&signature("huge", "from"), "a huge key"), "dkim=permerror"),
        ("a chain without an end", SENDER, under(&chain, "a chain without an end"), "arc=fail"),
        ("deep comments", SENDER, under(&comments, "deep comments"), "spf=pass"),
        ("records of garbage", "x@garbage.test", under("", "records of garbage"), "spf=permerror"),
        ("a maze of records", "x@m0.test", under("", "a maze of records"), "spf=permerror"),
        ("a lonely tag", SENDER, under("DKIM-Signature: ;;;=;v\r\nARC-Seal: i=\r\n", "a lonely tag"), "dkim=permerror"),
    ]
}

#[test]
fn letters_made_to_be_dear_to_judge_are_judged_in_a_short_time_and_told_of() {
    let (demo, _folder) = open();
    // What judging takes for the first time is not growth.
    demo.exchange("home.test").send(SENDER, &[ALICE], &Letter::new(SENDER, ALICE, "the first").bytes());
    let before = demo.process.resident_kib();
    for (subject, sender, letter, told) in letters() {
        let began = Instant::now();
        demo.exchange("home.test").send(sender, &[ALICE], &letter);
        assert!(began.elapsed() < PATIENCE, "{subject} took {:?}", began.elapsed());
        let stored = demo.imap(ALICE).wait_for("INBOX", &format!("Subject: {subject}\r\n"));
        let results = headers(&stored, "Authentication-Results");
        assert!(results[0].starts_with("mail.home.test;") && results[0].contains(told), "{subject}: {results:?}");
    }
    let grown = demo.process.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH, "{grown} KiB more");
}

#[test]
fn an_author_who_is_a_crowd_is_nobody() {
    let (demo, _folder) = open();
    let crowd: Vec<String> = (0..10_000).map(|n| format!("a{n}@d{n}.test")).collect();
    let letter = format!("From: {}\r\nSubject: a crowd\r\n\r\nx\r\n", crowd.join(",\r\n "));
    let began = Instant::now();
    let reply = demo.exchange("home.test").try_send(SENDER, &[ALICE], letter.as_bytes()).unwrap();
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    // Taken for Junk or refused, but never into the inbox as if its author were known.
    assert!([250, 550].contains(&reply.code), "{reply}");
    assert!(!demo.imap(ALICE).messages_in("INBOX").iter().any(|(_, _, m)| m.starts_with(b"From: a0")), "{reply}");
    let reply = demo.exchange("home.test").try_send(SENDER, &[ALICE], &under("", "the next")).unwrap();
    reply.expect(250);
}
