//! The public keys that domains publish (RFC 6376 3.6), asked for once per letter.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mail_auth::common::crypto::Algorithm;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::DkimError;
use mailstead_net::dns::DnsError;

use super::inquiry::Inquiry;
use super::signature::malformed;
use super::tags::Tags;
use super::{Finding, Outcome};

/// Shorter RSA keys can be broken (RFC 8301 3.2).
const MIN_RSA_BITS: usize = 1_024;
/// Longer ones need not be verified by anybody (RFC 8301 3.2), and cost us more than they prove.
const MAX_RSA_BITS: usize = 4_096;
/// Bytes of a key record that are read: the longest of use has some 800.
const MAX_RECORD: usize = 8 << 10;

/// A key that may be used.
pub(super) struct Key {
    inner: DomainKey,
    ed25519: bool,
    /// `t=s`: the identity must be of the very domain.
    strict: bool,
    /// `t=y`: the domain is only testing.
    pub(super) testing: bool,
}

impl Key {
    fn parse(record: &[u8]) -> Result<Self, Finding> {
        if record.len() > MAX_RECORD {
            return Err(malformed("its key record is too long"));
        }
        let tags = Tags::parse(record).ok_or_else(|| malformed("its key record is malformed"))?;
        if tags.get("v").is_some_and(|version| version != "DKIM1" || tags.first() != Some("v")) {
            return Err(malformed("its key record has an unknown version"));
        }
        let lists = |tag: &str, wanted: &[&str]| {
            tags.squeezed(tag).is_none_or(|list| list.split(':').any(|one| wanted.contains(&one)))
        };
        if !lists("h", &["sha256"]) {
            return Err(malformed("its key is not for SHA-256"));
        }
        if !lists("s", &["*", "email"]) {
            return Err(malformed("its key is not for e-mail"));
        }
        let inner = DomainKey::parse(record).map_err(|error| match error {
            mail_auth::Error::Dkim(DkimError::RevokedPublicKey) => malformed("its key has been revoked"),
            mail_auth::Error::Dkim(DkimError::UnsupportedKeyType) => malformed("its key is of an unknown type"),
            _ => malformed("its key record is malformed"),
        })?;
        let ed25519 = tags.get("k").is_some_and(|kind| kind.eq_ignore_ascii_case("ed25519"));
        let bits = inner.p.public_key_bits();
        if !ed25519 && !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            let text = format!("its RSA key has {bits} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}");
            return Err(malformed(&text));
        }
        let flags = tags.squeezed("t").unwrap_or_default();
        let flag = |wanted: &str| flags.split(':').any(|flag| flag.eq_ignore_ascii_case(wanted));
        Ok(Self { inner, ed25519, strict: flag("s"), testing: flag("y") })
    }

    /// Whether the key may sign for an identity (`i=`) of a domain.
    pub(super) fn allows(&self, identity: Option<&str>, domain: &str) -> bool {
        let of = identity.and_then(|identity| identity.rsplit_once('@')).map(|(_, of)| of);
        !self.strict || of.is_none_or(|of| of.eq_ignore_ascii_case(domain))
    }

    pub(super) fn verify(&self, signed: &[u8], signature: &[u8], algorithm: Algorithm) -> Finding {
        if self.ed25519 != (algorithm == Algorithm::Ed25519Sha256) {
            return malformed("its key is for another algorithm");
        }
        match self.inner.p.verify_bytes(signed, signature, algorithm) {
            Ok(()) => Finding::new(Outcome::Pass, ""),
            Err(_) => Finding::new(Outcome::Fail, "the header was changed after signing, or the key is another"),
        }
    }
}

/// A key, or why there is none.
pub(super) type Found = Arc<Result<Key, Finding>>;

/// The keys of one letter, by selector and domain.
#[derive(Default)]
pub(super) struct Keys(HashMap<(String, String), Found>);

impl Keys {
    /// Asks for all of them together, those named first before the others.
    pub(super) async fn fetch(inquiry: &Inquiry<'_>, wanted: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut seen = HashSet::new();
        let wanted = wanted.into_iter().filter(|key| seen.insert(key.clone()));
        let asked = wanted.map(|(selector, domain)| async move {
            let found = ask(inquiry, &selector, &domain).await;
            ((selector, domain), Arc::new(found))
        });
        Self(super::together(asked).await.into_iter().collect())
    }

    pub(super) fn get(&self, selector: &str, domain: &str) -> Option<&Result<Key, Finding>> {
        self.0.get(&(selector.to_owned(), domain.to_owned())).map(Arc::as_ref)
    }
}

async fn ask(inquiry: &Inquiry<'_>, selector: &str, domain: &str) -> Result<Key, Finding> {
    let name = format!("{selector}._domainkey.{domain}");
    let records = match inquiry.txt(&name).await {
        Ok(records) => records,
        Err(DnsError::NoName | DnsError::NoRecords) => {
            return Err(malformed(&format!("there is no key at {name}")));
        }
        Err(error) => return Err(Finding::new(Outcome::TempError, &format!("its key at {name}: {error}"))),
    };
    // What several records mean is not defined (RFC 6376 3.6.2.2): the first that can be used.
    let mut flaw = None;
    for record in records.iter().take(5) {
        match Key::parse(record) {
            Ok(key) => return Ok(key),
            Err(finding) => flaw = flaw.or(Some(finding)),
        }
    }
    Err(flaw.unwrap_or_else(|| malformed("its key record is malformed")))
}
