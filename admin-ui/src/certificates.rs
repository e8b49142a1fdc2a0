//! Certificates: what the server proves its names with, and until when.

use leptos::prelude::*;

use crate::parts::{Light, action, empty, light, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// One for each name.
    pub certificates: Vec<Certificate>,
}

/// A certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The name it is for.
    pub name: String,
    /// How it stands.
    pub light: Light,
    /// The same in words.
    pub standing: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When it ends.
    pub expires: Option<String>,
    /// What went wrong last.
    pub problem: Option<String>,
    /// When a new one is asked for.
    pub next_try: Option<String>,
    /// A new one can be asked for.
    pub can_renew: bool,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let waiting = model.certificates.iter().any(|one| one.can_renew);
        let all = waiting.then(|| action(frame, "/certificates/renew", "Try all that wait", "second", &[]));
        let cards: Vec<AnyView> = model.certificates.iter().map(|one| card(frame, one)).collect();
        let none = cards.is_empty().then(|| empty("No names yet", "Add a domain, and its certificates are fetched."));
        view! {
            <div class="head">
                <h1>"Certificates"</h1>
                <div class="actions">{all}</div>
            </div>
            <p class="lead">
                "With these the server proves its names to browsers, mail programs and other servers. They are fetched and renewed without you."
            </p>
            {none}
            <div class="cards">{cards}</div>
        }
        .into_any()
    })
}

fn card(frame: &Frame, one: &Certificate) -> AnyView {
    let renew = one.can_renew.then(|| {
        action(frame, "/certificates/renew", "Ask for a new one now", "second slight", &[("name", one.name.clone())])
    });
    let fact = |name: &'static str, value: Option<AnyView>| {
        value.map(|value| view! { <dt>{name}</dt><dd>{value}</dd> }.into_any())
    };
    let text = |text: &Option<String>| text.clone().map(|text| text.into_any());
    let time = |at: &Option<String>| at.as_deref().map(when);
    view! {
        <section class="card">
            <h2>{one.name.clone()}</h2>
            <p>{light(one.light, one.standing)}</p>
            <dl class="facts">
                <dt>"From"</dt><dd>{one.source}</dd>
                {fact("Signed by", text(&one.issuer))}
                {fact("Ends", time(&one.expires))}
                {fact("Next try", time(&one.next_try))}
                {fact("Last problem", text(&one.problem))}
            </dl>
            <div class="actions">{renew}</div>
        </section>
    }
    .into_any()
}
