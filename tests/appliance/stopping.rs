//! A server that is told to stop finishes what it has begun, and the next start goes on with the rest.

use std::net::Ipv4Addr;
use std::time::Duration;

use mailstead_tests::letter::header;
use mailstead_tests::smtp::ready_for_the_wire;
use mailstead_tests::{Letter, Served, Wire, eventually};

use crate::MAILSTEAD;

const SOON: Duration = Duration::from_secs(30);
/// A queue that must wait: nothing answers questions about names at this address.
const DNS_DOWN: &str = "[dns]\nservers = [\"127.0.0.1:9\"]\n";

#[test]
fn a_letter_under_way_is_finished_before_the_server_stops_and_the_next_start_resumes_the_queue() {
    let mut served = Served::prepare(MAILSTEAD, None, DNS_DOWN);
    served.start();
    let waiting = Letter::new("carol@kept.test", "friend@away.test", "waits").bytes();
    served.try_submission("carol").unwrap().send("carol@kept.test", &["friend@away.test"], &waiting);
    let mut idle = served.try_exchange().unwrap();
    let mut reader = served.imap("alice");
    reader.ok("SELECT INBOX");
    let mut smtp = served.try_exchange().unwrap();
    for (command, code) in [("MAIL FROM:<x@other.test>", 250), ("RCPT TO:<alice@kept.test>", 250), ("DATA", 354)] {
        smtp.try_command(command).unwrap().expect(code);
    }
    let data =
        ready_for_the_wire(&Letter::new("x@other.test", "alice@kept.test", "under way").filled(60_000, 1).bytes());
    let (first, rest) = data.split_at(data.len() / 2);
    smtp.wire.send(first);

    let mut process = served.process.take().unwrap();
    process.signal("TERM");
    idle.wire.reply().expect(421);
    assert!(reader.untagged().text.starts_with("BYE"), "a reader is told");
    eventually("nobody new is let in", SOON, || Wire::connect_from(Ipv4Addr::LOCALHOST, served.ports.smtp).err());
    assert!(process.ended().is_none(), "it waits for the letter");
    smtp.wire.send(rest);
    smtp.wire.reply().expect(250);
    smtp.wire.reply().expect(421);
    let status = process.wait(SOON);
    assert!(status.success(), "{status}\n{}", process.tail());

    served.start();
    let found = served.imap("alice").wait_for("INBOX", "under way");
    assert_eq!(header(&found, "Subject").as_deref(), Some("under way"));
    let entry = served.queue()[0].clone();
    assert!(entry.to_string().contains("friend@away.test"), "{entry}");
    served.command().args(["queue", "retry", &entry["id"].to_string()]).run();
    eventually("the queue is worked on again", SOON, || {
        (served.queue()[0]["attempts"].as_u64() > entry["attempts"].as_u64()).then_some(())
    });
}
