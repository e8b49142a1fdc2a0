//! Mail programs find their settings: a person types an address and a password, and nothing else.
//!
//! Thunderbird and many others ask by [`autoconfig`], Outlook by [`autodiscover`]; Apple's devices take a profile
//! ([`apple`]). What is told is the same for every address of a domain of ours, whether somebody has it or not, and it
//! never depends on names that only the asker claims.

pub(crate) mod apple;
mod autoconfig;
mod autodiscover;
mod services;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mailstead_message::{Address, Domain};
use mailstead_store::StoreError;

use crate::names;
use crate::site::Site;

/// The routes under TLS, or without where there is no HTTPS.
pub(crate) fn routes() -> Router<Arc<Site>> {
    plain_routes().route(apple::PATH, get(apple::serve))
}

/// What is answered over plain HTTP beside HTTPS: programs ask there before there is a certificate, and it is no secret.
pub(crate) fn plain_routes() -> Router<Arc<Site>> {
    autoconfig::PATHS.iter().fold(Router::new(), |router, path| router.route(path, get(autoconfig::serve)))
}

/// Answers Outlook, which spells its path in any case; everything else goes on.
pub(crate) async fn attend(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match autodiscover::Kind::of(request.uri().path()) {
        Some(kind) => autodiscover::serve(&site, kind, request).await,
        None => next.run(request).await,
    }
}

/// The domain a request is about: that of the address in the question if it is ours, else the one whose host was asked.
fn domain_of(site: &Site, address: Option<&Address>, headers: &HeaderMap) -> Result<Option<Domain>, StoreError> {
    let ours = site.store.domains()?;
    let is_ours = |domain: &Domain| ours.iter().any(|known| known.name == *domain);
    if let Some(address) = address
        && is_ours(address.domain())
    {
        return Ok(Some(address.domain().clone()));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(name) = names::in_host(host) else { return Ok(None) };
    if is_ours(&name) {
        return Ok(Some(name));
    }
    if names::ours_in_host(host, &site.settings.host, &site.store)?.is_none() {
        return Ok(None);
    }
    let parent = name.as_str().split_once('.').and_then(|(_, parent)| Domain::parse(parent).ok());
    Ok(parent.filter(is_ours))
}

/// A parameter of the question, its name in any case.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = Query::try_from_uri(uri).ok()?.0;
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/xml; charset=utf-8")], text).into_response()
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "There are no settings here for this address: its domain is not one of this server.\n")
        .into_response()
}

fn unable(error: &StoreError) -> Response {
    tracing::error!(%error, "settings for a mail program can't be told");
    (StatusCode::SERVICE_UNAVAILABLE, "The settings can't be told at the moment: try again later.\n").into_response()
}

#[cfg(test)]
mod tests;
