//! DKIM: who signed the letter, and whether it still is what was signed (RFC 6376, 8301, 8463).

use super::key::Keys;
use super::signature::{Claim, Header, Signature, malformed};
use super::{BodyHashes, Finding, Outcome};
use crate::body::Canonicalization;

/// Signatures that are looked at, from the top: honest letters have up to four, and each costs a lookup and a proof.
const MAX_SIGNATURES: usize = 10;

/// One signature, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimVerdict {
    /// `d=`; empty where it can't be read.
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `a=`
    pub algorithm: String,
    /// The first characters of `b=`.
    pub shown: String,
    /// What is to be thought of it.
    pub finding: Finding,
    /// The domain says of the key that it is only testing.
    pub testing: bool,
}

/// All signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DkimVerdicts {
    /// Those that were looked at.
    pub looked_at: Vec<DkimVerdict>,
    /// How many more there are.
    pub passed_over: usize,
}

/// The body shapes that the signatures need.
pub(super) fn shapes(header: &Header<'_>, now: i64) -> Vec<Canonicalization> {
    readable(header, now).map(|signature| signature.body_shape).collect()
}

/// The keys that the signatures need, by selector and domain.
pub(super) fn wanted(header: &Header<'_>, now: i64) -> Vec<(String, String)> {
    readable(header, now).map(|signature| (signature.selector, signature.domain)).collect()
}

fn readable(header: &Header<'_>, now: i64) -> impl Iterator<Item = Signature> {
    let fields = header.named("DKIM-Signature").take(MAX_SIGNATURES);
    fields.filter_map(move |field| Signature::read(field, false, now).ok())
}

/// Judges each signature.
pub(super) fn judge(header: &Header<'_>, body: &BodyHashes, keys: &Keys, now: i64) -> DkimVerdicts {
    let fields: Vec<_> = header.named("DKIM-Signature").collect();
    let looked_at = fields.iter().take(MAX_SIGNATURES).map(|field| {
        let Claim { domain, selector, algorithm, shown } = Claim::read(field);
        let signature = Signature::read(field, false, now);
        let key = signature.as_ref().ok().and_then(|signature| keys.get(&signature.selector, &signature.domain));
        let finding = match (&signature, key) {
            (Err(finding), _) | (Ok(_), Some(Err(finding))) => finding.clone(),
            (Ok(signature), Some(Ok(key))) if !key.allows(signature.identity.as_deref(), &signature.domain) => {
                Finding::new(Outcome::PermError, "its key is not for names below the domain")
            }
            (Ok(signature), Some(Ok(key))) => signature.verify(header, field, body, key),
            (Ok(_), None) => malformed("its key is missing"),
        };
        let testing = key.is_some_and(|key| key.as_ref().is_ok_and(|key| key.testing));
        DkimVerdict { domain, selector, algorithm, shown, finding, testing }
    });
    DkimVerdicts { looked_at: looked_at.collect(), passed_over: fields.len().saturating_sub(MAX_SIGNATURES) }
}
