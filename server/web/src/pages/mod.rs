//! The pages, one module for each area: a handler loads what a page shows, or has done what a form asks for.

mod accounts;
mod activity;
mod aliases;
mod backup;
mod certificates;
mod domain;
mod domains;
mod front;
mod login;
mod logs;
mod me;
pub(crate) mod overview;
mod queue;
mod reports;
mod settings;
mod setup;

use std::sync::Arc;

use axum::Router;

use crate::site::{Site, live};

/// The routes of all pages.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .merge(front::routes())
        .merge(overview::routes())
        .merge(login::routes())
        .merge(logs::routes())
        .merge(live::routes())
        .merge(certificates::routes())
        .merge(domains::routes())
        .merge(domain::routes())
        .merge(queue::routes())
        .merge(activity::routes())
        .merge(me::routes())
        .merge(accounts::routes())
        .merge(aliases::routes())
        .merge(reports::routes())
        .merge(setup::routes())
        .merge(backup::routes())
        .merge(settings::routes())
}

/// A form that says nothing but that it was sent.
#[derive(serde::Deserialize)]
struct Nothing {}

/// Where in a long list somebody looks.
#[derive(Default, serde::Deserialize)]
struct Place {
    #[serde(default)]
    page: String,
}

impl Place {
    /// The page of a list of so many that is to be shown, and the ways to those around it.
    fn around(&self, path: &str, total: usize, per_page: usize) -> (usize, Option<String>, Option<String>) {
        // The last page, where there are no longer so many.
        let page = self.page.parse().unwrap_or(0_usize).min(total.saturating_sub(1) / per_page);
        let mark = if path.contains('?') { '&' } else { '?' };
        let way = |page: usize| format!("{path}{mark}page={page}");
        (page, page.checked_sub(1).map(way), ((page + 1) * per_page < total).then(|| way(page + 1)))
    }
}

/// The beginning of a text, where nobody wants all of it.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
