//! Reports about our domains, as others sent them.

use mailstead_message::report::{Findings, Report, ReportKind};
use mailstead_message::{Domain, ReversePath, TraceId};
use mailstead_migrations::v2;
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

use crate::record::{decode, decode_first, encode};
use crate::{Store, StoreError, Timestamp};

/// Days a report of others is kept: long enough to compare with the year before.
pub const REPORT_DAYS: i64 = 400;

/// Bytes a report takes on the disk; of a larger one the rows that happened least often are only counted.
const MAX_BODY: usize = 64 << 10;
/// Bytes of it when unpacked.
const MAX_UNPACKED: usize = 16 << 20;
/// Characters of why a report can't be read.
const MAX_REASON: usize = 500;

/// A report that has come, ready to be stored.
#[derive(Debug, Clone)]
pub struct NewReport {
    pub(crate) head: Head,
    body: Vec<u8>,
}

/// The letter that brought a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// When it came.
    pub at: Timestamp,
    /// Its trace.
    pub trace: TraceId,
    /// Its reverse-path.
    pub from: ReversePath,
    /// The domain it is proved to be from (DMARC); anybody can send a report in anybody's name.
    pub proved: Option<Domain>,
}

/// A report as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEntry {
    /// Its number here.
    pub id: u64,
    /// What is known without opening it.
    pub head: Head,
}

/// What a list shows of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How it came.
    pub brought: Brought,
    /// What it is about: domains of ours, or what is below them.
    pub domains: Vec<Domain>,
    /// Which report it is, or was to be.
    pub kind: ReportKind,
    /// What it tells in short, or why it can't be read.
    pub gist: Result<Gist, String>,
}

/// A report in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gist {
    /// Who reports.
    pub organisation: String,
    /// The name they gave it.
    pub name: String,
    /// First second of what it tells, since 1970.
    pub begin: i64,
    /// Last second of it.
    pub end: i64,
    /// Letters that passed DMARC, or sessions with TLS as it should be.
    pub good: u64,
    /// The others.
    pub bad: u64,
}

impl NewReport {
    /// A report about domains of ours, packed. Costs CPU.
    ///
    /// # Errors
    /// It can't be packed.
    pub fn new(brought: Brought, domains: Vec<Domain>, report: Report) -> Result<Self, StoreError> {
        let kind = report.findings.kind();
        let gist = Ok(gist(&report));
        let head = Head { brought, domains, kind, gist };
        Ok(Self { head, body: pack(report)? })
    }

    /// One that can't be read, and why.
    pub fn unreadable(brought: Brought, domain: Domain, kind: ReportKind, why: &str) -> Self {
        let gist = Err(why.chars().take(MAX_REASON).collect());
        Self { head: Head { brought, domains: vec![domain], kind, gist }, body: Vec::new() }
    }

    /// What a list will show of it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Equal for the same report sent again by the same sender. The same name alone proves nothing: whoever guesses it
    /// could keep the true one out. What can't be read is never the same.
    pub(crate) fn fingerprint(&self) -> Result<u128, StoreError> {
        let Head { brought, kind, gist, .. } = &self.head;
        let again = match gist {
            Ok(gist) => encode(&(&brought.proved, kind, gist))?,
            Err(why) => encode(&(brought, kind, why))?,
        };
        let hash = blake3::Hasher::new().update(&again).update(&self.body).finalize();
        Ok(hash.as_bytes().iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte)))
    }

    pub(crate) fn record(&self) -> Result<Vec<u8>, StoreError> {
        Ok([encode(&self.head)?, self.body.clone()].concat())
    }
}

impl Head {
    /// When what it tells began; when it came, if it can't be read.
    pub(crate) fn begin(&self) -> i64 {
        self.gist.as_ref().map_or(self.brought.at.0, |gist| gist.begin)
    }

    /// Who sent it, as a number, if that is proved and it can be read. All names of one owner are to have the same:
    /// a domain is bought, names below it are made up by the thousand.
    pub(crate) fn sender(&self) -> Option<u64> {
        let name = self.brought.proved.as_ref().filter(|_| self.gist.is_ok())?.as_str();
        let owner = name.rmatch_indices('.').nth(1).and_then(|(dot, _)| name.get(dot + 1..)).unwrap_or(name);
        Some(blake3::hash(owner.as_bytes()).as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl Store {
    /// The latest reports, of one domain or of all, newest first. A damaged one is left out and logged.
    pub fn reports(&self, domain: Option<&Domain>, limit: usize) -> Result<Vec<ReportEntry>, StoreError> {
        let transaction = self.shared().read()?;
        let reports = transaction.open_table(v2::REPORTS)?;
        let Some(domain) = domain else {
            let mut found = Vec::new();
            for entry in reports.iter()?.rev().take(limit) {
                let (id, value) = entry?;
                found.extend(listed(id.value(), value.value()));
            }
            return Ok(found);
        };
        let index = transaction.open_table(v2::REPORT_DOMAINS)?;
        let name = domain.as_str();
        let mut found = Vec::new();
        for entry in index.range((name, i64::MIN, 0)..=(name, i64::MAX, u64::MAX))?.rev().take(limit) {
            let id = entry?.0.value().2;
            if let Some(value) = reports.get(id)? {
                found.extend(listed(id, value.value()));
            }
        }
        Ok(found)
    }

    /// One report with all it tells; without, if it can't be read.
    pub fn report(&self, id: u64) -> Result<Option<(Head, Option<Report>)>, StoreError> {
        let reports = self.shared().read()?.open_table(v2::REPORTS)?;
        let Some(value) = reports.get(id)? else { return Ok(None) };
        let (head, body) = split(value.value())?;
        let report = match &head.gist {
            Ok(_) => Some(unpack(body)?),
            Err(_) => None,
        };
        Ok(Some((head, report)))
    }
}

fn listed(id: u64, value: &[u8]) -> Option<ReportEntry> {
    match split(value) {
        Ok((head, _)) => Some(ReportEntry { id, head }),
        Err(error) => {
            tracing::warn!("report {id} is damaged and can't be listed: {error}");
            None
        }
    }
}

/// A record's head, and the packed rest.
pub(crate) fn split(value: &[u8]) -> Result<(Head, &[u8]), StoreError> {
    decode_first(value, "a report")
}

fn gist(report: &Report) -> Gist {
    let (mut good, mut bad) = (0_u64, 0_u64);
    let mut count = |passed: bool, count: u64| {
        let sum = if passed { &mut good } else { &mut bad };
        *sum = sum.saturating_add(count);
    };
    match &report.findings {
        Findings::Dmarc(rows) => rows.iter().for_each(|(row, n)| count(row.passed(), *n)),
        Findings::Tls(rows) => rows.iter().for_each(|(row, n)| count(row.failure.is_none(), *n)),
    }
    let Report { organisation, id, begin, end, .. } = report.clone();
    Gist { organisation, name: id, begin, end, good, bad }
}

/// Packs a report into so much room as one may take.
fn pack(mut report: Report) -> Result<Vec<u8>, StoreError> {
    loop {
        let bytes = encode(&report)?;
        if bytes.len() <= MAX_UNPACKED {
            let packed = zstd::bulk::compress(&bytes, 3)?;
            if packed.len() <= MAX_BODY {
                return Ok(packed);
            }
        }
        let dropped = match &mut report.findings {
            Findings::Dmarc(rows) => drop_rare(rows),
            Findings::Tls(rows) => drop_rare(rows),
        };
        if dropped == 0 {
            return Err(StoreError::Invalid("the report can't be made small enough".to_owned()));
        }
        report.untold = report.untold.saturating_add(dropped);
    }
}

/// Drops the half of the rows that happened least often; gives how often that was.
fn drop_rare<T>(rows: &mut Vec<(T, u64)>) -> u64 {
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kept = rows.len() / 2;
    rows.drain(kept..).fold(0, |sum, (_, count)| sum.saturating_add(count.max(1)))
}

fn unpack(body: &[u8]) -> Result<Report, StoreError> {
    let bytes = zstd::bulk::decompress(body, MAX_UNPACKED)
        .map_err(|error| StoreError::Damaged(format!("a report: {error}")))?;
    decode(&bytes, "a report")
}
