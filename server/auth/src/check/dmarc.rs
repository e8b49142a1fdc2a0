//! DMARC: what the owner of the author's domain says should become of letters that are not proved to be theirs
//! (RFC 9989).

use mailstead_message::header::{self, AuthorsError};
use mailstead_message::{Address, Domain};
use mailstead_net::dns::DnsError;

use super::dkim::DkimVerdicts;
use super::inquiry::Inquiry;
use super::tags::Tags;
use super::{Outcome, Spf, SpfResult};

/// Names with more labels are looked up as themselves and then with so many (RFC 9989 4.10).
const WALK_LABELS: usize = 7;
/// Domains of several authors that are looked up; more are nobody's honest letter.
const MAX_AUTHOR_DOMAINS: usize = 4;
/// Bytes of a record that are read.
const MAX_RECORD: usize = 4 << 10;

/// What a domain owner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// To be taken for suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// As records name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|policy| policy.word().eq_ignore_ascii_case(word))
    }

    /// In test mode, one step less (RFC 9989 4.7).
    fn tested(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            _ => Self::None,
        }
    }
}

/// A policy record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `p`
    pub policy: Policy,
    /// `sp`, where it is said.
    pub subdomains: Option<Policy>,
    /// `np`, where it is said.
    pub nonexistent: Option<Policy>,
    /// `adkim=s`
    pub strict_dkim: bool,
    /// `aspf=s`
    pub strict_spf: bool,
    /// `t=y`
    pub testing: bool,
    /// `pct`, of RFC 7489.
    pub percent: Option<u8>,
    /// `fo`, where it is said.
    pub failure_options: Option<String>,
    /// `rua`: somebody wants reports.
    pub wants_reports: bool,
    /// All policies in it can be read; else it asks for nothing.
    pub valid: bool,
    psd: Option<bool>,
}

impl Record {
    /// `None` when it is no DMARC record. What is malformed in one counts as not said (RFC 9989 4.7).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text.get(..MAX_RECORD).unwrap_or(text)).ok()?;
        let tags = Tags::parse_kindly(text);
        if tags.first() != Some("v") || tags.get("v") != Some("DMARC1") {
            return None;
        }
        let policy = |tag: &str| tags.get(tag).map(Policy::parse);
        let (own, sub, nonexistent) = (policy("p"), policy("sp"), policy("np"));
        let valid = matches!(own, Some(Some(_))) && sub != Some(None) && nonexistent != Some(None);
        let strict = |tag: &str| tags.get(tag).is_some_and(|value| value.eq_ignore_ascii_case("s"));
        let said = |tag: &str, value: &str| tags.get(tag).is_some_and(|said| said.eq_ignore_ascii_case(value));
        let wants_reports = tags.get("rua").is_some_and(|uris| {
            uris.split(',').any(|uri| uri.trim().to_ascii_lowercase().starts_with("mailto:") && uri.contains('@'))
        });
        Some(Self {
            policy: own.flatten().filter(|_| valid).unwrap_or(Policy::None),
            subdomains: sub.flatten().filter(|_| valid),
            nonexistent: nonexistent.flatten().filter(|_| valid),
            strict_dkim: strict("adkim"),
            strict_spf: strict("aspf"),
            testing: said("t", "y"),
            percent: tags.get("pct").and_then(|percent| percent.parse().ok()).filter(|percent| *percent <= 100),
            failure_options: tags.get("fo").map(|options| options.chars().take(20).collect()),
            wants_reports,
            psd: if said("psd", "y") { Some(true) } else { said("psd", "n").then_some(false) },
            valid,
        })
    }

    /// What it asks for a letter of its own domain, of one below it, or of one below it that does not exist.
    fn asks(&self, own: bool, nonexistent: bool) -> Policy {
        let sub = self.subdomains.unwrap_or(self.policy);
        let asked = match (own, nonexistent) {
            (true, _) => self.policy,
            (false, true) => self.nonexistent.unwrap_or(sub),
            (false, false) => sub,
        };
        // `pct` is no more, and everybody is to be treated as it says; but `pct=0` always meant "not yet"
        // (RFC 9989 A.6), and to be stricter than the owner asks would be ours to answer for.
        let testing = self.testing || self.percent == Some(0);
        if testing { asked.tested() } else { asked }
    }
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcVerdict {
    /// None: no policy is published. Fail: nothing proves the author's domain. PermError: it can't be told whose
    /// letter it is.
    pub outcome: Outcome,
    /// Why.
    pub why: String,
    /// The author's domain.
    pub author: Option<Domain>,
    /// What its owner asks for.
    pub policy: Policy,
    /// The record, and where it was found.
    pub record: Option<(Domain, Record)>,
    /// A good signature is of the author's domain or its organisation's.
    pub dkim_aligned: bool,
    /// SPF passed for it.
    pub spf_aligned: bool,
    /// There is more than one `From` field, which no honest program writes.
    pub several_from: bool,
    /// The policy is not known because we would wait no longer, which says nothing of the author's DNS.
    pub cut_short: bool,
}

impl DmarcVerdict {
    fn new(outcome: Outcome, why: &str, author: Option<Domain>) -> Self {
        Self {
            outcome,
            why: why.to_owned(),
            author,
            policy: Policy::None,
            record: None,
            dkim_aligned: false,
            spf_aligned: false,
            several_from: false,
            cut_short: false,
        }
    }

    /// True when it is sure that the owner asks for nothing.
    pub fn asks_for_nothing(&self) -> bool {
        self.policy == Policy::None && self.record.is_some()
    }

    /// How bad it is, to take the worst of several authors' (RFC 7489 6.6.1). A policy that is not known may be any.
    fn gravity(&self) -> (u8, Policy) {
        let grave = match self.outcome {
            Outcome::Fail if self.policy != Policy::None => 4,
            Outcome::TempError if !self.asks_for_nothing() => 3,
            Outcome::Fail => 2,
            Outcome::TempError => 1,
            _ => 0,
        };
        (grave, self.policy)
    }
}

/// What was proved, for alignment.
pub(super) struct Proofs<'a> {
    pub(super) dkim: &'a DkimVerdicts,
    pub(super) spf: &'a Spf,
}

/// What there is to know of the authors before anything is proved.
pub(super) enum Authors {
    /// It can't be told who they are.
    Unclear(DmarcVerdict),
    /// Their domains' owners.
    Owners(Vec<Owner>),
}

/// What the owner of an author's domain asks for.
pub(super) struct Owner {
    author: Domain,
    walk: Walk,
    /// Whether the domain is nowhere in DNS, where that matters.
    nowhere: Result<bool, DnsError>,
}

/// Finds out whose letter it claims to be and what they ask for. Nothing that a forger writes elsewhere in the letter
/// has a part in it.
pub(super) async fn look_up(inquiry: &Inquiry<'_>, header: &[u8]) -> Authors {
    let unclear = |why: &str| DmarcVerdict::new(Outcome::PermError, why, None);
    let authors = match header::authors(header) {
        Ok(authors) => authors,
        Err(AuthorsError::Missing) => return Authors::Unclear(unclear("it names no author")),
        Err(AuthorsError::Several) => {
            let verdict = unclear("it has more than one From field");
            return Authors::Unclear(DmarcVerdict { several_from: true, ..verdict });
        }
        Err(AuthorsError::Malformed) => return Authors::Unclear(unclear("its From field can't be read")),
    };
    let mut domains: Vec<&Domain> = authors.iter().map(Address::domain).collect();
    domains.sort_by_key(|domain| domain.as_str());
    domains.dedup();
    if domains.len() > MAX_AUTHOR_DOMAINS {
        return Authors::Unclear(unclear("it has authors of too many domains"));
    }
    let owners = domains.into_iter().map(|domain| Owner::look_up(inquiry, domain));
    Authors::Owners(super::together(owners).await)
}

impl Owner {
    async fn look_up(inquiry: &Inquiry<'_>, author: &Domain) -> Self {
        let walk = walk(inquiry, author.as_str()).await;
        let matters =
            walk.at(author.as_str()).is_none() && walk.found.iter().any(|(_, record)| record.nonexistent.is_some());
        let nowhere = if matters { inquiry.is_nowhere(author.as_str()).await } else { Ok(false) };
        Self { author: author.clone(), walk, nowhere }
    }
}

impl Authors {
    /// Judges a letter.
    pub(super) async fn judge(self, inquiry: &Inquiry<'_>, proofs: &Proofs<'_>) -> DmarcVerdict {
        let owners = match self {
            Self::Unclear(verdict) => return verdict,
            Self::Owners(owners) => owners,
        };
        let mut worst: Option<DmarcVerdict> = None;
        for owner in owners {
            let verdict = judge_owner(inquiry, owner, proofs).await;
            if worst.as_ref().is_none_or(|worst| verdict.gravity() > worst.gravity()) {
                worst = Some(verdict);
            }
        }
        worst.unwrap_or_else(|| DmarcVerdict::new(Outcome::PermError, "it names no author", None))
    }
}

async fn judge_owner(inquiry: &Inquiry<'_>, owner: Owner, proofs: &Proofs<'_>) -> DmarcVerdict {
    let Owner { author, walk, nowhere } = owner;
    let verdict = |outcome, why: &str| DmarcVerdict::new(outcome, why, Some(author.clone()));
    if let Some(error) = walk.hidden() {
        let (dkim_aligned, spf_aligned) = proofs.exact(&author);
        // Whatever the policy may be, it is satisfied when the very domain is proved.
        let proved = dkim_aligned || spf_aligned;
        let outcome = if proved { Outcome::Pass } else { Outcome::TempError };
        let why = format!("its policy can't be looked up now: {error}");
        let cut_short = inquiry.is_cut_short();
        return DmarcVerdict { dkim_aligned, spf_aligned, cut_short, ..verdict(outcome, &why) };
    }
    let organisation = Organisation::of(&walk, author.as_str());
    let found = walk.at(author.as_str()).or_else(|| walk.at(&organisation.name)).or_else(|| walk.found.last());
    let Some((place, record)) = found else {
        return verdict(Outcome::None, "its domain publishes no policy");
    };
    if !record.valid && !record.wants_reports {
        return verdict(Outcome::None, "its domain's policy record says nothing of use");
    }
    let own = place == author.as_str();
    let mut alignment = proofs.align(inquiry, &author, &organisation, record).await;
    let policy = match nowhere {
        Ok(nowhere) => record.asks(own, nowhere),
        Err(error) => {
            let asked = [true, false].map(|nowhere| record.asks(own, nowhere));
            if asked.first() != asked.last() {
                alignment.unsure = Some(format!("whether its domain exists: {error}"));
            }
            asked.into_iter().max().unwrap_or(record.policy)
        }
    };
    let passed = alignment.dkim || alignment.spf;
    let (outcome, why) = match (passed, &alignment.unsure) {
        (true, _) => (Outcome::Pass, String::new()),
        (false, Some(why)) => (Outcome::TempError, why.clone()),
        (false, None) => (Outcome::Fail, "neither a signature nor SPF proves that it is from its domain".to_owned()),
    };
    DmarcVerdict {
        policy,
        record: Domain::parse(place).ok().map(|place| (place, record.clone())),
        dkim_aligned: alignment.dkim,
        spf_aligned: alignment.spf,
        ..verdict(outcome, &why)
    }
}

#[derive(Default)]
struct Alignment {
    dkim: bool,
    spf: bool,
    /// Something aligned may or may not be good: DNS does not say.
    unsure: Option<String>,
}

impl Proofs<'_> {
    /// Whether the very domain is proved, by a signature and by SPF.
    fn exact(&self, author: &Domain) -> (bool, bool) {
        let mut good = self.dkim.looked_at.iter().filter(|verdict| verdict.finding.outcome == Outcome::Pass);
        let signed = good.any(|verdict| verdict.domain == author.as_str());
        (signed, self.spf.result == SpfResult::Pass && self.spf.domain == author.as_str())
    }

    /// RFC 9989 4.4, 5.3.
    async fn align(
        &self,
        inquiry: &Inquiry<'_>,
        author: &Domain,
        organisation: &Organisation,
        record: &Record,
    ) -> Alignment {
        let mut alignment = Alignment::default();
        let mut known: Vec<(String, Result<bool, DnsError>)> = Vec::new();
        for verdict in &self.dkim.looked_at {
            let good = verdict.finding.outcome == Outcome::Pass;
            if !good && verdict.finding.outcome != Outcome::TempError {
                continue;
            }
            let aligned = match known.iter().find(|(domain, _)| *domain == verdict.domain) {
                Some((_, aligned)) => aligned.clone(),
                None => is_aligned(inquiry, &verdict.domain, author, organisation, record.strict_dkim).await,
            };
            known.push((verdict.domain.clone(), aligned.clone()));
            match aligned {
                Ok(true) if good => alignment.dkim = true,
                Ok(true) => {
                    alignment.unsure = Some(format!("the signature of {}: {}", verdict.domain, verdict.finding.why))
                }
                Ok(false) => {}
                Err(error) => alignment.unsure = Some(format!("{}: {error}", verdict.domain)),
            }
        }
        let (good, unsure) = match &self.spf.result {
            SpfResult::Pass => (true, None),
            SpfResult::TempError(why) => (false, Some(why)),
            _ => return alignment,
        };
        match is_aligned(inquiry, &self.spf.domain, author, organisation, record.strict_spf).await {
            Ok(true) if good => alignment.spf = true,
            Ok(true) => alignment.unsure = unsure.map(|why| format!("SPF: {why}")),
            Ok(false) => {}
            Err(error) => alignment.unsure = Some(format!("{}: {error}", self.spf.domain)),
        }
        alignment
    }
}

async fn is_aligned(
    inquiry: &Inquiry<'_>,
    domain: &str,
    author: &Domain,
    of_author: &Organisation,
    strict: bool,
) -> Result<bool, DnsError> {
    if domain == author.as_str() {
        return Ok(true);
    }
    // A domain whose organisation is the author's is that or below it; only then need it be asked.
    let top = of_author.unsure.as_ref().map_or(&of_author.name, |(top, _)| top);
    if strict || !is_within(domain, top) {
        return Ok(false);
    }
    let of_domain = Organisation::of(&walk(inquiry, domain).await, domain);
    match of_author.unsure.as_ref().or(of_domain.unsure.as_ref()) {
        Some((_, error)) => Err(error.clone()),
        None => Ok(of_domain.name == of_author.name),
    }
}

fn is_within(domain: &str, top: &str) -> bool {
    domain.strip_suffix(top).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// What there is from a name up to its top (RFC 9989 4.10), the nearest first.
struct Walk {
    found: Vec<(String, Record)>,
    /// Where DNS did not answer.
    unanswered: Vec<(String, DnsError)>,
}

impl Walk {
    fn at(&self, name: &str) -> Option<&(String, Record)> {
        self.found.iter().find(|(found, _)| found == name)
    }

    /// Why a nearer record than the first may not have been found.
    fn hidden(&self) -> Option<&DnsError> {
        let (name, error) = self.unanswered.first()?;
        self.found.first().is_none_or(|(found, _)| found.len() < name.len()).then_some(error)
    }
}

/// Takes the walk, all its steps at once.
async fn walk(inquiry: &Inquiry<'_>, domain: &str) -> Walk {
    let labels: Vec<&str> = domain.split('.').collect();
    let mut names = Vec::new();
    let mut left = labels.len();
    while left > 0 {
        names.push(labels.get(labels.len() - left..).unwrap_or_default().join("."));
        left = if left > WALK_LABELS { WALK_LABELS } else { left - 1 };
    }
    let records = super::together(names.iter().map(|name| record(inquiry, name))).await;
    let mut walk = Walk { found: Vec::new(), unanswered: Vec::new() };
    for (name, record) in names.into_iter().zip(records) {
        match record {
            Ok(None) => {}
            Ok(Some(record)) => {
                let end = record.psd.is_some();
                walk.found.push((name, record));
                if end {
                    break;
                }
            }
            Err(error) => walk.unanswered.push((name, error)),
        }
    }
    walk
}

async fn record(inquiry: &Inquiry<'_>, name: &str) -> Result<Option<Record>, DnsError> {
    let texts = match inquiry.txt(&format!("_dmarc.{name}")).await {
        Ok(texts) => texts,
        Err(DnsError::NoName | DnsError::NoRecords) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut records = texts.iter().filter_map(|text| Record::parse(text));
    // Several are as good as none (RFC 9989 4.10).
    Ok(records.next().filter(|_| records.next().is_none()))
}

/// An organisation's domain (RFC 9989 4.10.2).
struct Organisation {
    name: String,
    /// Where DNS did not answer: the highest domain that it may be, and why.
    unsure: Option<(String, DnsError)>,
}

impl Organisation {
    fn of(walk: &Walk, domain: &str) -> Self {
        let name = named(&walk.found, domain).unwrap_or_else(|| domain.to_owned());
        let unsure = walk.unanswered.last().map(|(highest, error)| {
            let higher = walk.found.last().map(|(found, _)| found).filter(|found| found.len() < highest.len());
            (higher.unwrap_or(highest).clone(), error.clone())
        });
        Self { name, unsure }
    }
}

fn named(found: &[(String, Record)], domain: &str) -> Option<String> {
    for (name, record) in found {
        match record.psd {
            Some(false) => return Some(name.clone()),
            Some(true) if name != domain => {
                let above = name.split('.').count() + 1;
                let labels: Vec<&str> = domain.split('.').collect();
                return labels.get(labels.len().saturating_sub(above)..).map(|labels| labels.join("."));
            }
            _ => {}
        }
    }
    found.last().map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests;
