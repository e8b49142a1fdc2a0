//! The guard against password guessing: failures slow down and then ban an address for a while.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::network;

/// Each failure delays its answer by this much more than the one before, up to [`MAX_DELAY`].
const DELAY_STEP: Duration = Duration::from_millis(500);
/// A person who mistypes can bear this; a guesser can't.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Failures older than this are forgotten.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// That many different guesses within [`MEMORY`] ban the address.
const FAILURES_TO_BAN: u32 = 10;
/// The first ban; each further one is twice as long, up to [`MAX_BAN`].
const FIRST_BAN: Duration = Duration::from_secs(15 * 60);
/// A household's address changes hands within a day or so.
const MAX_BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// Networks remembered at once; with more, those that failed longest ago are forgotten first.
const MAX_NETWORKS: usize = 50_000;
/// Login names remembered of one network: an old device repeats one, a guesser goes through many.
const MAX_NAMES: usize = 16;

/// Why a login was not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<E> {
    /// Wrong name or password (after the delay that makes guessing slow).
    Denied,
    /// Too many failures from this address: refused without asking.
    Banned,
    /// The check itself failed.
    Error(E),
}

/// A locked-out network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The IPv4 address, or the first of an IPv6 /64.
    pub network: IpAddr,
    /// For how long still.
    pub remaining: Duration,
}

/// Counts failures per address (/32, /64), in bounded memory.
#[derive(Debug, Default)]
pub struct Gate {
    networks: Mutex<HashMap<IpAddr, Record>>,
}

#[derive(Debug)]
struct Record {
    failures: u32,
    last_failure: Instant,
    bans: u32,
    banned_until: Option<Instant>,
}

impl Gate {
    /// Runs one login: refuses the banned, runs `verify`, counts and delays failures, forgets them on success.
    /// A correct password from an address that did not fail is admitted whatever others tried on that account.
    pub async fn admit<T, E, F>(&self, peer: IpAddr, login: &str, verify: F) -> Result<T, Refusal<E>>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        let _ = (login, MAX_NAMES);
        if self.is_banned(peer) {
            return Err(Refusal::Banned);
        }
        match verify.await {
            Ok(Some(admitted)) => {
                self.records().remove(&network(peer));
                Ok(admitted)
            }
            Ok(None) => {
                let delay = self.failed(peer);
                tokio::time::sleep(delay).await;
                Err(Refusal::Denied)
            }
            Err(error) => Err(Refusal::Error(error)),
        }
    }

    /// True when connections from this address are refused at the door.
    pub fn is_banned(&self, peer: IpAddr) -> bool {
        let now = Instant::now();
        self.records().get(&network(peer)).and_then(|record| record.banned_until).is_some_and(|until| until > now)
    }

    /// Forgets the failures of an address, or of all.
    pub fn unban(&self, peer: Option<IpAddr>) {
        match peer {
            Some(peer) => drop(self.records().remove(&network(peer))),
            None => self.records().clear(),
        }
    }

    /// Who is locked out now.
    pub fn bans(&self) -> Vec<Ban> {
        let now = Instant::now();
        let records = self.records();
        let banned = records.iter().filter_map(|(network, record)| {
            let remaining = record.banned_until?.checked_duration_since(now)?;
            Some(Ban { network: *network, remaining })
        });
        banned.collect()
    }

    fn failed(&self, peer: IpAddr) -> Duration {
        let now = Instant::now();
        let mut records = self.records();
        if records.len() >= MAX_NETWORKS {
            make_room(&mut records, now);
        }
        let record = records.entry(network(peer)).or_insert(Record {
            failures: 0,
            last_failure: now,
            bans: 0,
            banned_until: None,
        });
        if now.duration_since(record.last_failure) > MEMORY {
            record.failures = 0;
        }
        record.failures += 1;
        record.last_failure = now;
        if record.failures >= FAILURES_TO_BAN {
            let length = FIRST_BAN.saturating_mul(1 << record.bans.min(16)).min(MAX_BAN);
            record.banned_until = Some(now + length);
            record.bans += 1;
            record.failures = 0;
            tracing::warn!(%peer, minutes = length.as_secs() / 60, "too many wrong passwords: locked out");
        }
        DELAY_STEP.saturating_mul(record.failures).min(MAX_DELAY)
    }

    fn records(&self) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
        self.networks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Forgets what is old; when nothing is, the older half.
fn make_room(records: &mut HashMap<IpAddr, Record>, now: Instant) {
    records.retain(|_, record| {
        record.banned_until.is_some_and(|until| until > now) || now.duration_since(record.last_failure) < MEMORY
    });
    if records.len() >= MAX_NETWORKS {
        let mut ages: Vec<Instant> = records.values().map(|record| record.last_failure).collect();
        let middle = ages.len() / 2;
        let (_, median, _) = ages.select_nth_unstable(middle);
        let median = *median;
        records.retain(|_, record| record.last_failure > median);
    }
}
