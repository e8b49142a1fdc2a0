//! Signing in.

use leptos::prelude::*;

use crate::parts::{Field, csrf, field};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What was typed last time.
    pub address: String,
    /// Where to go afterwards.
    pub next: String,
    /// Why it did not work.
    pub problem: Option<String>,
    /// Where signing in is possible, when it is not here.
    pub elsewhere: Option<String>,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let content = match &model.elsewhere {
            Some(url) => elsewhere(url.clone()),
            None => form(frame, model),
        };
        view! {
            <p class="brand">"Mailstead"</p>
            <h1>"Sign in"</h1>
            {content}
        }
        .into_any()
    })
}

fn form(frame: &Frame, model: &View) -> AnyView {
    let problem = model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
    let address = Field {
        name: "address",
        label: "Your mail address",
        kind: "email",
        value: model.address.clone(),
        autocomplete: "username",
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "current-password",
        hint: "The password of your account, not one of an app.",
        ..Field::default()
    };
    view! {
        {problem}
        <form class="form card" method="post" action="/login">
            {csrf(frame)}
            <input type="hidden" name="next" value=model.next.clone() />
            {field(address)}
            {field(password)}
            <div><button>"Sign in"</button></div>
        </form>
        <p class="quiet small">
            "Forgotten it? Whoever looks after this server can set a new one: "<code>"mailstead account passwd ADDRESS"</code>
        </p>
    }
    .into_any()
}

fn elsewhere(url: String) -> AnyView {
    view! {
        <p class="notice careful">
            "A password must not travel in clear text: sign in at "<a href=url.clone()>{url.clone()}</a>
        </p>
    }
    .into_any()
}
