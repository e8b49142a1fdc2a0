//! Setting up.

use mailstead_message::{Address, Domain};
use mailstead_migrations::v3;
use redb::ReadableTableMetadata as _;

use super::Change;
use crate::record::encode;
use crate::setup::{HOSTNAME, SETUP_LINK, SetupLink};
use crate::{AccountId, StoreError};

impl Change<'_> {
    pub(crate) fn put_setup_link(&mut self, link: &SetupLink) -> Result<(), StoreError> {
        self.refuse_second_setup()?;
        let bytes = encode(link)?;
        self.write().settings.insert(SETUP_LINK, bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn set_up_operator(
        &mut self,
        address: &Address,
        password: Option<&str>,
    ) -> Result<AccountId, StoreError> {
        self.refuse_second_setup()?;
        let id = match (self.login(address), password) {
            (Ok((id, _)), _) => id,
            (Err(StoreError::NotFound(_)), Some(password)) => self.add_account(address, password, None)?,
            (Err(error), _) => return Err(error),
        };
        self.write_side(v3::OPERATORS)?.insert(id.0, ())?;
        self.write().settings.remove(SETUP_LINK)?;
        Ok(id)
    }

    pub(crate) fn set_hostname(&mut self, hostname: &Domain) -> Result<(), StoreError> {
        let bytes = encode(hostname)?;
        self.write().settings.insert(HOSTNAME, bytes.as_slice())?;
        Ok(())
    }

    fn refuse_second_setup(&self) -> Result<(), StoreError> {
        if self.side(v3::OPERATORS)?.is_empty()? {
            return Ok(());
        }
        Err(StoreError::Invalid("this server is set up already: sign in to change it".to_owned()))
    }
}
