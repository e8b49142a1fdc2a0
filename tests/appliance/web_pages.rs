//! The web as people see it, in a real browser: every page at the width of a desk and of a phone, light and dark.

use std::collections::{BTreeMap, VecDeque};

use mailstead_tests::browser::{NARROW, WIDE};
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Browser, Demo, Letter, eventually};

use crate::MAILSTEAD;
use crate::demo;
use crate::web::{OPERATOR, signed_in};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";
/// Pages of one kind that are looked at: a second account says little that the first did not.
const OF_A_KIND: usize = 1;
/// Links that lead to files, not to pages.
const FILES: [&str; 5] = [".mobileconfig", ".zone", ".txt", ".svg", ".xml"];

/// A walk through all pages that links lead to.
struct Walk<'a> {
    browser: &'a Browser,
    /// Before the names of its pictures.
    name: &'a str,
    todo: VecDeque<String>,
    kinds: BTreeMap<String, usize>,
    faults: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(browser: &'a Browser, name: &'a str) -> Self {
        Self { browser, name, todo: VecDeque::new(), kinds: BTreeMap::new(), faults: Vec::new() }
    }

    /// Looks at the page of this path and at all that its links lead to.
    #[track_caller]
    fn from(mut self, path: &str) -> Self {
        self.plan(path);
        while let Some(path) = self.todo.pop_front() {
            self.look(&path);
            for link in self.browser.links() {
                self.plan(&link);
            }
        }
        self
    }

    /// Demands that all was well, and that as many kinds of pages were seen.
    #[track_caller]
    fn found_no_fault(self, at_least: usize) {
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n\n"));
        let kinds: Vec<&String> = self.kinds.keys().collect();
        assert!(kinds.len() >= at_least, "only these kinds of pages were found: {kinds:?}");
    }

    fn plan(&mut self, path: &str) {
        let whole = path.split('#').next().unwrap_or_default();
        let path = whole.split('?').next().unwrap_or_default();
        if FILES.iter().any(|end| path.ends_with(end)) {
            return;
        }
        let seen = self.kinds.entry(kind(path)).or_default();
        if *seen < OF_A_KIND && !self.todo.iter().any(|known| known == whole) {
            *seen += 1;
            self.todo.push_back(whole.to_owned());
        }
    }

    #[track_caller]
    fn look(&mut self, path: &str) {
        let browser = self.browser;
        browser.open(path);
        let name =
            kind(path.split('?').next().unwrap_or_default()).trim_matches('/').replace('/', "-").replace('*', "one");
        let name = format!("{}-{}", self.name, if name.is_empty() { "home" } else { &name });
        for (dark, width) in [(false, WIDE), (false, NARROW), (true, WIDE)] {
            browser.prefer_dark(dark);
            browser.resize(width);
            let picture = browser.screenshot(&format!("{name}-{width}{}", if dark { "-dark" } else { "" }));
            let faults = browser.faults();
            if !faults.is_empty() {
                self.faults.push(format!("{path}, pictured in {}:\n{}", picture.display(), faults.join("\n")));
            }
        }
        browser.prefer_dark(false);
        browser.resize(WIDE);
    }
}

/// The path with what names one thing among many made a star.
fn kind(path: &str) -> String {
    let one_of_many = |part: &str| part.contains(['.', '@', '%']) || part.contains(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if one_of_many(part) { "*" } else { part }).collect();
    parts.join("/")
}

/// home.test after a busy day: letters in and out, one that waits, one that was refused, reports, an alias.
#[track_caller]
fn busy_day() -> Demo {
    let port = mailstead_tests::process::free_port();
    let demo = Demo::start(MAILSTEAD, &["--seed", "20", "--neighbour", &format!("away.test=127.0.0.1:{port}")]);
    let home = || demo.command("home.test");
    home().args(["alias", "add", "family@home.test", ALICE, BOB]).run();
    let waiting = "friend@away.test";
    for (to, subject) in [(BOB, "to the world"), (waiting, "you are away"), ("nobody@world.test", "to nobody")] {
        demo.submission(ALICE).send(ALICE, &[to], &Letter::new(ALICE, to, subject).bytes());
    }
    demo.imap(BOB).wait_for("INBOX", "to the world");
    let forged = Letter::new(BOB, ALICE, "forged").bytes();
    demo.exchange("home.test").try_send("x@nowhere.test", &[ALICE], &forged).unwrap().expect(550);
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    eventually("reports are sent", DELIVERY, || {
        let sent = demo.command("world.test").args(["report", "send", "--day", &today]).run();
        sent.output.contains("home.test").then_some(())
    });
    eventually("reports have arrived, and a letter waits", DELIVERY, || {
        let reports = home().args(["report", "list"]).run();
        let queue = home().args(["queue", "list"]).run();
        (reports.output.contains("world.test") && queue.output.contains(waiting)).then_some(())
    });
    demo
}

#[test]
fn every_page_of_an_operator_is_fit_to_be_seen_after_a_busy_day() {
    let demo = busy_day();
    let browser = signed_in(&demo, OPERATOR);
    Walk::new(&browser, "busy").from("/").found_no_fault(24);
}

#[test]
fn every_page_is_fit_to_be_seen_while_there_is_nothing_in_it() {
    let demo = demo();
    let browser = signed_in(&demo, OPERATOR);
    Walk::new(&browser, "empty").from("/").found_no_fault(20);
}

#[test]
fn every_page_of_one_who_only_has_mail_here_is_fit_to_be_seen() {
    let demo = demo();
    let browser = signed_in(&demo, ALICE);
    Walk::new(&browser, "alice").from("/").found_no_fault(9);
}

#[test]
fn the_front_page_is_fit_to_be_seen() {
    let demo = demo();
    let browser = Browser::start(&demo.site("home.test"));
    Walk::new(&browser, "visitor").from("/").from("/login").found_no_fault(2);
}

/// What looks for faults must find some where there are any.
#[test]
fn a_page_full_of_faults_does_not_pass() {
    let browser = Browser::start("");
    browser.open(
        "data:text/html,<title>x</title><main><h1>x</h1><img src=x><input><script src=http://127.0.0.1:9/></script>\
         <p style='color:%23ddd'>pale</p><p style='width:3000px'>wide",
    );
    let found = browser.faults().join("\n");
    for fault in ["html-has-lang", "image-alt", "label", "color-contrast", "the console", "sticks out"] {
        assert!(found.contains(fault), "no {fault} in\n{found}");
    }
    let unscripted = Browser::without_javascript("");
    unscripted
        .open("data:text/html,<title>plain</title><script>document.title='run'</script><noscript>none</noscript>");
    assert_eq!((unscripted.title().as_str(), unscripted.text().as_str()), ("plain", "none"));
}
