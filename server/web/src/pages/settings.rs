//! `/settings`: what holds for the whole server.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::NoticeKind;
use mailstead_admin_ui::settings::{self, View};
use mailstead_message::Domain;
use mailstead_store::{Smarthost, SmarthostTls};
use serde::Deserialize;

use super::{Nothing, domains};
use crate::control::{Answer, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead, notice};

const HERE: &str = "/settings";
/// The port on which TLS begins with a command.
const STARTTLS_PORT: u16 = 587;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route(HERE, get(show))
        .route("/settings/relay", post(relay))
        .route("/settings/relay/clear", post(clear_relay))
        .route("/settings/reports", post(reports))
        .route("/settings/sealers", post(trust))
        .route("/settings/sealers/distrust", post(distrust))
        .route("/settings/bans/lift", post(lift))
}

async fn show(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    let Answer::Smarthosts(relays) = site.ask(Request::SmarthostList).await? else { return Err(Problem::not_found()) };
    let Answer::Sealers(sealers) = site.ask(Request::SealerList).await? else { return Err(Problem::not_found()) };
    let Answer::Bans(bans) = site.ask(Request::BanList).await? else { return Err(Problem::not_found()) };
    let view = View {
        hostname: site.settings.host.clone(),
        hostname_fixed: site.operator.is_name_fixed(),
        relays: relays.into_iter().map(|relay| (relay.domain, format!("{}:{}", relay.host, relay.port))).collect(),
        sends_reports: site.store.sends_reports()?,
        sealers,
        bans: bans.into_iter().map(|ban| (ban.address, ban.seconds.div_ceil(60))).collect(),
    };
    Ok(Html(settings::page(&site.frame(&governor, "Settings", HERE), &view)))
}

/// Says what is wrong with a form.
fn wrong(governor: &Governor, site: &Site, why: &str) -> Response {
    site.say(governor, notice(NoticeKind::Problem, why));
    lead(HERE)
}

#[derive(Deserialize)]
struct Relay {
    host: String,
    port: String,
    user: String,
    password: String,
}

async fn relay(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Relay>) -> Response {
    let Ok(port) = form.port.trim().parse::<u16>() else {
        return wrong(&governor, &site, "the port is a number such as 465: nothing was changed");
    };
    let tls = if port == STARTTLS_PORT { SmarthostTls::Starttls } else { SmarthostTls::Implicit };
    let user = form.user.trim();
    let login = (!user.is_empty()).then(|| (user.to_owned(), form.password));
    let smarthost = Some(Smarthost { host: form.host.trim().to_owned(), port, tls, login });
    site.act(&governor, Request::SmarthostSet { domain: None, smarthost }, HERE).await
}

#[derive(Deserialize)]
struct Which {
    domain: String,
}

async fn clear_relay(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Which>) -> Response {
    let domain = match form.domain.as_str() {
        "" => None,
        domain => match Domain::parse(domain) {
            Ok(domain) => Some(domain),
            Err(error) => return wrong(&governor, &site, &error.to_string()),
        },
    };
    site.act(&governor, Request::SmarthostSet { domain, smarthost: None }, HERE).await
}

#[derive(Deserialize)]
struct Switch {
    switch: String,
}

async fn reports(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Switch>) -> Response {
    site.act(&governor, Request::ReportSending { on: form.switch == "on" }, HERE).await
}

async fn trust(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Which>) -> Response {
    set_trust(&governor, &site, &form.domain, true).await
}

async fn distrust(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Which>) -> Response {
    set_trust(&governor, &site, &form.domain, false).await
}

async fn set_trust(governor: &Governor, site: &Site, typed: &str, trusted: bool) -> Response {
    match domains::parse(typed) {
        Ok(domain) => site.act(governor, Request::SealerTrust { domain, trusted }, HERE).await,
        Err(why) => wrong(governor, site, &why),
    }
}

async fn lift(governor: Governor, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    site.act(&governor, Request::BanLift { address: None }, HERE).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use crate::http::tests::{Browser, site};

    #[tokio::test(flavor = "multi_thread")]
    async fn settings_are_shown_changed_and_changed_back() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        assert!(browser.get("/settings").await.contains("delivered directly"));
        browser.post("/settings/relay", "host=relay.test&port=587&user=me&password=secret-word", true).await;
        let page = browser.get("/settings").await;
        assert!(page.contains("through relay.test:587") && !page.contains("secret-word"), "{page}");
        browser.post("/settings/relay/clear", "domain=", true).await;
        assert!(site.store.smarthost_for(None).unwrap().is_none());
        browser.post("/settings/reports", "switch=off", true).await;
        assert!(!site.store.sends_reports().unwrap());
        browser.post("/settings/sealers", "domain=lists.test.example", true).await;
        assert!(browser.get("/settings").await.contains("lists.test.example"));
        browser.post("/settings/sealers/distrust", "domain=lists.test.example", true).await;
        assert!(site.store.trusted_sealers().unwrap().is_empty());
        browser.post("/settings/relay", "host=relay.test&port=x&user=&password=", true).await;
        assert!(browser.get("/settings").await.contains("role=\"alert\""));
        assert!(browser.post("/settings/reports", "switch=on", false).await.starts_with("HTTP/1.1 403"));
        assert!(!site.store.sends_reports().unwrap());
    }
}
