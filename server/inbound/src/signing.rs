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

/// A domain's keys that sign, by selector, RSA first.
type Keys = Vec<(String, Arc<Key>)>;
/// Parsed keys by record: a selector may come to name another key when a domain was removed and added again.
type ByRecord = HashMap<String, Arc<Key>>;

/// Signs in our domains' names. Cheap to clone; each key is parsed once, and kept no longer than the store has it.
#[derive(Clone)]
pub struct Signing {
    store: Store,
    /// Of each domain the keys that sign for it.
    parsed: Arc<Mutex<HashMap<Domain, ByRecord>>>,
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
    pub(crate) fn sign_message(&self, domain: &Domain, message: &[u8], at: Timestamp) -> Result<Vec<u8>, StoreError> {
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
    fn active(&self, domain: &Domain) -> Result<Keys, StoreError> {
        let before = self.forget_others(domain)?;
        let (mut keys, mut parsed, mut failed) = (Keys::new(), ByRecord::new(), None);
        for key in self.store.domain_keys(domain)?.into_iter().filter(|key| key.state == KeyState::Active) {
            match before.get(&key.record).map_or_else(|| parse(&key), |known| Ok(Arc::clone(known))) {
                Ok(known) => {
                    parsed.insert(key.record, Arc::clone(&known));
                    keys.push((key.selector, known));
                }
                Err(error) => {
                    tracing::error!(%domain, selector = key.selector, "{error}");
                    failed = Some(error);
                }
            }
        }
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner).insert(domain.clone(), parsed);
        // Unsigned, it would be refused where the domain asks for that: better to say so than to lose letters.
        if let (true, Some(error)) = (keys.is_empty(), failed) {
            return Err(broken(domain, error));
        }
        keys.sort_by_key(|(_, key)| key.algorithm() != Algorithm::Rsa);
        Ok(keys)
    }

    /// Drops the keys of domains that are ours no more; those of this one as they were.
    fn forget_others(&self, domain: &Domain) -> Result<ByRecord, StoreError> {
        let domains = self.store.domains()?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        parsed.retain(|known, _| domains.iter().any(|ours| ours.name == *known));
        Ok(parsed.get(domain).cloned().unwrap_or_default())
    }
}

fn parse(key: &DomainKey) -> Result<Arc<Key>, KeyError> {
    let private = key.private.as_ref().ok_or(KeyError::Unreadable)?;
    Ok(Arc::new(Key::from_pkcs8(private.bytes())?))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_store::{Options, PasswordCost};

    use super::*;

    #[tokio::test]
    async fn keys_that_sign_no_more_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(folder.path(), options).unwrap();
        let domains = ["home.test", "gone.test"].map(|name| Domain::parse(name).unwrap());
        for domain in &domains {
            let keys = make_keys(Timestamp(0), &[]).unwrap();
            store.add_domain_with_keys(domain.clone(), keys).await.unwrap();
        }
        let signing = Signing::new(store.clone());
        let message = b"From: a@home.test\r\n\r\nHi\r\n";
        let known = || {
            let parsed = signing.parsed.lock().unwrap();
            domains.each_ref().map(|domain| parsed.get(domain).map_or(0, HashMap::len))
        };
        for domain in &domains {
            signing.sign_message(domain, message, Timestamp(0)).unwrap();
        }
        assert_eq!(known(), [2, 2]);
        store.remove_domain(&domains[1]).await.unwrap();
        let next = vec![make_keys(Timestamp(0), &store.domain_keys(&domains[0]).unwrap()).unwrap().remove(0)];
        let selector = next[0].selector.clone();
        store.add_upcoming_keys(&domains[0], next).await.unwrap();
        store.promote_keys(&domains[0], vec![selector.clone()]).await.unwrap();
        let signed = signing.sign_message(&domains[0], message, Timestamp(0)).unwrap();
        assert!(String::from_utf8(signed).unwrap().contains(&format!("s={selector};")));
        assert_eq!(known(), [1, 0]);
    }
}
