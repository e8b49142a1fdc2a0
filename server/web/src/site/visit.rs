//! Who visits: a browser with its token, perhaps signed in.
//!
//! Every browser that gets a form gets a random token as a cookie. The token that forms send back is made from it, so
//! that no other site can send them. Signing in gives a new token, so that nobody can prepare one for another; the
//! store keeps only hashes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::{constant_time, hmac};
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use mailstead_admin_ui::{Frame, Visitor, problem as problem_page};
use mailstead_message::Address;
use mailstead_store::{AccountId, SESSION_LIFE, SessionKey, Store, StoreError, new_token, session_key};
use zeroize::Zeroizing;

use super::Site;
use super::problem::Problem;

/// The cookie's name under TLS: browsers take such a one only from us, for us, and never send it in clear text.
const COOKIE: &str = "__Host-mailstead";
/// Its name on loopback without TLS, where browsers would not take the other.
const PLAIN_COOKIE: &str = "mailstead";
/// Characters of a token; what is longer is none of ours.
const MAX_TOKEN: usize = 100;

/// The connection a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The peer's address.
    pub(crate) remote: IpAddr,
    /// Whether it has TLS.
    pub(crate) tls: bool,
}

impl Link {
    /// Passwords and sessions may travel on it.
    pub(crate) fn is_private(self) -> bool {
        self.tls || self.remote.is_loopback()
    }
}

/// A browser's visit.
#[derive(Debug)]
pub(crate) struct Visit {
    token: Zeroizing<String>,
    /// The browser does not have the token yet.
    fresh: bool,
    /// A page has a form made for the token.
    used: AtomicBool,
    link: Link,
    agent: String,
    person: Option<Signed>,
}

/// Who is signed in.
#[derive(Debug, Clone)]
struct Signed {
    account: AccountId,
    address: Address,
    operator: bool,
}

impl Visit {
    fn read(store: &Store, link: Link, headers: &HeaderMap) -> Result<Self, StoreError> {
        // What travelled in clear text could have been read by anybody on the way.
        let known = if link.is_private() { cookie(headers, link) } else { None };
        let person = match &known {
            Some(token) => signed(store, token)?,
            None => None,
        };
        let (token, fresh) = match known {
            Some(token) => (token, false),
            None => (new_token()?, true),
        };
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Ok(Self { token, fresh, used: AtomicBool::new(false), link, agent: agent.to_owned(), person })
    }

    /// The token that forms send back.
    pub(crate) fn csrf(&self) -> String {
        self.used.store(true, Ordering::Relaxed);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.token.as_bytes());
        hmac::sign(&key, b"form").as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// True when a form sent that token. One that no cookie came with was made for somebody else.
    pub(crate) fn accepts(&self, csrf: &str) -> bool {
        !self.fresh && constant_time::verify_slices_are_equal(csrf.as_bytes(), self.csrf().as_bytes()).is_ok()
    }

    /// The visit's name among sessions and notices.
    pub(crate) fn key(&self) -> SessionKey {
        session_key(&self.token)
    }

    /// The connection.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// What the browser calls itself.
    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    /// Who is signed in, for a page.
    pub(crate) fn visitor(&self) -> Option<Visitor> {
        let person = self.person.as_ref()?;
        Some(Visitor { address: person.address.to_string(), operator: person.operator })
    }

    /// Who it is, for the log.
    pub(crate) fn name(&self) -> String {
        self.person.as_ref().map_or_else(|| self.link.remote.to_string(), |person| person.address.to_string())
    }

    /// True when an operator is signed in.
    pub(crate) fn is_operator(&self) -> bool {
        self.person.as_ref().is_some_and(|person| person.operator)
    }

    /// The cookie of a new session, for its whole life.
    pub(crate) fn session_cookie(&self, token: &str) -> Option<HeaderValue> {
        self.cookie(token, Some(SESSION_LIFE))
    }

    /// What makes the browser forget its cookie.
    pub(crate) fn farewell_cookie(&self) -> Option<HeaderValue> {
        self.cookie("", Some(0))
    }

    fn cookie(&self, token: &str, seconds: Option<i64>) -> Option<HeaderValue> {
        let (name, secure) = if self.link.tls { (COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        let mut cookie = HeaderValue::try_from(cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }
}

fn signed(store: &Store, token: &str) -> Result<Option<Signed>, StoreError> {
    let Some(session) = store.session(token)? else { return Ok(None) };
    let account = store.account(session.account)?;
    Ok(account.map(|account| Signed { account: account.id, address: account.address, operator: account.operator }))
}

fn cookie(headers: &HeaderMap, link: Link) -> Option<Zeroizing<String>> {
    let name = if link.tls { COOKIE } else { PLAIN_COOKIE };
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = pairs.find_map(|(key, value)| (key == name).then_some(value))?;
    let is_ours = !token.is_empty()
        && token.len() <= MAX_TOKEN
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_ours.then(|| Zeroizing::new(token.to_owned()))
}

/// Finds out who visits, gives browsers their token with the first form, and turns problems into pages.
pub(crate) async fn attend(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let link = request.extensions().get::<Link>().copied();
    // Without one nothing private can be said.
    let link = link.unwrap_or(Link { remote: IpAddr::from([0, 0, 0, 0]), tls: false });
    let visit = match Visit::read(&site.store, link, request.headers()) {
        Ok(visit) => Arc::new(visit),
        Err(error) => {
            let problem = Problem::from(error);
            let (what, todo) = problem.words();
            let frame = Frame { title: what.to_owned(), host: site.settings.host.clone(), ..Frame::default() };
            let page = Html(problem_page::page(&frame, what, todo));
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")], page).into_response();
        }
    };
    request.extensions_mut().insert(Arc::clone(&visit));
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = problem.or_else(|| Problem::untold(&response)) {
        let status = response.status();
        let (what, todo) = problem.words();
        let frame = site.frame(&visit, what, "");
        response = (status, Html(problem_page::page(&frame, what, todo))).into_response();
    }
    if visit.fresh
        && visit.used.load(Ordering::Relaxed)
        && link.is_private()
        && !response.headers().contains_key(header::SET_COOKIE)
        && let Some(cookie) = visit.cookie(&visit.token, None)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    // What is shown to one must not be kept for another.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The visit, for handlers that anybody may reach.
#[derive(Debug, Clone)]
pub(crate) struct Guest(pub(crate) Arc<Visit>);

impl std::ops::Deref for Guest {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl FromRequestParts<Arc<Site>> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Problem> {
        parts.extensions.get::<Arc<Visit>>().cloned().map(Self).ok_or_else(Problem::not_found)
    }
}

/// Someone signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Their account.
    pub(crate) account: AccountId,
    /// Its address.
    pub(crate) address: Address,
    visit: Arc<Visit>,
}

impl std::ops::Deref for Person {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl FromRequestParts<Arc<Site>> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let Guest(visit) = <Guest as FromRequestParts<_>>::from_request_parts(parts, site)
            .await
            .map_err(IntoResponse::into_response)?;
        match &visit.person {
            Some(person) => {
                let (account, address) = (person.account, person.address.clone());
                Ok(Self { account, address, visit })
            }
            None if parts.method == Method::GET => Err(super::lead(&login_path(parts))),
            None => Err(Problem::signed_out().into_response()),
        }
    }
}

impl OptionalFromRequestParts<Arc<Site>> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Option<Self>, Response> {
        Ok(<Self as FromRequestParts<_>>::from_request_parts(parts, site).await.ok())
    }
}

fn login_path(parts: &Parts) -> String {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    match serde_urlencoded::to_string([("next", path)]) {
        Ok(query) if path != "/" => format!("/login?{query}"),
        _ => "/login".to_owned(),
    }
}

/// An operator signed in.
#[derive(Debug, Clone)]
pub(crate) struct Governor(pub(crate) Person);

impl std::ops::Deref for Governor {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl FromRequestParts<Arc<Site>> for Governor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let person = <Person as FromRequestParts<_>>::from_request_parts(parts, site).await?;
        if person.is_operator() { Ok(Self(person)) } else { Err(Problem::not_yours().into_response()) }
    }
}
