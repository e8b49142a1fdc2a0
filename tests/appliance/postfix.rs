//! Postfix as the peer on the other side, both directions.

use mailstead_tests::letter::{contains, header, headers};
use mailstead_tests::postfix::Setup;
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Postfix, eventually};

use crate::MAILSTEAD;

const ALICE: &str = "alice@home.test";
const DAVE: &str = "dave@post.test";

/// A demo with a Postfix next door, final for `post.test`, that knows the way home.
#[track_caller]
fn neighbours() -> (Demo, Postfix) {
    // Each has to know the other's port before it starts: Postfix's is chosen here, the demo's comes from its line.
    let port = mailstead_tests::process::free_port();
    let demo = Demo::start(MAILSTEAD, &["--neighbour", &format!("post.test=127.0.0.1:{port}")]);
    let postfix = Setup::new("post.test", &["dave"])
        .at(port)
        .route("home.test", demo.home().ports.smtp)
        .forward("forwarded", "nobody@home.test")
        .start();
    (demo, postfix)
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

#[test]
fn a_submitted_letter_reaches_postfix_under_tls() {
    let (demo, postfix) = neighbours();
    let letter = Letter::new(ALICE, DAVE, "to postfix").filled(100_000, 2).bytes();
    demo.submission(ALICE).send(ALICE, &[DAVE], &letter);
    let stored = postfix.wait_for("dave", "Subject: to postfix");
    let unix: Vec<u8> = letter.iter().copied().filter(|&b| b != b'\r').collect();
    assert!(stored.ends_with(&unix), "the letter came changed:\n{}", text(&stored[..2_000]));
    let stored = text(&stored);
    assert!(stored.contains("using TLSv1.3") && stored.contains("Return-Path: <alice@home.test>"), "{stored}");
    eventually("the queue is empty", DELIVERY, || {
        let said = demo.command("home.test").args(["--json", "queue", "list"]).run();
        (said.output.trim() == "[]").then_some(())
    });
}

#[test]
fn several_letters_share_one_connection_to_postfix() {
    let (demo, postfix) = neighbours();
    let mut smtp = demo.submission(ALICE);
    for number in 0..10 {
        smtp.send(ALICE, &[DAVE], &Letter::new(ALICE, DAVE, &format!("one of ten: {number}")).bytes());
    }
    eventually("all ten are there", DELIVERY, || (postfix.delivered("dave").len() == 10).then_some(()));
    let connections = postfix.log().lines().filter(|l| l.contains("smtpd[") && l.contains(": connect from")).count();
    // One of them is the harness's own look whether Postfix listens.
    assert!(connections <= 8, "{connections} connections for ten letters:\n{}", postfix.log());
}

#[test]
fn postfix_sends_home_under_tls() {
    let (demo, postfix) = neighbours();
    let letter = Letter::new(DAVE, ALICE, "from postfix").filled(100_000, 3).bytes();
    postfix.sendmail(DAVE, &[ALICE], &letter);
    let stored = demo.imap(ALICE).wait_for("INBOX", "Subject: from postfix");
    assert!(stored.ends_with(&letter), "the letter came changed:\n{}", text(&stored[..2_000]));
    let received = headers(&stored, "Received");
    assert!(received[0].contains("ESMTPS") && received[0].contains("mail.post.test"), "{received:?}");
    assert_eq!(header(&stored, "Return-Path").as_deref(), Some("<dave@post.test>"));
}

#[test]
fn an_unknown_user_at_postfix_bounces_to_alice() {
    let (demo, _postfix) = neighbours();
    let to = "nobody@post.test";
    demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, "to nobody there").bytes());
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    for line in ["Action: failed", "Status: 5.1.1", "Remote-MTA: dns; mail.post.test", "Subject: to nobody there"] {
        assert!(contains(&report, line), "no {line:?} in\n{}", text(&report));
    }
}

#[test]
fn an_unknown_user_at_home_bounces_to_dave() {
    let (_demo, postfix) = neighbours();
    let to = "nobody@home.test";
    postfix.sendmail(DAVE, &[to], &Letter::new(DAVE, to, "to nobody at home").bytes());
    let report = text(&postfix.wait_for("dave", "multipart/report"));
    assert!(report.contains("Action: failed") && report.contains("550 5.1.1"), "{report}");
    assert!(report.contains("Remote-MTA: dns; 127.0.0.1") || report.contains("mail.home.test"), "{report}");
}

#[test]
fn a_report_postfix_makes_reaches_alice() {
    // Postfix takes the letter, forwards it, is refused, and tells alice.
    let (demo, _postfix) = neighbours();
    let to = "forwarded@post.test";
    demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, "round about").bytes());
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert!(contains(&report, "MAILER-DAEMON@mail.post.test") || contains(&report, "MAILER-DAEMON@post.test"));
    assert_eq!(header(&report, "Return-Path").as_deref(), Some("<>"), "{}", text(&report));
}
