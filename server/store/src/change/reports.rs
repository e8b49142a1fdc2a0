//! Reports about our domains: added, found under their domains, dropped when they are old or too many.
//!
//! Whoever wants can send reports, and any record may be damaged one day: neither keeps true reports out, letters from
//! being taken, or chores from being done.

use std::collections::{BTreeSet, HashMap};

use mailstead_message::Domain;
use mailstead_migrations::v2;
use redb::{ReadableTable as _, Table};

use super::Change;
use crate::record::encode;
use crate::reports::split;
use crate::{NewReport, StoreError, Timestamp};

/// Reports kept about one domain: several years of what a household gets.
const MAX_OF_DOMAIN: usize = 2_000;
/// Those among them that can't be read or may be forged: rubbish must not drive out what is true.
const MAX_DOUBTFUL: usize = 200;
/// Reports dropped in one transaction.
const AT_ONCE: usize = 200;
/// Seconds a clock may be wrong.
const CLOCKS_DIFFER: i64 = 24 * 60 * 60;

type Index<'t> = Table<'t, (&'static str, i64, u64), (Option<u64>, u128)>;

/// What the index says of a report about a domain.
struct Row {
    id: u64,
    begin: i64,
    /// Who is proved to have sent it; `None` for the doubtful.
    sender: Option<u64>,
}

impl Change<'_> {
    /// Adds a report; nothing happens when it was here before.
    pub(super) fn add_report(&mut self, new: &NewReport) -> Result<(), StoreError> {
        let (head, begin, entry) = (&new.head, new.head.begin(), (new.head.sender(), new.fingerprint()?));
        for domain in &head.domains {
            if has(&self.side(v2::REPORT_DOMAINS)?, domain, begin, entry.1)? {
                return Ok(());
            }
        }
        for domain in &head.domains {
            self.make_room(domain, entry.0)?;
        }
        let id = self.next("report")?;
        self.write_side(v2::REPORTS)?.insert(id, new.record()?.as_slice())?;
        let mut index = self.write_side(v2::REPORT_DOMAINS)?;
        for domain in &head.domains {
            index.insert((domain.as_str(), begin, id), entry)?;
        }
        Ok(())
    }

    /// Drops what reports tell of a domain.
    pub(super) fn remove_reports(&mut self, domain: &Domain) -> Result<(), StoreError> {
        let doomed = of_domain(&self.side(v2::REPORT_DOMAINS)?, domain)?;
        doomed.iter().try_for_each(|row| self.drop_of(domain, row))
    }

    /// Drops some of the reports that came before a time; true when there may be more.
    pub(crate) fn forget_reports(&mut self, before: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        let mut doomed = Vec::new();
        for entry in self.side(v2::REPORTS)?.iter()? {
            let (id, value) = entry?;
            // What can't be read is of no use to anybody; what seems to have come in the future proves nothing about
            // those behind it.
            match split(value.value()).map(|(head, _)| head.brought.at.0) {
                Ok(at) if at > now.0.saturating_add(CLOCKS_DIFFER) => continue,
                Ok(at) if at >= before.0 => break,
                Ok(_) | Err(_) => doomed.push(id.value()),
            }
            if doomed.len() >= AT_ONCE {
                break;
            }
        }
        let more = doomed.len() >= AT_ONCE;
        doomed.into_iter().try_for_each(|id| self.drop_report(id))?;
        Ok(more)
    }

    /// Drops the oldest report of whoever has sent most of those about a domain, where there are too many: who floods
    /// us drives out their own.
    fn make_room(&mut self, domain: &Domain, sender: Option<u64>) -> Result<(), StoreError> {
        let mut known = of_domain(&self.side(v2::REPORT_DOMAINS)?, domain)?;
        known.sort_unstable_by_key(|row| row.id);
        let mut counts = HashMap::<Option<u64>, usize>::from([(sender, 1)]);
        known.iter().for_each(|row| *counts.entry(row.sender).or_default() += 1);
        let mut dropped = BTreeSet::new();
        loop {
            let doubtful = counts.get(&None).copied().unwrap_or(0);
            let most = if doubtful > MAX_DOUBTFUL {
                None
            } else if known.len() + 1 - dropped.len() > MAX_OF_DOMAIN {
                // Among equals the new one's sender gives way.
                counts.iter().max_by_key(|(who, count)| (**count, **who == sender)).and_then(|(who, _)| *who)
            } else {
                return Ok(());
            };
            let Some(oldest) = known.iter().find(|row| row.sender == most && !dropped.contains(&row.id)) else {
                return Ok(());
            };
            self.drop_of(domain, oldest)?;
            dropped.insert(oldest.id);
            counts.entry(most).and_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// Drops what a report tells of one domain; all of it when it tells of no other.
    fn drop_of(&mut self, domain: &Domain, row: &Row) -> Result<(), StoreError> {
        self.write_side(v2::REPORT_DOMAINS)?.remove((domain.as_str(), row.begin, row.id))?;
        let Some(record) = self.side(v2::REPORTS)?.get(row.id)?.map(|value| value.value().to_vec()) else {
            return Ok(());
        };
        let rest = split(&record).ok().and_then(|(mut head, body)| {
            head.domains.retain(|about| about != domain);
            (!head.domains.is_empty()).then_some((head, body))
        });
        match rest {
            Some((head, body)) => {
                let record = [&encode(&head)?, body].concat();
                self.write_side(v2::REPORTS)?.insert(row.id, record.as_slice())?;
                Ok(())
            }
            None => self.drop_report(row.id),
        }
    }

    fn drop_report(&mut self, id: u64) -> Result<(), StoreError> {
        let Some(record) = self.write_side(v2::REPORTS)?.remove(id)?.map(|value| value.value().to_vec()) else {
            return Ok(());
        };
        let mut index = self.write_side(v2::REPORT_DOMAINS)?;
        match split(&record) {
            Ok((head, _)) => {
                for domain in &head.domains {
                    index.remove((domain.as_str(), head.begin(), id))?;
                }
            }
            // It no longer tells under which domains it stands.
            Err(_) => index.retain(|(_, _, report), _| report != id)?,
        }
        Ok(())
    }
}

fn has(index: &Index<'_>, domain: &Domain, begin: i64, fingerprint: u128) -> Result<bool, StoreError> {
    let name = domain.as_str();
    for entry in index.range((name, begin, 0)..=(name, begin, u64::MAX))? {
        if entry?.1.value().1 == fingerprint {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The reports about a domain, by the time they tell of.
fn of_domain(index: &Index<'_>, domain: &Domain) -> Result<Vec<Row>, StoreError> {
    let name = domain.as_str();
    let mut rows = Vec::new();
    for entry in index.range((name, i64::MIN, 0)..=(name, i64::MAX, u64::MAX))? {
        let (key, value) = entry?;
        let (_, begin, id) = key.value();
        rows.push(Row { id, begin, sender: value.value().0 });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
