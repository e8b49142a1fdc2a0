//! What answers tell of, in the form in which it goes over the socket.

use mailstead_message::report::Report;
use mailstead_store::{KeyState, RecipientState, SmarthostTls, StsMode, TlsNeed};
use serde::{Deserialize, Serialize};

/// A domain. Times here and below are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// Its name as people write it.
    pub domain: String,
    /// Who gets what nobody else does.
    pub catch_all: Option<String>,
    /// What its MTA-STS policy wants of senders.
    pub mta_sts: StsMode,
    /// When it was added.
    pub created: String,
}

/// A key a domain signs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its selector.
    pub selector: String,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The same in a sentence.
    pub meaning: String,
    /// When it was made.
    pub created: String,
    /// Since when it stands there.
    pub since: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The address it logs in with.
    pub address: String,
    /// Further addresses.
    pub addresses: Vec<String>,
    /// No login.
    pub disabled: bool,
    /// It may govern the server.
    pub operator: bool,
    /// Where its mail is sent on to.
    pub forwards: Vec<String>,
    /// Its mail stays in its own mailbox, perhaps besides.
    pub keeps: bool,
    /// Bytes stored.
    pub used: u64,
    /// The most it may store, in bytes.
    pub quota: Option<u64>,
    /// When it was added.
    pub created: String,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// The address.
    pub address: String,
    /// Where it leads.
    pub targets: Vec<String>,
    /// Those of them that nobody has: nothing arrives there.
    pub dead_ends: Vec<String>,
}

/// A relay for outgoing mail, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmarthostView {
    /// Only for mail from this domain; for all when missing.
    pub domain: Option<String>,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How TLS is used.
    pub tls: SmarthostTls,
    /// User name.
    pub user: Option<String>,
}

/// A queued message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// Its number.
    pub id: u64,
    /// Its trace id.
    pub trace: String,
    /// Its reverse-path; empty for a report.
    pub from: String,
    /// Bytes.
    pub size: u64,
    /// Since when it waits.
    pub created: String,
    /// When it is tried next.
    pub due: String,
    /// Tries so far.
    pub attempts: u32,
    /// An operator holds it.
    pub held: bool,
    /// What TLS it needs on its way.
    pub tls: TlsNeed,
    /// Its recipients.
    pub recipients: Vec<RecipientView>,
}

/// A recipient of a queued message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientView {
    /// The address.
    pub address: String,
    /// How it stands.
    pub state: RecipientState,
    /// The last thing that happened.
    pub last: Option<String>,
}

/// A message's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryView {
    /// Its trace id.
    pub trace: String,
    /// What happened, in order.
    pub events: Vec<EventView>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
}

/// A locked-out address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// The address or network.
    pub address: String,
    /// For how many more seconds.
    pub seconds: u64,
}

/// A report about domains of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportView {
    /// Its number.
    pub id: u64,
    /// When it came.
    pub received: String,
    /// Who sent it, by its reverse-path.
    pub from: Option<String>,
    /// The domain the letter that brought it is proved to be from, if it is.
    pub proved: Option<String>,
    /// `dmarc` or `tls`.
    pub kind: String,
    /// What it is about.
    pub domains: Vec<String>,
    /// Who made it; this and what follows is missing if it can't be read.
    pub organisation: Option<String>,
    /// The name they gave it.
    pub name: Option<String>,
    /// When what it tells began.
    pub begin: Option<String>,
    /// When it ended.
    pub end: Option<String>,
    /// Letters proved to be ours, or sessions with TLS as it should be.
    pub good: Option<u64>,
    /// The others.
    pub bad: Option<u64>,
    /// Why it can't be read.
    pub problem: Option<String>,
}

/// A report in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDetail {
    /// As it is listed.
    #[serde(flatten)]
    pub view: ReportView,
    /// The trace id of the letter that brought it.
    pub trace: String,
    /// What it tells, in plain words.
    pub sentences: Vec<String>,
    /// What it tells, row by row.
    pub report: Option<Report>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// The name it is for.
    pub name: String,
    /// Where it comes from.
    pub source: CertificateSource,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When it ends.
    pub expires: Option<String>,
    /// It ends soon, or has ended.
    pub expires_soon: bool,
    /// What went wrong last, since it last went well.
    pub last_error: Option<String>,
    /// It is only that the name does not lead here yet.
    pub waits_for_dns: bool,
    /// When a new one is asked for.
    pub next_try: Option<String>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// An authority, by ACME.
    Acme,
    /// The files under `[tls]`.
    Files,
    /// The server itself.
    SelfSigned,
    /// Whoever started it, as the demo does.
    Given,
    /// There is none of its own: the mail host's is shown.
    None,
}

/// How far the server is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupView {
    /// Somebody governs it.
    pub done: bool,
    /// Its host name, where one is known.
    pub hostname: Option<String>,
    /// The configuration file says so, which alone can change it.
    pub hostname_fixed: bool,
    /// Somebody has decided on it; otherwise it is only what the machine calls itself.
    pub hostname_chosen: bool,
    /// Where that name leads, in a sentence, where a server runs that can look.
    #[serde(default)]
    pub leads: Option<String>,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its accounts.
    pub accounts: Vec<String>,
}

/// A new set-up link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLinkView {
    /// What stands behind `/setup/` in it.
    pub token: String,
    /// When it ends.
    pub expires: String,
}

/// How it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// A server is running.
    pub running: bool,
    /// Its version.
    pub version: String,
    /// For how many seconds it runs.
    pub uptime_seconds: Option<u64>,
    /// Domains.
    pub domains: usize,
    /// Accounts.
    pub accounts: usize,
    /// Bytes of stored mail, as the accounts count them.
    pub used: u64,
    /// Messages that wait to go out.
    pub queued: usize,
    /// Since when the oldest waits.
    pub oldest_queued: Option<String>,
    /// Who answers questions about names, and what is lost by it.
    pub dns: Option<String>,
    /// Names whose certificate ends soon or has ended.
    pub certificates_expiring: Vec<String>,
    /// Reports of the last 30 days, proved to be from who sent them, that tell of letters in our names that failed.
    pub reports_of_failed_letters: usize,
    /// The same of connections to us whose TLS failed.
    pub reports_of_failed_tls: usize,
}
