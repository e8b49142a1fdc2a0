//! POP3: wire syntax (sans-IO), the session, the commands.
//!
//! RFC 1939 with CAPA, UIDL, TOP, STLS, SASL PLAIN, PIPELINING, RESP-CODES.

use std::sync::Arc;
use std::time::Duration;

use mailstead_net::{Certificates, Gate, Peer, Permit, Stream};
use mailstead_store::Store;

/// How one listener's sessions behave.
#[derive(Clone)]
pub struct Config {
    /// Name in the banner.
    pub hostname: String,
    /// TLS from the first byte (995).
    pub implicit_tls: bool,
    /// Certificates.
    pub certificates: Certificates,
    /// Silence that ends a session (RFC 1939: at least 10 minutes).
    pub idle_timeout: Duration,
}

/// Serves one connection to its end.
pub async fn serve(
    _stream: Stream,
    _peer: Peer,
    _permit: Permit,
    _config: Arc<Config>,
    _store: Store,
    _gate: Arc<Gate>,
    _shutdown: tokio::sync::watch::Receiver<bool>,
) {
    unimplemented!()
}

/// Tells a connection there is no place for it (`-ERR [SYS/TEMP]`) and closes it, in bounded time.
pub async fn turn_away(_stream: Stream, _config: Arc<Config>) {
    unimplemented!()
}
