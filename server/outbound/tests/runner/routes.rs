//! Which server gets a letter, and how.

use mailstead_net::dns::DnsError;
use mailstead_store::{QueueAction, RecipientState, Smarthost, SmarthostTls};

use crate::server::Tls;
use crate::world::{LETTER, Sent, World, until};

#[tokio::test]
async fn the_most_preferred_server_gets_the_letter_as_it_was_written() {
    let mut world = World::build().await;
    let (first, second) = (world.server("a.world.test").await, world.server("b.world.test").await);
    world.names.mx("world.test", &[(20, "b.world.test"), (10, "a.world.test")]);
    world.send(Sent::to(&["bob@world.test"])).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    let got = first.got();
    assert_eq!((got.len(), second.connections()), (1, 0));
    assert!(got[0].mail.starts_with("MAIL FROM:<alice@home.test>"), "{}", got[0].mail);
    assert_eq!(got[0].rcpt, ["RCPT TO:<bob@world.test>"]);
    assert_eq!(got[0].text, LETTER);
    assert!(world.inbox().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_or_busy_or_refuses_everybody_is_passed_over() {
    for banner in [None, Some("421 4.3.2 not today"), Some("554 5.7.1 no mail here"), Some("nonsense")] {
        let mut world = World::build().await;
        let first = world.server("a.world.test").await;
        match banner {
            None => world.dead_host("a.world.test"),
            Some(banner) => first.habits().banner = banner,
        }
        let second = world.server("b.world.test").await;
        world.names.mx("world.test", &[(10, "a.world.test"), (20, "b.world.test")]);
        world.send(Sent::to(&["bob@world.test"])).await;
        let running = world.run();
        world.sent().await;
        running.stop().await;
        assert_eq!((first.got().len(), second.got().len()), (0, 1), "{banner:?}");
        assert!(world.inbox().is_empty());
    }
}

#[tokio::test]
async fn a_domain_without_mx_records_is_its_own_mail_host() {
    let mut world = World::build().await;
    let server = world.server("plain.test").await;
    world.names.mx_answer("plain.test", Err(DnsError::NoRecords));
    world.send(Sent::to(&["bob@plain.test"])).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn trouble_with_the_dns_never_returns_a_letter() {
    let (world, server) = World::with_bob().await;
    world.names.mx_answer("world.test", Err(DnsError::Temporary("SERVFAIL".to_owned())));
    world.send(Sent::to(&["bob@world.test"])).await;
    let running = world.run();
    let entry = world.tried(1).await;
    assert_eq!(entry.recipients[0].state, RecipientState::Waiting);
    assert!(entry.recipients[0].last.as_ref().unwrap().contains("SERVFAIL"));
    world.names.mx("world.test", &[(10, "mx.world.test")]);
    world.act(QueueAction::Retry).await;
    world.sent().await;
    running.stop().await;
    assert_eq!((server.got().len(), world.inbox().len()), (1, 0));
}

#[tokio::test]
async fn tls_is_used_where_it_works_and_done_without_where_it_is_broken() {
    for (tls, encrypted, connections) in [(Tls::Works, true, 1), (Tls::Broken, false, 2), (Tls::NotOffered, false, 1)] {
        let (world, server) = World::with_bob().await;
        server.habits().tls = tls;
        world.send(Sent::to(&["bob@world.test"])).await;
        let running = world.run();
        world.sent().await;
        running.stop().await;
        assert_eq!(server.got().len(), 1);
        assert_eq!((server.got()[0].tls, server.connections()), (encrypted, connections));
    }
}

#[tokio::test]
async fn several_letters_to_one_destination_share_a_connection() {
    let (world, server) = World::with_bob().await;
    for _ in 0..5 {
        world.send(Sent::to(&["bob@world.test"])).await;
    }
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!((server.got().len(), server.connections()), (5, 1));
}

#[tokio::test]
async fn more_recipients_than_a_server_takes_at_once_go_in_several_transactions() {
    let (world, server) = World::with_bob().await;
    server.habits().room = 3;
    let names: Vec<String> = (0..8).map(|number| format!("r{number}@world.test")).collect();
    world.send(Sent::to(&names.iter().map(String::as_str).collect::<Vec<_>>())).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    let rcpt: Vec<Vec<String>> = server.got().into_iter().map(|got| got.rcpt).collect();
    assert_eq!(rcpt.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    let expected: Vec<String> = names.iter().map(|name| format!("RCPT TO:<{name}>")).collect();
    assert_eq!(rcpt.concat(), expected);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn strangers_names_do_not_lead_to_our_own_network() {
    let (mut world, server) = World::with_bob().await;
    world.policy.allow_private = false;
    world.send(Sent::to(&["bob@world.test"])).await;
    let running = world.run();
    let entry = world.tried(1).await;
    running.stop().await;
    assert_eq!((server.connections(), world.inbox().len()), (0, 0));
    assert!(entry.recipients[0].last.as_ref().unwrap().contains("not of the public internet"));
}

#[tokio::test]
async fn a_domain_that_leads_back_here_is_not_sent_in_a_circle() {
    let (mut world, server) = World::with_bob().await;
    world.policy.own_addresses = vec!["127.0.0.1".parse().unwrap()];
    world.send(Sent::to(&["bob@world.test"])).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.connections(), 0);
    assert!(world.inbox()[0].contains("\r\nStatus: 5.4.6\r\n"), "{:?}", world.inbox());
}

#[tokio::test]
async fn a_relay_takes_all_mail_and_its_refusal_of_us_returns_none() {
    let (mut world, direct) = World::with_bob().await;
    let relay = world.server("relay.test").await;
    relay.habits().banner = "554 5.7.1 who are you";
    let port = world.policy.port_overrides["relay.test"];
    let smarthost = Smarthost { host: "relay.test".to_owned(), port, tls: SmarthostTls::None, login: None };
    world.store.set_smarthost(None, Some(smarthost)).await.unwrap();
    world.send(Sent::to(&["bob@world.test", "carol@far.test"])).await;
    let running = world.run();
    world.tried(1).await;
    assert!(world.inbox().is_empty());
    relay.habits().banner = "220 welcome";
    world.act(QueueAction::Retry).await;
    world.sent().await;
    running.stop().await;
    assert_eq!(direct.connections(), 0);
    assert_eq!(relay.got()[0].rcpt, ["RCPT TO:<bob@world.test>", "RCPT TO:<carol@far.test>"]);
}

#[tokio::test]
async fn each_domain_goes_its_own_way_at_the_same_time() {
    let (mut world, bobs) = World::with_bob().await;
    let carols = world.server("mx.far.test").await;
    world.names.mx("far.test", &[(10, "mx.far.test")]);
    world.send(Sent::to(&["bob@world.test", "carol@far.test", "dave@world.test"])).await;
    let running = world.run();
    until("both servers have it", || bobs.got().len() == 1 && carols.got().len() == 1).await;
    world.sent().await;
    running.stop().await;
    assert_eq!(bobs.got()[0].rcpt, ["RCPT TO:<bob@world.test>", "RCPT TO:<dave@world.test>"]);
    assert_eq!(carols.got()[0].rcpt, ["RCPT TO:<carol@far.test>"]);
}
