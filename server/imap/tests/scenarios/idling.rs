//! IDLE, and how sessions end by themselves.

use std::time::Duration;

use crate::harness::{House, letter};

#[tokio::test(flavor = "multi_thread")]
async fn idle_tells_of_everything_at_once() {
    let house = House::build().await;
    let (mut idler, mut other) = (house.alice_in_inbox().await, house.alice_in_inbox().await);
    let tag = idler.start("IDLE").await;
    assert!(idler.line().await.starts_with('+'));
    other.letters(&["news"]).await;
    assert_eq!(idler.line().await, "* 1 EXISTS");
    assert_eq!(idler.line().await, "* 1 RECENT");
    other.ok("STORE 1 +FLAGS (\\Flagged)").await;
    assert_eq!(idler.line().await, "* 1 FETCH (FLAGS (\\Flagged \\Recent))");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    assert!(idler.line().await.contains("\\Deleted"));
    other.ok("EXPUNGE").await;
    assert_eq!(idler.line().await, "* 1 EXPUNGE");
    idler.send("done\r\n").await;
    assert!(idler.answer(&tag).await[0].starts_with("OK"));
    idler.ok("NOOP").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_without_a_mailbox_is_allowed_and_anything_but_done_is_not() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let tag = alice.start("IDLE").await;
    alice.line().await;
    alice.send("DONE\r\n").await;
    assert!(alice.answer(&tag).await[0].starts_with("OK"));
    let tag = alice.start("IDLE").await;
    alice.line().await;
    alice.send("x NOOP\r\n").await;
    assert!(alice.answer(&tag).await[0].starts_with("BAD"));
    alice.ok("NOOP").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_silent_for_too_long_hears_goodbye() {
    let house = House::with_idle_timeout(Duration::from_millis(200)).await;
    let mut alice = house.alice().await;
    assert!(alice.line().await.starts_with("* BYE"));
    assert!(alice.is_closed().await);
    let mut alice = house.alice().await;
    alice.start("IDLE").await;
    alice.line().await;
    assert!(alice.line().await.starts_with("* BYE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_says_so_to_everyone() {
    let house = House::build().await;
    let (mut waiting, mut idling) = (house.alice().await, house.alice_in_inbox().await);
    idling.start("IDLE").await;
    idling.line().await;
    house.shutdown.send(true).unwrap();
    for client in [&mut waiting, &mut idling] {
        assert!(client.line().await.starts_with("* BYE"));
        assert!(client.is_closed().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_idlers_all_hear() {
    let house = House::build().await;
    let mut idlers = Vec::new();
    for _ in 0..100 {
        let mut idler = house.alice_in_inbox().await;
        idler.start("IDLE").await;
        idler.line().await;
        idlers.push(idler);
    }
    house.alice().await.append("INBOX", "", letter("news").as_bytes()).await;
    for idler in &mut idlers {
        assert_eq!(idler.line().await, "* 1 EXISTS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_going_out_ends_before_the_goodbye() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    let message = "0123456789 and so on\r\n".repeat(800_000);
    assert!(alice.append("INBOX", "", message.as_bytes()).await.starts_with("OK"));
    let tag = alice.start("FETCH 1 BODY.PEEK[]").await;
    assert!(alice.more().await, "it begins, and then fills the socket");
    house.shutdown.send(true).unwrap();
    let answer = alice.bytes().await;
    assert!(answer.ends_with(b")") && answer.len() > message.len(), "the response is whole");
    assert!(alice.answer(&tag).await[0].starts_with("OK"));
    assert!(alice.line().await.starts_with("* BYE"));
}
