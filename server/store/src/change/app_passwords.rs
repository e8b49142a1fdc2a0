//! App passwords.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadableTable as _;

use super::Change;
use crate::app_passwords::{AppPasswordRecord, MAX_NAME, SALT};
use crate::record::{decode, encode};
use crate::scram::ScramKeys;
use crate::{AccountId, AppPassword, AppPasswordId, LastUse, MAX_APP_PASSWORDS, StoreError};

impl Change<'_> {
    /// The salt of all app passwords; this one, where there was none.
    pub(crate) fn app_password_salt(&mut self, new: &[u8]) -> Result<Vec<u8>, StoreError> {
        let salt = self.tables.settings.get(SALT)?.map(|bytes| bytes.value().to_vec());
        if let Some(salt) = salt {
            return Ok(salt);
        }
        self.write().settings.insert(SALT, new)?;
        Ok(new.to_vec())
    }

    pub(crate) fn add_app_password(
        &mut self,
        account: &Address,
        name: &str,
        keys: &ScramKeys,
    ) -> Result<AppPassword, StoreError> {
        let (id, _) = self.login(account)?;
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(StoreError::Invalid(format!("a device's name has 1 to {MAX_NAME} characters on one line")));
        }
        let mut names = Vec::new();
        for entry in self.side(v3::APP_PASSWORDS)?.range(of(id))? {
            names.push(decode::<AppPasswordRecord>(entry?.1.value(), "an app password")?.name);
        }
        if names.len() >= MAX_APP_PASSWORDS {
            return Err(StoreError::Invalid(format!(
                "{account} has {MAX_APP_PASSWORDS} app passwords: remove one that no device needs any more"
            )));
        }
        if names.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
            return Err(StoreError::Exists(format!("an app password for {name}")));
        }
        let number = self.next("app_password")?;
        let record = AppPasswordRecord { name: name.to_owned(), created: crate::now(), keys: keys.clone() };
        let bytes = zeroize::Zeroizing::new(encode(&record)?);
        self.write_side(v3::APP_PASSWORDS)?.insert((id.0, number), bytes.as_slice())?;
        Ok(AppPassword { id: AppPasswordId(number), name: record.name, created: record.created, last_used: None })
    }

    pub(crate) fn remove_app_password(&mut self, account: &Address, password: AppPasswordId) -> Result<(), StoreError> {
        let key = (self.login(account)?.0.0, password.0);
        if self.side(v3::APP_PASSWORDS)?.get(key)?.is_none() {
            return Err(StoreError::NotFound(format!("the app password {password} of {account}")));
        }
        self.write_side(v3::APP_PASSWORDS)?.remove(key)?;
        self.write_side(v3::APP_PASSWORD_USES)?.remove(key)?;
        Ok(())
    }

    /// Removes all of an account, and tells how many there were.
    pub(crate) fn remove_app_passwords(&mut self, account: AccountId) -> Result<usize, StoreError> {
        let mut removed = 0;
        self.write_side(v3::APP_PASSWORDS)?.retain_in(of(account), |_, _| {
            removed += 1;
            false
        })?;
        self.write_side(v3::APP_PASSWORD_USES)?.retain_in(of(account), |_, _| false)?;
        Ok(removed)
    }

    /// Notes a use, unless the password was removed meanwhile.
    pub(crate) fn note_app_password_use(&mut self, key: (u64, u64), last: &LastUse) -> Result<(), StoreError> {
        if self.side(v3::APP_PASSWORDS)?.get(key)?.is_some() {
            let bytes = encode(last)?;
            self.write_side(v3::APP_PASSWORD_USES)?.insert(key, bytes.as_slice())?;
        }
        Ok(())
    }
}

fn of(account: AccountId) -> std::ops::RangeInclusive<(u64, u64)> {
    (account.0, 0)..=(account.0, u64::MAX)
}
