//! Forwarding: which addresses lead to me, and where my mail is sent on to.

use leptos::prelude::*;

use crate::parts::{action, csrf, lines_field};
use crate::shell::{Frame, render};

const HINT: &str = "One in each line, five at most. Check the spelling: whoever has that address gets all your mail.";

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The account's address.
    pub address: String,
    /// Aliases that lead to it, and who else is behind each.
    pub aliases: Vec<(String, Vec<String>)>,
    /// Where mail is sent on to now.
    pub forwards: Vec<String>,
    /// A copy stays.
    pub keep: bool,
    /// What was typed, where it could not be taken, and why.
    pub refused: Option<(String, String)>,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        view! {
            <h1>"Forwarding"</h1>
            <p class="lead">"Have your mail sent on to another mailbox of yours, or to somebody who looks after it."</p>
            {now(frame, model)}
            {form(frame, model)}
            {aliases(frame, model)}
        }
        .into_any()
    })
}

fn now(frame: &Frame, model: &View) -> AnyView {
    if model.forwards.is_empty() {
        let text = format!("Mail for {} stays in your mailbox.", model.address);
        return view! { <section class="card"><h2>"Now"</h2><p>{text}</p></section> }.into_any();
    }
    let copy = if model.keep { "A copy stays in your mailbox." } else { "No copy stays in your mailbox." };
    view! {
        <section class="card">
            <h2>"Now"</h2>
            <p>{format!("Mail for {} is sent on to {}. {copy}", model.address, model.forwards.join(", "))}</p>
            <div class="actions">
                {action(frame, "/me/forwarding/stop", "Stop forwarding", "second", &[])}
            </div>
        </section>
    }
    .into_any()
}

fn form(frame: &Frame, model: &View) -> AnyView {
    let (typed, why) =
        model.refused.clone().map_or_else(|| (model.forwards.join("\n"), None), |(typed, why)| (typed, Some(why)));
    let problem = why.map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
    let title = if model.forwards.is_empty() { "Send my mail on" } else { "Change it" };
    let keep = model.keep || model.forwards.is_empty();
    view! {
        <section class="card">
            <h2>{title}</h2>
            {problem}
            <form class="form" method="post" action="/me/forwarding">
                {csrf(frame)}
                {lines_field("to", "To these addresses", &typed, HINT)}
                <label class="choice">
                    <input type="checkbox" name="keep" value="yes" checked=keep />
                    "Keep a copy in my mailbox"
                </label>
                <div><button>"Send my mail on"</button></div>
            </form>
            <p class="quiet small">
                "Big providers often take forwarded mail for junk, because junk for you is forwarded too. Reading this mailbox there by IMAP is the safer way."
            </p>
        </section>
    }
    .into_any()
}

fn aliases(frame: &Frame, model: &View) -> AnyView {
    let operator = frame.visitor.as_ref().is_some_and(|visitor| visitor.operator);
    let change = if operator {
        view! { <p class="small"><a href="/aliases">"Change aliases"</a></p> }.into_any()
    } else {
        view! { <p class="quiet small">"Whoever looks after this server makes and changes aliases."</p> }.into_any()
    };
    let rows: Vec<AnyView> = model.aliases.iter().map(|(alias, others)| row(alias, others)).collect();
    let list = if rows.is_empty() {
        view! { <p>"No alias leads to you."</p> }.into_any()
    } else {
        view! { <ul>{rows}</ul> }.into_any()
    };
    view! {
        <section class="card">
            <h2>"Aliases that lead to you"</h2>
            {list}
            {change}
        </section>
    }
    .into_any()
}

fn row(alias: &str, others: &[String]) -> AnyView {
    let alias = alias.to_owned();
    let others = (!others.is_empty()).then(|| format!(" (and to {})", others.join(", ")));
    view! { <li><code>{alias}</code><span class="quiet">{others}</span></li> }.into_any()
}
