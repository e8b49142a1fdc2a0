//! Aliases: addresses that lead to one or many others.

use leptos::prelude::*;

use crate::parts::{Field, Light, csrf, empty, field, light, lines_field, pager};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The aliases on this page of the list.
    pub aliases: Vec<Alias>,
    /// The pages around this one.
    pub newer: Option<String>,
    /// The same.
    pub older: Option<String>,
    /// What stands in the form.
    pub form: Form,
}

/// An alias.
#[derive(Debug, Clone, Default)]
pub struct Alias {
    /// The address.
    pub address: String,
    /// Where it leads.
    pub targets: Vec<String>,
    /// Those of them that nobody has.
    pub dead_ends: Vec<String>,
    /// The page on which it is changed.
    pub edit: String,
    /// The page on which it is removed.
    pub remove: String,
}

/// What stands in the form.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// The address; it can't be changed when there is such an alias.
    pub address: String,
    /// Where it leads, one address a line.
    pub targets: String,
    /// An alias is changed, not added.
    pub changes: bool,
    /// Why it did not work.
    pub problem: Option<String>,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let rows: Vec<AnyView> = model.aliases.iter().map(row).collect();
        let list = if rows.is_empty() {
            empty(
                "No aliases yet",
                "An alias such as info@ or family@ leads to one mailbox or to many, here or elsewhere.",
            )
        } else {
            table(rows)
        };
        view! {
            <div class="head"><h1>"Aliases"</h1></div>
            <p class="lead">"Addresses that lead to others. Whoever gets an alias's mail may send with it, too."</p>
            {list}
            {pager(model.newer.as_deref(), model.older.as_deref())}
            {form(frame, &model.form)}
        }
        .into_any()
    })
}

fn table(rows: Vec<AnyView>) -> AnyView {
    view! {
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"Alias"</th>
                    <th scope="col">"Leads to"</th>
                    <th scope="col"><span class="hidden-label">"What to do"</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(alias: &Alias) -> AnyView {
    let targets: Vec<AnyView> = alias
        .targets
        .iter()
        .map(|target| {
            let dead =
                alias.dead_ends.contains(target).then(|| light(Light::Warn, "nobody has it: nothing arrives there"));
            view! { <div class="to"><span>{target.clone()}</span>{dead}</div> }.into_any()
        })
        .collect();
    view! {
        <tr>
            <th scope="row">{alias.address.clone()}</th>
            <td data-label="Leads to"><div>{targets}</div></td>
            <td>
                <div class="actions">
                    <a class="button second slight" href=alias.edit.clone()>"Change"</a>
                    <a class="button second slight danger" href=alias.remove.clone()>"Remove…"</a>
                </div>
            </td>
        </tr>
    }
    .into_any()
}

fn form(frame: &Frame, form: &Form) -> AnyView {
    let title = if form.changes { "Change an alias" } else { "Add an alias" };
    let button = if form.changes { "Change it" } else { "Add it" };
    let problem = form.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
    let address = if form.changes {
        view! {
            <input type="hidden" name="address" value=form.address.clone() />
            <p><strong>{form.address.clone()}</strong></p>
        }
        .into_any()
    } else {
        field(Field {
            name: "address",
            label: "Alias",
            kind: "email",
            value: form.address.clone(),
            hint: "An address of one of your domains that nobody has yet.",
            ..Field::default()
        })
    };
    let cancel = form.changes.then(|| view! { <a class="button second" href="/aliases">"Leave it as it is"</a> });
    view! {
        <section class="card">
            <h2>{title}</h2>
            {problem}
            <form class="form" method="post" action="/aliases">
                {csrf(frame)}
                {address}
                {lines_field("targets", "Leads to", &form.targets, "One address a line, here or elsewhere.")}
                <div class="actions"><button>{button}</button>{cancel}</div>
            </form>
        </section>
    }
    .into_any()
}
