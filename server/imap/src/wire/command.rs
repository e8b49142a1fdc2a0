//! The commands, typed: what holds one of these needs no further check of syntax.

use mailstead_store::{FlagChange, FlagSet, SpecialUse, Timestamp};
use zeroize::Zeroizing;

use super::{Fetch, List, Search, SequenceSet};

/// A command with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The tag.
    pub tag: String,
    /// The command.
    pub command: Command,
}

/// A command. Mailbox names are decoded Unicode; `uid` tells the `UID` variant of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants and fields are the RFC's own words")]
pub enum Command {
    Capability,
    Noop,
    Logout,
    StartTls,
    Authenticate { mechanism: String, initial: Option<Vec<u8>> },
    Login { user: String, password: Zeroizing<String> },
    Enable(Vec<String>),
    Id,
    Namespace,
    Select { mailbox: String, read_only: bool, condstore: bool },
    Create { mailbox: String, uses: Vec<Option<SpecialUse>> },
    Delete(String),
    Rename { from: String, to: String },
    Subscribe(String),
    Unsubscribe(String),
    List(List),
    Lsub { reference: Vec<u8>, pattern: Vec<u8> },
    Status { mailbox: String, items: Vec<StatusItem> },
    Idle,
    Check,
    Close,
    Unselect,
    Expunge { uids: Option<SequenceSet> },
    Search { uid: bool, search: Search },
    Fetch { uid: bool, set: SequenceSet, fetch: Fetch },
    Store { uid: bool, set: SequenceSet, store: Store },
    Copy { uid: bool, set: SequenceSet, mailbox: String },
    Move { uid: bool, set: SequenceSet, mailbox: String },
}

/// What APPEND says before its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendHead {
    /// The tag.
    pub tag: String,
    /// Where to.
    pub mailbox: String,
    /// With which flags.
    pub flags: FlagSet,
    /// INTERNALDATE, or now.
    pub date: Option<Timestamp>,
}

/// What STORE changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// How.
    pub action: StoreAction,
    /// The flags named.
    pub flags: FlagSet,
    /// `.SILENT`.
    pub silent: bool,
    /// `UNCHANGEDSINCE` (RFC 7162 3.1.3).
    pub unchanged_since: Option<u64>,
}

/// How STORE changes flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAction {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

impl Store {
    /// The change in the store's words.
    pub fn change(self) -> FlagChange {
        match self.action {
            StoreAction::Replace => FlagChange::Replace(self.flags),
            StoreAction::Add => FlagChange::Add(self.flags),
            StoreAction::Remove => FlagChange::Remove(self.flags),
        }
    }
}

/// What STATUS can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the RFC's own words")]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    /// RFC 8438.
    Size,
    /// RFC 7162.
    HighestModSeq,
    /// RFC 7889.
    AppendLimit,
}

impl StatusItem {
    /// All with their names.
    pub(crate) const NAMES: [(Self, &'static str); 9] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Deleted, "DELETED"),
        (Self::Size, "SIZE"),
        (Self::HighestModSeq, "HIGHESTMODSEQ"),
        (Self::AppendLimit, "APPENDLIMIT"),
    ];
}
