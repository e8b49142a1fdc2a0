//! The chain of those who handled a letter before us and vouch for what they saw (RFC 8617).

use std::collections::BTreeMap;

use mail_auth::common::crypto::Algorithm;
use mailstead_message::header::Field;

use super::key::{Key, Keys};
use super::signature::{Header, Signature, algorithm, decode, malformed, name};
use super::tags::Tags;
use super::{BodyHashes, Finding, Outcome};
use crate::body::Canonicalization;

/// Links of a chain (RFC 8617 4.2.1).
const MAX_INSTANCE: u32 = 50;
/// Bytes of all its fields: fifty honest links have some 200 KB.
const MAX_CHAIN: usize = 256 << 10;
/// Bytes of the first handler's results that are looked at.
const MAX_RESULTS: usize = 8 << 10;

/// What a chain is worth, for whoever adds the next link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// There is none.
    None,
    /// It is whole; so many links.
    Passed(u32),
    /// It is broken, or can't be proved.
    Failed,
}

/// What was found out about a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArcVerdict {
    /// What it is worth.
    pub chain: Chain,
    /// Why it failed.
    pub why: String,
    /// It failed only because DNS did not answer, and may be whole: nobody should be told for good that it is broken.
    pub undecided: bool,
    /// Who sealed it, first to last, when it is whole; who is said to have, while that is undecided.
    pub sealers: Vec<String>,
    /// What the first of them saw, likewise: the value of its ARC-Authentication-Results.
    pub first_results: Vec<u8>,
}

impl ArcVerdict {
    /// The word for it in header fields.
    pub fn word(&self) -> &'static str {
        match self.chain {
            Chain::None => "none",
            Chain::Passed(_) => "pass",
            Chain::Failed => "fail",
        }
    }

    fn failed(why: &str) -> Self {
        Self { chain: Chain::Failed, why: why.to_owned(), ..Self::none() }
    }

    fn none() -> Self {
        let (sealers, first_results) = (Vec::new(), Vec::new());
        Self { chain: Chain::None, why: String::new(), undecided: false, sealers, first_results }
    }
}

/// One link.
struct Set<'h, 'a> {
    results: &'h Field<'a>,
    message: &'h Field<'a>,
    seal_field: &'h Field<'a>,
    seal: Seal,
}

struct Seal {
    algorithm: Algorithm,
    domain: String,
    selector: String,
    value: Vec<u8>,
    validation: String,
}

/// The body shape that the newest link's signature needs.
pub(super) fn shape(header: &Header<'_>, now: i64) -> Option<Canonicalization> {
    let newest = header.named("ARC-Message-Signature").max_by_key(|field| instance(field).unwrap_or(0))?;
    Signature::read(newest, true, now).ok().map(|signature| signature.body_shape)
}

/// The keys that the chain needs, by selector and domain.
pub(super) fn wanted(header: &Header<'_>, now: i64) -> Vec<(String, String)> {
    let sets = sets(header).unwrap_or_default();
    let newest = sets.last().and_then(|newest| Signature::read(newest.message, true, now).ok());
    let newest = newest.map(|signature| (signature.selector, signature.domain));
    newest.into_iter().chain(sets.into_iter().map(|set| (set.seal.selector, set.seal.domain))).collect()
}

/// Judges the chain (RFC 8617 5.2).
pub(super) fn judge(header: &Header<'_>, body: &BodyHashes, keys: &Keys, now: i64) -> ArcVerdict {
    let sets = match sets(header) {
        Ok(sets) => sets,
        Err(why) => return ArcVerdict::failed(&why),
    };
    let Some(newest) = sets.last() else { return ArcVerdict::none() };
    let mut unanswered = None;
    for (what, finding) in proofs(header, newest, &sets, body, keys, now) {
        let why = format!("{what}: {}", finding.why);
        match finding.outcome {
            Outcome::Pass => {}
            Outcome::TempError => unanswered = unanswered.or(Some(why)),
            _ => return ArcVerdict::failed(&why),
        }
    }
    let first = sets.first().map(|set| set.results.value).unwrap_or_default();
    let links = u32::try_from(sets.len()).unwrap_or(MAX_INSTANCE);
    ArcVerdict {
        chain: if unanswered.is_some() { Chain::Failed } else { Chain::Passed(links) },
        undecided: unanswered.is_some(),
        why: unanswered.unwrap_or_default(),
        first_results: first.get(..MAX_RESULTS).unwrap_or(first).to_vec(),
        sealers: sets.into_iter().map(|set| set.seal.domain).collect(),
    }
}

/// What is to be thought of the newest message signature, and then of each seal, the newest first.
fn proofs(
    header: &Header<'_>,
    newest: &Set<'_, '_>,
    sets: &[Set<'_, '_>],
    body: &BodyHashes,
    keys: &Keys,
    now: i64,
) -> Vec<(String, Finding)> {
    let by = |selector: &str, domain: &str, prove: &dyn Fn(&Key) -> Finding| match keys.get(selector, domain) {
        Some(Ok(key)) => prove(key),
        Some(Err(finding)) => finding.clone(),
        None => malformed("its key is missing"),
    };
    let message = match Signature::read(newest.message, true, now) {
        Ok(signed) => by(&signed.selector, &signed.domain, &|key| signed.verify(header, newest.message, body, key)),
        Err(finding) => finding,
    };
    let is_over = !matches!(message.outcome, Outcome::Pass | Outcome::TempError);
    let mut proofs = vec![("the newest message signature".to_owned(), message)];
    if is_over {
        return proofs;
    }
    // Each seal covers all links before it and its own, itself without its value (RFC 8617 5.1.1).
    let (mut covered, mut seals) = (Vec::new(), Vec::new());
    for Set { results, message, seal_field, seal } in sets {
        header.write(results, Canonicalization::Relaxed, &mut covered);
        header.write(message, Canonicalization::Relaxed, &mut covered);
        let before = covered.len();
        header.write_unsigned(seal_field, Canonicalization::Relaxed, &mut covered);
        let finding = by(&seal.selector, &seal.domain, &|key| key.verify(&covered, &seal.value, seal.algorithm));
        covered.truncate(before);
        header.write(seal_field, Canonicalization::Relaxed, &mut covered);
        seals.push((format!("the seal of {}", seal.domain), finding));
    }
    proofs.extend(seals.into_iter().rev());
    proofs
}

/// All links in order, each whole and said to follow on a good one.
fn sets<'h, 'a>(header: &'h Header<'a>) -> Result<Vec<Set<'h, 'a>>, String> {
    let fields = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];
    let size: usize = fields.iter().flat_map(|name| header.named(name)).map(|field| field.range.len()).sum();
    if size > MAX_CHAIN {
        return Err("it is too long to be looked at".to_owned());
    }
    let results = by_instance(header, "ARC-Authentication-Results")?;
    let messages = by_instance(header, "ARC-Message-Signature")?;
    let seals = by_instance(header, "ARC-Seal")?;
    let mut sets = Vec::new();
    if results.len() != seals.len() || messages.len() != seals.len() {
        return Err("a link is not whole".to_owned());
    }
    for (expected, (instance, seal_field)) in (1..).zip(seals) {
        let (Some(results), Some(message)) = (results.get(&instance), messages.get(&instance)) else {
            return Err("a link is not whole".to_owned());
        };
        if instance != expected {
            return Err("a link is missing".to_owned());
        }
        let seal = Seal::read(seal_field).map_err(|finding| format!("seal {instance}: {}", finding.why))?;
        let first = instance == 1;
        match seal.validation.as_str() {
            "none" if first => {}
            "pass" if !first => {}
            "fail" => return Err(format!("{} has seen that it is broken", seal.domain)),
            _ => return Err(format!("seal {instance} has the wrong cv=")),
        }
        sets.push(Set { results, message, seal_field, seal });
    }
    Ok(sets)
}

fn by_instance<'h, 'a>(header: &'h Header<'a>, name: &str) -> Result<BTreeMap<u32, &'h Field<'a>>, String> {
    let mut found = BTreeMap::new();
    for field in header.named(name) {
        let instance = instance(field).ok_or_else(|| format!("{name} has no valid i="))?;
        if found.insert(instance, field).is_some() {
            return Err(format!("{name} {instance} is there twice"));
        }
    }
    Ok(found)
}

/// `i=`, which comes first in results and anywhere in the others.
fn instance(field: &Field<'_>) -> Option<u32> {
    let number = |digits: &str| digits.parse().ok().filter(|instance| (1..=MAX_INSTANCE).contains(instance));
    if field.is("ARC-Authentication-Results") {
        let (first, _) = field.value.split_at(memchr::memchr(b';', field.value)?);
        let first: String = std::str::from_utf8(first).ok()?.split_ascii_whitespace().collect();
        return number(first.strip_prefix("i=")?);
    }
    number(&Tags::parse(field.value)?.squeezed("i")?)
}

impl Seal {
    /// RFC 8617 4.1.3.
    fn read(field: &Field<'_>) -> Result<Self, Finding> {
        let tags = Tags::parse(field.value).ok_or_else(|| malformed("it is no list of tags"))?;
        let need = |tag: &str| tags.squeezed(tag).ok_or_else(|| malformed(&format!("it has no {tag}=")));
        if tags.get("h").is_some() {
            return Err(malformed("it has h="));
        }
        Ok(Self {
            algorithm: algorithm(&need("a")?)?,
            domain: name(&need("d")?).ok_or_else(|| malformed("its d= is no domain name"))?,
            selector: name(&need("s")?).ok_or_else(|| malformed("its s= is no selector"))?,
            value: decode(&need("b")?).ok_or_else(|| malformed("its b= is not base64"))?,
            validation: need("cv")?.to_ascii_lowercase(),
        })
    }
}
