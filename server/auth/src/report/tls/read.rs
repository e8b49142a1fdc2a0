//! Reading the JSON. Lists are bounded while they are read: three bytes of JSON can become a hundred in memory.

use std::fmt;
use std::marker::PhantomData;

use mailstead_message::Domain;
use mailstead_message::report::{Findings, MAX_LIST, Report, TlsFailure, TlsOutcome, TlsPolicy, TlsResult};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use crate::report::{MAX_ROWS, Unreadable, complaint, word};

/// Failures under one policy: ours count no more rows for one domain either.
const MAX_FAILURES: usize = 2_000;
/// Bytes of policies repeated in rows; beyond, rows only say which kind of policy it was.
const MAX_REPEATED: usize = 1 << 20;
/// What serde is told when a list is too long.
const TOO_LONG: &str = "a list has too many entries";

/// Reads a report.
///
/// # Errors
/// Why it can't be read.
pub fn read(json: &[u8]) -> Result<Report, Unreadable> {
    let file: File = serde_json::from_slice(json).map_err(|error| {
        let complaint = complaint(&error);
        if complaint.starts_with(TOO_LONG) { Unreadable::TooManyRows } else { Unreadable::Json(complaint) }
    })?;
    let range = file.range.ok_or(Unreadable::Missing("time"))?;
    let begin = seconds(&range.start).ok_or(Unreadable::Missing("begin of its time"))?;
    let end = seconds(&range.end).filter(|end| *end >= begin).ok_or(Unreadable::Missing("end of its time"))?;
    let (organisation, id) = (word(&file.organisation.0), word(&file.id.0));
    if organisation.is_empty() || id.is_empty() {
        return Err(Unreadable::Missing("name of who made it, or no name of its own"));
    }
    let Told { rows, untold, .. } = file.policies;
    if rows.is_empty() {
        return Err(Unreadable::Missing("policy"));
    }
    let untold = untold.saturating_add(file.untold);
    Ok(Report { organisation, contact: word(&file.contact.0), id, begin, end, findings: Findings::Tls(rows), untold })
}

fn seconds(time: &Text) -> Option<i64> {
    time.0.trim().parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

#[derive(serde::Deserialize)]
struct File {
    #[serde(rename = "organization-name", default)]
    organisation: Text,
    #[serde(rename = "date-range")]
    range: Option<Range>,
    #[serde(rename = "contact-info", default)]
    contact: Text,
    #[serde(rename = "report-id", default)]
    id: Text,
    #[serde(default)]
    policies: Told,
    /// A field of ours.
    #[serde(rename = "untold-session-count", default)]
    untold: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Range {
    #[serde(rename = "start-datetime")]
    start: Text,
    #[serde(rename = "end-datetime")]
    end: Text,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    policy: Policy,
    #[serde(default)]
    summary: Summary,
    #[serde(default)]
    failure_details: Bounded<Detail, MAX_FAILURES>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Policy {
    policy_type: Text,
    #[serde(default)]
    policy_string: Lines,
    policy_domain: Text,
    #[serde(default, alias = "mx-host-pattern")]
    mx_host: Lines,
}

#[derive(Default, serde::Deserialize)]
struct Summary {
    #[serde(rename = "total-successful-session-count", default)]
    good: u64,
    #[serde(rename = "total-failure-session-count", default)]
    bad: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    #[serde(default)]
    result_type: Text,
    #[serde(default)]
    sending_mta_ip: Text,
    #[serde(default)]
    receiving_mx_hostname: Text,
    #[serde(default)]
    receiving_mx_helo: Text,
    #[serde(default)]
    receiving_ip: Text,
    #[serde(default)]
    failed_session_count: u64,
    #[serde(default)]
    failure_reason_code: Text,
}

/// The rows of all policies, made as each policy is read.
struct Told {
    rows: Vec<(TlsOutcome, u64)>,
    /// What happened that no row tells.
    untold: u64,
    /// Bytes of policies that may still be repeated.
    room: usize,
}

impl Default for Told {
    fn default() -> Self {
        Self { rows: Vec::new(), untold: 0, room: MAX_REPEATED }
    }
}

impl Told {
    fn add(&mut self, entry: Entry) {
        let Entry { policy, summary, failure_details } = entry;
        let Self { rows, untold, room } = self;
        let Ok(domain) = Domain::parse(policy.policy_domain.0.trim_end_matches('.')) else {
            *untold = untold.saturating_add(summary.good).saturating_add(summary.bad);
            return;
        };
        let applied = match policy.policy_type.0.as_str() {
            "sts" => TlsPolicy::Sts { lines: policy.policy_string.0, mx: policy.mx_host.0 },
            "tlsa" => TlsPolicy::Tlsa { records: policy.policy_string.0 },
            _ => TlsPolicy::NotFound,
        };
        let mut applied = || match room.checked_sub(size(&applied)) {
            Some(left) => {
                *room = left;
                applied.clone()
            }
            None => bare(&applied),
        };
        let mut told = 0_u64;
        for detail in failure_details.0 {
            let count = detail.failed_session_count;
            told = told.saturating_add(count);
            let failure = Some(detail.failure());
            rows.push((TlsOutcome { domain: domain.clone(), policy: applied(), failure }, count));
        }
        if summary.good > 0 || told == 0 {
            rows.push((TlsOutcome { domain, policy: applied(), failure: None }, summary.good));
        }
        *untold = untold.saturating_add(summary.bad.saturating_sub(told));
    }
}

/// Bytes of what a policy says.
fn size(policy: &TlsPolicy) -> usize {
    match policy {
        TlsPolicy::Sts { lines, mx } => lines.iter().chain(mx).map(String::len).sum(),
        TlsPolicy::Tlsa { records } => records.iter().map(String::len).sum(),
        TlsPolicy::NotFound => 0,
    }
}

/// The same kind of policy, saying nothing.
fn bare(policy: &TlsPolicy) -> TlsPolicy {
    match policy {
        TlsPolicy::Sts { .. } => TlsPolicy::Sts { lines: Vec::new(), mx: Vec::new() },
        TlsPolicy::Tlsa { .. } => TlsPolicy::Tlsa { records: Vec::new() },
        TlsPolicy::NotFound => TlsPolicy::NotFound,
    }
}

impl Detail {
    fn failure(self) -> TlsFailure {
        let kind = TlsResult::parse(&self.result_type.0);
        let said = |text: Text| Some(word(&text.0)).filter(|text| !text.is_empty());
        TlsFailure {
            result: kind.unwrap_or(TlsResult::ValidationFailure),
            sending_ip: self.sending_mta_ip.0.trim().parse().ok(),
            mx: said(self.receiving_mx_hostname),
            helo: said(self.receiving_mx_helo),
            receiving_ip: self.receiving_ip.0.trim().parse().ok(),
            // A kind nobody has heard of is better told than lost.
            reason: said(self.failure_reason_code).or_else(|| said(self.result_type).filter(|_| kind.is_none())),
        }
    }
}

/// A text, or null.
#[derive(Default)]
struct Text(String);

/// One text or several.
#[derive(Default)]
struct Lines(Vec<String>);

/// A list of so many entries at most.
struct Bounded<T, const N: usize>(Vec<T>);

impl<T, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<String>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LinesVisitor)
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ToldVisitor)
    }
}

struct ToldVisitor;

impl<'de> Visitor<'de> for ToldVisitor {
    type Value = Told;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of policies")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Told, A::Error> {
        let mut told = Told::default();
        while let Some(entry) = list.next_element()? {
            told.add(entry);
            if told.rows.len() > MAX_ROWS {
                return Err(A::Error::custom(TOO_LONG));
            }
        }
        Ok(told)
    }
}

struct LinesVisitor;

impl<'de> Visitor<'de> for LinesVisitor {
    type Value = Lines;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Lines, E> {
        Ok(Lines(vec![word(text)]))
    }

    fn visit_unit<E>(self) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
        let mut lines = Vec::new();
        while lines.len() < MAX_LIST {
            let Some(Text(text)) = list.next_element()? else { return Ok(Lines(lines)) };
            lines.push(word(&text));
        }
        // What is beyond is passed over, one at a time.
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lines(lines))
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for BoundedVisitor<T, N> {
    type Value = Bounded<T, N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Bounded::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() >= N {
                return Err(A::Error::custom(TOO_LONG));
            }
            entries.push(entry);
        }
        Ok(Bounded(entries))
    }
}
