//! `/aliases`: addresses that lead to others.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use mailstead_admin_ui::aliases::{self, Alias, Form, View};
use mailstead_admin_ui::{NoticeKind, confirm};
use mailstead_message::Address;
use serde::Deserialize;

use super::Place;
use crate::control::{self, AliasView, Answer, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead, notice, sentence};

const HERE: &str = "/aliases";
/// Aliases on one page.
const PAGE: usize = 50;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show).post(set)).route("/aliases/remove", get(ask_remove).post(remove))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(flatten)]
    place: Place,
    edit: Option<String>,
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Page {
    let all = list(&site).await?;
    let edited = wanted.edit.and_then(|address| all.iter().find(|alias| alias.address == address));
    let form = edited.map(|alias| Form {
        address: alias.address.clone(),
        targets: alias.targets.join("\n"),
        changes: true,
        problem: None,
    });
    Ok(page(&governor, &site, all, &wanted.place, form.unwrap_or_default()))
}

async fn list(site: &Site) -> Result<Vec<AliasView>, Problem> {
    match site.ask(Request::AliasList).await? {
        Answer::Aliases(list) => Ok(list),
        _ => Err(Problem::not_found()),
    }
}

fn page(governor: &Governor, site: &Site, all: Vec<AliasView>, place: &Place, form: Form) -> Html<String> {
    let (page, newer, older) = place.around(HERE, all.len(), PAGE);
    let shown = all.into_iter().skip(page * PAGE).take(PAGE);
    let view = View { aliases: shown.map(alias).collect(), newer, older, form };
    Html(aliases::page(&site.frame(governor, "Aliases", HERE), &view))
}

fn alias(view: AliasView) -> Alias {
    let query = |name: &str| serde_urlencoded::to_string([(name, view.address.as_str())]).unwrap_or_default();
    Alias {
        edit: format!("{HERE}?{}", query("edit")),
        remove: format!("{HERE}/remove?{}", query("address")),
        address: view.address,
        targets: view.targets,
        dead_ends: view.dead_ends,
    }
}

#[derive(Deserialize)]
struct Set {
    address: String,
    targets: String,
}

async fn set(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Checked(form): Checked<Set>,
) -> Result<Response, Problem> {
    let problem = match wanted(&form) {
        Ok(request) => match site.operator.perform(request).await {
            control::Response::Ok(Answer::Done(text)) => {
                tracing::info!(by = %governor.name(), said = ?text, "asked for at the web");
                site.say(&governor, notice(NoticeKind::Done, &text));
                return Ok(lead(HERE));
            }
            control::Response::Ok(_) => return Ok(lead(HERE)),
            control::Response::Error(text) => text,
        },
        Err(why) => why,
    };
    // What was typed is not lost.
    let all = list(&site).await?;
    let changes = all.iter().any(|alias| alias.address == form.address);
    let form = Form { address: form.address, targets: form.targets, changes, problem: Some(sentence(&problem)) };
    Ok(page(&governor, &site, all, &Place::default(), form).into_response())
}

fn wanted(form: &Set) -> Result<Request, String> {
    let parse = |text: &str| Address::parse(text).map_err(|error| format!("“{text}” is no mail address: {error}"));
    let parts = form.targets.split([',', ';', '\n', ' ', '\t', '\r']).filter(|text| !text.is_empty());
    let targets: Vec<Address> = parts.map(parse).collect::<Result<_, _>>()?;
    if targets.is_empty() {
        return Err("an alias leads to one address at least".to_owned());
    }
    Ok(Request::AliasSet { address: parse(form.address.trim())?, targets })
}

#[derive(Deserialize)]
struct Which {
    address: String,
}

async fn ask_remove(governor: Governor, State(site): State<Arc<Site>>, Query(which): Query<Which>) -> Page {
    let all = list(&site).await?;
    let alias = all.iter().find(|alias| alias.address == which.address).ok_or_else(Problem::not_found)?;
    let query = serde_urlencoded::to_string([("address", &alias.address)]).unwrap_or_default();
    let view = confirm::View {
        question: format!("Remove the alias {}?", alias.address),
        meaning: vec![
            format!("{} gets no more mail through it.", alias.targets.join(", ")),
            format!(
                "Mail for {} is refused from then on, unless its domain has a catch-all; whoever sends it is told.",
                alias.address
            ),
            "No letter is lost by it.".to_owned(),
        ],
        path: format!("{HERE}/remove?{query}"),
        label: "Remove it",
        destroys: true,
        back: HERE.to_owned(),
    };
    Ok(Html(confirm::page(&site.frame(&governor, "Remove an alias", HERE), &view)))
}

async fn remove(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Query(which): Query<Which>,
    Checked(super::Nothing {}): Checked<super::Nothing>,
) -> Result<Response, Problem> {
    let address = Address::parse(&which.address).map_err(|_| Problem::not_found())?;
    Ok(site.act(&governor, Request::AliasRemove { address }, HERE).await)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use crate::http::tests::{Browser, site};

    #[tokio::test(flavor = "multi_thread")]
    async fn aliases_are_added_changed_and_removed_and_dead_ends_are_marked() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        assert!(browser.get("/aliases").await.contains("No aliases yet"));
        let away =
            browser.post("/aliases", "address=info@home.test&targets=postmaster@home.test%0D%0Agone@home.test", true);
        assert!(away.await.starts_with("HTTP/1.1 303"));
        let page = browser.get("/aliases").await;
        assert!(page.contains("Careful: nobody has gone@home.test yet") && page.contains("nobody has it"), "{page}");
        let edit = browser.get("/aliases?edit=info%40home.test").await;
        assert!(edit.contains("Change an alias") && edit.contains("postmaster@home.test\ngone@home.test"), "{edit}");
        browser.post("/aliases", "address=info@home.test&targets=postmaster@home.test", true).await;
        assert_eq!(site.store.aliases().unwrap()[0].targets.len(), 1);
        let question = browser.get("/aliases/remove?address=info%40home.test").await;
        assert!(question.contains("is refused from then on"), "{question}");
        browser.post("/aliases/remove?address=info%40home.test", "", true).await;
        assert!(site.store.aliases().unwrap().is_empty());
        assert!(browser.get("/aliases/remove?address=info%40home.test").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_wrong_with_an_alias_is_said_and_what_was_typed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        browser.get("/aliases").await;
        for (form, told) in [
            ("address=x&targets=a@home.test", "is no mail address"),
            ("address=x@home.test&targets=+", "one address at least"),
            ("address=x@far.test&targets=a@home.test", "far.test"),
            ("address=%22%3E%3Cscript%3E&targets=%3C/textarea%3E%3Cscript%3E", "is no mail address"),
        ] {
            let page = browser.post("/aliases", form, true).await;
            assert!(page.starts_with("HTTP/1.1 200") && page.contains(told), "{form}: {page}");
            assert!(!page.contains("</textarea><script>") && !page.contains("\"><script>"), "{page}");
        }
        assert!(
            browser
                .post("/aliases", "address=x@home.test&targets=a@home.test", false)
                .await
                .starts_with("HTTP/1.1 403")
        );
        assert!(site.store.aliases().unwrap().is_empty());
    }
}
