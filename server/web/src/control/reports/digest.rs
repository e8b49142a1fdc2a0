//! What the reports of a month tell together.

use std::collections::BTreeMap;

use mailstead_message::Domain;
use mailstead_message::report::{Findings, Report, ReportKind};
use mailstead_store::{Day, Store, StoreError, Timestamp};
use serde::{Deserialize, Serialize};

/// Days told of.
const DAYS: u32 = 30;
/// Reports looked at.
const MAX_REPORTS: usize = 1_000;
/// Reports opened to see who sent in our names.
const MAX_OPENED: usize = 60;
/// Senders told of.
const MAX_SOURCES: usize = 10;

/// What the reports of a month tell together. Only what is proved to be from who sent it counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportDigest {
    /// Day by day, oldest first.
    pub days: Vec<DayDigest>,
    /// Who sent letters in our names, the most active first.
    pub sources: Vec<SourceDigest>,
}

/// A day's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DayDigest {
    /// The day (`2026-11-25`, UTC).
    pub day: String,
    /// Letters proved to be ours.
    pub letters_good: u64,
    /// The others.
    pub letters_bad: u64,
    /// Connections to us with TLS as it should be.
    pub tls_good: u64,
    /// The others.
    pub tls_bad: u64,
}

/// An address that sent letters in our names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDigest {
    /// The address.
    pub address: String,
    /// Letters proved to be ours.
    pub good: u64,
    /// The others.
    pub bad: u64,
}

/// The digest of one domain, or of all.
pub(super) fn digest(store: &Store, domain: Option<&Domain>, now: Timestamp) -> Result<ReportDigest, StoreError> {
    let today = Day::of(now).0;
    let first = today.saturating_sub(DAYS - 1);
    let mut days: Vec<DayDigest> =
        (first..=today).map(|day| DayDigest { day: date(Day(day)), ..DayDigest::default() }).collect();
    let (mut sources, mut opened) = (BTreeMap::<String, (u64, u64)>::new(), 0);
    for entry in store.reports(domain, MAX_REPORTS)? {
        let Ok(gist) = &entry.head.gist else { continue };
        // A report of a day may begin and end somewhat beside it, by the clock of who made it.
        let middle = gist.begin.saturating_add(gist.end.saturating_sub(gist.begin) / 2);
        let index = Day::of(Timestamp(middle)).0.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some(day) = index.and_then(|index| days.get_mut(index)) else { continue };
        if entry.head.brought.proved.is_none() {
            continue;
        }
        let (good, bad) = match entry.head.kind {
            ReportKind::Dmarc => (&mut day.letters_good, &mut day.letters_bad),
            ReportKind::Tls => (&mut day.tls_good, &mut day.tls_bad),
        };
        *good = good.saturating_add(gist.good);
        *bad = bad.saturating_add(gist.bad);
        if entry.head.kind == ReportKind::Dmarc && opened < MAX_OPENED {
            opened += 1;
            if let Some((_, Some(report))) = store.report(entry.id)? {
                count(&report, &mut sources);
            }
        }
    }
    let sources = sources.into_iter().map(|(address, (good, bad))| SourceDigest { address, good, bad });
    let mut sources: Vec<SourceDigest> = sources.collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.good.saturating_add(source.bad)));
    sources.truncate(MAX_SOURCES);
    Ok(ReportDigest { days, sources })
}

fn count(report: &Report, sources: &mut BTreeMap<String, (u64, u64)>) {
    let Findings::Dmarc(rows) = &report.findings else { return };
    for (row, letters) in rows {
        let (good, bad) = sources.entry(row.source.to_canonical().to_string()).or_default();
        let sum = if row.passed() { good } else { bad };
        *sum = sum.saturating_add(*letters);
    }
}

fn date(day: Day) -> String {
    jiff::Timestamp::from_second(day.begin().0)
        .map_or_else(|_| day.0.to_string(), |at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}
