//! What we owe others reports about: how TLS went on the way to them (RFC 8460), and what we made of letters in their
//! name (RFC 7489 7.2, RFC 9990). Counted as it happens, read and dropped when the day's report is sent.

use std::net::IpAddr;

use mailstead_message::Domain;
use mailstead_migrations::v2;
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::change::tallies::{DROPPED, ROW};
use crate::record::{decode, encode};
use crate::{Acceptance, Store, StoreError, Timestamp};

pub(crate) type Tallies = TableDefinition<'static, (u32, &'static str, &'static [u8]), u64>;

/// Seconds of a day, which is UTC's for every report.
const DAY: i64 = 24 * 60 * 60;
/// Bytes of one row: a peer's long words are cut before, and what is still larger is not counted.
const MAX_ROW: usize = 8 << 10;
/// Characters of a word of a peer's in a row.
const MAX_WORD: usize = 255;
/// Lines of a policy, signatures of a letter, reasons for an exception in a row.
const MAX_LIST: usize = 20;

/// A day of UTC since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub u32);

impl Day {
    /// The day a time falls on.
    pub fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.0.div_euclid(DAY)).unwrap_or(0))
    }

    /// Its first second.
    pub fn begin(self) -> Timestamp {
        Timestamp(i64::from(self.0) * DAY)
    }

    /// Its last second.
    pub fn end(self) -> Timestamp {
        Timestamp(self.begin().0 + DAY - 1)
    }
}

/// How TLS went in one session with a server of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsOutcome {
    /// The recipients' domain, whose policy it is and who is told.
    pub domain: Domain,
    /// The policy that applied.
    pub policy: TlsPolicy,
    /// What went wrong; `None` when TLS stood and the policy was satisfied.
    pub failure: Option<TlsFailure>,
}

/// The policy that applied (RFC 8460 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsPolicy {
    /// MTA-STS.
    Sts {
        /// The policy's lines (`version: STSv1`, `mode: enforce`, ...).
        lines: Vec<String>,
        /// Its `mx` patterns.
        mx: Vec<String>,
    },
    /// DANE.
    Tlsa {
        /// The TLSA records, as a zone file has them (`3 1 1 ab12...`).
        records: Vec<String>,
    },
    /// None was found.
    NotFound,
}

/// What went wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// Its kind.
    pub result: TlsResult,
    /// Our address.
    pub sending_ip: Option<IpAddr>,
    /// The server's name in MX.
    pub mx: Option<String>,
    /// What it called itself.
    pub helo: Option<String>,
    /// Its address.
    pub receiving_ip: Option<IpAddr>,
    /// The cause in words.
    pub reason: Option<String>,
}

/// Kinds of failure (RFC 8460 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsResult {
    /// No STARTTLS.
    StarttlsNotSupported,
    /// The certificate is for another name.
    CertificateHostMismatch,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate's issuer is not trusted.
    CertificateNotTrusted,
    /// Any other failure of TLS.
    ValidationFailure,
    /// No certificate shown matches a TLSA record, or the records are no use.
    TlsaInvalid,
    /// The signatures of the TLSA records are not valid.
    DnssecInvalid,
    /// DANE was required, and there were no TLSA records.
    DaneRequired,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// The MTA-STS policy is not valid.
    StsPolicyInvalid,
    /// The certificate of the MTA-STS policy's host is not valid.
    StsWebpkiInvalid,
}

impl TlsResult {
    /// As a report names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

/// What was made of one letter whose author's domain has a DMARC record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcOutcome {
    /// The domain whose record applied: the author's, or the organisation's above it. It is who is told.
    pub domain: Domain,
    /// That record.
    pub published: DmarcPublished,
    /// Who sent it.
    pub source: IpAddr,
    /// What was done with it.
    pub disposition: DmarcPolicy,
    /// An aligned DKIM signature passed.
    pub dkim_aligned: bool,
    /// SPF passed for an aligned domain.
    pub spf_aligned: bool,
    /// Why the record was not followed to the letter.
    pub overrides: Vec<DmarcOverride>,
    /// The author's domain (RFC5322.From).
    pub header_from: Domain,
    /// The reverse-path's domain.
    pub envelope_from: Option<Domain>,
    /// The recipients' domain, when there is one only.
    pub envelope_to: Option<Domain>,
    /// Each DKIM signature, aligned or not.
    pub dkim: Vec<DkimAuth>,
    /// SPF, aligned or not.
    pub spf: Option<SpfAuth>,
}

/// A DMARC record, as far as reports repeat it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcPublished {
    /// `adkim=s`
    pub strict_dkim: bool,
    /// `aspf=s`
    pub strict_spf: bool,
    /// `p`
    pub policy: DmarcPolicy,
    /// `sp`, where it is said.
    pub subdomains: Option<DmarcPolicy>,
    /// `np`, where it is said.
    pub nonexistent: Option<DmarcPolicy>,
    /// `t=y`
    pub testing: bool,
    /// `pct`, where it is said (RFC 7489 only).
    pub percent: Option<u8>,
    /// `fo`, where it is said.
    pub failure_options: Option<String>,
}

/// What a DMARC record asks for, and what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcPolicy {
    /// Nothing.
    None,
    /// To be taken for suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

impl DmarcPolicy {
    /// As a record and a report name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// Why a DMARC record was not followed to the letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcOverride {
    /// Its kind.
    pub kind: DmarcOverrideKind,
    /// In words.
    pub comment: Option<String>,
}

/// Kinds of reasons (RFC 7489 appendix C, RFC 9990 3.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DmarcOverrideKind {
    /// Our own policy, such as a sealer of ARC that we trust.
    LocalPolicy,
    /// It came through a mailing list.
    MailingList,
    /// The record says that it is being tested (`t=y`).
    PolicyTestMode,
    /// It was left out by `pct`.
    SampledOut,
    /// It was forwarded by someone known.
    TrustedForwarder,
    /// Anything else.
    Other,
}

impl DmarcOverrideKind {
    /// As a report names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LocalPolicy => "local_policy",
            Self::MailingList => "mailing_list",
            Self::PolicyTestMode => "policy_test_mode",
            Self::SampledOut => "sampled_out",
            Self::TrustedForwarder => "trusted_forwarder",
            Self::Other => "other",
        }
    }
}

/// One DKIM signature's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimAuth {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// The verdict.
    pub result: AuthResult,
}

/// SPF's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfAuth {
    /// The domain checked.
    pub domain: String,
    /// It is the one of EHLO, because the reverse-path is null; else the reverse-path's.
    pub of_helo: bool,
    /// The verdict.
    pub result: AuthResult,
}

/// A verdict of DKIM or SPF, in the words of RFC 8601 2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// There was nothing to judge by.
    None,
    /// Good.
    Pass,
    /// Bad.
    Fail,
    /// SPF: rather bad.
    Softfail,
    /// DKIM: good, but not acceptable to us.
    Policy,
    /// Says nothing.
    Neutral,
    /// Could not be judged now.
    Temperror,
    /// Can't be judged.
    Permerror,
}

impl AuthResult {
    /// As a report names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

/// Which report a tally is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportKind {
    /// TLS (RFC 8460).
    Tls,
    /// DMARC, aggregate (RFC 7489 7.2).
    Dmarc,
}

impl ReportKind {
    pub(crate) fn tallies(self) -> Tallies {
        match self {
            Self::Tls => v2::TLS_TALLIES,
            Self::Dmarc => v2::DMARC_TALLIES,
        }
    }
}

/// What was counted of a domain on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<T> {
    /// What happened, and how often.
    pub rows: Vec<(T, u64)>,
    /// What happened but was not written down, because there was too much of it.
    pub dropped: u64,
}

impl Store {
    /// Counts a session for the TLS report about it. Does not wait for the disk; a crash may forget it.
    pub fn tally_tls(&self, now: Timestamp, mut outcome: TlsOutcome) {
        outcome.cut();
        self.tally(ReportKind::Tls, now, &outcome.domain, &outcome);
    }

    /// Counts a letter for the DMARC report about it; only for domains whose record has `rua`. Does not wait for the
    /// disk; a crash may forget it.
    pub fn tally_dmarc(&self, now: Timestamp, mut outcome: DmarcOutcome) {
        outcome.cut();
        self.tally(ReportKind::Dmarc, now, &outcome.domain, &outcome);
    }

    /// The days up to and including `last` on which something was counted for a domain, oldest first.
    pub fn tallied(&self, kind: ReportKind, last: Day) -> Result<Vec<(Day, Domain)>, StoreError> {
        let table = self.shared().read()?.open_table(kind.tallies())?;
        let mut found: Vec<(Day, Domain)> = Vec::new();
        for entry in table.range(..(last.0.saturating_add(1), "", &[][..]))? {
            let (key, _) = entry?;
            let (day, name, _) = key.value();
            if found.last().is_none_or(|(last, domain)| last.0 != day || domain.as_str() != name)
                && let Ok(domain) = Domain::parse(name)
            {
                found.push((Day(day), domain));
            }
        }
        Ok(found)
    }

    /// What was counted for a TLS report.
    pub fn tls_tally(&self, day: Day, domain: &Domain) -> Result<Tally<TlsOutcome>, StoreError> {
        self.tally_of(ReportKind::Tls, day, domain)
    }

    /// What was counted for a DMARC report.
    pub fn dmarc_tally(&self, day: Day, domain: &Domain) -> Result<Tally<DmarcOutcome>, StoreError> {
        self.tally_of(ReportKind::Dmarc, day, domain)
    }

    /// Sends a day's report about a domain, or finds that nobody wants it: takes the messages and drops what was
    /// counted for them, in one transaction, so that no report goes out twice. False, and nothing is sent, when it was
    /// dropped already.
    pub async fn settle_tally(
        &self,
        kind: ReportKind,
        day: Day,
        domain: &Domain,
        reports: Vec<Acceptance>,
    ) -> Result<bool, StoreError> {
        let bytes = reports.iter().map(|report| report.message.compressed.len()).sum();
        let domain = domain.clone();
        self.add(bytes, move |change| change.settle_tally(kind, day, &domain, &reports)).await
    }

    fn tally<T: Serialize>(&self, kind: ReportKind, now: Timestamp, domain: &Domain, outcome: &T) {
        let row = match encode(outcome) {
            Ok(row) if row.len() <= MAX_ROW => row,
            Ok(_) => return tracing::debug!(%domain, "too large to be reported"),
            Err(error) => return tracing::debug!(%domain, "not counted for a report: {error}"),
        };
        let domain = domain.clone();
        self.send_and_forget(move |change| change.tally(kind, Day::of(now), &domain, &row));
    }

    fn tally_of<T: DeserializeOwned>(
        &self,
        kind: ReportKind,
        day: Day,
        domain: &Domain,
    ) -> Result<Tally<T>, StoreError> {
        let table = self.shared().read()?.open_table(kind.tallies())?;
        let mut tally = Tally { rows: Vec::new(), dropped: 0 };
        let name = domain.as_str();
        for entry in table.range((day.0, name, &[][..])..=(day.0, name, &[u8::MAX][..]))? {
            let (key, count) = entry?;
            match key.value().2.split_first() {
                Some((&ROW, row)) => tally.rows.push((decode(row, "a row of a report")?, count.value())),
                Some((&DROPPED, _)) => tally.dropped = count.value(),
                _ => {}
            }
        }
        Ok(tally)
    }
}

impl TlsOutcome {
    /// Cuts what others have a say in to a size worth keeping.
    fn cut(&mut self) {
        match &mut self.policy {
            TlsPolicy::Sts { lines, mx } => {
                cut_list(lines);
                cut_list(mx);
            }
            TlsPolicy::Tlsa { records } => cut_list(records),
            TlsPolicy::NotFound => {}
        }
        if let Some(failure) = &mut self.failure {
            for word in [&mut failure.mx, &mut failure.helo, &mut failure.reason].into_iter().flatten() {
                cut_word(word);
            }
        }
    }
}

impl DmarcOutcome {
    /// Cuts what others have a say in to a size worth keeping.
    fn cut(&mut self) {
        self.overrides.truncate(MAX_LIST);
        self.overrides.iter_mut().filter_map(|reason| reason.comment.as_mut()).for_each(cut_word);
        self.dkim.truncate(MAX_LIST);
        for signature in &mut self.dkim {
            cut_word(&mut signature.domain);
            cut_word(&mut signature.selector);
        }
        if let Some(spf) = &mut self.spf {
            cut_word(&mut spf.domain);
        }
        if let Some(options) = &mut self.published.failure_options {
            cut_word(options);
        }
    }
}

fn cut_list(words: &mut Vec<String>) {
    words.truncate(MAX_LIST);
    words.iter_mut().for_each(cut_word);
}

fn cut_word(word: &mut String) {
    if let Some((at, _)) = word.char_indices().nth(MAX_WORD) {
        word.truncate(at);
    }
}
