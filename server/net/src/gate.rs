//! The guard against password guessing: failures slow down and then ban an address for a while.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::network;

/// Each failure delays its answer by this much more than the one before, up to [`MAX_DELAY`].
const DELAY_STEP: Duration = Duration::from_millis(500);
/// A person who mistypes can bear this; a guesser can't.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Failures older than this are forgotten.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// So many different guesses within [`MEMORY`] ban the address. The same wrong password again is no guess, but a device
/// that was not told of a new one.
const GUESSES_TO_BAN: usize = 10;
/// The first ban; each further one is twice as long, up to [`MAX_BAN`].
const FIRST_BAN: Duration = Duration::from_secs(15 * 60);
/// A household's address changes hands within a day or so.
const MAX_BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// Networks, and names, remembered at once; with more, those that failed longest ago are forgotten first.
const MAX_REMEMBERED: usize = 50_000;

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

/// Counts failures per address (/32, /64) and per name, in bounded memory.
///
/// Failures of an address slow its answers and then ban it. Failures for a name, from wherever they come, slow the answers
/// to wrong passwords for that name, whether or not there is such an account; the right password is never slowed.
#[derive(Debug, Default)]
pub struct Gate {
    networks: Mutex<HashMap<IpAddr, Record>>,
    names: Mutex<HashMap<u64, Tally>>,
    /// Names and guesses are remembered as hashes that mean nothing outside this process.
    hasher: RandomState,
}

#[derive(Debug)]
struct Record {
    /// Different guesses.
    guesses: HashSet<u64>,
    last_failure: Instant,
    bans: u32,
    banned_until: Option<Instant>,
}

/// The failures of a name.
#[derive(Debug)]
struct Tally {
    failures: u32,
    last_failure: Instant,
}

impl Gate {
    /// Runs one login: refuses the banned, runs `verify`, counts and delays failures, forgets them on success.
    /// A correct password from an address that did not fail is admitted whatever others tried on that account.
    pub async fn admit<T, E, F>(&self, peer: IpAddr, login: &str, password: &str, verify: F) -> Result<T, Refusal<E>>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        if self.is_banned(peer) {
            return Err(Refusal::Banned);
        }
        match verify.await {
            Ok(Some(admitted)) => {
                self.networks().remove(&network(peer));
                Ok(admitted)
            }
            Ok(None) => {
                let guess = self.hasher.hash_one((login, password));
                let delay = self.address_failed(peer, guess).max(self.name_failed(login));
                tokio::time::sleep(delay).await;
                Err(Refusal::Denied)
            }
            Err(error) => Err(Refusal::Error(error)),
        }
    }

    /// True when connections from this address are refused at the door.
    pub fn is_banned(&self, peer: IpAddr) -> bool {
        let now = Instant::now();
        self.networks().get(&network(peer)).and_then(|record| record.banned_until).is_some_and(|until| until > now)
    }

    /// Forgets the failures of an address, or of all.
    pub fn unban(&self, peer: Option<IpAddr>) {
        match peer {
            Some(peer) => drop(self.networks().remove(&network(peer))),
            None => self.networks().clear(),
        }
    }

    /// Who is locked out now.
    pub fn bans(&self) -> Vec<Ban> {
        let now = Instant::now();
        let records = self.networks();
        let banned = records.iter().filter_map(|(network, record)| {
            let remaining = record.banned_until?.checked_duration_since(now).filter(|time| !time.is_zero())?;
            Some(Ban { network: *network, remaining })
        });
        banned.collect()
    }

    fn address_failed(&self, peer: IpAddr, guess: u64) -> Duration {
        let now = Instant::now();
        let mut networks = self.networks();
        make_room(&mut networks, now, |record| record.banned_until.map_or(record.last_failure, |until| until.max(now)));
        let fresh = || Record { guesses: HashSet::new(), last_failure: now, bans: 0, banned_until: None };
        let record = networks.entry(network(peer)).or_insert_with(fresh);
        if now.duration_since(record.last_failure) > MEMORY {
            record.guesses.clear();
        }
        record.guesses.insert(guess);
        record.last_failure = now;
        let guesses = record.guesses.len();
        if guesses >= GUESSES_TO_BAN {
            let length = FIRST_BAN.saturating_mul(1 << record.bans.min(16)).min(MAX_BAN);
            record.banned_until = Some(now + length);
            record.bans += 1;
            record.guesses.clear();
            tracing::warn!(%peer, minutes = length.as_secs() / 60, "too many wrong passwords: locked out");
        }
        delay(guesses)
    }

    fn name_failed(&self, login: &str) -> Duration {
        let now = Instant::now();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut names, now, |tally| tally.last_failure);
        let key = self.hasher.hash_one(login.to_lowercase());
        let tally = names.entry(key).or_insert(Tally { failures: 0, last_failure: now });
        if now.duration_since(tally.last_failure) > MEMORY {
            tally.failures = 0;
        }
        tally.failures = tally.failures.saturating_add(1);
        tally.last_failure = now;
        delay(usize::try_from(tally.failures).unwrap_or(usize::MAX))
    }

    fn networks(&self) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn delay(failures: usize) -> Duration {
    DELAY_STEP.saturating_mul(u32::try_from(failures).unwrap_or(u32::MAX)).min(MAX_DELAY)
}

/// Forgets what is old; when nothing is, the older half. `last` tells when an entry last mattered.
fn make_room<K: Eq + Hash, V>(remembered: &mut HashMap<K, V>, now: Instant, last: impl Fn(&V) -> Instant) {
    if remembered.len() < MAX_REMEMBERED {
        return;
    }
    remembered.retain(|_, value| now.saturating_duration_since(last(value)) < MEMORY);
    if remembered.len() >= MAX_REMEMBERED {
        let mut ages: Vec<Instant> = remembered.values().map(&last).collect();
        let middle = ages.len() / 2;
        let (_, median, _) = ages.select_nth_unstable(middle);
        let median = *median;
        let mut to_go = middle;
        remembered.retain(|_, value| {
            let goes = to_go > 0 && last(value) <= median;
            to_go -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const HERE: &str = "192.0.2.1";
    const THERE: &str = "192.0.2.2";

    /// A login whose right password is `right`; gives whether it was let in, and how long the answer took.
    async fn log_in(gate: &Gate, peer: &str, login: &str, password: &str) -> (Result<(), Refusal<()>>, Duration) {
        let start = Instant::now();
        let verify = std::future::ready(Ok((password == "right").then_some(())));
        let answer = gate.admit(peer.parse().unwrap(), login, password, verify).await;
        (answer, start.elapsed())
    }

    async fn guess(gate: &Gate, peer: &str, login: &str, guesses: usize) {
        for number in 0..guesses {
            assert_eq!(log_in(gate, peer, login, &format!("wrong {number}")).await.0, Err(Refusal::Denied));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_guesses_lock_an_address_out_and_nobody_else() {
        let gate = Gate::default();
        guess(&gate, HERE, "alice", GUESSES_TO_BAN).await;
        assert_eq!(log_in(&gate, HERE, "alice", "right").await.0, Err(Refusal::Banned));
        assert_eq!(log_in(&gate, THERE, "alice", "right").await, (Ok(()), Duration::ZERO));
        let bans = gate.bans();
        assert!(bans.len() == 1 && bans[0].network == HERE.parse::<IpAddr>().unwrap(), "{bans:?}");
        gate.unban(Some(HERE.parse().unwrap()));
        assert!(gate.bans().is_empty());
        assert_eq!(log_in(&gate, HERE, "alice", "right").await.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_ends_and_the_next_one_is_longer() {
        let gate = Gate::default();
        let mut lengths = Vec::new();
        for _ in 0..9 {
            guess(&gate, HERE, "alice", GUESSES_TO_BAN).await;
            let length = gate.bans()[0].remaining;
            lengths.push((length + MAX_DELAY).as_secs() / 60);
            tokio::time::advance(length).await;
            assert!(!gate.is_banned(HERE.parse().unwrap()) && gate.bans().is_empty());
        }
        assert_eq!(lengths, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_repeats_an_old_password_locks_nobody_out() {
        let gate = Gate::default();
        for _ in 0..100 {
            assert_eq!(log_in(&gate, HERE, "alice", "old").await.0, Err(Refusal::Denied));
        }
        assert_eq!(log_in(&gate, HERE, "bob", "right").await.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_wrong_guess_is_answered_later_and_a_right_password_forgives() {
        let gate = Gate::default();
        let slow = |times: u32| DELAY_STEP * times;
        for number in 1..4 {
            assert_eq!(log_in(&gate, HERE, "a", &number.to_string()).await.1, slow(number));
        }
        assert_eq!(log_in(&gate, HERE, "b", "right").await, (Ok(()), Duration::ZERO));
        assert_eq!(log_in(&gate, HERE, "b", "wrong").await.1, slow(1));
        tokio::time::advance(MEMORY * 2).await;
        assert_eq!(log_in(&gate, HERE, "a", "wrong").await.1, slow(1), "old failures are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_from_everywhere_is_slow_and_keeps_no_one_out_who_knows_the_password() {
        let gate = Gate::default();
        for number in 0..50 {
            let (answer, time) = log_in(&gate, &format!("198.51.100.{number}"), "Alice", "wrong").await;
            assert_eq!(answer, Err(Refusal::Denied));
            assert_eq!(time, (DELAY_STEP * (number + 1)).min(MAX_DELAY));
        }
        assert_eq!(log_in(&gate, HERE, "alice", "right").await, (Ok(()), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_household_has_one_network_of_either_kind() {
        let gate = Gate::default();
        for number in 0..10 {
            guess(&gate, &format!("2001:db8::{number}"), &number.to_string(), 1).await;
        }
        assert!(gate.is_banned("2001:db8::ffff".parse().unwrap()));
        assert!(!gate.is_banned("2001:db8:0:1::1".parse().unwrap()));
        guess(&gate, "::ffff:192.0.2.1", "alice", 10).await;
        assert!(gate.is_banned(HERE.parse().unwrap()), "IPv4 in the clothes of IPv6");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_fails_counts_for_nothing() {
        let gate = Gate::default();
        for _ in 0..20 {
            let verify = std::future::ready(Err::<Option<()>, _>("disk"));
            let answer = gate.admit(HERE.parse().unwrap(), "alice", "x", verify).await;
            assert_eq!(answer, Err(Refusal::Error("disk")));
        }
        assert_eq!(log_in(&gate, HERE, "alice", "right").await.0, Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let gate = Gate::default();
        for number in 0..u32::try_from(MAX_REMEMBERED).unwrap() * 2 {
            gate.address_failed(IpAddr::V4(number.into()), 0);
            gate.name_failed(&number.to_string());
        }
        assert!(gate.networks().len() <= MAX_REMEMBERED && gate.names.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
