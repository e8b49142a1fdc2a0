//! What is tried again, and what never is.

use mailstead_store::{QueueAction, QueueEntry, RecipientState};

use crate::server::End;
use crate::world::{Sent, World, now, until};

#[tokio::test]
async fn a_letter_refused_for_now_waits_and_is_delivered_once() {
    for refuse in [0, 1, 2] {
        let (world, server) = World::with_bob().await;
        match refuse {
            0 => server.habits().mail = "451 4.7.1 greylisted",
            1 => server.habits().rcpt = |_| "450 4.2.1 busy",
            _ => server.habits().end = End::Say("452 4.3.1 disk full"),
        }
        world.send(Sent::to(&["bob@world.test"])).await;
        let running = world.run();
        let entry = world.tried(1).await;
        let gap = entry.due.0 - now();
        assert!((200..=360).contains(&gap), "the next try is in {gap} seconds");
        assert!(world.inbox().is_empty(), "nobody is told so soon");
        *server.habits() = crate::server::Habits::default();
        let before = server.got().len();
        world.act(QueueAction::Retry).await;
        world.sent().await;
        running.stop().await;
        assert_eq!(server.got().len(), before + 1);
    }
}

#[tokio::test]
async fn each_recipient_has_an_answer_of_its_own() {
    let (world, server) = World::with_bob().await;
    server.habits().rcpt = |line| match () {
        () if line.contains("nobody") => "550 5.1.1 no such user",
        () if line.contains("later") => "451 4.2.0 come back",
        () => "250 ok",
    };
    world.send(Sent::to(&["bob@world.test", "nobody@world.test", "later@world.test"])).await;
    let running = world.run();
    let entry = world.tried(1).await;
    let states: Vec<RecipientState> = entry.recipients.iter().map(|recipient| recipient.state).collect();
    assert_eq!(states, [RecipientState::Delivered, RecipientState::Failed, RecipientState::Waiting]);
    let inbox = world.inbox();
    assert!(inbox.len() == 1 && inbox[0].contains("Final-Recipient: rfc822;nobody@world.test\r\n"), "{inbox:?}");
    assert!(!inbox[0].contains("bob@world.test\r\nAction") && !inbox[0].contains("later@"));
    server.habits().rcpt = |_| "250 ok";
    world.act(QueueAction::Retry).await;
    world.sent().await;
    running.stop().await;
    let rcpt: Vec<Vec<String>> = server.got().into_iter().map(|got| got.rcpt).collect();
    assert_eq!(rcpt, [["RCPT TO:<bob@world.test>"], ["RCPT TO:<later@world.test>"]]);
    assert_eq!(world.inbox().len(), 1);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let (world, server) = World::with_bob().await;
    server.habits().rcpt = |line| if line.contains("bob") { "250 ok" } else { "451 later" };
    world.send(Sent::to(&["bob@world.test", "carol@world.test"])).await;
    let running = world.run();
    world.tried(1).await;
    running.stop().await;
    let world = world.reopen();
    assert_eq!(world.queue()[0].attempts, 1);
    server.habits().rcpt = |_| "250 ok";
    world.act(QueueAction::Retry).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    let rcpt: Vec<Vec<String>> = server.got().into_iter().map(|got| got.rcpt).collect();
    assert_eq!(rcpt, [["RCPT TO:<bob@world.test>"], ["RCPT TO:<carol@world.test>"]]);
}

#[tokio::test]
async fn what_came_while_nobody_ran_the_queue_is_sent_at_the_start() {
    let (world, server) = World::with_bob().await;
    world.send(Sent { age: 60, ..Sent::to(&["bob@world.test"]) }).await;
    let world = world.reopen();
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_clock_set_back_keeps_no_letter_waiting() {
    let (world, server) = World::with_bob().await;
    world.send(Sent { age: -10 * 24 * 3_600, ..Sent::to(&["bob@world.test"]) }).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn letters_that_wait_for_a_server_that_is_away_share_one_try() {
    let (world, server) = World::with_bob().await;
    server.habits().banner = "421 4.3.2 not today";
    for _ in 0..20 {
        world.send(Sent::to(&["bob@world.test"])).await;
    }
    let running = world.run();
    until("all were tried", || world.queue().iter().all(|entry| entry.attempts == 1)).await;
    running.stop().await;
    assert_eq!((world.queue().len(), server.connections()), (20, 1));
}

#[tokio::test]
async fn a_letter_taken_by_a_server_that_vanishes_afterwards_is_not_sent_again() {
    let (world, server) = World::with_bob().await;
    server.habits().end = End::SayAndVanish("250 2.0.0 taken");
    for _ in 0..3 {
        world.send(Sent::to(&["bob@world.test"])).await;
    }
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.got().len(), 3);
}

#[tokio::test]
async fn when_nobody_knows_whether_it_was_taken_no_other_server_gets_it_now() {
    let mut world = World::build().await;
    let (first, second) = (world.server("a.world.test").await, world.server("b.world.test").await);
    world.names.mx("world.test", &[(10, "a.world.test"), (20, "b.world.test")]);
    first.habits().end = End::Vanish;
    world.send(Sent::to(&["bob@world.test"])).await;
    let running = world.run();
    let entry = world.tried(1).await;
    running.stop().await;
    assert_eq!((first.got().len(), second.connections()), (1, 0));
    assert!(entry.recipients[0].last.as_ref().unwrap().contains("may or may not have taken the message"));
}

#[tokio::test]
async fn what_waits_for_its_turn_can_still_be_held_or_removed() {
    let (world, server) = World::with_bob().await;
    server.habits().end = End::Ponder;
    for name in ["bob@world.test", "held@world.test", "removed@world.test", "last@world.test"] {
        world.send(Sent::to(&[name])).await;
    }
    let running = world.run();
    until("the first letter is under way", || server.got().len() == 1).await;
    for (name, action) in [("held@world.test", QueueAction::Hold), ("removed@world.test", QueueAction::Remove)] {
        let is_it = |entry: &QueueEntry| entry.recipients[0].address.to_string() == name;
        let id = world.queue().iter().find(|entry| is_it(entry)).unwrap().id;
        world.store.queue_action(id, action).await.unwrap();
    }
    server.habits().end = End::Say("250 ok");
    until("the others are sent", || world.queue().len() == 1).await;
    running.stop().await;
    let rcpt: Vec<Vec<String>> = server.got().into_iter().map(|got| got.rcpt).collect();
    assert_eq!(rcpt, [["RCPT TO:<bob@world.test>"], ["RCPT TO:<last@world.test>"]]);
    let held = world.queue().remove(0);
    assert!(held.held && held.attempts == 0);
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_let_go_and_what_is_removed_is_gone_without_a_word() {
    let (world, server) = World::with_bob().await;
    world.send(Sent::to(&["held@world.test"])).await;
    world.act(QueueAction::Hold).await;
    let running = world.run();
    world.send(Sent::to(&["bob@world.test"])).await;
    until("the other letter is there", || server.got().len() == 1 && world.queue().len() == 1).await;
    assert!(world.queue()[0].held);
    world.act(QueueAction::Retry).await;
    world.sent().await;
    assert_eq!(server.got()[1].rcpt, ["RCPT TO:<held@world.test>"]);
    server.habits().mail = "451 not now";
    world.send(Sent::to(&["bob@world.test"])).await;
    world.tried(1).await;
    world.act(QueueAction::Remove).await;
    assert!(world.queue().is_empty());
    running.stop().await;
    assert_eq!((server.got().len(), world.inbox().len()), (2, 0));
}
