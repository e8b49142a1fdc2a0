//! How the DMARC policy may grow, step by step, by what receivers have reported.

use std::net::IpAddr;

use mailstead_auth::check::{Policy, Record};
use mailstead_message::Domain;
use mailstead_message::report::{DmarcOutcome, DmarcPolicy, Findings, Report, ReportKind};
use mailstead_store::{Store, StoreError};

use super::list::dmarc_text;
use super::told::Growth;

/// Reports that are looked at, newest first.
const MAX_REPORTS: usize = 300;
/// Seconds they go back: what was wrong two months ago has been mended or shows again.
const SPAN: i64 = 60 * DAY;
/// Seconds of reports under a policy before it grows: two weeks hold everybody's habits, newsletters included.
const PATIENCE: i64 = 14 * DAY;
/// Letters that must have passed under it: a household writes few, and none that failed counts for more.
const ENOUGH: u64 = 5;
const DAY: i64 = 24 * 60 * 60;

/// What the reports say of letters in the domain's name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    reports: usize,
    passed: u64,
    own_failed: u64,
    others_failed: u64,
    /// The same under the policy that is published now, and the time they cover.
    passed_now: u64,
    begin: Option<i64>,
    end: i64,
}

impl Tally {
    fn add(&mut self, report: &Report, domain: &Domain, own: &[IpAddr], policy: Option<DmarcPolicy>) {
        let Findings::Dmarc(rows) = &report.findings else { return };
        let rows = rows.iter().filter(|(row, _)| row.header_from == *domain || row.domain == *domain);
        let mut heard = false;
        for (row, count) in rows {
            heard = true;
            self.count(row, *count, own);
            if Some(row.published.policy) == policy {
                self.passed_now += if row.passed() { *count } else { 0 };
                self.begin = Some(self.begin.map_or(report.begin, |begin| begin.min(report.begin)));
                self.end = self.end.max(report.end);
            }
        }
        self.reports += usize::from(heard);
    }

    fn count(&mut self, row: &DmarcOutcome, count: u64, own: &[IpAddr]) {
        let sum = match (row.passed(), own.contains(&row.source.to_canonical())) {
            (true, _) => &mut self.passed,
            (false, true) => &mut self.own_failed,
            (false, false) => &mut self.others_failed,
        };
        *sum = sum.saturating_add(count);
    }

    /// Seconds of reports under the present policy.
    fn covers(&self) -> i64 {
        self.begin.map_or(0, |begin| self.end.saturating_sub(begin))
    }
}

/// Says how the policy may grow. `published` is the record that stands in DNS now, if it is sound.
///
/// # Errors
/// The store can't be read.
pub(super) fn growth(
    store: &Store,
    domain: &Domain,
    own: &[IpAddr],
    published: Option<&str>,
    now: i64,
) -> Result<Growth, StoreError> {
    let record = published.and_then(|text| Record::parse(text.as_bytes())).filter(|record| record.valid);
    let policy = record.as_ref().map(|record| record.policy);
    let mut tally = Tally::default();
    for entry in store.reports(Some(domain), MAX_REPORTS)? {
        let head = &entry.head;
        // Anybody can send a report in anybody's name.
        let counts = head.kind == ReportKind::Dmarc && head.brought.proved.is_some() && head.brought.at.0 >= now - SPAN;
        if let (true, Some((_, Some(report)))) = (counts, store.report(entry.id)?) {
            tally.add(&report, domain, own, policy.map(reported));
        }
    }
    let (sentence, next) = step(&tally, domain, published, record.as_ref());
    let Tally { reports, passed, own_failed, others_failed, .. } = tally;
    let policy = policy.map(|policy| policy.word().to_owned());
    Ok(Growth { policy, reports, passed, own_failed, others_failed, sentence, next })
}

fn reported(policy: Policy) -> DmarcPolicy {
    match policy {
        Policy::None => DmarcPolicy::None,
        Policy::Quarantine => DmarcPolicy::Quarantine,
        Policy::Reject => DmarcPolicy::Reject,
    }
}

fn step(tally: &Tally, domain: &Domain, published: Option<&str>, record: Option<&Record>) -> (String, Option<String>) {
    let Some(record) = record else {
        return ("First publish a DMARC record: reports come from then on.".to_owned(), None);
    };
    let next = match record.policy {
        Policy::Reject => {
            return ("Your policy is as strict as it gets: forged mail in your name is refused.".to_owned(), None);
        }
        Policy::None => Policy::Quarantine,
        Policy::Quarantine => Policy::Reject,
    };
    if tally.own_failed > 0 {
        let text = format!(
            "{} of this server failed at their receivers. Mend the records above first: with a stricter policy such \
             letters would be lost.",
            letters(tally.own_failed)
        );
        return (text, None);
    }
    if tally.reports == 0 {
        let text = if record.wants_reports {
            "No report has come yet. Receivers send them once a day, after somebody has written to them: look again in \
             some days."
        } else {
            "Nobody is asked for reports, so nothing is known of mail in your name: add rua= to the record."
        };
        return (text.to_owned(), None);
    }
    let others = match tally.others_failed {
        0 => String::new(),
        failed => format!(
            " {} from elsewhere claimed to be yours and failed: forgeries, unless a service sends for you. Look at the \
             reports, and put such a service into SPF first.",
            letters(failed)
        ),
    };
    if tally.covers() < PATIENCE || tally.passed_now < ENOUGH {
        let text = format!(
            "So far {} of yours passed. Wait until there are two weeks of reports and {ENOUGH} letters under this policy.",
            letters(tally.passed)
        );
        return (text + &others, None);
    }
    let what = match next {
        Policy::Quarantine => "put forged mail among the junk (p=quarantine)",
        _ => "refuse forged mail (p=reject)",
    };
    let text = format!(
        "For two weeks all letters of this server passed ({}). It is time to let others {what}.",
        letters(tally.passed_now)
    );
    (text + &others, Some(grown(domain, published, next)))
}

/// The record with the next policy, and all else of it as it was. `pct` is gone (RFC 9989).
fn grown(domain: &Domain, published: Option<&str>, next: Policy) -> String {
    let Some(text) = published else { return dmarc_text(domain, next) };
    let tags = text.split(';').map(str::trim).filter(|tag| !tag.is_empty());
    let kept = tags.filter_map(|tag| match tag.split('=').next().map(str::trim) {
        Some("p") => Some(format!("p={}", next.word())),
        Some("pct") => None,
        _ => Some(tag.to_owned()),
    });
    kept.collect::<Vec<_>>().join("; ")
}

fn letters(count: u64) -> String {
    if count == 1 { "1 letter".to_owned() } else { format!("{count} letters") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const NONE: &str = "v=DMARC1; p=none; pct=50; rua=mailto:dmarc-reports@home.test,mailto:me@x.test";

    fn of(tally: Tally, text: Option<&str>) -> (String, Option<String>) {
        let record = text.and_then(|text| Record::parse(text.as_bytes()));
        step(&tally, &Domain::parse("home.test").unwrap(), text, record.as_ref())
    }

    #[test]
    fn a_policy_grows_when_two_weeks_of_reports_show_nothing_wrong() {
        let good = Tally { reports: 14, passed: 9, passed_now: 9, begin: Some(0), end: PATIENCE, ..Tally::default() };
        let (text, next) = of(good, Some(NONE));
        assert!(text.contains("It is time"), "{text}");
        let quarantine = "v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@home.test,mailto:me@x.test";
        assert_eq!(next.as_deref(), Some(quarantine));
        let (_, next) = of(good, Some(quarantine));
        assert_eq!(next.as_deref(), Some("v=DMARC1; p=reject; rua=mailto:dmarc-reports@home.test,mailto:me@x.test"));
        let (text, next) = of(Tally { others_failed: 3, ..good }, Some(NONE));
        assert!(text.contains("3 letters from elsewhere") && next.is_some(), "{text}");
        for (tally, words) in [
            (Tally { own_failed: 1, ..good }, "1 letter of this server failed"),
            (Tally { end: PATIENCE - 1, ..good }, "Wait until"),
            (Tally { passed_now: ENOUGH - 1, ..good }, "Wait until"),
            (Tally::default(), "No report has come yet"),
        ] {
            let (text, next) = of(tally, Some(NONE));
            assert!(text.contains(words) && next.is_none(), "{text}");
        }
        assert!(of(good, None).0.contains("First publish"));
        assert!(of(good, Some("v=DMARC1; p=reject")).0.contains("as strict as it gets"));
        assert!(of(Tally::default(), Some("v=DMARC1; p=none")).0.contains("Nobody is asked"));
    }
}
