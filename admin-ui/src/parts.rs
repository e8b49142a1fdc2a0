//! Small parts that pages are made of.

use leptos::prelude::*;

use crate::shell::Frame;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// As it should.
    Good,
    /// It can't be told.
    Unknown,
    /// It works, but.
    Warn,
    /// It does not.
    Bad,
}

impl Light {
    /// The class of its colour and shape.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A light with its word.
pub fn light(light: Light, word: impl Into<String>) -> AnyView {
    let class = format!("light {}", light.class());
    view! { <span class=class>{word.into()}</span> }.into_any()
}

/// The hidden field that proves that a form is ours.
pub fn csrf(frame: &Frame) -> AnyView {
    view! { <input type="hidden" name="csrf" value=frame.csrf.clone() /> }.into_any()
}

/// A button that does something: a form of its own. `style` is its class, `hidden` what it sends along.
pub fn action(
    frame: &Frame,
    path: impl Into<String>,
    label: impl Into<String>,
    style: &'static str,
    hidden: &[(&'static str, String)],
) -> AnyView {
    button_form(frame, path.into(), label.into().into_any(), style, hidden, None)
}

/// The same for what is not easily undone: the script asks first whether it is meant.
pub fn question(
    frame: &Frame,
    path: impl Into<String>,
    label: AnyView,
    style: &'static str,
    hidden: &[(&'static str, String)],
    sure: impl Into<String>,
) -> AnyView {
    button_form(frame, path.into(), label, style, hidden, Some(sure.into()))
}

fn button_form(
    frame: &Frame,
    path: String,
    label: AnyView,
    style: &'static str,
    hidden: &[(&'static str, String)],
    sure: Option<String>,
) -> AnyView {
    let fields: Vec<AnyView> = hidden
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=*name value=value.clone() /> }.into_any())
        .collect();
    view! {
        <form method="post" action=path data-confirm=sure>
            {csrf(frame)}
            {fields}
            <button class=style>{label}</button>
        </form>
    }
    .into_any()
}

/// What a field of a form is like.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Its name in the form; its id too.
    pub name: &'static str,
    /// What people see.
    pub label: &'static str,
    /// `text`, `email`, `password`, `number`.
    pub kind: &'static str,
    /// What is in it.
    pub value: String,
    /// A sentence of help; none when empty.
    pub hint: &'static str,
    /// What the browser may fill in (`username`, `current-password`, `new-password`, `off`).
    pub autocomplete: &'static str,
    /// It may stay empty.
    pub optional: bool,
}

/// A field with its label and help.
pub fn field(field: Field) -> AnyView {
    let Field { name, label, kind, value, hint, autocomplete, optional } = field;
    let hint_id = format!("{name}-hint");
    let described = (!hint.is_empty()).then(|| hint_id.clone());
    let hint = (!hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{hint}</p> });
    let kind = if kind.is_empty() { "text" } else { kind };
    let autocomplete = if autocomplete.is_empty() { "off" } else { autocomplete };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input id=name name=name type=kind value=value autocomplete=autocomplete autocapitalize="none"
                spellcheck="false" required=!optional aria-describedby=described />
            {hint}
        </div>
    }
    .into_any()
}

/// A field for several lines, with its label and help.
pub fn lines_field(name: &'static str, label: &'static str, value: &str, hint: &'static str) -> AnyView {
    let hint_id = format!("{name}-hint");
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <textarea id=name name=name rows="3" class="short" spellcheck="false" autocapitalize="none" required=true
                aria-describedby=hint_id.clone()>{raw_text(value)}</textarea>
            <p class="hint" id=hint_id>{hint}</p>
        </div>
    }
    .into_any()
}

/// What stands in a `textarea`: Leptos escapes nothing there. Browsers drop a line's end that comes first.
fn raw_text(text: &str) -> String {
    format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;"))
}

/// A value with a button that copies it, where there is a script.
pub fn copyable(value: impl Into<String>, what: &str) -> AnyView {
    copyable_as(value.into(), what, "copyable")
}

/// The same over the whole width, for long values.
pub fn copyable_block(value: impl Into<String>, what: &str) -> AnyView {
    copyable_as(value.into(), what, "copyable block")
}

fn copyable_as(value: String, what: &str, class: &'static str) -> AnyView {
    let label = format!("Copy {what}");
    view! {
        <span class=class>
            <code>{value.clone()}</code>
            <button type="button" class="second slight" data-copy=value aria-label=label hidden=true>"Copy"</button>
        </span>
    }
    .into_any()
}

/// A place where there is nothing yet, and what to do about it.
pub fn empty(title: &'static str, text: &'static str) -> AnyView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{text}</p>
        </div>
    }
    .into_any()
}

/// A text as one part of a path.
pub fn segment(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'@' | b'+' => {
                segment.push(char::from(byte))
            }
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

/// A sentence with commands in it, which stand between backticks.
pub fn prose(text: &str) -> Vec<AnyView> {
    let part = |(index, part): (usize, &str)| match index % 2 {
        0 => part.to_owned().into_any(),
        _ => view! { <code>{part.to_owned()}</code> }.into_any(),
    };
    text.split('`').enumerate().map(part).collect()
}

/// The way through a long list, page by page.
pub fn pager(newer: Option<&str>, older: Option<&str>) -> AnyView {
    if newer.is_none() && older.is_none() {
        return view! { "" }.into_any();
    }
    let link = |path: Option<&str>, name: &'static str| {
        path.map(|path| view! { <a class="button second slight" href=path.to_owned()>{name}</a> }.into_any())
    };
    let (newer, older) = (link(newer, "← Newer"), link(older, "Older →"));
    view! { <nav class="pager" aria-label="More of the list">{newer}{older}</nav> }.into_any()
}

/// A time; `at` is RFC 3339 in UTC, as `2026-11-25T12:31:54Z`. The script shows it in the reader's own zone.
pub fn when(at: &str) -> AnyView {
    view! { <time datetime=at.to_owned()>{readable(at)}</time> }.into_any()
}

/// `2026-11-25 12:31 UTC`
fn readable(at: &str) -> String {
    match (at.get(..10), at.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => at.to_owned(),
    }
}

/// Bytes as people say it.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1000.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || amount >= 100.0 { format!("{amount:.0} {name}") } else { format!("{amount:.1} {name}") }
}

/// What is used of what may be used, as a bar with its figures.
pub fn quota(used: u64, limit: Option<u64>) -> AnyView {
    let Some(limit) = limit else {
        return view! { <span>{size(used)}" used, no limit"</span> }.into_any();
    };
    let share = if limit == 0 { 100.0 } else { (used as f64 / limit as f64 * 100.0).min(100.0) };
    let fill = if share >= 90.0 { "fill full" } else { "fill" };
    let words = format!("{} of {} used ({share:.0} %)", size(used), size(limit));
    view! {
        <div>
            <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=words.clone()>
                <rect class="track" width="100" height="4" rx="2"></rect>
                <rect class=fill width=format!("{share:.1}") height="4" rx="2"></rect>
            </svg>
            <span class="small quiet">{words}</span>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_field() {
        let evil = "</textarea><script>\"&lt;";
        let html = Owner::new().with(|| lines_field("to", "To", evil, "One a line.").to_html());
        assert!(html.contains("&lt;/textarea>&lt;script>\"&amp;lt;</textarea>"), "{html}");
        let html = Owner::new().with(|| field(Field { value: "\"><script>".to_owned(), ..Field::default() }).to_html());
        assert!(!html.contains("<script>"), "{html}");
    }

    #[test]
    fn what_is_between_backticks_is_code() {
        let html = Owner::new().with(|| prose("run `mailstead doctor <now>`, then wait").to_html());
        assert!(html.contains("<code>mailstead doctor &lt;now&gt;</code>") && !html.contains('`'), "{html}");
    }

    #[test]
    fn sizes_and_times_are_said_as_people_say_them() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 KB"),
            (153_600, "150 KB"),
            (5 << 20, "5.0 MB"),
            (u64::MAX, "16777216 TB"),
        ] {
            assert_eq!(size(bytes), words);
        }
        assert_eq!(readable("2026-11-25T12:31:54Z"), "2026-11-25 12:31 UTC");
        assert_eq!(readable("—"), "—");
    }
}
