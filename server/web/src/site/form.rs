//! Forms that are ours.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Site;
use super::problem::Problem;
use super::visit::Visit;

/// Bytes of a form.
const MAX_FORM: usize = 256 << 10;

/// What a form sent, once it is sure that the visitor sent it from a page of ours.
#[derive(Debug)]
pub(crate) struct Checked<T>(pub(crate) T);

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for Checked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let visit = request.extensions().get::<Arc<Visit>>().cloned();
        let visit = visit.ok_or_else(|| Problem::not_found().into_response())?;
        if !visit.link().is_private() || comes_from_elsewhere(&request) {
            return Err(Problem::stale_form().into_response());
        }
        let body = Bytes::from_request(request, site).await.map_err(|rejection| rejection.into_response())?;
        if body.len() > MAX_FORM {
            return Err(Problem::bad_form("It is too long").into_response());
        }
        let sent: Token = serde_urlencoded::from_bytes(&body).map_err(|_| Problem::stale_form().into_response())?;
        if !visit.accepts(&sent.csrf) {
            return Err(Problem::stale_form().into_response());
        }
        let form = serde_urlencoded::from_bytes(&body);
        form.map(Self).map_err(|error| Problem::bad_form(&error.to_string()).into_response())
    }
}

/// Browsers say whether a page of ours sent a request; the token is checked besides.
fn comes_from_elsewhere(request: &Request) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    site.is_some_and(|site| site != "same-origin" && site != "none")
        || !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}
