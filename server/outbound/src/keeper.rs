//! The keys our domains sign with, kept in order: the first ones are made, new ones sign once the world can see them,
//! old ones go when nothing needs them any more.

use std::sync::Arc;
use std::time::Duration;

use mailstead_inbound::{forget_senders, make_keys};
use mailstead_message::Domain;
use mailstead_net::dns::Dns;
use mailstead_store::{DomainKey, KeyState, NewKey, Store, StoreError, Timestamp};
use tokio::sync::watch;

use crate::seen::{Seen, seen};

/// Between two looks while new keys wait to be seen in DNS: an operator who has just published them looks on.
const LOOK_WHILE_WAITING: Duration = Duration::from_secs(15);
/// Between two looks otherwise.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// A retired key's record must stay so long: twice as long as letters wait in queues (5 days), for those who check them
/// late and those who send them on.
pub const RETIRING_DAYS: i64 = 10;
const DAY: i64 = 24 * 60 * 60;

/// Keeps the keys in order.
pub struct Keeper {
    store: Store,
    dns: Arc<dyn Dns>,
}

impl Keeper {
    /// Makes a keeper; nothing happens before [`Self::run`].
    pub fn new(store: Store, dns: Arc<dyn Dns>) -> Self {
        Self { store, dns }
    }

    /// Runs until `shutdown` turns true: looks every hour, and often while new keys wait to be seen.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let looked = tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => return,
                looked = self.look(Timestamp(jiff::Timestamp::now().as_second())) => looked,
            };
            if let Err(error) = &looked {
                tracing::error!("the signing keys can't be looked after: {error}");
            }
            tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => return,
                () = self.until_a_rotation_begins(if looked.is_ok() { LOOK } else { LOOK_WHILE_WAITING }) => {}
            }
        }
    }

    /// Looks after all domains once, and forgets what reverse-paths no longer stand for.
    ///
    /// # Errors
    /// The store can't be read or written. The trouble of one domain keeps nothing else from being looked after.
    pub async fn look(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut result = Ok(());
        for domain in self.store.domains()? {
            result = self.look_at(&domain.name, now).await.and(result);
        }
        forget_senders(&self.store, now).await.and(result)
    }

    async fn look_at(&self, domain: &Domain, now: Timestamp) -> Result<(), StoreError> {
        make_missing_keys(&self.store, domain).await?;
        self.store.end_keys(domain, Timestamp(now.0 - RETIRING_DAYS * DAY)).await?;
        let (mut seen, mut waits) = (Vec::new(), false);
        for key in self.store.domain_keys(domain)? {
            match key.state {
                KeyState::Upcoming if self.seen(domain, &key).await == Seen::Right => seen.push(key.selector),
                KeyState::Upcoming => waits = true,
                KeyState::Gone if self.seen(domain, &key).await == Seen::Nothing => {
                    tracing::info!(%domain, selector = key.selector, "the record of an old signing key is gone");
                    self.store.forget_key(domain, &key.selector).await?;
                }
                KeyState::Active | KeyState::Retiring | KeyState::Gone => {}
            }
        }
        if waits || seen.is_empty() {
            return Ok(());
        }
        tracing::info!(%domain, "the new signing keys are seen in DNS and sign from now on");
        self.store.promote_keys(domain, seen).await
    }

    async fn seen(&self, domain: &Domain, key: &DomainKey) -> Seen {
        seen(self.dns.as_ref(), &format!("{}._domainkey.{domain}", key.selector), &key.record).await
    }

    async fn until_a_rotation_begins(&self, limit: Duration) {
        let begun = async {
            loop {
                tokio::time::sleep(LOOK_WHILE_WAITING).await;
                if self.rotates().unwrap_or(false) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(limit, begun).await;
    }

    fn rotates(&self) -> Result<bool, StoreError> {
        for domain in self.store.domains()? {
            if self.store.domain_keys(&domain.name)?.iter().any(|key| key.state == KeyState::Upcoming) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Adds a domain with its first keys.
///
/// # Errors
/// It exists already, or keys can't be made.
pub async fn add_domain(store: &Store, domain: Domain) -> Result<(), StoreError> {
    let keys = fresh_keys(Vec::new()).await?;
    store.add_domain_with_keys(domain, keys).await
}

/// Makes keys for the domains that have none, such as those of a store from before there were any.
///
/// # Errors
/// The store can't be read or written, or keys can't be made.
pub async fn make_first_keys(store: &Store) -> Result<(), StoreError> {
    for domain in store.domains()? {
        make_missing_keys(store, &domain.name).await?;
    }
    Ok(())
}

async fn make_missing_keys(store: &Store, domain: &Domain) -> Result<(), StoreError> {
    let keys = store.domain_keys(domain)?;
    if keys.iter().any(|key| key.state == KeyState::Active) {
        return Ok(());
    }
    tracing::info!(%domain, "the domain gets keys to sign its mail with");
    store.add_first_keys(domain, fresh_keys(keys).await?).await
}

/// Makes the next pair of keys of a domain, which sign once their records are seen in DNS.
///
/// # Errors
/// There is no such domain, or the pair before still waits.
pub async fn begin_rotation(store: &Store, domain: &Domain) -> Result<(), StoreError> {
    let keys = fresh_keys(store.domain_keys(domain)?).await?;
    store.add_upcoming_keys(domain, keys).await
}

async fn fresh_keys(taken: Vec<DomainKey>) -> Result<Vec<NewKey>, StoreError> {
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let made = tokio::task::spawn_blocking(move || make_keys(now, &taken)).await;
    made.map_err(|error| StoreError::Io(error.to_string()))?
}

#[cfg(test)]
mod tests;
