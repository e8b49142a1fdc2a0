//! `/me`: the account itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::NoticeKind;
use mailstead_admin_ui::me::account::{self, Session, View};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::control::{self, Answer, Request, time};
use crate::pages::login::{self, NoEntry};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Person;
use crate::site::{Page, Site, notice, sentence};

const HERE: &str = "/me";

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show)).route("/me/password", post(change_password))
}

async fn show(person: Person, State(site): State<Arc<Site>>) -> Page {
    page(&site, &person, None)
}

fn page(site: &Site, person: &Person, problem: Option<String>) -> Page {
    let account = super::account(site, person)?;
    let mut sessions: Vec<Session> = site
        .store
        .sessions_of(person.account)?
        .into_iter()
        .map(|(key, session)| Session {
            browser: browser(&session.agent),
            from: session.from.to_string(),
            since: time(session.created),
            seen: time(session.seen),
            here: key == person.key(),
        })
        .collect();
    sessions.sort_by_key(|session| !session.here);
    let view = View {
        app_passwords: site.store.app_passwords(&account.address)?.len(),
        address: account.address.to_string(),
        addresses: super::texts(&account.addresses),
        used: account.used,
        quota: account.quota,
        forwards: account.forwarding.map(|forwarding| super::texts(&forwarding.to)).unwrap_or_default(),
        sessions,
        problem,
    };
    Ok(Html(account::page(&site.frame(person, "My account", HERE), &view)))
}

#[derive(Deserialize)]
struct Passwords {
    current: String,
    new: String,
    again: String,
}

/// Changes the password of who knows the old one: a browser left open somewhere is not enough.
async fn change_password(person: Person, State(site): State<Arc<Site>>, Checked(form): Checked<Passwords>) -> Response {
    let [current, new, again] = [form.current, form.new, form.again].map(Zeroizing::new);
    let refuse = |status: StatusCode, why: &str| match page(&site, &person, Some(why.to_owned())) {
        Ok(page) => (status, page).into_response(),
        Err(problem) => problem.into_response(),
    };
    if new != again {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "The two new passwords are not the same: type them again.");
    }
    let login = match login::verify(&site, &person, &person.address.to_string(), &current).await {
        Ok(login) => login,
        Err(NoEntry::Denied) => {
            return refuse(StatusCode::FORBIDDEN, "The password until now is wrong, so it was not changed.");
        }
        Err(NoEntry::Said(status, why)) => return refuse(status, why),
        Err(NoEntry::Problem(problem)) => return problem.into_response(),
    };
    let request = Request::AccountPassword { address: person.address.clone(), password: new.to_string() };
    match site.operator.perform(request).await {
        control::Response::Ok(Answer::Done(said)) => {
            tracing::info!(login = %person.address, "changed the own password at the web");
            let news = notice(NoticeKind::Done, &format!("{said} Other browsers are signed out."));
            // All sessions ended with the old password, this one too.
            login::open(&site, &person, &login, HERE, Some(news)).await.unwrap_or_else(Problem::into_response)
        }
        control::Response::Ok(_) => Problem::not_found().into_response(),
        control::Response::Error(why) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &sentence(&why)),
    }
}

/// What a browser is, as people say it.
fn browser(agent: &str) -> String {
    let find =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // Most call themselves by the names of their forebears as well, so the youngest come first.
    let browser = find(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if agent.is_empty() => "An unnamed browser".to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn browsers_are_called_what_people_call_them() {
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17 Mobile Safari/604.1";
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537 (KHTML) Chrome/130 Safari/537 Edg/130";
        for (agent, name) in [
            (phone, "Safari on iPhone"),
            (edge, "Edge on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
            ("curl/8.0", "curl/8.0"),
            ("", "An unnamed browser"),
        ] {
            assert_eq!(browser(agent), name);
        }
    }
}
