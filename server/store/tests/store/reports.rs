//! What others report about our domains: kept, listed, and dropped in time.

use mailstead_message::{Address, Domain};
use mailstead_store::*;

use crate::world::{World, acceptance, options, trace};

const CAME: Timestamp = Timestamp(1_700_090_000);

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn row(source: u32, passed: bool) -> DmarcOutcome {
    DmarcOutcome {
        domain: domain("home.test"),
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
        source: std::net::Ipv4Addr::from_bits(source).into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: passed,
        spf_aligned: false,
        overrides: Vec::new(),
        header_from: domain("home.test"),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
    }
}

fn report(name: &str, begin: i64, rows: Vec<(DmarcOutcome, u64)>) -> Report {
    Report {
        organisation: "provider.test".to_owned(),
        contact: "postmaster@provider.test".to_owned(),
        id: name.to_owned(),
        begin,
        end: begin + 86_399,
        findings: Findings::Dmarc(rows),
        untold: 0,
    }
}

fn brought(at: Timestamp, proved: Option<&str>) -> Brought {
    let from = Address::parse("noreply@provider.test").ok();
    Brought { at, trace: trace(1), from, proved: proved.map(domain) }
}

fn new(report: Report, domains: &[&str], came: Timestamp) -> NewReport {
    let domains = domains.iter().map(|name| domain(name)).collect();
    NewReport::new(brought(came, Some("provider.test")), domains, report).unwrap()
}

/// As anybody may send it in the provider's name.
fn forged(report: Report) -> NewReport {
    NewReport::new(brought(CAME, None), vec![domain("home.test")], report).unwrap()
}

fn rubbish(number: i64, came: Timestamp) -> NewReport {
    let brought = brought(Timestamp(came.0 + number), None);
    NewReport::unreadable(brought, domain("home.test"), ReportKind::Tls, &format!("{number}"))
}

async fn add(world: &World, reports: impl IntoIterator<Item = NewReport>) {
    let acceptances = reports.into_iter().map(|report| {
        let mut letter = acceptance(b"", Vec::new());
        letter.report = Some(report);
        letter
    });
    world.store.accept(acceptances.collect()).await.unwrap();
}

fn names(world: &World, about: Option<&str>) -> Vec<String> {
    let about = about.map(domain);
    let listed = world.store.reports(about.as_ref(), 10_000).unwrap();
    listed.into_iter().map(|entry| entry.head.gist.map_or_else(|why| format!("!{why}"), |gist| gist.name)).collect()
}

#[tokio::test]
async fn a_report_is_listed_under_each_of_its_domains_and_told_in_full() {
    let world = World::new(options()).await;
    let whole = report("one", 1_700_000_000, vec![(row(1, true), 30), (row(2, false), 1)]);
    add(&world, [new(whole.clone(), &["home.test", "shop.test"], CAME)]).await;
    add(&world, [new(report("older", 1_600_000_000, Vec::new()), &["home.test"], CAME), rubbish(0, CAME)]).await;
    let world = world.reopened(|_| {});
    assert_eq!(names(&world, None), ["!0", "older", "one"], "the latest first");
    assert_eq!(names(&world, Some("home.test")), ["!0", "one", "older"], "by the time they are about");
    assert_eq!(names(&world, Some("shop.test")), ["one"]);
    assert_eq!(names(&world, Some("far.test")), Vec::<String>::new());
    let entry = world.store.reports(Some(&domain("shop.test")), 1).unwrap().remove(0);
    let gist = entry.head.gist.clone().unwrap();
    assert_eq!((gist.good, gist.bad, gist.organisation.as_str()), (30, 1, "provider.test"));
    assert_eq!(world.store.report(entry.id).unwrap(), Some((entry.head, Some(whole))));
    assert_eq!(world.store.report(999).unwrap(), None);
}

#[tokio::test]
async fn a_report_that_comes_again_is_kept_once() {
    let world = World::new(options()).await;
    let again = || new(report("one", 1_700_000_000, Vec::new()), &["home.test"], CAME);
    add(&world, [again(), again()]).await;
    add(&world, [again(), new(report("two", 1_700_000_000, Vec::new()), &["home.test"], CAME)]).await;
    assert_eq!(names(&world, Some("home.test")), ["two", "one"]);
}

#[tokio::test]
async fn whoever_guesses_a_reports_name_keeps_it_from_nobody() {
    let world = World::new(options()).await;
    add(&world, [forged(report("one", 1_700_000_000, Vec::new()))]).await;
    let whole = report("one", 1_700_000_000, vec![(row(1, true), 30)]);
    add(&world, [new(whole, &["home.test"], CAME)]).await;
    let kept = world.store.reports(None, 10).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].head.brought.proved, Some(domain("provider.test")));
}

#[tokio::test]
async fn rubbish_drives_out_rubbish_alone() {
    let world = World::new(options()).await;
    add(&world, [new(report("one", 1_600_000_000, Vec::new()), &["home.test"], CAME)]).await;
    add(&world, (0..250).map(|number| rubbish(number, CAME))).await;
    let left = names(&world, Some("home.test"));
    assert_eq!(left.len(), 201);
    assert_eq!((left[0].as_str(), left[199].as_str(), left[200].as_str()), ("!249", "!50", "one"));
    assert_eq!(names(&world, None).len(), 201);
    // Nor can reports of a far future that nobody proved to be theirs.
    let far = |number: i64| report("far", 9_000_000_000_000_000_000 + number, Vec::new());
    add(&world, (0..2_100).map(|number| forged(far(number)))).await;
    let left = names(&world, Some("home.test"));
    assert_eq!((left.len(), left.last().map(String::as_str)), (201, Some("one")));
}

#[tokio::test]
async fn whoever_floods_us_from_names_of_their_own_drives_out_their_own_alone() {
    let world = World::new(options()).await;
    let year = |from: &'static str| {
        (0..365).map(move |day| {
            let brought = brought(CAME, Some(from));
            NewReport::new(brought, vec![domain("home.test")], report(from, day * 86_400, Vec::new())).unwrap()
        })
    };
    add(&world, year("google.test").chain(year("mail.yahoo.test"))).await;
    let flood = (0..1_400).map(|number| {
        let brought = brought(CAME, Some(&format!("mx{number}.evil.test")));
        let begin = CAME.0 + number;
        NewReport::new(brought, vec![domain("home.test")], report("evil", begin, Vec::new())).unwrap()
    });
    add(&world, flood).await;
    add(&world, [new(report("last", 0, Vec::new()), &["home.test"], CAME)]).await;
    let left = names(&world, Some("home.test"));
    let count = |name: &str| left.iter().filter(|left| *left == name).count();
    assert_eq!(left.len(), 2_000);
    assert_eq!((count("google.test"), count("mail.yahoo.test"), count("last")), (365, 365, 1));
}

#[tokio::test]
async fn one_domains_too_many_reports_take_nothing_from_another() {
    let world = World::new(options()).await;
    world.store.add_domain(domain("shop.test")).await.unwrap();
    add(&world, [new(report("both", 0, Vec::new()), &["home.test", "shop.test"], CAME)]).await;
    add(&world, (1..=2_000).map(|day| new(report("x", day * 86_400, Vec::new()), &["home.test"], CAME))).await;
    assert!(!names(&world, Some("home.test")).contains(&"both".to_owned()));
    assert_eq!(names(&world, Some("shop.test")), ["both"]);
    world.store.remove_domain(&domain("home.test")).await.unwrap();
    let left = world.store.reports(None, 10).unwrap();
    assert_eq!(left[0].head.domains, [domain("shop.test")]);
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn a_report_that_packs_well_is_cut_to_what_can_be_unpacked_again() {
    let world = World::new(options()).await;
    let long = "a".repeat(255);
    let rows = (0..10_000_u32).map(|number| {
        let mut row = row(number, false);
        row.dkim = vec![DkimAuth { domain: long.clone(), selector: long.clone(), result: AuthResult::Fail }; 4];
        (row, u64::MAX)
    });
    add(&world, [new(report("long", 1_700_000_000, rows.collect()), &["home.test"], CAME)]).await;
    let (_, kept) = world.store.report(world.store.reports(None, 1).unwrap()[0].id).unwrap().unwrap();
    let kept = kept.unwrap();
    let Findings::Dmarc(rows) = kept.findings else { panic!("it is DMARC's") };
    assert!((1..10_000).contains(&rows.len()), "{}", rows.len());
    assert_eq!(kept.untold, u64::MAX);
}

#[tokio::test]
async fn too_many_reports_drop_the_oldest() {
    let world = World::new(options()).await;
    add(&world, (0..2_010).map(|day| new(report("x", day * 86_400, Vec::new()), &["home.test"], CAME))).await;
    let left = world.store.reports(Some(&domain("home.test")), 10_000).unwrap();
    assert_eq!(left.len(), 2_000);
    assert_eq!(left.last().unwrap().head.gist.as_ref().unwrap().begin, 10 * 86_400);
}

#[tokio::test]
async fn of_a_huge_report_the_frequent_rows_are_kept_and_the_others_counted() {
    let world = World::new(options()).await;
    let mut state = 1_u32;
    let rows = (0..10_000_u32).map(|number| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut row = row(state, false);
        row.dkim.push(DkimAuth {
            domain: format!("{state:x}{:x}.test", state.rotate_left(13) ^ number),
            selector: format!("{:x}", state.wrapping_mul(2_654_435_761)),
            result: AuthResult::Fail,
        });
        (row, u64::from(number) + 1)
    });
    let rows: Vec<_> = rows.collect();
    let total: u64 = rows.iter().map(|(_, count)| count).sum();
    add(&world, [new(report("huge", 1_700_000_000, rows), &["home.test"], CAME)]).await;
    let id = world.store.reports(None, 1).unwrap()[0].id;
    let (head, kept) = world.store.report(id).unwrap().unwrap();
    let kept = kept.unwrap();
    let Findings::Dmarc(rows) = kept.findings else { panic!("it is DMARC's") };
    assert_eq!(head.gist.unwrap().bad, total);
    assert!(rows.len() < 10_000 && rows[0].1 == 10_000, "{}", rows.len());
    assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>() + kept.untold, total);
}

#[tokio::test]
async fn old_reports_are_forgotten_and_those_of_a_removed_domain() {
    let world = World::new(options()).await;
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let old = Timestamp(now.0 - 401 * 86_400);
    add(&world, (0..300).map(|day| new(report("old", day, Vec::new()), &["home.test"], old))).await;
    add(&world, [new(report("new", 5, Vec::new()), &["home.test"], now)]).await;
    world.store.tidy().await.unwrap();
    assert_eq!(names(&world, None), ["new"]);
    assert_eq!(names(&world, Some("home.test")), ["new"]);
    world.store.remove_domain(&domain("home.test")).await.unwrap();
    assert_eq!(names(&world, None), Vec::<String>::new());
}
