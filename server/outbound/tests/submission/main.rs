//! Ports 465 and 587 with a real store behind them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../inbound/tests/exchange/house.rs"]
mod house;

use std::sync::Arc;
use std::time::Instant;

use house::{Client, House, SPOOL_ABOVE, address, policy};
use mailstead_outbound::Submission;
use mailstead_smtp::server::Role;
use mailstead_store::Timestamp;

/// `\0alice@home.test\0secret`
const ALICE: &str = "AUTH PLAIN AGFsaWNlQGhvbWUudGVzdABzZWNyZXQ=";
/// `\0alice@home.test\0wrong`
const WRONG: &str = "AUTH PLAIN AGFsaWNlQGhvbWUudGVzdAB3cm9uZw==";
/// `\0nobody@home.test\0wrong`
const NOBODY: &str = "AUTH PLAIN AG5vYm9keUBob21lLnRlc3QAd3Jvbmc=";
const LETTER: &str = "From: Alice <alice@home.test>\r\nTo: bob@world.test\r\nSubject: Hello\r\n\
                      Bcc: carol@home.test\r\n\r\nHow are you?\r\n";

async fn guest(house: &House) -> Client {
    let submission = Submission::new(house.store.clone(), policy(), house.gate.clone());
    house.knock(Arc::new(submission), Role::Submission).await.greeted().await
}

async fn alice(house: &House) -> Client {
    let mut alice = guest(house).await;
    alice.expect(ALICE, "235 2.7.0").await;
    alice
}

#[tokio::test]
async fn a_letter_goes_to_the_family_and_into_the_world_at_once() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    let to = ["<bob@world.test> NOTIFY=DELAY", "<carol@home.test>", "<dave@far.test>", "<alice@home.test>"];
    let reply = alice.letter("<alice@home.test> RET=FULL ENVID=E1", &to, LETTER).await;
    assert!(reply.starts_with("250 2.0.0 accepted as "), "{reply}");
    let queue = house.queue();
    assert_eq!(queue.len(), 1);
    let (entry, text) = &queue[0];
    assert_eq!(entry.reverse_path, Some(address("alice@home.test")));
    let recipients: Vec<String> = entry.recipients.iter().map(|recipient| recipient.address.to_string()).collect();
    assert_eq!(recipients, ["bob@world.test", "dave@far.test"]);
    assert!(entry.recipients[0].notify.unwrap().delay && entry.recipients[1].notify.is_none());
    assert!(text.starts_with("Received: by mail.home.test with ESMTPSA "), "{text}");
    assert!(text.contains("\r\nDate: ") && text.contains("\r\nMessage-ID: <") && text.contains("\r\nFrom: Alice <"));
    assert!(text.ends_with("Subject: Hello\r\n\r\nHow are you?\r\n"));
    for secret in ["Bcc", "carol", "127.0.0.1", "mx.world.test"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    for name in ["alice", "carol"] {
        let inbox = house.inbox(&format!("{name}@home.test"));
        assert_eq!(inbox, [format!("Return-Path: <alice@home.test>\r\nDelivered-To: {name}@home.test\r\n{text}")]);
    }
    let told =
        house.told("bob@world.test", "alice@home.test logged in from [127.0.0.1] (mx.world.test) over TLS").await;
    assert!(told.ends_with("It was accepted."), "{told}");
    house.told("dave@far.test", "For dave@far.test it is in the queue.").await;
}

#[tokio::test]
async fn nobody_sends_without_logging_in() {
    let house = House::build().await;
    let mut guest = guest(&house).await;
    guest.expect("MAIL FROM:<alice@home.test>", "530 5.7.0").await;
    let start = Instant::now();
    let wrong = guest.expect(WRONG, "535 5.7.8").await;
    let nobody = guest.expect(NOBODY, "535 5.7.8").await;
    assert_eq!(wrong, nobody);
    assert!(start.elapsed().as_millis() >= 1_000, "guessing must be slow");
    guest.expect("MAIL FROM:<alice@home.test>", "530 5.7.0").await;
    guest.expect(ALICE, "235 ").await;
    guest.expect("MAIL FROM:<alice@home.test>", "250 ").await;
}

#[tokio::test]
async fn the_sender_is_one_of_ones_own_addresses() {
    let house = House::build().await;
    house.alias("sales@home.test", &["alice@home.test"]).await;
    house.store.add_address(&address("alice@home.test"), address("al@home.test")).await.unwrap();
    let mut alice = alice(&house).await;
    for sender in ["alice@home.test", "ALICE@home.test", "alice+list@home.test", "al@home.test", "sales@home.test", ""]
    {
        alice.expect(&format!("MAIL FROM:<{sender}>"), "250 ").await;
        alice.expect("RSET", "250 ").await;
    }
    for sender in ["carol@home.test", "bob@world.test", "nobody@home.test"] {
        let refused = format!("550 5.7.1 you may not send as {sender}: it is not an address of your account");
        alice.expect(&format!("MAIL FROM:<{sender}>"), &refused).await;
        house.told(sender, "it was refused: \"550 5.7.1").await;
    }
}

#[tokio::test]
async fn the_letter_itself_claims_nobody_elses_name() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    for from in [
        "From: bob@world.test",
        "From: alice@home.test, carol@home.test",
        "From: alice@home.test\r\nSender: carol@home.test",
    ] {
        let reply = alice.letter("<alice@home.test>", &["<carol@home.test>"], &format!("{from}\r\n\r\nhi\r\n")).await;
        assert!(reply.starts_with("550 5.7.1 you may not send as "), "{reply}");
    }
    let reply = alice.letter("<>", &["<carol@home.test>"], "From: carol@home.test\r\n\r\nhi\r\n").await;
    assert!(reply.starts_with("550 5.7.1 you may not send as carol@home.test"), "{reply}");
    assert_eq!(house.inbox("carol@home.test").len(), 0);
}

#[tokio::test]
async fn a_device_that_knows_little_of_headers_is_helped() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    assert!(
        alice
            .letter("<alice+printer@home.test>", &["<carol@home.test>"], "Subject: Toner\r\n\r\nlow\r\n")
            .await
            .starts_with("250 ")
    );
    assert!(house.inbox("carol@home.test")[0].contains("\r\nFrom: <alice+printer@home.test>\r\nMessage-ID: <"));
    assert!(alice.letter("<>", &["<carol@home.test>"], "Subject: Read\r\n\r\nread\r\n").await.starts_with("250 "));
    assert!(house.inbox("carol@home.test")[1].contains("\r\nFrom: <alice@home.test>\r\n"));
}

#[tokio::test]
async fn mistyped_neighbours_are_refused_at_once_and_the_world_is_not_asked() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    alice.expect("MAIL FROM:<alice@home.test>", "250 ").await;
    alice.expect("RCPT TO:<carrol@home.test>", "550 5.1.1 there is no carrol@home.test here").await;
    alice.expect("RCPT TO:<whoever@world.test>", "250 ").await;
}

#[tokio::test]
async fn a_full_mailbox_is_named_and_nobody_gets_half_a_letter() {
    let house = House::build().await;
    house.store.set_quota(&address("carol@home.test"), Some(10_000)).await.unwrap();
    let mut alice = alice(&house).await;
    let large = LETTER.to_owned() + &"x".repeat(6_000) + "\r\n";
    assert!(alice.letter("<alice@home.test>", &["<carol@home.test>"], &large).await.starts_with("250 "));
    alice.expect("MAIL FROM:<alice@home.test> SIZE=6000", "250 ").await;
    alice.expect("RCPT TO:<carol@home.test>", "452 4.2.2 the mailbox of carol@home.test").await;
    alice.expect("RSET", "250 ").await;
    let reply = alice.letter("<alice@home.test>", &["<carol@home.test>", "<bob@world.test>"], &large).await;
    assert!(reply.starts_with("452 4.2.2 the mailbox of carol@home.test"), "{reply}");
    assert_eq!((house.queue().len(), house.inbox("carol@home.test").len()), (0, 1));
}

#[tokio::test]
async fn receipts_come_from_us_for_the_family_and_from_others_for_the_world() {
    let house = House::build().await;
    house.alias("list@home.test", &["carol@home.test", "eve@far.test"]).await;
    let mut alice = alice(&house).await;
    let to = [
        "<carol@home.test> NOTIFY=SUCCESS",
        "<bob@world.test> NOTIFY=SUCCESS",
        "<list@home.test> NOTIFY=SUCCESS,FAILURE",
    ];
    assert!(alice.letter("<alice@home.test>", &to, LETTER).await.starts_with("250 "));
    let inbox = house.inbox("alice@home.test");
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].starts_with("Return-Path: <>\r\nDelivered-To: alice@home.test\r\n"));
    assert!(inbox[0].contains("Final-Recipient: rfc822;carol@home.test\r\nAction: delivered\r\n"));
    assert!(inbox[0].contains("Final-Recipient: rfc822;list@home.test\r\nAction: expanded\r\n"));
    assert!(!inbox[0].contains("bob@world.test\r\nAction"));
    let queue = house.queue();
    let notify = |to: &str| {
        let mut recipients = queue.iter().flat_map(|(entry, _)| &entry.recipients);
        recipients.find(|recipient| recipient.address == address(to)).unwrap().notify.unwrap()
    };
    assert!(notify("bob@world.test").success);
    assert!(notify("eve@far.test").failure && !notify("eve@far.test").success);
}

#[tokio::test]
async fn a_receipt_for_a_full_mailbox_holds_nothing_up() {
    let house = House::build().await;
    house.store.set_quota(&address("alice@home.test"), Some(100)).await.unwrap();
    let mut alice = alice(&house).await;
    assert!(alice.letter("<alice@home.test>", &["<carol@home.test> NOTIFY=SUCCESS"], LETTER).await.starts_with("250 "));
    assert_eq!((house.inbox("carol@home.test").len(), house.inbox("alice@home.test").len()), (1, 0));
    house.told("alice@home.test", "asked for a receipt but gets none: that mailbox is full").await;
}

#[tokio::test]
async fn the_queue_knows_what_a_server_must_be_able_to_take() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    for (parameters, text, eight_bit, smtputf8) in [
        ("", "Subject: x\r\n\r\nplain\r\n", false, false),
        (" BODY=8BITMIME SMTPUTF8", "Subject: x\r\n\r\nplain\r\n", false, false),
        (" BODY=8BITMIME", "Subject: x\r\n\r\nGrüße\r\n", true, false),
        ("", "Subject: x\r\n\r\nGrüße\r\n", true, false),
        (" BODY=8BITMIME SMTPUTF8", "Subject: Grüße\r\n\r\nplain\r\n", true, true),
    ] {
        let before = house.queue().len();
        let reply = alice.letter(&format!("<alice@home.test>{parameters}"), &["<bob@world.test>"], text).await;
        assert!(reply.starts_with("250 "), "{reply}");
        let queue = house.queue();
        assert_eq!(queue.len(), before + 1);
        let (entry, _) = queue.last().unwrap();
        assert_eq!((entry.eight_bit, entry.smtputf8), (eight_bit, smtputf8), "{parameters} {text:?}");
    }
}

#[tokio::test]
async fn a_large_letter_is_completed_without_being_held() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    let lines: String = (0..40_000).map(|number| format!("This is line {number} of a long letter.\r\n")).collect();
    assert!(lines.len() > 10 * SPOOL_ABOVE);
    let text = format!("Bcc: carol@home.test\r\nSubject: long\r\n\r\n{lines}");
    assert!(
        alice.letter("<alice@home.test>", &["<bob@world.test>", "<carol@home.test>"], &text).await.starts_with("250 ")
    );
    let (entry, sent) = &house.queue()[0];
    assert_eq!(entry.size, sent.len() as u64);
    assert!(sent.starts_with("Received: by ") && sent.contains("\r\nFrom: <alice@home.test>\r\n"));
    assert!(sent.ends_with(&format!("\r\nSubject: long\r\n\r\n{lines}")) && !sent.contains("Bcc"));
    assert!(house.inbox("carol@home.test")[0].ends_with(sent.as_str()));
}

#[tokio::test]
async fn a_disabled_account_sends_no_more_though_it_is_logged_in() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    house.store.set_disabled(&address("alice@home.test"), true).await.unwrap();
    alice.expect("MAIL FROM:<alice@home.test>", "550 5.7.1 the account alice@home.test may not send any more").await;
}

#[tokio::test]
async fn a_program_that_answers_itself_is_stopped() {
    let house = House::build().await;
    let mut alice = alice(&house).await;
    let text = "Received: by mail.home.test; now\r\n".repeat(11) + LETTER;
    let reply = alice.letter("<alice@home.test>", &["<alice@home.test>"], &text).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
}

#[tokio::test]
async fn a_letter_is_signed_in_the_name_of_its_author_whether_held_or_spooled() {
    let house = House::build().await;
    let domain = mailstead_message::Domain::parse("home.test").unwrap();
    let keys = mailstead_inbound::make_keys(Timestamp(1_795_535_230), &[]).unwrap();
    house.store.add_first_keys(&domain, keys).await.unwrap();
    let mut alice = alice(&house).await;
    let large = format!("{LETTER}{}", "A line of some length.\r\n".repeat(SPOOL_ABOVE / 20));
    for letter in [LETTER, &large] {
        let to = ["<bob@world.test>", "<carol@home.test>"];
        assert!(alice.letter("<alice@home.test>", &to, letter).await.starts_with("250 "));
    }
    for (_, text) in house.queue() {
        let header = text.split("\r\n\r\n").next().unwrap().replace("\r\n\t", " ");
        let signatures: Vec<&str> = header.lines().filter(|line| line.starts_with("DKIM-Signature: ")).collect();
        assert_eq!(signatures.len(), 2, "{header}");
        assert!(signatures[0].contains("a=rsa-sha256; c=relaxed/relaxed; d=home.test; s=ms202611r; "), "{header}");
        assert!(signatures[1].contains("a=ed25519-sha256; c=relaxed/relaxed; d=home.test; s=ms202611e; "), "{header}");
        assert!(house.inbox("carol@home.test").iter().any(|theirs| theirs.ends_with(&text)), "all get the same");
    }
    house.told("bob@world.test", "It was signed in the name of home.test (DKIM, with the keys ms202611r and").await;
    // Where a relay signs, it is left to it.
    let submission = Submission::new(house.store.clone(), policy(), house.gate.clone()).signing(false);
    let mut alice = house.knock(Arc::new(submission), Role::Submission).await.greeted().await;
    alice.expect(ALICE, "235 2.7.0").await;
    assert!(alice.letter("<alice@home.test>", &["<dora@world.test>"], LETTER).await.starts_with("250 "));
    house.told("dora@world.test", "It was not signed: delivery.sign is off.").await;
    let unsigned = house.queue().into_iter().filter(|(_, text)| !text.contains("DKIM-Signature: ")).count();
    assert_eq!(unsigned, 1);
}
