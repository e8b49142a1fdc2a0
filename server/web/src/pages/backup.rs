//! `/backup`: how the last backup went, and one now.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::get;
use mailstead_admin_ui::backup::{self, Failed, Made, View};

use super::Nothing;
use crate::control::{Answer, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site};

const HERE: &str = "/backup";

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show).post(make))
}

async fn show(governor: Governor, State(site): State<Arc<Site>>) -> Page {
    let Answer::Backups(known) = site.ask(Request::Backups).await? else { return Err(Problem::not_found()) };
    let made = known.good.map(|good| Made {
        at: good.at,
        place: good.place,
        bytes: good.bytes,
        letters: good.letters,
        damaged: good.damaged,
    });
    let view = View {
        good: made,
        failed: known.failed.map(|failed| Failed { at: failed.at, why: failed.why }),
        under_way: known.under_way,
        folder: known.folder.display().to_string(),
    };
    Ok(Html(backup::page(&site.frame(&governor, "Backup", HERE), &view)))
}

async fn make(governor: Governor, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    site.act(&governor, Request::BackupNow, HERE).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::{Duration, Instant};

    use crate::http::tests::{Browser, site};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_backup_asked_for_here_is_made_proved_and_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        assert!(browser.get("/backup").await.contains("No backup yet"));
        assert!(browser.post("/backup", "", false).await.starts_with("HTTP/1.1 403"));
        let asked = browser.post("/backup", "", true).await;
        assert!(asked.contains("location: /backup"), "{asked}");
        let end = Instant::now() + Duration::from_secs(30);
        while site.store.backups().unwrap().good.is_none() {
            assert!(Instant::now() < end, "{:?}", site.store.backups().unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let page = browser.get("/backup").await;
        assert!(page.contains("each read back and found equal"), "{page}");
        let backups = site.store.folder().join("backups");
        mailstead_store::backup::check(&backups, &mut |_, _| {}).unwrap();
    }
}
