//! What the server itself has written down that the doctor wants to know.

use jiff::Timestamp;
use mailstead_net::acme::Standing;

/// What the server itself knows.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Why its store can't be opened; the rest is empty then.
    pub cannot_open: Option<String>,
    /// Domains it has.
    pub domains: usize,
    /// Its certificates.
    pub certificates: Vec<Standing>,
    /// What waits to go out.
    pub queue: Vec<Waiting>,
    /// A relay takes all outgoing mail.
    pub smarthost: bool,
    /// Recent reports of letters in our names that failed, and of connections to us whose TLS failed.
    pub failed: (usize, usize),
    /// When the last copy of everything was made.
    pub copies: Copies,
}

/// Backups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Copies {
    /// It is not written down.
    #[default]
    Unknown,
    /// None was ever made.
    Never,
    /// Then.
    Last(Timestamp),
}

/// A letter that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// Bytes.
    pub size: u64,
    /// An operator holds it.
    pub held: bool,
    /// Tries so far.
    pub attempts: u32,
    /// Domains of those it still waits for.
    pub domains: Vec<String>,
    /// What happened last.
    pub last: Option<String>,
}
