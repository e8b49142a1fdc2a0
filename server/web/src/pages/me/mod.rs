//! `/me`: everyone's own pages. Whatever they ask for, it is for the account that is signed in and no other.

mod account;
mod app_passwords;
mod devices;
mod forwarding;

use std::sync::Arc;

use axum::Router;
use mailstead_store::Account;

use crate::site::Site;
use crate::site::problem::Problem;
use crate::site::visit::Person;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .merge(account::routes())
        .merge(app_passwords::routes())
        .merge(devices::routes())
        .merge(forwarding::routes())
}

/// The account of who is signed in.
fn account(site: &Site, person: &Person) -> Result<Account, Problem> {
    site.store.account(person.account)?.ok_or_else(Problem::signed_out)
}

fn texts(addresses: &[mailstead_message::Address]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
