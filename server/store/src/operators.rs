//! Operators: the accounts that may govern the server.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadableTableMetadata as _;

use crate::{AccountId, Store, StoreError};

impl Store {
    /// Makes an account an operator, or takes that away. The last one stays: a server nobody may govern has no door.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for the last operator, [`StoreError::NotFound`] without such an account.
    pub async fn set_operator(&self, account: &Address, operator: bool) -> Result<(), StoreError> {
        let account = account.clone();
        self.add(0, move |change| change.set_operator(&account, operator)).await
    }

    /// True when the account may govern the server.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn is_operator(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(self.shared().read()?.open_table(v3::OPERATORS)?.get(account.0)?.is_some())
    }

    /// True once somebody may govern the server.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn has_operator(&self) -> Result<bool, StoreError> {
        Ok(!self.shared().read()?.open_table(v3::OPERATORS)?.is_empty()?)
    }
}
