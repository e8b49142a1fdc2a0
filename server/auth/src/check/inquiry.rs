//! The DNS questions of one letter, bounded in number and in time.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mailstead_net::dns::{Data, Dns, DnsError, Kind};
use tokio::time::{Instant, timeout_at};

/// All questions about one letter together. SPF may ask some two hundred in the worst case that its own limits allow,
/// and nobody honest comes near.
const MAX_QUESTIONS: u32 = 250;
/// All waiting together: the client waits behind it, and its patience (ten minutes, RFC 5321 4.5.3.2.6) is not ours to
/// spend.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the questions of one letter.
pub struct Inquiry<'d> {
    dns: &'d dyn Dns,
    end: Instant,
    asked: AtomicU32,
    answered: AtomicU32,
    failed: AtomicU32,
}

impl<'d> Inquiry<'d> {
    /// Begins: from now on the time runs.
    pub fn new(dns: &'d dyn Dns) -> Self {
        Self::until(dns, Instant::now() + PATIENCE)
    }

    fn until(dns: &'d dyn Dns, end: Instant) -> Self {
        let zero = || AtomicU32::new(0);
        Self { dns, end, asked: zero(), answered: zero(), failed: zero() }
    }

    /// True when something was asked and nothing at all was answered: then it is not the sender's DNS that is down, but
    /// ours.
    pub fn is_cut_off(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0 && self.answered.load(Ordering::Relaxed) == 0
    }

    /// How many questions were asked.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Vec<Data>, DnsError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= MAX_QUESTIONS {
            return Err(DnsError::Temporary("this letter asks too many questions".to_owned()));
        }
        let answer = match timeout_at(self.end, self.dns.ask(name, kind)).await {
            Ok(answer) => answer,
            Err(_) => Err(DnsError::Temporary("the answers took too long".to_owned())),
        };
        // A forged answer says that somebody is there as little as silence does.
        let told = if answer.as_ref().is_err_and(DnsError::is_temporary) { &self.failed } else { &self.answered };
        told.fetch_add(1, Ordering::Relaxed);
        Ok(answer?.records)
    }

    pub(super) async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, DnsError> {
        let records = self.ask(name, Kind::Txt).await?.into_iter();
        some(records.filter_map(|data| if let Data::Txt(text) = data { Some(text) } else { None }).collect())
    }

    /// Addresses of the family that `like` has.
    pub(super) async fn addresses(&self, name: &str, like: IpAddr) -> Result<Vec<IpAddr>, DnsError> {
        let kind = if like.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let records = self.ask(name, kind).await?.into_iter();
        some(records.filter_map(|data| if let Data::Address(ip) = data { Some(ip) } else { None }).collect())
    }

    /// Exchangers, best first.
    pub(super) async fn mx(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let records = self.ask(name, Kind::Mx).await?.into_iter();
        let mut found: Vec<_> =
            records.filter_map(|data| if let Data::Mx(mx) = data { Some(mx) } else { None }).collect();
        found.sort_by_key(|mx| mx.preference);
        some(found.into_iter().map(|mx| mx.host).collect())
    }

    pub(super) async fn names(&self, ip: IpAddr) -> Result<Vec<String>, DnsError> {
        let records = self.ask(&reverse(ip), Kind::Ptr).await?.into_iter();
        some(records.filter_map(|data| if let Data::Name(name) = data { Some(name) } else { None }).collect())
    }

    /// Whether a name is nowhere in DNS, with whatever records.
    pub(super) async fn is_nowhere(&self, name: &str) -> Result<bool, DnsError> {
        match self.ask(name, Kind::A).await {
            Err(DnsError::NoName) => Ok(true),
            Ok(_) | Err(DnsError::NoRecords) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn some<T>(records: Vec<T>) -> Result<Vec<T>, DnsError> {
    if records.is_empty() { Err(DnsError::NoRecords) } else { Ok(records) }
}

/// The name under which an address has its PTR records.
fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles: Vec<String> = format!("{:032x}", ip.to_bits()).chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::check::table::Table;

    #[tokio::test]
    async fn one_letter_asks_a_bounded_number_of_questions() {
        let table = Table::new("").failing("down.test");
        let inquiry = Inquiry::new(&table);
        for _ in 0..MAX_QUESTIONS {
            assert_eq!(inquiry.txt("nothing.test").await, Err(DnsError::NoName));
        }
        assert!(inquiry.txt("nothing.test").await.unwrap_err().is_temporary());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_when_patience_does() {
        let table = Table::new("").silent("slow.test");
        let begun = Instant::now();
        let inquiry = Inquiry::new(&table);
        assert!(inquiry.txt("slow.test").await.unwrap_err().is_temporary());
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(inquiry.is_cut_off());
        assert_eq!(inquiry.txt("other.test").await, Err(DnsError::NoName));
        assert!(!inquiry.is_cut_off());
    }

    #[test]
    fn addresses_have_names_in_reverse() {
        assert_eq!(reverse("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa");
        assert_eq!(
            reverse("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
