//! The queue: what waits to go out, and why.

use leptos::prelude::*;

use crate::parts::{Light, action, empty, light, pager, size, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What waits, on this page of the list.
    pub entries: Vec<Entry>,
    /// How many wait in all.
    pub total: usize,
    /// The pages around this one.
    pub newer: Option<String>,
    /// The same.
    pub older: Option<String>,
}

/// A queued message.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// Its trace id.
    pub trace: String,
    /// Its sender; `None` for a report of ours.
    pub from: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Since when it waits.
    pub since: String,
    /// When it is tried next.
    pub due: String,
    /// That time has come.
    pub is_due: bool,
    /// Tries so far.
    pub attempts: u32,
    /// An operator holds it.
    pub held: bool,
    /// What TLS it needs, where that is unusual.
    pub tls: Option<&'static str>,
    /// Some of its recipients.
    pub recipients: Vec<Recipient>,
    /// How many more there are.
    pub more: usize,
}

/// A recipient of a queued message.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// How it stands.
    pub light: Light,
    /// The same in a word.
    pub standing: &'static str,
    /// Why it waits, in plain words.
    pub why: Option<&'static str>,
    /// The last thing that happened, in the words of who said so.
    pub last: Option<String>,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let entries: Vec<AnyView> = model.entries.iter().map(|one| entry(frame, one)).collect();
        let none = entries.is_empty().then(|| {
            empty("Nothing waits", "Every letter has gone out. What can't be delivered at once appears here.")
        });
        let all = (model.total > 0).then(|| action(frame, "/queue/retry", "Try all now", "second", &[]));
        let many = match model.total {
            0 => String::new(),
            1 => "One letter waits to go out. It is tried again by itself; you need not do anything.".to_owned(),
            many => {
                format!("{many} letters wait to go out. They are tried again by themselves; you need not do anything.")
            }
        };
        view! {
            <div class="head">
                <h1>"Queue"</h1>
                <div class="actions">{all}</div>
            </div>
            <div id="queue" data-live="queue">
                <p class="lead">{many}</p>
                {none}
                {entries}
                {pager(model.newer.as_deref(), model.older.as_deref())}
            </div>
        }
        .into_any()
    })
}

fn entry(frame: &Frame, one: &Entry) -> AnyView {
    let from = one.from.clone().unwrap_or_else(|| "This server, with a report".to_owned());
    let story = format!("/activity/{}", one.trace);
    let recipients: Vec<AnyView> = one.recipients.iter().map(recipient).collect();
    let more = (one.more > 0).then(|| view! { <p class="quiet">{format!("And {} more recipients.", one.more)}</p> });
    view! {
        <article class="card waiting">
            <div class="head">
                <h2>"From "{from}</h2>
                {standing(one)}
            </div>
            <ul class="recipients">{recipients}</ul>
            {more}
            {facts(one)}
            <div class="actions">
                {buttons(frame, one)}
                <a class="aside" href=story>"Its whole story"</a>
            </div>
        </article>
    }
    .into_any()
}

fn standing(one: &Entry) -> AnyView {
    match (one.held, one.attempts) {
        (true, _) => view! { <span class="chip warn">"held"</span> }.into_any(),
        (false, 0) => view! { <span class="chip">"on its way"</span> }.into_any(),
        (false, _) => view! { <span class="chip warn">"waits"</span> }.into_any(),
    }
}

fn recipient(one: &Recipient) -> AnyView {
    let why = one.why.map(|why| view! { <p>{why}</p> });
    let last = one.last.clone().map(|last| view! { <p class="why small">{last}</p> });
    view! {
        <li>
            <div class="to"><strong>{one.address.clone()}</strong>{light(one.light, one.standing)}</div>
            {why}
            {last}
        </li>
    }
    .into_any()
}

fn facts(one: &Entry) -> AnyView {
    let next = match (one.held, one.is_due) {
        (true, _) => view! { "not before you say so" }.into_any(),
        (false, true) => view! { "now" }.into_any(),
        (false, false) => when(&one.due),
    };
    let tries = match one.attempts {
        0 => "none yet".to_owned(),
        tries => tries.to_string(),
    };
    let tls = one.tls.map(|need| view! { <dt>"TLS"</dt><dd>{need}</dd> });
    view! {
        <dl class="facts">
            <dt>"Next try"</dt><dd>{next}</dd>
            <dt>"Waits since"</dt><dd>{when(&one.since)}</dd>
            <dt>"Tries"</dt><dd>{tries}</dd>
            <dt>"Size"</dt><dd>{size(one.size)}</dd>
            {tls}
        </dl>
    }
    .into_any()
}

fn buttons(frame: &Frame, one: &Entry) -> AnyView {
    let id = one.id;
    let retry = action(frame, format!("/queue/{id}/retry"), "Try now", "second slight", &[]);
    let hold = (!one.held).then(|| action(frame, format!("/queue/{id}/hold"), "Hold", "second slight", &[]));
    let bounce = one.from.is_some().then(|| {
        view! { <a class="button second slight" href=format!("/queue/{id}/bounce")>"Return to sender…"</a> }
    });
    view! {
        {retry}
        {hold}
        {bounce}
        <a class="button second slight danger" href=format!("/queue/{id}/remove")>"Remove…"</a>
    }
    .into_any()
}
