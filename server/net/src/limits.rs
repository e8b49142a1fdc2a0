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
