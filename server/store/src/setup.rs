//! Setting up: the one-time link that lets its holder govern a server nobody governs yet, and the host name chosen then.

use mailstead_message::{Address, Domain};
use mailstead_migrations::v1;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::record::decode;
use crate::{AccountId, Store, StoreError, Timestamp};

/// Under which name the link is kept.
pub(crate) const SETUP_LINK: &str = "setup-link";
/// Under which name the host name is kept.
pub(crate) const HOSTNAME: &str = "hostname";
/// Seconds for which a link opens the door.
pub const SETUP_LINK_LIFE: i64 = 24 * 60 * 60;

/// The link given out last: a hash of its token, and when it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SetupLink {
    pub(crate) hash: [u8; 32],
    pub(crate) expires: Timestamp,
}

impl Store {
    /// Makes a set-up link and gives its token, which is told nowhere else, with the time at which it ends. The link
    /// before it opens nothing any more.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] once somebody governs the server.
    pub async fn new_setup_link(&self) -> Result<(Zeroizing<String>, Timestamp), StoreError> {
        let token = crate::new_token()?;
        let expires = Timestamp(crate::now().0 + SETUP_LINK_LIFE);
        let link = SetupLink { hash: crate::session_key(&token), expires };
        self.add(0, move |change| change.put_setup_link(&link)).await?;
        Ok((token, expires))
    }

    /// True when a token is that of the link given out last, which has not ended, and nobody governs the server yet.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn opens_setup(&self, token: &str) -> Result<bool, StoreError> {
        let transaction = self.shared().read()?;
        let settings = transaction.open_table(v1::SETTINGS)?;
        let Some(bytes) = settings.get(SETUP_LINK)? else { return Ok(false) };
        let link: SetupLink = decode(bytes.value(), "a set-up link")?;
        // Comparing BLAKE3's own hashes takes the same time whether they differ early or late.
        let same = blake3::Hash::from_bytes(link.hash) == blake3::hash(token.as_bytes());
        Ok(same && crate::now() < link.expires && !self.has_operator()?)
    }

    /// Ends setting up: makes an account, or takes one that is there, and lets it govern the server. No set-up link opens
    /// anything afterwards. Whoever calls it has made sure that the account is its owner's, if it is there already.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] once somebody governs the server, [`StoreError::NotFound`] for a new account without a
    /// password, and what [`Store::add_account`] says.
    pub async fn set_up_operator(&self, address: &Address, password: Option<&str>) -> Result<AccountId, StoreError> {
        let password = match password {
            Some(password) => Some(self.passwords().make(password).await?),
            None => None,
        };
        let address = address.clone();
        self.add(0, move |change| change.set_up_operator(&address, password.as_deref())).await
    }

    /// The host name chosen while setting up, for a configuration that names none.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn hostname(&self) -> Result<Option<Domain>, StoreError> {
        let settings = self.shared().read()?.open_table(v1::SETTINGS)?;
        settings.get(HOSTNAME)?.map(|bytes| decode(bytes.value(), "the host name")).transpose()
    }

    /// Chooses the host name for a configuration that names none.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn set_hostname(&self, hostname: Domain) -> Result<(), StoreError> {
        self.add(0, move |change| change.set_hostname(&hostname)).await
    }
}
