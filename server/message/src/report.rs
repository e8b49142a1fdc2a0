//! What reports about TLS (RFC 8460) and DMARC (RFC 7489 7.2, RFC 9990) tell, whichever way they go: ours to others and
//! others' to us.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Domain, LocalPart};

/// Characters of a word of a peer's that are kept.
pub const MAX_WORD: usize = 255;
/// Lines of a policy, signatures of a letter, reasons for an exception that are kept.
pub const MAX_LIST: usize = 20;
/// Signatures of a letter that a report of ours tells of: whoever writes it adds as many as they like.
const MAX_SIGNATURES: usize = 3;

/// How a report writes each value of an enumeration.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal,)* }) => {
        impl $name {
            /// As a report writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What a report writes so, in any case.
            pub fn parse(word: &str) -> Option<Self> {
                match word.to_ascii_lowercase().as_str() {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// A report of one organisation, mostly about one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who reports.
    pub organisation: String,
    /// Whom to ask about it.
    pub contact: String,
    /// Its name, unique for that organisation.
    pub id: String,
    /// First second of what it tells, since 1970.
    pub begin: i64,
    /// Last second of it.
    pub end: i64,
    /// What it tells.
    pub findings: Findings,
    /// How often something happened that is not told, because there was too much of it or because it can't be read.
    pub untold: u64,
}

/// What a report tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Findings {
    /// How TLS went, and how often.
    Tls(Vec<(TlsOutcome, u64)>),
    /// What was made of letters, and how often.
    Dmarc(Vec<(DmarcOutcome, u64)>),
}

impl Findings {
    /// Which report it is.
    pub fn kind(&self) -> ReportKind {
        match self {
            Self::Tls(_) => ReportKind::Tls,
            Self::Dmarc(_) => ReportKind::Dmarc,
        }
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

words!(TlsResult {
    StarttlsNotSupported => "starttls-not-supported",
    CertificateHostMismatch => "certificate-host-mismatch",
    CertificateExpired => "certificate-expired",
    CertificateNotTrusted => "certificate-not-trusted",
    ValidationFailure => "validation-failure",
    TlsaInvalid => "tlsa-invalid",
    DnssecInvalid => "dnssec-invalid",
    DaneRequired => "dane-required",
    StsPolicyFetchError => "sts-policy-fetch-error",
    StsPolicyInvalid => "sts-policy-invalid",
    StsWebpkiInvalid => "sts-webpki-invalid",
});

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

words!(DmarcPolicy {
    None => "none",
    Quarantine => "quarantine",
    Reject => "reject",
});

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

words!(DmarcOverrideKind {
    LocalPolicy => "local_policy",
    MailingList => "mailing_list",
    PolicyTestMode => "policy_test_mode",
    SampledOut => "sampled_out",
    TrustedForwarder => "trusted_forwarder",
    Other => "other",
});

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

words!(AuthResult {
    None => "none",
    Pass => "pass",
    Fail => "fail",
    Softfail => "softfail",
    Policy => "policy",
    Neutral => "neutral",
    Temperror => "temperror",
    Permerror => "permerror",
});

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportKind {
    /// TLS (RFC 8460).
    Tls,
    /// DMARC, aggregate (RFC 7489 7.2).
    Dmarc,
}

words!(ReportKind {
    Tls => "tls",
    Dmarc => "dmarc",
});

impl TlsOutcome {
    /// Cuts what strangers have a say in to a size worth keeping: [`MAX_LIST`], [`MAX_WORD`].
    pub fn cut(&mut self) {
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

impl ReportKind {
    /// The local part that takes such reports at each of our domains.
    pub fn local_part(self) -> &'static str {
        match self {
            Self::Tls => "tls-reports",
            Self::Dmarc => "dmarc-reports",
        }
    }

    /// The reports that a local part takes, if nobody has it.
    pub fn taken_by(local: &LocalPart) -> Option<Self> {
        let name = local.split_tag().0;
        [Self::Tls, Self::Dmarc].into_iter().find(|kind| name.eq_ignore_ascii_case(kind.local_part()))
    }
}

impl DmarcOutcome {
    /// True when DMARC was satisfied.
    pub fn passed(&self) -> bool {
        self.dkim_aligned || self.spf_aligned
    }

    /// Cuts what strangers have a say in to a size worth keeping: [`MAX_LIST`], [`MAX_WORD`], and the three signatures
    /// that say most about the author's domain.
    pub fn cut(&mut self) {
        self.overrides.truncate(MAX_LIST);
        self.overrides.iter_mut().filter_map(|reason| reason.comment.as_mut()).for_each(cut_word);
        let author = self.header_from.as_str();
        self.dkim.sort_by_key(|signature| {
            let passed = signature.result == AuthResult::Pass;
            (!(passed && is_related(&signature.domain, author)), !passed, !is_related(&signature.domain, author))
        });
        self.dkim.truncate(MAX_SIGNATURES);
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

/// True when one of the names is the other or below it: they may be aligned.
fn is_related(one: &str, other: &str) -> bool {
    let is_below = |name: &str, top: &str| {
        let front = name.len().checked_sub(top.len()).and_then(|at| name.split_at_checked(at));
        front.is_some_and(|(front, end)| end.eq_ignore_ascii_case(top) && (front.is_empty() || front.ends_with('.')))
    };
    is_below(one, other) || is_below(other, one)
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
