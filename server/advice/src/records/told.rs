//! What is said of a domain's records.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::doctor::Light;

/// All records of a domain, and how they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    /// The domain.
    pub domain: String,
    /// The name of the mail host.
    pub host: String,
    /// When DNS was looked at, in RFC 3339 and UTC; `None`: it was not.
    pub at: Option<String>,
    /// What limits the look, a sentence each.
    pub remarks: Vec<String>,
    /// The records, in the order in which they are best published.
    pub entries: Vec<Entry>,
    /// How the DMARC policy may grow; `None` when DNS was not looked at.
    pub growth: Option<Growth>,
}

impl DomainCheck {
    /// True unless a required record is missing or wrong, or one is there that leads astray.
    pub fn is_sound(&self) -> bool {
        self.count(Light::Bad) == 0
    }

    /// How many entries stand like that.
    pub fn count(&self, light: Light) -> usize {
        self.entries.iter().filter(|entry| entry.light() == light).count()
    }

    /// All records that should be there as a piece of a zone file.
    pub fn zone_file(&self) -> String {
        let lines = self.entries.iter().filter(|entry| entry.need != Need::Obsolete && entry.is_yours());
        lines.map(|entry| format!("{}\n", entry.zone_line)).collect()
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name among the entries: `mx`, `dkim ms202611r`. Each occurs once.
    pub id: String,
    /// What it is, in a few words: `Where mail goes`.
    pub title: String,
    /// Its type.
    pub kind: Kind,
    /// Its name, without the final dot.
    pub name: String,
    /// Its name as providers' forms want it, without the zone's own: `_dmarc`, or `@` for the zone itself.
    pub short: String,
    /// The zone it belongs to, as far as that is known.
    pub zone: String,
    /// What it should say: host names with their final dot, texts as they are, without quotes. Where a record of the
    /// owner's is as good as the one advised, that one.
    pub value: String,
    /// The same as a line of a zone file.
    pub zone_line: String,
    /// What it is good for, in a sentence.
    pub why: String,
    /// How much it matters.
    pub need: Need,
    /// How it stands; `None`: it was not looked at.
    pub verdict: Option<Verdict>,
}

impl Entry {
    /// How it stands, as a light. What is optional alarms nobody by not being there.
    pub fn light(&self) -> Light {
        match (&self.verdict, self.need) {
            (None | Some(Verdict::NotCheckable { .. }), _) => Light::Unknown,
            (Some(Verdict::Right { .. }), _) => Light::Good,
            (Some(Verdict::Spreading { .. }), _) => Light::Warning,
            (Some(Verdict::Missing | Verdict::Wrong { .. }), Need::Required) => Light::Bad,
            (Some(Verdict::Wrong { mistake: Some(Mistake::NotOurs), .. }), Need::Obsolete) => Light::Bad,
            (Some(Verdict::Missing), Need::Optional) => Light::Unknown,
            (Some(Verdict::Missing | Verdict::Wrong { .. }), _) => Light::Warning,
        }
    }

    /// False for what the host's provider publishes (reverse DNS).
    pub fn is_yours(&self) -> bool {
        self.kind != Kind::Ptr
    }
}

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Without it mail is lost or refused.
    Required,
    /// Without it something works less well, or is less safe.
    Recommended,
    /// Some programs find their way with it.
    Optional,
    /// It may be removed.
    Obsolete,
}

impl Need {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Recommended => "recommended",
            Self::Optional => "optional",
            Self::Obsolete => "to be removed",
        }
    }
}

/// The type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are those of DNS")]
pub enum Kind {
    A,
    Aaaa,
    Ptr,
    Mx,
    Txt,
    Cname,
    Srv,
    Caa,
    Tlsa,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ptr => "PTR",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
            Self::Srv => "SRV",
            Self::Caa => "CAA",
            Self::Tlsa => "TLSA",
        })
    }
}

/// How a record stands in DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should.
    Right {
        /// What more there is to say of it, in a sentence.
        note: Option<String>,
    },
    /// There is nothing of its kind.
    Missing,
    /// There is something else.
    Wrong {
        /// What was found.
        found: Vec<String>,
        /// What is wrong with it, in a sentence.
        difference: String,
        /// What probably happened, where it can be guessed.
        mistake: Option<Mistake>,
        /// What to do, in a sentence.
        todo: String,
    },
    /// The domain's own name servers say it rightly; other resolvers still remember what was there before.
    Spreading {
        /// What they remember.
        found: Vec<String>,
        /// For how many minutes at most.
        minutes: u64,
    },
    /// It can't be told now.
    NotCheckable {
        /// Why, in a sentence.
        why: String,
    },
}

impl Verdict {
    /// In a word or two.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Right { .. } => "right",
            Self::Missing => "missing",
            Self::Wrong { .. } => "wrong",
            Self::Spreading { .. } => "right, but not yet seen everywhere",
            Self::NotCheckable { .. } => "can't be checked",
        }
    }
}

/// What people do wrong most often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mistake {
    /// The provider's form added the zone to a name that had it already: `mail.example.org.example.org`.
    NameDoubled,
    /// The same with the name a record leads to, for want of its final dot.
    MissingDot,
    /// The quotes of the zone file became part of the text.
    Quotes,
    /// So did the backslashes before its semicolons.
    Backslashes,
    /// There are two where one is allowed.
    Several,
    /// It is the key, or the text, of before.
    Stale,
    /// The key is cut off: the form took only so many characters.
    Truncated,
    /// The address is a proxy's, through which no mail passes.
    Proxied,
    /// The address is not this server's.
    NotOurs,
    /// Mail still goes to somebody else first.
    OtherFirst,
    /// An address where a name belongs.
    AddressForName,
    /// It should be gone by now.
    StillThere,
    /// The zone's signatures (DNSSEC) are broken.
    BrokenSignatures,
}

/// How the DMARC policy may grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// The policy that is published: `none`, `quarantine` or `reject`; `None` while there is no sound record.
    pub policy: Option<String>,
    /// Reports of the last weeks that were looked at.
    pub reports: usize,
    /// Letters in them that were proved to be the domain's.
    pub passed: u64,
    /// Letters of this server that were not.
    pub own_failed: u64,
    /// Letters of others that were not: forged, or sent by a service that should be known.
    pub others_failed: u64,
    /// What this means, in a sentence or two.
    pub sentence: String,
    /// The next record, when its time has come.
    pub next: Option<String>,
}
