//! The pages, one module for each area: a handler loads what a page shows, or has done what a form asks for.

mod activity;
mod certificates;
mod front;
mod login;
mod me;
mod queue;

use std::sync::Arc;

use axum::Router;

use crate::site::{Site, live};

/// The routes of all pages.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .merge(front::routes())
        .merge(login::routes())
        .merge(live::routes())
        .merge(certificates::routes())
        .merge(queue::routes())
        .merge(activity::routes())
        .merge(me::routes())
}

/// A form that says nothing but that it was sent.
#[derive(serde::Deserialize)]
struct Nothing {}

/// The beginning of a text, where nobody wants all of it.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
