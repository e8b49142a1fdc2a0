//! `/me/app-passwords`: a password for each device.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::me::app_passwords::{self, AppPassword, Made, View};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::clients::apple;
use crate::control::{self, Answer, AppPasswordView, Request};
use crate::pages::Nothing;
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Person;
use crate::site::{Page, Site, sentence};

const HERE: &str = "/me/app-passwords";

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route(HERE, get(show).post(make))
        .route("/me/app-passwords/remove", post(remove))
        .route("/me/app-passwords/remove-all", post(remove_all))
        .route("/me/app-passwords/profile", post(profile))
}

async fn show(person: Person, State(site): State<Arc<Site>>) -> Page {
    page(&site, &person, String::new(), None).await
}

async fn page(site: &Site, person: &Person, name: String, problem: Option<String>) -> Page {
    let request = Request::AppPasswordList { account: person.address.clone() };
    let Answer::AppPasswords(list) = site.ask(request).await? else { return Err(Problem::not_found()) };
    let view = View { passwords: list.into_iter().map(known).collect(), name, problem };
    Ok(Html(app_passwords::page(&site.frame(person, "App passwords", HERE), &view)))
}

fn known(view: AppPasswordView) -> AppPassword {
    let used = view.used.map(|at| (at, view.protocol.unwrap_or_default(), view.from.unwrap_or_default()));
    AppPassword { id: view.id, name: view.name, created: view.created, used }
}

#[derive(Deserialize)]
struct New {
    name: String,
}

/// Makes one and shows it, this once: it stands nowhere from where a later page could take it.
async fn make(person: Person, State(site): State<Arc<Site>>, Checked(form): Checked<New>) -> Response {
    let request = Request::AppPasswordAdd { account: person.address.clone(), name: form.name.clone() };
    match site.operator.perform(request).await {
        control::Response::Ok(Answer::NewAppPassword(made)) => {
            tracing::info!(login = %person.address, device = ?made.name, "made an app password at the web");
            let view = Made {
                name: made.name,
                address: made.account,
                password: made.password,
                profile: apple::is_possible(&site.settings),
            };
            Html(app_passwords::made(&site.frame(&person, "A new app password", HERE), &view)).into_response()
        }
        control::Response::Ok(_) => Problem::not_found().into_response(),
        control::Response::Error(why) => match page(&site, &person, form.name, Some(sentence(&why))).await {
            Ok(page) => (StatusCode::UNPROCESSABLE_ENTITY, page).into_response(),
            Err(problem) => problem.into_response(),
        },
    }
}

#[derive(Deserialize)]
struct Which {
    id: u64,
}

async fn remove(person: Person, State(site): State<Arc<Site>>, Checked(form): Checked<Which>) -> Response {
    let account = person.address.clone();
    site.act(&person, Request::AppPasswordRemove { account, id: Some(form.id) }, HERE).await
}

async fn remove_all(person: Person, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    let account = person.address.clone();
    site.act(&person, Request::AppPasswordRemove { account, id: None }, HERE).await
}

#[derive(Deserialize)]
struct Secret {
    password: String,
}

/// A profile with the password that the page before has just shown.
async fn profile(person: Person, State(site): State<Arc<Site>>, Checked(form): Checked<Secret>) -> Response {
    let password = Zeroizing::new(form.password);
    apple::answer(&site.settings, &person.address, Some(&password))
}
