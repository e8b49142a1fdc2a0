//! App passwords: one for each device, random, made here and shown once. With them a device reads and sends mail; only
//! the account's own password governs it.

use std::net::IpAddr;

use mailstead_message::Address;
use mailstead_migrations::{v1, v3};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::record::decode;
use crate::scram::{ROUNDS, SALT_BYTES, ScramKeys};
use crate::{AccountId, AppPasswordId, Login, Store, StoreError, Timestamp};

/// App passwords of one account.
pub const MAX_APP_PASSWORDS: usize = 32;
/// Characters of a device's name.
pub(crate) const MAX_NAME: usize = 64;
/// Letters and digits that nobody mistakes for others.
const ALPHABET: [u8; 31] = *b"abcdefghjkmnpqrstuvwxyz23456789";
/// Groups that are parted by a dash, and characters of each: 99 bits in sum.
const GROUPS: usize = 5;
const GROUP: usize = 4;
/// Seconds between two notes of a use from the same place.
const NOTE_EVERY: i64 = 60 * 60;
/// Under which name the salt of app passwords is kept.
pub(crate) const SALT: &str = "scram-salt";

/// The password of one device, without the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPassword {
    /// Its id.
    pub id: AppPasswordId,
    /// The device.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was used last, if ever.
    pub last_used: Option<LastUse>,
}

/// A use of an app password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When, to the hour.
    pub at: Timestamp,
    /// `IMAP`, `POP3` or `SMTP`.
    pub protocol: String,
    /// From which address.
    pub from: IpAddr,
}

/// What is kept of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AppPasswordRecord {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) keys: ScramKeys,
}

impl Store {
    /// Makes an app password and gives it, as it must be typed; it is told nowhere else.
    ///
    /// # Errors
    /// There is no such account, it has one of that name or too many, or the name is none.
    pub async fn add_app_password(
        &self,
        account: &Address,
        name: &str,
    ) -> Result<(AppPassword, Zeroizing<String>), StoreError> {
        let (account, name) = (account.clone(), name.trim().to_owned());
        let mut salt = vec![0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| StoreError::Io(error.to_string()))?;
        let salt = self.add(0, move |change| change.app_password_salt(&salt)).await?;
        let password = random()?;
        let keys = ScramKeys::derive(&password, &salt);
        let made = self.add(0, move |change| change.add_app_password(&account, &name, &keys)).await?;
        Ok((made, password))
    }

    /// An account's app passwords, in the order in which they were made.
    ///
    /// # Errors
    /// There is no such account.
    pub fn app_passwords(&self, account: &Address) -> Result<Vec<AppPassword>, StoreError> {
        let transaction = self.shared().read()?;
        let id = transaction.open_table(v1::ADDRESSES)?.get(account.key().as_str())?.map(|value| value.value());
        let id = id.ok_or_else(|| StoreError::NotFound(format!("the account {account}")))?;
        let uses = transaction.open_table(v3::APP_PASSWORD_USES)?;
        let mut passwords = Vec::new();
        for entry in transaction.open_table(v3::APP_PASSWORDS)?.range((id, 0)..=(id, u64::MAX))? {
            let (key, bytes) = entry?;
            let AppPasswordRecord { name, created, .. } = decode(bytes.value(), "an app password")?;
            let last_used = uses.get(key.value())?.map(|bytes| decode(bytes.value(), "an app password's use"));
            let last_used = last_used.transpose()?;
            passwords.push(AppPassword { id: AppPasswordId(key.value().1), name, created, last_used });
        }
        Ok(passwords)
    }

    /// Removes an app password: its device can't log in any more.
    ///
    /// # Errors
    /// The account has none of that id.
    pub async fn remove_app_password(&self, account: &Address, id: AppPasswordId) -> Result<(), StoreError> {
        let account = account.clone();
        self.lessen(move |change| change.remove_app_password(&account, id)).await
    }

    /// Removes all app passwords of an account, and tells how many there were.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn remove_app_passwords(&self, account: &Address) -> Result<usize, StoreError> {
        let account = account.clone();
        let work = move |change: &mut crate::change::Change<'_>| {
            let (id, _) = change.login(&account)?;
            change.remove_app_passwords(id)
        };
        self.lessen(work).await
    }

    /// Checks a login name (any address of the account) and a password for mail: the account's own, or one of its app
    /// passwords, typed with or without dashes and spaces. `Ok(None)` for unknown, wrong or disabled, in the same time
    /// for all. Hashing runs off the async threads, a bounded number at once.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn authenticate(&self, login: &str, password: &str) -> Result<Option<Login>, StoreError> {
        if let Some(shown) = as_shown(password)
            && let Some(salt) = self.scram_salt()?
        {
            let typed = self.passwords().compute(move || Ok(ScramKeys::derive(&shown, &salt))).await?;
            if let Some((login, _)) = self.authenticate_by_proof(login, &|stored| typed.is_of(stored))? {
                return Ok(Some(login));
            }
        }
        self.authenticate_own(login, password).await
    }

    /// On which terms SCRAM is offered: salt, and rounds of PBKDF2. `None` while nobody has an app password, since a device
    /// that prefers SCRAM could not log in with the account's own; and where that can't be found out.
    pub fn scram_terms(&self) -> Option<(Vec<u8>, u32)> {
        let salt = self.scram_salt().unwrap_or_else(|error| {
            tracing::error!("whether there are app passwords can't be read: {error}");
            None
        });
        salt.map(|salt| (salt, ROUNDS.get()))
    }

    fn scram_salt(&self) -> Result<Option<Vec<u8>>, StoreError> {
        use redb::ReadableTableMetadata as _;
        let transaction = self.shared().read()?;
        if transaction.open_table(v3::APP_PASSWORDS)?.is_empty()? {
            return Ok(None);
        }
        Ok(transaction.open_table(v1::SETTINGS)?.get(SALT)?.map(|bytes| bytes.value().to_vec()))
    }

    /// Finds the app password of that account whose `StoredKey` fits what a device has proved, and gives its `ServerKey`.
    /// It takes as long for every account.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn authenticate_by_proof(
        &self,
        login: &str,
        fits: &dyn Fn(&[u8; 32]) -> bool,
    ) -> Result<Option<(Login, [u8; 32])>, StoreError> {
        let found = self.find_login(login)?;
        let mut known = match &found {
            Some((id, _)) => self.app_password_keys(*id)?,
            None => Vec::new(),
        };
        let real = known.len();
        known.resize(real.max(MAX_APP_PASSWORDS), (AppPasswordId(0), ScramKeys::nobodys()));
        let mut fitting = None;
        for (index, (id, keys)) in known.iter().enumerate() {
            if fits(&keys.stored) && index < real {
                fitting = Some((*id, keys.server));
            }
        }
        let admitted = found.filter(|(_, record)| !record.disabled).zip(fitting);
        Ok(admitted.map(|((id, record), (app, server))| {
            (Login { id, address: record.address, app_password: Some(app) }, server)
        }))
    }

    /// Notes when and where an app password was used; for the account's own password there is nothing to note. Nobody
    /// waits for it.
    pub fn note_login(&self, login: &Login, protocol: &str, from: IpAddr) {
        let Some(app) = login.app_password else { return };
        let key = (login.id.0, app.0);
        let now = LastUse { at: crate::now(), protocol: protocol.to_owned(), from };
        let noted = self.last_use(key).unwrap_or_default();
        let fresh = |last: LastUse| {
            last.from == from && last.protocol == protocol && (0..NOTE_EVERY).contains(&(now.at.0 - last.at.0))
        };
        if !noted.is_some_and(fresh) {
            self.send_and_forget(move |change| change.note_app_password_use(key, &now));
        }
    }

    fn last_use(&self, key: (u64, u64)) -> Result<Option<LastUse>, StoreError> {
        let table = self.shared().read()?.open_table(v3::APP_PASSWORD_USES)?;
        table.get(key)?.map(|bytes| decode(bytes.value(), "an app password's use")).transpose()
    }

    fn app_password_keys(&self, account: AccountId) -> Result<Vec<(AppPasswordId, ScramKeys)>, StoreError> {
        let table = self.shared().read()?.open_table(v3::APP_PASSWORDS)?;
        let mut known = Vec::new();
        for entry in table.range((account.0, 0)..=(account.0, u64::MAX))? {
            let (key, bytes) = entry?;
            // A damaged one must not lock the other devices out.
            match decode::<AppPasswordRecord>(bytes.value(), "an app password") {
                Ok(record) => known.push((AppPasswordId(key.value().1), record.keys)),
                Err(error) => tracing::error!(account = account.0, "{error}"),
            }
        }
        Ok(known)
    }
}

/// A new password, as it is shown.
fn random() -> Result<Zeroizing<String>, StoreError> {
    let mut letters = Zeroizing::new(String::with_capacity(GROUPS * GROUP));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while letters.len() < GROUPS * GROUP {
        getrandom::fill(byte.as_mut_slice()).map_err(|error| StoreError::Io(error.to_string()))?;
        // What is above the last whole alphabet would favour its first letters.
        let whole = 256 / ALPHABET.len() * ALPHABET.len();
        let drawn = usize::from(byte[0]);
        if let Some(letter) = ALPHABET.get(drawn % ALPHABET.len()).filter(|_| drawn < whole) {
            letters.push(char::from(*letter));
        }
    }
    Ok(grouped(&letters))
}

/// An app password as it was shown, however it was typed; `None` when it can't be one.
fn as_shown(typed: &str) -> Option<Zeroizing<String>> {
    let mut letters = Zeroizing::new(String::with_capacity(GROUPS * GROUP));
    for character in typed.chars().filter(|character| !matches!(character, ' ' | '-')) {
        let letter = character.to_ascii_lowercase();
        if letters.len() == GROUPS * GROUP || !u8::try_from(letter).is_ok_and(|letter| ALPHABET.contains(&letter)) {
            return None;
        }
        letters.push(letter);
    }
    (letters.len() == GROUPS * GROUP).then(|| grouped(&letters))
}

fn grouped(letters: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::with_capacity(letters.len() + GROUPS));
    for (index, letter) in letters.chars().enumerate() {
        if index > 0 && index.is_multiple_of(GROUP) {
            shown.push('-');
        }
        shown.push(letter);
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_password_is_found_again_however_it_is_typed() {
        let password = random().unwrap();
        assert_eq!(password.len(), 24);
        assert_ne!(password, random().unwrap());
        let plain = password.replace('-', "");
        for typed in [password.as_str(), &plain, &password.replace('-', " "), &format!(" {} ", plain.to_uppercase())] {
            assert_eq!(as_shown(typed).as_deref(), Some(&*password), "{typed}");
        }
    }

    #[test]
    fn what_can_be_no_app_password_is_told_by_its_shape() {
        let long = "a".repeat(100_000);
        for typed in [
            "",
            "secret",
            "abcd-efgh-jkmn-pqrs-tuv",
            "abcd-efgh-jkmn-pqrs-tuvw2",
            "abcd-efgh-jkmn-pqrs-tu0w",
            "äbcd-efgh-jkmn-pqrs-tuvw",
            &long,
        ] {
            assert_eq!(as_shown(typed), None, "{typed:.40}");
        }
    }
}
