//! Listening sockets and their accept loop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::{Limits, Permit, Stream};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub remote: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {}

impl Listener {
    /// Binds (SO_REUSEADDR; an IPv6 wildcard takes IPv6 only, so that `0.0.0.0` and `[::]` stand side by side).
    pub fn bind(_address: SocketAddr) -> io::Result<Self> {
        unimplemented!()
    }
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        unimplemented!()
    }
    /// Accepts until `stop` resolves, then returns; each connection runs `serve` in a task of its own, in which a
    /// panic is contained. Running out of file descriptors pauses accepting, never ends it. A connection without
    /// a place in `limits` is given to `turn_away` instead, to be told so in the protocol's words.
    pub async fn run<S, SF, T, TF>(self, _limits: Limits, _stop: impl Future<Output = ()>, _serve: S, _turn_away: T)
    where
        S: Fn(Stream, Peer, Permit) -> SF + Send + Sync + 'static,
        SF: Future<Output = ()> + Send + 'static,
        T: Fn(Stream, Peer) -> TF + Send + Sync + 'static,
        TF: Future<Output = ()> + Send + 'static,
    {
        unimplemented!()
    }
}
