//! Signing in and out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::{Notice, login};
use mailstead_net::gate::Refusal;
use mailstead_store::{Login, StoreError, session_key};
use serde::Deserialize;
use tokio::time::timeout;

use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::{Guest, Person, Visit};
use crate::site::{Site, lead, local_path};

/// Checking a password may take so long, waiting in line included.
const LOGIN_TIME: Duration = Duration::from_secs(30);

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/login", get(show).post(sign_in))
        .route("/logout", post(sign_out))
        .route("/logout/everywhere", post(sign_out_everywhere))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(guest: Guest, State(site): State<Arc<Site>>, Query(Next { next }): Query<Next>) -> Response {
    if guest.visitor().is_some() {
        return lead(&next);
    }
    let elsewhere = (!guest.link().is_private()).then(|| format!("https://{}/login", site.settings.host));
    let next = local_path(&next).to_owned();
    page(&site, &guest, login::View { next, elsewhere, ..login::View::default() }).into_response()
}

fn page(site: &Site, visit: &Visit, view: login::View) -> Html<String> {
    Html(login::page(&site.frame(visit, "Sign in", ""), &view))
}

#[derive(Deserialize)]
struct Credentials {
    address: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(guest: Guest, State(site): State<Arc<Site>>, Checked(form): Checked<Credentials>) -> Response {
    let Credentials { address, password, next } = form;
    let password = zeroize::Zeroizing::new(password);
    let (status, problem) = match verify(&site, &guest, &address, &password).await {
        Ok(login) => {
            return open(&site, &guest, &login, &next, None).await.unwrap_or_else(Problem::into_response);
        }
        Err(NoEntry::Denied) => (StatusCode::FORBIDDEN, "The address or the password is wrong."),
        Err(NoEntry::Said(status, why)) => (status, why),
        Err(NoEntry::Problem(problem)) => return problem.into_response(),
    };
    let view =
        login::View { address, next: local_path(&next).to_owned(), problem: Some(problem.to_owned()), elsewhere: None };
    (status, page(&site, &guest, view)).into_response()
}

/// Why nobody is let in.
pub(super) enum NoEntry {
    /// The name or the password is wrong.
    Denied,
    /// It can't be found out now, and why.
    Said(StatusCode, &'static str),
    /// What is to be shown instead.
    Problem(Problem),
}

/// Checks an account's own password, with the guard against guessing that all doors share.
pub(super) async fn verify(site: &Site, visit: &Visit, address: &str, password: &str) -> Result<Login, NoEntry> {
    let peer = visit.link().remote;
    let admitted = site.gate.admit(peer, address, password, site.store.authenticate_own(address, password));
    match timeout(LOGIN_TIME, admitted).await {
        Ok(Ok(login)) => Ok(login),
        Ok(Err(Refusal::Denied)) => {
            tracing::info!(%peer, login = ?address, "wrong name or password at the web");
            Err(NoEntry::Denied)
        }
        Ok(Err(Refusal::Banned)) => {
            let why = "Too many wrong passwords came from your network: try again in a while.";
            Err(NoEntry::Said(StatusCode::TOO_MANY_REQUESTS, why))
        }
        Ok(Err(Refusal::Error(error))) => Err(NoEntry::Problem(error.into())),
        Err(_) => {
            let why = "The server is too busy to check passwords: try again in a moment.";
            Err(NoEntry::Said(StatusCode::SERVICE_UNAVAILABLE, why))
        }
    }
}

/// Begins a session under a new token: whoever knew the old one knows nothing of it. `news` waits on its first page.
pub(super) async fn open(
    site: &Site,
    visit: &Visit,
    login: &Login,
    next: &str,
    news: Option<Notice>,
) -> Result<Response, Problem> {
    let token = site.store.open_session(login.id, visit.link().remote, visit.agent()).await?;
    tracing::info!(peer = %visit.link().remote, login = %login.address, "signed in at the web");
    if let Some(news) = news {
        site.say_to(session_key(&token), news);
    }
    let mut response = lead(next);
    if let Some(cookie) = visit.session_cookie(&token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Nothing {}

async fn sign_out(person: Person, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    farewell(&person, site.store.close_session(person.key()).await)
}

/// Ends every session of the account, this one too.
async fn sign_out_everywhere(
    person: Person,
    State(site): State<Arc<Site>>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    tracing::info!(login = %person.address, "signed out everywhere at the web");
    farewell(&person, site.store.close_sessions(person.account, None).await)
}

fn farewell(person: &Person, closed: Result<(), StoreError>) -> Response {
    if let Err(error) = closed {
        return Problem::from(error).into_response();
    }
    let mut response = lead("/login");
    if let Some(cookie) = person.farewell_cookie() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use crate::http::tests::{Browser, governed, site};

    #[tokio::test(flavor = "multi_thread")]
    async fn signing_in_gives_a_new_token_and_signing_out_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let site = governed(folder.path()).await;
        let mut browser = Browser::new(site.clone());
        let away = browser.get("/certificates").await;
        assert!(away.starts_with("HTTP/1.1 303") && away.contains("location: /login?next=%2Fcertificates"), "{away}");
        let page = browser.get("/login?next=/certificates").await;
        assert!(page.contains("HttpOnly; SameSite=Lax") && page.contains("value=\"/certificates\""), "{page}");
        let before = browser.cookie.clone().unwrap();
        let form = "address=alice@home.test&password=alice-password&next=/certificates";
        let forged = browser.post("/login", form, false).await;
        assert!(forged.starts_with("HTTP/1.1 403") && forged.contains("This form has expired"), "{forged}");
        let wrong = browser.post("/login", "address=alice@home.test&password=guess", true).await;
        assert!(wrong.starts_with("HTTP/1.1 403") && wrong.contains("The address or the password is wrong"), "{wrong}");
        let right = browser.post("/login", form, true).await;
        assert!(right.starts_with("HTTP/1.1 303") && right.contains("location: /certificates"), "{right}");
        let after = browser.cookie.clone().unwrap();
        assert_ne!(before, after, "nobody can prepare a session for another");
        let page = browser.get("/certificates").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("alice@home.test"), "{page}");
        let mut thief = Browser::new(site.clone());
        thief.cookie = Some(before);
        assert!(thief.get("/certificates").await.starts_with("HTTP/1.1 303"));
        assert!(browser.post("/logout", "", true).await.starts_with("HTTP/1.1 303"));
        let mut thief = Browser::new(site);
        thief.cookie = Some(after);
        assert!(thief.get("/certificates").await.starts_with("HTTP/1.1 303"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn people_see_no_page_of_operators() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let bob = mailstead_message::Address::parse("bob@home.test").unwrap();
        site.store.add_account(bob, "bob-password", None).await.unwrap();
        let mut browser = Browser::signed_in(site, "bob@home.test", "bob-password").await;
        let page = browser.get("/certificates").await;
        assert!(page.starts_with("HTTP/1.1 403") && page.contains("This page is for operators"), "{page}");
        assert!(browser.get("/events?topics=queue").await.starts_with("HTTP/1.1 403"));
        assert!(browser.post("/certificates/renew", "", true).await.starts_with("HTTP/1.1 403"));
    }
}
