//! Strangers' letters, judged by who they are from.

use std::sync::Arc;

use mailstead_auth::body::{BodyHasher, Canonicalization, Digest};
use mailstead_auth::keys::{Algorithm, Key};
use mailstead_auth::sign::{Selected, sign};
use mailstead_inbound::{CheckPolicy, Checks, Exchange};
use mailstead_message::Domain;
use mailstead_smtp::server::Role;
use mailstead_store::{AuthResult, Day, DmarcOutcome, DmarcPolicy};

use crate::house::{Client, House, address, policy};
use crate::names::Names;
use crate::{LETTER, trace};

/// The tiny world around the house: world.test sends from elsewhere, bank.test from nowhere.
struct Neighbours {
    names: Arc<Names>,
    key: Key,
}

impl Neighbours {
    fn new() -> Self {
        let (names, key) = (Arc::new(Names::default()), Key::generate(Algorithm::Ed25519).unwrap());
        names.txt("s1._domainkey.world.test", &key.record().unwrap());
        names.txt("_dmarc.world.test", "v=DMARC1; p=reject; rua=mailto:reports@world.test");
        names.txt("world.test", "v=spf1 ip4:192.0.2.1 -all");
        names.txt("friend.test", "v=spf1 ip4:127.0.0.1 -all");
        names.txt("_dmarc.shop.test", "v=DMARC1; p=quarantine");
        names.address("mx.world.test", "127.0.0.1");
        Self { names, key }
    }

    async fn knock(&self, house: &House, policy_of_checks: CheckPolicy) -> Client {
        let checks = Checks::new(self.names.clone(), "mail.home.test", policy_of_checks);
        let exchange = Exchange::new(house.store.clone(), policy(), house.gate.clone()).checking(checks);
        house.knock(Arc::new(exchange), Role::Exchange).await.greeted().await
    }

    async fn guest(&self, house: &House) -> Client {
        self.knock(house, CheckPolicy::default()).await
    }

    fn signed(&self, letter: &str) -> String {
        let (header, body) = letter.split_at(letter.find("\r\n\r\n").unwrap() + 4);
        let mut hasher = BodyHasher::new(Canonicalization::Relaxed, Digest::Sha256);
        hasher.update(body.as_bytes());
        let selected = [Selected { selector: "s1", key: &self.key }];
        let domain = Domain::parse("world.test").unwrap();
        let fields = sign(&domain, &selected, header.as_bytes(), &hasher.finish(), 1_700_000_000).unwrap();
        format!("{fields}{letter}")
    }
}

fn unfolded(text: &str) -> String {
    text.replace("\r\n\t ", " ").replace("\r\n\t", " ")
}

#[tokio::test]
async fn a_signed_letter_arrives_with_what_was_found_out_on_top() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    let forged = format!("Authentication-Results: mail.home.test; dmarc=pass header.from=bank.test\r\n{LETTER}");
    let letter = world.signed(&forged);
    let reply = guest.letter("<bob@world.test>", &["<alice@home.test>"], &letter).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let inbox = unfolded(&house.inbox("alice@home.test")[0]);
    assert!(inbox.contains("Received: from mx.world.test (mx.world.test [127.0.0.1]) by mail.home.test"), "{inbox}");
    assert!(
        inbox.contains("\r\nAuthentication-Results: mail.home.test; spf=fail smtp.mailfrom=bob@world.test;"),
        "{inbox}"
    );
    assert!(inbox.contains(" dkim=pass header.d=world.test header.s=s1 header.a=ed25519-sha256 header.b="), "{inbox}");
    assert!(inbox.contains(" dmarc=pass header.from=world.test polrec.p=reject polrec.domain=world.test;"), "{inbox}");
    assert!(inbox.contains(" iprev=pass policy.iprev=127.0.0.1 (mx.world.test)\r\nDKIM-Signature: "), "{inbox}");
    assert!(!inbox.contains("bank.test") && !inbox.contains("Received-SPF"), "{inbox}");

    let verdict = house.store.verdict(trace(&reply)).unwrap().unwrap();
    assert_eq!(
        (verdict.dmarc, verdict.spf.result, verdict.disposition),
        (AuthResult::Pass, AuthResult::Fail, DmarcPolicy::None)
    );
    assert_eq!(verdict.reverse_name, Domain::parse("mx.world.test").ok());
    let story = house.store.story(trace(&reply)).unwrap().unwrap();
    let told: Vec<_> = story.events.iter().map(|event| event.text.as_str()).collect();
    assert!(
        told.contains(&"DKIM: signed by world.test (key s1, ed25519-sha256), and the signature is right."),
        "{told:?}"
    );
    assert!(told.contains(&"DMARC: it is proved to be from world.test by its signature."), "{told:?}");
}

#[tokio::test]
async fn a_forged_letter_is_refused_with_a_reason_and_counted_for_whom_it_forges() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    for (letter, why) in [
        (LETTER.to_owned(), "SPF of friend.test: pass; DKIM: no signature"),
        (
            world.signed(LETTER).replace("How are you", "Pay me"),
            "DKIM of world.test: fail, the body was changed after signing",
        ),
    ] {
        let reply = guest.letter("<eve@friend.test>", &["<alice@home.test>"], &letter).await;
        assert!(reply.starts_with("550 5.7.1 the policy of world.test (DMARC) is to refuse mail"), "{reply}");
        assert!(reply.contains(why), "{reply}");
    }
    assert!(house.inbox("alice@home.test").is_empty());
    house.told("eve@friend.test", "whose owner asks for \"reject\" then").await;
    let rows = loop {
        let days = house.store.tallied(mailstead_store::ReportKind::Dmarc, Day(u32::MAX)).unwrap();
        if let Some((day, domain)) = days.first() {
            let tally = house.store.dmarc_tally(*day, domain).unwrap();
            if tally.rows.len() == 2 {
                break tally.rows;
            }
        }
        tokio::task::yield_now().await;
    };
    for (DmarcOutcome { domain, disposition, spf_aligned, dkim_aligned, .. }, count) in rows {
        assert_eq!(
            (domain.as_str(), disposition, spf_aligned, dkim_aligned),
            ("world.test", DmarcPolicy::Reject, false, false)
        );
        assert_eq!(count, 1);
    }
}

#[tokio::test]
async fn a_letter_to_be_suspected_goes_into_junk() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    let letter = LETTER.replace("bob@world.test", "sale@shop.test");
    let reply = guest.letter("<sale@shop.test>", &["<alice@home.test>"], &letter).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(house.inbox("alice@home.test").is_empty());
    assert_eq!(house.mailbox("alice@home.test", "Junk").len(), 1);
    let told = house.told("alice@home.test", "For alice@home.test").await;
    assert_eq!(told, "For alice@home.test it is in Junk of alice@home.test.");
    assert_eq!(house.store.verdict(trace(&reply)).unwrap().unwrap().disposition, DmarcPolicy::Quarantine);
}

#[tokio::test]
async fn two_from_fields_are_refused_and_a_letter_without_one_is_junk() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    let reply =
        guest.letter("<eve@friend.test>", &["<alice@home.test>"], &format!("From: eve@friend.test\r\n{LETTER}")).await;
    assert!(
        reply.starts_with("550 5.7.1 it can't be told who the message is from: it has more than one From"),
        "{reply}"
    );
    let reply = guest.letter("<eve@friend.test>", &["<alice@home.test>"], "Subject: x\r\n\r\ny\r\n").await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!((house.inbox("alice@home.test").len(), house.mailbox("alice@home.test", "Junk").len()), (0, 1));
}

#[tokio::test]
async fn what_dns_does_not_say_is_never_a_refusal() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    world.names.fail("_domainkey.world.test");
    let letter = world.signed(LETTER);
    let reply = guest.letter("<bob@world.test>", &["<alice@home.test>"], &letter).await;
    assert!(
        reply.starts_with("451 4.4.3 it can't be told now whether the message is from world.test, try again"),
        "{reply}"
    );
    assert!(house.inbox("alice@home.test").is_empty());
    // The domain's own servers are broken, and may stay so.
    world.names.fail("world.test");
    let reply = guest.letter("<eve@friend.test>", &["<alice@home.test>"], LETTER).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(house.inbox("alice@home.test").is_empty());
    assert!(unfolded(&house.mailbox("alice@home.test", "Junk")[0]).contains(" dmarc=temperror reason="));
    // All DNS is down.
    world.names.fail("");
    let reply = guest.letter("<eve@friend.test>", &["<alice@home.test>"], LETTER).await;
    assert!(reply.starts_with("451 4.4.3"), "{reply}");
}

#[tokio::test]
async fn nobody_hears_of_what_is_not_proved_to_be_his() {
    let (house, world) = (House::build().await, Neighbours::new());
    house.alias("out@home.test", &["eve@far.test"]).await;
    let mut guest = world.guest(&house).await;
    let letter = |from: &str| LETTER.replace("bob@world.test", from);
    let to = ["<alice@home.test> NOTIFY=SUCCESS", "<out@home.test>"];
    let reply = guest.letter("<victim@nowhere.test>", &to, &letter("victim@nowhere.test")).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let queue = house.queue();
    assert_eq!(queue.len(), 1, "the forward alone: no receipt");
    assert!(queue[0].0.recipients[0].notify.unwrap().never, "and no bounce of it");
    house.told("victim@nowhere.test", "gets none: nothing proves that the message is from there").await;
    let reply = guest.letter("<bob@friend.test>", &to, &letter("bob@friend.test")).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let queue = house.queue();
    assert_eq!(queue.len(), 3, "a forward and a receipt");
    let forward = queue.iter().find(|(entry, text)| {
        entry.recipients[0].address == address("eve@far.test") && text.contains("bob@friend.test")
    });
    assert!(forward.unwrap().0.recipients[0].notify.is_none_or(|notify| !notify.never));
}

#[tokio::test]
async fn a_trusted_relay_is_not_judged_and_received_spf_comes_on_request() {
    let (house, world) = (House::build().await, Neighbours::new());
    let trusting = CheckPolicy { trusted_relays: vec!["127.0.0.0/8".parse().unwrap()], ..CheckPolicy::default() };
    let mut relay = world.knock(&house, trusting).await;
    assert!(relay.letter("<eve@friend.test>", &["<alice@home.test>"], LETTER).await.starts_with("250 "));
    assert!(!house.inbox("alice@home.test")[0].contains("Authentication-Results"));
    let mut guest = world.knock(&house, CheckPolicy { received_spf: true, ..CheckPolicy::default() }).await;
    let letter = LETTER.replace("world.test", "friend.test");
    assert!(guest.letter("<bob@friend.test>", &["<alice@home.test>"], &letter).await.starts_with("250 "));
    let inbox = unfolded(&house.inbox("alice@home.test")[1]);
    let expected = "\r\nReceived-SPF: pass (mail.home.test: friend.test) client-ip=127.0.0.1; \
                    envelope-from=\"bob@friend.test\"; helo=mx.world.test; receiver=mail.home.test; identity=mailfrom\r\n";
    assert!(inbox.contains(expected), "{inbox}");
}

#[tokio::test]
async fn a_spooled_letter_is_judged_by_its_whole_body() {
    let (house, world) = (House::build().await, Neighbours::new());
    let mut guest = world.guest(&house).await;
    let lines: String = (0..40_000).map(|number| format!("This is line  {number} of a long letter. \r\n")).collect();
    let letter = world.signed(&LETTER.replace("How are you?\r\n", &lines));
    assert!(guest.letter("<bob@world.test>", &["<alice@home.test>"], &letter).await.starts_with("250 "));
    let changed = letter.replace("line  39999 ", "line  3999 ");
    assert!(guest.letter("<bob@world.test>", &["<alice@home.test>"], &changed).await.starts_with("550 5.7.1"));
}
