//! How many connections at once: in total, and from one address.

use std::net::IpAddr;

/// Counts open connections.
#[derive(Debug, Clone)]
pub struct Limits {}

/// A counted connection; gives its place back when dropped.
#[derive(Debug)]
pub struct Permit {}

impl Limits {
    /// At most `total` connections, at most `per_address` of them from one address (/32, /64).
    pub fn new(_total: usize, _per_address: usize) -> Self {
        unimplemented!()
    }
    /// Takes a place, or `None` when there is none.
    pub fn enter(&self, _peer: IpAddr) -> Option<Permit> {
        unimplemented!()
    }
}
