//! Reports on TLS and DMARC go to those who ask for them, by mail as any other letter, and can be read there.

use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, eventually};
use serde_json::Value;

use crate::demo;

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

fn json(demo: &Demo, domain: &str, arguments: &[&str]) -> Value {
    let said = demo.command(domain).arg("--json").args(arguments).run();
    serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Sends what `from` owes for today, once something is owed, and gives the report as `to` shows it.
fn exchanged(demo: &Demo, from: &str, to: &str, kind: &str) -> Value {
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    eventually("the report is sent", DELIVERY, || {
        let sent = json(demo, from, &["report", "send", "--day", &today]);
        sent.to_string().contains(&format!("goes to {kind}-reports@{to}")).then_some(())
    });
    eventually("the report has arrived", DELIVERY, || {
        let list = json(demo, to, &["report", "list", to]);
        list.as_array()?.iter().find(|report| report["kind"] == kind).cloned()
    })
}

#[test]
fn how_tls_went_is_reported_to_the_domain_that_asks_for_it() {
    let demo = demo();
    demo.submission(ALICE).send(ALICE, &[BOB], &Letter::new(ALICE, BOB, "over TLS").bytes());
    demo.imap(BOB).wait_for("INBOX", "Subject: over TLS");
    let report = exchanged(&demo, "home.test", "world.test", "tls");
    assert_eq!(report["organisation"], "home.test", "{report}");
    assert_eq!(report["from"], "tls-reports@home.test", "{report}");
    assert!(report["good"].as_u64().unwrap() + report["bad"].as_u64().unwrap() >= 1, "{report}");
    let shown = demo.command("world.test").args(["report", "show", &report["id"].to_string()]).run();
    assert!(shown.output.contains("home.test opened 1 session to deliver mail to world.test between"), "{shown}");
    assert_eq!(demo.imap(BOB).messages_in("INBOX").len(), 1, "the report is in nobody's mailbox");
    let story = demo.command("world.test").args(["trace", "tls-reports@world.test"]).run();
    assert!(story.output.contains("of home.test on how TLS went with world.test"), "{story}");
}

#[test]
fn what_was_made_of_letters_is_reported_to_their_authors_domain() {
    let demo = demo();
    for number in 0..3 {
        let letter = Letter::new(ALICE, BOB, &format!("letter {number}")).bytes();
        demo.submission(ALICE).send(ALICE, &[BOB], &letter);
        demo.imap(BOB).wait_for("INBOX", &format!("Subject: letter {number}"));
    }
    let forged = Letter::new(ALICE, BOB, "forged").bytes();
    let refused = demo.exchange("world.test").try_send("x@nowhere.test", &[BOB], &forged).unwrap();
    assert_eq!((refused.code, refused.to_string().contains("5.7.1")), (550, true), "{refused}");
    let report = exchanged(&demo, "world.test", "home.test", "dmarc");
    assert_eq!((report["organisation"].as_str(), report["good"].as_u64()), (Some("world.test"), Some(3)), "{report}");
    assert_eq!(report["bad"], 1, "{report}");
    let id = report["id"].to_string();
    let shown = demo.command("home.test").args(["report", "show", &id]).run();
    for words in [
        "world.test saw 4 letters in the name of home.test between",
        "3 were proved to be yours, 1 was not:",
        "1 from 127.0.0.1, refused: it bore no signature of yours",
        "3 good letters came from 127.0.0.1, proved by signature and sender's address.",
        "from dmarc-reports@world.test, proved to be from world.test, as message",
    ] {
        assert!(shown.output.contains(words), "no {words:?} in {shown}");
    }
    let detail = json(&demo, "home.test", &["report", "show", &id]);
    assert_eq!(detail["report"]["findings"]["Dmarc"][0][0]["published"]["policy"], "reject", "{detail}");
    // The letter that brought the report is itself no news for a report.
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let owed = json(&demo, "home.test", &["report", "send", "--day", &today]);
    assert!(!owed.to_string().contains("DMARC"), "{owed}");
}

#[test]
fn what_is_no_report_is_shown_as_such_and_bothers_nobody() {
    let demo = demo();
    demo.exchange("home.test").send(BOB, &["dmarc-reports@home.test"], &Letter::new(BOB, ALICE, "no report").bytes());
    let list = json(&demo, "home.test", &["report", "list"]);
    assert_eq!(list[0]["problem"], "there is no report in it", "{list}");
    let shown = demo.command("home.test").args(["report", "list"]).run();
    assert!(shown.output.contains("can't be read: there is no report in it"), "{shown}");
    let shown = demo.command("home.test").args(["report", "show", "1"]).run();
    assert!(shown.output.contains("It can't be read as a report: there is no report in it."), "{shown}");
    assert!(demo.imap(ALICE).messages_in("INBOX").is_empty());
}

#[test]
fn sending_is_for_the_operator_to_turn_off() {
    let demo = demo();
    let off = demo.command("home.test").args(["report", "sending", "off"]).run();
    assert!(off.output.contains("No reports are sent any more, unless by hand."), "{off}");
    let nothing = demo.command("home.test").args(["report", "send"]).run();
    assert!(nothing.output.contains("There is no report to be sent"), "{nothing}");
    demo.command("home.test").args(["report", "sending", "on"]).run();
}
