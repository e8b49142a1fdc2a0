//! What secure TLSA records of others demand (RFC 7672).

use mailstead_net::dns::{DnsError, Tlsa};
use mailstead_store::{TlsPolicy, TlsResult};

use crate::authority::{Authority, self_made};
use crate::policy_host::Answer;
use crate::server::{Server, Tls};
use crate::world::{Sent, World};

const RECORDS: &str = "_25._tcp.mx.world.test";

/// `world.test`, all of its names secure, with a server that shows a certificate no authority we trust has signed, for
/// another name and long expired, and the TLSA record that names it.
async fn with_dane() -> (World, Server) {
    let (world, server) = World::with_bob().await;
    let shown = Authority::new().certify_until("elsewhere.test", 2020);
    server.shows(&shown);
    world.names.tlsa(RECORDS, Ok(vec![shown.tlsa()]));
    for name in ["world.test", "mx.world.test", RECORDS] {
        world.names.secure(name, true);
    }
    (world, server)
}

fn last(world: &World) -> String {
    world.queue()[0].recipients[0].last.clone().unwrap()
}

#[tokio::test]
async fn a_server_with_the_certificate_its_record_names_gets_the_letter() {
    let (world, server) = with_dane().await;
    assert!(world.try_a_letter().await);
    assert!(server.got()[0].tls);
    let story = world.story("bob@world.test");
    let expected = "its certificate is the one its TLSA record 3 0 0 names, as DANE demands.";
    assert!(story.contains(expected), "{story}");
    let (outcome, count) = world.counted("world.test").remove(0);
    assert!(
        matches!(&outcome.policy, TlsPolicy::Tlsa { records } if records[0].starts_with("3 0 0 30")),
        "{outcome:?}"
    );
    assert_eq!((outcome.failure, count), (None, 1));
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_will_do_when_its_record_names_it() {
    let (world, server) = with_dane().await;
    let shown = self_made("mx.world.test");
    server.shows(&shown);
    world.names.tlsa(RECORDS, Ok(vec![shown.tlsa()]));
    assert!(world.try_a_letter().await, "{}", last(&world));
}

#[tokio::test]
async fn another_certificate_or_no_tls_gets_nothing() {
    for (what, result, words) in [
        ("another", TlsResult::TlsaInvalid, "matches none of the TLSA records"),
        ("plain", TlsResult::StarttlsNotSupported, "does not offer STARTTLS"),
        ("broken", TlsResult::ValidationFailure, "the handshake failed"),
    ] {
        let (world, server) = with_dane().await;
        match what {
            "another" => server.shows(&world.authority.certify("mx.world.test")),
            "plain" => server.habits().tls = Tls::NotOffered,
            _ => server.habits().tls = Tls::Broken,
        }
        assert!(!world.try_a_letter().await, "{what}");
        assert!(server.got().is_empty() && world.inbox().is_empty(), "{what}");
        assert!(last(&world).contains(words) && last(&world).contains("DANE demands better"), "{}", last(&world));
        assert_eq!(world.results("world.test"), [Some(result)], "{what}");
    }
}

#[tokio::test]
async fn what_is_not_secure_is_never_enforced() {
    for insecure in ["world.test", "mx.world.test", RECORDS] {
        let (world, server) = with_dane().await;
        server.habits().shown = None;
        world.names.secure(insecure, false);
        assert!(world.try_a_letter().await, "{insecure}");
        assert_eq!(server.got().len(), 1);
        assert!(!world.story("bob@world.test").contains("DANE"));
    }
}

#[tokio::test]
async fn a_domain_that_is_its_own_mail_host_has_records_of_its_own() {
    let mut world = World::build().await;
    let server = world.server("plain.test").await;
    let shown = Authority::new().certify("elsewhere.test");
    server.shows(&shown);
    world.names.mx_answer("plain.test", Err(DnsError::NoRecords));
    world.names.tlsa("_25._tcp.plain.test", Ok(vec![shown.tlsa()]));
    world.names.secure("plain.test", true);
    world.names.secure("_25._tcp.plain.test", true);
    world.send(Sent::to(&["bob@plain.test"])).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert!(world.story("bob@plain.test").contains("as DANE demands"));
}

#[tokio::test]
async fn records_that_cannot_be_used_demand_tls_but_no_certificate() {
    for offered in [true, false] {
        let (world, server) = with_dane().await;
        world.names.tlsa(RECORDS, Ok(vec![Tlsa { usage: 1, selector: 1, matching: 1, data: vec![0; 32] }]));
        if !offered {
            server.habits().tls = Tls::NotOffered;
        }
        assert_eq!(world.try_a_letter().await, offered);
        assert_eq!(server.got().len(), usize::from(offered));
        let result = if offered { TlsResult::TlsaInvalid } else { TlsResult::StarttlsNotSupported };
        assert_eq!(world.results("world.test"), [Some(result)]);
    }
}

#[tokio::test]
async fn a_server_whose_records_cannot_be_found_is_passed_over_and_never_served_with_less() {
    let errors = [DnsError::Bogus("bad signature".to_owned()), DnsError::Temporary("SERVFAIL".to_owned())];
    for (error, result) in errors.into_iter().zip([TlsResult::DnssecInvalid, TlsResult::TlsaInvalid]) {
        let (mut world, first) = with_dane().await;
        world.names.tlsa(RECORDS, Err(error));
        assert!(!world.try_a_letter().await);
        assert_eq!(first.connections(), 0);
        assert!(last(&world).contains("its TLSA records can't be found"), "{}", last(&world));
        assert_eq!(world.results("world.test"), [Some(result)]);
        let second = world.server("b.world.test").await;
        world.names.secure("b.world.test", true);
        world.names.mx("world.test", &[(10, "mx.world.test"), (20, "b.world.test")]);
        world.act(mailstead_store::QueueAction::Retry).await;
        let running = world.run();
        world.sent().await;
        running.stop().await;
        assert_eq!((first.connections(), second.got().len()), (0, 1));
    }
}

#[tokio::test]
async fn dane_goes_before_mta_sts() {
    let (mut world, server) = with_dane().await;
    let _host = world.policy_host("world.test", Answer::policy("enforce", "mx.far.test")).await;
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
    assert!(world.try_a_letter().await, "no authority and no policy has to say more");
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn where_dane_cannot_say_which_certificate_mta_sts_does() {
    let (mut world, server) = with_dane().await;
    world.names.tlsa(RECORDS, Ok(vec![Tlsa { usage: 1, selector: 1, matching: 1, data: vec![0; 32] }]));
    let _host = world.policy_host("world.test", Answer::policy("enforce", "mx.world.test")).await;
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
    assert!(!world.try_a_letter().await);
    server.shows(&world.authority.certify("mx.world.test"));
    world.act(mailstead_store::QueueAction::Retry).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!(server.got().len(), 1);
}
