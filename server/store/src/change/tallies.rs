//! Tallies: counted up row by row, dropped with the report that tells them.

use mailstead_message::Domain;
use redb::{ReadableTable as _, Table};

use super::Change;
use crate::tallies::{SENDING_OFF, tallies};
use crate::{Acceptance, Day, REPORT_DAYS, ReportKind, StoreError, Timestamp};

/// Key of the number of a domain's rows of a day; under the empty domain, of all rows of the day.
const ROWS: u8 = 0;
/// Key of how much was not written down.
pub(crate) const DROPPED: u8 = 1;
/// What a row's key begins with.
pub(crate) const ROW: u8 = 2;

/// Rows of one domain and day.
const MAX_ROWS: u64 = 2_000;
/// Rows of one day: whoever writes in the name of a million domains must not fill the disk with it.
const MAX_ROWS_OF_A_DAY: u64 = 10_000;

/// Days after which a report that could not be sent is no news any more.
const TALLY_DAYS: u32 = 14;
/// Tallies dropped in one transaction.
const ROWS_AT_ONCE: usize = 5_000;

type Key<'k> = (u32, &'k str, &'k [u8]);
type Tallies<'t> = Table<'t, (u32, &'static str, &'static [u8]), u64>;

impl Change<'_> {
    /// Counts one row.
    pub(crate) fn tally(&mut self, kind: ReportKind, day: Day, domain: &Domain, row: &[u8]) -> Result<(), StoreError> {
        let mut table = self.write_side(tallies(kind))?;
        let (day, name) = (day.0, domain.as_str());
        let row = [&[ROW], row].concat();
        if count(&table, (day, name, &row))? == 0 {
            let (rows, all) = ((day, name, &[ROWS][..]), (day, "", &[ROWS][..]));
            if count(&table, rows)? >= MAX_ROWS || count(&table, all)? >= MAX_ROWS_OF_A_DAY {
                return count_up(&mut table, (day, name, &[DROPPED]));
            }
            count_up(&mut table, rows)?;
            count_up(&mut table, all)?;
        }
        count_up(&mut table, (day, name, &row))
    }

    /// Takes the reports and drops what they tell; false when that is gone.
    pub(crate) fn settle_tally(
        &mut self,
        kind: ReportKind,
        day: Day,
        domain: &Domain,
        reports: &[Acceptance],
    ) -> Result<bool, StoreError> {
        let (day, name) = (day.0, domain.as_str());
        let rows = count(&self.side(tallies(kind))?, (day, name, &[ROWS]))?;
        if rows == 0 {
            return Ok(false);
        }
        self.take(reports)?;
        let mut table = self.write_side(tallies(kind))?;
        table.retain_in((day, name, &[][..])..=(day, name, &[u8::MAX][..]), |_, _| false)?;
        Ok(true)
    }

    pub(crate) fn set_sends_reports(&mut self, send: bool) -> Result<(), StoreError> {
        let settings = &mut self.write().settings;
        if send {
            settings.remove(SENDING_OFF)?;
        } else {
            settings.insert(SENDING_OFF, &[][..])?;
        }
        Ok(())
    }

    /// Drops some of what is no news any more: old tallies, and old reports of others. True when there may be more.
    pub(crate) fn forget_news(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let first = Day(Day::of(now).0.saturating_sub(TALLY_DAYS));
        let tls = self.forget_tallies(ReportKind::Tls, first)?;
        let dmarc = self.forget_tallies(ReportKind::Dmarc, first)?;
        let reports = self.forget_reports(Timestamp(now.0 - REPORT_DAYS * 24 * 60 * 60), now)?;
        Ok(tls || dmarc || reports)
    }

    /// Drops some of what was counted before a day; true when there may be more.
    fn forget_tallies(&mut self, kind: ReportKind, before: Day) -> Result<bool, StoreError> {
        let end = (before.0, "", &[][..]);
        if self.side(tallies(kind))?.range(..end)?.next().is_none() {
            return Ok(false);
        }
        let mut table = self.write_side(tallies(kind))?;
        let doomed = table.extract_from_if(..end, |_, _| true)?.take(ROWS_AT_ONCE);
        let mut dropped = 0;
        for row in doomed {
            row?;
            dropped += 1;
        }
        Ok(dropped == ROWS_AT_ONCE)
    }
}

fn count(table: &Tallies<'_>, key: Key<'_>) -> Result<u64, StoreError> {
    Ok(table.get(key)?.map_or(0, |value| value.value()))
}

fn count_up(table: &mut Tallies<'_>, key: Key<'_>) -> Result<(), StoreError> {
    let more = count(table, key)?.saturating_add(1);
    table.insert(key, more)?;
    Ok(())
}
