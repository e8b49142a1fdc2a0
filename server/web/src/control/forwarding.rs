//! Having an account's mail sent on.

use mailstead_message::Address;
use mailstead_store::{Forwarding, Route, Store, StoreError};

use super::operator::{done, list};
use super::protocol::Answer;

pub(super) async fn set(store: &Store, account: &Address, to: Vec<Address>, keep: bool) -> Result<Answer, StoreError> {
    if to.is_empty() {
        store.set_forwarding(account, None).await?;
        return done(format!("Mail for {account} stays here and is not sent on."));
    }
    for target in &to {
        if store.route(target)? == Route::Unknown {
            return Err(StoreError::Invalid(format!("nobody has {target}: check how it is spelled")));
        }
    }
    let copy = if keep { "a copy stays here" } else { "no copy stays here" };
    let sentence = format!("Mail for {account} is sent on to {}; {copy}.", list(&to));
    store.set_forwarding(account, Some(Forwarding { to, keep })).await?;
    done(sentence)
}
