//! CONDSTORE (RFC 7162 3.1).

use crate::harness::{House, code, untagged, with};

/// The modseq in a FETCH response.
fn modseq(line: &str) -> u64 {
    let after = line.split("MODSEQ (").nth(1).unwrap();
    after.split(')').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn modseqs_are_told_once_asked_for() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["a", "b"]).await;
    assert!(!alice.ok("STORE 1 +FLAGS (\\Seen)").await[0].contains("MODSEQ"));
    let lines = alice.ok("FETCH 1:2 MODSEQ").await;
    assert_eq!(with(&lines, "[HIGHESTMODSEQ ").len(), 1, "the first CONDSTORE command tells where the mailbox stands");
    let modseqs: Vec<&str> = with(&lines, "FETCH (MODSEQ (");
    assert_eq!(modseqs.len(), 2, "{lines:?}");
    let lines = alice.ok("STORE 2 +FLAGS (\\Seen)").await;
    assert!(lines[0].starts_with("* 2 FETCH (UID 2 MODSEQ (") && lines[0].contains("FLAGS (\\Seen"), "{lines:?}");
    let lines = alice.ok("STORE 2 +FLAGS.SILENT (\\Draft)").await;
    assert!(lines[0].starts_with("* 2 FETCH (UID 2 MODSEQ (") && !lines[0].contains("FLAGS"), "{lines:?}");
    let highest = code(&alice.ok("STATUS INBOX (HIGHESTMODSEQ)").await, "HIGHESTMODSEQ");
    assert_eq!(modseq(&lines[0]), highest);
    let lines = alice.ok("SELECT INBOX (CONDSTORE)").await;
    assert_eq!(code(&lines, "HIGHESTMODSEQ"), highest);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_since_is_fetched() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["a", "b", "c"]).await;
    let since = code(&alice.ok("STATUS INBOX (HIGHESTMODSEQ)").await, "HIGHESTMODSEQ");
    let lines = alice.ok(&format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})")).await;
    assert_eq!(with(&lines, "FETCH ("), Vec::<&str>::new());
    alice.ok("STORE 2 +FLAGS.SILENT (\\Flagged)").await;
    let lines = alice.ok(&format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})")).await;
    let told = with(&lines, "FETCH (");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("* 2 FETCH (UID 2 FLAGS (\\Flagged") && told[0].contains("MODSEQ ("), "{told:?}");
    let lines = alice.ok(&format!("FETCH 1 (FLAGS) (CHANGEDSINCE {since})")).await;
    assert_eq!(with(&lines, "FETCH ("), Vec::<&str>::new());
    let modseq = modseq(told[0]);
    assert!(modseq > since);
    let lines = alice.ok(&format!("SEARCH MODSEQ {}", since + 1)).await;
    assert_eq!(lines[0], format!("* SEARCH 2 (MODSEQ {modseq})"));
    assert_eq!(alice.ok(&format!("SEARCH MODSEQ {}", modseq + 1)).await[0], "* SEARCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_store_spares_what_others_have_changed() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a", "b", "c"]).await;
    two.ok("NOOP").await;
    let since = code(&one.ok("STATUS INBOX (HIGHESTMODSEQ)").await, "HIGHESTMODSEQ");
    two.ok("STORE 2 +FLAGS (\\Flagged)").await;
    let lines = one.ok(&format!("STORE 1:3 (UNCHANGEDSINCE {since}) +FLAGS.SILENT (\\Deleted)")).await;
    assert!(lines.last().unwrap().starts_with("OK [MODIFIED 2]"), "{lines:?}");
    assert_eq!(with(&lines, "* 1 FETCH").len(), 1, "silent stores tell the new modseq: {lines:?}");
    assert_eq!(with(&lines, "* 2 FETCH").len(), 1, "what another changed is told: {lines:?}");
    assert!(with(&lines, "* 2 FETCH")[0].contains("\\Flagged"));
    let lines = one.ok("FETCH 1:3 FLAGS").await;
    assert_eq!(with(&lines, "\\Deleted").len(), 2);
    let lines = one.ok("UID STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Deleted)").await;
    assert!(lines.last().unwrap().starts_with("OK [MODIFIED 2]"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_changes_come_with_their_modseq_to_those_who_speak_condstore() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a"]).await;
    two.ok("ENABLE CONDSTORE").await;
    two.ok("NOOP").await;
    one.ok("STORE 1 +FLAGS (\\Seen)").await;
    let lines = two.ok("NOOP").await;
    assert!(untagged(&lines)[0].starts_with("* 1 FETCH (UID 1 MODSEQ ("), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_a_body_tells_seen_with_its_modseq() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["a"]).await;
    alice.ok("ENABLE CONDSTORE").await;
    let line = &alice.ok("FETCH 1 BODY[TEXT]").await[0];
    assert!(line.contains("FLAGS (\\Seen") && line.contains("MODSEQ ("), "{line}");
}
