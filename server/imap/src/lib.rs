//! IMAP: wire syntax (sans-IO), the session, the commands.
//!
//! RFC 3501 (IMAP4rev1) with IDLE, UIDPLUS, MOVE, SPECIAL-USE, NAMESPACE, ID, ENABLE, LITERAL+, CHILDREN,
//! LIST-EXTENDED, LIST-STATUS, UNSELECT, SASL-IR, CONDSTORE.

pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use mailstead_net::{Certificates, Gate, Peer, Permit, Stream};
use mailstead_store::Store;

/// How one listener's sessions behave.
#[derive(Clone)]
pub struct Config {
    /// Name in the banner.
    pub hostname: String,
    /// TLS from the first byte (993).
    pub implicit_tls: bool,
    /// Certificates.
    pub certificates: Certificates,
    /// Largest APPEND, in bytes.
    pub max_message_size: u64,
    /// Folder of spool files for large literals.
    pub spool_folder: std::path::PathBuf,
    /// Silence that ends a session (RFC 3501 5.4: at least 30 minutes once logged in).
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

/// Tells a connection there is no place for it (`* BYE`) and closes it, in bounded time.
pub async fn turn_away(_stream: Stream, _config: Arc<Config>) {
    unimplemented!()
}
