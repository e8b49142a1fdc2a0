//! Who is told what.

use mailstead_net::dns::DnsError;
use mailstead_store::{Notify, QueueAction};

use crate::server::End;
use crate::world::{Sent, World, address, now, until};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Runs the queue until it is empty; gives what alice has got.
async fn told(world: &World) -> Vec<String> {
    let running = world.run();
    world.sent().await;
    running.stop().await;
    world.inbox()
}

#[tokio::test]
async fn the_sender_of_a_refused_letter_is_told_by_whom_and_why() {
    for refuse in [0, 1, 2] {
        let (world, server) = World::with_bob().await;
        match refuse {
            0 => server.habits().mail = "550 5.1.1 no such user",
            1 => server.habits().rcpt = |_| "550 5.1.1 no such user",
            _ => server.habits().end = End::Say("550 5.1.1 no such user"),
        }
        world.send(Sent::to(&["bob@world.test"])).await;
        let inbox = told(&world).await;
        assert_eq!(inbox.len(), 1);
        for expected in [
            "Return-Path: <>\r\nDelivered-To: alice@home.test\r\nFrom: Mail Delivery System <MAILER-DAEMON@home.test>",
            "\r\nTo: <alice@home.test>\r\n",
            "\r\nIn-Reply-To: <1@home.test>\r\n",
            "\r\n    bob@world.test\r\n        mx.world.test said: 550 5.1.1 no such user\r\n",
            "\r\nFinal-Recipient: rfc822;bob@world.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.world.test\r\n\
             Diagnostic-Code: smtp;\r\n 550 5.1.1 no such user\r\n",
            "\r\nMessage-ID: <1@home.test>\r\n",
        ] {
            assert!(inbox[0].contains(expected), "{expected:?} is missing in\n{}", inbox[0]);
        }
        assert!(!inbox[0].contains("Hello"), "only the header is returned");
        assert!(world.story("alice@home.test").contains("alice@home.test is told that the delivery failed"));
    }
}

#[tokio::test]
async fn names_that_take_no_mail_are_told_at_once() {
    for (answer, status) in [(Ok(""), "5.1.10"), (Err(DnsError::NoName), "5.1.2"), (Ok("gone.world.test"), "5.4.4")] {
        let world = World::build().await;
        match answer {
            Ok(host) => world.names.mx("world.test", &[(0, host)]),
            Err(error) => world.names.mx_answer("world.test", Err(error)),
        }
        world.send(Sent::to(&["bob@world.test"])).await;
        let inbox = told(&world).await;
        assert!(inbox.len() == 1 && inbox[0].contains(&format!("\r\nStatus: {status}\r\n")), "{inbox:?}");
    }
}

#[tokio::test]
async fn what_the_other_server_cannot_take_or_nobody_should_is_returned_unsent() {
    for (to, text, status) in [
        ("bob@world.test", "Subject: Gr\u{fc}\u{df}e\r\n\r\n\u{fc}\r\n", "5.6.3"),
        ("j\u{f6}rg@world.test", "Subject: x\r\n\r\nx\r\n", "5.6.7"),
        ("bob@world.test", "Subject: x\r\n\r\nx\n.\nMAIL FROM:<evil@home.test>\r\n", "5.6.11"),
        ("bob@world.test", "Subject: a letter of more than fifty bytes\r\n\r\nHello\r\n", "5.3.4"),
    ] {
        let (world, server) = World::with_bob().await;
        server.habits().extensions = &["PIPELINING", "SIZE 50"];
        world.send(Sent { text, ..Sent::to(&[to]) }).await;
        let inbox = told(&world).await;
        assert!(inbox.len() == 1 && inbox[0].contains(&format!("\r\nStatus: {status}\r\n")), "{inbox:?}");
        assert!(server.got().iter().all(|got| !got.is_whole), "{:?}", server.got());
    }
}

#[tokio::test]
async fn there_is_never_a_report_on_a_report() {
    let (world, server) = World::with_bob().await;
    server.habits().rcpt = |_| "550 5.1.1 no such user";
    world.send(Sent { from: None, ..Sent::to(&["bob@world.test"]) }).await;
    assert!(told(&world).await.is_empty());
    assert!(world.queue().is_empty());
}

#[tokio::test]
async fn a_sender_in_the_world_is_told_by_mail_from_nobody() {
    let (mut world, bobs) = World::with_bob().await;
    bobs.habits().rcpt = |_| "550 5.1.1 no such user";
    let carols = world.server("mx.far.test").await;
    world.names.mx("far.test", &[(10, "mx.far.test")]);
    world.send(Sent { from: Some("carol@far.test"), ..Sent::to(&["bob@world.test"]) }).await;
    let running = world.run();
    until("carol is told", || carols.got().len() == 1).await;
    world.sent().await;
    running.stop().await;
    let got = &carols.got()[0];
    assert!(got.mail.starts_with("MAIL FROM:<>"), "{}", got.mail);
    assert_eq!(got.rcpt, ["RCPT TO:<carol@far.test>"]);
    assert!(got.text.contains("Action: failed\r\n") && got.connection == 1);
}

#[tokio::test]
async fn who_wrote_what_an_alias_sent_on_is_told_without_a_detour() {
    let (mut world, bobs) = World::with_bob().await;
    bobs.habits().rcpt = |_| "550 5.1.1 no such user";
    let carols = world.server("mx.far.test").await;
    world.names.mx("far.test", &[(10, "mx.far.test")]);
    let srs = mailstead_auth::srs::Srs::new(world.store.srs_secret().unwrap().bytes());
    let home = mailstead_message::Domain::parse("home.test").unwrap();
    let path = srs.forward(&address("carol@far.test"), &home, now()).unwrap().to_string();
    world.send(Sent { from: Some(&path), ..Sent::to(&["bob@world.test"]) }).await;
    let running = world.run();
    until("carol is told", || carols.got().len() == 1).await;
    world.sent().await;
    running.stop().await;
    assert_eq!(carols.got()[0].rcpt, ["RCPT TO:<carol@far.test>"]);
    assert!(carols.got()[0].text.contains("To: <carol@far.test>\r\n"));
}

#[tokio::test]
async fn after_four_hours_the_sender_hears_once_that_it_is_delayed() {
    let (world, server) = World::with_bob().await;
    server.habits().mail = "451 4.3.0 not now";
    world.send(Sent { age: 4 * HOUR + 1, ..Sent::to(&["bob@world.test"]) }).await;
    let running = world.run();
    assert!(world.tried(1).await.delay_notified);
    world.act(QueueAction::Retry).await;
    world.tried(2).await;
    let inbox = world.inbox();
    assert!(inbox.len() == 1 && inbox[0].contains("Action: delayed\r\nStatus: 4.3.0\r\n"), "{inbox:?}");
    assert!(inbox[0].contains("\r\nWill-Retry-Until: ") && inbox[0].contains("You need not do anything"));
    *server.habits() = crate::server::Habits::default();
    world.act(QueueAction::Retry).await;
    world.sent().await;
    running.stop().await;
    assert_eq!((server.got().len(), world.inbox().len()), (1, 1));
}

#[tokio::test]
async fn after_five_days_a_letter_is_given_up_and_its_sender_told() {
    let (world, server) = World::with_bob().await;
    server.habits().mail = "451 4.3.0 not now";
    world.send(Sent { age: 5 * DAY, ..Sent::to(&["bob@world.test"]) }).await;
    let running = world.run();
    for tries in 1..4 {
        world.tried(tries).await;
        world.act(QueueAction::Retry).await;
    }
    world.sent().await;
    running.stop().await;
    let last = world.inbox().pop().unwrap();
    assert!(last.contains("Action: failed\r\nStatus: 4.4.7\r\n"), "{last}");
    assert!(last.contains("given up after 4 tries"), "{last}");
}

#[tokio::test]
async fn who_wants_no_report_gets_none_and_who_wants_a_receipt_gets_one() {
    let never = Notify { never: true, ..Notify::default() };
    let success = Notify { success: true, ..Notify::default() };
    let (world, server) = World::with_bob().await;
    server.habits().rcpt = |line| if line.contains("nobody") { "550 5.1.1 no such user" } else { "250 ok" };
    world.send(Sent { notify: Some(never), ..Sent::to(&["nobody@world.test"]) }).await;
    assert!(told(&world).await.is_empty());
    world.send(Sent { notify: Some(success), ..Sent::to(&["bob@world.test"]) }).await;
    let inbox = told(&world).await;
    assert!(inbox.len() == 1 && inbox[0].contains("Action: relayed\r\nStatus: 2.0.0\r\n"), "{inbox:?}");
    server.habits().extensions = &["DSN"];
    world.send(Sent { notify: Some(success), ..Sent::to(&["bob@world.test"]) }).await;
    assert_eq!(told(&world).await.len(), 1, "the receipt is that server's duty");
    assert_eq!(server.got()[1].rcpt, ["RCPT TO:<bob@world.test> NOTIFY=SUCCESS"]);
}
