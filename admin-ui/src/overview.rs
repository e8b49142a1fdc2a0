//! The overview: is my mail healthy, and if not, what is to be done?

use leptos::prelude::*;

use crate::parts::{Light, action, copyable_block, light, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Everything that was looked at, the worst first; nothing before the first look has ended.
    pub findings: Vec<Finding>,
    /// When it was looked at.
    pub looked: Option<String>,
    /// It is being looked at now.
    pub looking: bool,
    /// Figures, side by side.
    pub figures: Vec<Figure>,
    /// The domains.
    pub domains: Vec<Domain>,
    /// The latest letters, newest first.
    pub letters: Vec<Letter>,
}

/// Something that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// How it stands.
    pub light: Light,
    /// What it is, in a word or three.
    pub title: String,
    /// What is.
    pub what: String,
    /// Why it matters.
    pub why: String,
    /// What to do.
    pub todo: Option<String>,
    /// A page of ours that helps: its path, and what it is called.
    pub page: Option<(String, String)>,
    /// Commands that help.
    pub commands: Vec<String>,
}

/// A figure.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it counts.
    pub title: &'static str,
    /// The figure itself.
    pub figure: String,
    /// What more there is to say.
    pub words: String,
    /// A time that belongs to it, behind the words.
    pub at: Option<String>,
    /// The page that tells more.
    pub page: Option<&'static str>,
}

/// A domain.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// How its records stand.
    pub light: Light,
    /// The same in words.
    pub words: String,
    /// The page that tells more.
    pub page: String,
}

/// A letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When its story began.
    pub at: String,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// How it stands with it.
    pub light: Light,
    /// The same in a word or two.
    pub words: String,
    /// The page with its story.
    pub page: String,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let faults: Vec<AnyView> = model.findings.iter().filter(|one| one.light >= Light::Warn).map(fault).collect();
        let rest: Vec<AnyView> = model.findings.iter().filter(|one| one.light < Light::Warn).map(small).collect();
        let rest = (!rest.is_empty()).then(|| {
            view! {
                <section class="card" id="lights" data-live="checks">
                    <h2>{if faults.is_empty() { "What was looked at" } else { "All else that was looked at" }}</h2>
                    <ul class="lights">{rest}</ul>
                </section>
            }
        });
        view! {
            {health(frame, model)}
            <div id="faults" data-live="checks">{faults}</div>
            {figures(&model.figures)}
            <div class="pair">{domains(&model.domains)}{letters(&model.letters)}</div>
            {rest}
        }
        .into_any()
    })
}

fn health(frame: &Frame, model: &View) -> AnyView {
    let (state, title, words) = verdict(model);
    let class = format!("health {}", state.class());
    let looked = match (&model.looked, model.looking) {
        (Some(at), false) => view! { <p class="small">"Looked at "{when(at)}</p> }.into_any(),
        (Some(at), true) => {
            view! { <p class="small" role="status">"Looked at "{when(at)}", and being looked at again now"</p> }
                .into_any()
        }
        (None, _) => view! { <p class="small" role="status">"The first look takes up to ten seconds."</p> }.into_any(),
    };
    view! {
        <section class=class id="health" data-live="checks">
            <div>
                <h1>{light(state, title)}</h1>
                <p>{words}</p>
                {looked}
            </div>
            {action(frame, "/check", "Check again", "second", &[])}
        </section>
    }
    .into_any()
}

/// How it stands with all of it: a light, a headline, and a sentence.
fn verdict(model: &View) -> (Light, &'static str, String) {
    let count = |wanted: Light| model.findings.iter().filter(|one| one.light == wanted).count();
    match (count(Light::Bad), count(Light::Warn)) {
        _ if model.findings.is_empty() => {
            (Light::Unknown, "Your server is being looked at", "How it stands is shown here in a moment.".to_owned())
        }
        (0, 0) => (Light::Good, "Your mail is healthy", "There is nothing you have to do.".to_owned()),
        (0, soon) => {
            (Light::Warn, "Your mail works", format!("{} should be seen to when you have time.", things(soon)))
        }
        (now, 0) => (Light::Bad, "Your mail needs you", format!("{} must be mended.", things(now))),
        (now, soon) => (
            Light::Bad,
            "Your mail needs you",
            format!("{} must be mended; {} can wait a little.", things(now), things(soon).to_lowercase()),
        ),
    }
}

fn things(count: usize) -> String {
    if count == 1 { "One thing".to_owned() } else { format!("{count} things") }
}

fn fault(one: &Finding) -> AnyView {
    let class = format!("card fault {}", one.light.class());
    let word = match one.light {
        Light::Bad => "To be mended: ",
        _ => "To be seen to: ",
    };
    let todo = one.todo.clone().map(|todo| view! { <p><strong>"What to do: "</strong>{todo}</p> });
    let page = one.page.clone().map(|(path, name)| {
        view! { <p class="actions"><a class="button second slight" href=path>"Go to "{name}</a></p> }
    });
    let commands: Vec<AnyView> = one.commands.iter().map(|command| copyable_block(command, "the command")).collect();
    let commands = (!commands.is_empty()).then(|| {
        let label = if one.page.is_some() { "Or on the command line:" } else { "On the command line:" };
        view! { <div class="commands"><p class="small quiet">{label}</p>{commands}</div> }
    });
    view! {
        <section class=class>
            <h2><span class=format!("light {}", one.light.class())><span class="hidden-label">{word}</span>{one.title.clone()}</span></h2>
            <p>{one.what.clone()}</p>
            <p class="quiet">{one.why.clone()}</p>
            {todo}
            {page}
            {commands}
        </section>
    }
    .into_any()
}

fn small(one: &Finding) -> AnyView {
    let todo = one.todo.clone().map(|todo| view! { " "{todo} });
    let title = match &one.page {
        Some((path, _)) => view! { <a href=path.clone()>{one.title.clone()}</a> }.into_any(),
        None => view! { {one.title.clone()} }.into_any(),
    };
    let word = if one.light == Light::Good { "Well: " } else { "Not known: " };
    view! {
        <li>
            <span class=format!("light {}", one.light.class())><span class="hidden-label">{word}</span>{title}</span>
            <span class="small quiet">{one.what.clone()}{todo}</span>
        </li>
    }
    .into_any()
}

fn figures(all: &[Figure]) -> AnyView {
    let cards: Vec<AnyView> = all
        .iter()
        .map(|one| {
            let title = match one.page {
                Some(path) => view! { <a href=path>{one.title}</a> }.into_any(),
                None => view! { {one.title} }.into_any(),
            };
            view! {
                <section class="card">
                    <h2 class="small">{title}</h2>
                    <p class="figure">{one.figure.clone()}</p>
                    <p class="small quiet">{one.words.clone()}{one.at.as_deref().map(when)}</p>
                </section>
            }
            .into_any()
        })
        .collect();
    view! { <div class="cards figures" id="figures" data-live="queue activity">{cards}</div> }.into_any()
}

fn domains(all: &[Domain]) -> AnyView {
    let rows: Vec<AnyView> = all
        .iter()
        .map(|one| {
            view! {
                <li>
                    <a href=one.page.clone()>{one.name.clone()}</a>
                    <span class="small">{light(one.light, one.words.clone())}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    let none = rows.is_empty().then(|| view! { <p class="quiet">"None yet. "<a href="/domains">"Add yours"</a></p> });
    view! {
        <section class="card" id="domains" data-live="checks">
            <h2><a href="/domains">"Domains"</a></h2>
            {none}
            <ul class="rows">{rows}</ul>
        </section>
    }
    .into_any()
}

fn letters(all: &[Letter]) -> AnyView {
    let rows: Vec<AnyView> = all
        .iter()
        .map(|one| {
            view! {
                <li>
                    <a href=one.page.clone()>{one.from.clone()}" → "{one.to.clone()}</a>
                    <span class="small">{light(one.light, one.words.clone())}</span>
                    <span class="small quiet">{when(&one.at)}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    let none = rows.is_empty().then(|| view! { <p class="quiet">"No letter has come or gone yet."</p> });
    view! {
        <section class="card" id="letters" data-live="activity">
            <h2><a href="/activity">"Latest letters"</a></h2>
            {none}
            <ul class="rows">{rows}</ul>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn finding(light: Light, title: &str) -> Finding {
        Finding {
            light,
            title: title.to_owned(),
            what: format!("{title} <is> so."),
            why: "It matters.".to_owned(),
            todo: Some("Mend it.".to_owned()),
            page: Some(("/queue".to_owned(), "the queue".to_owned())),
            commands: vec!["mailstead queue list".to_owned()],
        }
    }

    #[test]
    fn the_headline_says_how_it_stands() {
        for (lights, headline) in [
            (vec![], "Your server is being looked at"),
            (vec![Light::Good, Light::Unknown], "Your mail is healthy"),
            (vec![Light::Warn, Light::Good], "Your mail works"),
            (vec![Light::Bad, Light::Warn], "One thing must be mended; one thing can wait a little."),
        ] {
            let findings = lights.into_iter().map(|light| finding(light, "The queue")).collect();
            let html = page(&Frame::default(), &View { findings, ..View::default() });
            assert!(html.contains(headline), "{headline}: {html}");
        }
    }

    #[test]
    fn a_fault_is_shown_with_its_remedy_and_what_others_wrote_is_escaped() {
        let view = View { findings: vec![finding(Light::Bad, "The queue")], ..View::default() };
        let html = page(&Frame::default(), &view);
        assert!(html.contains("The queue &lt;is&gt; so.") && !html.contains("<is>"), "{html}");
        assert!(html.contains("href=\"/queue\"") && html.contains("mailstead queue list"), "{html}");
    }
}
