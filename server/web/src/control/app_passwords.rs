//! What is asked of app passwords.

use mailstead_message::Address;
use mailstead_store::{AppPassword, AppPasswordId, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::operator::{done, time};
use super::protocol::{Answer, Request};

/// An app password. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordView {
    /// Its number.
    pub id: u64,
    /// The device.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was used last, to the hour.
    pub used: Option<String>,
    /// By which protocol.
    pub protocol: Option<String>,
    /// From which address.
    pub from: Option<String>,
}

/// An app password that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAppPassword {
    /// Its number.
    pub id: u64,
    /// The device.
    pub name: String,
    /// The account.
    pub account: String,
    /// The password, as it must be typed; nobody can show it again.
    pub password: String,
}

impl std::fmt::Debug for NewAppPassword {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAppPassword").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Carries out what is asked of app passwords.
pub(super) async fn perform(store: &Store, request: Request) -> Result<Answer, StoreError> {
    match request {
        Request::AppPasswordAdd { account, name } => {
            let (made, password) = store.add_app_password(&account, &name).await?;
            Ok(Answer::NewAppPassword(NewAppPassword {
                id: made.id.0,
                name: made.name,
                account: account.to_string(),
                password: password.to_string(),
            }))
        }
        Request::AppPasswordRemove { account, id: Some(id) } => {
            store.remove_app_password(&account, AppPasswordId(id)).await?;
            done(format!("The app password {id} of {account} is removed: its device can't log in any more."))
        }
        Request::AppPasswordRemove { account, id: None } => remove_all(store, &account).await,
        Request::AppPasswordList { account } => {
            Ok(Answer::AppPasswords(store.app_passwords(&account)?.into_iter().map(view).collect()))
        }
        _ => Err(StoreError::Invalid("That is not about app passwords.".to_owned())),
    }
}

async fn remove_all(store: &Store, account: &Address) -> Result<Answer, StoreError> {
    done(match store.remove_app_passwords(account).await? {
        0 => format!("{account} had no app passwords."),
        1 => format!("The only app password of {account} is removed: its device can't log in any more."),
        many => format!("All {many} app passwords of {account} are removed: their devices can't log in any more."),
    })
}

pub(super) fn view(password: AppPassword) -> AppPasswordView {
    let last = password.last_used;
    AppPasswordView {
        id: password.id.0,
        name: password.name,
        created: time(password.created),
        used: last.as_ref().map(|last| time(last.at)),
        protocol: last.as_ref().map(|last| last.protocol.clone()),
        from: last.map(|last| last.from.to_string()),
    }
}
