//! What every page must hold to: no fault for people with disabilities, no complaint of the browser, no ballast, and
//! nothing wider than the screen.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Browser;

/// axe-core, which looks for accessibility faults.
const AXE: &str = include_str!("../../fixtures/axe-core/axe.min.js");
/// Runs it and gives what it found wrong.
const RUN_AXE: &str = "const done = arguments[arguments.length - 1];
    window.axe.run(document, { resultTypes: ['violations'] }).then(
        found => done({ violations: found.violations }), error => done({ error: String(error) }));";
/// What came for this page, in bytes before compression.
const WEIGHT: &str = "const all = [...performance.getEntriesByType('navigation'), \
    ...performance.getEntriesByType('resource')]; \
    return all.map(one => [one.name.slice(0, 200), one.decodedBodySize]);";
/// The innermost elements that stick out to the right; where something scrolls by itself, what is in it may.
const WIDE_ONES: &str = "const width = window.innerWidth, root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const out = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > width + 1);
    return out.filter(e => ![...e.children].some(c => out.includes(c)))
        .map(e => e.outerHTML.slice(0, 160)).concat('the page is ' + root.scrollWidth + ' wide');";
/// A page with all that belongs to it weighs no more.
const MOST_BYTES: u64 = 100_000;

impl Browser {
    /// Demands all that a page must hold to, and leaves a picture of it by this name.
    ///
    /// # Panics
    /// With all that is wrong, in words.
    #[track_caller]
    pub fn audit(&self, name: &str) {
        let picture = self.screenshot(name);
        let faults = self.faults();
        assert!(
            faults.is_empty(),
            "{} ({}), pictured in {}:\n{}",
            self.path(),
            self.title(),
            picture.display(),
            faults.join("\n")
        );
    }

    /// All that is wrong with the page.
    #[track_caller]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.accessibility_faults();
        faults.extend(self.complaints());
        faults.extend(self.ballast());
        let wide = self.script(WIDE_ONES);
        faults.extend(wide.as_array().into_iter().flatten().map(|one| format!("sticks out: {one}")));
        faults
    }

    /// Serious and critical accessibility faults, each with where it is.
    #[track_caller]
    pub fn accessibility_faults(&self) -> Vec<String> {
        let script = format!("if (!window.axe) {{ {AXE} }}\n{RUN_AXE}");
        let run = self.driver.post("execute/async", &json!({ "script": script, "args": [] }));
        let found = run.unwrap_or_else(|refusal| panic!("axe: {refusal}"));
        assert!(found["error"].is_null(), "axe: {}", found["error"]);
        let violations = found["violations"].as_array().expect("what axe found");
        let grave = violations.iter().filter(|one| matches!(one["impact"].as_str(), Some("serious" | "critical")));
        grave.map(describe).collect()
    }

    /// What the browser's console says since the last look: broken links, refused scripts and styles, exceptions.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.driver.post("se/log", &json!({ "type": "browser" }));
        let log = log.unwrap_or_else(|refusal| panic!("the console: {refusal}"));
        let grave =
            log.as_array().into_iter().flatten().filter(|one| one["level"] != "INFO" && one["level"] != "DEBUG");
        grave.map(|one| format!("the console, {}: {}", text(&one["level"]), text(&one["message"]))).collect()
    }

    fn ballast(&self) -> Option<String> {
        let parts = self.script(WEIGHT);
        let weight: u64 = parts.as_array().into_iter().flatten().filter_map(|part| part[1].as_u64()).sum();
        (weight > MOST_BYTES).then(|| format!("the page weighs {weight} bytes: {parts}"))
    }
}

/// A violation with its places, for people.
fn describe(violation: &Value) -> String {
    let mut words =
        format!("axe, {} {}: {}", text(&violation["impact"]), text(&violation["id"]), text(&violation["help"]));
    for node in violation["nodes"].as_array().into_iter().flatten().take(5) {
        let summary = text(&node["failureSummary"]).replace('\n', " ");
        let _ = write!(words, "\n  at {}: {}\n    {summary}", node["target"], text(&node["html"]));
    }
    words
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
