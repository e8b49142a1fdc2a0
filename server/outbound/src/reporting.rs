//! The reports we owe others: on TLS with their servers, on letters in their name. Once a day, to those who ask.
//!
//! What was counted of a domain goes with its report, in one transaction: whatever happens, no report goes out twice,
//! and what could not be sent is tried again each hour until it is too old to be news.

mod https;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mailstead_auth::report::letter::{Cover, Packed, pack};
use mailstead_auth::report::wanted::{Target, targets};
use mailstead_auth::report::{Findings, Report, ReportKind};
use mailstead_inbound::{Post, Signing, post};
use mailstead_message::{Address, Domain, LocalPart, TraceId};
use mailstead_net::dns::Dns;
use mailstead_store::{Acceptance, Day, Store, StoreError, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::policy::Patience;
use crate::sts::Failures;
use crate::{Context, Policy};

/// How often it is looked whether something is due.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Domains worked on at once.
const AT_ONCE: usize = 8;
/// Finding out who asks for a domain's reports.
const ASKING: Duration = Duration::from_secs(60);
/// Reports are not due before this many seconds of the new day: the last outcomes of the old one are written by then.
const EARLIEST: i64 = 10 * 60;
/// Not all the world's servers shall send at midnight (RFC 8460 4.1): each has its time within these seconds.
const SPREAD: i64 = 4 * 60 * 60;

/// Sends the reports we owe.
pub struct Reporter {
    context: Arc<Context>,
    /// One round at a time: what goes out by HTTPS is written down after it has gone.
    sending: Mutex<()>,
}

/// What became of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Which report.
    pub kind: ReportKind,
    /// What it is about.
    pub domain: Domain,
    /// The day it tells of.
    pub day: Day,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way to these, by mail and by HTTPS.
    Sent(Vec<String>),
    /// Nobody wants it.
    Unwanted,
    /// It is tried again later, and why.
    Later(String),
}

impl fmt::Display for Sent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ReportKind::Tls => "TLS",
            ReportKind::Dmarc => "DMARC",
        };
        let (domain, day) = (self.domain.to_unicode(), date(self.day));
        match &self.fate {
            Fate::Sent(to) => write!(out, "The {kind} report on {domain} for {day} goes to {}.", to.join(", ")),
            Fate::Unwanted => write!(out, "Nobody asks for the {kind} report on {domain} for {day}."),
            Fate::Later(why) => {
                write!(out, "The {kind} report on {domain} for {day} can't be sent now, and is tried again: {why}.")
            }
        }
    }
}

impl Reporter {
    /// Makes one; nothing happens before [`Self::run`] or [`Self::send`].
    pub fn new(store: Store, dns: Arc<dyn Dns>, policy: Policy) -> Self {
        let (signing, patience) = (Signing::new(store.clone()), Patience::default());
        Self {
            context: Arc::new(Context { store, signing, dns, policy, patience, sts: Failures::default() }),
            sending: Mutex::new(()),
        }
    }

    /// Sends what is due, day by day, until `shutdown` turns true.
    pub async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => return,
                () = self.send_due() => {}
            }
            tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Sends the reports for one day, or for all that have ended, whatever the operator decided about sending by itself.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn send(&self, day: Option<Day>) -> Result<Vec<Sent>, StoreError> {
        let _turn = self.sending.lock().await;
        // What was counted a moment ago belongs to it.
        self.context.store.written().await?;
        let ended = Day(Day::of(self.context.now()).0.saturating_sub(1));
        let mut owed = Vec::new();
        for kind in [ReportKind::Tls, ReportKind::Dmarc] {
            let tallied = self.context.store.tallied(kind, day.unwrap_or(ended))?;
            owed.extend(
                tallied.into_iter().filter(|(on, _)| day.is_none_or(|day| day == *on)).map(|owed| (kind, owed)),
            );
        }
        let mut sent = Vec::new();
        let mut owed = owed.into_iter();
        let mut working = JoinSet::new();
        loop {
            while working.len() < AT_ONCE
                && let Some((kind, (day, domain))) = owed.next()
            {
                working.spawn(Owed { context: Arc::clone(&self.context), kind, day, domain }.send());
            }
            match working.join_next().await {
                Some(Ok(done)) => sent.extend(done),
                Some(Err(error)) => tracing::error!("a report was not sent: {error}"),
                None => break,
            }
        }
        sent.sort_by(|a, b| (a.day, a.kind, &a.domain).cmp(&(b.day, b.kind, &b.domain)));
        Ok(sent)
    }

    async fn send_due(&self) {
        let context = &self.context;
        let now = context.now();
        if now.0 < Day::of(now).begin().0 + offset(&context.policy.hostname) {
            return;
        }
        let sent = match context.store.sends_reports() {
            Ok(true) => self.send(None).await,
            Ok(false) => return,
            Err(error) => Err(error),
        };
        match sent {
            Ok(sent) => sent.iter().for_each(|sent| match sent.fate {
                Fate::Sent(_) => tracing::info!("{sent}"),
                Fate::Unwanted | Fate::Later(_) => tracing::debug!("{sent}"),
            }),
            Err(error) => tracing::error!("reports can't be sent: {error}"),
        }
    }
}

/// Seconds after midnight at which this host sends.
fn offset(hostname: &str) -> i64 {
    let hash = blake3::hash(hostname.as_bytes());
    let [a, b, ..] = *hash.as_bytes();
    EARLIEST + i64::from(u16::from_le_bytes([a, b])) * SPREAD / i64::from(u16::MAX)
}

/// A day as people and files write it.
fn date(day: Day) -> String {
    let time = jiff::Timestamp::from_second(day.begin().0);
    time.map_or_else(|_| day.0.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// One report we owe.
#[derive(Clone)]
struct Owed {
    context: Arc<Context>,
    kind: ReportKind,
    day: Day,
    domain: Domain,
}

impl Owed {
    /// Sends it; `None` when that has been done meanwhile.
    async fn send(self) -> Option<Sent> {
        let fate = self.try_send().await.unwrap_or_else(|error| Some(Fate::Later(error.to_string())))?;
        Some(Sent { kind: self.kind, domain: self.domain, day: self.day, fate })
    }

    async fn try_send(&self) -> Result<Option<Fate>, StoreError> {
        let asked = timeout(ASKING, targets(self.context.dns.as_ref(), self.kind, &self.domain)).await;
        let targets = match asked {
            Ok(Ok(targets)) => targets,
            Ok(Err(error)) => return Ok(Some(Fate::Later(error.to_string()))),
            Err(_) => return Ok(Some(Fate::Later("the name servers took too long".to_owned()))),
        };
        if targets.is_empty() {
            return Ok(self.settle(Vec::new()).await?.then_some(Fate::Unwanted));
        }
        let first = targets.iter().find_map(|target| match target {
            Target::Mail { address, .. } => Some(address),
            Target::Https(_) => None,
        });
        let Some(submitter) = self.submitter(first)? else {
            return Ok(Some(Fate::Later("this server has no domain yet to send it from".to_owned())));
        };
        let (owed, known_as) = (self.clone(), submitter.clone());
        let packing = tokio::task::spawn_blocking(move || owed.packed(&known_as));
        let packed = packing.await.map_err(|error| StoreError::Io(error.to_string()))??;
        let Some(packed) = packed else { return Ok(None) };
        self.send_to(&targets, &submitter, &packed).await
    }

    async fn send_to(
        &self,
        targets: &[Target],
        submitter: &Domain,
        packed: &Packed,
    ) -> Result<Option<Fate>, StoreError> {
        let (mut letters, mut to, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            let reached = match target {
                Target::Mail { address, limit } => {
                    self.letter(submitter, packed, address, *limit).await?.map(|letter| {
                        letters.push(letter);
                        address.to_string()
                    })
                }
                Target::Https(url) => {
                    https::post(&self.context, url, packed.media_type(), &packed.bytes).await.map(|()| url.clone())
                }
            };
            match reached {
                Ok(name) => to.push(name),
                Err(why) => failed.push(why),
            }
        }
        if to.is_empty() {
            return Ok(Some(Fate::Later(failed.join("; "))));
        }
        Ok(self.settle(letters).await?.then_some(Fate::Sent(to)))
    }

    /// Writes down that it is sent; false when that has been done meanwhile.
    async fn settle(&self, letters: Vec<Acceptance>) -> Result<bool, StoreError> {
        self.context.store.settle_tally(self.kind, self.day, &self.domain, letters).await
    }

    /// The domain we send it from.
    fn submitter(&self, to: Option<&Address>) -> Result<Option<Domain>, StoreError> {
        let (signing, hostname) = (&self.context.signing, &self.context.policy.hostname);
        match to {
            Some(address) => signing.writing_domain(hostname, address),
            None => signing.writing_domain(hostname, &Address::new(local_part("postmaster")?, self.domain.clone())),
        }
    }

    /// The report; `None` when there is nothing to tell. Costs CPU.
    fn packed(&self, submitter: &Domain) -> Result<Option<Packed>, StoreError> {
        let store = &self.context.store;
        let (findings, untold) = match self.kind {
            ReportKind::Tls => {
                let tally = store.tls_tally(self.day, &self.domain)?;
                (Findings::Tls(tally.rows), tally.dropped)
            }
            ReportKind::Dmarc => {
                let tally = store.dmarc_tally(self.day, &self.domain)?;
                (Findings::Dmarc(tally.rows), tally.dropped)
            }
        };
        let empty = match &findings {
            Findings::Tls(rows) => rows.is_empty(),
            Findings::Dmarc(rows) => rows.is_empty(),
        };
        if empty {
            return Ok(None);
        }
        let report = Report {
            organisation: submitter.as_str().to_owned(),
            contact: Address::new(local_part("postmaster")?, submitter.clone()).to_string(),
            id: format!("{}.{}.{}", date(self.day), self.domain.as_str(), self.trace()),
            begin: self.day.begin().0,
            // Sent by hand, a day may not be over.
            end: self.day.end().0.min(self.context.now().0),
            findings,
            untold,
        };
        Ok(Some(pack(&report, &self.domain, submitter)?))
    }

    /// The letter to one address, or why there is none.
    async fn letter(
        &self,
        submitter: &Domain,
        packed: &Packed,
        to: &Address,
        limit: Option<u64>,
    ) -> Result<Result<Acceptance, String>, StoreError> {
        let (trace, at) = (self.trace(), self.context.now());
        let from = Address::new(local_part(self.kind.local_part())?, submitter.clone());
        let cover = Cover { from: &from, to: std::slice::from_ref(to), id: &trace.to_string(), now: at.0 };
        let message = packed.letter(cover);
        if let Some(limit) = limit.filter(|limit| message.len() as u64 > *limit) {
            return Ok(Err(format!("{to} takes {limit} octets at most, and it has {}", message.len())));
        }
        let (signing, to, author) = (self.context.signing.clone(), to.clone(), submitter.clone());
        let told = format!(
            "This is our {} report to {to} on {} for {}.",
            match self.kind {
                ReportKind::Tls => "TLS",
                ReportKind::Dmarc => "DMARC",
            },
            self.domain,
            date(self.day)
        );
        let posting = move || {
            let (reverse_path, smtputf8) = (Some(&from), to.needs_smtputf8());
            let author = Some(&author);
            let letter = Post { to: &to, reverse_path, author, message: &message, smtputf8, trace, at, told };
            Ok::<_, StoreError>(post(&signing, letter)?.ok_or_else(|| format!("there is no {to} here")))
        };
        tokio::task::spawn_blocking(posting).await.map_err(|error| StoreError::Io(error.to_string()))?
    }

    fn trace(&self) -> TraceId {
        let Timestamp(now) = self.context.now();
        TraceId::new(u64::try_from(now).unwrap_or(0), rand::random())
    }
}

fn local_part(name: &str) -> Result<LocalPart, StoreError> {
    LocalPart::parse(name).map_err(|error| StoreError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_its_own_time_after_midnight() {
        let times: Vec<i64> = (0..100).map(|number| offset(&format!("mail{number}.home.test"))).collect();
        assert!(times.iter().all(|time| (EARLIEST..=EARLIEST + SPREAD).contains(time)), "{times:?}");
        assert!(times.iter().max() > times.iter().min().map(|first| first + SPREAD / 2).as_ref(), "{times:?}");
        assert_eq!(offset("mail.home.test"), offset("mail.home.test"));
    }

    #[test]
    fn what_became_of_a_report_is_one_sentence() {
        let sent = |kind, fate| Sent {
            kind,
            domain: Domain::parse("world.test").unwrap_or_else(|_| unreachable!()),
            day: Day(20_000),
            fate,
        };
        for (sent, text) in [
            (
                sent(ReportKind::Tls, Fate::Sent(vec!["a@world.test".into(), "https://world.test/".into()])),
                "The TLS report on world.test for 2024-10-04 goes to a@world.test, https://world.test/.",
            ),
            (sent(ReportKind::Dmarc, Fate::Unwanted), "Nobody asks for the DMARC report on world.test for 2024-10-04."),
            (
                sent(ReportKind::Dmarc, Fate::Later("DNS is down".into())),
                "The DMARC report on world.test for 2024-10-04 can't be sent now, and is tried again: DNS is down.",
            ),
        ] {
            assert_eq!(sent.to_string(), text);
        }
    }
}
