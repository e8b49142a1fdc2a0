//! What can't be taken back is asked for on a page of its own, which says what it means.

use leptos::prelude::*;

use crate::parts::csrf;
use crate::shell::{Frame, render};

/// What is to be done, and what it means.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The question.
    pub question: String,
    /// What it means, sentence by sentence.
    pub meaning: Vec<String>,
    /// Where the form goes.
    pub path: String,
    /// The button that does it.
    pub label: &'static str,
    /// It destroys something.
    pub destroys: bool,
    /// Where those go who rather not.
    pub back: String,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let meaning: Vec<AnyView> =
            model.meaning.iter().map(|sentence| view! { <li>{sentence.clone()}</li> }.into_any()).collect();
        let style = if model.destroys { "danger" } else { "" };
        view! {
            <section class="card confirm">
                <h1>{model.question.clone()}</h1>
                <ul>{meaning}</ul>
                <form method="post" action=model.path.clone() class="actions">
                    {csrf(frame)}
                    <button class=style>{model.label}</button>
                    <a class="button second" href=model.back.clone()>"Leave it as it is"</a>
                </form>
            </section>
        }
        .into_any()
    })
}
