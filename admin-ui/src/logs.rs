//! Logs: what the server has said of itself lately.

use leptos::prelude::*;

use crate::parts::{Light, empty, light};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The chosen level, one of those in [`LEVELS`].
    pub level: String,
    /// What lines must contain.
    pub containing: String,
    /// The lines, newest first.
    pub lines: Vec<Line>,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// When, to the second.
    pub at: String,
    /// How much it matters; nothing where all is as usual.
    pub light: Option<Light>,
    /// The same in a word.
    pub word: &'static str,
    /// Which room says it.
    pub room: String,
    /// What.
    pub text: String,
}

/// What can be chosen: the word in the form, and what it means.
pub const LEVELS: [(&str, &str); 4] =
    [("debug", "Everything"), ("info", "Info and above"), ("warn", "Warnings and errors"), ("error", "Errors")];

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let lines: Vec<AnyView> = model.lines.iter().map(line).collect();
        let none =
            lines.is_empty().then(|| empty("No such lines", "Nothing that fits has been logged since the start."));
        let list = (!lines.is_empty()).then(|| view! { <ol class="log card">{lines}</ol> });
        view! {
            <h1>"Logs"</h1>
            <p class="lead">
                "What the server has said of itself lately, newest first; times are UTC. All of it is in the system's journal: "
                <code>"sudo journalctl -u mailstead"</code>
            </p>
            {filter(model)}
            {none}
            {list}
        }
        .into_any()
    })
}

fn filter(model: &View) -> AnyView {
    let options: Vec<AnyView> = LEVELS
        .iter()
        .map(|(level, words)| {
            let chosen = *level == model.level;
            view! { <option value=*level selected=chosen>{*words}</option> }.into_any()
        })
        .collect();
    view! {
        <form class="search" method="get" action="/logs">
            <label class="hidden-label" for="level">"How much they matter"</label>
            <select id="level" name="level">{options}</select>
            <label class="hidden-label" for="containing">"Containing"</label>
            <input id="containing" name="containing" type="search" placeholder="Containing…" value=model.containing.clone() />
            <button class="second">"Show"</button>
        </form>
    }
    .into_any()
}

fn line(one: &Line) -> AnyView {
    let word = match one.light {
        Some(colour) => light(colour, one.word),
        None => view! { <span class="quiet">{one.word}</span> }.into_any(),
    };
    view! {
        <li>
            <span class="small quiet mono">{one.at.clone()}</span>
            <span class="small">{word}</span>
            <code>{one.text.clone()}</code>
            <span class="chip">{one.room.clone()}</span>
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_made_us_log_is_escaped() {
        let line = Line {
            at: "2026-11-25 12:31:54".to_owned(),
            light: Some(Light::Warn),
            word: "warning",
            room: "smtp".to_owned(),
            text: "said <script>alert(1)</script>".to_owned(),
        };
        let view = View { level: "warn".to_owned(), containing: "\"><b>".to_owned(), lines: vec![line] };
        let html = page(&Frame::default(), &view);
        assert!(html.contains("said &lt;script&gt;") && !html.contains("<b>"), "{html}");
        assert!(html.contains("<option value=\"warn\" selected"), "{html}");
    }
}
