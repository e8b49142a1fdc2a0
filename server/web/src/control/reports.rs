//! Reports about our domains, shown; reports we owe, sent by hand.

mod digest;
mod words;

use mailstead_message::Domain;
use mailstead_message::report::ReportKind;
use mailstead_outbound::Sent;
use mailstead_store::{Day, Head, ReportEntry, Store, StoreError, Timestamp};

pub use digest::{DayDigest, ReportDigest, SourceDigest};

use super::operator::{Operator, done, time};
use super::protocol::{Answer, Request};
use super::views::{ReportDetail, ReportView};

/// The most reports listed at once.
const MAX_REPORTS: usize = 1_000;
/// Seconds for which a report is news.
const NEWS: i64 = 30 * 24 * 60 * 60;

impl Operator {
    pub(super) async fn report(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::ReportShow { id } => self.show(id),
            Request::ReportSend { day } => self.send(day.as_deref()).await,
            Request::ReportSending { on } => {
                self.store.set_sends_reports(on).await?;
                done(match on {
                    true => "Reports are sent each day to the domains that ask for them.".to_owned(),
                    false => "No reports are sent any more, unless by hand.".to_owned(),
                })
            }
            Request::ReportDigest { domain } => {
                if let Some(domain) = &domain {
                    self.store.require_domain(domain)?;
                }
                let (store, now) = (self.store.clone(), Timestamp(jiff::Timestamp::now().as_second()));
                let digest = tokio::task::spawn_blocking(move || digest::digest(&store, domain.as_ref(), now));
                let digest = digest.await.map_err(|error| StoreError::Io(error.to_string()))??;
                Ok(Answer::ReportDigest(digest))
            }
            Request::ReportList { domain, limit } => self.list(domain.as_ref(), limit),
            _ => self.list(None, MAX_REPORTS),
        }
    }

    fn list(&self, domain: Option<&Domain>, limit: usize) -> Result<Answer, StoreError> {
        if let Some(domain) = domain {
            self.store.require_domain(domain)?;
        }
        let reports = self.store.reports(domain, limit.clamp(1, MAX_REPORTS))?;
        Ok(Answer::Reports(reports.into_iter().map(|ReportEntry { id, head }| view(id, head)).collect()))
    }

    fn show(&self, id: u64) -> Result<Answer, StoreError> {
        let found = self.store.report(id)?;
        let (head, report) = found.ok_or_else(|| StoreError::NotFound(format!("the report {id}")))?;
        let sentences = match (&report, &head.gist) {
            (Some(report), _) => words::of(report),
            (None, Err(why)) => vec![format!("It can't be read as a report: {why}.")],
            (None, Ok(_)) => Vec::new(),
        };
        Ok(Answer::Report(Box::new(ReportDetail {
            trace: head.brought.trace.to_string(),
            view: view(id, head),
            sentences,
            report,
        })))
    }

    async fn send(&self, day: Option<&str>) -> Result<Answer, StoreError> {
        let day = day.map(parse_day).transpose()?;
        let reporter = self.reporter.as_ref().ok_or_else(|| {
            StoreError::Invalid("The server is not running: reports are sent by a running one.".to_owned())
        })?;
        let sent = reporter.send(day).await?;
        if sent.is_empty() {
            let when = if day.is_some() { "for that day" } else { "for any day that has ended" };
            return done(format!("There is no report to be sent {when}."));
        }
        Ok(Answer::Sentences(sent.iter().map(Sent::to_string).collect()))
    }
}

/// How many of the latest reports tell of trouble: with letters in our names, and with TLS on the way to us. What
/// anybody may have sent alarms nobody.
pub(super) fn of_trouble(store: &Store) -> Result<(usize, usize), StoreError> {
    let since = jiff::Timestamp::now().as_second().saturating_sub(NEWS);
    let latest = store.reports(None, MAX_REPORTS)?.into_iter().map(|entry| entry.head);
    let troubling = latest.filter(|head| {
        head.brought.at.0 >= since && head.brought.proved.is_some() && head.gist.as_ref().is_ok_and(|gist| gist.bad > 0)
    });
    Ok(troubling.fold((0, 0), |(letters, tls), head| match head.kind {
        ReportKind::Dmarc => (letters + 1, tls),
        ReportKind::Tls => (letters, tls + 1),
    }))
}

fn parse_day(text: &str) -> Result<Day, StoreError> {
    let date: jiff::civil::Date =
        text.parse().map_err(|_| StoreError::Invalid(format!("{text} is no day: write it as 2026-11-25.")))?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| StoreError::Invalid(error.to_string()))?;
    Ok(Day::of(Timestamp(midnight.timestamp().as_second())))
}

fn view(id: u64, head: Head) -> ReportView {
    let (gist, problem) = match head.gist {
        Ok(gist) => (Some(gist), None),
        Err(why) => (None, Some(why)),
    };
    let at = |second: i64| time(Timestamp(second));
    ReportView {
        id,
        received: time(head.brought.at),
        proved: head.brought.proved.as_ref().map(Domain::to_unicode),
        from: head.brought.from.map(|address| address.to_string()),
        kind: kind(head.kind),
        domains: head.domains.iter().map(Domain::to_unicode).collect(),
        organisation: gist.as_ref().map(|gist| gist.organisation.clone()),
        name: gist.as_ref().map(|gist| gist.name.clone()),
        begin: gist.as_ref().map(|gist| at(gist.begin)),
        end: gist.as_ref().map(|gist| at(gist.end)),
        good: gist.as_ref().map(|gist| gist.good),
        bad: gist.as_ref().map(|gist| gist.bad),
        problem,
    }
}

fn kind(kind: ReportKind) -> String {
    kind.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mailstead_message::TraceId;
    use mailstead_message::report::{Findings, Report, TlsFailure, TlsOutcome, TlsPolicy, TlsResult};
    use mailstead_store::{Acceptance, Brought, NewReport, Options, Prepared};

    use super::*;

    fn report(at: i64, proved: bool, kind: ReportKind, bad: u64) -> NewReport {
        let domain = Domain::parse("home.test").unwrap();
        let from = proved.then(|| Domain::parse("world.test").unwrap());
        let trace = TraceId::new(1, 1);
        let brought = Brought { at: Timestamp(at), trace, from: None, proved: from };
        let row = TlsOutcome { domain: domain.clone(), policy: TlsPolicy::NotFound, failure: None };
        let failure = TlsFailure {
            result: TlsResult::CertificateExpired,
            sending_ip: None,
            mx: None,
            helo: None,
            receiving_ip: None,
            reason: None,
        };
        let failed = TlsOutcome { failure: Some(failure), ..row.clone() };
        let findings = match kind {
            ReportKind::Tls => Findings::Tls(vec![(row, 1), (failed, bad)]),
            ReportKind::Dmarc => Findings::Dmarc(Vec::new()),
        };
        let report = Report {
            organisation: "world.test".to_owned(),
            contact: String::new(),
            id: format!("{at} {proved} {bad}"),
            begin: at,
            end: at,
            findings,
            untold: 0,
        };
        NewReport::new(brought, vec![domain], report).unwrap()
    }

    #[tokio::test]
    async fn fresh_and_proved_trouble_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), Options::default()).unwrap();
        let now = jiff::Timestamp::now().as_second();
        for report in [
            report(now, true, ReportKind::Tls, 2),
            report(now - NEWS - 60, true, ReportKind::Tls, 2),
            report(now, false, ReportKind::Tls, 2),
            report(now, true, ReportKind::Tls, 0),
            report(now, true, ReportKind::Dmarc, 0),
        ] {
            let letter = Acceptance {
                message: Prepared::from_bytes(b"").unwrap(),
                trace: TraceId::new(1, 1),
                received: Timestamp(now),
                deliveries: Vec::new(),
                queue: Vec::new(),
                story: Vec::new(),
                report: Some(report),
            };
            store.accept(vec![letter]).await.unwrap();
        }
        assert_eq!(of_trouble(&store).unwrap(), (0, 1));
    }

    #[test]
    fn a_day_is_a_date() {
        assert_eq!(parse_day("2024-10-04").ok(), Some(Day(20_000)));
        for text in ["", "today", "2024-13-01", "20000", "2024-10-04T00:00:00Z x"] {
            assert!(parse_day(text).is_err(), "{text}");
        }
    }
}
