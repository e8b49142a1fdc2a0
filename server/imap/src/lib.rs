//! IMAP: wire syntax (sans-IO), the session, the commands.
//!
//! A connection is a loop ([`serve`], in `driver`): [`wire::framing`] cuts what arrives into commands,
//! [`wire::parse`] gives each its type, `commands` carries it out against the store, and `wire`'s encoders write
//! what is told. What lasts between commands is the `session`, with the `View`: the mailbox as the client knows
//! it, which differs from the mailbox as it is until a moment at which the client may be told.
//!
//! **Invariants:** nothing is acknowledged before the store has it on disk. Nothing is read from a client that was
//! not bounded first, and a literal is judged before a byte of it is taken. No snapshot of the store outlives a
//! batch, and none waits for a socket. Message numbers change only by what the client was told. This room knows no
//! redb, no SMTP and no files but the spool of a message that is being appended.
//!
//! RFC 3501 (IMAP4rev1) with 2177 (IDLE), 2342 (NAMESPACE), 2971 (ID), 3348 (CHILDREN), 3691 (UNSELECT), 4315
//! (UIDPLUS), 4731 (ESEARCH), 4959 (SASL-IR), 5161 (ENABLE), 5258 (LIST-EXTENDED), 5530 (response codes), 5819
//! (LIST-STATUS), 6154 (SPECIAL-USE), 6851 (MOVE), 7162 (CONDSTORE), 7888 (LITERAL+), 7889 (APPENDLIMIT), 8438
//! (STATUS=SIZE).
//!
//! Start reading at [`serve`], then `commands`. A new command is a variant of [`wire::Command`], a parser for its
//! arguments, and a file in `commands`.

mod commands;
mod connection;
mod driver;
mod limits;
mod pattern;
mod reply;
mod session;
pub mod wire;

use std::time::Duration;

use mailstead_net::Certificates;

pub use driver::{serve, turn_away};

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
