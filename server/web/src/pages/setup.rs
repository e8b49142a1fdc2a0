//! `/setup/TOKEN`: from a new server to one with a name, a domain and somebody who governs it. The link opens it; each
//! step can be left and taken up again; with the last the link is used up.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::setup::{self, Step, View};
use mailstead_admin_ui::{Notice, NoticeKind};
use mailstead_message::{Address, Domain};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::login::{NoEntry, open, verify};
use super::{domain, domains};
use crate::control::{self, Answer, Request, SetupView, generate_password};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Guest;
use crate::site::{Site, lead, sentence};

/// Seconds after which a browser goes on by itself while the server starts anew.
const RENAMED_IN: &str = "3";

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/setup/{token}", get(show))
        .route("/setup/{token}/host", post(take_host))
        .route("/setup/{token}/domain", post(take_domain))
        .route("/setup/{token}/account", post(take_account))
}

/// A visitor whose link opens the set-up.
struct Opened {
    path: String,
    known: SetupView,
}

async fn opened(site: &Site, guest: &Guest, token: &str) -> Result<Opened, Problem> {
    if !guest.link().is_private() {
        return Err(Problem::refused(
            "what you type here must not travel in clear text: open the link with https://, or come through SSH as \
             `mailstead setup --link` says",
        ));
    }
    if !site.store.opens_setup(token)? {
        return Err(Problem::used_link());
    }
    match site.ask(Request::Setup).await? {
        Answer::Setup(known) => Ok(Opened { path: format!("/setup/{token}"), known }),
        _ => Err(Problem::not_found()),
    }
}

impl Opened {
    fn page(&self, site: &Site, guest: &Guest, step: Step, problem: Option<&str>) -> Html<String> {
        let view = View { path: self.path.clone(), problem: problem.map(sentence), step };
        Html(setup::page(&site.frame(guest, "Setting up", ""), &view))
    }

    fn host(&self, typed: Option<String>) -> Step {
        let known = self.known.hostname.clone().filter(|name| !name.ends_with(".invalid"));
        Step::Host {
            name: typed.or(known).unwrap_or_default(),
            fixed: self.known.hostname_fixed,
            leads: self.known.leads.clone(),
        }
    }

    /// The domain that a host name such as mail.example.org makes likely.
    fn domain(&self) -> Step {
        let parent = self.known.hostname.as_deref().and_then(|name| name.split_once('.')).map(|(_, parent)| parent);
        let likely = parent.filter(|parent| parent.contains('.'));
        Step::Domain { name: likely.unwrap_or_default().to_owned() }
    }

    fn account(&self, address: String) -> Step {
        let domain = self.known.domains.first().cloned().unwrap_or_default();
        Step::Account { domain, address, known: self.known.accounts.clone() }
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    step: String,
}

async fn show(
    guest: Guest,
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    Query(Wanted { step }): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let opened = opened(&site, &guest, &token).await?;
    let has_domain = !opened.known.domains.is_empty();
    let step = match step.as_str() {
        "host" => opened.host(None),
        "domain" | "account" if has_domain => opened.account(String::new()),
        "domain" | "account" => opened.domain(),
        // Taken up again later: there where it was left.
        _ if has_domain => opened.account(String::new()),
        _ => opened.host(None),
    };
    Ok(opened.page(&site, &guest, step, None))
}

#[derive(Deserialize)]
struct Host {
    hostname: String,
}

async fn take_host(
    guest: Guest,
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    Checked(Host { hostname }): Checked<Host>,
) -> Result<Response, Problem> {
    let opened = opened(&site, &guest, &token).await?;
    let problem = match Domain::parse(hostname.trim()) {
        Ok(name) => {
            let same = opened.known.hostname.as_deref() == Some(name.as_str());
            match site.operator.perform(Request::SetupHostname { hostname: name.clone() }).await {
                control::Response::Ok(_) if same => return Ok(lead(&format!("{}?step=domain", opened.path))),
                control::Response::Ok(_) => return Ok(renaming(&opened, &site, &guest, &name)),
                control::Response::Error(why) => why,
            }
        }
        Err(_) => "that is no name: write one such as mail.example.org".to_owned(),
    };
    Ok(opened.page(&site, &guest, opened.host(Some(hostname)), Some(&problem)).into_response())
}

/// The answer gets out before the server starts anew; then the browser goes on, with a script or without.
fn renaming(opened: &Opened, site: &Site, guest: &Guest, name: &Domain) -> Response {
    let mut response = opened.page(site, guest, Step::Renaming { name: name.to_string() }, None).into_response();
    if let Ok(refresh) = HeaderValue::try_from(format!("{RENAMED_IN}; url={}?step=domain", opened.path)) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

#[derive(Deserialize)]
struct First {
    domain: String,
}

async fn take_domain(
    guest: Guest,
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    Checked(First { domain: typed }): Checked<First>,
) -> Result<Response, Problem> {
    let opened = opened(&site, &guest, &token).await?;
    let problem = match domains::parse(&typed) {
        Ok(domain) => match site.operator.perform(Request::DomainAdd { domain }).await {
            control::Response::Ok(_) => return Ok(lead(&format!("{}?step=account", opened.path))),
            control::Response::Error(why) => why,
        },
        Err(why) => why,
    };
    Ok(opened.page(&site, &guest, Step::Domain { name: typed }, Some(&problem)).into_response())
}

#[derive(Deserialize)]
struct Account {
    address: String,
    password: String,
}

async fn take_account(
    guest: Guest,
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    Checked(form): Checked<Account>,
) -> Result<Response, Problem> {
    let Account { address: typed, password } = form;
    let opened = opened(&site, &guest, &token).await?;
    match finish(&site, &guest, &opened, &typed, Zeroizing::new(password)).await {
        Ok(response) => Ok(response),
        Err(Unfinished::NoEntry(NoEntry::Problem(problem))) => Err(problem),
        Err(Unfinished::NoEntry(NoEntry::Denied)) => {
            let why = "there is such an account already, but that is not its password";
            Ok(opened.page(&site, &guest, opened.account(typed), Some(why)).into_response())
        }
        Err(Unfinished::NoEntry(NoEntry::Said(status, why))) => {
            Ok((status, opened.page(&site, &guest, opened.account(typed), Some(why))).into_response())
        }
        Err(Unfinished::Refused(why)) => {
            Ok(opened.page(&site, &guest, opened.account(typed), Some(&why)).into_response())
        }
    }
}

/// Why the last step did not end the set-up.
enum Unfinished {
    /// The account is there already, and its password was not given.
    NoEntry(NoEntry),
    /// What was asked for is refused, and why.
    Refused(String),
}

impl From<NoEntry> for Unfinished {
    fn from(why: NoEntry) -> Self {
        Self::NoEntry(why)
    }
}

/// Makes the account, or takes one whose password was given, lets it govern, and signs its owner in.
async fn finish(
    site: &Site,
    guest: &Guest,
    opened: &Opened,
    typed: &str,
    password: Zeroizing<String>,
) -> Result<Response, Unfinished> {
    let domain = opened.known.domains.first().map(String::as_str).unwrap_or_default();
    let whole = if typed.contains('@') { typed.trim().to_owned() } else { format!("{}@{domain}", typed.trim()) };
    let address = Address::parse(&whole)
        .map_err(|_| Unfinished::Refused(format!("that is no mail address: write one such as you@{domain}")))?;
    let made = password.is_empty();
    let password = if made { Zeroizing::new(generate_password()) } else { password };
    if is_anybodys(site, &address)? {
        verify(site, guest, &whole, &password).await?;
    }
    let request = Request::SetupOperator { address: address.clone(), password: Some(password.to_string()) };
    let said = match site.operator.perform(request).await {
        control::Response::Ok(Answer::Done(said)) => said,
        control::Response::Ok(_) => String::new(),
        control::Response::Error(why) => return Err(Unfinished::Refused(why)),
    };
    tracing::info!(peer = %guest.link().remote, operator = %address, "the server is set up");
    let login = verify(site, guest, &whole, &password).await?;
    let shown = if made { format!(" Its password, shown only now: {}", password.as_str()) } else { String::new() };
    let text = format!("{said}{shown} Now publish the records below: then the world finds your server.");
    let news = Notice { kind: NoticeKind::Done, text };
    let next = Domain::parse(domain).map_or_else(|_| "/".to_owned(), |domain| domain::path(&domain));
    open(site, guest, &login, &next, Some(news)).await.map_err(|problem| Unfinished::NoEntry(NoEntry::Problem(problem)))
}

/// True when an account has the address, as its first or as a further one.
fn is_anybodys(site: &Site, address: &Address) -> Result<bool, Unfinished> {
    let accounts = site.store.accounts().map_err(|error| Unfinished::NoEntry(NoEntry::Problem(error.into())))?;
    let mut addresses = accounts.iter().flat_map(|account| account.addresses.iter().chain([&account.address]));
    Ok(addresses.any(|known| known.key() == address.key()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use crate::http::tests::{Browser, site};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_link_leads_from_a_new_server_to_its_operator_once() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        site.store.remove_domain(&mailstead_message::Domain::parse("home.test").unwrap()).await.unwrap();
        let mut browser = Browser::new(site.clone());
        let refused = browser.get("/setup/guess").await;
        assert!(refused.starts_with("HTTP/1.1 404") && refused.contains("mailstead setup --link"), "{refused}");
        let (token, _) = site.store.new_setup_link().await.unwrap();
        let path = format!("/setup/{}", token.as_str());

        let page = browser.get(&path).await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("step 1 of 3"), "{page}");
        assert!(browser.get(&format!("{path}?step=account")).await.contains("step 2 of 3"), "there is no domain yet");
        let wrong = browser.post(&format!("{path}/domain"), "domain=no domain", true).await;
        assert!(wrong.contains("step 2 of 3") && wrong.contains("role=\"alert\""), "{wrong}");
        let forged = browser.post(&format!("{path}/domain"), "domain=first.test", false).await;
        assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
        let taken = browser.post(&format!("{path}/domain"), "domain=first.test", true).await;
        assert!(taken.contains(&format!("location: {path}?step=account")), "{taken}");

        let page = Browser::new(site.clone()).get(&path).await;
        assert!(page.contains("step 3 of 3") && page.contains("@first.test"), "another browser goes on: {page}");
        browser.get(&path).await;
        let short = browser.post(&format!("{path}/account"), "address=you&password=short", true).await;
        assert!(short.contains("role=\"alert\"") && site.store.accounts().unwrap().is_empty(), "{short}");
        let done = browser.post(&format!("{path}/account"), "address=you&password=", true).await;
        assert!(done.contains("location: /domains/first.test"), "{done}");
        assert!(site.store.has_operator().unwrap());
        let page = browser.get("/domains/first.test").await;
        assert!(page.contains("Its password, shown only now") && page.contains("you@first.test"), "{page}");

        assert!(browser.get(&path).await.starts_with("HTTP/1.1 404"), "the link is used up");
        let late = browser.post(&format!("{path}/account"), "address=mallory&password=mallory-password", true).await;
        assert!(late.starts_with("HTTP/1.1 404"), "{late}");
        assert_eq!(site.store.accounts().unwrap().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_account_that_is_there_is_taken_with_its_password_alone() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let alice = mailstead_message::Address::parse("alice@home.test").unwrap();
        site.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
        let further = mailstead_message::Address::parse("further@home.test").unwrap();
        site.store.add_address(&alice, further).await.unwrap();
        let (token, _) = site.store.new_setup_link().await.unwrap();
        let path = format!("/setup/{}", token.as_str());
        let mut browser = Browser::new(site.clone());
        browser.get(&path).await;
        for (address, guess) in
            [("alice", "guess-guess"), ("alice", ""), ("ALICE", "other-guess"), ("further", "third-guess")]
        {
            let form = format!("address={address}@home.test&password={guess}");
            let wrong = browser.post(&format!("{path}/account"), &form, true).await;
            assert!(wrong.contains("that is not its password"), "{wrong}");
        }
        assert!(!site.store.has_operator().unwrap());
        let form = "address=alice@home.test&password=alice-password";
        assert!(browser.post(&format!("{path}/account"), form, true).await.contains("location: /domains/home.test"));
        assert!(browser.get("/accounts").await.starts_with("HTTP/1.1 200"));
    }
}
