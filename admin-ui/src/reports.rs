//! Reports that others send about our domains: letters in our names (DMARC), and encryption on the way to us (TLS).

use leptos::prelude::*;

use crate::parts::{Light, empty, light, pager, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Domains to choose from.
    pub domains: Vec<String>,
    /// The chosen one; empty for all.
    pub domain: String,
    /// Letters in our names, day by day.
    pub letters: Chart,
    /// Connections to us, day by day.
    pub connections: Chart,
    /// Where letters in our names came from.
    pub sources: Vec<Source>,
    /// Reports, newest first.
    pub reports: Vec<Line>,
    /// The pages around this one.
    pub newer: Option<String>,
    /// The same.
    pub older: Option<String>,
}

/// What went well and what did not, day by day, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// The days.
    pub days: Vec<Day>,
}

/// A day.
#[derive(Debug, Clone, Default)]
pub struct Day {
    /// `2026-11-25`
    pub date: String,
    /// How many went well.
    pub good: u64,
    /// How many did not.
    pub bad: u64,
}

/// An address that sent letters in our names.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The address.
    pub address: String,
    /// Letters proved to be ours.
    pub good: u64,
    /// The others.
    pub bad: u64,
}

/// A report in a line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Its number.
    pub id: u64,
    /// Who made it.
    pub who: String,
    /// `Letters` or `TLS`.
    pub kind: &'static str,
    /// What it is about.
    pub domains: String,
    /// The day it tells of.
    pub begin: String,
    /// What it says.
    pub verdict: Option<(Light, String)>,
    /// Nothing proves who sent it.
    pub unproved: bool,
}

/// The list.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let content = if model.reports.is_empty() {
            empty(
                "No reports yet",
                "Other servers send one a day once your domains have asked for them in DNS and have sent some mail.",
            )
        } else {
            contents(model)
        };
        view! {
            <div class="head"><h1>"Reports"</h1></div>
            <p class="lead">
                "What other servers saw: letters that came to them in your name, and how well encryption worked on the way to you."
            </p>
            {filter(model)}
            {content}
        }
        .into_any()
    })
}

fn filter(model: &View) -> AnyView {
    if model.domains.len() < 2 && model.domain.is_empty() {
        return view! { "" }.into_any();
    }
    let options: Vec<AnyView> = model
        .domains
        .iter()
        .map(|domain| {
            view! { <option value=domain.clone() selected=*domain == model.domain>{domain.clone()}</option> }.into_any()
        })
        .collect();
    view! {
        <form class="search" method="get" action="/reports">
            <label class="hidden-label" for="domain">"Domain"</label>
            <select id="domain" name="domain"><option value="">"All domains"</option>{options}</select>
            <button class="second">"Show"</button>
        </form>
    }
    .into_any()
}

fn contents(model: &View) -> AnyView {
    let rows: Vec<AnyView> = model.reports.iter().map(row).collect();
    view! {
        <div class="cards two">
            {chart("Letters in your name", &model.letters, ("proved to be yours", "not proved"))}
            {chart("Connections to you", &model.connections, ("encrypted as they should be", "not as they should be"))}
        </div>
        {sources(&model.sources)}
        <h2>"All reports"</h2>
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"From"</th>
                    <th scope="col">"About"</th>
                    <th scope="col">"Domain"</th>
                    <th scope="col">"Day"</th>
                    <th scope="col">"Says"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {pager(model.newer.as_deref(), model.older.as_deref())}
    }
    .into_any()
}

fn row(line: &Line) -> AnyView {
    let verdict = match &line.verdict {
        Some((how, words)) => light(*how, words.clone()),
        None => light(Light::Unknown, "can't be read"),
    };
    let unproved = line.unproved.then(|| view! { " "<span class="chip">"sender not proved"</span> });
    view! {
        <tr>
            <th scope="row"><a href=format!("/reports/{}", line.id)>{line.who.clone()}</a>{unproved}</th>
            <td data-label="About">{line.kind}</td>
            <td data-label="Domain">{line.domains.clone()}</td>
            <td data-label="Day" class="nowrap">{line.begin.clone()}</td>
            <td data-label="Says">{verdict}</td>
        </tr>
    }
    .into_any()
}

/// Units of the chart's own: each day has so many.
const STEP: u32 = 10;
/// Height of its bars.
const HEIGHT: u32 = 100;

fn chart(title: &'static str, chart: &Chart, (good, bad): (&'static str, &'static str)) -> AnyView {
    let sum = |count: fn(&Day) -> u64| chart.days.iter().map(count).fold(0_u64, u64::saturating_add);
    let (all_good, all_bad) = (sum(|day| day.good), sum(|day| day.bad));
    if all_good == 0 && all_bad == 0 {
        return view! {
            <section class="card"><h2>{title}</h2><p class="quiet">"Nothing was reported in the last 30 days."</p></section>
        }
        .into_any();
    }
    let words = format!("{title} in the last 30 days: {all_good} {good}, {all_bad} {bad}.");
    let most = chart.days.iter().map(|day| day.good.saturating_add(day.bad)).max().unwrap_or(1).max(1);
    let bars: Vec<AnyView> = (0..).zip(&chart.days).map(|(index, day)| bar(index, day, most)).collect();
    let width = STEP * u32::try_from(chart.days.len()).unwrap_or(30);
    let rows: Vec<AnyView> = chart.days.iter().filter(|day| day.good > 0 || day.bad > 0).map(numbers).collect();
    let first = chart.days.first().map(|day| day.date.clone());
    let last = chart.days.last().map(|day| day.date.clone());
    view! {
        <section class="card">
            <h2>{title}</h2>
            <p class="figure">{all_good}<span class="quiet small">" "{good}</span></p>
            <p>{light(if all_bad > 0 { Light::Warn } else { Light::Good }, format!("{all_bad} {bad}"))}</p>
            <svg class="chart" viewBox=format!("0 0 {width} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=words>
                <line class="ground" x1="0" x2=width.to_string() y1=HEIGHT.to_string() y2=HEIGHT.to_string()></line>
                {bars}
            </svg>
            <p class="axis small quiet"><span>{first}</span><span>{last}</span></p>
            <details>
                <summary>"The same in numbers"</summary>
                <table class="table">
                    <thead><tr><th scope="col">"Day"</th><th scope="col">{good}</th><th scope="col">{bad}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        </section>
    }
    .into_any()
}

fn numbers(day: &Day) -> AnyView {
    view! {
        <tr>
            <th scope="row">{day.date.clone()}</th>
            <td data-label="good">{day.good}</td>
            <td data-label="bad">{day.bad}</td>
        </tr>
    }
    .into_any()
}

/// A day's bar: what went well below, the rest on top of it.
fn bar(index: u32, day: &Day, most: u64) -> AnyView {
    let height = |count: u64| {
        let share = count as f64 / most as f64 * f64::from(HEIGHT);
        // One letter among thousands is seen as well.
        if count > 0 { share.max(2.0) } else { 0.0 }
    };
    let (good, bad) = (height(day.good), height(day.bad));
    let scale = (f64::from(HEIGHT) / (good + bad)).min(1.0);
    let (good, bad) = (good * scale, bad * scale);
    let x = (index * STEP + 1).to_string();
    let width = (STEP - 2).to_string();
    let piece = |class: &'static str, from: f64, height: f64| {
        (height > 0.0).then(|| {
            let y = format!("{:.1}", f64::from(HEIGHT) - from - height);
            view! { <rect class=class x=x.clone() y=y width=width.clone() height=format!("{height:.1}")></rect> }
        })
    };
    let words = format!("{}: {} good, {} bad", day.date, day.good, day.bad);
    view! { <g><title>{words}</title>{piece("good", 0.0, good)}{piece("bad", good, bad)}</g> }.into_any()
}

fn sources(sources: &[Source]) -> AnyView {
    if sources.is_empty() {
        return view! { "" }.into_any();
    }
    let most = sources.iter().map(|source| source.good.saturating_add(source.bad)).max().unwrap_or(1).max(1);
    let rows: Vec<AnyView> = sources.iter().map(|one| source(one, most)).collect();
    view! {
        <h2>"Who sends in your name"</h2>
        <table class="table sources">
            <thead>
                <tr>
                    <th scope="col">"Server"</th><th scope="col">"Letters"</th>
                    <th scope="col">"Proved"</th><th scope="col">"Not proved"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn source(source: &Source, most: u64) -> AnyView {
    let width = |count: u64| count as f64 / most as f64 * 100.0;
    let (good, bad) = (width(source.good), width(source.bad));
    let words = format!("{}: {} proved, {} not", source.address, source.good, source.bad);
    view! {
        <tr>
            <th scope="row"><code>{source.address.clone()}</code></th>
            <td data-label="Letters" class="storage">
                <svg class="bar share" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=words>
                    <rect class="track" width="100" height="4"></rect>
                    <rect class="good" width=format!("{good:.1}") height="4"></rect>
                    <rect class="bad" x=format!("{good:.1}") width=format!("{bad:.1}") height="4"></rect>
                </svg>
            </td>
            <td data-label="Proved">{source.good}</td>
            <td data-label="Not proved">{source.bad}</td>
        </tr>
    }
    .into_any()
}

/// One report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Who made it.
    pub who: String,
    /// What it is about.
    pub domains: String,
    /// `Letters` or `TLS`.
    pub kind: &'static str,
    /// From when to when.
    pub begin: Option<String>,
    /// The same.
    pub end: Option<String>,
    /// What it tells.
    pub sentences: Vec<String>,
    /// Names of the columns of its rows.
    pub columns: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// How many more there are.
    pub more: usize,
    /// The domain it is proved to be from.
    pub proved: Option<String>,
    /// The trace id of the letter that brought it.
    pub trace: String,
    /// When that came.
    pub received: String,
    /// The name its maker gave it.
    pub name: Option<String>,
}

/// The page of one report.
pub fn report(frame: &Frame, model: &Report) -> String {
    render(frame, || {
        let sentences: Vec<AnyView> =
            model.sentences.iter().map(|sentence| view! { <li>{sentence.clone()}</li> }.into_any()).collect();
        let proved = match &model.proved {
            Some(domain) => light(Light::Good, format!("proved to be from {domain}")),
            None => light(Light::Warn, "nothing proves who sent it: anybody could have"),
        };
        let title = match model.kind {
            "TLS" => format!("Connections to {}", model.domains),
            _ => format!("Letters in the name of {}", model.domains),
        };
        let name = model.name.clone().map(|name| view! { <dt>"Its name"</dt><dd><code>{name}</code></dd> });
        let time = |at: &Option<String>| at.as_deref().map(when);
        view! {
            <a class="back" href="/reports">"← Reports"</a>
            <h1>{title}</h1>
            <p class="lead">"By "{model.who.clone()}</p>
            <section class="card">
                <h2>"What it says"</h2>
                <ul>{sentences}</ul>
            </section>
            <section class="card">
                <h2>"Where it comes from"</h2>
                <p>{proved}</p>
                <dl class="facts">
                    <dt>"Tells of"</dt><dd>{time(&model.begin)}" to "{time(&model.end)}</dd>
                    <dt>"Came"</dt><dd>{when(&model.received)}", "<a href=format!("/activity/{}", model.trace)>"its letter's story"</a></dd>
                    {name}
                </dl>
            </section>
            {rows(model)}
        }
        .into_any()
    })
}

fn rows(model: &Report) -> AnyView {
    if model.rows.is_empty() {
        return view! { "" }.into_any();
    }
    let heads: Vec<AnyView> =
        model.columns.iter().map(|name| view! { <th scope="col">{*name}</th> }.into_any()).collect();
    let rows: Vec<AnyView> = model
        .rows
        .iter()
        .map(|row| {
            let cells: Vec<AnyView> = row
                .iter()
                .zip(&model.columns)
                .map(|(cell, name)| view! { <td data-label=*name>{cell.clone()}</td> }.into_any())
                .collect();
            view! { <tr>{cells}</tr> }.into_any()
        })
        .collect();
    let more = (model.more > 0).then(|| {
        view! { <p class="quiet">{format!("And {} more rows: “mailstead --json report show” has them all.", model.more)}</p> }
    });
    view! {
        <h2>"Row by row"</h2>
        <table class="table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>
        {more}
    }
    .into_any()
}
