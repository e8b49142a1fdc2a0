//! What we owe others reports about: how TLS went on the way to them (RFC 8460), and what we made of letters in their
//! name (RFC 7489 7.2, RFC 9990). Counted as it happens, read and dropped when the day's report is sent.

use mailstead_message::Domain;
pub use mailstead_message::report::*;
use mailstead_migrations::{v1, v2};
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::change::tallies::{DROPPED, ROW};
use crate::record::{decode, encode};
use crate::{Acceptance, Store, StoreError, Timestamp};

pub(crate) type Tallies = TableDefinition<'static, (u32, &'static str, &'static [u8]), u64>;

/// Seconds of a day, which is UTC's for every report.
const DAY: i64 = 24 * 60 * 60;
/// Bytes of a row on TLS: a peer's long words are cut before, and what is still larger is not counted.
const MAX_TLS_ROW: usize = 8 << 10;
/// Bytes of a row on a letter: strangers make these rows, also with letters that are refused.
const MAX_DMARC_ROW: usize = 2 << 10;

/// The setting that is there when no reports are to be sent.
pub(crate) const SENDING_OFF: &str = "reports-off";

/// A day of UTC since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub u32);

impl Day {
    /// The day a time falls on.
    pub fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.0.div_euclid(DAY)).unwrap_or(0))
    }

    /// Its first second.
    pub fn begin(self) -> Timestamp {
        Timestamp(i64::from(self.0) * DAY)
    }

    /// Its last second.
    pub fn end(self) -> Timestamp {
        Timestamp(self.begin().0 + DAY - 1)
    }
}

/// What was counted of a domain on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<T> {
    /// What happened, and how often.
    pub rows: Vec<(T, u64)>,
    /// What happened but was not written down, because there was too much of it.
    pub dropped: u64,
}

impl Store {
    /// Counts a session for the TLS report about it. Does not wait for the disk; a crash may forget it.
    pub fn tally_tls(&self, now: Timestamp, mut outcome: TlsOutcome) {
        outcome.cut();
        self.tally(ReportKind::Tls, now, &outcome.domain, &outcome);
    }

    /// Counts a letter for the DMARC report about it; only for domains whose record has `rua`. Does not wait for the
    /// disk; a crash may forget it.
    pub fn tally_dmarc(&self, now: Timestamp, mut outcome: DmarcOutcome) {
        outcome.cut();
        self.tally(ReportKind::Dmarc, now, &outcome.domain, &outcome);
    }

    /// The days up to and including `last` on which something was counted for a domain, oldest first.
    pub fn tallied(&self, kind: ReportKind, last: Day) -> Result<Vec<(Day, Domain)>, StoreError> {
        let table = self.shared().read()?.open_table(tallies(kind))?;
        let mut found: Vec<(Day, Domain)> = Vec::new();
        let end = (last.0.saturating_add(1), "", &[][..]);
        let mut next = (0, String::new());
        // From domain to domain, without a look at their rows.
        while let Some(entry) = table.range((next.0, next.1.as_str(), &[u8::MAX][..])..end)?.next() {
            let (key, _) = entry?;
            let (day, name, _) = key.value();
            next = (day, name.to_owned());
            // Under the empty name stands how much there is of all.
            found.extend(Domain::parse(name).ok().map(|domain| (Day(day), domain)));
        }
        Ok(found)
    }

    /// What was counted for a TLS report.
    pub fn tls_tally(&self, day: Day, domain: &Domain) -> Result<Tally<TlsOutcome>, StoreError> {
        self.tally_of(ReportKind::Tls, day, domain)
    }

    /// What was counted for a DMARC report.
    pub fn dmarc_tally(&self, day: Day, domain: &Domain) -> Result<Tally<DmarcOutcome>, StoreError> {
        self.tally_of(ReportKind::Dmarc, day, domain)
    }

    /// Sends a day's report about a domain, or finds that nobody wants it: takes the messages and drops what was
    /// counted for them, in one transaction, so that no report goes out twice. False, and nothing is sent, when it was
    /// dropped already.
    pub async fn settle_tally(
        &self,
        kind: ReportKind,
        day: Day,
        domain: &Domain,
        reports: Vec<Acceptance>,
    ) -> Result<bool, StoreError> {
        let bytes = reports.iter().map(|report| report.message.compressed.len()).sum();
        let domain = domain.clone();
        self.add(bytes, move |change| change.settle_tally(kind, day, &domain, &reports)).await
    }

    /// Whether reports are sent by themselves, day by day.
    pub fn sends_reports(&self) -> Result<bool, StoreError> {
        let settings = self.shared().read()?.open_table(v1::SETTINGS)?;
        Ok(settings.get(SENDING_OFF)?.is_none())
    }

    /// Decides whether reports are sent by themselves.
    pub async fn set_sends_reports(&self, send: bool) -> Result<(), StoreError> {
        self.lessen(move |change| change.set_sends_reports(send)).await
    }

    fn tally<T: Serialize>(&self, kind: ReportKind, now: Timestamp, domain: &Domain, outcome: &T) {
        let limit = match kind {
            ReportKind::Tls => MAX_TLS_ROW,
            ReportKind::Dmarc => MAX_DMARC_ROW,
        };
        let row = match encode(outcome) {
            Ok(row) if row.len() <= limit => row,
            Ok(_) => return tracing::debug!(%domain, "too large to be reported"),
            Err(error) => return tracing::debug!(%domain, "not counted for a report: {error}"),
        };
        let domain = domain.clone();
        self.send_and_forget(move |change| change.tally(kind, Day::of(now), &domain, &row));
    }

    fn tally_of<T: DeserializeOwned>(
        &self,
        kind: ReportKind,
        day: Day,
        domain: &Domain,
    ) -> Result<Tally<T>, StoreError> {
        let table = self.shared().read()?.open_table(tallies(kind))?;
        let mut tally = Tally { rows: Vec::new(), dropped: 0 };
        let name = domain.as_str();
        for entry in table.range((day.0, name, &[][..])..=(day.0, name, &[u8::MAX][..]))? {
            let (key, count) = entry?;
            match key.value().2.split_first() {
                Some((&ROW, row)) => match decode(row, "a row of a report") {
                    Ok(row) => tally.rows.push((row, count.value())),
                    // The others are still worth a report.
                    Err(error) => {
                        tracing::warn!(%domain, "a row is left out of a report: {error}");
                        tally.dropped = tally.dropped.saturating_add(count.value());
                    }
                },
                Some((&DROPPED, _)) => tally.dropped = tally.dropped.saturating_add(count.value()),
                _ => {}
            }
        }
        Ok(tally)
    }
}

/// Where they are counted.
pub(crate) fn tallies(kind: ReportKind) -> Tallies {
    match kind {
        ReportKind::Tls => v2::TLS_TALLIES,
        ReportKind::Dmarc => v2::DMARC_TALLIES,
    }
}
