//! Reports about our domains come by mail, and go into no mailbox.

use mailstead_auth::report::letter::{Cover, pack};
use mailstead_auth::report::{
    DmarcOutcome, DmarcPolicy, DmarcPublished, Findings, Report, ReportKind, TlsOutcome, TlsPolicy,
};
use mailstead_message::Domain;
use mailstead_store::ReportEntry;

use super::{LETTER, guest, trace};
use crate::house::{Client, House, address};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn letter(of: &str, findings: Findings) -> String {
    dated(of, now() - 90_000, findings)
}

fn dated(of: &str, begin: i64, findings: Findings) -> String {
    let report = Report {
        organisation: "world.test".to_owned(),
        contact: "postmaster@world.test".to_owned(),
        id: "report-1".to_owned(),
        begin,
        end: begin.saturating_add(86_399),
        findings,
        untold: 0,
    };
    let from = address("dmarc-reports@world.test");
    let cover = Cover { from: &from, to: &[address("dmarc-reports@home.test")], id: "x1", now: now() };
    String::from_utf8(pack(&report, &domain(of), &domain("world.test")).unwrap().letter(cover)).unwrap()
}

fn dmarc(of: &str) -> String {
    letter(of, rows(of))
}

fn rows(of: &str) -> Findings {
    let row = DmarcOutcome {
        domain: domain(of),
        published: DmarcPublished {
            strict_dkim: false,
            strict_spf: false,
            policy: DmarcPolicy::Reject,
            subdomains: None,
            nonexistent: None,
            testing: false,
            percent: None,
            failure_options: None,
        },
        source: [127, 0, 0, 1].into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: true,
        spf_aligned: false,
        overrides: Vec::new(),
        header_from: domain(of),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
    };
    Findings::Dmarc(vec![(row, 3)])
}

async fn send(house: &House, from: &str, to: &[&str], text: &str) -> (Client, String) {
    let mut guest = guest(house).await;
    let reply = guest.letter(from, to, text).await;
    assert!(reply.starts_with("250 2.0.0 accepted as "), "{reply}");
    (guest, reply)
}

fn reports(house: &House) -> Vec<ReportEntry> {
    house.store.reports(Some(&domain("home.test")), 10).unwrap()
}

fn why(entry: &ReportEntry) -> &str {
    entry.head.gist.as_ref().unwrap_err()
}

#[tokio::test]
async fn a_report_is_stored_as_one_and_its_story_says_so() {
    let house = House::build().await;
    house.store.set_catch_all(&domain("home.test"), Some(address("alice@home.test"))).await.unwrap();
    let sent = dmarc("home.test");
    let (_, reply) = send(&house, "<dmarc-reports@world.test>", &["<dmarc-reports@home.test>"], &sent).await;
    let [entry] = reports(&house).try_into().unwrap();
    assert_eq!(entry.head.brought.trace, trace(&reply));
    assert_eq!(entry.head.brought.from, Some(address("dmarc-reports@world.test")));
    let gist = entry.head.gist.unwrap();
    assert_eq!((gist.good, gist.bad, gist.organisation.as_str()), (3, 0, "world.test"));
    assert!(house.inbox("alice@home.test").is_empty());
    let told = house.told("dmarc-reports@home.test", "brings the report").await;
    assert_eq!(told, "It brings the report report-1 of world.test on letters in the name of home.test.");
}

#[tokio::test]
async fn tls_reports_come_too_and_people_beside_get_the_letter() {
    let house = House::build().await;
    let row = TlsOutcome { domain: domain("home.test"), policy: TlsPolicy::NotFound, failure: None };
    let sent = letter("home.test", Findings::Tls(vec![(row, 9)]));
    send(&house, "<t@world.test>", &["<alice@home.test>", "<TLS-reports@home.test>"], &sent).await;
    assert_eq!(reports(&house)[0].head.kind, ReportKind::Tls);
    assert_eq!(house.inbox("alice@home.test").len(), 1);
}

#[tokio::test]
async fn what_is_no_report_of_ours_is_kept_as_bad_with_the_reason() {
    let house = House::build().await;
    send(&house, "<x@world.test>", &["<tls-reports@home.test>"], LETTER).await;
    send(&house, "<x@world.test>", &["<dmarc-reports@home.test>"], &dmarc("far.test")).await;
    let found = reports(&house);
    let mut reasons: Vec<&str> = found.iter().map(why).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["the report is about none of our domains", "there is no report in it"]);
    assert!(house.inbox("alice@home.test").is_empty() && house.queue().is_empty(), "nobody is bothered");
}

#[tokio::test]
async fn a_report_of_another_time_is_none() {
    let house = House::build().await;
    for begin in [now() - 403 * 86_400, now() + 2 * 86_400, i64::MAX / 2] {
        let sent = dated("home.test", begin, rows("home.test"));
        send(&house, "<x@world.test>", &["<dmarc-reports@home.test>"], &sent).await;
    }
    let found = reports(&house);
    let mut reasons: Vec<&str> = found.iter().map(why).collect();
    reasons.sort_unstable();
    let to_come = "the report tells of a time that is still to come";
    assert_eq!(reasons, ["the report tells of a time more than 400 days ago", to_come, to_come]);
}

#[tokio::test]
async fn a_report_about_a_subdomain_is_ours_and_about_a_lookalike_is_not() {
    let house = House::build().await;
    send(&house, "<x@world.test>", &["<dmarc-reports@home.test>"], &dmarc("shop.home.test")).await;
    assert_eq!(reports(&house)[0].head.domains, [domain("home.test")]);
    send(&house, "<x@world.test>", &["<dmarc-reports@home.test>"], &dmarc("myhome.test")).await;
    assert_eq!(reports(&house).iter().filter(|entry| entry.head.gist.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_notice_about_a_report_of_ours_is_dropped() {
    let house = House::build().await;
    send(&house, "<>", &["<dmarc-reports@home.test>"], LETTER).await;
    house.told("dmarc-reports@home.test", "it is dropped").await;
    assert_eq!(reports(&house), []);
}

#[tokio::test]
async fn a_letter_too_large_for_a_report_is_not_looked_into() {
    let house = House::build().await;
    let large = LETTER.to_owned() + &format!("{}\r\n", "x".repeat(900)).repeat(12_000);
    send(&house, "<x@world.test>", &["<dmarc-reports@home.test>"], &large).await;
    assert_eq!(why(&reports(&house)[0]), "it is larger than 10 MiB");
}
