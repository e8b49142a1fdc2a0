//! The keys a domain signs its mail with, and where each stands in its life; and the secret behind reverse-paths of ours.

use mailstead_message::Domain;
use mailstead_migrations::{v1, v2};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::record::decode;
use crate::{Store, StoreError, Timestamp};

/// Under which name the secret of reverse-paths is kept.
pub(crate) const SRS_SECRET: &str = "srs-secret";
/// Bytes of that secret.
pub(crate) const SECRET_BYTES: usize = 32;

/// Bytes nobody may see: not shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The name under which its record stands in DNS: `selector._domainkey.domain`.
    pub selector: String,
    /// The private key.
    pub private: Secret,
    /// The text of its record.
    pub record: String,
}

/// A key of a domain (DKIM, RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainKey {
    /// The name under which its record stands in DNS.
    pub selector: String,
    /// The private key, while it may still sign.
    pub private: Option<Secret>,
    /// The text of its record.
    pub record: String,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// Since when it stands there.
    pub since: Timestamp,
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Signs as soon as its record is seen in DNS.
    Upcoming,
    /// Signs.
    Active,
    /// Signs no more, but letters it has signed may still be on their way: its record must stay.
    Retiring,
    /// Does not sign, and never will again: its record may go.
    Gone,
}

impl Store {
    /// Adds a domain together with its first keys, which sign at once.
    ///
    /// # Errors
    /// As [`Store::add_domain`].
    pub async fn add_domain_with_keys(&self, domain: Domain, keys: Vec<NewKey>) -> Result<(), StoreError> {
        let work = move |change: &mut crate::change::Change<'_>| {
            change.add_domain(&domain)?;
            change.add_keys(&domain, &keys, KeyState::Active)
        };
        self.add(0, work).await
    }

    /// Gives a domain its first keys, if it has none that sign.
    ///
    /// # Errors
    /// There is no such domain, or one of the selectors is in use.
    pub async fn add_first_keys(&self, domain: &Domain, keys: Vec<NewKey>) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(0, move |change| change.add_first_keys(&domain, &keys)).await
    }

    /// Gives a domain keys that will sign once [`Store::promote_keys`] says so.
    ///
    /// # Errors
    /// There is no such domain, it has upcoming keys already, or one of the selectors is in use.
    pub async fn add_upcoming_keys(&self, domain: &Domain, keys: Vec<NewKey>) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(0, move |change| change.add_upcoming_keys(&domain, &keys)).await
    }

    /// Lets a domain's upcoming keys sign, and those that did retire: their private halves are forgotten. Nothing
    /// happens unless these selectors are just those of the upcoming ones: they may have become others meanwhile.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn promote_keys(&self, domain: &Domain, selectors: Vec<String>) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(0, move |change| change.promote_keys(&domain, &selectors)).await
    }

    /// Gives up a domain's upcoming keys. They count as gone, so that what was published of them already can be
    /// removed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none.
    pub async fn cancel_keys(&self, domain: &Domain) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.lessen(move |change| change.cancel_keys(&domain)).await
    }

    /// Calls those keys gone that retire since before that time.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn end_keys(&self, domain: &Domain, before: Timestamp) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.lessen(move |change| change.end_keys(&domain, before)).await
    }

    /// Forgets a key that is gone.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn forget_key(&self, domain: &Domain, selector: &str) -> Result<(), StoreError> {
        let (domain, selector) = (domain.clone(), selector.to_owned());
        self.lessen(move |change| change.forget_key(&domain, &selector)).await
    }

    /// All keys of a domain, by selector.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn domain_keys(&self, domain: &Domain) -> Result<Vec<DomainKey>, StoreError> {
        keys_of(&self.shared().read()?.open_table(v2::DKIM_KEYS)?, domain)
    }

    /// The secret that makes reverse-paths of our own recognisable.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn srs_secret(&self) -> Result<Secret, StoreError> {
        let settings = self.shared().read()?.open_table(v1::SETTINGS)?;
        match settings.get(SRS_SECRET)? {
            Some(bytes) => Ok(Secret::new(bytes.value().to_vec())),
            None => Err(StoreError::Damaged("the secret of reverse-paths is missing".to_owned())),
        }
    }
}

/// The keys of a domain, by selector.
pub(crate) fn keys_of(
    table: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    domain: &Domain,
) -> Result<Vec<DomainKey>, StoreError> {
    let (mut keys, mut failed) = (Vec::new(), None);
    for entry in table.range((domain.as_str(), "")..)? {
        let (name, bytes) = entry?;
        if name.value().0 != domain.as_str() {
            break;
        }
        match decode(bytes.value(), "a signing key") {
            Ok(key) => keys.push(key),
            Err(error) => {
                tracing::error!(%domain, selector = name.value().1, "{error}");
                failed = Some(error);
            }
        }
    }
    // A damaged one is passed over while there are others: they sign as well.
    match failed {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(keys),
    }
}

/// Makes the secret of a store that has none yet.
pub(crate) fn ensure_secret(database: &redb::Database) -> Result<(), StoreError> {
    use redb::ReadableDatabase as _;
    if database.begin_read()?.open_table(v1::SETTINGS)?.get(SRS_SECRET)?.is_some() {
        return Ok(());
    }
    let mut secret = zeroize::Zeroizing::new([0_u8; SECRET_BYTES]);
    getrandom::fill(secret.as_mut_slice()).map_err(|error| StoreError::Io(error.to_string()))?;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(v1::SETTINGS)?.insert(SRS_SECRET, secret.as_slice())?;
    transaction.commit()?;
    Ok(())
}
