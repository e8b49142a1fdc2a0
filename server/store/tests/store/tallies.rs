//! What is counted for the reports we owe, and that each is sent once.

use mailstead_message::Domain;
use mailstead_store::*;

use crate::world::{World, acceptance, letter, options};

const NOON: Timestamp = Timestamp(20_000 * 24 * 60 * 60 + 12 * 60 * 60);
const TODAY: Day = Day(20_000);

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn session(name: &str, failure: Option<TlsFailure>) -> TlsOutcome {
    let policy = TlsPolicy::Sts { lines: vec!["version: STSv1".to_owned()], mx: vec!["*.world.test".to_owned()] };
    TlsOutcome { domain: domain(name), policy, failure }
}

fn expired(reason: &str) -> Option<TlsFailure> {
    Some(TlsFailure {
        result: TlsResult::CertificateExpired,
        sending_ip: None,
        mx: Some("mx.world.test".to_owned()),
        helo: None,
        receiving_ip: Some([192, 0, 2, 7].into()),
        reason: Some(reason.to_owned()),
    })
}

fn letter_of(name: &str, source: u32) -> DmarcOutcome {
    DmarcOutcome {
        domain: domain(name),
        published: DmarcPublished {
            strict_dkim: false,
            strict_spf: true,
            policy: DmarcPolicy::Reject,
            subdomains: None,
            nonexistent: None,
            testing: false,
            percent: None,
            failure_options: None,
        },
        source: std::net::Ipv4Addr::from_bits(source).into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: true,
        spf_aligned: false,
        overrides: Vec::new(),
        header_from: domain(name),
        envelope_from: None,
        envelope_to: Some(domain("home.test")),
        dkim: vec![DkimAuth { domain: name.to_owned(), selector: "s".to_owned(), result: AuthResult::Pass }],
        spf: None,
    }
}

async fn flushed(world: &World) {
    world.store.written().await.unwrap();
}

#[tokio::test]
async fn what_happened_again_is_counted_and_each_domain_has_its_own_rows() {
    let world = World::new(options()).await;
    for _ in 0..3 {
        world.store.tally_tls(NOON, session("world.test", None));
    }
    world.store.tally_tls(NOON, session("world.test", expired("on Monday")));
    world.store.tally_tls(NOON, session("far.test", None));
    world.store.tally_dmarc(NOON, letter_of("world.test", 1));
    flushed(&world).await;
    let world = world.reopened(|_| {});
    let tally = world.store.tls_tally(TODAY, &domain("world.test")).unwrap();
    assert_eq!(tally.rows.len(), 2);
    assert!(tally.rows.contains(&(session("world.test", None), 3)));
    assert!(tally.rows.contains(&(session("world.test", expired("on Monday")), 1)));
    assert_eq!(
        world.store.tallied(ReportKind::Tls, TODAY).unwrap(),
        [(TODAY, domain("far.test")), (TODAY, domain("world.test"))]
    );
    assert_eq!(world.store.tallied(ReportKind::Tls, Day(TODAY.0 - 1)).unwrap(), []);
    assert_eq!(world.store.tls_tally(Day(TODAY.0 + 1), &domain("world.test")).unwrap().rows, []);
    let tally = world.store.dmarc_tally(TODAY, &domain("world.test")).unwrap();
    assert_eq!(tally, Tally { rows: vec![(letter_of("world.test", 1), 1)], dropped: 0 });
}

#[tokio::test]
async fn a_flood_of_different_rows_is_cut_off_and_the_rest_counted() {
    let world = World::new(options()).await;
    for source in 0..2_100 {
        world.store.tally_dmarc(NOON, letter_of("world.test", source));
    }
    world.store.tally_dmarc(NOON, letter_of("far.test", 1));
    flushed(&world).await;
    let tally = world.store.dmarc_tally(TODAY, &domain("world.test")).unwrap();
    assert_eq!((tally.rows.len(), tally.dropped), (2_000, 100));
    assert_eq!(world.store.dmarc_tally(TODAY, &domain("far.test")).unwrap().rows.len(), 1);
}

#[tokio::test]
async fn a_peers_long_words_are_cut() {
    let world = World::new(options()).await;
    world.store.tally_tls(NOON, session("world.test", expired(&"ä".repeat(100_000))));
    let mut endless = session("world.test", None);
    endless.policy = TlsPolicy::Tlsa { records: vec!["3 1 1 00".to_owned(); 10_000] };
    world.store.tally_tls(NOON, endless);
    flushed(&world).await;
    let tally = world.store.tls_tally(TODAY, &domain("world.test")).unwrap();
    assert_eq!(tally.rows.len(), 2);
    for (row, _) in tally.rows {
        match (row.policy, row.failure) {
            (TlsPolicy::Tlsa { records }, None) => assert_eq!(records.len(), 20),
            (_, failure) => assert_eq!(failure.unwrap().reason.unwrap(), "ä".repeat(255)),
        }
    }
}

#[tokio::test]
async fn of_a_letters_signatures_those_that_matter_are_counted() {
    let world = World::new(options()).await;
    let mut outcome = letter_of("world.test", 1);
    let signature = |domain: &str, result| DkimAuth { domain: domain.to_owned(), selector: "s".to_owned(), result };
    outcome.dkim = (0..8).map(|number| signature(&format!("x{number}.far.test"), AuthResult::Fail)).collect();
    outcome.dkim.push(signature("list.test", AuthResult::Pass));
    outcome.dkim.push(signature("notworld.test", AuthResult::Fail));
    outcome.dkim.push(signature("world.test", AuthResult::Fail));
    outcome.dkim.push(signature("News.WORLD.test", AuthResult::Pass));
    world.store.tally_dmarc(NOON, outcome);
    flushed(&world).await;
    let (row, _) = world.store.dmarc_tally(TODAY, &domain("world.test")).unwrap().rows.remove(0);
    let told: Vec<&str> = row.dkim.iter().map(|signature| signature.domain.as_str()).collect();
    assert_eq!(told, ["News.WORLD.test", "list.test", "world.test"]);
}

#[tokio::test]
async fn a_day_has_an_end_of_rows_however_many_domains_there_are() {
    let world = World::new(options()).await;
    for number in 0..10_100 {
        world.store.tally_dmarc(NOON, letter_of(&format!("d{number}.test"), 1));
        if number % 1_000 == 0 {
            flushed(&world).await;
        }
    }
    flushed(&world).await;
    let first = world.store.dmarc_tally(TODAY, &domain("d9999.test")).unwrap();
    let late = world.store.dmarc_tally(TODAY, &domain("d10050.test")).unwrap();
    assert_eq!((first.rows.len(), late.rows.len(), late.dropped), (1, 0, 1));
}

#[tokio::test]
async fn a_report_and_the_end_of_its_rows_are_one() {
    let world = World::new(options()).await;
    world.account("alice@home.test").await;
    world.store.tally_tls(NOON, session("world.test", None));
    world.store.tally_tls(NOON, session("far.test", None));
    flushed(&world).await;
    let world_test = domain("world.test");
    let report = |number| {
        let mut report = acceptance(&letter(number), Vec::new());
        report.queue = vec![NewQueueEntry {
            reverse_path: None,
            recipients: vec![NewRecipient {
                address: crate::world::address("bob@world.test"),
                orcpt: None,
                notify: None,
            }],
            envid: None,
            ret: None,
            eight_bit: false,
            smtputf8: false,
            tls: TlsNeed::Usual,
        }];
        vec![report]
    };
    assert!(world.store.settle_tally(ReportKind::Tls, TODAY, &world_test, report(1)).await.unwrap());
    assert!(!world.store.settle_tally(ReportKind::Tls, TODAY, &world_test, report(2)).await.unwrap());
    assert_eq!(world.store.queue().unwrap().len(), 1);
    assert_eq!(world.store.tallied(ReportKind::Tls, TODAY).unwrap(), [(TODAY, domain("far.test"))]);
}

#[tokio::test]
async fn what_could_not_be_sent_for_two_weeks_is_dropped() {
    let world = World::new(options()).await;
    let today = Timestamp(jiff::Timestamp::now().as_second());
    let days_ago = |days: i64| Timestamp(today.0 - days * 24 * 60 * 60);
    for source in 0..1_500 {
        world.store.tally_dmarc(days_ago(20), letter_of("world.test", source));
        world.store.tally_tls(days_ago(13), session("world.test", None));
    }
    flushed(&world).await;
    world.store.tidy().await.unwrap();
    assert_eq!(world.store.tallied(ReportKind::Dmarc, Day::of(today)).unwrap(), []);
    let kept = world.store.tls_tally(Day::of(days_ago(13)), &domain("world.test")).unwrap();
    assert_eq!(kept.rows, [(session("world.test", None), 1_500)]);
}

#[test]
fn a_day_is_utcs() {
    assert_eq!(Day::of(Timestamp(0)), Day(0));
    assert_eq!(Day::of(Timestamp(86_399)), Day(0));
    assert_eq!(Day::of(Timestamp(86_400)), Day(1));
    assert_eq!((Day(1).begin(), Day(1).end()), (Timestamp(86_400), Timestamp(172_799)));
}
