//! Several sessions on one mailbox: who hears of what, and when.

use crate::harness::{House, untagged, with};

#[tokio::test(flavor = "multi_thread")]
async fn an_expunge_is_told_only_where_numbers_may_change() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a", "b", "c"]).await;
    assert_eq!(with(&two.ok("NOOP").await, "EXISTS"), ["* 3 EXISTS"]);
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ok("EXPUNGE").await;
    let lines = two.ok("FETCH 2:3 UID").await;
    assert_eq!(untagged(&lines), ["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"], "numbers are still those it knows");
    assert_eq!(with(&two.ok("SEARCH ALL").await, "EXPUNGE"), Vec::<&str>::new());
    assert_eq!(with(&two.ok("STORE 3 +FLAGS (\\Seen)").await, "EXPUNGE"), Vec::<&str>::new());
    let lines = two.no("FETCH 1 UID").await;
    assert!(lines[0].contains("[EXPUNGEISSUED]"), "{lines:?}");
    assert_eq!(untagged(&two.ok("NOOP").await), ["* 1 EXPUNGE"]);
    assert_eq!(untagged(&two.ok("FETCH 1:2 UID").await), ["* 1 FETCH (UID 2)", "* 2 FETCH (UID 3)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn uid_commands_may_tell_of_an_expunge() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a", "b"]).await;
    two.ok("NOOP").await;
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ok("EXPUNGE").await;
    let lines = two.ok("UID FETCH 1:* FLAGS").await;
    assert_eq!(untagged(&lines), ["* 2 FETCH (UID 2 FLAGS (\\Recent))", "* 1 EXPUNGE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_and_arrivals_of_others_are_told_at_once_and_own_ones_once() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a", "b"]).await;
    two.ok("NOOP").await;
    one.ok("STORE 1 +FLAGS (\\Flagged)").await;
    let lines = two.ok("STORE 2 +FLAGS (\\Seen)").await;
    assert_eq!(with(&lines, "* 2 FETCH").len(), 1, "{lines:?}");
    assert_eq!(with(&lines, "* 1 FETCH (FLAGS (\\Flagged").len(), 1, "{lines:?}");
    assert_eq!(untagged(&two.ok("NOOP").await), Vec::<&str>::new());
    assert_eq!(with(&one.ok("NOOP").await, "* 2 FETCH (FLAGS (\\Seen").len(), 1);
    assert_eq!(untagged(&two.ok("STORE 1:2 +FLAGS.SILENT (\\Draft)").await), Vec::<&str>::new());
    assert_eq!(with(&one.ok("FETCH 1 UID").await, "\\Draft").len(), 2, "FETCH tells of flags as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_went_between_two_looks_is_never_heard_of() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a", "b"]).await;
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ok("EXPUNGE").await;
    let lines = two.ok("NOOP").await;
    assert_eq!(untagged(&lines)[0], "* 1 EXISTS");
    assert_eq!(with(&lines, "EXPUNGE"), Vec::<&str>::new());
    assert_eq!(untagged(&two.ok("FETCH 1 UID").await), ["* 1 FETCH (UID 2)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_keyword_is_announced_to_others_before_it_is_shown() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    one.letters(&["a"]).await;
    two.ok("NOOP").await;
    let lines = one.ok("STORE 1 +FLAGS ($Label)").await;
    assert!(lines[0].starts_with("* FLAGS (") && lines[0].contains("$Label"), "{lines:?}");
    let lines = two.ok("NOOP").await;
    assert!(lines[0].starts_with("* FLAGS (") && lines[0].contains("$Label"), "{lines:?}");
    assert!(lines[2].contains("FETCH") && lines[2].contains("$Label"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_deleted_under_a_session_becomes_empty() {
    let house = House::build().await;
    let (mut one, mut two) = (house.alice().await, house.alice().await);
    one.ok("CREATE Doomed").await;
    one.append("Doomed", "", b"Subject: x\r\n\r\nx\r\n").await;
    two.ok("SELECT Doomed").await;
    one.ok("DELETE Doomed").await;
    assert_eq!(untagged(&two.ok("NOOP").await), ["* 1 EXPUNGE"]);
    two.no("EXPUNGE").await;
    two.ok("SELECT INBOX").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_mail_is_not_there() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["for alice only"]).await;
    alice.ok("CREATE Private").await;
    let mut carol = house.client("carol").await;
    carol.no("SELECT Private").await;
    assert_eq!(with(&carol.ok("SELECT INBOX").await, "EXISTS"), ["* 0 EXISTS"]);
    assert_eq!(untagged(&carol.ok("UID FETCH 1:* BODY[]").await), Vec::<&str>::new());
    assert_eq!(untagged(&carol.ok("UID SEARCH UID 1:*").await), ["* SEARCH"]);
    assert_eq!(with(&carol.ok("LIST \"\" *").await, "Private"), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_by_one_is_an_expunge_and_an_arrival_to_the_others() {
    let house = House::build().await;
    let (mut one, mut inbox, mut archive) =
        (house.alice_in_inbox().await, house.alice_in_inbox().await, house.alice().await);
    archive.ok("SELECT Archive").await;
    one.letters(&["a", "b"]).await;
    inbox.ok("NOOP").await;
    one.ok("MOVE 2 Archive").await;
    assert_eq!(untagged(&inbox.ok("NOOP").await), ["* 2 EXPUNGE"]);
    assert_eq!(with(&archive.ok("NOOP").await, "EXISTS"), ["* 1 EXISTS"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_while_another_session_expunges_is_told_truly() {
    let house = House::build().await;
    for command in ["COPY", "MOVE"] {
        let (mut one, mut two) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
        two.letters(&["a", "b", "c"]).await;
        one.ok("NOOP").await;
        two.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)").await;
        two.ok("EXPUNGE").await;
        let lines = one.ok(&format!("{command} 2:3 Archive")).await;
        let told = with(&lines, "[COPYUID ");
        assert!(told.len() == 1 && !told[0].contains(':') && !told[0].contains(','), "{command}: {lines:?}");
        let mut one = house.alice_in_inbox().await;
        two.letters(&["d"]).await;
        one.ok("NOOP").await;
        two.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)").await;
        two.ok("EXPUNGE").await;
        let lines = one.no(&format!("{command} 1 Archive")).await;
        assert!(lines.last().unwrap().starts_with("NO [EXPUNGEISSUED]"), "{command}: {lines:?}");
    }
    assert_eq!(house.alice().await.ok("STATUS Archive (MESSAGES)").await[0], "* STATUS \"Archive\" (MESSAGES 2)");
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_within_a_mailbox_loses_nothing() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["a", "b"]).await;
    alice.command("MOVE 1 INBOX").await;
    assert_eq!(alice.ok("STATUS INBOX (MESSAGES)").await[0], "* STATUS INBOX (MESSAGES 2)");
    let subjects = alice.ok("FETCH 1:2 BODY.PEEK[HEADER.FIELDS (SUBJECT)]").await.join("\n");
    assert!(subjects.contains("Subject: a") && subjects.contains("Subject: b"), "{subjects}");
}
