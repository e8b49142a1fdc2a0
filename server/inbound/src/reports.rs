//! Letters that bring reports about our domains: read, stored as reports, and put into no mailbox.

use std::ops::ControlFlow;

use mailstead_auth::report::{Findings, MAX_LETTER, Report, ReportKind, Unreadable, unpack};
use mailstead_message::Domain;
use mailstead_store::{Brought, NewReport, REPORT_DAYS, Store, StoreError};

use crate::Letter;

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A letter to one of the addresses that take reports.
pub(crate) struct Bringer<'a> {
    pub(crate) letter: &'a Letter,
    /// What the address takes.
    pub(crate) kind: ReportKind,
    /// The address's domain.
    pub(crate) domain: &'a Domain,
    pub(crate) brought: Brought,
}

/// What became of it.
pub(crate) struct Taken {
    /// To be stored.
    pub(crate) report: Option<NewReport>,
    /// A sentence for the story.
    pub(crate) told: String,
}

impl Bringer<'_> {
    /// Reads the report. One that can't be read is nobody's reason to refuse the letter: it is kept as such, with the
    /// reason. Costs CPU.
    ///
    /// # Errors
    /// The spool or the store can't be read.
    pub(crate) fn take(&self, store: &Store) -> Result<Taken, StoreError> {
        match self.read()? {
            Ok(report) => self.keep(store, report),
            // The other end of our own reports: what could not be delivered, somebody's absence.
            Err(_) if self.brought.from.is_none() => Ok(Taken {
                report: None,
                told: "It brings no report; as notices to this address are read by nobody, it is dropped.".to_owned(),
            }),
            Err(why) => Ok(self.unreadable(&why.to_string())),
        }
    }

    fn read(&self) -> Result<Result<Report, Unreadable>, StoreError> {
        if self.letter.size() > MAX_LETTER {
            return Ok(Err(Unreadable::TooLarge));
        }
        let mut message = self.letter.header().to_vec();
        let _ = self.letter.read_body(|block| {
            message.extend_from_slice(block);
            ControlFlow::<()>::Continue(())
        })?;
        Ok(unpack::read(&message))
    }

    fn keep(&self, store: &Store, report: Report) -> Result<Taken, StoreError> {
        let now = self.brought.at.0;
        if report.end < now.saturating_sub(REPORT_DAYS * DAY) {
            return Ok(self.unreadable(&format!("the report tells of a time more than {REPORT_DAYS} days ago")));
        }
        // A report of today may come before the day is over.
        if report.begin > now.saturating_add(DAY) || report.end > now.saturating_add(2 * DAY) {
            return Ok(self.unreadable("the report tells of a time that is still to come"));
        }
        let ours: Vec<Domain> = store.domains()?.into_iter().map(|domain| domain.name).collect();
        let (report, domains) = about(report, &ours);
        if domains.is_empty() {
            return Ok(self.unreadable("the report is about none of our domains"));
        }
        let kind = match report.findings.kind() {
            ReportKind::Tls => "how TLS went with",
            ReportKind::Dmarc => "letters in the name of",
        };
        let names: Vec<String> = domains.iter().map(Domain::to_unicode).collect();
        let (who, id) = (report.organisation.escape_debug(), report.id.escape_debug());
        let told = format!("It brings the report {id} of {who} on {kind} {}.", names.join(" and "));
        let report = NewReport::new(self.brought.clone(), domains, report)?;
        Ok(Taken { report: Some(report), told })
    }

    fn unreadable(&self, why: &str) -> Taken {
        let report = NewReport::unreadable(self.brought.clone(), self.domain.clone(), self.kind, why);
        Taken { report: Some(report), told: format!("It should bring a report, but can't be read as one: {why}.") }
    }
}

/// What of a report is about domains of ours, and which these are.
fn about(mut report: Report, ours: &[Domain]) -> (Report, Vec<Domain>) {
    let mut domains = Vec::new();
    let mut is_ours = |domain: &Domain| {
        let found = ours.iter().find(|own| {
            let front = domain.as_str().strip_suffix(own.as_str());
            front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
        });
        if let Some(found) = found.filter(|found| !domains.contains(*found)) {
            domains.push(found.clone());
        }
        found.is_some()
    };
    match &mut report.findings {
        Findings::Tls(rows) => rows.retain(|(row, _)| is_ours(&row.domain)),
        Findings::Dmarc(rows) => rows.retain(|(row, _)| is_ours(&row.domain)),
    }
    (report, domains)
}
