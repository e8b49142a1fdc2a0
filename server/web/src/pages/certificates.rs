//! `/certificates`: what the server proves its names with.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::certificates::{self, Certificate, View};
use mailstead_admin_ui::parts::Light;
use serde::Deserialize;

use crate::control::{Answer, CertificateSource, CertificateView, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site};

const HERE: &str = "/certificates";

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show)).route("/certificates/renew", post(renew))
}

async fn show(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    let Answer::Certificates(list) = site.ask(Request::CertificateList).await? else {
        return Err(Problem::not_found());
    };
    let view = View { certificates: list.into_iter().map(certificate).collect() };
    Ok(Html(certificates::page(&site.frame(&governor, "Certificates", HERE), &view)))
}

#[derive(Deserialize)]
struct Renew {
    #[serde(default)]
    name: String,
}

async fn renew(governor: Governor, State(site): State<Arc<Site>>, Checked(form): Checked<Renew>) -> Response {
    let name = Some(form.name).filter(|name| !name.is_empty());
    site.act(&governor, Request::CertificateRenew { name }, HERE).await
}

fn certificate(view: CertificateView) -> Certificate {
    let (light, standing) = match (&view.last_error, view.source) {
        _ if view.waits_for_dns => (Light::Warn, "waits for DNS: its name does not lead here yet"),
        (Some(_), _) => (Light::Bad, "could not be renewed"),
        (None, CertificateSource::SelfSigned | CertificateSource::None) => (Light::Warn, "not trusted by others yet"),
        (None, _) if view.expires_soon => (Light::Warn, "ends soon"),
        (None, _) => (Light::Good, "valid"),
    };
    Certificate {
        source: match view.source {
            CertificateSource::Acme => "an authority (ACME)",
            CertificateSource::Files => "the files in the configuration",
            CertificateSource::SelfSigned => "signed by this server itself",
            CertificateSource::Given => "given at the start",
            CertificateSource::None => "none of its own: the mail host's is shown",
        },
        can_renew: view.source != CertificateSource::Files && view.source != CertificateSource::Given,
        name: view.name,
        light,
        standing,
        issuer: view.issuer,
        expires: view.expires,
        problem: view.last_error,
        next_try: view.next_try,
    }
}
