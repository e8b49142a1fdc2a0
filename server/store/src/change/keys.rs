//! The keys of domains: every step of their lives is here.

use mailstead_message::Domain;
use mailstead_migrations::v2;
use redb::ReadableTable as _;
use zeroize::Zeroizing;

use super::Change;
use crate::keys::keys_of;
use crate::record::encode;
use crate::{DomainKey, KeyState, NewKey, StoreError, Timestamp};

impl Change<'_> {
    pub(crate) fn add_keys(&mut self, domain: &Domain, keys: &[NewKey], state: KeyState) -> Result<(), StoreError> {
        let known = self.keys(domain)?;
        if let Some(key) = keys.iter().find(|key| known.iter().any(|known| known.selector == key.selector)) {
            return Err(StoreError::Exists(format!("a key {} of {domain}", key.selector)));
        }
        let now = crate::now();
        for NewKey { selector, private, record } in keys.iter().cloned() {
            let key = DomainKey { selector, private: Some(private), record, state, created: now, since: now };
            self.put_key(domain, &key)?;
        }
        Ok(())
    }

    pub(crate) fn add_first_keys(&mut self, domain: &Domain, keys: &[NewKey]) -> Result<(), StoreError> {
        self.require_domain(domain)?;
        if self.keys(domain)?.iter().any(|key| key.state == KeyState::Active) {
            return Ok(());
        }
        self.add_keys(domain, keys, KeyState::Active)
    }

    pub(crate) fn add_upcoming_keys(&mut self, domain: &Domain, keys: &[NewKey]) -> Result<(), StoreError> {
        self.require_domain(domain)?;
        if self.keys(domain)?.iter().any(|key| key.state == KeyState::Upcoming) {
            return Err(StoreError::Exists(format!("a pair of upcoming keys of {domain}")));
        }
        self.add_keys(domain, keys, KeyState::Upcoming)
    }

    pub(crate) fn promote_keys(&mut self, domain: &Domain, selectors: &[String]) -> Result<(), StoreError> {
        let keys = self.keys(domain)?;
        let upcoming = || keys.iter().filter(|key| key.state == KeyState::Upcoming);
        if selectors.is_empty()
            || upcoming().count() != selectors.len()
            || !upcoming().all(|key| selectors.contains(&key.selector))
        {
            return Ok(());
        }
        for mut key in keys {
            match key.state {
                KeyState::Upcoming => key.state = KeyState::Active,
                KeyState::Active => (key.state, key.private) = (KeyState::Retiring, None),
                KeyState::Retiring | KeyState::Gone => continue,
            }
            key.since = crate::now();
            self.put_key(domain, &key)?;
        }
        Ok(())
    }

    pub(crate) fn cancel_keys(&mut self, domain: &Domain) -> Result<(), StoreError> {
        self.require_domain(domain)?;
        let (mut keys, now) = (self.keys(domain)?, crate::now());
        keys.retain(|key| key.state == KeyState::Upcoming);
        if keys.is_empty() {
            return Err(StoreError::NotFound(format!("a pair of upcoming keys of {domain}")));
        }
        for mut key in keys {
            (key.state, key.private, key.since) = (KeyState::Gone, None, now);
            self.put_key(domain, &key)?;
        }
        Ok(())
    }

    pub(crate) fn end_keys(&mut self, domain: &Domain, before: Timestamp) -> Result<(), StoreError> {
        for mut key in self.keys(domain)? {
            if key.state == KeyState::Retiring && key.since < before {
                (key.state, key.since) = (KeyState::Gone, crate::now());
                self.put_key(domain, &key)?;
            }
        }
        Ok(())
    }

    pub(crate) fn forget_key(&mut self, domain: &Domain, selector: &str) -> Result<(), StoreError> {
        let is_gone = |key: &DomainKey| key.selector == selector && key.state == KeyState::Gone;
        if self.keys(domain)?.iter().any(is_gone) {
            self.write_side(v2::DKIM_KEYS)?.remove((domain.as_str(), selector))?;
        }
        Ok(())
    }

    /// All keys of a domain that goes.
    pub(super) fn remove_keys(&mut self, domain: &Domain) -> Result<(), StoreError> {
        let mut selectors = Vec::new();
        for entry in self.side(v2::DKIM_KEYS)?.range((domain.as_str(), "")..)? {
            let name = entry?.0;
            if name.value().0 != domain.as_str() {
                break;
            }
            selectors.push(name.value().1.to_owned());
        }
        for selector in selectors {
            self.write_side(v2::DKIM_KEYS)?.remove((domain.as_str(), selector.as_str()))?;
        }
        Ok(())
    }

    fn keys(&self, domain: &Domain) -> Result<Vec<DomainKey>, StoreError> {
        keys_of(&self.side(v2::DKIM_KEYS)?, domain)
    }

    fn put_key(&mut self, domain: &Domain, key: &DomainKey) -> Result<(), StoreError> {
        let bytes = Zeroizing::new(encode(key)?);
        self.write_side(v2::DKIM_KEYS)?.insert((domain.as_str(), key.selector.as_str()), bytes.as_slice())?;
        Ok(())
    }
}
