//! Letters that an alias sends on into the world, and the reports on them.

use mailstead_tests::letter::{contains, header, headers};
use mailstead_tests::{Demo, Letter};

use crate::demo;

const ALICE: &str = "alice@home.test";
const CAROL: &str = "carol@home.test";
const BOB: &str = "bob@world.test";

fn alias(demo: &Demo, name: &str, target: &str) {
    demo.command("world.test").args(["alias", "add", name, target]).run();
}

#[test]
fn a_forward_carries_a_reverse_path_and_a_seal_of_its_forwarder() {
    let demo = demo();
    alias(&demo, "out@world.test", CAROL);
    demo.submission(ALICE).send(ALICE, &["out@world.test"], &Letter::new(ALICE, "out@world.test", "sent on").bytes());
    let stored = demo.imap(CAROL).wait_for("INBOX", "Subject: sent on");
    let shown = String::from_utf8_lossy(&stored);
    let reverse_path = header(&stored, "Return-Path").unwrap();
    assert!(reverse_path.starts_with("<SRS0=") && reverse_path.ends_with("=home.test=alice@world.test>"), "{shown}");
    assert_eq!(headers(&stored, "DKIM-Signature").len(), 2, "{shown}");
    let seals = headers(&stored, "ARC-Seal");
    assert_eq!(seals.len(), 1, "{shown}");
    assert!(seals[0].contains("cv=none") && seals[0].contains("d=world.test"), "{shown}");
    let vouched = header(&stored, "ARC-Authentication-Results").unwrap();
    assert!(vouched.contains("mail.world.test") && vouched.contains("dkim=pass"), "{vouched}");
    let results = header(&stored, "Authentication-Results").unwrap();
    for proved in ["spf=pass", "dkim=pass", "dmarc=pass", "arc=pass"] {
        assert!(results.contains(proved), "no {proved} in {results}");
    }
    let story = demo.command("world.test").args(["trace", "out@world.test"]).run();
    assert!(story.output.contains("out@world.test sends it on with SRS0="), "{story}");
    assert!(story.output.contains("and vouches for what was found out here (ARC)."), "{story}");
}

#[test]
fn an_account_has_its_mail_sent_on_into_the_world_and_keeps_a_copy() {
    let demo = demo();
    demo.command("world.test").args(["account", "forward", BOB, CAROL]).run();
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "for both").bytes());
    let away = demo.imap(CAROL).wait_for("INBOX", "Subject: for both");
    let reverse_path = header(&away, "Return-Path").unwrap();
    assert!(reverse_path.ends_with("=home.test=alice@world.test>"), "{reverse_path}");
    demo.imap(BOB).wait_for("INBOX", "Subject: for both");
    // It comes back, and stops there.
    demo.command("home.test").args(["account", "forward", "--no-copy", CAROL, BOB]).run();
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "round").bytes());
    demo.imap(BOB).wait_for("INBOX", "Subject: round");
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert!(contains(&report, "5.4.6"), "{}", String::from_utf8_lossy(&report));
    demo.command("world.test").args(["account", "forward", BOB, "--off"]).run();
    let list = demo.command("world.test").args(["account", "list"]).run();
    assert!(!list.output.contains(CAROL), "{list}");
    let refused = demo.command("world.test").args(["account", "forward", BOB, "bob+x@world.test"]).run_any();
    assert!(refused.status == 1 && refused.errors.contains("own address"), "{refused}");
}

#[test]
fn who_wrote_it_hears_that_a_forward_failed_whoever_finds_out() {
    let demo = demo();
    // Refused while it is sent on: the forwarder tells.
    alias(&demo, "lost@world.test", "nobody@home.test");
    demo.submission(ALICE).send(ALICE, &["lost@world.test"], &Letter::new(ALICE, "lost@world.test", "lost").bytes());
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert!(contains(&report, "nobody@home.test"), "{}", String::from_utf8_lossy(&report));
    assert_eq!(headers(&report, "DKIM-Signature").len(), 2);

    // Refused later, by somebody behind it: the report comes to the reverse-path, and from there to alice.
    alias(&demo, "out@world.test", CAROL);
    demo.submission(ALICE).send(ALICE, &["out@world.test"], &Letter::new(ALICE, "out@world.test", "on").bytes());
    let stored = demo.imap(CAROL).wait_for("INBOX", "Subject: on");
    let path = header(&stored, "Return-Path").unwrap();
    let late = Letter::new("MAILER-DAEMON@far.test", path.trim_matches(['<', '>']), "a late report").bytes();
    let mut exchange = demo.exchange("world.test");
    exchange.send("", &[path.trim_matches(['<', '>'])], &late);
    demo.imap(ALICE).wait_for("INBOX", "Subject: a late report");
}
