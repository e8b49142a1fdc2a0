//! TLS between servers as their domains demand it (MTA-STS), seen from outside.

use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Wire, eventually};

use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

fn send(demo: &Demo, subject: &str) {
    let letter = Letter::new(ALICE, BOB, subject).bytes();
    demo.submission(ALICE).send(ALICE, &[BOB], &letter);
}

/// The policy file of world.test as a stranger gets it.
fn policy(demo: &Demo) -> String {
    let host = "mta-sts.world.test";
    let mut wire = Wire::connect_tls(demo.world().ports.https, host, &demo.world.ca);
    wire.send(format!("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    let lines = std::iter::from_fn(|| wire.try_read_line().ok().flatten());
    lines.map(|line| String::from_utf8(line).unwrap().trim_end().to_owned() + "\n").collect()
}

#[test]
fn a_letter_between_the_demos_servers_obeys_the_policy_of_the_other_side() {
    let demo = demo();
    assert!(policy(&demo).ends_with("\n\nversion: STSv1\nmode: enforce\nmx: mail.world.test\nmax_age: 1209600\n"));
    send(&demo, "by policy");
    demo.imap(BOB).wait_for("INBOX", "by policy");
    // Bob may have it before the sender has written down that he has.
    let story = eventually("the story is told to its end", DELIVERY, || {
        let story = demo.command("home.test").args(["trace", BOB]).run().output;
        story.contains("took the message for").then_some(story)
    });
    assert!(story.contains("world.test has an MTA-STS policy in mode enforce"), "{story}");
    let certificate = "its certificate is valid for mail.world.test, as the MTA-STS policy of world.test demands.";
    assert!(story.contains(certificate), "{story}");
}

#[test]
fn a_letter_led_to_a_server_the_policy_does_not_name_waits_and_the_queue_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    std::fs::write(&records, "world.test. 5 IN MX 10 evil.test.\nevil.test. 5 IN A 127.0.0.1\n").unwrap();
    let demo = Demo::start(MAILSTEAD, &["--records", records.to_str().unwrap()]);
    send(&demo, "led astray");
    let queue = || demo.command("home.test").args(["queue", "list"]).run().output;
    let why = "evil.test is passed over: the MTA-STS policy of world.test does not name it";
    eventually("the queue says why", DELIVERY, || queue().contains(why).then_some(()));
    assert!(demo.imap(BOB).messages_in("INBOX").is_empty());
    let said = demo.command("world.test").args(["domain", "mta-sts", "world.test", "enforce"]).run().output;
    let doubt = "Careful: Mail for world.test goes to evil.test, which the policy does not name";
    assert!(said.contains(doubt), "{said}");
}

#[test]
fn the_operator_says_how_seriously_a_policy_is_meant() {
    let demo = demo();
    let command = |arguments: &[&str]| demo.command("world.test").args(arguments).run().output;
    assert!(command(&["domain", "list"]).contains("enforce"));
    let said = command(&["domain", "mta-sts", "world.test", "testing"]);
    assert!(said.contains("mailstead domain records world.test"), "{said}");
    assert!(policy(&demo).contains("\nmode: testing\n"));
    assert!(command(&["domain", "list"]).contains("testing"));
    let said = command(&["domain", "mta-sts", "world.test", "enforce"]);
    assert!(!said.contains("Careful"), "{said}");
    command(&["domain", "mta-sts", "world.test", "none"]);
    assert!(policy(&demo).ends_with("version: STSv1\nmode: none\nmax_age: 86400\n"));
}

#[test]
fn a_letter_that_requires_tls_goes_where_a_policy_vouches_for_the_server_and_comes_back_from_elsewhere() {
    let demo = Demo::start(MAILSTEAD, &["--neighbour", "far.test=127.0.0.1:9"]);
    for to in [BOB, "eve@far.test"] {
        let letter = Letter::new(ALICE, to, "only under TLS").bytes();
        let mut smtp = demo.submission(ALICE);
        smtp.wire.command(format!("MAIL FROM:<{ALICE}> REQUIRETLS")).expect(250);
        smtp.wire.command(format!("RCPT TO:<{to}>")).expect(250);
        smtp.wire.command("DATA").expect(354);
        smtp.wire.send(mailstead_tests::smtp::ready_for_the_wire(&letter));
        smtp.wire.reply().expect(250);
    }
    demo.imap(BOB).wait_for("INBOX", "only under TLS");
    let report = demo.imap(ALICE).wait_for("INBOX", "multipart/report");
    let report = String::from_utf8_lossy(&report);
    assert!(report.contains("eve@far.test") && report.contains("Status: 5.7.10"), "{report}");
    let mut plain = demo.exchange("world.test");
    plain.wire.command("MAIL FROM:<eve@far.test> REQUIRETLS").expect_status(530, "5.7.10");
}
