//! Style, script and icon: built into the binary, kept by browsers until another version has others.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use mailstead_admin_ui::shell;

use crate::site::Site;

pub(crate) fn routes() -> Router<Arc<Site>> {
    let asset = |kind: &'static str, text: &'static str| {
        let tag = tag(text);
        get(move |headers: HeaderMap| async move { answer(&headers, kind, text, &tag) })
    };
    Router::new()
        .route("/style.css", asset("text/css; charset=utf-8", shell::STYLE))
        .route("/script.js", asset("text/javascript; charset=utf-8", shell::SCRIPT))
        .route("/icon.svg", asset("image/svg+xml", shell::ICON))
}

/// A text's entity tag (RFC 9110 8.8.3).
fn tag(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn answer(headers: &HeaderMap, kind: &'static str, text: &'static str, tag: &str) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], text).into_response()
    };
    // Kept, but asked for again each time: an upgraded server must not be seen in its old clothes.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
