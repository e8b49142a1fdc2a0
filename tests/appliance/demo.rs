//! The demo itself: what it prints, what it keeps, what it leaves behind.

use std::process::{Command, Stdio};
use std::time::Duration;

use mailstead_tests::demo::World;
use mailstead_tests::process::Process;

use crate::{MAILSTEAD, demo};

#[test]
fn every_port_of_the_printed_line_answers_in_its_protocol() {
    let demo = demo();
    for server in &demo.world.servers {
        let ca = &demo.world.ca;
        let plain = [
            (server.ports.smtp, "220 "),
            (server.ports.submission, "220 "),
            (server.ports.imap, "* OK"),
            (server.ports.pop3, "+OK"),
        ];
        for (port, greeting) in plain {
            let line = mailstead_tests::Wire::connect(port).read_line();
            assert!(line.starts_with(greeting), "port {port} of {}: {line}", server.domain);
        }
        let secured = [(server.ports.submissions, "220 "), (server.ports.imaps, "* OK"), (server.ports.pop3s, "+OK")];
        for (port, greeting) in secured {
            let line = mailstead_tests::Wire::connect_tls(port, &server.host, ca).read_line();
            assert!(line.starts_with(greeting), "port {port} of {}: {line}", server.domain);
        }
    }
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(MAILSTEAD);
    command.args(["demo", "--json"]).env("TMPDIR", folder.path()).stdout(Stdio::piped());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut process = Process::start("mailstead demo", &mut command, log.path());
    let world: World = serde_json::from_str(&process.first_line(Duration::from_secs(60))).unwrap();
    assert!(world.data.starts_with(folder.path()) && world.data.is_dir());
    process.signal("INT");
    let status = process.wait(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn a_command_with_a_mistyped_folder_is_refused_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-such-demo");
    let refused = Command::new(MAILSTEAD).arg("--data").arg(&missing).arg("status").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("there is no Mailstead data in"), "{said}");
    assert!(!missing.exists());
}

#[test]
fn a_second_demo_in_the_same_folder_is_told_of_the_first() {
    let demo = demo();
    let authority = std::fs::read(&demo.world.ca).unwrap();
    let refused = Command::new(MAILSTEAD).args(["demo", "--dir"]).arg(&demo.world.data).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("another mailstead is using this data folder"), "{said}");
    assert_eq!(std::fs::read(&demo.world.ca).unwrap(), authority);
}

#[test]
fn a_given_folder_is_kept_and_used_again() {
    let mut demo = demo();
    let letter = mailstead_tests::Letter::new("bob@world.test", "alice@home.test", "kept over a restart");
    demo.submission("bob@world.test").send("bob@world.test", &["alice@home.test"], &letter.bytes());
    demo.imap("alice@home.test").wait_for("INBOX", "kept over a restart");
    assert!(demo.interrupt().success());
    demo.crash_and_restart(&[]);
    demo.imap("alice@home.test").wait_for("INBOX", "kept over a restart");
}

#[test]
fn seeded_letters_are_there_and_varied() {
    let demo = mailstead_tests::Demo::start(MAILSTEAD, &["--seed", "60"]);
    let mut imap = demo.imap("alice@home.test");
    assert_eq!(imap.ok("SELECT INBOX").exists(), Some(60));
    let structures = imap.ok("FETCH 1:* BODYSTRUCTURE");
    for kind in ["\"HTML\"", "\"ATTACHMENT\"", "\"UTF-8\""] {
        let found = structures.untagged.iter().any(|u| u.text.to_uppercase().contains(kind));
        assert!(found, "no letter with {kind}");
    }
}
