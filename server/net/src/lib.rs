//! What every edge shares: sockets, TLS and certificates, limits, guards against guessing, credentials, DNS.
//!
//! **Invariants:** knows no mail protocol, no account and no store. Everything it takes from a peer is bounded.
//!
//! Start reading at [`Stream`], then [`Listener`]. Certificates we show: [`certificates`], and [`acme`] by which they
//! come. Certificates we are shown: [`verify`], [`dane`]. Names: [`dns::Dns`].

pub mod acme;
pub mod certificates;
pub mod dane;
pub mod dns;
pub mod gate;
pub mod https;
pub mod limits;
pub mod listen;
pub mod network;
pub mod reach;
pub mod sasl;
pub mod stream;
pub mod tls;
pub mod verify;

pub use certificates::Certificates;
pub use gate::{Ban, Gate, Refusal};
pub use limits::{Limits, Permit};
pub use listen::{Listener, Peer};
pub use network::Network;
pub use stream::{Stream, TlsInfo};
pub use verify::{ClientTls, Flaw, Look, TlsFault};

/// A boxed future, for the small traits that are used as objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Resolves when the server goes down; never, when nobody is left to say so.
pub async fn stopped(shutdown: &mut tokio::sync::watch::Receiver<bool>) {
    if shutdown.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}
