//! What MTA-STS policies of others demand (RFC 8461).

use std::net::Ipv4Addr;

use mailstead_net::dns::DnsError;
use mailstead_store::{QueueAction, RecipientState, StsPolicy, Timestamp, TlsOutcome, TlsPolicy, TlsResult};

use crate::authority::Authority;
use crate::policy_host::{Answer, PolicyHost};
use crate::server::{End, Server, Tls};
use crate::world::{Sent, World, domain, now, until};

/// `world.test` with a server of a good certificate, and a policy of that mode which names the server.
async fn with_policy(mode: &str) -> (World, Server, PolicyHost) {
    let (mut world, server) = World::with_bob().await;
    server.shows(&world.authority.certify("mx.world.test"));
    let host = world.policy_host("world.test", Answer::policy(mode, "*.world.test")).await;
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
    (world, server, host)
}

/// What was counted, the policies' lines aside.
fn counted(world: &World) -> Vec<(TlsOutcome, u64)> {
    world.counted("world.test")
}

#[tokio::test]
async fn a_server_that_keeps_the_policy_gets_the_letter_and_the_policy_is_fetched_once() {
    let (world, server, host) = with_policy("enforce").await;
    world.send(Sent::to(&["carol@world.test"])).await;
    assert!(world.try_a_letter().await && world.try_a_letter().await);
    assert!(server.got().iter().all(|got| got.tls));
    let requests = host.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].to_lowercase().contains("host: mta-sts.world.test\r\n"), "{}", requests[0]);
    let story = world.story("bob@world.test");
    assert!(story.contains("world.test has an MTA-STS policy in mode enforce (id 1, fetched at "), "{story}");
    let certificate = "its certificate is valid for mx.world.test, as the MTA-STS policy of world.test demands.";
    assert!(story.contains(certificate), "{story}");
    let second = world.story("carol@world.test") + &world.story("bob@world.test");
    assert!(second.contains("There is an open connection to mx.world.test"), "{second}");
    assert_eq!(
        second.matches("as the MTA-STS policy of world.test demands.").count(),
        3,
        "each letter's story says it"
    );
    let counted = counted(&world);
    let [(TlsOutcome { policy: TlsPolicy::Sts { lines, mx }, failure: None, .. }, 2)] = counted.as_slice() else {
        panic!("{counted:?}");
    };
    assert_eq!(lines, &["version: STSv1", "mode: enforce", "mx: *.world.test", "max_age: 604800"]);
    assert_eq!(mx, &["*.world.test"]);
}

#[tokio::test]
async fn a_policy_in_force_lets_no_server_pass_that_does_not_keep_it() {
    for (what, result, words) in [
        ("plain", TlsResult::StarttlsNotSupported, "does not offer STARTTLS"),
        ("broken", TlsResult::ValidationFailure, "the handshake failed"),
        ("other name", TlsResult::CertificateHostMismatch, "is for other.test, not for mx.world.test"),
        ("expired", TlsResult::CertificateExpired, "has expired"),
        ("stranger", TlsResult::CertificateNotTrusted, "not from an authority we trust"),
        ("itself", TlsResult::CertificateNotTrusted, "not from an authority we trust"),
    ] {
        let (world, server, _host) = with_policy("enforce").await;
        match what {
            "plain" => server.habits().tls = Tls::NotOffered,
            "broken" => server.habits().tls = Tls::Broken,
            "other name" => server.shows(&world.authority.certify("other.test")),
            "expired" => server.shows(&world.authority.certify_until("mx.world.test", 2020)),
            "stranger" => server.shows(&Authority::new().certify("mx.world.test")),
            _ => server.habits().shown = None,
        }
        assert!(!world.try_a_letter().await, "{what}");
        assert!(server.got().is_empty(), "{what}");
        let last = world.queue()[0].recipients[0].last.clone().unwrap();
        assert!(last.contains(words), "{what}: {last}");
        assert!(last.contains("but the MTA-STS policy of world.test demands better"), "{what}: {last}");
        assert_eq!(world.results("world.test"), [Some(result)], "{what}");
        let failure = counted(&world)[0].0.failure.clone().unwrap();
        assert_eq!(failure.helo.as_deref(), Some("mx.world.test"));
        assert_eq!([failure.sending_ip, failure.receiving_ip], [Some(Ipv4Addr::LOCALHOST.into()); 2]);
        assert!(world.inbox().is_empty(), "it waits for better times");
    }
}

#[tokio::test]
async fn a_server_the_policy_does_not_name_is_passed_over_for_one_it_names() {
    let (mut world, good, _host) = with_policy("enforce").await;
    let stray = world.server("mx.far.test").await;
    stray.shows(&world.authority.certify("mx.far.test"));
    world.names.mx("world.test", &[(5, "mx.far.test"), (10, "mx.world.test")]);
    assert!(world.try_a_letter().await);
    assert_eq!((stray.connections(), good.got().len()), (0, 1));
    let story = world.story("bob@world.test");
    assert!(
        story.contains("mx.far.test is passed over: the MTA-STS policy of world.test does not name it."),
        "{story}"
    );
    assert_eq!(world.results("world.test"), [None, Some(TlsResult::ValidationFailure)]);
}

#[tokio::test]
async fn a_policy_in_testing_stops_nothing_and_what_it_would_have_stopped_is_told() {
    for (what, result, words) in [
        ("good", None, ""),
        ("plain", Some(TlsResult::StarttlsNotSupported), "does not offer STARTTLS"),
        ("broken", Some(TlsResult::ValidationFailure), "the handshake failed"),
        ("stranger", Some(TlsResult::CertificateNotTrusted), "not from an authority we trust"),
        ("unnamed", Some(TlsResult::ValidationFailure), "does not name it"),
    ] {
        let (world, server, host) = with_policy("testing").await;
        match what {
            "plain" => server.habits().tls = Tls::NotOffered,
            "broken" => server.habits().tls = Tls::Broken,
            "stranger" => server.shows(&Authority::new().certify("mx.world.test")),
            "unnamed" => host.answer(Answer::policy("testing", "*.far.test")),
            _ => {}
        }
        assert!(world.try_a_letter().await, "{what}");
        assert_eq!(server.got()[0].tls, !matches!(what, "plain" | "broken"), "{what}");
        let story = world.story("bob@world.test");
        let told = story.contains("Were the MTA-STS policy of world.test in force, mx.world.test [127.0.0.1]");
        assert!(told == result.is_some() && story.contains(words), "{what}: {story}");
        assert_eq!(world.results("world.test"), [result], "{what}");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_had_is_none() {
    let redirection = Answer::with("301 Moved", "Location: https://mta-sts.world.test/.well-known/mta-sts.txt", "");
    for (what, answer, result, words) in [
        ("redirection", redirection, TlsResult::StsPolicyFetchError, "answers with a redirection (301)"),
        ("missing", Answer::with("404 No", "X: y", ""), TlsResult::StsPolicyFetchError, "status 404"),
        ("endless", Answer::Endless, TlsResult::StsPolicyFetchError, "larger than 65536 octets"),
        ("no HTTP", Answer::Say("220 mail\r\n".into()), TlsResult::StsPolicyFetchError, "can't be read"),
        (
            "cut off",
            Answer::Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nv".into()),
            TlsResult::StsPolicyFetchError,
            "breaks off",
        ),
        ("page", Answer::with("200 OK", "Content-Type: text/html", "<html>"), TlsResult::StsPolicyInvalid, "text/html"),
        ("nonsense", Answer::with("200 OK", "X: y", "nonsense"), TlsResult::StsPolicyInvalid, "not `key: value`"),
    ] {
        let (world, server, host) = with_policy("enforce").await;
        server.habits().shown = None;
        host.answer(answer);
        server.habits().end = End::SayAndVanish("250 2.0.0 taken");
        world.send(Sent::to(&["bob@world.test"])).await;
        assert!(world.try_a_letter().await, "{what}");
        assert_eq!((server.connections(), host.requests().len()), (2, 1), "{what}: nobody is asked again so soon");
        let story = world.story("bob@world.test");
        assert!(
            story.contains("has an MTA-STS policy that can't be used, so none applies") && story.contains(words),
            "{what}: {story}"
        );
        assert!(world.results("world.test").contains(&Some(result)), "{what}: {:?}", world.results("world.test"));
    }
}

#[tokio::test]
async fn a_policy_hosts_certificate_must_be_for_its_very_name() {
    for shown in ["world.test", "stranger", "expired"] {
        let (mut world, server) = World::with_bob().await;
        server.habits().tls = Tls::Works;
        let shown = match shown {
            "stranger" => Authority::new().certify("mta-sts.world.test"),
            "expired" => world.authority.certify_until("mta-sts.world.test", 2020),
            name => world.authority.certify(name),
        };
        let host = PolicyHost::start(shown.certificates, Answer::policy("enforce", "mx.far.test")).await;
        world.lead("mta-sts.world.test", host.port());
        world.names.txt("_mta-sts.world.test", "v=STSv1; id=1;");
        assert!(world.try_a_letter().await);
        assert!(host.requests().is_empty());
        assert!(
            world.results("world.test").contains(&Some(TlsResult::StsWebpkiInvalid)),
            "{:?}",
            world.results("world.test")
        );
    }
}

#[tokio::test]
async fn a_strangers_policy_host_does_not_lead_to_our_own_network() {
    let (mut world, server, host) = with_policy("enforce").await;
    world.policy.allow_private = false;
    assert!(!world.try_a_letter().await, "nor does its mail host");
    assert_eq!((server.connections(), host.requests().len()), (0, 0));
    let story = world.story("bob@world.test");
    assert!(story.contains("mta-sts.world.test has no address of the public internet"), "{story}");
}

#[tokio::test]
async fn a_policy_known_holds_when_it_cannot_be_renewed() {
    let (world, server, host) = with_policy("enforce").await;
    assert!(world.try_a_letter().await);
    server.habits().shown = None;
    for step in 0..4 {
        match step {
            0 => world.names.txt("_mta-sts.world.test", "v=STSv1; id=2;"),
            1 => world.names.txt_answer("_mta-sts.world.test", Err(DnsError::NoName)),
            2 => world.names.txt_answer("_mta-sts.world.test", Err(DnsError::Temporary("SERVFAIL".to_owned()))),
            _ => world.names.txt("_mta-sts.world.test", "v=STSv1; id=?"),
        }
        host.answer(Answer::with("500 Broken", "X: y", ""));
        assert!(!world.try_a_letter().await, "{step}");
        let story = world.story("bob@world.test");
        assert!(story.contains("It could not be renewed ("), "{story}");
        world.act(QueueAction::Remove).await;
    }
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_new_id_brings_the_new_policy() {
    let (world, server, host) = with_policy("enforce").await;
    server.habits().shown = None;
    assert!(!world.try_a_letter().await);
    host.answer(Answer::policy("none", "mx.world.test"));
    world.names.txt("_mta-sts.world.test", "v=STSv1; id=2;");
    world.act(QueueAction::Retry).await;
    let running = world.run();
    world.sent().await;
    running.stop().await;
    assert_eq!((server.got().len(), host.requests().len()), (1, 2));
    assert!(world.story("bob@world.test").contains("in mode none (id 2"));
}

#[tokio::test]
async fn an_old_policy_is_renewed_while_it_holds_and_forgotten_when_it_does_not() {
    let (world, server, host) = with_policy("enforce").await;
    let text = "version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 604800\n".to_owned();
    let keep = async |fetched: i64, expires: i64| {
        let (fetched, expires) = (Timestamp(now() + fetched), Timestamp(now() + expires));
        let policy = StsPolicy { id: "1".to_owned(), text: text.clone(), fetched, expires };
        world.store.keep_sts_policy(&domain("world.test"), policy).await.unwrap();
    };
    keep(-2 * 86_400, 5 * 86_400).await;
    assert!(world.try_a_letter().await, "the same id, but the policy was read again");
    assert_eq!((server.got().len(), host.requests().len()), (1, 1));
    keep(-8 * 86_400, -86_400).await;
    world.names.txt_answer("_mta-sts.world.test", Err(DnsError::NoName));
    server.habits().shown = None;
    assert!(world.try_a_letter().await);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn a_policy_past_half_its_life_is_renewed_without_a_letter() {
    let (world, _server, host) = with_policy("enforce").await;
    let text = "version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 604800\n".to_owned();
    let (fetched, expires) = (Timestamp(now() - 4 * 86_400), Timestamp(now() + 3 * 86_400));
    let old = StsPolicy { id: "1".to_owned(), text, fetched, expires };
    world.store.keep_sts_policy(&domain("world.test"), old.clone()).await.unwrap();
    let running = world.run();
    let kept = || world.store.sts_policy(&domain("world.test")).unwrap().unwrap();
    until("the policy is renewed", || kept() != old).await;
    running.stop().await;
    assert!(kept().text.contains("*.world.test") && kept().expires > expires);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn without_any_policy_any_certificate_is_taken_and_told() {
    let (world, server) = World::with_bob().await;
    server.habits().tls = Tls::Works;
    assert!(world.try_a_letter().await);
    let story = world.story("bob@world.test");
    assert!(story.contains("the certificate is not from an authority we trust, which nobody forbids."), "{story}");
    let counted = counted(&world);
    assert!(matches!(counted.as_slice(), [(TlsOutcome { policy: TlsPolicy::NotFound, failure: None, .. }, 1)]));
    assert!(world.queue().iter().all(|entry| entry.recipients[0].state == RecipientState::Delivered));
}
