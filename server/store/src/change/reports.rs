//! Reports about our domains: added, found under their domains, dropped when they are old or too many.

use mailstead_message::Domain;
use mailstead_migrations::v2;
use redb::{ReadableTable as _, Table};

use super::Change;
use crate::reports::split;
use crate::{NewReport, StoreError, Timestamp};

/// Reports kept about one domain: several years of what a household gets.
const MAX_OF_DOMAIN: usize = 2_000;
/// Those among them that can't be read or may be forged: rubbish must not drive out what is true.
const MAX_DOUBTFUL: usize = 200;
/// Reports dropped in one transaction.
const AT_ONCE: usize = 200;

type Index<'t> = Table<'t, (&'static str, i64, u64), bool>;

impl Change<'_> {
    /// Adds a report; nothing happens when it was here before.
    pub(super) fn add_report(&mut self, new: &NewReport) -> Result<(), StoreError> {
        let (head, begin, sound) = (&new.head, new.head.begin(), new.head.is_sound());
        for domain in &head.domains {
            if self.has_report(domain, new)? {
                return Ok(());
            }
        }
        for domain in &head.domains {
            self.make_room(domain, sound)?;
        }
        let id = self.next("report")?;
        self.write_side(v2::REPORTS)?.insert(id, new.record()?.as_slice())?;
        let mut index = self.write_side(v2::REPORT_DOMAINS)?;
        for domain in &head.domains {
            index.insert((domain.as_str(), begin, id), sound)?;
        }
        Ok(())
    }

    /// Drops all reports about a domain.
    pub(super) fn remove_reports(&mut self, domain: &Domain) -> Result<(), StoreError> {
        let doomed = of_domain(&self.side(v2::REPORT_DOMAINS)?, domain)?;
        doomed.into_iter().try_for_each(|(id, _)| self.drop_report(id))
    }

    /// Drops some of the reports that came before a time; true when there may be more.
    pub(crate) fn forget_reports(&mut self, before: Timestamp) -> Result<bool, StoreError> {
        let mut doomed = Vec::new();
        for entry in self.side(v2::REPORTS)?.iter()?.take(AT_ONCE) {
            let (id, value) = entry?;
            if split(value.value())?.0.brought.at.0 >= before.0 {
                break;
            }
            doomed.push(id.value());
        }
        let more = doomed.len() == AT_ONCE;
        doomed.into_iter().try_for_each(|id| self.drop_report(id))?;
        Ok(more)
    }

    fn has_report(&self, domain: &Domain, new: &NewReport) -> Result<bool, StoreError> {
        let (index, reports) = (self.side(v2::REPORT_DOMAINS)?, self.side(v2::REPORTS)?);
        let (name, begin) = (domain.as_str(), new.head.begin());
        for entry in index.range((name, begin, 0)..=(name, begin, u64::MAX))? {
            let id = entry?.0.value().2;
            let Some(value) = reports.get(id)? else { continue };
            let (head, body) = split(value.value())?;
            if new.is_again(&head, body) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops the oldest reports about a domain where there are too many.
    fn make_room(&mut self, domain: &Domain, sound: bool) -> Result<(), StoreError> {
        let mut known = of_domain(&self.side(v2::REPORT_DOMAINS)?, domain)?;
        let limit = if sound {
            MAX_OF_DOMAIN
        } else {
            known.retain(|(_, sound)| !sound);
            MAX_DOUBTFUL
        };
        let surplus = (known.len() + 1).saturating_sub(limit);
        known.into_iter().take(surplus).try_for_each(|(id, _)| self.drop_report(id))
    }

    fn drop_report(&mut self, id: u64) -> Result<(), StoreError> {
        let Some(record) = self.write_side(v2::REPORTS)?.remove(id)?.map(|value| value.value().to_vec()) else {
            return Ok(());
        };
        let (head, _) = split(&record)?;
        let mut index = self.write_side(v2::REPORT_DOMAINS)?;
        for domain in &head.domains {
            index.remove((domain.as_str(), head.begin(), id))?;
        }
        Ok(())
    }
}

/// The reports about a domain and whether they are sound, oldest first.
fn of_domain(index: &Index<'_>, domain: &Domain) -> Result<Vec<(u64, bool)>, StoreError> {
    let name = domain.as_str();
    let range = index.range((name, i64::MIN, 0)..=(name, i64::MAX, u64::MAX))?;
    range.map(|entry| entry.map(|(key, sound)| (key.value().2, sound.value())).map_err(StoreError::from)).collect()
}
