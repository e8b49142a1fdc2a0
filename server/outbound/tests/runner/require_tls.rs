//! Letters that need verified TLS all the way, and letters that waive what others demand (RFC 8689).

use mailstead_net::dns::DnsError;
use mailstead_store::{QueueAction, Smarthost, SmarthostTls, TlsNeed};

use crate::authority::Authority;
use crate::policy_host::Answer;
use crate::server::{End, Server, Tls};
use crate::world::{Sent, World};

const WITH: &[&str] = &["PIPELINING", "8BITMIME", "REQUIRETLS"];

fn letter(tls: TlsNeed) -> Sent<'static> {
    Sent { tls, ..Sent::to(&["bob@world.test"]) }
}

/// `world.test`, its MX records secure, with a server of a valid certificate that offers REQUIRETLS.
async fn secured() -> (World, Server) {
    let (world, server) = World::with_bob().await;
    server.shows(&world.authority.certify("mx.world.test"));
    server.habits().extensions = WITH;
    world.names.secure("world.test", true);
    (world, server)
}

/// Sends it and waits until it is gone: what alice hears of it.
async fn told(world: &World, sent: Sent<'_>) -> Vec<String> {
    world.send(sent).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    world.inbox()
}

#[tokio::test]
async fn a_server_that_is_vouched_for_and_promises_the_same_gets_the_letter() {
    for vouched in ["DNSSEC", "MTA-STS", "testing", "DANE"] {
        let (mut world, server) = secured().await;
        let mut host = None;
        match vouched {
            "DNSSEC" => {}
            "DANE" => {
                let shown = Authority::new().certify("elsewhere.test");
                server.shows(&shown);
                world.names.tlsa("_25._tcp.mx.world.test", Ok(vec![shown.tlsa()]));
                world.names.secure("mx.world.test", true);
                world.names.secure("_25._tcp.mx.world.test", true);
            }
            _ => {
                world.names.secure("world.test", false);
                let mode = if vouched == "testing" { "testing" } else { "enforce" };
                host = Some(world.policy_host("world.test", Answer::policy(mode, "mx.world.test")).await);
                world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
            }
        }
        assert!(
            told(&world, letter(TlsNeed::Required)).await.is_empty(),
            "{vouched}: {}",
            world.story("bob@world.test")
        );
        let got = server.got();
        assert_eq!(got[0].mail, "MAIL FROM:<alice@home.test> REQUIRETLS", "{vouched}");
        assert!(got[0].tls);
        drop(host);
    }
}

#[tokio::test]
async fn a_letter_that_cannot_travel_safely_comes_back_at_once_and_says_why() {
    for (what, status, words) in [
        ("not vouched for", "5.7.10", "neither DNSSEC nor an MTA-STS policy vouches for that server"),
        ("plain", "5.7.10", "does not offer STARTTLS, but the message (REQUIRETLS) demands better"),
        ("stranger", "5.7.10", "not from an authority we trust, but the message (REQUIRETLS) demands better"),
        ("no promise", "5.7.30", "does not offer REQUIRETLS, which the message needs"),
    ] {
        let (world, server) = secured().await;
        match what {
            "not vouched for" => world.names.secure("world.test", false),
            "plain" => server.habits().tls = Tls::NotOffered,
            "stranger" => server.shows(&Authority::new().certify("mx.world.test")),
            _ => server.habits().extensions = &["PIPELINING"],
        }
        let inbox = told(&world, letter(TlsNeed::Required)).await;
        assert!(server.got().is_empty(), "{what}");
        let report = inbox[0].replace("\r\n        ", " ").replace("\r\n ", " ");
        assert!(inbox.len() == 1 && report.contains(&format!("\r\nStatus: {status}\r\n")), "{what}: {report}");
        assert!(world.story("bob@world.test").contains(words), "{what}: {}", world.story("bob@world.test"));
    }
}

#[tokio::test]
async fn a_server_without_the_promise_is_passed_over_for_one_with_it() {
    let (mut world, without) = secured().await;
    without.habits().extensions = &[];
    let with = world.server("b.world.test").await;
    with.shows(&world.authority.certify("b.world.test"));
    with.habits().extensions = WITH;
    world.names.mx("world.test", &[(10, "mx.world.test"), (20, "b.world.test")]);
    assert!(told(&world, letter(TlsNeed::Required)).await.is_empty());
    assert_eq!((without.got().len(), with.got().len()), (0, 1));
}

#[tokio::test]
async fn a_handshake_that_only_broke_is_tried_again() {
    let (world, server) = secured().await;
    server.habits().tls = Tls::Broken;
    world.send(letter(TlsNeed::Required)).await;
    let running = world.run();
    world.tried(1).await;
    running.stop().await;
    assert!(world.inbox().is_empty() && server.got().is_empty());
}

#[tokio::test]
async fn a_letter_waits_while_nothing_can_be_proved() {
    let (world, server) = secured().await;
    world.names.prove_nothing();
    world.send(letter(TlsNeed::Required)).await;
    let running = world.run();
    world.tried(1).await;
    running.stop().await;
    assert!(world.inbox().is_empty() && server.got().is_empty());
    let last = world.queue()[0].recipients[0].last.clone().unwrap();
    assert!(last.contains("our name servers can't prove what they say"), "{last}");
}

#[tokio::test]
async fn a_policy_that_cannot_be_had_at_the_moment_is_waited_for() {
    let (mut world, server) = secured().await;
    world.names.secure("world.test", false);
    let host = world.policy_host("world.test", Answer::with("503 Later", "X: y", "")).await;
    for step in ["record", "host"] {
        let record = match step {
            "record" => Err(DnsError::Temporary("SERVFAIL".to_owned())),
            _ => Ok(vec![b"v=STSv1; id=1;".to_vec()]),
        };
        world.names.txt_answer("_mta-sts.world.test", record);
        world.send(letter(TlsNeed::Required)).await;
        let running = world.run();
        world.tried(1).await;
        running.stop().await;
        assert!(world.inbox().is_empty() && server.got().is_empty(), "{step}");
        let last = world.queue()[0].recipients[0].last.clone().unwrap();
        assert!(last.contains("as far as can be told now ("), "{step}: {last}");
        world.act(QueueAction::Remove).await;
    }
    host.answer(Answer::policy("enforce", "mx.world.test"));
    assert!(told(&world, letter(TlsNeed::Required)).await.is_empty());
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_letter_may_waive_what_the_domain_demands() {
    let (mut world, server) = World::with_bob().await;
    server.habits().tls = Tls::Works;
    let host = world.policy_host("world.test", Answer::policy("enforce", "mx.far.test")).await;
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
    assert!(told(&world, letter(TlsNeed::Waived)).await.is_empty());
    assert!(server.got()[0].tls, "TLS is taken all the same");
    assert!(host.requests().is_empty());
    let story = world.story("bob@world.test");
    assert!(story.contains("The message waives what world.test may demand of TLS (TLS-Required: No)."), "{story}");
}

#[tokio::test]
async fn letters_of_different_needs_share_no_connection_and_no_misfortune() {
    let (mut world, server) = World::with_bob().await;
    server.shows(&world.authority.certify("mx.world.test"));
    server.habits().extensions = WITH;
    let _host = world.policy_host("world.test", Answer::policy("enforce", "mx.world.test")).await;
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
    server.habits().end = End::Ponder;
    let needs = [TlsNeed::Waived, TlsNeed::Usual, TlsNeed::Required];
    for need in needs.iter().chain(&needs) {
        world.send(letter(*need)).await;
    }
    let running = world.run();
    crate::world::until("the first of each is under way", || server.got().len() == 3).await;
    server.habits().end = End::Say("250 2.0.0 taken");
    world.sent().await;
    running.stop().await;
    let got = server.got();
    let required: Vec<bool> = got.iter().map(|got| got.mail.ends_with(" REQUIRETLS")).collect();
    assert_eq!(required.iter().filter(|required| **required).count(), 2, "{got:?}");
    for one in &got {
        for other in got.iter().filter(|other| other.connection == one.connection) {
            assert_eq!(one.mail, other.mail, "one connection carried both");
        }
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_relay_must_promise_it_too() {
    for (tls, promises, status) in [
        (SmarthostTls::Starttls, true, None),
        (SmarthostTls::Starttls, false, Some("5.7.30")),
        (SmarthostTls::None, true, Some("5.7.10")),
    ] {
        let mut world = World::build().await;
        let relay = world.server("relay.test").await;
        relay.shows(&world.authority.certify("relay.test"));
        relay.habits().extensions = if promises { WITH } else { &[] };
        let port = world.policy.port_overrides["relay.test"];
        let smarthost = Smarthost { host: "relay.test".to_owned(), port, tls, login: None };
        world.store.set_smarthost(None, Some(smarthost)).await.unwrap();
        let inbox = told(&world, letter(TlsNeed::Required)).await;
        match status {
            None => assert!(relay.got()[0].mail.ends_with(" REQUIRETLS") && inbox.is_empty()),
            Some(status) => assert!(inbox[0].contains(&format!("\r\nStatus: {status}\r\n")), "{inbox:?}"),
        }
    }
}

#[tokio::test]
async fn a_relays_own_want_of_tls_returns_no_letter_that_has_none() {
    let mut world = World::build().await;
    let relay = world.server("relay.test").await;
    relay.habits().banner = "554 5.7.10 Encryption needed";
    let port = world.policy.port_overrides["relay.test"];
    let smarthost = Smarthost { host: "relay.test".to_owned(), port, tls: SmarthostTls::None, login: None };
    world.store.set_smarthost(None, Some(smarthost)).await.unwrap();
    world.send(letter(TlsNeed::Usual)).await;
    let running = world.run();
    world.tried(1).await;
    running.stop().await;
    assert!(world.inbox().is_empty());
    assert_eq!(world.queue().len(), 1);
}
