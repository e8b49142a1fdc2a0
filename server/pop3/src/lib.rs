//! POP3: wire syntax (sans-IO), the session, the commands.
//!
//! A connection is a loop ([`serve`], in `driver`): `lines` cuts what arrives into lines, `command` gives each its
//! type, `session` decides and says what it wants of the store, and `body` writes messages the way POP3 wants them.
//! The `maildrop` is INBOX as it was at login; numbers and sizes stay what they were until QUIT.
//!
//! **No lock.** RFC 1939 4 wants the maildrop locked for one session. Its reason, that numbers must not change under
//! a client, is met by the maildrop's being a copy; and a lock does harm: a telephone that lost its network would shut
//! its owner's other devices out until the timeout, with a message that reads like a wrong password. So any number of
//! sessions, IMAP's among them, use the mailbox at once. What another session deleted meanwhile answers `-ERR` to RETR
//! and TOP; deleting it again succeeds.
//!
//! **Flags stay.** What is fetched here is not thereby `\Seen` by IMAP: fetching is not reading.
//!
//! **UTF8** (RFC 6856) changes nothing: names, passwords and messages are UTF-8 with it and without it. A message with
//! a UTF-8 header is given as it is to old clients too: of all ways to treat it, it is the one that loses nothing.
//!
//! **Invariants:** nothing is deleted but by QUIT, and `+OK` to QUIT means that it is gone from the disk. No password
//! in clear text. No message is held in memory whole. This room knows no redb and no SMTP.
//!
//! RFC 1939 with 2449 (CAPA, PIPELINING, RESP-CODES, EXPIRE, IMPLEMENTATION), 2595 (STLS), 3206 (AUTH-RESP-CODE),
//! 5034 (AUTH with PLAIN), 6856 (UTF8, LANG); TOP, UIDL and USER.
//!
//! Start reading at [`serve`], then `session`.

mod body;
pub mod command;
mod driver;
mod limits;
mod lines;
mod maildrop;
mod session;

use std::time::Duration;

use mailstead_net::Certificates;

pub use driver::{serve, turn_away};

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
