//! Two appliances on a tiny internet: letters, bounces, aliases, and the story of it all.

use std::net::TcpListener;

use mailstead_tests::letter::{contains, header, headers};
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Served, eventually};

use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const CAROL: &str = "carol@home.test";
const BOB: &str = "bob@world.test";

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

#[test]
fn a_letter_goes_from_home_to_world_by_mx_under_tls_byte_for_byte() {
    let demo = demo();
    let letter = Letter::new(ALICE, BOB, "to the world").filled(200_000, 1).bytes();
    demo.submission(ALICE).send(ALICE, &[BOB], &letter);
    let stored = demo.imap(BOB).wait_for("INBOX", "Subject: to the world");
    assert!(stored.ends_with(&letter), "the letter came changed:\n{}", text(&stored[..2_000]));
    assert_eq!(header(&stored, "Return-Path").as_deref(), Some("<alice@home.test>"));
    let received = headers(&stored, "Received");
    assert_eq!(received.len(), 2, "{received:?}");
    assert!(received[0].contains("ESMTPS") && received[0].contains("mail.home.test"), "{received:?}");
    assert!(received[1].contains("ESMTPSA"), "{received:?}");
    assert!(!received[1].contains("127.0.0.1"), "the client's address leaked: {received:?}");
}

#[test]
fn a_letter_for_both_sides_reaches_each_once() {
    let demo = demo();
    let letter = Letter::new(ALICE, BOB, "to everybody").bytes();
    demo.submission(ALICE).send(ALICE, &[CAROL, BOB, CAROL], &letter);
    demo.imap(BOB).wait_for("INBOX", "to everybody");
    demo.imap(CAROL).wait_for("INBOX", "to everybody");
    assert_eq!(demo.imap(BOB).messages_in("INBOX").len(), 1);
    assert_eq!(demo.imap(CAROL).messages_in("INBOX").len(), 1);
}

#[test]
fn an_unknown_user_of_the_world_comes_back_as_a_delivery_report() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    let letter = Letter::new(ALICE, "nobody@world.test", "to nobody").bytes();
    smtp.wire.command(format!("MAIL FROM:<{ALICE}> RET=HDRS ENVID=envelope-7")).expect(250);
    smtp.wire.command("RCPT TO:<nobody@world.test> NOTIFY=FAILURE ORCPT=rfc822;nobody@world.test").expect(250);
    smtp.wire.command("DATA").expect(354);
    smtp.wire.send(mailstead_tests::smtp::ready_for_the_wire(&letter));
    smtp.wire.reply().expect(250);
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    let shown = text(&report);
    assert_eq!(header(&report, "Return-Path").as_deref(), Some("<>"), "{shown}");
    assert!(header(&report, "Content-Type").unwrap().contains("report-type=delivery-status"), "{shown}");
    assert!(header(&report, "Auto-Submitted").unwrap().starts_with("auto-replied"), "{shown}");
    let unfolded = shown.replace("\r\n ", " ").replace("\n ", " ");
    for line in [
        "Original-Envelope-Id: envelope-7",
        "Reporting-MTA: dns; mail.home.test",
        "Original-Recipient: rfc822;nobody@world.test",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mail.world.test",
        "Diagnostic-Code: smtp; 550",
        "Subject: to nobody",
    ] {
        assert!(unfolded.contains(line), "no {line:?} in\n{shown}");
    }
    assert!(!contains(&report, "The last one."), "RET=HDRS was asked for:\n{shown}");
    eventually("the queue is empty", DELIVERY, || queue(&demo, "home.test").as_array()?.is_empty().then_some(()));
}

#[test]
fn a_domain_that_does_not_exist_bounces_at_once() {
    let demo = demo();
    let to = "someone@nowhere.invalid";
    demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, "to nowhere").bytes());
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert!(contains(&report, "Action: failed") && contains(&report, "nowhere.invalid"), "{}", text(&report));
}

#[test]
fn a_success_report_comes_when_it_was_asked_for() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    smtp.wire.command(format!("MAIL FROM:<{ALICE}>")).expect(250);
    smtp.wire.command(format!("RCPT TO:<{CAROL}> NOTIFY=SUCCESS")).expect(250);
    smtp.wire.command("DATA").expect(354);
    smtp.wire.send(mailstead_tests::smtp::ready_for_the_wire(&Letter::new(ALICE, CAROL, "tell me").bytes()));
    smtp.wire.reply().expect(250);
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert!(contains(&report, "Action: delivered") && contains(&report, CAROL), "{}", text(&report));
}

#[test]
fn a_bounce_that_can_not_be_delivered_is_not_bounced_again() {
    let demo = demo();
    let mut smtp = demo.exchange("home.test");
    let reply = smtp.try_send("", &["nobody@home.test"], b"Subject: a stray bounce\r\n\r\nx\r\n").unwrap();
    assert_eq!(reply.code, 550, "{reply}");
    smtp.send("", &[ALICE], b"From: postmaster@elsewhere.test\r\nSubject: a bounce that arrives\r\n\r\nx\r\n");
    let stored = demo.imap(ALICE).wait_for("INBOX", "a bounce that arrives");
    assert_eq!(header(&stored, "Return-Path").as_deref(), Some("<>"));
}

fn queue(demo: &Demo, domain: &str) -> serde_json::Value {
    let said = demo.command(domain).args(["--json", "queue", "list"]).run();
    serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said}"))
}

#[test]
fn what_can_not_leave_yet_waits_in_the_queue_where_it_can_be_seen_held_and_removed() {
    // A neighbour whose port is closed: nobody home today.
    let port = mailstead_tests::process::free_port();
    let demo = Demo::start(MAILSTEAD, &["--neighbour", &format!("away.test=127.0.0.1:{port}")]);
    let to = "friend@away.test";
    demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, "you are away").bytes());
    let entry = eventually("the attempt is on record", DELIVERY, || {
        let entry = queue(&demo, "home.test").as_array()?.first()?.clone();
        entry.to_string().contains("refused").then_some(entry)
    });
    let id = entry["id"].as_u64().expect("an id").to_string();
    assert!(entry.to_string().contains(to), "{entry}");
    demo.command("home.test").args(["queue", "hold", &id]).run();
    assert!(queue(&demo, "home.test").to_string().contains("\"held\":true"));
    let shown = demo.command("home.test").args(["queue", "list"]).run();
    assert!(shown.output.contains(to), "{shown}");
    demo.command("home.test").args(["queue", "remove", &id]).run();
    assert_eq!(queue(&demo, "home.test").as_array().map(Vec::len), Some(0));
}

#[test]
fn a_retry_by_hand_delivers_as_soon_as_the_peer_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let demo = Demo::start(MAILSTEAD, &["--neighbour", &format!("away.test=127.0.0.1:{port}")]);
    let to = "friend@away.test";
    demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, "back again").bytes());
    let id = eventually("the attempt is on record", DELIVERY, || {
        let entry = queue(&demo, "home.test").as_array()?.first()?.clone();
        entry.to_string().contains("refused").then(|| entry["id"].to_string())
    });
    let sink = mailstead_tests::sink::Sink::listen(port);
    demo.command("home.test").args(["queue", "retry", &id]).run();
    let letters = eventually("the letter leaves", DELIVERY, || {
        let taken = sink.taken();
        (!taken.is_empty()).then_some(taken)
    });
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].recipients, [to]);
    assert!(contains(&letters[0].message, "Subject: back again\r\n"));
}

#[test]
fn aliases_lead_here_and_there() {
    let demo = demo();
    demo.command("home.test").args(["alias", "add", "family@home.test", ALICE, CAROL, BOB]).run();
    let listed = demo.command("home.test").args(["--json", "alias", "list"]).run();
    assert!(listed.output.contains("family@home.test") && listed.output.contains(BOB), "{listed}");
    let letter = Letter::new("someone@else.test", "family@home.test", "for the family").bytes();
    demo.exchange("home.test").send("someone@else.test", &["Family@Home.Test"], &letter);
    for person in [ALICE, CAROL, BOB] {
        demo.imap(person).wait_for("INBOX", "for the family");
    }
    demo.command("home.test").args(["alias", "remove", "family@home.test"]).run();
    let mut smtp = demo.exchange("home.test");
    let refused = smtp.try_send("someone@else.test", &["family@home.test"], &letter).unwrap();
    refused.expect_status(550, "5.1.1");
}

#[test]
fn plus_addresses_further_addresses_and_the_catch_all_lead_to_their_owner() {
    let demo = demo();
    demo.command("home.test").args(["account", "add-address", ALICE, "a.liddell@home.test"]).run();
    demo.command("home.test").args(["domain", "catch-all", "home.test", CAROL]).run();
    let mut smtp = demo.exchange("home.test");
    for (to, subject) in [
        ("alice+shop@home.test", "with a plus"),
        ("ALICE@HOME.TEST", "in capitals"),
        ("A.Liddell@home.test", "by another name"),
    ] {
        smtp.send(BOB, &[to], &Letter::new(BOB, to, subject).bytes());
        let stored = demo.imap(ALICE).wait_for("INBOX", subject);
        assert!(header(&stored, "Delivered-To").unwrap().eq_ignore_ascii_case(to), "{}", text(&stored));
    }
    smtp.send(BOB, &["anybody@home.test"], &Letter::new(BOB, "anybody@home.test", "caught").bytes());
    demo.imap(CAROL).wait_for("INBOX", "caught");
    // The further address may be a sender, a stranger's may not.
    let mut submission = demo.submission(ALICE);
    let letter = Letter::new("a.liddell@home.test", CAROL, "from the other name").bytes();
    submission.send("a.liddell@home.test", &[CAROL], &letter);
    demo.imap(CAROL).wait_for("INBOX", "from the other name");
}

#[test]
fn internationalised_addresses_work_end_to_end() {
    let demo = demo();
    demo.command("home.test").args(["account", "add-address", ALICE, "jürgen@home.test"]).run();
    let mut smtp = demo.exchange("home.test");
    smtp.wire.command("MAIL FROM:<bob@world.test> SMTPUTF8 BODY=8BITMIME").expect(250);
    smtp.wire.command("RCPT TO:<JÜRGEN@home.test>").expect(250);
    smtp.wire.command("DATA").expect(354);
    smtp.wire.send("From: <bob@world.test>\r\nTo: <jürgen@home.test>\r\nSubject: Schöne Grüße\r\n\r\nÄ\r\n.\r\n");
    smtp.wire.reply().expect(250);
    demo.imap(ALICE).wait_for("INBOX", "Schöne Grüße");
}

#[test]
fn the_story_tells_each_step_in_plain_sentences() {
    let demo = demo();
    let reply = demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "a story").bytes());
    demo.imap(BOB).wait_for("INBOX", "a story");
    let story = eventually("the story has its end", DELIVERY, || {
        let said = demo.command("home.test").args(["trace", ALICE]).run();
        said.output.contains("mail.world.test").then_some(said)
    });
    for part in [ALICE, BOB, "TLS", "250"] {
        assert!(story.output.contains(part), "no {part:?} in {story}");
    }
    // The reply's trace id tells the same story, and the other side has one of its own.
    let words = reply.lines.join(" ");
    let id = words.split(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|word| word.len()).unwrap().to_owned();
    let by_id = demo.command("home.test").args(["trace", &id]).run();
    assert!(by_id.output.contains(BOB), "{id}: {by_id}");
    let theirs = demo.command("world.test").args(["trace", BOB]).run();
    assert!(theirs.output.contains("mail.home.test") && theirs.output.contains(BOB), "{theirs}");
}

#[test]
fn accounts_come_and_go_while_the_server_runs() {
    let demo = demo();
    let dave = "dave@home.test";
    let command = || demo.command("home.test");
    let short = command().args(["account", "add", dave]).input("short\n").run_any();
    assert!(short.status != 0 && short.errors.contains("at least 8 characters"), "{short}");
    let elsewhere = command().args(["account", "add", "dave@other.org"]).run_any();
    assert!(elsewhere.errors.contains("`mailstead domain add other.org`"), "{elsewhere}");
    let nowhere = command().args(["alias", "add", "info@home.test", dave]).run();
    assert!(nowhere.output.contains(&format!("nobody has {dave} yet")), "{nowhere}");
    command().args(["account", "add", dave]).input("a long password\n").run();
    let listed = command().args(["--json", "account", "list"]).run();
    assert!(listed.output.contains(dave) && !listed.output.contains("argon2"), "{listed}");
    let server = demo.home();
    let login = |password: &str| {
        let mut imap = mailstead_tests::Imap::connect_tls(server.ports.imaps, &server.host, &demo.world.ca);
        imap.command(&format!("LOGIN {dave} \"{password}\"")).status
    };
    assert_eq!(login("a long password"), "OK");
    command().args(["account", "passwd", dave]).input("another password\n").run();
    assert_eq!(login("another password"), "OK");
    assert_eq!(login("a long password"), "NO");
    command().args(["account", "disable", dave]).run();
    assert_eq!(login("another password"), "NO");
    command().args(["account", "remove", "--yes", dave]).run();
    let mut smtp = demo.exchange("home.test");
    let refused = smtp.try_send(BOB, &[dave], &Letter::new(BOB, dave, "gone").bytes()).unwrap();
    refused.expect_status(550, "5.1.1");
    let wrong = command().args(["account", "remove", "--yes", dave]).run_any();
    assert!(wrong.status != 0 && wrong.errors.contains(dave), "{wrong}");
}

#[test]
fn a_smarthost_takes_what_would_go_by_mx() {
    let port = mailstead_tests::process::free_port();
    let sink = mailstead_tests::sink::Sink::listen(port);
    let demo = demo();
    let port = port.to_string();
    demo.command("home.test").args(["smarthost", "set", "127.0.0.1", "--port", &port, "--tls", "none"]).run();
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "by the relay").bytes());
    let taken = eventually("the relay gets the letter", DELIVERY, || sink.taken().pop());
    assert_eq!((taken.sender.as_str(), taken.recipients.as_slice()), (ALICE, [BOB.to_owned()].as_slice()));
}

#[test]
fn a_server_started_twice_is_told_of_the_first_and_a_stopped_one_tries_its_queue_later() {
    let mut served = Served::prepare(MAILSTEAD, None, "");
    // Nothing listens there: each attempt ends at once.
    served.command().args(["smarthost", "set", "127.0.0.1", "--port", "9", "--tls", "none"]).run();
    served.start();
    let second = served.command().arg("serve").run_any();
    assert!(second.status == 1 && second.errors.contains("another mailstead is using this data folder"), "{second}");
    let (alice, letter) = ("alice@kept.test", Letter::new("alice@kept.test", BOB, "for later").bytes());
    served.try_submission("alice").unwrap().send(alice, &[BOB], &letter);
    served.stop();
    let id = served.queue()[0]["id"].to_string();
    let retried = served.command().args(["queue", "retry", &id]).run();
    assert!(retried.output.contains("is tried as soon as the server starts"), "{retried}");
}

#[test]
fn what_leaves_is_signed_twice_with_keys_that_dns_shows() {
    let demo = demo();
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "signed").bytes());
    let stored = demo.imap(BOB).wait_for("INBOX", "Subject: signed");
    let signatures = headers(&stored, "DKIM-Signature");
    assert_eq!(signatures.len(), 2, "{}", text(&stored));
    let said = demo.command("home.test").args(["--json", "domain", "records", "home.test"]).run();
    let records: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let records = &records["entries"];
    for (signature, algorithm) in signatures.iter().zip(["rsa-sha256", "ed25519-sha256"]) {
        assert!(signature.contains(&format!("a={algorithm};")) && signature.contains("d=home.test;"), "{signature}");
        let selector = signature.split("s=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
        let name = format!("{selector}._domainkey.home.test");
        let told = records.as_array().unwrap().iter().find(|record| record["name"] == name);
        assert!(told.is_some_and(|record| record["kind"] == "TXT"), "no {name} in {records}");
    }
    // The reports of the server itself are as trustworthy.
    let nobody = "nobody@world.test";
    demo.submission(ALICE).send(ALICE, &[nobody], &Letter::new(ALICE, nobody, "to nobody").bytes());
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    assert_eq!(headers(&report, "DKIM-Signature").len(), 2, "{}", text(&report));
    assert!(header(&report, "From").unwrap().contains("@home.test>"));
}
