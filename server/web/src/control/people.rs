//! One account with all that belongs to it, and who is signed in with it.

use std::collections::HashSet;

use mailstead_message::Address;
use mailstead_store::{Account, Alias, Route, Session, SessionKey, Store, StoreError, Target};
use serde::{Deserialize, Serialize};

use super::app_passwords::AppPasswordView;
use super::operator::{account_view, done, time};
use super::protocol::{Answer, Request};
use super::views::{AccountView, AliasView};

/// Letters and digits that nobody mistakes for each other.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
/// 20 of 54 characters are 115 bits: no one guesses that.
const PASSWORD_LENGTH: usize = 20;

/// An account with all that belongs to it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDetail {
    /// As it is listed.
    #[serde(flatten)]
    pub view: AccountView,
    /// Letters in its mailboxes.
    pub letters: u64,
    /// Aliases that lead there.
    pub aliases: Vec<String>,
    /// Who is signed in at the web.
    pub sessions: Vec<SessionView>,
    /// Passwords of its devices.
    pub app_passwords: Vec<AppPasswordView>,
}

/// Somebody signed in at the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its name: a hash, which opens nothing.
    pub key: String,
    /// Since when.
    pub created: String,
    /// When it was used last, to the hour.
    pub seen: String,
    /// From which address it began.
    pub from: String,
    /// What the browser called itself.
    pub agent: String,
}

/// A password that nobody guesses.
pub fn generate_password() -> String {
    use rand::seq::IndexedRandom;
    let mut rng = rand::rng();
    let letters = std::iter::repeat_with(|| PASSWORD_ALPHABET.choose(&mut rng).copied());
    letters.flatten().take(PASSWORD_LENGTH).map(char::from).collect()
}

/// Carries out what is asked of one account.
pub(super) async fn perform(store: &Store, request: Request) -> Result<Answer, StoreError> {
    match request {
        Request::AccountShow { address } => Ok(Answer::Account(Box::new(detail(store, &address)?))),
        Request::SessionEnd { account, key } => end(store, &account, key.as_deref()).await,
        _ => Err(StoreError::Invalid("That is not about one account.".to_owned())),
    }
}

fn find(store: &Store, address: &Address) -> Result<Account, StoreError> {
    let found = store.accounts()?.into_iter().find(|account| account.address.key() == address.key());
    found.ok_or_else(|| StoreError::NotFound(format!("the account {address}")))
}

fn detail(store: &Store, address: &Address) -> Result<AccountDetail, StoreError> {
    let account = find(store, address)?;
    let mailboxes = store.snapshot()?.mailboxes(account.id)?;
    let mut aliases = Vec::new();
    for alias in store.aliases()? {
        if leads_to(store, &alias, &account)? {
            aliases.push(alias.address.to_string());
        }
    }
    let passwords = store.app_passwords(&account.address)?;
    Ok(AccountDetail {
        letters: mailboxes.iter().map(|mailbox| u64::from(mailbox.messages)).sum(),
        aliases,
        sessions: store.sessions_of(account.id)?.into_iter().map(session_view).collect(),
        app_passwords: passwords.into_iter().map(super::app_passwords::view).collect(),
        view: account_view(account),
    })
}

fn leads_to(store: &Store, alias: &Alias, account: &Account) -> Result<bool, StoreError> {
    Ok(match store.route(&alias.address)? {
        Route::Targets(targets) => {
            targets.iter().any(|target| matches!(target, Target::Account { id, .. } if *id == account.id))
        }
        _ => false,
    })
}

fn session_view((key, session): (SessionKey, Session)) -> SessionView {
    SessionView {
        key: hex(&key),
        created: time(session.created),
        seen: time(session.seen),
        from: session.from.to_canonical().to_string(),
        agent: session.agent,
    }
}

fn hex(key: &SessionKey) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn end(store: &Store, address: &Address, key: Option<&str>) -> Result<Answer, StoreError> {
    let account = find(store, address)?;
    let Some(key) = key else {
        store.close_sessions(account.id, None).await?;
        return done(format!("{} is signed out everywhere at the web.", account.address));
    };
    let found = store.sessions_of(account.id)?.into_iter().find(|(known, _)| hex(known) == key);
    let (key, _) = found.ok_or_else(|| StoreError::NotFound("that session".to_owned()))?;
    store.close_session(key).await?;
    done(format!("That browser of {} is signed out.", account.address))
}

/// All aliases, each with the targets that nobody has.
pub(super) fn aliases(store: &Store) -> Result<Answer, StoreError> {
    let (mut known, mut nobodys) = (HashSet::new(), HashSet::new());
    let mut views = Vec::new();
    for alias in store.aliases()? {
        for target in &alias.targets {
            if known.insert(target.key()) && store.route(target)? == Route::Unknown {
                nobodys.insert(target.key());
            }
        }
        let dead_ends = alias.targets.iter().filter(|target| nobodys.contains(&target.key()));
        views.push(AliasView {
            address: alias.address.to_string(),
            dead_ends: dead_ends.map(ToString::to_string).collect(),
            targets: alias.targets.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(Answer::Aliases(views))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn passwords_made_up_are_long_and_differ() {
        let (one, other) = (generate_password(), generate_password());
        assert_eq!((one.len(), one != other), (PASSWORD_LENGTH, true));
    }
}
