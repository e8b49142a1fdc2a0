//! TLS reports to places in the web.

use mailstead_outbound::{Fate, Reporter};
use mailstead_store::{Day, ReportKind, Timestamp, TlsOutcome, TlsPolicy};

use crate::policy_host::{Answer, PolicyHost};
use crate::world::{World, domain, now};

/// A domain that wants its reports at its policy host.
async fn asked(status: &str) -> (World, PolicyHost, Reporter) {
    let mut world = World::build().await;
    let host = world.policy_host("world.test", Answer::with(status, "X-Y: z", "")).await;
    world.names.txt("_smtp._tls.world.test", "v=TLSRPTv1; rua=https://mta-sts.world.test/v1/reports");
    let outcome = TlsOutcome { domain: domain("world.test"), policy: TlsPolicy::NotFound, failure: None };
    world.store.tally_tls(Timestamp(now() - 24 * 60 * 60), outcome);
    let reporter = Reporter::new(world.store.clone(), world.names.clone(), world.policy.clone());
    (world, host, reporter)
}

async fn fates(reporter: &Reporter) -> Vec<Fate> {
    reporter.send(None).await.unwrap().into_iter().map(|sent| sent.fate).collect()
}

fn owed(world: &World) -> usize {
    world.store.tallied(ReportKind::Tls, Day::of(Timestamp(now()))).unwrap().len()
}

#[tokio::test]
async fn a_report_is_brought_to_the_place_that_asks_for_it() {
    let (world, host, reporter) = asked("201 Created").await;
    assert_eq!(fates(&reporter).await, [Fate::Sent(vec!["https://mta-sts.world.test/v1/reports".to_owned()])]);
    let requests = host.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_lowercase();
    assert!(request.starts_with("post /v1/reports http/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/tlsrpt+gzip\r\n"), "{request}");
    assert!(request.contains("host: mta-sts.world.test\r\n") && !request.contains("content-length: 0"), "{request}");
    assert_eq!((owed(&world), fates(&reporter).await), (0, Vec::new()));
    assert!(world.queue().is_empty());
}

#[tokio::test]
async fn a_place_that_refuses_is_asked_again_later() {
    let (world, host, reporter) = asked("503 Busy").await;
    let why = "mta-sts.world.test answers with status 503".to_owned();
    assert_eq!(fates(&reporter).await, [Fate::Later(why)]);
    assert_eq!(owed(&world), 1);
    host.answer(Answer::with("200 OK", "X-Y: z", ""));
    assert!(matches!(fates(&reporter).await.as_slice(), [Fate::Sent(_)]));
}

#[tokio::test]
async fn a_place_within_our_own_network_gets_nothing() {
    let (mut world, host, _) = asked("200 OK").await;
    world.policy.allow_private = false;
    let reporter = Reporter::new(world.store.clone(), world.names.clone(), world.policy.clone());
    let why = "mta-sts.world.test has no address of the public internet".to_owned();
    assert_eq!(fates(&reporter).await, [Fate::Later(why)]);
    assert_eq!(host.requests(), Vec::<String>::new());
}
