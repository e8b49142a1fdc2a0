//! App passwords: made on the command line, used by real programs, taken back.

use std::fs;

use mailstead_tests::tool::Said;
use mailstead_tests::{Demo, Letter, Tool};

use crate::demo;

const ALICE: &str = "alice@home.test";
const CAROL: &str = "carol@home.test";

fn json(demo: &Demo, arguments: &[&str]) -> serde_json::Value {
    let said = demo.command("home.test").args(["--json", "app-password"]).args(arguments).run();
    serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// A new app password of alice's.
fn made(demo: &Demo, device: &str) -> String {
    json(demo, &["add", ALICE, device])["password"].as_str().unwrap().to_owned()
}

/// Whether GNU SASL got in, and the server proved itself: its exit status is about what came afterwards.
fn is_in(said: &Said) -> bool {
    said.errors.contains("server trusted")
}

fn curl(demo: &Demo, url: &str, password: &str) -> Said {
    let tool = Tool::new("curl").args(["--silent", "--show-error", "--ssl-reqd", "--max-time", "30", "--cacert"]);
    tool.arg(&demo.world.ca).args(["--user", &format!("{ALICE}:{password}"), url]).run_any()
}

#[test]
fn python_proves_an_app_password_over_all_three_protocols_and_nothing_else_gets_in() {
    let demo = demo();
    let (phone, laptop) = (made(&demo, "phone"), made(&demo, "laptop"));
    let ports = demo.home().ports;
    let said = Tool::new("python3")
        .args(["-c", include_str!("scripts/scram.py")])
        .arg(&demo.world.ca)
        .args([ALICE, &phone, &laptop, &ports.imaps.to_string(), &ports.pop3s.to_string()])
        .arg(ports.submissions.to_string())
        .patience(std::time::Duration::from_secs(180))
        .home(demo.folder())
        .run();
    assert!(said.output.contains("all is well"), "{said}");
    let list = json(&demo, &["list", ALICE]);
    assert_eq!(list[0]["name"], "phone");
    assert!(list[0]["used"].is_string() && list[1]["used"].is_string(), "{list}");
    assert_eq!((list[0]["protocol"].as_str(), list[0]["from"].as_str()), (Some("SMTP"), Some("127.0.0.1")), "{list}");
}

#[test]
fn gsasl_binds_its_login_to_the_keys_of_its_tls_session() {
    let demo = demo();
    let phone = made(&demo, "phone");
    let ports = demo.home().ports;
    let gsasl = |port: u16, protocol: &str, more: &[&str], password: &str| {
        let tool = Tool::new("gsasl").args(["--connect", &format!("localhost:{port}"), "--starttls", protocol]);
        let tool = tool.args(["--verbose", "-a", ALICE, "-p", password, "--x509-ca-file"]).arg(&demo.world.ca);
        tool.args(more).run_any()
    };
    for (port, protocol) in [(ports.imap, "--imap"), (ports.submission, "--smtp")] {
        for more in [&["-m", "SCRAM-SHA-256-PLUS"][..], &["-m", "SCRAM-SHA-256", "--no-cb"]] {
            let said = gsasl(port, protocol, more, &phone);
            assert!(is_in(&said), "{said}");
            let said = gsasl(port, protocol, more, "wrong");
            assert!(!is_in(&said), "{said}");
        }
    }
}

#[test]
fn mbsync_reads_by_scram_and_only_with_an_app_password() {
    let demo = demo();
    demo.exchange("home.test").send(CAROL, &[ALICE], &Letter::new(CAROL, ALICE, "by scram").bytes());
    let (maildir, rc) = (demo.folder().join("maildir"), demo.folder().join("mbsyncrc"));
    fs::create_dir(&maildir).unwrap();
    let sync = |password: &str| {
        fs::write(
            &rc,
            format!(
                "IMAPAccount home\nHost localhost\nPort {}\nUser {ALICE}\nPass {password}\nSSLType IMAPS\n\
                 AuthMechs SCRAM-SHA-256\nCertificateFile {}\nSystemCertificates no\n\nIMAPStore far\nAccount home\n\n\
                 MaildirStore near\nPath {dir}/\nInbox {dir}/INBOX\n\nChannel all\nFar :far:\nNear :near:\n\
                 Patterns INBOX\nCreate Near\nSyncState *\n",
                demo.home().ports.imaps,
                demo.world.ca.display(),
                dir = maildir.display(),
            ),
        )
        .unwrap();
        Tool::new("mbsync").arg("-c").arg(&rc).arg("all").home(demo.folder()).run_any()
    };
    let said = sync(&demo.account(ALICE).password);
    assert!(said.status != 0, "SCRAM is not offered while nobody has an app password: {said}");
    let phone = made(&demo, "phone");
    let said = sync(&demo.account(ALICE).password);
    assert!(said.status != 0 && said.errors.contains("app password"), "{said}");
    let said = sync(&phone);
    assert!(said.status == 0, "{said}");
    assert_eq!(fs::read_dir(maildir.join("INBOX/new")).unwrap().count(), 1);
}

#[test]
fn an_app_password_is_typed_as_it_comes_and_taken_back() {
    let demo = demo();
    let (phone, ports) = (made(&demo, "Phone"), demo.home().ports);
    let imap = format!("imaps://localhost:{}", ports.imaps);
    for url in [&imap, &format!("pop3s://localhost:{}", ports.pop3s)] {
        for typed in [phone.clone(), phone.replace('-', ""), phone.replace('-', " ").to_uppercase()] {
            // As an older device: curl without SCRAM sends the password itself.
            let said = curl(&demo, url, &typed);
            assert!(said.status == 0, "{said}");
        }
    }
    let said = curl(&demo, &imap, &demo.account(ALICE).password);
    assert!(said.status == 0, "the account's own password goes on to work: {said}");

    let human = |arguments: &[&str]| demo.command("home.test").arg("app-password").args(arguments).run_any();
    let said = human(&["add", ALICE, "phone"]);
    assert!(said.status != 0 && said.errors.contains("exists already"), "{said}");
    let said = human(&["add", "nobody@home.test", "phone"]);
    assert!(said.status != 0 && said.errors.contains("nobody@home.test"), "{said}");
    let said = human(&["list", ALICE]);
    assert!(said.output.contains("Phone") && said.output.contains("from 127.0.0.1"), "{said}");
    assert!(!said.output.contains(&phone), "{said}");
    let number = json(&demo, &["list", ALICE])[0]["id"].to_string();
    let said = human(&["remove", CAROL, &number]);
    assert!(said.status != 0, "another's: {said}");
    assert!(human(&["remove", ALICE]).status != 0, "which one?");
    let said = human(&["remove", ALICE, &number]);
    assert!(said.status == 0 && said.output.contains("can't log in any more"), "{said}");
    assert!(curl(&demo, &imap, &phone).status != 0);
    let (first, second) = (made(&demo, "first"), made(&demo, "second"));
    assert!(human(&["remove", ALICE, "--all"]).output.contains("All 2"));
    for password in [first, second] {
        assert!(curl(&demo, &imap, &password).status != 0);
    }
    assert!(human(&["list", ALICE]).output.contains("There is no app password"));
}
