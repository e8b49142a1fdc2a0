//! `/logs`: what the server has said of itself lately.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use mailstead_admin_ui::logs::{self, Line, View};
use mailstead_admin_ui::parts::Light;
use serde::Deserialize;

use crate::control::{Answer, Request};
use crate::logs::{LogLine, Severity};
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site};

const HERE: &str = "/logs";
/// A page of more is no reading.
const SHOWN: usize = 200;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    level: String,
    #[serde(default)]
    containing: String,
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Page {
    let (level, least) = match wanted.level.as_str() {
        "error" => ("error", Severity::Error),
        "warn" => ("warn", Severity::Warn),
        "debug" => ("debug", Severity::Debug),
        _ => ("info", Severity::Info),
    };
    let containing = wanted.containing;
    let asked = Request::Logs { least, containing: containing.clone(), limit: SHOWN };
    let Answer::Logs(lines) = site.ask(asked).await? else { return Err(Problem::not_found()) };
    let view = View { level: level.to_owned(), containing, lines: lines.into_iter().map(line).collect() };
    Ok(Html(logs::page(&site.frame(&governor, "Logs", HERE), &view)))
}

fn line(line: LogLine) -> Line {
    let (light, word) = match line.severity {
        Severity::Error => (Some(Light::Bad), "error"),
        Severity::Warn => (Some(Light::Warn), "warning"),
        Severity::Info => (None, "info"),
        Severity::Debug => (None, "debug"),
    };
    let at = line.at.replace('T', " ").trim_end_matches('Z').to_owned();
    Line { at, light, word, room: line.room, text: line.text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::http::tests::{Browser, governed};
    use crate::logs::RECENT;

    #[tokio::test(flavor = "multi_thread")]
    async fn lines_are_shown_to_operators_alone_and_what_strangers_said_is_escaped() {
        let folder = tempfile::tempdir().unwrap();
        let site = governed(folder.path()).await;
        RECENT.keep(Severity::Warn, "smtp", "somebody said <b>hello</b>\r\nfrom 192.0.2.99");
        RECENT.keep(Severity::Info, "smtp", "192.0.2.99 went away");
        let mut browser = Browser::signed_in(site.clone(), "alice@home.test", "alice-password").await;
        let page = browser.get("/logs?containing=192.0.2.99").await;
        assert!(page.contains("&lt;b&gt;hello&lt;/b&gt;\\r\\nfrom") && page.contains("went away"), "{page}");
        let page = browser.get("/logs?level=warn&containing=192.0.2.99").await;
        assert!(page.contains("hello") && !page.contains("went away"), "{page}");
        let page = browser.get("/logs?level=error&containing=192.0.2.99").await;
        assert!(page.contains("No such lines"), "{page}");
        let mut stranger = Browser::new(site);
        assert!(stranger.get("/logs").await.contains("location: /login"));
    }
}
