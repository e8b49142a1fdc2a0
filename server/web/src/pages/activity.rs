//! `/activity`: every message in and out, and the whole story of one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use mailstead_admin_ui::activity::{self, Check, Direction, Event, Line, Refusal, Story, View};
use mailstead_admin_ui::parts::Light;
use mailstead_message::{Address, TraceId};
use serde::Deserialize;

use super::cut;
use crate::control::{Answer, CheckView, DirectionView, LetterDetail, LetterView, Outcome, Remedy, Request};
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead};

const HERE: &str = "/activity";
/// Lines on one page.
const PAGE: usize = 50;
/// Recipients shown in a line.
const RECIPIENTS: usize = 3;
/// Events of a story shown from its beginning, and as many from its end.
const EVENTS: usize = 40;
/// Characters shown of one event.
const MAX_TEXT: usize = 500;
/// Characters of a search that are repeated.
const MAX_QUERY: usize = 320;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(show)).route("/activity/{trace}", get(story))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    q: String,
    before: Option<String>,
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Response {
    let query = cut(wanted.q.trim(), MAX_QUERY);
    if query.parse::<TraceId>().is_ok() {
        return lead(&format!("{HERE}/{}", query.to_ascii_lowercase()));
    }
    match list(&site, &query, wanted.before).await {
        Ok(view) => Html(activity::page(&site.frame(&governor, "Activity", HERE), &view)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn list(site: &Site, query: &str, before: Option<String>) -> Result<View, Problem> {
    let address = match query {
        "" => None,
        text => match Address::parse(text) {
            Ok(address) => Some(address),
            Err(_) => return Ok(unreadable(query)),
        },
    };
    let is_first = before.is_none();
    let Answer::Activity(letters) = site.ask(Request::Activity { address, before, limit: PAGE }).await? else {
        return Err(Problem::not_found());
    };
    let path = |before: Option<&str>| {
        let pairs = [("q", Some(query).filter(|query| !query.is_empty())), ("before", before)];
        let pairs: Vec<_> = pairs.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
        format!("{HERE}?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    };
    let last = letters.last().filter(|_| letters.len() == PAGE);
    Ok(View {
        newer: (!is_first).then(|| path(None)),
        older: last.map(|last| path(Some(&last.trace))),
        lines: letters.into_iter().map(line).collect(),
        query: query.to_owned(),
        problem: None,
    })
}

fn unreadable(query: &str) -> View {
    let problem = "That is neither a mail address, such as alice@example.org, nor the id of a letter, which has 13 \
                   letters and digits.";
    View { query: query.to_owned(), problem: Some(problem.to_owned()), ..View::default() }
}

fn line(letter: LetterView) -> Line {
    Line {
        trace: letter.trace,
        at: letter.at,
        from: letter.from,
        more: letter.to.len().saturating_sub(RECIPIENTS),
        to: letter.to.into_iter().take(RECIPIENTS).collect(),
        direction: letter.direction.map(|direction| match direction {
            DirectionView::In => Direction::In,
            DirectionView::Out => Direction::Out,
            DirectionView::Own => Direction::Own,
        }),
        outcome: outcome(letter.outcome),
    }
}

/// What has become of a letter, with its colour.
pub(super) fn outcome(outcome: Outcome) -> activity::Outcome {
    let (light, word) = match outcome {
        Outcome::Delivered => (Light::Good, "delivered"),
        Outcome::Sent => (Light::Good, "sent"),
        Outcome::Read => (Light::Good, "report read"),
        Outcome::Junk => (Light::Warn, "in Junk"),
        Outcome::Waiting => (Light::Warn, "waiting"),
        Outcome::PartlyFailed => (Light::Bad, "partly failed"),
        Outcome::Failed => (Light::Bad, "failed"),
        Outcome::PartlyRefused => (Light::Warn, "partly refused"),
        Outcome::Refused => (Light::Bad, "refused"),
        Outcome::Abandoned => (Light::Unknown, "broken off"),
        Outcome::Removed => (Light::Unknown, "removed"),
        Outcome::Unknown => (Light::Unknown, "see its story"),
    };
    activity::Outcome { light, word: word.to_owned() }
}

async fn story(governor: Governor, State(site): State<Arc<Site>>, Path(trace): Path<String>) -> Page {
    let id = trace.parse::<TraceId>().map_err(|_| Problem::not_found())?.to_string();
    let detail = match site.ask(Request::Story { id }).await {
        Ok(Answer::Story(detail)) => *detail,
        Ok(_) | Err(_) => return Err(Problem::not_found()),
    };
    let view = told(detail);
    Ok(Html(activity::story(&site.frame(&governor, "A letter's story", HERE), &view)))
}

fn told(detail: LetterDetail) -> Story {
    let details = [
        ("Id", Some(detail.letter.trace.clone())),
        ("Sender's server by DNS", detail.reverse_name),
        ("Authentication-Results", detail.results.map(|results| cut(&results, 4 * MAX_TEXT))),
    ];
    let untold = detail.events.len().saturating_sub(2 * EVENTS);
    let events = detail.events.into_iter().enumerate();
    let events = events.filter(|(index, _)| *index < EVENTS || *index >= EVENTS + untold);
    Story {
        line: line(detail.letter),
        sentence: detail.sentence,
        refusal: detail.refusal.map(|Remedy { why, sender, operator }| Refusal { why, sender, operator }),
        queued: detail.queued.is_some(),
        checks: detail.checks.into_iter().map(check).collect(),
        events: events.map(|(_, event)| Event { at: event.at, text: cut(&event.text, MAX_TEXT) }).collect(),
        untold,
        details: details.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    }
}

fn check(check: CheckView) -> Check {
    let (light, word) = match check.result.as_str() {
        "pass" => (Light::Good, "passed"),
        "fail" => (Light::Bad, "failed"),
        "softfail" => (Light::Warn, "rather failed"),
        "none" => (Light::Unknown, "none"),
        "temperror" => (Light::Unknown, "not known then"),
        "permerror" => (Light::Warn, "faulty"),
        "policy" => (Light::Warn, "too weak"),
        _ => (Light::Unknown, "says nothing"),
    };
    let name = match check.name.as_str() {
        "SPF" => "SPF",
        "DKIM" => "DKIM",
        _ => "DMARC",
    };
    Check { name, light, word, meaning: cut(&check.meaning, MAX_TEXT) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_message::Domain;
    use mailstead_store::{
        AuthResult, Came, Direction as From, DmarcPolicy, Fate, ReplyCode, SpfAuth, StoryEvent, Timestamp, Verdict,
    };

    use super::*;
    use crate::http::tests::{Browser, site};

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn event(from: &str, to: &str, text: &str, fate: Fate, refused: Option<ReplyCode>) -> StoryEvent {
        let came = Came { direction: From::In, has_sender: true, refused };
        let now = Timestamp(jiff::Timestamp::now().as_second());
        StoryEvent::new(now, text.to_owned(), vec![address(from), address(to)])
            .meaning(Some(came), vec![(address(to), fate)])
    }

    async fn flushed(site: &Site) {
        site.store.set_smarthost(None, None).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn letters_are_listed_newest_first_and_found_by_address_and_id() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        assert!(browser.get("/activity").await.contains("No letters yet"));
        for number in 0..120 {
            let from = format!("{}{number}@world.test", "b".repeat(50));
            let told = event(&from, "alice@home.test", "It came.", Fate::Stored, None);
            site.store.tell(TraceId::new(7, number), vec![told]);
        }
        flushed(&site).await;
        let page = browser.get("/activity").await;
        assert!(page.len() < 100_000, "{}", page.len());
        assert!(page.contains("b119@world.test → alice@home.test") && !page.contains("b69@world.test"), "{page}");
        let older = format!("before={}", TraceId::new(7, 70));
        assert!(page.contains(&older), "{page}");
        let page = browser.get(&format!("/activity?{older}")).await;
        assert!(page.contains("b69@world.test") && page.contains("b20@world.test"), "{page}");
        assert!(!page.contains("b19@world.test") && !page.contains("b70@world.test"), "{page}");
        let page = browser.get(&format!("/activity?q={}7%40world.test", "b".repeat(50))).await;
        assert!(page.contains("b7@world.test") && !page.contains("b8@world.test"), "{page}");
        let page = browser.get(&format!("/activity?q=alice%40home.test&before={}", TraceId::new(7, 1))).await;
        assert!(page.contains("b0@world.test") && !page.contains("b1@world.test"), "{page}");
        let away = browser.get(&format!("/activity?q={}", TraceId::new(7, 7))).await;
        assert!(away.contains(&format!("location: /activity/{}", TraceId::new(7, 7))), "{away}");
        let page = browser.get("/activity?q=%3Cscript%3E").await;
        assert!(page.contains("neither a mail address") && !page.contains("value=\"<script>"), "{page}");
        assert!(browser.get("/activity/nonsense").await.starts_with("HTTP/1.1 404"));
        assert!(browser.get(&format!("/activity/{}", TraceId::new(8, 8))).await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_refused_letter_says_why_and_what_can_be_done_and_nothing_of_it_is_markup() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        let evil = "<script>alert(1)</script>";
        let verdict = Verdict {
            results: evil.to_owned(),
            told: vec![evil.to_owned()],
            reverse_name: None,
            spf: SpfAuth { domain: evil.to_owned(), of_helo: false, result: AuthResult::Fail },
            dkim: Vec::new(),
            author: Domain::parse("bank.test").ok(),
            dmarc: AuthResult::Fail,
            disposition: DmarcPolicy::Reject,
        };
        let refused = Some((550, Some((5, 7, 1))));
        let told = event("\"<b>\"@bank.test", "alice@home.test", evil, Fate::Refused, refused);
        site.store.tell_judged(TraceId::new(9, 9), vec![told], verdict);
        flushed(&site).await;
        let page = browser.get(&format!("/activity/{}", TraceId::new(9, 9))).await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        for words in ["refused", "nothing proves it", "Why it was not taken", "SPF record or sign", "sealer trust"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("<script>alert") && !page.contains("<b>\""), "{page}");
        let list = browser.get("/activity").await;
        assert!(list.contains("class=\"chip bad\"") && !list.contains("<b>\""), "{list}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_story_without_end_makes_a_page_that_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        let long = "&".repeat(2_000);
        let told = (0..1_000).map(|_| event("b@world.test", "a@home.test", &long, Fate::Waiting, None)).collect();
        site.store.tell(TraceId::new(9, 9), told);
        flushed(&site).await;
        let page = browser.get(&format!("/activity/{}", TraceId::new(9, 9))).await;
        assert!(page.contains("920 events in the middle are left out"), "{page}");
    }
}
