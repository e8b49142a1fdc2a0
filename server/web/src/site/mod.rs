//! What all pages share: who visits, forms that are ours, notices, and the way from a page to what it asks for.

pub(crate) mod checks;
mod flash;
pub(crate) mod form;
pub(crate) mod live;
pub(crate) mod problem;
pub(crate) mod rounds;
pub(crate) mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::{Html, IntoResponse, Redirect, Response};
use mailstead_admin_ui::{Frame, Notice, NoticeKind, front};
use mailstead_net::{Certificates, Gate};
use mailstead_store::{SessionKey, Store};
use tokio::sync::watch;

use crate::control::{self, Answer, Operator, Request};
use flash::Flashes;
use problem::Problem;
use visit::Visit;

/// What a handler gives: a page, or why there is none.
pub(crate) type Page = Result<Html<String>, Problem>;

/// What the pages tell of, and who carries out what they ask.
#[derive(Clone)]
pub struct Site {
    /// What a person types into a mail program.
    pub settings: front::Settings,
    /// The store, asked for its health and its domains, and who is signed in.
    pub store: Store,
    /// What HTTPS shows, and what certificate authorities are answered.
    pub certificates: Certificates,
    /// The port of HTTPS, to which plain HTTP leads; without one the pages are served plain.
    pub https: Option<u16>,
    /// Carries out what people ask for: the same that the command line has.
    pub operator: Operator,
    /// The guard against password guessing, shared with the mail protocols.
    pub gate: Arc<Gate>,
    /// Turns true when the server stops.
    pub stopped: watch::Receiver<bool>,
    /// What pages keep between requests.
    pub desk: Arc<Desk>,
}

/// What pages keep between requests; gone with the process.
#[derive(Debug, Default)]
pub struct Desk {
    flashes: Flashes,
    /// Counts what has been found out anew about the host and the domains.
    checks: AtomicU64,
    followers: live::Followers,
    /// What was last seen of each domain in DNS.
    pub(crate) domains: checks::Checks,
    pub(crate) rounds: rounds::Rounds,
    pub(crate) overview: crate::pages::overview::Memory,
}

impl Desk {
    /// Tells those who look at pages with checks that there are new results.
    pub fn checks_changed(&self) {
        self.checks.fetch_add(1, Ordering::Relaxed);
    }

    /// True while a page follows.
    pub(crate) fn is_followed(&self) -> bool {
        self.followers.any()
    }

    pub(crate) fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }
}

impl Site {
    /// The frame of a page for a visitor, with the notices that wait for them.
    pub(crate) fn frame(&self, visit: &Visit, title: impl Into<String>, here: &'static str) -> Frame {
        Frame {
            title: title.into(),
            host: self.settings.host.clone(),
            visitor: visit.visitor(),
            here,
            csrf: visit.csrf(),
            notices: self.desk.flashes.take(visit.key()),
        }
    }

    /// Asks for something to show.
    ///
    /// # Errors
    /// What is to be shown instead.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Problem> {
        match self.operator.perform(request).await {
            control::Response::Ok(answer) => Ok(answer),
            control::Response::Error(text) => Err(Problem::refused(text)),
        }
    }

    /// Has something done, and leads to a page that says how it went.
    pub(crate) async fn act(&self, visit: &Visit, request: Request, to: &str) -> Response {
        let notice = match self.operator.perform(request).await {
            control::Response::Ok(Answer::Done(text)) => notice(NoticeKind::Done, &text),
            control::Response::Ok(Answer::Sentences(texts)) => notice(NoticeKind::Done, &texts.join(" ")),
            control::Response::Ok(_) => notice(NoticeKind::Done, "Done."),
            control::Response::Error(text) => notice(NoticeKind::Problem, &text),
        };
        tracing::info!(by = %visit.name(), said = ?notice.text, "asked for at the web");
        self.say(visit, notice);
        lead(to)
    }

    /// Leaves a notice for the visitor's next page.
    pub(crate) fn say(&self, visit: &Visit, notice: Notice) {
        self.say_to(visit.key(), notice);
    }

    /// The same for a visit that only begins.
    pub(crate) fn say_to(&self, visitor: SessionKey, notice: Notice) {
        self.desk.flashes.put(visitor, notice);
    }
}

/// A notice of a sentence, made a sentence if it is none yet.
pub(crate) fn notice(kind: NoticeKind, text: &str) -> Notice {
    // What comes after a doubt is a doubt, not a success.
    let kind = if kind == NoticeKind::Done && text.contains("Careful:") { NoticeKind::Careful } else { kind };
    Notice { kind, text: sentence(text) }
}

/// Begins with a capital letter and ends with a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let mut sentence: String = characters.next().map(char::to_uppercase).into_iter().flatten().collect();
    // Addresses keep their case.
    if text.split_whitespace().next().is_some_and(|word| word.contains('@') || word.contains('.')) {
        sentence = text.trim().chars().take(1).collect();
    }
    sentence.push_str(characters.as_str());
    if !sentence.ends_with(['.', '!', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

/// Leads to another page of ours, to be fetched with GET.
pub(crate) fn lead(to: &str) -> Response {
    Redirect::to(local_path(to)).into_response()
}

/// A path of ours, or else the front page: nobody is led elsewhere by what stands in a link.
pub(crate) fn local_path(path: &str) -> &str {
    let is_ours = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { path } else { "/" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(local_path("/queue?x=1#y"), "/queue?x=1#y");
        for elsewhere in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "/ä", "evil"] {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn errors_become_sentences() {
        assert_eq!(sentence("a password needs 8 characters"), "A password needs 8 characters.");
        assert_eq!(sentence("alice@home.test is there already"), "alice@home.test is there already.");
        assert_eq!(sentence("Done."), "Done.");
    }
}
