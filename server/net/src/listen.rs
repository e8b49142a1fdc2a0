//! Listening sockets and their accept loop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{Limits, Permit, Stream};

/// Connections that may wait in the kernel while we are busy.
const BACKLOG: i32 = 1024;
/// Rest after an accept error such as having no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Connections told at once that there is no place; more are closed without a word.
const TURNED_AWAY_AT_ONCE: usize = 64;

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
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds (SO_REUSEADDR; an IPv6 wildcard takes IPv6 only, so that `0.0.0.0` and `[::]` stand side by side).
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = std::net::TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop` resolves, then waits for the sessions under way (which watch for the stop themselves) and
    /// returns. Each connection runs `serve` in a task of its own, in which a panic is contained. Running out of file
    /// descriptors pauses accepting, never ends it. A connection without a place in `limits` is given to `turn_away`
    /// instead, to be told so in the protocol's words.
    pub async fn run<S, SF, T, TF>(self, limits: Limits, stop: impl Future<Output = ()>, serve: S, turn_away: T)
    where
        S: Fn(Stream, Peer, Permit) -> SF + Send + Sync + 'static,
        SF: Future<Output = ()> + Send + 'static,
        T: Fn(Stream, Peer) -> TF + Send + Sync + 'static,
        TF: Future<Output = ()> + Send + 'static,
    {
        let listener = match TcpListener::from_std(self.socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(address = %self.address, %error, "this port can't be served");
                return;
            }
        };
        let local = self.address;
        let turning_away = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
        let mut sessions = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = stop.as_mut() => break,
                Some(ended) = sessions.join_next(), if !sessions.is_empty() => {
                    report(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let (tcp, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%local, %error, "a connection can't be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let peer = Peer { remote, local: tcp.local_addr().unwrap_or(local) };
            let stream = Stream::plain(tcp);
            match limits.enter(remote.ip()) {
                Some(permit) => drop(sessions.spawn(serve(stream, peer, permit))),
                None => {
                    tracing::info!(peer = %remote, %local, "no place for one more connection");
                    if let Ok(place) = Arc::clone(&turning_away).try_acquire_owned() {
                        let told = turn_away(stream, peer);
                        sessions.spawn(async move {
                            told.await;
                            drop(place);
                        });
                    }
                }
            }
        }
        drop(listener);
        while let Some(ended) = sessions.join_next().await {
            report(ended);
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a session ended by a fault of ours");
    }
}
