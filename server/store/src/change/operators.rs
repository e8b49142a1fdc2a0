//! Operators.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadableTable as _;

use super::Change;
use crate::{AccountId, StoreError};

impl Change<'_> {
    pub(crate) fn set_operator(&mut self, account: &Address, operator: bool) -> Result<(), StoreError> {
        let (id, _) = self.login(account)?;
        if operator {
            self.write_side(v3::OPERATORS)?.insert(id.0, ())?;
            return Ok(());
        }
        self.refuse_last_operator(id, account)?;
        self.write_side(v3::OPERATORS)?.remove(id.0)?;
        Ok(())
    }

    /// Refuses what would leave the server without an operator who can sign in.
    pub(crate) fn refuse_last_operator(&self, id: AccountId, account: &Address) -> Result<(), StoreError> {
        let operators = self.side(v3::OPERATORS)?;
        if operators.get(id.0)?.is_none() {
            return Ok(());
        }
        for entry in operators.iter()? {
            let other = AccountId(entry?.0.value());
            if other != id && !self.account_by_id(other)?.disabled {
                return Ok(());
            }
        }
        Err(StoreError::Invalid(format!("{account} is the only operator: make somebody else an operator first")))
    }
}
