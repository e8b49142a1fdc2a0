//! Where accounts have their mail sent on to.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadableTable as _;

use super::Change;
use crate::forwardings::{Forwarding, MAX_FORWARDS};
use crate::record::encode;
use crate::{AccountId, StoreError};

impl Change<'_> {
    pub(crate) fn set_forwarding(
        &mut self,
        account: &Address,
        forwarding: Option<&Forwarding>,
    ) -> Result<(), StoreError> {
        let (id, _) = self.login(account)?;
        let Some(forwarding) = forwarding else { return self.remove_forwarding(id) };
        if forwarding.to.is_empty() || forwarding.to.len() > MAX_FORWARDS {
            return Err(StoreError::Invalid(format!("mail can be sent on to 1 to {MAX_FORWARDS} addresses")));
        }
        for target in &forwarding.to {
            self.check_target(id, target)?;
        }
        let bytes = encode(forwarding)?;
        self.write_side(v3::FORWARDINGS)?.insert(id.0, bytes.as_slice())?;
        Ok(())
    }

    pub(super) fn remove_forwarding(&mut self, account: AccountId) -> Result<(), StoreError> {
        self.write_side(v3::FORWARDINGS)?.remove(account.0)?;
        Ok(())
    }

    /// Refuses the account's own addresses. Longer ways back are seen when a letter takes them, for they may be made
    /// later by others.
    fn check_target(&self, account: AccountId, target: &Address) -> Result<(), StoreError> {
        let untagged = target.local().split_tag().0;
        let untagged = mailstead_message::LocalPart::from_unquoted(untagged).map(|local| target.with_local(local));
        for address in [Some(target.clone()), untagged.ok()].into_iter().flatten() {
            let owner = self.tables.addresses.get(address.key().as_str())?.map(|value| value.value());
            if owner == Some(account.0) {
                return Err(StoreError::Invalid(format!("{target} is this account's own address: name another one")));
            }
        }
        Ok(())
    }
}
