//! Domains: whose mail this server takes, and how it stands with their names.

use leptos::prelude::*;

use crate::parts::{Field, Light, csrf, empty, field, light};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// One for each domain.
    pub domains: Vec<Domain>,
}

/// A domain in the list.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Where its page is.
    pub path: String,
    /// How it stands with its records.
    pub light: Light,
    /// The same in a few words.
    pub standing: String,
    /// Who gets what nobody else does.
    pub catch_all: Option<String>,
}

/// The list.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let cards: Vec<AnyView> = model.domains.iter().map(card).collect();
        let none = cards.is_empty().then(|| {
            empty("No domain yet", "Add the domain behind the @ of your addresses, and this page leads on from there.")
        });
        view! {
            <div class="head">
                <h1>"Domains"</h1>
                <div class="actions"><a class="button" href="/domains/add">"Add a domain"</a></div>
            </div>
            <p class="lead">"What stands behind the @ of your addresses. Each domain must say in DNS where its mail goes."</p>
            <div id="domains" data-live="checks">
                {none}
                <div class="cards">{cards}</div>
            </div>
        }
        .into_any()
    })
}

fn card(one: &Domain) -> AnyView {
    let catch_all = one
        .catch_all
        .clone()
        .map(|target| view! { <p class="small quiet">"Mail for unknown addresses goes to "{target}"."</p> }.into_any());
    view! {
        <section class="card">
            <h2><a href=one.path.clone()>{one.name.clone()}</a></h2>
            <p>{light(one.light, one.standing.clone())}</p>
            {catch_all}
        </section>
    }
    .into_any()
}

/// What was typed, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Add {
    /// The domain.
    pub domain: String,
    /// Why it can't be added.
    pub problem: Option<String>,
}

/// The form for a new one.
pub fn add(frame: &Frame, model: &Add) -> String {
    render(frame, || {
        let problem =
            model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> }.into_any());
        let name = field(Field {
            name: "domain",
            label: "The domain",
            value: model.domain.clone(),
            hint: "Such as example.org: what stands behind the @ of your addresses. It must be yours already: you buy it \
                   from a registrar, and this server can't do that for you.",
            ..Field::default()
        });
        view! {
            <a class="back" href="/domains">"← Domains"</a>
            <h1>"Add a domain"</h1>
            {problem}
            <section class="card">
                <form method="post" action="/domains/add" class="form">
                    {csrf(frame)}
                    {name}
                    <div class="actions"><button>"Add it and show its records"</button></div>
                </form>
            </section>
            <section class="card">
                <h2>"What happens then"</h2>
                <ol>
                    <li>"This server makes the keys that sign the domain's mail."</li>
                    <li>"The next page shows what to enter in DNS, line by line, with buttons to copy it."</li>
                    <li>"It looks at DNS again and again, and says of each line whether it is right, missing or wrong."</li>
                </ol>
                <p>"Nothing changes for mail that goes elsewhere now until you change the MX record yourself."</p>
            </section>
        }
        .into_any()
    })
}
