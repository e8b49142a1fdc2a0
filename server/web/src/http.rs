//! The web server: pages over HTTP and HTTPS.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
pub use mailstead_admin_ui::front;
use mailstead_net::{Certificates, Limits, Listener, Peer, Stream};
use tokio::sync::watch;

use crate::site::Site;
use crate::site::problem::Problem;
use crate::site::visit::{self, Link};
use crate::{assets, clients, names, pages, sts};

/// A request's header must be there by then.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection's life; a browser simply opens another.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// No page takes more.
const MAX_BODY: usize = 1 << 20;
/// What may stand in a request's header; the rest is answered with 431.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Where certificate authorities look for proof (RFC 8555 8.3).
const CHALLENGE: &str = "/.well-known/acme-challenge/{token}";

/// Pages are whole: nothing is loaded from elsewhere, nothing but our script runs, nobody frames them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Serves a listener until `stopped` turns true, by HTTPS or by plain HTTP.
pub async fn serve(listener: Listener, limits: Limits, site: Site, https: bool, stopped: watch::Receiver<bool>) {
    let tls = https.then(|| site.certificates.clone());
    let app = App::new(site, https);
    let mut stop = stopped.clone();
    listener
        .run(
            limits,
            async move {
                let _ = stop.wait_for(|stop| *stop).await;
            },
            move |stream, peer, permit| {
                let (app, tls, stopped) = (app.clone(), tls.clone(), stopped.clone());
                async move {
                    serve_connection(stream, peer, app, tls, stopped).await;
                    drop(permit);
                }
            },
            |stream, _peer| async move { drop(stream) },
        )
        .await;
}

/// What a listener serves.
#[derive(Clone)]
struct App {
    /// The pages.
    pages: Router,
    /// Where strangers who come without TLS are led to those under HTTPS.
    plain: Option<Router>,
}

impl App {
    fn new(site: Site, https: bool) -> Self {
        let plain = (!https && site.https.is_some()).then(|| plain_router(site.clone()));
        Self { pages: router(site), plain }
    }

    /// Who comes from this very machine and says so (an SSH tunnel before there is a certificate) needs no TLS.
    fn routes(&self, link: Link, headers: &HeaderMap) -> &Router {
        match &self.plain {
            Some(plain) if !(link.remote.is_loopback() && is_localhost(headers)) => plain,
            _ => &self.pages,
        }
    }
}

/// True when the browser was told to go to this machine itself, rather than to a name that leads to it.
fn is_localhost(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "80"),
    };
    // A proxy on this machine brings the whole world, by whatever name.
    let brought = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    !brought && matches!(name, "localhost" | "127.0.0.1" | "[::1]") && port.parse::<u16>().is_ok()
}

/// The routes of plain HTTP beside HTTPS: proofs for certificate authorities, health, settings for mail programs, and
/// the way to HTTPS.
fn plain_router(site: Site) -> Router {
    let site = Arc::new(site);
    Router::new()
        .route(CHALLENGE, get(challenge))
        .route("/health", get(health))
        .merge(clients::plain_routes())
        .fallback(to_https)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), clients::attend))
        .layer(middleware::from_fn(secure))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(site)
}

/// The routes.
pub fn router(site: Site) -> Router {
    let site = Arc::new(site);
    let people = pages::routes()
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn_with_state(Arc::clone(&site), visit::attend));
    Router::new()
        .route(CHALLENGE, get(challenge))
        .route("/health", get(health))
        .route(mailstead_outbound::sts::PATH, get(sts::serve))
        .merge(assets::routes())
        .merge(clients::routes())
        .merge(people)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), clients::attend))
        .layer(middleware::from_fn(secure))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(site)
}

/// Answers an authority that wants to see that this name is ours (RFC 8555 8.3).
async fn challenge(State(site): State<Arc<Site>>, Path(token): Path<String>) -> Response {
    match site.certificates.http_proof(&token) {
        Some(proof) => ([(header::CONTENT_TYPE, "application/octet-stream")], proof).into_response(),
        None => (StatusCode::NOT_FOUND, "nobody waits for this proof\n").into_response(),
    }
}

/// Leads to the same page under HTTPS.
async fn to_https(State(site): State<Arc<Site>>, headers: HeaderMap, uri: Uri) -> Redirect {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Redirect::permanent(&format!("{}{path}", origin(&site, &headers)))
}

/// Scheme, name and port of our pages: the name asked for when it is ours, else the mail host's: whoever writes the
/// request must not choose where we lead.
pub(crate) fn origin(site: &Site, headers: &HeaderMap) -> String {
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let known = names::ours_in_host(asked, &site.settings.host, &site.store).ok().flatten();
    let host = known.as_ref().unwrap_or(&site.settings.host);
    let port = site.https.filter(|port| *port != 443).map(|port| format!(":{port}")).unwrap_or_default();
    format!("https://{host}{port}")
}

/// `200 ok` while the store answers, for monitors.
async fn health(State(site): State<Arc<Site>>) -> (StatusCode, &'static str) {
    match site.store.next_due() {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::error!(%error, "the store does not answer the health check");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn serve_connection(
    stream: Stream,
    peer: Peer,
    app: App,
    tls: Option<Certificates>,
    mut stopped: watch::Receiver<bool>,
) {
    let stream = match tls {
        None => stream,
        Some(certificates) => match stream.accept_https(&certificates).await {
            Ok(Some(stream)) => stream,
            Ok(None) => {
                tracing::debug!(peer = %peer.remote, "an authority looked for proof that a name is ours");
                return;
            }
            Err(error) => {
                tracing::debug!(peer = %peer.remote, %error, "a TLS handshake on the web port failed");
                return;
            }
        },
    };
    let link = Link { remote: peer.remote.ip(), tls: stream.tls().is_some() };
    let sni = stream.tls().map(|tls| sts::Sni(tls.server_name.clone()));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(link);
        if let Some(sni) = &sni {
            request.extensions_mut().insert(sni.clone());
        }
        TowerToHyperService::new(app.routes(link, request.headers()).clone()).call(request)
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let served = async {
        tokio::select! {
            result = connection.as_mut() => return result,
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, served).await {
        tracing::debug!(peer = %peer.remote, %error, "a web connection broke");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use mailstead_store::Store;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(path: &str) -> String {
        get_from("evil.example", path, None).await
    }

    async fn get_from(host: &str, path: &str, https: Option<u16>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (address, stop, server) = start(site(folder.path(), https).await, false);
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let answer = ask(Stream::plain(tcp), host, path).await;
        stop.send(true).unwrap();
        server.await.unwrap();
        answer
    }

    pub(crate) async fn site(folder: &std::path::Path, https: Option<u16>) -> Site {
        mailstead_net::tls::install_crypto();
        let options = mailstead_store::Options {
            password_cost: mailstead_store::PasswordCost::Light,
            ..mailstead_store::Options::default()
        };
        let store = Store::open(folder, options).unwrap();
        store.add_domain(mailstead_message::Domain::parse("home.test").unwrap()).await.unwrap();
        let certificates = Certificates::self_signed(folder, &["mail.home.test".to_owned()]).unwrap();
        let settings = front::Settings {
            host: "mail.<example>.org".to_owned(),
            imaps: Some(993),
            imap: Some(143),
            pop3s: Some(995),
            pop3: Some(110),
            submissions: Some(465),
            submission: Some(587),
        };
        let (_, stopped) = watch::channel(false);
        let operator = crate::control::Operator::stopped(store.clone(), None);
        let (gate, desk) = (Arc::default(), Arc::default());
        Site { settings, store, certificates, https, operator, gate, stopped, desk }
    }

    /// The same, governed by alice@home.test, whose password is `alice-password`.
    pub(crate) async fn governed(folder: &std::path::Path) -> Site {
        let site = site(folder, None).await;
        let alice = mailstead_message::Address::parse("alice@home.test").unwrap();
        site.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
        site.store.set_operator(&alice, true).await.unwrap();
        site
    }

    fn start(site: Site, https: bool) -> (std::net::SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let (stop, stopped) = watch::channel(false);
        (address, stop, tokio::spawn(serve(listener, Limits::new(10, 10), site, https, stopped)))
    }

    async fn ask(mut stream: Stream, host: &str, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// What a site answers over plain HTTP to a request with this head, whose last line is open.
    pub(crate) async fn fetch(site: Site, head: &str, body: &str) -> String {
        let (address, stop, server) = start(site, false);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        stop.send(true).unwrap();
        server.await.unwrap();
        answer
    }

    /// A browser on loopback: it keeps its cookie, and takes the token of forms from the pages it sees.
    pub(crate) struct Browser {
        site: Site,
        pub(crate) cookie: Option<String>,
        csrf: String,
    }

    impl Browser {
        pub(crate) fn new(site: Site) -> Self {
            Self { site, cookie: None, csrf: String::new() }
        }

        /// Signs in.
        pub(crate) async fn signed_in(site: Site, address: &str, password: &str) -> Self {
            let mut browser = Self::new(site);
            browser.get("/login").await;
            let form = format!("address={address}&password={password}");
            let answer = browser.post("/login", &form, true).await;
            assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
            browser
        }

        /// Makes an operator, `postmaster@home.test`, and signs them in.
        pub(crate) async fn operator(site: &Site) -> Self {
            let postmaster = mailstead_message::Address::parse("postmaster@home.test").unwrap();
            site.store.add_account(postmaster.clone(), "postmaster-password", None).await.unwrap();
            site.store.set_operator(&postmaster, true).await.unwrap();
            Self::signed_in(site.clone(), "postmaster@home.test", "postmaster-password").await
        }

        pub(crate) async fn get(&mut self, path: &str) -> String {
            self.ask(&format!("GET {path} HTTP/1.1\r\n"), "").await
        }

        /// Sends a form, with the token of the page seen last or without.
        pub(crate) async fn post(&mut self, path: &str, form: &str, with_token: bool) -> String {
            let form = if with_token { format!("{form}&csrf={}", self.csrf) } else { form.to_owned() };
            let head = format!(
                "POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                form.len()
            );
            self.ask(&head, &form).await
        }

        async fn ask(&mut self, head: &str, body: &str) -> String {
            let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
            let answer = fetch(self.site.clone(), &format!("{head}{cookie}Host: localhost"), body).await;
            if let Some((_, set)) = answer.split_once("set-cookie: ") {
                self.cookie = set.split(';').next().map(str::to_owned);
            }
            if let Some((_, token)) = answer.split_once("name=\"csrf\" value=\"") {
                self.csrf = token.split('"').next().unwrap_or_default().to_owned();
            }
            answer
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_front_page_escapes_and_forbids_scripts() {
        let answer = get("/").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("mail.&lt;example&gt;.org") && !answer.contains("mail.<example>"), "{answer}");
        assert!(answer.to_lowercase().contains("content-security-policy: default-src 'none'"), "{answer}");
        assert!(!answer.contains("evil.example"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn health_tells_whether_the_store_answers() {
        assert!(get("/health").await.ends_with("ok\n"));
        assert!(get("/nothing").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn plain_http_leads_to_https_at_our_own_names_alone() {
        let location = async |host: &str, path: &str, port: u16| {
            let answer = get_from(host, path, Some(port)).await;
            assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
            let line = answer.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
            line.unwrap_or_else(|| panic!("{answer}"))
        };
        assert_eq!(location("mta-sts.home.test", "/a?b=c", 443).await, "https://mta-sts.home.test/a?b=c");
        assert_eq!(location("evil.example", "//evil.example/", 443).await, "https://mail.<example>.org//evil.example/");
        assert_eq!(location("autoconfig.home.test:80", "/", 8443).await, "https://autoconfig.home.test:8443/");
        assert!(get_from("x", "/health", Some(443)).await.ends_with("ok\n"));
        for tunnel in ["localhost:8080", "127.0.0.1", "[::1]:8080"] {
            assert!(get_from(tunnel, "/login", Some(443)).await.starts_with("HTTP/1.1 200"), "{tunnel}");
        }
        let brought = get_from("localhost\r\nX-Forwarded-For: 192.0.2.7", "/login", Some(443)).await;
        assert!(brought.starts_with("HTTP/1.1 308"), "{brought}");
        for other in ["localhost.evil.example", "127.0.0.1.evil.example:80", "[::1", "localhost:", ""] {
            assert!(get_from(other, "/login", Some(443)).await.starts_with("HTTP/1.1 308"), "{other}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_policy_is_told_under_tls_at_the_name_of_the_handshake_alone() {
        const PATH: &str = "/.well-known/mta-sts.txt";
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let (store, home) = (site.store.clone(), mailstead_message::Domain::parse("home.test").unwrap());
        let (address, stop, server) = start(site, true);
        let ask = async |sni: &str, host: &str| {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            let tls = mailstead_net::ClientTls::opportunistic();
            ask(Stream::plain(tcp).connect_tls(&tls, sni).await.unwrap(), host, PATH).await
        };
        let own = "mta-sts.home.test";
        let answer = ask(own, "MTA-STS.home.test:8443").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain"), "{answer}");
        let policy = "version: STSv1\r\nmode: testing\r\nmx: mail.<example>.org\r\nmax_age: 86400\r\n";
        assert!(answer.ends_with(policy), "{answer}");
        store.set_sts_mode(&home, mailstead_store::StsMode::Enforce).await.unwrap();
        assert!(ask(own, own).await.contains("\r\nmode: enforce\r\n"));
        for (sni, host, status) in [
            ("mta-sts.far.test", "mta-sts.far.test", 404),
            (own, "home.test", 404),
            (own, "mta-sts.far.test", 421),
            ("mta-sts.far.test", own, 421),
            ("127.0.0.1", own, 421),
        ] {
            let answer = ask(sni, host).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{sni} {host}: {answer}");
        }
        stop.send(true).unwrap();
        server.await.unwrap();
        assert!(get_from(own, PATH, None).await.starts_with("HTTP/1.1 404"), "not without TLS");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_nobody_gave_out_proves_nothing() {
        for https in [None, Some(443)] {
            let answer = get_from("mail.home.test", "/.well-known/acme-challenge/guess", https).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
    }
}
