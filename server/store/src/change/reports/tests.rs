//! What a damaged record may not do.

#![allow(clippy::unwrap_used)]
use mailstead_message::{Domain, TraceId};
use redb::ReadableTableMetadata as _;

use crate::engine::transact;
use crate::{Acceptance, Brought, Findings, NewReport, Options, Prepared, Report, Store, StoreError, Timestamp};

use super::*;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn report(number: i64, about: &[&str], at: Timestamp) -> NewReport {
    let trace = TraceId::new(1_700_000_000, 1);
    let brought = Brought { at, trace, from: None, proved: Some(domain("provider.test")) };
    let whole = Report {
        organisation: "provider.test".to_owned(),
        contact: String::new(),
        id: number.to_string(),
        begin: 1_700_000_000,
        end: 1_700_086_399,
        findings: Findings::Dmarc(Vec::new()),
        untold: 0,
    };
    NewReport::new(brought, about.iter().map(|name| domain(name)).collect(), whole).unwrap()
}

fn letter(report: NewReport) -> Acceptance {
    Acceptance {
        message: Prepared::from_bytes(b"").unwrap(),
        trace: TraceId::new(1_700_000_000, 1),
        received: Timestamp(1),
        deliveries: Vec::new(),
        queue: Vec::new(),
        story: Vec::new(),
        report: Some(report),
    }
}

async fn store(folder: &std::path::Path) -> Store {
    let store = Store::open(folder, Options::default()).unwrap();
    for name in ["home.test", "shop.test"] {
        store.add_domain(domain(name)).await.unwrap();
    }
    store
}

fn damage(store: &Store, id: u64) {
    let write = |change: &mut Change<'_>| {
        change.write_side(v2::REPORTS)?.insert(id, &[0xff_u8; 40][..])?;
        Ok(())
    };
    transact(store.shared(), write).unwrap();
}

/// Records, and rows of the index.
fn left(store: &Store) -> (u64, u64) {
    let count = |change: &mut Change<'_>| {
        Ok::<_, StoreError>((change.side(v2::REPORTS)?.len()?, change.side(v2::REPORT_DOMAINS)?.len()?))
    };
    transact(store.shared(), count).unwrap()
}

fn names(store: &Store, about: &str) -> Vec<String> {
    let listed = store.reports(Some(&domain(about)), 100).unwrap();
    listed.into_iter().map(|entry| entry.head.gist.unwrap().name).collect()
}

#[tokio::test]
async fn a_damaged_report_stops_neither_letters_nor_lists_nor_chores() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let now = crate::now();
    for number in 1..=3 {
        store.accept(vec![letter(report(number, &["home.test", "shop.test"], now))]).await.unwrap();
    }
    damage(&store, 2);
    store.accept(vec![letter(report(4, &["home.test"], now))]).await.unwrap();
    assert_eq!(names(&store, "home.test"), ["4", "3", "1"]);
    assert_eq!(store.reports(None, 100).unwrap().len(), 3);
    assert!(matches!(store.report(2), Err(StoreError::Damaged(_))));
    damage(&store, 1);
    store.tidy().await.unwrap();
    assert_eq!(left(&store), (2, 3), "what stands before the first that is still news is dropped");
    damage(&store, 4);
    store.remove_domain(&domain("home.test")).await.unwrap();
    assert_eq!((names(&store, "shop.test"), left(&store)), (vec!["3".to_owned()], (1, 1)));
}

#[tokio::test]
async fn a_report_that_came_while_the_clock_was_wrong_keeps_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let now = crate::now();
    let days = |days: i64| Timestamp(now.0 + days * 86_400);
    for (number, at) in [(1, days(9_000)), (2, days(-500)), (3, now), (4, days(-500))] {
        store.accept(vec![letter(report(number, &["home.test"], at))]).await.unwrap();
    }
    store.tidy().await.unwrap();
    assert_eq!(names(&store, "home.test"), ["4", "3", "1"]);
}
