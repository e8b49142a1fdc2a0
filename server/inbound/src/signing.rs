//! Our domains' signatures (DKIM) on what leaves the house.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mailstead_auth::body::{BodyHasher, Canonicalization, Digest};
use mailstead_auth::keys::{Algorithm, Key, KeyError, selector};
use mailstead_auth::seal::{Findings, seal};
use mailstead_auth::sign::{Selected, sign};
use mailstead_message::{Address, Domain, header};
use mailstead_store::{DomainKey, KeyState, NewKey, Secret, Store, StoreError, Timestamp};

use crate::Letter;

/// Parsed keys kept at most: a household has a few domains with two keys each.
const MAX_PARSED: usize = 256;

/// Signs in our domains' names. Cheap to clone; each key is parsed once.
#[derive(Clone)]
pub struct Signing {
    store: Store,
    /// By record: a selector may come to name another key when a domain was removed and added again.
    parsed: Arc<Mutex<HashMap<String, Arc<Key>>>>,
}

/// A signature, ready to be put before the header it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The finished fields.
    pub fields: String,
    /// A sentence for the story.
    pub told: String,
}

impl Signing {
    /// Signs with the keys of that store.
    pub fn new(store: Store) -> Self {
        Self { store, parsed: Arc::default() }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Signs a letter that will have that header: with all active keys of the domain, or not at all where it has none.
    ///
    /// # Errors
    /// A key or the spool can't be read.
    pub fn sign_letter(
        &self,
        domain: &Domain,
        header: &[u8],
        letter: &Letter,
        at: Timestamp,
    ) -> Result<Signature, StoreError> {
        self.sign(domain, header, at, || letter.hash_body(Canonicalization::Relaxed, Digest::Sha256))
    }

    /// A whole message of our own with its signatures.
    ///
    /// # Errors
    /// A key can't be read.
    pub fn sign_message(&self, domain: &Domain, message: &[u8], at: Timestamp) -> Result<Vec<u8>, StoreError> {
        let (header, body) = message.split_at_checked(header::header_len(message)).unwrap_or((message, b""));
        let signature = self.sign(domain, header, at, || {
            let mut hasher = BodyHasher::new(Canonicalization::Relaxed, Digest::Sha256);
            hasher.update(body);
            Ok(hasher.finish())
        })?;
        Ok([signature.fields.as_bytes(), message].concat())
    }

    /// The fields that vouch for what was found out about a letter (ARC), in the domain's name; nothing where it has no
    /// RSA key, or where there is nothing to add.
    ///
    /// # Errors
    /// A key or the body can't be read.
    pub fn seal(
        &self,
        domain: &Domain,
        header: &[u8],
        findings: Findings<'_>,
        at: Timestamp,
        body_hash: impl FnOnce() -> Result<Vec<u8>, StoreError>,
    ) -> Result<String, StoreError> {
        let keys = self.active(domain)?;
        let Some((selector, key)) = keys.iter().find(|(_, key)| key.algorithm() == Algorithm::Rsa) else {
            return Ok(String::new());
        };
        let sealed = seal(domain, Selected { selector, key }, findings, header, &body_hash()?, at.0);
        Ok(sealed.map_err(|error| broken(domain, error))?.unwrap_or_default())
    }

    /// The domain in whose name we write to somebody: theirs where it is ours, else the one our host is in, else the
    /// first. `None` when there are no domains.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn writing_domain(&self, hostname: &str, to: &Address) -> Result<Option<Domain>, StoreError> {
        let domains: Vec<Domain> = self.store.domains()?.into_iter().map(|domain| domain.name).collect();
        let hostname = hostname.to_ascii_lowercase();
        let holds_host = |domain: &&Domain| {
            let host = hostname.strip_suffix(domain.as_str());
            host.is_some_and(|host| host.is_empty() || host.ends_with('.'))
        };
        let theirs = domains.iter().find(|domain| *domain == to.domain());
        Ok(theirs.or_else(|| domains.iter().find(holds_host)).or_else(|| domains.first()).cloned())
    }

    fn sign(
        &self,
        domain: &Domain,
        header: &[u8],
        at: Timestamp,
        body_hash: impl FnOnce() -> Result<Vec<u8>, StoreError>,
    ) -> Result<Signature, StoreError> {
        let keys = self.active(domain)?;
        if keys.is_empty() {
            let told = format!("It was not signed: {domain} has no keys yet.");
            return Ok(Signature { fields: String::new(), told });
        }
        let selected: Vec<Selected<'_>> =
            keys.iter().map(|(selector, key)| Selected { selector, key: key.as_ref() }).collect();
        let fields = sign(domain, &selected, header, &body_hash()?, at.0).map_err(|error| broken(domain, error))?;
        let selectors: Vec<&str> = keys.iter().map(|(selector, _)| selector.as_str()).collect();
        let told = format!("It was signed in the name of {domain} (DKIM, with the keys {}).", selectors.join(" and "));
        Ok(Signature { fields, told })
    }

    /// The keys that sign for a domain, RSA first. One that can't be read is passed over while another can.
    fn active(&self, domain: &Domain) -> Result<Vec<(String, Arc<Key>)>, StoreError> {
        let (mut keys, mut failed) = (Vec::new(), None);
        for key in self.store.domain_keys(domain)?.into_iter().filter(|key| key.state == KeyState::Active) {
            match self.parse(&key) {
                Ok(parsed) => keys.push((key.selector, parsed)),
                Err(error) => {
                    tracing::error!(%domain, selector = key.selector, "{error}");
                    failed = Some(error);
                }
            }
        }
        // Unsigned, it would be refused where the domain asks for that: better to say so than to lose letters.
        if let (true, Some(error)) = (keys.is_empty(), failed) {
            return Err(broken(domain, error));
        }
        keys.sort_by_key(|(_, key)| key.algorithm() != Algorithm::Rsa);
        Ok(keys)
    }

    fn parse(&self, key: &DomainKey) -> Result<Arc<Key>, KeyError> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = parsed.get(&key.record) {
            return Ok(Arc::clone(known));
        }
        let private = key.private.as_ref().ok_or(KeyError::Unreadable)?;
        let fresh = Arc::new(Key::from_pkcs8(private.bytes())?);
        if parsed.len() >= MAX_PARSED {
            parsed.clear();
        }
        parsed.insert(key.record.clone(), Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// Makes a pair of keys whose selectors are not among `taken`. Takes a good part of a second of CPU.
///
/// # Errors
/// The system gives no randomness.
pub fn make_keys(now: Timestamp, taken: &[DomainKey]) -> Result<Vec<NewKey>, StoreError> {
    let is_taken = |name: &str| taken.iter().any(|key| key.selector == name);
    let make = |algorithm| {
        let key = Key::generate(algorithm)?;
        Ok(NewKey {
            selector: selector(algorithm, now.0, is_taken),
            private: Secret::new(key.to_pkcs8()?.to_vec()),
            record: key.record()?,
        })
    };
    let keys: Result<Vec<NewKey>, KeyError> = Algorithm::ALL.into_iter().map(make).collect();
    keys.map_err(|error| StoreError::Io(error.to_string()))
}

fn broken(domain: &Domain, error: KeyError) -> StoreError {
    StoreError::Damaged(format!("mail from {domain} can't be signed: {error}"))
}
