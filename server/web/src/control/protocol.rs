//! Requests and answers: one JSON object a line, each way.

use std::net::IpAddr;
use std::path::PathBuf;

use mailstead_advice::doctor::Examination;
use mailstead_advice::records::DomainCheck;
use mailstead_message::{Address, Domain};
use mailstead_store::backup::{BackupFailure, BackupRecord};
use mailstead_store::{QueueAction, Smarthost, StsMode};
use serde::{Deserialize, Serialize};

use super::activity::{LetterDetail, LetterView};
use super::app_passwords::{AppPasswordView, NewAppPassword};
use super::backups::BackupsView;
use super::people::AccountDetail;
use super::reports::ReportDigest;
use super::views::{
    AccountView, AliasView, BanView, CertificateView, DomainView, KeyView, QueueView, ReportDetail, ReportView,
    SetupLinkView, SetupView, SmarthostView, StatusView, StoryView,
};
use crate::logs::{LogLine, Severity};

/// What an operator can ask.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Add a domain.
    DomainAdd {
        /// Its name.
        domain: Domain,
    },
    /// List domains.
    DomainList,
    /// Remove a domain.
    DomainRemove {
        /// Its name.
        domain: Domain,
    },
    /// Set or clear the catch-all.
    CatchAll {
        /// The domain.
        domain: Domain,
        /// Who gets what nobody else does.
        target: Option<Address>,
    },
    /// Set what a domain's MTA-STS policy wants of senders.
    StsMode {
        /// The domain.
        domain: Domain,
        /// How seriously it is meant.
        mode: StsMode,
    },
    /// Show what a domain should publish in DNS.
    DomainRecords {
        /// Its name.
        domain: Domain,
        /// Our host name, where no server runs that knows it.
        hostname: Option<String>,
    },
    /// The same, with how it stands in DNS.
    DomainCheck {
        /// Its name.
        domain: Domain,
        /// Our host name, where no server runs that knows it.
        hostname: Option<String>,
    },
    /// List the keys a domain signs with.
    DomainKeys {
        /// Its name.
        domain: Domain,
    },
    /// Make the next keys of a domain, or give them up.
    DomainRotateKey {
        /// Its name.
        domain: Domain,
        /// Whether they are given up.
        cancel: bool,
    },
    /// Add an account.
    AccountAdd {
        /// Its address.
        address: Address,
        /// Its password.
        password: String,
        /// Its quota in bytes.
        quota: Option<u64>,
    },
    /// List accounts.
    AccountList,
    /// Set a password.
    AccountPassword {
        /// The account.
        address: Address,
        /// The new password.
        password: String,
    },
    /// Set or clear a quota.
    AccountQuota {
        /// The account.
        address: Address,
        /// Bytes.
        quota: Option<u64>,
    },
    /// Give an account one more address.
    AccountAddAddress {
        /// The account.
        account: Address,
        /// The further address.
        address: Address,
    },
    /// Take a further address away.
    AccountRemoveAddress {
        /// The account.
        account: Address,
        /// The further address.
        address: Address,
    },
    /// Disable or enable an account.
    AccountDisabled {
        /// The account.
        address: Address,
        /// No login when true.
        disabled: bool,
    },
    /// Make an account an operator, or take that away.
    AccountOperator {
        /// The account.
        address: Address,
        /// It may govern the server when true.
        operator: bool,
    },
    /// Have an account's mail sent on.
    AccountForward {
        /// The account.
        address: Address,
        /// Where to; nowhere when empty.
        to: Vec<Address>,
        /// It arrives in the account's own mailbox too.
        keep: bool,
    },
    /// Remove an account with all its mail.
    AccountRemove {
        /// The account.
        address: Address,
    },
    /// Show one account with all that belongs to it.
    AccountShow {
        /// The account.
        address: Address,
    },
    /// Sign somebody out at the web.
    SessionEnd {
        /// The account.
        account: Address,
        /// Which session; all when missing.
        key: Option<String>,
    },
    /// Make an app password.
    AppPasswordAdd {
        /// The account.
        account: Address,
        /// The device.
        name: String,
    },
    /// List an account's app passwords.
    AppPasswordList {
        /// The account.
        account: Address,
    },
    /// Remove an app password.
    AppPasswordRemove {
        /// The account.
        account: Address,
        /// Which; all when missing.
        id: Option<u64>,
    },
    /// Add an alias or replace its targets.
    AliasSet {
        /// The address.
        address: Address,
        /// Where it leads.
        targets: Vec<Address>,
    },
    /// List aliases.
    AliasList,
    /// Remove an alias.
    AliasRemove {
        /// The address.
        address: Address,
    },
    /// Set or clear the relay for outgoing mail.
    SmarthostSet {
        /// Only for mail from this domain.
        domain: Option<Domain>,
        /// The relay.
        smarthost: Option<Smarthost>,
    },
    /// Show relays.
    SmarthostList,
    /// List the queue.
    QueueList,
    /// Retry, hold or remove a queued message.
    Queue {
        /// Its number.
        id: u64,
        /// What to do.
        action: QueueAction,
    },
    /// Give a queued message up, and tell its sender.
    QueueBounce {
        /// Its number.
        id: u64,
    },
    /// Try all queued messages now that are not held.
    QueueRetryAll,
    /// Tell one message's story.
    Trace {
        /// Its trace id.
        id: String,
    },
    /// Tell the latest stories of an address.
    TraceAddress {
        /// The address.
        address: Address,
        /// How many.
        limit: usize,
    },
    /// List the latest messages, each in one line.
    Activity {
        /// Only those that this address is part of.
        address: Option<Address>,
        /// Only those before this one (its trace id).
        before: Option<String>,
        /// How many.
        limit: usize,
    },
    /// Tell one message's story with what it means.
    Story {
        /// Its trace id.
        id: String,
    },
    /// List locked-out addresses.
    BanList,
    /// Let an address in again, or all.
    BanLift {
        /// Which.
        address: Option<IpAddr>,
    },
    /// List those whose ARC seals are trusted.
    SealerList,
    /// Trust a domain's ARC seals, or no more.
    SealerTrust {
        /// The domain.
        domain: Domain,
        /// Whether.
        trusted: bool,
    },
    /// List reports about our domains.
    ReportList {
        /// Only about this one.
        domain: Option<Domain>,
        /// How many.
        limit: usize,
    },
    /// Tell what the reports of the last 30 days say together.
    ReportDigest {
        /// Only about this domain.
        domain: Option<Domain>,
    },
    /// Show a report.
    ReportShow {
        /// Its number.
        id: u64,
    },
    /// Send the reports we owe others.
    ReportSend {
        /// Only of this day (`2026-11-25`, UTC), ended or not; of all that have ended when missing.
        day: Option<String>,
    },
    /// Send reports each day, or not.
    ReportSending {
        /// Whether.
        on: bool,
    },
    /// How it stands with the certificates.
    CertificateList,
    /// Ask for certificates now: those that wait for their next try, or this one whatever there is.
    CertificateRenew {
        /// Which.
        name: Option<String>,
    },
    /// What keeps the host from sending, receiving and proving who it is.
    Doctor,
    /// List the latest log lines, newest first.
    Logs {
        /// Only what matters at least so much.
        least: Severity,
        /// Only what contains this.
        containing: String,
        /// How many.
        limit: usize,
    },
    /// How far the server is set up.
    Setup,
    /// Make a new one-time link for setting it up at the web.
    SetupLink,
    /// Choose the host name, where the configuration file names none.
    SetupHostname {
        /// The name.
        hostname: Domain,
    },
    /// End setting up: make the account that governs the server, or take one that is there.
    SetupOperator {
        /// The account.
        address: Address,
        /// Its password, if it is new.
        password: Option<String>,
    },
    /// What is remembered of the last backups.
    Backups,
    /// Take a picture of the store, for whoever holds the lock of the data folder to copy.
    BackupStage,
    /// Remove the picture, and remember how the backup ended.
    BackupEnd {
        /// How.
        outcome: Result<BackupRecord, BackupFailure>,
    },
    /// Begin a backup inside the data folder.
    BackupNow,
    /// How it goes.
    Status,
}

/// What comes back: an answer, or one sentence on why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// It went well.
    Ok(Answer),
    /// It did not, and why.
    Error(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done; a sentence says what.
    Done(String),
    /// Domains.
    Domains(Vec<DomainView>),
    /// What a domain should publish, and how it stands in DNS if that was looked at.
    DomainCheck(Box<DomainCheck>),
    /// Keys of a domain.
    Keys(Vec<KeyView>),
    /// Accounts.
    Accounts(Vec<AccountView>),
    /// An account with all that belongs to it.
    Account(Box<AccountDetail>),
    /// App passwords of an account.
    AppPasswords(Vec<AppPasswordView>),
    /// An app password that was just made.
    NewAppPassword(NewAppPassword),
    /// Aliases.
    Aliases(Vec<AliasView>),
    /// Relays.
    Smarthosts(Vec<SmarthostView>),
    /// The queue.
    Queue(Vec<QueueView>),
    /// Stories.
    Stories(Vec<StoryView>),
    /// Messages, each in one line.
    Activity(Vec<LetterView>),
    /// One message's story with what it means.
    Story(Box<LetterDetail>),
    /// Locked-out addresses.
    Bans(Vec<BanView>),
    /// Domains whose ARC seals are trusted.
    Sealers(Vec<String>),
    /// Reports.
    Reports(Vec<ReportView>),
    /// What reports say together.
    ReportDigest(ReportDigest),
    /// A report in full.
    Report(Box<ReportDetail>),
    /// What was done, in several sentences.
    Sentences(Vec<String>),
    /// Certificates.
    Certificates(Vec<CertificateView>),
    /// What the doctor found.
    Examination(Examination),
    /// Log lines.
    Logs(Vec<LogLine>),
    /// How far the server is set up.
    Setup(SetupView),
    /// A new set-up link.
    SetupLink(SetupLinkView),
    /// The last backups.
    Backups(BackupsView),
    /// Where the picture is.
    BackupStaged(PathBuf),
    /// How it goes.
    Status(StatusView),
}
