//! `/`: what a stranger may know, or where those who are signed in begin.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use mailstead_admin_ui::front;

use super::overview;
use crate::site::visit::Guest;
use crate::site::{Site, lead};

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/", get(show))
}

async fn show(guest: Guest, State(site): State<Arc<Site>>) -> Response {
    match guest.visitor() {
        Some(visitor) if visitor.operator => overview::show(&guest, &site).await.into_response(),
        Some(_) => lead("/me"),
        None => {
            let frame = mailstead_admin_ui::Frame { title: site.settings.host.clone(), ..Default::default() };
            Html(front::page(&frame, &site.settings)).into_response()
        }
    }
}
