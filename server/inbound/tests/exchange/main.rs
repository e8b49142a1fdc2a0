//! Port 25 with a real store behind it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod house;
mod judged;
mod names;
mod reports;
mod returns;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use house::{Client, House, SPOOL_ABOVE, address, policy};
use mailstead_inbound::Exchange;
use mailstead_message::TraceId;
use mailstead_smtp::server::Role;

const LETTER: &str = "From: Bob <bob@world.test>\r\nTo: alice@home.test\r\nSubject: Hello\r\n\
                      Message-ID: <1@world.test>\r\n\r\nHow are you?\r\n";

async fn guest(house: &House) -> Client {
    let exchange = Exchange::new(house.store.clone(), policy(), house.gate.clone());
    house.knock(Arc::new(exchange), Role::Exchange).await.greeted().await
}

fn trace(reply: &str) -> TraceId {
    reply.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_letter_arrives_with_its_trace_before_it_and_nothing_else_changed() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let reply = guest.letter("<bob@world.test>", &["<alice@home.test>"], LETTER).await;
    assert!(reply.starts_with("250 2.0.0 accepted as "), "{reply}");
    let inbox = house.inbox("alice@home.test");
    assert_eq!(inbox.len(), 1);
    let received = inbox[0].strip_prefix("Return-Path: <bob@world.test>\r\nDelivered-To: alice@home.test\r\n").unwrap();
    let received = received.strip_suffix(LETTER).unwrap();
    let (id, received) = (trace(&reply), received.replace("\r\n\t", " "));
    let hop = format!(
        "Received: from mx.world.test ([127.0.0.1]) by mail.home.test with ESMTP id {id} for <alice@home.test>; "
    );
    assert!(received.starts_with(&hop), "{received}");

    let story = house.store.story(id).unwrap().unwrap();
    let told: Vec<&str> = story.events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("mx.world.test [127.0.0.1] came without TLS with mail from <bob@world.test>, "),
        "{}",
        told[0]
    );
    assert!(told[0].contains("Its Message-ID is <1@world.test>."));
    assert_eq!(told[1], "For alice@home.test it is in the inbox of alice@home.test.");
}

#[tokio::test]
async fn only_our_own_people_are_recipients() {
    let house = House::build().await;
    house.alias("home@home.test", &["alice@home.test"]).await;
    let mut guest = guest(&house).await;
    guest.expect("MAIL FROM:<bob@world.test>", "250 ").await;
    for to in
        ["alice@home.test", "ALICE@Home.Test", "alice+shop@home.test", "home@home.test", "@a.test:carol@home.test"]
    {
        guest.expect(&format!("RCPT TO:<{to}>"), "250 2.1.5").await;
    }
    for (to, refused) in [
        ("nobody@home.test", "550 5.1.1 there is no nobody@home.test here"),
        ("dave@world.test", "550 5.7.1 no relaying: mail for world.test is not handled here"),
        ("alice@sub.home.test", "550 5.7.1"),
        ("dave%world.test@home.test", "550 5.1.1"),
        ("world.test!dave@home.test", "550 5.1.1"),
        ("\"dave@world.test\"@home.test", "550 5.1.1"),
        ("@home.test:dave@world.test", "550 5.7.1"),
        ("alice@mail.home.test", "550 5.7.1"),
    ] {
        guest.expect(&format!("RCPT TO:<{to}>"), refused).await;
    }
    let told = house.told("dave@world.test", "for dave@world.test, who was refused").await;
    assert!(told.contains("for dave@world.test, who was refused: \"550 5.7.1 no relaying"), "{told}");
}

#[tokio::test]
async fn the_postmaster_is_always_there() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let to = ["<postmaster>", "<Postmaster@home.test>", "<abuse@home.test>", "<postmaster@mail.home.test>"];
    assert!(guest.letter("<>", &to, LETTER).await.starts_with("250 2.0.0"));
    let inbox = house.inbox("alice@home.test");
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].starts_with("Return-Path: <>\r\n"));
}

#[tokio::test]
async fn everybody_gets_one_copy() {
    let house = House::build().await;
    house.alias("family@home.test", &["alice@home.test", "carol@home.test"]).await;
    let mut guest = guest(&house).await;
    let to = ["<alice@home.test>", "<family@home.test>", "<alice+x@home.test>", "<alice@home.test>"];
    assert!(guest.letter("<bob@world.test>", &to, LETTER).await.starts_with("250 "));
    assert_eq!([house.inbox("alice@home.test").len(), house.inbox("carol@home.test").len()], [1, 1]);
    let carols = &house.inbox("carol@home.test")[0];
    assert!(carols.contains("Delivered-To: family@home.test\r\n"));
    assert!(!carols.contains("alice+x") && !carols.contains("for <"), "recipients must not learn of each other");
}

#[tokio::test]
async fn an_alias_sends_on_into_the_world_and_knows_what_comes_back() {
    let house = House::build().await;
    house.alias("family@home.test", &["carol@home.test", "eve@far.test"]).await;
    let mut guest = guest(&house).await;
    let to = ["<family@home.test> NOTIFY=FAILURE", "<alice@home.test>"];
    assert!(guest.letter("<bob@world.test> ENVID=QQ1 RET=HDRS", &to, LETTER).await.starts_with("250 "));
    assert!(!house.inbox("alice@home.test")[0].contains("family@home.test"));
    assert!(
        house.inbox("carol@home.test")[0]
            .starts_with("Return-Path: <bob@world.test>\r\nDelivered-To: family@home.test\r\nReceived:")
    );
    let queue = house.queue();
    assert_eq!(queue.len(), 1);
    let (entry, text) = &queue[0];
    let reverse_path = entry.reverse_path.as_ref().unwrap().to_string();
    assert!(reverse_path.starts_with("SRS0=") && reverse_path.ends_with("=world.test=bob@home.test"), "{reverse_path}");
    assert_eq!((entry.envid.as_deref(), entry.eight_bit, entry.smtputf8), (Some("QQ1"), false, false));
    assert_eq!(entry.recipients.len(), 1);
    assert_eq!(entry.recipients[0].address, address("eve@far.test"));
    assert_eq!(entry.recipients[0].orcpt, Some(("rfc822".to_owned(), "family@home.test".to_owned())));
    assert!(entry.recipients[0].notify.unwrap().failure);
    assert!(text.starts_with("Delivered-To: family@home.test\r\nReceived: ") && text.ends_with(LETTER));

    let reply = guest.letter("<bob@world.test>", &["<family@home.test>"], text).await;
    assert!(reply.starts_with("554 5.4.6 the message goes in a circle"), "{reply}");
    assert_eq!((house.queue().len(), house.inbox("carol@home.test").len()), (1, 1));
    house.told("family@home.test", "it was refused: \"554 5.4.6").await;
}

#[tokio::test]
async fn too_many_hops_are_a_loop() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let hops = |count| "Received: from a by b; now\r\n".repeat(count) + LETTER;
    assert!(guest.letter("<bob@world.test>", &["<alice@home.test>"], &hops(10)).await.starts_with("250 "));
    assert!(guest.letter("<bob@world.test>", &["<alice@home.test>"], &hops(11)).await.starts_with("554 5.4.6"));
    assert_eq!(house.inbox("alice@home.test").len(), 1);
}

#[tokio::test]
async fn a_full_mailbox_refuses_for_now_and_takes_nobody_with_it_unheard() {
    let house = House::build().await;
    house.store.set_quota(&address("carol@home.test"), Some(40_000)).await.unwrap();
    let mut guest = guest(&house).await;
    let large = LETTER.to_owned() + &"x".repeat(21_000) + "\r\n";
    let to = ["<alice@home.test>", "<carol@home.test>"];
    assert!(guest.letter("<bob@world.test>", &to, &large).await.starts_with("250 "));
    guest.expect("MAIL FROM:<bob@world.test> SIZE=22000", "250 ").await;
    guest.expect("RCPT TO:<alice@home.test>", "250 ").await;
    guest.expect("RCPT TO:<carol@home.test>", "452 4.2.2 the mailbox of carol@home.test has no room").await;
    assert!(guest.data(&large).await.starts_with("250 "));
    assert_eq!([house.inbox("alice@home.test").len(), house.inbox("carol@home.test").len()], [2, 1]);

    // Who does not say how large it is hears it when it is there; nobody has it then.
    let reply = guest.letter("<bob@world.test>", &to, &large).await;
    assert!(reply.starts_with("452 4.2.2 the mailbox of carol@home.test"), "{reply}");
    assert_eq!([house.inbox("alice@home.test").len(), house.inbox("carol@home.test").len()], [2, 1]);
    assert!(guest.letter("<bob@world.test>", &to, LETTER).await.starts_with("250 "));

    guest.expect("MAIL FROM:<bob@world.test> SIZE=40001", "250 ").await;
    guest.expect("RCPT TO:<carol@home.test>", "552 5.2.3 the message is larger than all of the mailbox").await;
}

#[tokio::test]
async fn who_can_never_get_a_letter_is_left_out_and_its_sender_hears_of_it() {
    let house = House::build().await;
    house.store.set_quota(&address("carol@home.test"), Some(4_000)).await.unwrap();
    let mut guest = guest(&house).await;
    let large = LETTER.to_owned() + &"x".repeat(21_000) + "\r\n";
    let to = ["<alice@home.test>", "<carol@home.test> ORCPT=rfc822;c@old.test"];
    assert!(guest.letter("<bob@world.test> ENVID=QQ3", &to, &large).await.starts_with("250 "));
    assert_eq!([house.inbox("alice@home.test").len(), house.inbox("carol@home.test").len()], [1, 0]);
    let queue = house.queue();
    assert_eq!(queue.len(), 1);
    let (entry, text) = &queue[0];
    assert_eq!((&entry.reverse_path, &entry.recipients[0].address), (&None, &address("bob@world.test")));
    for part in ["Original-Envelope-Id: QQ3\r\n", "rfc822;c@old.test\r\n", "Action: failed\r\n", "Status: 5.2.3\r\n"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    house.told("carol@home.test", "carol@home.test was left out: \"552 5.2.3 the message is larger").await;
    house.told("bob@world.test", "bob@world.test is told who was left out (message ").await;

    let looping = format!("Delivered-To: Carol@home.test\r\n{LETTER}");
    assert!(guest.letter("<bob@world.test>", &to, &looping).await.starts_with("250 "));
    assert!(house.queue().iter().any(|(_, text)| text.contains("Status: 5.4.6\r\n")));
    assert_eq!([house.inbox("alice@home.test").len(), house.inbox("carol@home.test").len()], [2, 0]);

    // Alone, or without anybody to tell, it hears it itself.
    assert!(guest.letter("<bob@world.test>", &to[1..], &looping).await.starts_with("554 5.4.6 the message goes in a"));
    assert!(guest.letter("<>", &to, &looping).await.starts_with("554 5.4.6"));
    let quiet = ["<alice@home.test>", "<carol@home.test> NOTIFY=NEVER"];
    assert!(guest.letter("<bob@world.test>", &quiet, &looping).await.starts_with("250 "));
    assert_eq!(house.queue().len(), 2);
}

#[tokio::test]
async fn a_recipient_who_goes_away_meanwhile_is_not_lost_silently() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    guest.expect("MAIL FROM:<bob@world.test>", "250 ").await;
    guest.expect("RCPT TO:<alice@home.test>", "250 ").await;
    guest.expect("RCPT TO:<carol@home.test>", "250 ").await;
    house.store.remove_account(&address("carol@home.test")).await.unwrap();
    assert!(guest.data(LETTER).await.starts_with("451 4.3.0"));
    assert_eq!(house.inbox("alice@home.test").len(), 0);
}

#[tokio::test]
async fn a_receipt_is_given_where_it_was_asked_for() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let to = ["<alice@home.test> NOTIFY=SUCCESS ORCPT=rfc822;al@old.test", "<carol@home.test>"];
    assert!(guest.letter("<bob@world.test> ENVID=QQ2", &to, LETTER).await.starts_with("250 "));
    let queue = house.queue();
    assert_eq!(queue.len(), 1);
    let (entry, text) = &queue[0];
    assert_eq!((&entry.reverse_path, &entry.recipients[0].address), (&None, &address("bob@world.test")));
    assert!(entry.recipients[0].notify.unwrap().never);
    for part in
        ["Original-Envelope-Id: QQ2\r\n", "rfc822;al@old.test\r\n", "Action: delivered\r\n", "Subject: Hello\r\n"]
    {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert!(!text.contains("carol@home.test") && !text.contains("How are you?"));

    assert!(guest.letter("<>", &["<alice@home.test> NOTIFY=SUCCESS"], LETTER).await.starts_with("250 "));
    assert_eq!(house.queue().len(), 1, "nobody to tell");
}

#[tokio::test]
async fn a_message_too_large_for_memory_arrives_whole() {
    let house = House::build().await;
    house.alias("out@home.test", &["eve@far.test"]).await;
    let mut guest = guest(&house).await;
    let lines: String = (0..140_000).map(|number| format!("This is line {number} of a long letter.\r\n")).collect();
    // So large that the store, too, keeps what it makes of it on disk.
    assert!(lines.len() > 5 << 20 && SPOOL_ABOVE < 1 << 20);
    let text = format!("Return-Path: <forged@bank.test>\r\nSubject: long\r\n\r\n{lines}Gr\u{fc}\u{df}e\r\n");
    let to = ["<alice@home.test>", "<out@home.test>"];
    assert!(guest.letter("<bob@world.test> BODY=8BITMIME", &to, &text).await.starts_with("250 "));
    let kept = &text["Return-Path: <forged@bank.test>\r\n".len()..];
    let inbox = house.inbox("alice@home.test");
    assert!(inbox[0].ends_with(kept) && !inbox[0].contains("forged"));
    let (entry, sent) = &house.queue()[0];
    assert!(entry.eight_bit && sent.ends_with(kept) && sent.starts_with("Delivered-To: out@home.test\r\nReceived: "));
}

#[tokio::test]
async fn an_endless_header_is_refused() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let text = "X-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(110_000) + "\r\nbody\r\n";
    let reply = guest.letter("<bob@world.test>", &["<alice@home.test>"], &text).await;
    assert!(reply.starts_with("552 5.3.4 the message's header is larger"), "{reply}");
    let many = "X-Many: x\r\n".repeat(20_000) + "\r\nbody\r\n";
    assert!(guest.letter("<bob@world.test>", &["<alice@home.test>"], &many).await.starts_with("250 "));
    assert_eq!(house.inbox("alice@home.test").len(), 1);
}

#[tokio::test]
async fn what_came_to_nothing_is_told_too() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    let reply = guest.letter("<bob@world.test>", &["<alice@home.test>"], "Subject: x\r\n\r\nbare\nline feed\r\n").await;
    assert!(reply.starts_with("550 5.6.11"), "{reply}");
    house.told("alice@home.test", "for alice@home.test; it was not taken: 550 5.6.11").await;
    guest.expect("MAIL FROM:<eve@world.test>", "250 ").await;
    guest.expect("RCPT TO:<carol@home.test>", "250 ").await;
    guest.expect("RSET", "250 ").await;
    house.told("eve@world.test", "for carol@home.test; it was not taken: the client took it back (RSET).").await;
    assert_eq!(house.inbox("alice@home.test").len(), 0);
}

#[tokio::test]
async fn an_internationalised_address_receives() {
    let house = House::build().await;
    house.store.add_account(address("jörg@home.test"), "secret", None).await.unwrap();
    let mut guest = guest(&house).await;
    guest.expect("MAIL FROM:<müller@world.test>", "553 5.6.7").await;
    let reply = guest.letter("<müller@world.test> SMTPUTF8", &["<JÖRG@home.test>"], LETTER).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let inbox = house.inbox("jörg@home.test");
    assert!(inbox[0].starts_with("Return-Path: <müller@world.test>\r\nDelivered-To: JÖRG@home.test\r\nReceived:"));
    assert!(inbox[0].replace("\r\n\t", " ").contains("with UTF8SMTP id"));
}

#[tokio::test]
async fn whoever_guesses_passwords_is_turned_away_here_too() {
    let house = House::build().await;
    let guesser = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let words: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let wrong = |word| house.gate.admit(guesser, "alice", word, async { Ok::<Option<()>, ()>(None) });
    let guesses = words.iter().map(|word| wrong(word));
    let mut guesses: Vec<_> = guesses.map(Box::pin).collect();
    // Each is polled once: the failure counts before its delay begins.
    for guess in &mut guesses {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(guess.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    }
    let exchange = Exchange::new(house.store.clone(), policy(), house.gate.clone());
    let mut client = house.knock(Arc::new(exchange), Role::Exchange).await;
    assert!(client.reply().await.starts_with("421 4.7.0"));
}

#[tokio::test]
async fn there_is_no_login_on_port_25() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    guest.expect("AUTH PLAIN AGFsaWNlQGhvbWUudGVzdABzZWNyZXQ=", "502 5.5.1").await;
}
