//! Where accounts have their mail sent on to.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};

use crate::record::decode;
use crate::{AccountId, Store, StoreError};

/// Addresses that one account may have its mail sent on to.
pub(crate) const MAX_FORWARDS: usize = 5;

/// Where an account has its mail sent on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarding {
    /// Local or remote addresses, at least one.
    pub to: Vec<Address>,
    /// Its mail arrives in its own mailbox too.
    pub keep: bool,
}

impl Store {
    /// Has an account's mail sent on, or `None`, no longer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such an account; [`StoreError::Invalid`] when it leads to the account itself, or
    /// to too many.
    pub async fn set_forwarding(&self, account: &Address, forwarding: Option<Forwarding>) -> Result<(), StoreError> {
        let account = account.clone();
        self.add(0, move |change| change.set_forwarding(&account, forwarding.as_ref())).await
    }
}

/// What an account has set up.
pub(crate) fn of(transaction: &ReadTransaction, account: AccountId) -> Result<Option<Forwarding>, StoreError> {
    let bytes = transaction.open_table(v3::FORWARDINGS)?.get(account.0)?;
    bytes.map(|bytes| decode(bytes.value(), "a forwarding")).transpose()
}
