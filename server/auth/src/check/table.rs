//! DNS as a table, for tests.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind, Mx};

/// Answers by name and kind; what is not in it does not exist.
#[derive(Default)]
pub(crate) struct Table {
    records: HashMap<String, Vec<(Kind, Data)>>,
    failing: HashSet<String>,
    silent: HashSet<String>,
    slow: HashMap<String, Duration>,
    asked: AtomicU32,
    in_flight: AtomicU32,
    most_in_flight: AtomicU32,
}

impl Table {
    /// Lines of `name KIND data`; a name alone exists without records.
    pub(crate) fn new(lines: &str) -> Self {
        let mut table = Self::default();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (name, kind, data) = (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or_default());
            let records = table.records.entry(name.to_ascii_lowercase()).or_default();
            match kind {
                Some("TXT") => records.push((Kind::Txt, Data::Txt(data.as_bytes().to_vec()))),
                Some("A") => records.extend(data.parse().ok().map(|ip| (Kind::A, Data::Address(ip)))),
                Some("AAAA") => records.extend(data.parse().ok().map(|ip| (Kind::Aaaa, Data::Address(ip)))),
                Some("MX") => {
                    let preference = u16::try_from(records.len()).unwrap_or(u16::MAX);
                    records.push((Kind::Mx, Data::Mx(Mx { preference, host: data.to_owned() })));
                }
                Some("PTR") => records.push((Kind::Ptr, Data::Name(data.to_owned()))),
                _ => {}
            }
        }
        table
    }

    /// The servers of this name fail.
    pub(crate) fn failing(mut self, name: &str) -> Self {
        self.failing.insert(name.to_owned());
        self
    }

    /// The servers of this name never answer.
    pub(crate) fn silent(mut self, name: &str) -> Self {
        self.silent.insert(name.to_owned());
        self
    }

    /// The servers of this name take so long.
    pub(crate) fn slow(mut self, name: &str, time: Duration) -> Self {
        self.slow.insert(name.to_owned(), time);
        self
    }

    /// How many questions were asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many of them at once, at most.
    pub(crate) fn most_in_flight(&self) -> u32 {
        self.most_in_flight.load(Ordering::Relaxed)
    }
}

/// A question under way.
struct InFlight<'t>(&'t Table);

impl<'t> InFlight<'t> {
    fn begin(table: &'t Table) -> Self {
        table.asked.fetch_add(1, Ordering::Relaxed);
        let now = table.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        table.most_in_flight.fetch_max(now, Ordering::Relaxed);
        Self(table)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Dns for Table {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let _under_way = InFlight::begin(self);
            if let Some(time) = self.slow.get(&name) {
                tokio::time::sleep(*time).await;
            }
            if self.silent.contains(&name) {
                return pending().await;
            }
            if self.failing.contains(&name) {
                return Err(DnsError::Temporary("SERVFAIL".to_owned()));
            }
            let Some(records) = self.records.get(&name) else {
                let below = format!(".{name}");
                let between = self.records.keys().any(|other| other.ends_with(&below));
                return Err(if between { DnsError::NoRecords } else { DnsError::NoName });
            };
            let found: Vec<Data> =
                records.iter().filter(|(other, _)| *other == kind).map(|(_, data)| data.clone()).collect();
            if found.is_empty() { Err(DnsError::NoRecords) } else { Ok(Answer::insecure(found)) }
        })
    }
}
