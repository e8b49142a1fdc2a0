//! Activity: every message in and out, and the whole story of one.

use leptos::prelude::*;

use crate::parts::{Light, empty, light, pager, prose, when};
use crate::shell::{Frame, render};

/// What the list shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Messages, newest first.
    pub lines: Vec<Line>,
    /// What was searched for.
    pub query: String,
    /// Why it can't be searched for.
    pub problem: Option<String>,
    /// The newest ones, if these are not.
    pub newer: Option<String>,
    /// Where it goes on.
    pub older: Option<String>,
}

/// A message in one line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its trace id.
    pub trace: String,
    /// When its story began.
    pub at: String,
    /// Its sender; `None` where nobody is named.
    pub from: Option<String>,
    /// Some of its recipients.
    pub to: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// From where it came.
    pub direction: Option<Direction>,
    /// What has become of it.
    pub outcome: Outcome,
}

/// From where a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From another server.
    In,
    /// From one of our own people.
    Out,
    /// From this server.
    Own,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Own => "our report",
        }
    }
}

/// What has become of a message.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How good that is; `Unknown` for what is neither good nor bad.
    pub light: Light,
    /// A word or two.
    pub word: String,
}

/// The list.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let problem = model.problem.clone().map(|text| view! { <p class="notice careful" role="alert">{text}</p> });
        view! {
            <div class="head"><h1>"Activity"</h1></div>
            <p class="lead">"Every letter that came or went, and what has become of it. Open one to see its story."</p>
            {search(model)}
            {problem}
            <div id="activity" data-live="activity">
                {table(model)}
                {pager(model.newer.as_deref(), model.older.as_deref())}
            </div>
        }
        .into_any()
    })
}

fn search(model: &View) -> AnyView {
    let all = (!model.query.is_empty()).then(|| view! { <a class="button second" href="/activity">"Show all"</a> });
    view! {
        <form class="search" method="get" action="/activity" role="search">
            <label class="hidden-label" for="q">"A mail address, or the id of a letter"</label>
            <input id="q" name="q" type="search" value=model.query.clone() placeholder="a mail address, or a letter’s id"
                autocomplete="off" autocapitalize="none" spellcheck="false" />
            <button>"Search"</button>
            {all}
        </form>
    }
    .into_any()
}

fn table(model: &View) -> AnyView {
    if model.lines.is_empty() {
        return match (model.query.is_empty(), model.problem.is_some()) {
            (_, true) => view! { "" }.into_any(),
            (true, _) => empty("No letters yet", "As soon as one comes or goes, it appears here."),
            (false, _) => empty("Nothing found", "No letter of the last 30 days has that address among its own."),
        };
    }
    let rows: Vec<AnyView> = model.lines.iter().map(row).collect();
    view! {
        <table class="table letters">
            <thead>
                <tr>
                    <th scope="col">"From and to"</th>
                    <th scope="col">"Way"</th>
                    <th scope="col">"Outcome"</th>
                    <th scope="col">"When"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(line: &Line) -> AnyView {
    let way = line.direction.map(Direction::word).unwrap_or_default();
    view! {
        <tr>
            <th scope="row"><a href=format!("/activity/{}", line.trace)>{path(line)}</a></th>
            <td data-label="Way">{way}</td>
            <td data-label="Outcome">{chip(&line.outcome)}</td>
            <td data-label="When" class="nowrap">{when(&line.at)}</td>
        </tr>
    }
    .into_any()
}

/// `bob@world.test → alice@home.test and 2 more`
fn path(line: &Line) -> String {
    let nobody = if line.direction == Some(Direction::Own) { "this server" } else { "nobody named" };
    let from = line.from.as_deref().unwrap_or(nobody);
    let to = match (line.to.join(", "), line.more) {
        (to, _) if to.is_empty() => "nobody yet".to_owned(),
        (to, 0) => to,
        (to, more) => format!("{to} and {more} more"),
    };
    format!("{from} → {to}")
}

fn chip(outcome: &Outcome) -> AnyView {
    let class = match outcome.light {
        Light::Unknown => "chip".to_owned(),
        light => format!("chip {}", light.class()),
    };
    view! { <span class=class>{outcome.word.clone()}</span> }.into_any()
}

/// One message's whole story.
#[derive(Debug, Clone)]
pub struct Story {
    /// The message.
    pub line: Line,
    /// What has become of it, in a sentence.
    pub sentence: String,
    /// Why it was not taken, and what the sender could do.
    pub refusal: Option<Refusal>,
    /// Its number in the queue, if it waits there.
    pub queued: bool,
    /// What was found out about who sent it.
    pub checks: Vec<Check>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How many events are left out.
    pub untold: usize,
    /// Details for experts: what, and its value.
    pub details: Vec<(&'static str, String)>,
}

/// Why a message was not taken.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Why.
    pub why: String,
    /// What the sender could do.
    pub sender: String,
    /// What an operator could do, if anything.
    pub operator: Option<String>,
}

/// Something that was found out about who sent it.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub light: Light,
    /// The same in a word.
    pub word: &'static str,
    /// What it means.
    pub meaning: String,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
}

/// The page of one story.
pub fn story(frame: &Frame, model: &Story) -> String {
    render(frame, || {
        let refusal = model.refusal.as_ref().map(refusal);
        let checks = (!model.checks.is_empty()).then(|| checks(&model.checks));
        let queued = model.queued.then(|| view! { " It is in the "<a href="/queue">"queue"</a>"." });
        view! {
            <a class="back" href="/activity">"← Activity"</a>
            <div id="story" data-live="activity">
                <div class="head">
                    <h1>{path(&model.line)}</h1>
                    {chip(&model.line.outcome)}
                </div>
                <p class="lead">{model.sentence.clone()}{queued}</p>
                {refusal}
                {checks}
                <section class="card">
                    <h2>"What happened"</h2>
                    {events(model)}
                </section>
            </div>
            {details(model)}
        }
        .into_any()
    })
}

fn refusal(refusal: &Refusal) -> AnyView {
    let operator = refusal.operator.clone().map(|todo| view! { <h3>"What you could do"</h3><p>{prose(&todo)}</p> });
    view! {
        <section class="card refusal">
            <h2>"Why it was not taken"</h2>
            <p>{prose(&refusal.why)}</p>
            <h3>"What the sender could do"</h3>
            <p>{prose(&refusal.sender)}</p>
            {operator}
        </section>
    }
    .into_any()
}

fn checks(checks: &[Check]) -> AnyView {
    let rows: Vec<AnyView> = checks
        .iter()
        .map(|check| {
            view! {
                <li>
                    <div class="to"><strong>{check.name}</strong>{light(check.light, check.word)}</div>
                    <p class="quiet">{check.meaning.clone()}</p>
                </li>
            }
            .into_any()
        })
        .collect();
    view! {
        <section class="card">
            <h2>"Is it from who it says?"</h2>
            <ul class="recipients">{rows}</ul>
        </section>
    }
    .into_any()
}

fn events(model: &Story) -> AnyView {
    let mut last = "";
    let mut events = Vec::new();
    for event in &model.events {
        // A time is said once for all that happened in that second.
        let time = (event.at != last).then(|| when(&event.at));
        last = &event.at;
        events.push(view! { <li>{time}{event.text.clone()}</li> }.into_any());
    }
    let untold = (model.untold > 0).then(|| {
        view! { <p class="quiet">{format!("{} events in the middle are left out here.", model.untold)}</p> }
    });
    view! { <ol class="story">{events}</ol>{untold} }.into_any()
}

fn details(model: &Story) -> AnyView {
    let facts: Vec<AnyView> = model
        .details
        .iter()
        .map(|(name, value)| view! { <dt>{*name}</dt><dd><code>{value.clone()}</code></dd> }.into_any())
        .collect();
    view! {
        <details class="card">
            <summary>"Details for experts"</summary>
            <dl class="facts">{facts}</dl>
        </details>
    }
    .into_any()
}
