//! `/domains`: whose mail this server takes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use mailstead_admin_ui::domains::{self, Add, View};
use mailstead_admin_ui::parts::Light;
use mailstead_admin_ui::{Notice, NoticeKind};
use mailstead_message::Domain;
use serde::Deserialize;

use super::domain::{light, path, summary};
use crate::control::{self, Answer, DomainView, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead, sentence};

pub(super) const HERE: &str = "/domains";

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show)).route("/domains/add", get(ask).post(add))
}

/// All domains.
pub(super) async fn list(site: &Site) -> Result<Vec<DomainView>, Problem> {
    match site.ask(Request::DomainList).await? {
        Answer::Domains(list) => Ok(list),
        _ => Err(Problem::not_found()),
    }
}

/// How a domain stood in DNS when it was last looked at; it is looked at anew where that was long ago.
pub(super) fn standing(site: &Arc<Site>, domain: &Domain) -> (Light, String) {
    let seen = site.desk.domains.last(domain).map(|(check, _)| check);
    site.watch(domain);
    match &seen {
        Some(check) => (light(check), summary(check)),
        None => (Light::Unknown, "not looked at yet".to_owned()),
    }
}

async fn show(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    let mut domains = Vec::new();
    for view in list(&site).await? {
        let Ok(domain) = Domain::parse(&view.domain) else { continue };
        let (light, standing) = standing(&site, &domain);
        domains.push(domains::Domain {
            path: path(&domain),
            name: view.domain,
            light,
            standing,
            catch_all: view.catch_all,
        });
    }
    Ok(Html(domains::page(&site.frame(&governor, "Domains", HERE), &View { domains })))
}

async fn ask(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    Ok(form(&site, &governor, Add::default()))
}

fn form(site: &Site, governor: &Governor, model: Add) -> Html<String> {
    Html(domains::add(&site.frame(governor, "Add a domain", HERE), &model))
}

#[derive(Deserialize)]
struct New {
    domain: String,
}

async fn add(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Checked(New { domain: typed }): Checked<New>,
) -> Response {
    let typed = typed.trim().to_owned();
    let added = match parse(&typed) {
        Ok(domain) => match site.operator.perform(Request::DomainAdd { domain: domain.clone() }).await {
            control::Response::Ok(_) => Ok(domain),
            control::Response::Error(why) => Err(why),
        },
        Err(why) => Err(why),
    };
    match added {
        Ok(domain) => {
            tracing::info!(by = %governor.name(), %domain, "a domain was added at the web");
            let text = format!("{} is added. Now publish its records: the list below shows how.", domain.to_unicode());
            site.say(&governor, Notice { kind: NoticeKind::Done, text });
            lead(&path(&domain))
        }
        Err(why) => {
            let model = Add { domain: typed, problem: Some(sentence(&why)) };
            (StatusCode::UNPROCESSABLE_ENTITY, form(&site, &governor, model)).into_response()
        }
    }
}

/// The domain that somebody typed. People paste addresses and links.
pub(super) fn parse(typed: &str) -> Result<Domain, String> {
    let typed = typed.trim();
    let bare = typed.rsplit_once('@').map_or(typed, |(_, domain)| domain);
    let bare = bare.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches(['/', '.']);
    match Domain::parse(bare) {
        Ok(domain) if !domain.as_str().contains('.') => Err("write it whole, such as example.org".to_owned()),
        Ok(domain) => Ok(domain),
        Err(error) => Err(format!("that is no domain: {error}")),
    }
}
