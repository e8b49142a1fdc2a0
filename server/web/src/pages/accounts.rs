//! `/accounts`: the people who have a mailbox.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::accounts::{self, AppPassword, Line, Made, NewAccount, Session, View};
use mailstead_admin_ui::{NoticeKind, confirm};
use mailstead_message::Address;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Nothing, Place};
use crate::control::{self};
use crate::control::{AccountDetail, AccountView, Answer, AppPasswordView, Request, SessionView, generate_password};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead, notice, sentence};

const HERE: &str = "/accounts";
/// Accounts on one page.
const PAGE: usize = 50;
/// Aliases, sessions and app passwords shown of one account.
const MOST: usize = 40;
/// Bytes of what people call a gigabyte.
const GB: f64 = (1_u64 << 30) as f64;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route(HERE, get(list))
        .route("/accounts/new", get(show_new).post(add))
        .route("/accounts/{address}", get(show))
        .route("/accounts/{address}/quota", post(set_quota))
        .route("/accounts/{address}/addresses", post(add_address))
        .route("/accounts/{address}/addresses/remove", post(remove_address))
        .route("/accounts/{address}/password", post(set_password))
        .route("/accounts/{address}/suspend", post(suspend))
        .route("/accounts/{address}/enable", post(enable))
        .route("/accounts/{address}/operator", post(operator))
        .route("/accounts/{address}/app-passwords/remove", post(take_back))
        .route("/accounts/{address}/sessions/end", post(end_session))
        .route("/accounts/{address}/delete", get(ask_delete).post(delete))
}

async fn list(governor: Governor, State(site): State<Arc<Site>>, Query(place): Query<Place>) -> Page {
    let Answer::Accounts(all) = site.ask(Request::AccountList).await? else { return Err(Problem::not_found()) };
    let (page, newer, older) = place.around(HERE, all.len(), PAGE);
    let view = View { newer, older, accounts: all.into_iter().skip(page * PAGE).take(PAGE).map(line).collect() };
    Ok(Html(accounts::page(&site.frame(&governor, "Accounts", HERE), &view)))
}

fn line(view: AccountView) -> Line {
    Line {
        address: view.address,
        addresses: view.addresses,
        operator: view.operator,
        suspended: view.disabled,
        used: view.used,
        quota: view.quota,
    }
}

async fn show_new(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    new_page(&governor, &site, NewAccount::default()).await
}

async fn new_page(governor: &Governor, site: &Site, form: NewAccount) -> Page {
    let Answer::Domains(domains) = site.ask(Request::DomainList).await? else { return Err(Problem::not_found()) };
    let view = NewAccount { domains: domains.into_iter().take(MOST).map(|domain| domain.domain).collect(), ..form };
    Ok(Html(accounts::new(&site.frame(governor, "Add an account", HERE), &view)))
}

#[derive(Deserialize)]
struct New {
    address: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    quota: String,
}

async fn add(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<New>) -> Page {
    let (typed, made) = choose(form.password);
    let wanted = address(&form.address).and_then(|address| Ok((address, quota(&form.quota)?)));
    let done = match wanted {
        Ok((address, quota)) => {
            let request = Request::AccountAdd { address: address.clone(), password: typed.to_string(), quota };
            perform(&site, &governor, request).await.map(|sentence| (sentence, address))
        }
        Err(why) => Err(why),
    };
    match done {
        Ok((sentence, address)) => Ok(made_page(&governor, &site, sentence, &address, made)),
        Err(why) => {
            let form = NewAccount {
                address: form.address,
                quota: form.quota,
                problem: Some(sentence(&why)),
                ..NewAccount::default()
            };
            new_page(&governor, &site, form).await
        }
    }
}

/// The password to set, and the same to show if it was made here.
fn choose(typed: String) -> (Zeroizing<String>, Option<String>) {
    if !typed.is_empty() {
        return (Zeroizing::new(typed), None);
    }
    let made = generate_password();
    (Zeroizing::new(made.clone()), Some(made))
}

fn made_page(governor: &Governor, site: &Site, done: String, address: &Address, made: Option<String>) -> Html<String> {
    let view = Made { sentence: sentence(&done), address: address.to_string(), password: made };
    Html(accounts::made(&site.frame(governor, "Password", HERE), &view))
}

/// Has something done; gives the sentence on it, or why not.
async fn perform(site: &Site, governor: &Governor, request: Request) -> Result<String, String> {
    match site.operator.perform(request).await {
        control::Response::Ok(Answer::Done(text)) => {
            tracing::info!(by = %governor.name(), said = ?text, "asked for at the web");
            Ok(text)
        }
        control::Response::Ok(_) => Ok("Done".to_owned()),
        control::Response::Error(text) => Err(text),
    }
}

fn address(text: &str) -> Result<Address, String> {
    let text = text.trim();
    Address::parse(text).map_err(|error| format!("“{text}” is no mail address: {error}"))
}

/// The account of a path.
fn account(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|_| Problem::not_found())
}

/// Gigabytes as people write them.
fn quota(text: &str) -> Result<Option<u64>, String> {
    let text = text.trim().trim_end_matches("GB").trim_end();
    if text.is_empty() {
        return Ok(None);
    }
    let amount: f64 = text.replace(',', ".").parse().map_err(|_| format!("“{text}” is no number of GB"))?;
    if !(0.001..=1e9).contains(&amount) {
        return Err("a quota is at least 0.001 GB".to_owned());
    }
    Ok(Some((amount * GB).round() as u64))
}

fn gigabytes(bytes: Option<u64>) -> String {
    let text = bytes.map(|bytes| format!("{:.3}", bytes as f64 / GB)).unwrap_or_default();
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

async fn detail(site: &Site, address: Address) -> Result<AccountDetail, Problem> {
    match site.operator.perform(Request::AccountShow { address }).await {
        control::Response::Ok(Answer::Account(detail)) => Ok(*detail),
        _ => Err(Problem::not_found()),
    }
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Path(address): Path<String>) -> Page {
    let detail = detail(&site, account(&address)?).await?;
    let title = detail.view.address.clone();
    let view = view(detail, &governor);
    Ok(Html(accounts::account(&site.frame(&governor, title, HERE), &view)))
}

fn view(detail: AccountDetail, governor: &Governor) -> accounts::Account {
    let AccountDetail { view, letters, mut aliases, sessions, app_passwords } = detail;
    let forwarding = (!view.forwards.is_empty()).then(|| {
        let copy = if view.keeps { "a copy stays here" } else { "no copy stays here" };
        format!("Its mail is sent on to {}; {copy}.", view.forwards.join(", "))
    });
    if aliases.len() > MOST {
        let more = aliases.len() - MOST;
        aliases.truncate(MOST);
        aliases.push(format!("and {more} more"));
    }
    accounts::Account {
        is_you: is_same(governor, &view.address),
        created: view.created.clone(),
        letters,
        quota: gigabytes(view.quota),
        aliases,
        forwarding,
        app_passwords: app_passwords.into_iter().take(MOST).map(app_password).collect(),
        sessions: sessions.into_iter().take(MOST).map(session).collect(),
        line: line(view),
    }
}

fn is_same(governor: &Governor, address: &str) -> bool {
    Address::parse(address).is_ok_and(|address| address.key() == governor.address.key())
}

fn app_password(view: AppPasswordView) -> AppPassword {
    let how = match (view.protocol, view.from) {
        (Some(protocol), Some(from)) => format!("by {protocol} from {from}"),
        _ => String::new(),
    };
    AppPassword { id: view.id, name: view.name, created: view.created, used: view.used, how }
}

fn session(view: SessionView) -> Session {
    let browser = if view.agent.is_empty() { "A browser".to_owned() } else { view.agent };
    Session { key: view.key, browser, from: view.from, since: view.created, seen: view.seen }
}

#[derive(Deserialize)]
struct Quota {
    #[serde(default)]
    quota: String,
}

async fn set_quota(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(address): Path<String>,
    Checked(form): Checked<Quota>,
) -> Result<Response, Problem> {
    let wish = quota(&form.quota).map(|quota| move |address| Request::AccountQuota { address, quota });
    ask_of(&site, &governor, account(&address)?, wish).await
}

/// Has something done with an account, unless the form says nothing that can be done, and leads back to its page.
async fn ask_of(
    site: &Site,
    governor: &Governor,
    account: Address,
    wish: Result<impl FnOnce(Address) -> Request, String>,
) -> Result<Response, Problem> {
    let to = page_of(&account);
    Ok(match wish {
        Ok(request) => site.act(governor, request(account), &to).await,
        Err(why) => refuse(site, governor, &why, &to),
    })
}

fn page_of(address: &Address) -> String {
    accounts::path(&address.to_string(), "")
}

fn refuse(site: &Site, governor: &Governor, why: &str, to: &str) -> Response {
    site.say(governor, notice(NoticeKind::Problem, why));
    lead(to)
}

#[derive(Deserialize)]
struct Further {
    address: String,
}

async fn add_address(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<Further>,
) -> Result<Response, Problem> {
    let wish = address(&form.address).map(|address| |account| Request::AccountAddAddress { account, address });
    ask_of(&site, &governor, account(&of)?, wish).await
}

async fn remove_address(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<Further>,
) -> Result<Response, Problem> {
    let wish = address(&form.address).map(|address| |account| Request::AccountRemoveAddress { account, address });
    ask_of(&site, &governor, account(&of)?, wish).await
}

#[derive(Deserialize)]
struct Password {
    #[serde(default)]
    password: String,
}

async fn set_password(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<Password>,
) -> Result<Response, Problem> {
    let address = account(&of)?;
    let (typed, made) = choose(form.password);
    let request = Request::AccountPassword { address: address.clone(), password: typed.to_string() };
    Ok(match perform(&site, &governor, request).await {
        Ok(done) => made_page(&governor, &site, done, &address, made).into_response(),
        Err(why) => refuse(&site, &governor, &why, &page_of(&address)),
    })
}

async fn suspend(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let wish = |address| Request::AccountDisabled { address, disabled: true };
    ask_of(&site, &governor, other(&site, &governor, &of).await?, Ok(wish)).await
}

async fn enable(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let wish = |address| Request::AccountDisabled { address, disabled: false };
    ask_of(&site, &governor, account(&of)?, Ok(wish)).await
}

/// The account of a path, by its first address, unless it is the operator's own: nobody locks themselves out.
async fn other(site: &Site, governor: &Governor, of: &str) -> Result<Address, Problem> {
    let address = account(of)?;
    if is_same(governor, &detail(site, address.clone()).await?.view.address) {
        return Err(Problem::refused("That is your own account: another operator can do that"));
    }
    Ok(address)
}

#[derive(Deserialize)]
struct Switch {
    on: String,
}

async fn operator(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<Switch>,
) -> Result<Response, Problem> {
    let wish = |address| Request::AccountOperator { address, operator: form.on == "yes" };
    ask_of(&site, &governor, other(&site, &governor, &of).await?, Ok(wish)).await
}

#[derive(Deserialize)]
struct Which {
    id: u64,
}

async fn take_back(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<Which>,
) -> Result<Response, Problem> {
    let wish = |account| Request::AppPasswordRemove { account, id: Some(form.id) };
    ask_of(&site, &governor, account(&of)?, Ok(wish)).await
}

#[derive(Deserialize)]
struct SessionKey {
    #[serde(default)]
    key: String,
}

async fn end_session(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(form): Checked<SessionKey>,
) -> Result<Response, Problem> {
    let key = Some(form.key).filter(|key| !key.is_empty());
    ask_of(&site, &governor, account(&of)?, Ok(|account| Request::SessionEnd { account, key })).await
}

async fn ask_delete(governor: Governor, State(site): State<Arc<Site>>, Path(of): Path<String>) -> Page {
    let address = other(&site, &governor, &of).await?;
    let detail = detail(&site, address).await?;
    let (account, letters) = (&detail.view.address, detail.letters);
    let letters = if letters == 1 { "Its only letter".to_owned() } else { format!("All its {letters} letters") };
    let size = mailstead_admin_ui::parts::size(detail.view.used);
    let mut meaning = vec![
        format!("{letters}, {size}, are gone for good. Nobody can bring them back, unless you have a backup."),
        format!("From then on, mail for {account} is refused, and whoever sends it is told."),
        "Its devices can't log in any more.".to_owned(),
    ];
    if !detail.view.addresses.is_empty() {
        meaning.insert(2, format!("The same goes for {}.", detail.view.addresses.join(", ")));
    }
    if !detail.aliases.is_empty() {
        meaning.push(format!("These aliases lose it as a target: {}.", detail.aliases.join(", ")));
    }
    let view = confirm::View {
        question: format!("Delete {account} with all its mail?"),
        meaning,
        path: accounts::path(account, "/delete"),
        label: "Delete it for good",
        destroys: true,
        back: accounts::path(account, ""),
    };
    Ok(Html(confirm::page(&site.frame(&governor, "Delete an account", HERE), &view)))
}

async fn delete(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(of): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let address = other(&site, &governor, &of).await?;
    Ok(site.act(&governor, Request::AccountRemove { address }, HERE).await)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::http::tests::{Browser, site};

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    async fn governed() -> (tempfile::TempDir, Site, Browser) {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let browser = Browser::operator(&site).await;
        (folder, site, browser)
    }

    #[test]
    fn quotas_are_read_as_people_write_them() {
        assert_eq!(quota(" 5 GB"), Ok(Some(5 << 30)));
        assert_eq!(quota("0,5"), Ok(Some(1 << 29)));
        assert_eq!(quota(""), Ok(None));
        for text in ["x", "-1", "NaN", "inf", "0"] {
            assert!(quota(text).is_err(), "{text}");
        }
        assert_eq!(gigabytes(Some(5 << 30)), "5");
        assert_eq!(gigabytes(Some(3 << 29)), "1.5");
        assert_eq!(gigabytes(None), "");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_account_is_added_with_a_password_that_is_shown_once() {
        let (_folder, site, mut browser) = governed().await;
        let form = browser.get("/accounts/new").await;
        assert!(form.contains("home.test"), "{form}");
        assert!(browser.post("/accounts/new", "address=bob@home.test", false).await.starts_with("HTTP/1.1 403"));
        let made = browser.post("/accounts/new", "address=bob@home.test&password=&quota=2", true).await;
        assert!(made.starts_with("HTTP/1.1 200") && made.contains("The account bob@home.test is ready."), "{made}");
        assert!(made.contains("no-store"), "{made}");
        let password = made.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next()).unwrap();
        assert!(site.store.authenticate("bob@home.test", password).await.unwrap().is_some(), "{password}");
        let page = browser.get("/accounts/bob@home.test").await;
        assert!(!page.contains(password) && page.contains("value=\"2\""), "{page}");
        let again = browser.post("/accounts/new", "address=bob@home.test&password=&quota=2", true).await;
        assert!(again.contains("exists already") && again.contains("value=\"bob@home.test\""), "{again}");
        let evil = "address=%22%3E%3Cscript%3E%40home.test&password=long-enough";
        let refused = browser.post("/accounts/new", evil, true).await;
        assert!(!refused.contains("><script>@") && refused.contains("is no mail address"), "{refused}");
        let short = browser.post("/accounts/new", "address=eve@home.test&password=short", true).await;
        assert!(short.contains("at least 8 characters"), "{short}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_account_is_changed_in_all_its_parts() {
        let (_folder, site, mut browser) = governed().await;
        let bob = parsed("bob@home.test");
        site.store.add_account(bob.clone(), "bob-password", None).await.unwrap();
        let id = site.store.authenticate("bob@home.test", "bob-password").await.unwrap().unwrap().id;
        site.store.add_app_password(&bob, "<i>phone</i>").await.unwrap();
        let from = std::net::IpAddr::from([192, 0, 2, 1]);
        site.store.open_session(id, from, "<u>Browser</u>").await.unwrap();
        let page = browser.get("/accounts/bob@home.test").await;
        assert!(
            page.contains("&lt;i&gt;phone") && page.contains("&lt;u&gt;Browser") && page.contains("192.0.2.1"),
            "{page}"
        );
        assert!(!page.contains("<u>") && !page.contains("<i>"), "{page}");
        for (path, form, told) in [
            ("addresses", "address=robert@home.test", "robert@home.test belongs to bob@home.test."),
            ("addresses", "address=nonsense", "is no mail address"),
            ("addresses/remove", "address=robert@home.test", "no longer belongs"),
            ("quota", "quota=1", "may store 1073741824 bytes"),
            ("quota", "quota=many", "is no number of GB"),
            ("suspend", "", "can no longer log in"),
            ("enable", "", "can log in again"),
            ("operator", "on=yes", "may govern this server"),
            ("operator", "on=no", "no longer governs this server"),
            ("app-passwords/remove", "id=1", "The app password 1 of bob@home.test is removed"),
            ("sessions/end", "", "signed out everywhere"),
        ] {
            let away = browser.post(&format!("/accounts/bob@home.test/{path}"), form, true).await;
            assert!(away.contains("location: /accounts/bob@home.test"), "{path}: {away}");
            let page = browser.get("/accounts/bob@home.test").await;
            assert!(page.contains(told), "{path} {form}: {page}");
        }
        assert!(site.store.sessions_of(id).unwrap().is_empty());
        assert!(site.store.app_passwords(&bob).unwrap().is_empty());
        let made = browser.post("/accounts/bob@home.test/password", "password=another-password", true).await;
        assert!(
            made.contains("The password of bob@home.test is changed.") && !made.contains("another-password"),
            "{made}"
        );
        assert!(site.store.authenticate("bob@home.test", "another-password").await.unwrap().is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn deleting_says_what_it_means_and_nobody_deletes_themselves() {
        let (_folder, site, mut browser) = governed().await;
        site.store.add_account(parsed("bob@home.test"), "bob-password", None).await.unwrap();
        let question = browser.get("/accounts/bob@home.test/delete").await;
        assert!(
            question.contains("All its 0 letters") && question.contains("is refused, and whoever sends it"),
            "{question}"
        );
        browser.post("/accounts/bob@home.test/delete", "", true).await;
        assert!(browser.get("/accounts/bob@home.test").await.starts_with("HTTP/1.1 404"));
        site.store.add_address(&parsed("postmaster@home.test"), parsed("house@home.test")).await.unwrap();
        for (me, said) in [("Postmaster@home.test", "your own account"), ("house@home.test", "There is no such page")] {
            for path in ["delete", "suspend", "operator"] {
                browser.get("/accounts").await;
                let refused = browser.post(&format!("/accounts/{me}/{path}"), "on=no", true).await;
                assert!(refused.starts_with("HTTP/1.1 4") && refused.contains(said), "{refused}");
            }
        }
        assert!(browser.get("/accounts/postmaster@home.test").await.contains("This is you"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_accounts_are_shown_page_by_page() {
        let (_folder, site, mut browser) = governed().await;
        for number in 0..60 {
            site.store.add_account(parsed(&format!("person{number:02}@home.test")), "password", None).await.unwrap();
        }
        let page = browser.get("/accounts").await;
        assert!(
            page.len() < 100_000 && page.contains("/accounts?page=1") && !page.contains("person55"),
            "{}",
            page.len()
        );
        assert!(browser.get("/accounts?page=1").await.contains("person55@home.test"));
    }
}
