//! What hostile clients, and hostile letters, try on the IMAP ports.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mailstead_tests::{Demo, Imap, Letter, Wire};

use crate::demo;

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

/// Bounded means done within this time, even unoptimised on a busy machine.
const BOUNDED: Duration = Duration::from_secs(20);

/// A connection over TLS, greeted, not logged in.
fn stranger(demo: &Demo) -> Imap {
    Imap::connect_tls(demo.home().ports.imaps, &demo.home().host, &demo.world.ca)
}

fn deliver(demo: &Demo, letters: &[Vec<u8>]) {
    let mut smtp = demo.exchange("home.test");
    for letter in letters {
        smtp.send(BOB, &[ALICE], letter);
    }
}

/// Runs something that must not take long.
#[track_caller]
fn bounded<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = run();
    assert!(start.elapsed() < BOUNDED, "{what} took {:?}", start.elapsed());
    value
}

#[test]
fn no_login_in_clear_text() {
    let demo = demo();
    let password = demo.account(ALICE).password;
    let mut imap = Imap::new(Wire::connect(demo.home().ports.imap));
    let capabilities = imap.ok("CAPABILITY");
    assert!(capabilities.untagged[0].text.contains("LOGINDISABLED"), "{capabilities:?}");
    assert!(!capabilities.untagged[0].text.contains("AUTH=PLAIN"), "{capabilities:?}");
    imap.command(&format!("LOGIN {ALICE} {password}")).expect("NO");
    let token = BASE64_STANDARD.encode(format!("\0{ALICE}\0{password}"));
    let answer = imap.command(&format!("AUTHENTICATE PLAIN {token}"));
    assert!(answer.status == "NO" || answer.status == "BAD", "{answer:?}");
    let answer = imap.command("SELECT INBOX");
    assert!(answer.status == "NO" || answer.status == "BAD", "{answer:?}");
}

#[test]
fn what_is_pipelined_behind_starttls_is_thrown_away() {
    let demo = demo();
    let mut wire = Wire::connect(demo.home().ports.imap);
    wire.read_line();
    wire.send(format!("a STARTTLS\r\nb LOGIN {ALICE} {}\r\nc SELECT INBOX\r\n", demo.account(ALICE).password));
    let line = wire.read_line();
    assert!(line.starts_with("a OK"), "{line}");
    let mut wire = wire.into_tls(&demo.home().host, &demo.world.ca).expect("the handshake");
    wire.line("d NOOP");
    let line = wire.read_line();
    assert!(line.starts_with("d OK"), "{line}");
    wire.line("e SELECT INBOX");
    let line = wire.read_line();
    assert!(line.starts_with("e NO") || line.starts_with("e BAD"), "{line}");
}

#[test]
fn a_wrong_password_and_an_unknown_user_hear_the_same() {
    let demo = demo();
    let words = [ALICE, "nobody@home.test"].map(|login| stranger(&demo).command(&format!("LOGIN {login} wrong")));
    assert_eq!(words[0].status, "NO");
    assert_eq!(words[0].text, words[1].text);
}

#[test]
fn an_enormous_literal_is_refused_before_a_byte_of_it_is_read() {
    let demo = demo();
    for command in ["a LOGIN {4294967295}", "a LOGIN {99999999999999999999}", "a LOGIN {5000+}", "a LOGIN {1000000}"] {
        let mut wire = stranger(&demo).wire;
        wire.line(command);
        let line = wire.read_line();
        assert!(
            line.starts_with("a BAD") || line.starts_with("a NO") || line.starts_with("* BYE"),
            "{command}: {line}"
        );
    }
    for command in ["APPEND INBOX {4294967295}", "APPEND INBOX {99999999999999999999}", "APPEND INBOX () {60000000}"] {
        let mut imap = demo.imap(ALICE);
        let answer = imap.command(command);
        assert!(answer.status == "NO" || answer.status == "BAD", "{command}: {answer:?}");
        imap.ok("NOOP");
    }
    let mut imap = demo.imap(ALICE);
    let answer = imap.command("APPEND INBOX {60000000}");
    assert!(answer.text.contains("[TOOBIG]"), "{answer:?}");
}

#[test]
fn commands_that_are_nonsense_hear_bad_and_the_session_lives() {
    let demo = demo();
    let mut imap = demo.imap(ALICE);
    imap.ok("SELECT INBOX");
    for command in [
        "FETCH",
        "FETCH 1",
        "FETCH 0 FLAGS",
        "FETCH 1:0 FLAGS",
        "FETCH 4294967296 FLAGS",
        "FETCH a FLAGS",
        "FETCH 1 (FLAGS",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[1.0]",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BODY[]<-1.5>",
        "STORE 1 FLAGS",
        "STORE 1 FLAGS (\\Recent",
        "SEARCH",
        "SEARCH FOO",
        "SEARCH BEFORE 32-Jan-2026",
        "SEARCH OR ALL",
        "SELECT",
        "SELECT \"unclosed",
        "LIST",
        "STATUS INBOX",
        "STATUS INBOX ()",
        "UID",
        "UID NOOP",
        "UID FETCH",
        "COPY 1",
        "APPEND INBOX",
        "AUTHENTICATE PLAIN",
        "LOGIN a b",
        "STARTTLS",
        "XYZZY",
        "NOOP extra",
        "ENABLE",
        "\u{1}",
        "{",
        "{5",
    ] {
        let answer = imap.command(command);
        assert!(answer.status == "BAD" || answer.status == "NO", "{command:?}: {answer:?}");
    }
    imap.ok("NOOP");
}

#[test]
fn sequence_sets_of_every_kind_are_answered_in_bounded_time() {
    let demo = demo();
    let mut imap = demo.imap(ALICE);
    imap.ok("SELECT INBOX");
    for set in ["*", "1:*", "1:4294967295", "*:4294967295"] {
        imap.ok(&format!("UID FETCH {set} FLAGS"));
        imap.command(&format!("FETCH {set} FLAGS"));
    }
    deliver(&demo, &[Letter::new(BOB, ALICE, "one").bytes(), Letter::new(BOB, ALICE, "two").bytes()]);
    imap.ok("NOOP");
    let many = vec!["1:*"; 2_000].join(",");
    let answer = bounded("a set of 2,000 times everything", || imap.command(&format!("FETCH {many} FLAGS")));
    assert!(answer.status != "OK" || answer.with("FETCH").count() == 2, "each once: {}", answer.untagged.len());
    let answer = imap.ok("UID FETCH 4294967295:1 FLAGS");
    assert_eq!(answer.with("FETCH").count(), 2);
    imap.ok("NOOP");
}

#[test]
fn deep_and_wide_searches_are_bounded_in_time_and_stack() {
    let demo = demo();
    deliver(&demo, &[Letter::new(BOB, ALICE, "one").bytes()]);
    let searches = [
        format!("{}ALL{}", "(".repeat(3_000), ")".repeat(3_000)),
        "(".repeat(6_000),
        format!("{}ALL", "NOT ".repeat(1_500)),
        format!("{}ALL", "OR SEEN ".repeat(900)),
        vec!["TEXT a"; 900].join(" "),
        vec!["UID 1:*"; 900].join(" "),
    ];
    for search in searches {
        let mut imap = demo.imap(ALICE);
        imap.ok("SELECT INBOX");
        let answer = bounded(&search[..20], || imap.command(&format!("SEARCH {search}")));
        assert!(["OK", "NO", "BAD", "BYE"].contains(&answer.status.as_str()), "{answer:?}");
    }
    demo.imap(ALICE).ok("NOOP");
}

#[test]
fn list_patterns_full_of_wildcards_take_linear_time() {
    let demo = demo();
    let mut imap = demo.imap(ALICE);
    for number in 0..20 {
        imap.ok(&format!("CREATE {}{number}", "a/".repeat(8).trim_end_matches('/').to_owned() + &"a".repeat(60)));
    }
    for pattern in ["*%".repeat(500), "%*".repeat(500), "*a".repeat(300), format!("{}b", "%a".repeat(200))] {
        let answer = bounded("LIST", || imap.command(&format!("LIST \"\" {pattern}")));
        assert!(["OK", "NO", "BAD"].contains(&answer.status.as_str()), "{answer:?}");
    }
}

#[test]
fn mailbox_names_are_names_and_never_paths() {
    let demo = demo();
    let mut imap = demo.imap(ALICE);
    let long = "n".repeat(4_000);
    for name in [
        "\"\"",
        "\"/\"",
        "\"a//b\"",
        "\"&AAA-\"",
        "\"&\"",
        "\"&%%%-\"",
        "INBOX",
        "inbox",
        "\"InBoX\"",
        "\"%\"",
        "\"a*\"",
        &long,
    ] {
        let answer = imap.command(&format!("CREATE {name}"));
        assert!(answer.status == "NO" || answer.status == "BAD", "CREATE {name}: {answer:?}");
    }
    for name in ["..", "../../etc/passwd", "a\0b", "a\r\nb", "\u{1b}[2J"] {
        imap.wire.line(format!("x CREATE {{{}}}", name.len()));
        let line = imap.wire.read_line();
        if line.starts_with('+') {
            imap.wire.line(name);
            let line = imap.wire.read_line();
            let is_harmless_name = name.starts_with("..");
            assert!(
                line.starts_with("x NO") || line.starts_with("x BAD") || (is_harmless_name && line.starts_with("x OK")),
                "{name:?}: {line}"
            );
        }
    }
    imap.ok("SELECT iNbOx");
    let outside: Vec<_> = std::fs::read_dir(demo.folder()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(outside.iter().all(|name| name == "demo" || name == "log"), "{outside:?}");
    let listed = imap.ok("LIST \"\" *");
    assert!(listed.untagged.iter().all(|u| u.text.starts_with("LIST (")), "{listed:?}");
}

#[test]
fn monstrous_mime_is_listed_in_bounded_time_and_depth() {
    let demo = demo();
    let head = |boundary: &str| {
        format!(
            "From: <bob@world.test>\r\nSubject: monster\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n"
        )
    };
    let many_parts = head("b") + &"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000) + "--b--\r\n";
    let mut nested = head("b0");
    for depth in 1..1_000 {
        nested += &format!("--b{}\r\nContent-Type: multipart/mixed; boundary=\"b{depth}\"\r\n\r\n", depth - 1);
    }
    let folded = format!("From: <bob@world.test>\r\nSubject: monster{}\r\n\r\nx\r\n", "\r\n fold".repeat(140_000));
    let boundary = "B".repeat(1 << 20);
    let long_boundary = head(&boundary) + &format!("--{boundary}\r\n\r\nx\r\n--{boundary}--\r\n");
    let author = "From: <bob@world.test>\r\n";
    let inner = "Content-Type: message/rfc822\r\nSubject: monster\r\n\r\n".repeat(1_000);
    let in_itself = format!("{author}{inner}x\r\n");
    let addresses = format!("{author}Cc: {}\r\nSubject: monster\r\n\r\nx\r\n", "<a@b.test>,\r\n ".repeat(50_000));
    let groups = format!("{author}To: {}\r\nSubject: monster\r\n\r\nx\r\n", "g: ((((((".repeat(20_000));
    let encoded = format!("{author}Subject: monster {}\r\n\r\nx\r\n", "=?utf-8?q?=C3=A4?=\r\n ".repeat(48_000));
    let letters = [many_parts, nested, folded, long_boundary, in_itself, addresses, groups, encoded];
    let mut smtp = demo.exchange("home.test");
    let mut stored = 0;
    for letter in &letters {
        // Lines of a megabyte are against RFC 5321 4.5.3.1.6: such a letter may be refused, or kept whole.
        let reply = bounded("delivery", || smtp.try_send(BOB, &[ALICE], letter.as_bytes()).unwrap());
        assert!(reply.code == 250 || (500..=559).contains(&reply.code), "{reply}");
        stored += usize::from(reply.code == 250);
    }
    assert!(stored >= letters.len() - 2, "only {stored} were taken");
    let mut imap = demo.imap(ALICE);
    assert_eq!(imap.ok("SELECT INBOX").exists(), Some(stored));
    for number in 1..=stored {
        let answer = bounded("FETCH", || {
            imap.ok(&format!("FETCH {number} (ENVELOPE BODYSTRUCTURE BODY.PEEK[1] BODY.PEEK[1.1.1.1] RFC822.SIZE)"))
        });
        assert_eq!(answer.with("FETCH").count(), 1);
    }
    let found = bounded("SEARCH", || imap.ok("SEARCH SUBJECT monster TEXT x"));
    assert!(!found.search().is_empty());
}

#[test]
fn rubbish_in_headers_keeps_the_stream_parseable() {
    let demo = demo();
    let rubbish: Vec<Vec<u8>> = vec![
        b"Subject: \xff\xfe \"quoted\" \\ {10}\r\nFrom: \"a\\\"b\" <x@y.test>\r\n\r\nx\r\n".to_vec(),
        b"Subject: )(* BAD\r\nFrom: \"(\" <\"a b\"@y.test>\r\nMessage-ID: <\x80>\r\n\r\nx\r\n".to_vec(),
        b"Content-Type: text/plain; name=\"\xc3\xa4\\\"\"; x=\x01\r\nContent-Disposition: \"\r\n\r\nx\r\n".to_vec(),
        b"Subject: a\r\n b\r\n\tc\r\nTo: undisclosed-recipients:;\r\nContent-Type: \r\n\r\n".to_vec(),
        b"no header at all\r\n".to_vec(),
        b"\r\n".to_vec(),
    ];
    let mut imap = demo.imap(ALICE);
    for message in &rubbish {
        imap.append("INBOX", "", message);
    }
    imap.ok("SELECT INBOX");
    let answer = imap.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)");
    assert_eq!(answer.with("ENVELOPE").count(), rubbish.len(), "{answer:?}");
    for response in &answer.untagged {
        let outside = without_strings(&response.text);
        let balance = outside.matches('(').count() as i64 - outside.matches(')').count() as i64;
        assert_eq!(balance, 0, "unbalanced: {}", response.text);
    }
    let bodies = imap.messages();
    for ((_, _, stored), message) in bodies.iter().zip(&rubbish) {
        assert!(stored == message || stored.is_empty(), "{}", String::from_utf8_lossy(stored));
    }
}

/// The text with its quoted strings taken out.
fn without_strings(text: &str) -> String {
    let (mut outside, mut quoted, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        match (quoted, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => quoted = !quoted,
            (true, ..) => {}
            (false, ..) => outside.push(c),
        }
    }
    outside
}

#[test]
fn anothers_messages_are_not_found() {
    let demo = demo();
    deliver(&demo, &[Letter::new(BOB, ALICE, "for alice only").bytes()]);
    let mut carol = demo.imap("carol@home.test");
    carol.ok("SELECT INBOX");
    assert!(carol.ok("UID FETCH 1:* (UID BODY.PEEK[])").untagged.iter().all(|u| !u.text.contains("FETCH")));
    assert!(carol.ok("UID SEARCH ALL").search().is_empty());
    for name in ["alice", "~alice/INBOX", "/alice@home.test/INBOX", "user/alice", "\"Other Users/alice\""] {
        carol.command(&format!("SELECT {name}")).expect("NO");
    }
}

#[test]
fn a_line_without_end_is_cut_off_and_costs_no_memory() {
    let demo = demo();
    demo.imap(ALICE).ok("NOOP");
    let before = demo.process.resident_kib();
    let flood = Wire::connect(demo.home().ports.imap).flood((0..640).map(|_| vec![b'a'; 16 << 10]));
    assert!(flood.said("BAD") || flood.said("BYE"), "{flood:?}");
    let grown = demo.process.resident_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "10 MB of one line, and {grown} KiB of memory more");
    demo.imap(ALICE).ok("NOOP");
}

#[test]
fn idle_tells_what_others_do_at_once() {
    let demo = demo();
    let mut idler = demo.imap(ALICE);
    idler.ok("SELECT INBOX");
    idler.wire.line("i IDLE");
    assert!(idler.wire.read_line().starts_with('+'));
    deliver(&demo, &[Letter::new(BOB, ALICE, "news").bytes()]);
    assert_eq!(idler.untagged().text, "1 EXISTS");
    let mut other = demo.imap(ALICE);
    other.ok("SELECT INBOX");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    let told = loop {
        let line = idler.wire.read_line();
        if line.contains("FETCH") {
            break line;
        }
    };
    assert!(told.contains("\\Flagged"), "{told}");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    while idler.wire.read_line() != "* 1 EXPUNGE" {}
    idler.wire.line("DONE");
    while !idler.wire.read_line().starts_with("i OK") {}
}
