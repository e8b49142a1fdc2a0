//! The pages, one module for each area: a handler loads what a page shows, or has done what a form asks for.

mod certificates;
mod front;
mod login;

use std::sync::Arc;

use axum::Router;

use crate::site::{Site, live};

/// The routes of all pages.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().merge(front::routes()).merge(login::routes()).merge(live::routes()).merge(certificates::routes())
}
