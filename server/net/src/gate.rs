//! The guard against password guessing: failures slow down and then ban an address for a while.

use std::future::Future;
use std::net::IpAddr;

/// Why a login was not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<E> {
    /// Wrong name or password (after the delay that makes guessing slow).
    Denied,
    /// Too many failures from this address or for this account: refused without asking.
    Banned,
    /// The check itself failed.
    Error(E),
}

/// Counts failures per address (/32, /64) and per account, in bounded memory.
#[derive(Debug, Default)]
pub struct Gate {}

impl Gate {
    /// Runs one login: refuses the banned, runs `verify`, counts and delays failures, forgets them on success.
    /// A correct password from an address that did not fail is admitted whatever others tried on that account.
    pub async fn admit<T, E, F>(&self, _peer: IpAddr, _login: &str, _verify: F) -> Result<T, Refusal<E>>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        unimplemented!()
    }

    /// True when connections from this address are refused at the door.
    pub fn is_banned(&self, _peer: IpAddr) -> bool {
        unimplemented!()
    }

    /// Forgets the failures of an address, or of all.
    pub fn unban(&self, _peer: Option<IpAddr>) {
        unimplemented!()
    }
}
