//! What hostile clients try on the POP3 ports.

use mailstead_tests::{Demo, Letter, Wire};

use crate::demo;

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

fn connect(demo: &Demo) -> Wire {
    let mut wire = Wire::connect_tls(demo.home().ports.pop3s, &demo.home().host, &demo.world.ca);
    assert!(wire.read_line().starts_with("+OK"));
    wire
}

#[track_caller]
fn ask(wire: &mut Wire, command: &str) -> String {
    wire.line(command);
    wire.read_line()
}

#[track_caller]
fn ok(wire: &mut Wire, command: &str) -> String {
    let line = ask(wire, command);
    assert!(line.starts_with("+OK"), "{command}: {line}");
    line
}

fn login(demo: &Demo) -> Wire {
    let mut wire = connect(demo);
    ok(&mut wire, &format!("USER {ALICE}"));
    ok(&mut wire, &format!("PASS {}", demo.account(ALICE).password));
    wire
}

#[test]
fn no_login_in_clear_text() {
    let demo = demo();
    let mut wire = Wire::connect(demo.home().ports.pop3);
    wire.read_line();
    assert!(ask(&mut wire, &format!("USER {ALICE}")).starts_with("-ERR"));
    assert!(ask(&mut wire, "AUTH PLAIN AGFsaWNlAHg=").starts_with("-ERR"));
}

#[test]
fn what_is_pipelined_behind_stls_is_thrown_away() {
    let demo = demo();
    let mut wire = Wire::connect(demo.home().ports.pop3);
    wire.read_line();
    wire.send(format!("STLS\r\nUSER {ALICE}\r\nPASS {}\r\n", demo.account(ALICE).password));
    assert!(wire.read_line().starts_with("+OK"));
    let mut wire = wire.into_tls(&demo.home().host, &demo.world.ca).expect("the handshake");
    let line = ask(&mut wire, "STAT");
    assert!(line.starts_with("-ERR"), "the injected login counted: {line}");
}

#[test]
fn a_wrong_password_and_an_unknown_user_hear_the_same() {
    let demo = demo();
    let words = [ALICE, "nobody@home.test"].map(|login| {
        let mut wire = connect(&demo);
        let user = ask(&mut wire, &format!("USER {login}"));
        (user.replace(login, ""), ask(&mut wire, "PASS wrong"))
    });
    assert!(words[0].1.starts_with("-ERR"), "{words:?}");
    assert_eq!(words[0], words[1]);
}

#[test]
fn nonsense_hears_err_and_the_session_lives() {
    let demo = demo();
    demo.exchange("home.test").send(BOB, &[ALICE], &Letter::new(BOB, ALICE, "one").bytes());
    let mut wire = login(&demo);
    for command in [
        "RETR",
        "RETR 0",
        "RETR 2",
        "RETR -1",
        "RETR 4294967297",
        "RETR 18446744073709551617",
        "RETR 1 1",
        "RETR a",
        "TOP 1",
        "TOP 1 -1",
        "TOP 0 1",
        "TOP 1 99999999999999999999",
        "DELE 0",
        "DELE 2",
        "LIST 0",
        "LIST 2",
        "UIDL 2",
        "USER a",
        "PASS b",
        "STLS",
        "XYZZY",
        "",
        "ret\0r 1",
        "AUTH PLAIN",
    ] {
        let line = ask(&mut wire, command);
        assert!(line.starts_with("-ERR"), "{command:?}: {line}");
    }
    assert!(ok(&mut wire, "STAT").starts_with("+OK 1 "));
}

#[test]
fn a_line_without_end_is_cut_off_and_costs_no_memory() {
    let demo = demo();
    drop(login(&demo));
    let before = demo.process.resident_kib();
    let flood = Wire::connect(demo.home().ports.pop3).flood((0..640).map(|_| vec![b'a'; 16 << 10]));
    assert!(flood.said("-ERR"), "{flood:?}");
    let grown = demo.process.resident_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "10 MB of one line, and {grown} KiB of memory more");
    drop(login(&demo));
}

#[test]
fn what_comes_during_a_session_is_seen_in_the_next() {
    let demo = demo();
    let mut smtp = demo.exchange("home.test");
    smtp.send(BOB, &[ALICE], &Letter::new(BOB, ALICE, "one").bytes());
    let mut wire = login(&demo);
    assert!(ok(&mut wire, "STAT").starts_with("+OK 1 "));
    smtp.send(BOB, &[ALICE], &Letter::new(BOB, ALICE, "two").bytes());
    assert!(ok(&mut wire, "STAT").starts_with("+OK 1 "));
    ok(&mut wire, "DELE 1");
    ok(&mut wire, "QUIT");
    let mut wire = login(&demo);
    assert!(ok(&mut wire, "STAT").starts_with("+OK 1 "));
    ok(&mut wire, "RETR 1");
    let mut lines = Vec::new();
    loop {
        let line = wire.read_line();
        if line == "." {
            break;
        }
        lines.push(line);
    }
    assert!(lines.contains(&"Subject: two".to_owned()), "{lines:?}");
    assert!(lines.contains(&"...and one with dots".to_owned()), "dots are stuffed: {lines:?}");
}
