//! What hostile clients try on the SMTP ports.

use std::net::Ipv4Addr;

use mailstead_tests::letter::contains;
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Smtp, Wire, eventually};

use crate::demo;

const ALICE: &str = "alice@home.test";
const CAROL: &str = "carol@home.test";
const BOB: &str = "bob@world.test";

/// A session on port 25 of home.test, past EHLO.
fn exchange(demo: &Demo) -> Wire {
    demo.exchange("home.test").wire
}

/// Sends MAIL, RCPT and DATA and is told to go ahead.
#[track_caller]
fn up_to_data(wire: &mut Wire) {
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    wire.command(format!("RCPT TO:<{ALICE}>")).expect(250);
    wire.command("DATA").expect(354);
}

/// Nothing but the messages with these subjects is in alice's mailbox.
#[track_caller]
fn alice_has_only(demo: &Demo, subjects: &[&str]) {
    let messages = demo.imap(ALICE).messages_in("INBOX");
    assert_eq!(messages.len(), subjects.len(), "alice has {messages:?}");
    for (message, subject) in messages.iter().zip(subjects) {
        assert!(contains(&message.2, &format!("Subject: {subject}\r\n")), "{}", String::from_utf8_lossy(&message.2));
    }
}

/// Nothing waits in home.test's queue.
#[track_caller]
fn queue_is_empty(demo: &Demo) {
    let said = demo.command("home.test").args(["--json", "queue", "list"]).run();
    assert_eq!(said.output.trim(), "[]", "{said}");
}

#[test]
fn no_false_end_of_data_smuggles_a_second_message() {
    let demo = demo();
    let ends =
        ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n\n.\r\n", "\r\r\n.\r\n\n", "\r\n.\r\r\n"];
    for end in ends {
        let mut wire = exchange(&demo);
        up_to_data(&mut wire);
        let smuggled =
            format!("MAIL FROM:<{BOB}>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\nSubject: smuggled\r\n\r\nHa.\r\n.\r\n");
        // Where the false end has a true one in it, what follows that is the client's own pipelining.
        let true_end = end.contains("\r\n.\r\n");
        let rest = if true_end { "NOOP\r\n".to_owned() } else { smuggled };
        wire.send(format!("Subject: the carrier\r\n\r\nbody{end}{rest}"));
        wire.reply().expect_status(550, "5.6.11");
        if true_end {
            wire.reply();
        }
        wire.command("NOOP").expect(250);
        wire.command("QUIT").expect(221);
    }
    alice_has_only(&demo, &[]);
}

#[test]
fn a_nul_before_the_dot_does_not_end_the_message() {
    let demo = demo();
    let mut wire = exchange(&demo);
    up_to_data(&mut wire);
    wire.send("From: bob@world.test\r\nSubject: carrier\r\n\r\nbody\r\n\0.\r\nMAIL FROM:<bob@world.test>\r\nRCPT TO:<alice@home.test>\r\nDATA\r\n.\r\n");
    let reply = wire.reply();
    assert!(reply.code == 250 || reply.code == 550, "{reply}");
    wire.command("NOOP").expect(250);
    let messages = demo.imap(ALICE).messages_in("INBOX");
    assert!(messages.len() <= 1 && messages.iter().all(|m| contains(&m.2, "Subject: carrier")), "{messages:?}");
}

#[test]
fn bdat_bodies_with_bare_line_ends_are_refused_and_dots_mean_nothing_in_them() {
    let demo = demo();
    let mut wire = exchange(&demo);
    for body in
        ["Subject: x\n\ny\r\n", "Subject: x\r\n\r\ny\rz\r\n", "Subject: x\r\n\r\ny\r\n.\nMAIL FROM:<a@b.test>\r\n"]
    {
        wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
        wire.command(format!("RCPT TO:<{ALICE}>")).expect(250);
        wire.send(format!("BDAT {} LAST\r\n{body}", body.len()));
        wire.reply().expect_status(550, "5.6.11");
    }
    let body = "From: bob@world.test\r\nSubject: whole\r\n\r\n.\r\n..\r\nend\r\n";
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    wire.command(format!("RCPT TO:<{ALICE}>")).expect(250);
    // A CRLF that falls between two chunks is one line end.
    let (first, second) = body.split_at(body.find("\r\n..").unwrap() + 1);
    wire.send(format!("BDAT {}\r\n{first}", first.len()));
    wire.reply().expect(250);
    wire.send(format!("BDAT {} LAST\r\n{second}", second.len()));
    wire.reply().expect(250);
    let messages = demo.imap(ALICE).messages_in("INBOX");
    assert_eq!(messages.len(), 1);
    assert!(messages[0].2.ends_with(body.as_bytes()), "{}", String::from_utf8_lossy(&messages[0].2));
}

#[test]
fn what_is_pipelined_behind_starttls_is_thrown_away() {
    let demo = demo();
    for port in [demo.home().ports.smtp, demo.home().ports.submission] {
        let mut smtp = Smtp::new(Wire::connect(port));
        smtp.hello("client.test");
        smtp.wire.send(format!("STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<{BOB}>\r\n"));
        smtp.wire.reply().expect(220);
        let mut wire = smtp.wire.into_tls(&demo.home().host, &demo.world.ca).expect("the handshake");
        // The first reply under TLS is to the first command under TLS, and there is neither EHLO nor MAIL.
        wire.command(format!("RCPT TO:<{ALICE}>")).expect(503);
        let reply = wire.command("NOOP");
        assert_eq!(reply.code, 250, "{reply}");
    }
}

#[test]
fn the_session_begins_anew_under_tls() {
    let demo = demo();
    let mut wire = exchange(&demo);
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    wire.command("STARTTLS").expect(220);
    let mut wire = wire.into_tls(&demo.home().host, &demo.world.ca).expect("the handshake");
    wire.command(format!("RCPT TO:<{ALICE}>")).expect(503);
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(503);
    let hello = wire.command("EHLO client.test").expect(250);
    assert!(!hello.lines.iter().any(|l| l == "STARTTLS"), "{hello}");
    wire.command("STARTTLS").expect(503);
}

#[test]
fn control_characters_in_arguments_are_refused() {
    let demo = demo();
    let mut wire = exchange(&demo);
    for line in [
        "MAIL FROM:<bo\0b@world.test>",
        "MAIL FROM:<bob@world.test>\rRCPT TO:<alice@home.test>",
        "MAIL FROM:<bob@world.test>\nRCPT TO:<alice@home.test>",
        "MAIL FROM:<\"bo\rb\"@world.test>",
        "MAIL FROM:<\"bo\\\nb\"@world.test>",
        "MAIL FROM:<bob@world.test> ENVID=a+0D+0ABcc:+20x",
        "MAIL FROM:<bob@world.test> ENVID=a+00b",
        "MAIL FROM:<bob@world.test> ENVID=a\x7fb",
        "MAIL FROM:<bob@world.test> SIZE=1\0",
        "EHLO evil\0.test",
        "EHLO evil\r.test",
        "HELO evil\x1b[2J.test",
        "NOOP\nQUIT",
    ] {
        let reply = wire.command(line);
        assert!(reply.code == 501 || reply.code == 500, "{line:?}: {reply}");
    }
    wire.command("EHLO client.test").expect(250);
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    for line in [
        "RCPT TO:<alice@home.test> ORCPT=rfc822;a+0D+0AX-Injected:+20yes",
        "RCPT TO:<alice@home.test> ORCPT=rfc822;a\0",
        "RCPT TO:<ali\0ce@home.test>",
        "RCPT TO:<alice@home.test>\n",
    ] {
        let reply = wire.command(line);
        assert!(reply.code == 501 || reply.code == 500, "{line:?}: {reply}");
    }
    let reply = wire.command("DATA");
    assert!(reply.code == 503 || reply.code == 554, "no recipient was accepted: {reply}");
}

#[test]
fn port_25_relays_for_nobody_by_no_trick() {
    let demo = demo();
    let tricks = [
        "bob@world.test",
        "bob%world.test@home.test",
        "@home.test:bob@world.test",
        "@home.test,@x.test:bob@world.test",
        "bob@world.test@home.test",
        "\"bob@world.test\"@home.test",
        "\"bob@world.test\"",
        "world.test!bob@home.test",
        "bob@",
        "@home.test",
        "bob",
        "bob@[127.0.0.1]",
        "alice@[127.0.0.1]",
        "alice@[IPv6:::1]",
        "bob@world.test.",
        "bob@.home.test",
        "bob@home..test",
        "bob@WORLD.test",
        "alice@home.test.world.test",
        "alice@world.test",
        "alice@hom\u{435}.test",
        "ali\u{441}e@home.test",
        "alice@xn--hom-8cd.test",
        "alice@home.test\u{200b}",
        "alice\0@home.test",
        "<bob@world.test>",
        "alice@home.test,bob@world.test",
        "alice@home.test bob@world.test",
        "|/bin/sh@home.test",
        "/etc/passwd@home.test",
        "..@home.test",
    ];
    for trick in tricks {
        for (mail, rcpt) in [("", ""), (" SMTPUTF8", "")] {
            let mut wire = exchange(&demo);
            wire.command(format!("MAIL FROM:<{BOB}>{mail}")).expect(250);
            let reply = wire.command(format!("RCPT TO:<{trick}>{rcpt}"));
            assert!((500..=559).contains(&reply.code), "{trick}: {reply}");
            wire.command("QUIT");
        }
    }
    queue_is_empty(&demo);
}

#[test]
fn a_source_route_to_a_local_user_reaches_nobody_else() {
    let demo = demo();
    let mut wire = exchange(&demo);
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    let reply = wire.command("RCPT TO:<@world.test,@home.test:alice@home.test>");
    assert!(reply.code == 250 || (500..=559).contains(&reply.code), "{reply}");
    queue_is_empty(&demo);
}

#[test]
fn port_25_offers_no_login_and_submission_none_before_tls() {
    let demo = demo();
    let mut smtp = Smtp::new(Wire::connect(demo.home().ports.smtp));
    let extensions = smtp.hello("client.test");
    assert!(!extensions.iter().any(|e| e.starts_with("AUTH")), "{extensions:?}");
    let reply = smtp.wire.command("AUTH PLAIN AGFsaWNlQGhvbWUudGVzdAB4");
    assert!((500..=504).contains(&reply.code), "{reply}");

    let mut smtp = Smtp::new(Wire::connect(demo.home().ports.submission));
    let extensions = smtp.hello("client.test");
    assert!(!extensions.iter().any(|e| e.starts_with("AUTH")), "{extensions:?}");
    smtp.wire.command(format!("MAIL FROM:<{ALICE}>")).expect_status(530, "5.7.0");
    let reply = smtp.try_login(ALICE, &demo.account(ALICE).password).unwrap();
    assert!([530, 538].contains(&reply.code), "{reply}");
}

#[test]
fn submission_takes_only_ones_own_addresses_as_sender() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    smtp.wire.command(format!("MAIL FROM:<{CAROL}>")).expect_status(550, "5.7.1");
    smtp.wire.command(format!("MAIL FROM:<{BOB}>")).expect_status(550, "5.7.1");
    let as_carol = Letter::new(CAROL, BOB, "forged").bytes();
    let reply = smtp.try_send(ALICE, &[BOB], &as_carol).unwrap();
    assert!(reply.code == 550, "{reply}");
    let two_authors = format!("From: {ALICE}, {CAROL}\r\nSubject: forged\r\n\r\nx\r\n");
    assert_eq!(smtp.try_send(ALICE, &[BOB], two_authors.as_bytes()).unwrap().code, 550);
    let twice = format!("From: {ALICE}\r\nFrom: {CAROL}\r\nSubject: forged\r\n\r\nx\r\n");
    // Not a question of whose address it is: such a letter is malformed (RFC 5322 3.6).
    assert_eq!(smtp.try_send(ALICE, &[BOB], twice.as_bytes()).unwrap().code, 554);
    queue_is_empty(&demo);
}

#[test]
fn submission_completes_the_header_and_hides_bcc() {
    let demo = demo();
    let mut smtp = demo.submission(ALICE);
    let sparse = format!(
        "From: {ALICE}\r\nTo: {CAROL}\r\nBcc: secret@world.test,\r\n more@world.test\r\nSubject: sparse\r\n\r\nx\r\n"
    );
    smtp.send(ALICE, &[CAROL], sparse.as_bytes());
    let stored = demo.imap(CAROL).wait_for("INBOX", "Subject: sparse");
    let shown = String::from_utf8_lossy(&stored);
    assert!(shown.contains("\r\nDate: ") && shown.contains("\r\nMessage-ID: <"), "{shown}");
    assert!(!shown.contains("secret@") && !shown.contains("more@"), "{shown}");
    assert!(!shown.contains("laptop.test") && !shown.contains("[127.0.0.1]"), "the client is shown: {shown}");
}

#[test]
fn vrfy_and_expn_tell_nothing() {
    let demo = demo();
    let mut wire = exchange(&demo);
    for command in ["VRFY alice", "VRFY nobody", "EXPN staff", "VRFY alice@home.test"] {
        let reply = wire.command(command);
        assert!([252, 502].contains(&reply.code), "{command}: {reply}");
    }
    assert_eq!(wire.command("VRFY alice").lines, wire.command("VRFY nobody").lines);
}

#[test]
fn a_wrong_password_and_an_unknown_user_hear_the_same() {
    let demo = demo();
    let mut words = Vec::new();
    for login in [ALICE, "nobody@home.test"] {
        let server = demo.home();
        let mut smtp = Smtp::new(Wire::connect_tls(server.ports.submissions, &server.host, &demo.world.ca));
        smtp.hello("laptop.test");
        words.push(smtp.try_login(login, "wrong").unwrap());
    }
    assert_eq!(words[0].code, 535, "{}", words[0]);
    assert_eq!(words[0], words[1]);
}

#[test]
fn guessing_bans_the_guesser_and_nobody_else() {
    let demo = demo();
    let server = demo.home();
    let guesser = Ipv4Addr::new(127, 0, 0, 66);
    let attempt = |source: Ipv4Addr, password: &str| -> std::io::Result<u16> {
        let wire = Wire::connect_from(source, server.ports.submissions)?;
        let mut smtp = Smtp::new(wire.into_tls(&server.host, &demo.world.ca)?);
        smtp.try_hello("laptop.test")?;
        Ok(smtp.try_login(ALICE, password)?.code)
    };
    let password = demo.account(ALICE).password;
    let banned = (0..20).any(|number| attempt(guesser, &format!("guess {number}")).map_or(true, |code| code != 535));
    assert!(banned, "twenty guesses and still welcome");
    assert_ne!(attempt(guesser, &password).unwrap_or(0), 235, "the guesser is kept out");
    assert_eq!(attempt(Ipv4Addr::new(127, 0, 0, 77), &password).unwrap(), 235, "alice gets in from elsewhere");
    let listed = demo.command("home.test").args(["ban", "list"]).run();
    assert!(listed.output.contains("127.0.0.66"), "{listed}");
    demo.command("home.test").args(["ban", "lift", "127.0.0.66"]).run();
    assert_eq!(attempt(guesser, &password).unwrap(), 235, "the ban was lifted");
}

#[test]
fn a_size_lie_is_caught_before_and_after() {
    let demo = demo();
    let mut wire = exchange(&demo);
    wire.command(format!("MAIL FROM:<{BOB}> SIZE=99999999999")).expect_status(552, "5.3.4");
    wire.command(format!("MAIL FROM:<{BOB}> SIZE=99999999999999999999999")).code.to_string();
    wire.command("RSET").expect(250);
    let before = demo.process.resident_kib();
    wire.command(format!("MAIL FROM:<{BOB}> SIZE=100")).expect(250);
    wire.command(format!("RCPT TO:<{ALICE}>")).expect(250);
    wire.command("DATA").expect(354);
    let line = [b"x".repeat(900), b"\r\n".to_vec()].concat().repeat(1_000);
    for _ in 0..60 {
        wire.send(&line);
    }
    wire.send(".\r\n");
    wire.reply().expect_status(552, "5.3.4");
    wire.command("NOOP").expect(250);
    let grown = demo.process.resident_kib().saturating_sub(before);
    assert!(grown < 24 << 10, "54 MB refused, and {grown} KiB of memory more");
    alice_has_only(&demo, &[]);
}

#[test]
fn a_letter_that_went_round_too_often_is_stopped() {
    let demo = demo();
    let mut smtp = demo.exchange("home.test");
    let hop = "Received: from a.test by b.test; Tue, 24 Nov 2026 10:00:00 +0000\r\n";
    let letter = Letter::new(BOB, ALICE, "going round").bytes();
    let looped = [hop.repeat(101).into_bytes(), letter.clone()].concat();
    smtp.try_send(BOB, &[ALICE], &looped).unwrap().expect_status(554, "5.4.6");
    let travelled = [hop.repeat(20).into_bytes(), letter].concat();
    smtp.send(BOB, &[ALICE], &travelled);
    alice_has_only(&demo, &["going round"]);
}

#[test]
fn enormous_headers_get_a_coded_answer_and_stay_readable() {
    let demo = demo();
    let long_value = format!("X-Long: {}\r\n", "a long value\r\n ".repeat(5 << 20 >> 4));
    let many = "X-Many: yes\r\n".repeat(20_000);
    for (name, extra) in [("5 MB in one field", long_value), ("20,000 fields", many)] {
        let mut smtp = demo.exchange("home.test");
        let letter = [extra.into_bytes(), Letter::new(BOB, ALICE, name).bytes()].concat();
        let reply = smtp.try_send(BOB, &[ALICE], &letter).unwrap();
        assert!(reply.code == 250 || (550..=554).contains(&reply.code), "{name}: {reply}");
        smtp.wire.command("NOOP").expect(250);
    }
    let mut imap = demo.imap(ALICE);
    imap.ok("SELECT INBOX");
    imap.ok("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)");
}

#[test]
fn a_refused_recipient_does_not_stop_the_others() {
    let demo = demo();
    let mut wire = exchange(&demo);
    wire.command(format!("MAIL FROM:<{BOB}>")).expect(250);
    wire.command("RCPT TO:<nobody@home.test>").expect_status(550, "5.1.1");
    wire.command(format!("RCPT TO:<{ALICE}>")).expect(250);
    wire.command("DATA").expect(354);
    wire.send("From: bob@world.test\r\nSubject: for those who exist\r\n\r\nx\r\n.\r\n");
    wire.reply().expect(250);
    alice_has_only(&demo, &["for those who exist"]);
}

#[test]
fn a_connection_lost_in_mid_message_leaves_nothing() {
    let demo = demo();
    for end in ["", "\r\n", "\r\n.", "\r\n.\r"] {
        let mut wire = exchange(&demo);
        up_to_data(&mut wire);
        wire.send(format!("Subject: cut off\r\n\r\nhalf a line{end}"));
        drop(wire);
    }
    // Something that comes later arrives, so the others had their time.
    demo.exchange("home.test").send(BOB, &[ALICE], &Letter::new(BOB, ALICE, "whole").bytes());
    eventually("the whole one is there", DELIVERY, || (demo.imap(ALICE).messages_in("INBOX").len() == 1).then_some(()));
    alice_has_only(&demo, &["whole"]);
}
