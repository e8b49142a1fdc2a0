//! The server's side: what the house must decide ([`Handler`]), the session as a state machine without sockets
//! ([`session::Session`]), and the loop that drives it ([`serve`]).

mod driver;
mod intake;
pub mod session;
mod spool;

pub use driver::{serve, turn_away};
pub use mailstead_net::sasl::Claim;
pub use session::{Event, Session};

use std::fs::File;
use std::time::Duration;

use mailstead_message::{Address, ReversePath, TraceId};
use mailstead_net::{BoxFuture, Certificates, Peer, TlsInfo};

use crate::Reply;

/// Which port this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// 25: from the world, for local recipients only, never AUTH.
    Exchange,
    /// 587 (STARTTLS before AUTH) and 465 (TLS from the first byte): from our users' devices.
    Submission,
}

/// How one listener's sessions behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name in the banner and in EHLO.
    pub hostname: String,
    /// Port's role.
    pub role: Role,
    /// TLS from the first byte.
    pub implicit_tls: bool,
    /// Certificates for STARTTLS and implicit TLS.
    pub certificates: Certificates,
    /// Largest message, in bytes (SIZE).
    pub max_message_size: u64,
    /// Messages above this size are spooled to a file instead of being held.
    pub spool_above: usize,
    /// Folder of the spool files (created unlinked).
    pub spool_folder: std::path::PathBuf,
    /// Recipients of one message (LIMITS RCPTMAX).
    pub max_recipients: usize,
    /// Messages of one session (LIMITS MAILMAX).
    pub max_messages: usize,
    /// Wrong or refused commands before 421.
    pub max_errors: usize,
    /// Refused recipients of one session before 421; each is answered more slowly than the one before.
    pub max_refused_recipients: usize,
    /// Commands of one session.
    pub max_commands: usize,
    /// Wait for one command.
    pub command_timeout: Duration,
    /// A whole session.
    pub session_timeout: Duration,
}

/// Who is connected, as far as it is known.
#[derive(Debug, Clone)]
pub struct Client {
    /// Address and port.
    pub peer: Peer,
    /// Name given in EHLO or HELO.
    pub helo: String,
    /// EHLO was said, not HELO.
    pub esmtp: bool,
    /// TLS, if it is on.
    pub tls: Option<TlsInfo>,
    /// Who logged in: the account's number and address, as [`Handler::authenticate`] gave it.
    pub identity: Option<Identity>,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The handler's own number for the account.
    pub account: u64,
    /// Its address.
    pub address: Address,
}

/// What comes of a login that is right.
#[derive(Debug)]
pub struct Admitted {
    /// Who it is.
    pub identity: Identity,
    /// What the client must hear before, in base64, where the mechanism has that.
    pub last_word: Option<String>,
}

/// `MAIL FROM` with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailFrom {
    /// The reverse-path.
    pub reverse_path: ReversePath,
    /// `SIZE`.
    pub size: Option<u64>,
    /// `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `ENVID`, decoded from xtext.
    pub envid: Option<String>,
    /// `RET`: true is FULL, false is HDRS.
    pub ret_full: Option<bool>,
    /// `REQUIRETLS` (RFC 8689): verified TLS all the way, or the message comes back.
    pub require_tls: bool,
}

/// `RCPT TO` with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcptTo {
    /// The recipient. `<Postmaster>` without a domain comes as postmaster at our host name.
    pub address: Address,
    /// `NOTIFY`, as said.
    pub notify: Option<NotifyParam>,
    /// `ORCPT` as (type, address decoded from xtext or utf-8-addr-xtext).
    pub orcpt: Option<(String, String)>,
}

/// `NOTIFY` as said (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotifyParam {
    /// NEVER (then nothing else).
    pub never: bool,
    /// SUCCESS
    pub success: bool,
    /// FAILURE
    pub failure: bool,
    /// DELAY
    pub delay: bool,
}

/// An envelope with at least one recipient.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The transaction's trace, given out at MAIL.
    pub trace: TraceId,
    /// From.
    pub from: MailFrom,
    /// Accepted recipients.
    pub recipients: Vec<RcptTo>,
}

/// A received message: CRLF line ends only, dot-unstuffed.
#[derive(Debug)]
pub enum Body {
    /// Held in memory.
    Memory(Vec<u8>),
    /// Spooled to an unlinked file.
    Spooled {
        /// The file, positioned anywhere.
        file: File,
        /// Its length.
        len: u64,
    },
}

/// What the house decides for a session. All answers are replies, sent as they are.
pub trait Handler: Send + Sync + 'static {
    /// Before the banner: `Err` refuses the connection (554 or 421).
    fn connected<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), Reply>>;
    /// A new trace id, for a transaction that begins.
    fn trace(&self) -> TraceId;
    /// On which terms SCRAM is offered (salt, rounds of PBKDF2), if it is.
    fn scram(&self) -> Option<(Vec<u8>, u32)> {
        None
    }
    /// AUTH: `Err` is 535 5.7.8, 454 4.7.0, 421 ….
    fn authenticate<'a>(&'a self, client: &'a Client, claim: Claim) -> BoxFuture<'a, Result<Admitted, Reply>>;
    /// MAIL: `Err` refuses it.
    fn mail<'a>(&'a self, client: &'a Client, trace: TraceId, from: &'a MailFrom) -> BoxFuture<'a, Result<(), Reply>>;
    /// RCPT: `Err` refuses that recipient. `accepted` are those accepted before it.
    fn rcpt<'a>(
        &'a self,
        client: &'a Client,
        trace: TraceId,
        from: &'a MailFrom,
        accepted: &'a [RcptTo],
        to: &'a RcptTo,
    ) -> BoxFuture<'a, Result<(), Reply>>;
    /// The message. The reply is sent as it is; 250 only after it is durable.
    fn message<'a>(&'a self, client: &'a Client, envelope: Envelope, body: Body) -> BoxFuture<'a, Reply>;
    /// A transaction ended before its message was handed over (RSET, a refused recipient as the last word, a bare LF,
    /// too large, connection lost): `why` in one sentence, for the story. Called only if MAIL was accepted.
    fn abandoned(&self, client: &Client, trace: TraceId, from: &MailFrom, recipients: &[RcptTo], why: &str);
}
