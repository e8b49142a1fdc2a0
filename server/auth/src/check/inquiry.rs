//! The DNS questions about one letter, bounded in number and in time.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use mailstead_net::dns::{Data, Dns, DnsError, Kind};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// All questions of an inquiry together. SPF may ask some two hundred in the worst case that its own limits allow, and
/// nobody honest comes near.
const MAX_QUESTIONS: u32 = 250;
/// Of them, those that are under way at the same time: names without an answer are cheap to invent, and the places of
/// the resolver are everybody's.
const AT_ONCE: usize = 8;

/// Asks what one part of the verdict needs. What a stranger can make slow, and what must be found out in spite of that,
/// are asked by inquiries of their own.
pub(crate) struct Inquiry<'d> {
    dns: &'d dyn Dns,
    end: Instant,
    places: Semaphore,
    asked: AtomicU32,
    heard: AtomicBool,
    cut_short: AtomicBool,
}

impl<'d> Inquiry<'d> {
    /// Begins: from now on the time runs.
    pub(crate) fn new(dns: &'d dyn Dns, patience: Duration) -> Self {
        let (asked, heard, cut_short) = (AtomicU32::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { dns, end: Instant::now() + patience, places: Semaphore::new(AT_ONCE), asked, heard, cut_short }
    }

    /// True when DNS answered at all.
    pub(super) fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// True when a bound of ours ended it, not an answer: that says nothing of whom was asked about.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Vec<Data>, DnsError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= MAX_QUESTIONS {
            return Err(self.cut("this letter asks too many questions"));
        }
        let asked = async {
            let _place = self.places.acquire().await;
            self.dns.ask(name, kind).await
        };
        let Ok(answer) = timeout_at(self.end, asked).await else {
            return Err(self.cut("the answers took too long"));
        };
        // A forged answer says that somebody is there as little as silence does.
        if !answer.as_ref().is_err_and(DnsError::is_temporary) {
            self.heard.store(true, Ordering::Relaxed);
        }
        Ok(answer?.records)
    }

    fn cut(&self, why: &str) -> DnsError {
        self.cut_short.store(true, Ordering::Relaxed);
        DnsError::Temporary(why.to_owned())
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

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn one_letter_asks_a_bounded_number_of_questions() {
        let table = Table::new("").failing("down.test");
        let inquiry = Inquiry::new(&table, PATIENCE);
        for _ in 0..MAX_QUESTIONS {
            assert_eq!(inquiry.txt("nothing.test").await, Err(DnsError::NoName));
        }
        assert!(!inquiry.is_cut_short());
        assert!(inquiry.txt("nothing.test").await.unwrap_err().is_temporary());
        assert!(inquiry.is_cut_short());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_when_patience_does() {
        let table = Table::new("").silent("slow.test");
        let begun = Instant::now();
        let inquiry = Inquiry::new(&table, PATIENCE);
        assert!(inquiry.txt("slow.test").await.unwrap_err().is_temporary());
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(inquiry.is_cut_short() && !inquiry.heard());
        assert_eq!(inquiry.txt("other.test").await, Err(DnsError::NoName));
        assert!(inquiry.heard());
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
