//! How many connections at once: in total, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

/// The network one household has: a single IPv4 address, or an IPv6 /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// Counts open connections.
#[derive(Debug, Clone)]
pub struct Limits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A counted connection; gives its place back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl Limits {
    /// At most `total` connections, at most `per_address` of them from one address (/32, /64).
    pub fn new(total: usize, per_address: usize) -> Self {
        Self { shared: Arc::new(Shared { total, per_address, open: Mutex::default() }) }
    }

    /// Takes a place, or `None` when there is none.
    pub fn enter(&self, peer: IpAddr) -> Option<Permit> {
        let network = network(peer);
        let mut open = self.shared.open();
        let here = open.by_network.get(&network).copied().unwrap_or_default();
        if open.total >= self.shared.total || here >= self.shared.per_address {
            return None;
        }
        open.total += 1;
        open.by_network.insert(network, here + 1);
        drop(open);
        Some(Permit { shared: Arc::clone(&self.shared), network })
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        open.total = open.total.saturating_sub(1);
        if let Some(here) = open.by_network.get_mut(&self.network) {
            *here -= 1;
            if *here == 0 {
                open.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn places_are_counted_in_total_and_for_each_network() {
        let limits = Limits::new(3, 2);
        let enter = |peer: &str| limits.enter(peer.parse().unwrap());
        let first = enter("192.0.2.1").unwrap();
        let _second = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none(), "two from one address");
        let _third = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8:1::1").is_none(), "three in all");
        drop(first);
        assert!(enter("192.0.2.1").is_some());
    }

    #[test]
    fn a_subnet_is_one_network() {
        let limits = Limits::new(10, 1);
        let _first = limits.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(limits.enter("2001:db8::ffff:1".parse().unwrap()).is_none());
        assert!(limits.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn nothing_is_remembered_of_who_has_gone() {
        let limits = Limits::new(10, 1);
        for number in 0..1_000_u32 {
            drop(limits.enter(IpAddr::V4(number.into())).unwrap());
        }
        assert!(limits.shared.open().by_network.is_empty());
        assert_eq!(limits.shared.open().total, 0);
    }
}
