//! `/me/forwarding`: which addresses lead to me, and where my mail is sent on to.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::NoticeKind;
use mailstead_admin_ui::me::forwarding::{self, View};
use mailstead_message::Address;
use mailstead_store::{Alias, StoreError};
use serde::Deserialize;

use crate::control::{self, Answer, Request};
use crate::pages::Nothing;
use crate::site::form::Checked;
use crate::site::visit::Person;
use crate::site::{Page, Site, lead, notice, sentence};

const HERE: &str = "/me/forwarding";

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show).post(set)).route("/me/forwarding/stop", post(stop))
}

async fn show(person: Person, State(site): State<Arc<Site>>) -> Page {
    page(&site, &person, None)
}

fn page(site: &Site, person: &Person, refused: Option<(String, String)>) -> Page {
    let account = super::account(site, person)?;
    let own: Vec<&Address> = [&account.address].into_iter().chain(&account.addresses).collect();
    let mut aliases = Vec::new();
    for alias in aliases_of(site, person)? {
        let others: Vec<Address> = alias.targets.into_iter().filter(|target| !own.contains(&target)).collect();
        aliases.push((alias.address.to_string(), super::texts(&others)));
    }
    let view = View {
        address: account.address.to_string(),
        aliases,
        keep: account.forwarding.as_ref().is_none_or(|forwarding| forwarding.keep),
        forwards: account.forwarding.map(|forwarding| super::texts(&forwarding.to)).unwrap_or_default(),
        refused,
    };
    Ok(Html(forwarding::page(&site.frame(person, "Forwarding", HERE), &view)))
}

/// Aliases that lead to the account, perhaps by others.
fn aliases_of(site: &Site, person: &Person) -> Result<Vec<Alias>, StoreError> {
    let mut mine = Vec::new();
    for alias in site.store.aliases()? {
        if site.store.may_send_as(person.account, &alias.address)? {
            mine.push(alias);
        }
    }
    Ok(mine)
}

#[derive(Deserialize)]
struct Wish {
    to: String,
    #[serde(default)]
    keep: String,
}

async fn set(person: Person, State(site): State<Arc<Site>>, Checked(form): Checked<Wish>) -> Response {
    let said = match addresses(&form.to) {
        Ok(to) => {
            let request = Request::AccountForward { address: person.address.clone(), to, keep: !form.keep.is_empty() };
            site.operator.perform(request).await
        }
        Err(why) => control::Response::Error(why),
    };
    match said {
        control::Response::Ok(answer) => {
            let text = if let Answer::Done(text) = answer { text } else { "Done.".to_owned() };
            tracing::info!(by = %person.address, said = ?text, "changed the own forwarding at the web");
            site.say(&person, notice(NoticeKind::Done, &text));
            lead(HERE)
        }
        control::Response::Error(why) => match page(&site, &person, Some((form.to, sentence(&why)))) {
            Ok(page) => (StatusCode::UNPROCESSABLE_ENTITY, page).into_response(),
            Err(problem) => problem.into_response(),
        },
    }
}

async fn stop(person: Person, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    let address = person.address.clone();
    site.act(&person, Request::AccountForward { address, to: Vec::new(), keep: true }, HERE).await
}

/// The addresses in a text, each once, however they are parted.
fn addresses(text: &str) -> Result<Vec<Address>, String> {
    let mut found: Vec<Address> = Vec::new();
    for word in text.split([',', ';', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        let address =
            Address::parse(word).map_err(|_| format!("“{word}” is no mail address: check how it is spelled"))?;
        if !found.iter().any(|known| known.key() == address.key()) {
            found.push(address);
        }
    }
    if found.is_empty() {
        return Err("Name an address to send your mail on to.".to_owned());
    }
    Ok(found)
}
