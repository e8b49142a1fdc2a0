//! `/queue`: what waits to go out, why, and what can be done about it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::confirm;
use mailstead_admin_ui::parts::Light;
use mailstead_admin_ui::queue::{self, Entry, Recipient, View};
use mailstead_store::{QueueAction, RecipientState, TlsNeed};

use super::{Nothing, Place, cut};
use crate::control::{Answer, QueueView, RecipientView, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site};

const HERE: &str = "/queue";
/// Entries on one page.
const PAGE: usize = 20;
/// Recipients shown of one entry.
const RECIPIENTS: usize = 6;
/// Characters shown of a server's last words.
const MAX_WHY: usize = 400;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route(HERE, get(show))
        .route("/queue/retry", post(retry_all))
        .route("/queue/{id}/retry", post(retry))
        .route("/queue/{id}/hold", post(hold))
        .route("/queue/{id}/bounce", get(ask_bounce).post(bounce))
        .route("/queue/{id}/remove", get(ask_remove).post(remove))
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Query(place): Query<Place>) -> Page {
    let list = list(&site).await?;
    let total = list.len();
    let (page, newer, older) = place.around(HERE, total, PAGE);
    let now = jiff::Timestamp::now().as_second();
    let view = View {
        total,
        newer,
        older,
        entries: list.into_iter().skip(page * PAGE).take(PAGE).map(|one| entry(one, now)).collect(),
    };
    Ok(Html(queue::page(&site.frame(&governor, "Queue", HERE), &view)))
}

async fn list(site: &Site) -> Result<Vec<QueueView>, Problem> {
    match site.ask(Request::QueueList).await? {
        Answer::Queue(list) => Ok(list),
        _ => Err(Problem::not_found()),
    }
}

fn entry(view: QueueView, now: i64) -> Entry {
    let more = view.recipients.len().saturating_sub(RECIPIENTS);
    let due: Option<jiff::Timestamp> = view.due.parse().ok();
    Entry {
        id: view.id,
        trace: view.trace,
        from: Some(view.from).filter(|from| !from.is_empty()),
        size: view.size,
        since: view.created,
        is_due: due.is_some_and(|due| due.as_second() <= now),
        due: view.due,
        attempts: view.attempts,
        held: view.held,
        tls: match view.tls {
            TlsNeed::Usual => None,
            TlsNeed::Required => Some("its sender wants it encrypted all the way, or back"),
            TlsNeed::Waived => Some("its sender does not mind if it is not encrypted"),
        },
        recipients: view.recipients.into_iter().take(RECIPIENTS).map(recipient).collect(),
        more,
    }
}

fn recipient(view: RecipientView) -> Recipient {
    let (light, standing) = match (view.state, &view.last) {
        (RecipientState::Waiting, None) => (Light::Unknown, "not tried yet"),
        (RecipientState::Waiting, Some(_)) => (Light::Warn, "not yet"),
        (RecipientState::Delivered, _) => (Light::Good, "delivered"),
        (RecipientState::Failed, _) => (Light::Bad, "failed, and the sender was told"),
    };
    let why = view.last.as_deref().filter(|_| view.state == RecipientState::Waiting).map(plain);
    Recipient { address: view.address, light, standing, why, last: view.last.map(|last| cut(&last, MAX_WHY)) }
}

/// Why it waits, in plain words: of what outbound writes down of a try.
fn plain(last: &str) -> &'static str {
    const CAUSES: [(&str, &str); 9] = [
        (" said: ", "Its mail server says: not now."),
        ("Connection refused", "Its mail server lets nobody connect at the moment."),
        ("may or may not", "The connection broke at the very end: it may have arrived all the same."),
        ("no answer within", "Its mail server does not answer."),
        ("not done within", "Its mail server takes too long to answer."),
        ("public internet", "Its domain leads to an address that is not on the public internet."),
        ("passed over", "No connection to its mail server was as safe as it has to be."),
        ("can't be found", "The DNS does not tell at the moment where its mail goes."),
        ("no server of", "None of its mail servers could be reached."),
    ];
    let cause = CAUSES.iter().find(|(words, _)| last.contains(words));
    cause.map_or("It did not get through this time.", |(_, plain)| plain)
}

async fn retry_all(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    site.act(&governor, Request::QueueRetryAll, HERE).await
}

async fn retry(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    site.act(&governor, Request::Queue { id, action: QueueAction::Retry }, HERE).await
}

async fn hold(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    site.act(&governor, Request::Queue { id, action: QueueAction::Hold }, HERE).await
}

async fn bounce(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    site.act(&governor, Request::QueueBounce { id }, HERE).await
}

async fn remove(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    site.act(&governor, Request::Queue { id, action: QueueAction::Remove }, HERE).await
}

async fn ask_bounce(governor: Governor, State(site): State<Arc<Site>>, Path(id): Path<u64>) -> Page {
    let entry = find(&site, id).await?;
    let view = confirm::View {
        question: format!("Return this letter to {}?", sender(&entry)),
        meaning: vec![
            format!("{} will not get it.", waiting(&entry)),
            format!("{} is told that it was given up, and gets its beginning back.", sender(&entry)),
            "If a server is taking it at this very moment, it may arrive nevertheless.".to_owned(),
        ],
        path: format!("{HERE}/{id}/bounce"),
        label: "Return it",
        destroys: true,
        back: HERE.to_owned(),
    };
    Ok(Html(confirm::page(&site.frame(&governor, "Return a letter", HERE), &view)))
}

async fn ask_remove(governor: Governor, State(site): State<Arc<Site>>, Path(id): Path<u64>) -> Page {
    let entry = find(&site, id).await?;
    let view = confirm::View {
        question: format!("Remove this letter from {}?", sender(&entry)),
        meaning: vec![
            format!("{} will not get it.", waiting(&entry)),
            "Its sender is not told, and goes on believing that it is on its way.".to_owned(),
            "It can't be brought back from here; a copy may be in the sender's own mailbox.".to_owned(),
        ],
        path: format!("{HERE}/{id}/remove"),
        label: "Remove it",
        destroys: true,
        back: HERE.to_owned(),
    };
    Ok(Html(confirm::page(&site.frame(&governor, "Remove a letter", HERE), &view)))
}

async fn find(site: &Site, id: u64) -> Result<QueueView, Problem> {
    list(site).await?.into_iter().find(|entry| entry.id == id).ok_or_else(Problem::not_found)
}

fn sender(entry: &QueueView) -> String {
    if entry.from.is_empty() { "this server itself".to_owned() } else { entry.from.clone() }
}

/// Those who still wait for it.
fn waiting(entry: &QueueView) -> String {
    let waiting = entry.recipients.iter().filter(|recipient| recipient.state == RecipientState::Waiting);
    let names: Vec<&str> = waiting.map(|recipient| recipient.address.as_str()).collect();
    match names.as_slice() {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_message::{Address, TraceId};
    use mailstead_store::{Acceptance, NewQueueEntry, NewRecipient, Prepared, QueueId, Settlement, Store, Timestamp};

    use super::*;
    use crate::http::tests::{Browser, site};

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    async fn enqueue(store: &Store, number: u32, from: Option<&str>, to: &str) {
        let recipient = NewRecipient { address: address(to), orcpt: None, notify: None };
        let entry = NewQueueEntry {
            reverse_path: from.map(address),
            recipients: vec![recipient],
            envid: None,
            ret: None,
            eight_bit: false,
            smtputf8: false,
            tls: TlsNeed::Required,
        };
        let letter = Acceptance {
            message: Prepared::from_bytes(b"Subject: x\r\n\r\nHello\r\n").unwrap(),
            trace: TraceId::new(1, number),
            received: Timestamp(jiff::Timestamp::now().as_second()),
            deliveries: Vec::new(),
            queue: vec![entry],
            story: Vec::new(),
            report: None,
        };
        store.accept(vec![letter]).await.unwrap();
    }

    async fn governed() -> (tempfile::TempDir, Site, Browser) {
        let folder = tempfile::tempdir().unwrap();
        let mut site = site(folder.path(), None).await;
        site.operator = crate::control::Operator::stopped(site.store.clone(), Some("mail.home.test".to_owned()));
        let browser = Browser::operator(&site).await;
        (folder, site, browser)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_is_shown_with_the_last_reply_and_nothing_of_it_is_markup() {
        let (_folder, site, mut browser) = governed().await;
        assert!(browser.get("/queue").await.contains("Nothing waits"));
        enqueue(&site.store, 1, Some("\"<script>\"@home.test"), "bob@dead.test").await;
        let reply = "451 <img src=x onerror=alert(1)>".to_owned();
        let settlement = Settlement {
            recipients: vec![(0, RecipientState::Waiting, reply)],
            attempted: true,
            due: Some(Timestamp(jiff::Timestamp::now().as_second() + 600)),
            ..Settlement::default()
        };
        let id = site.store.queue().unwrap().first().unwrap().id;
        site.store.settle(id, settlement, Vec::new()).await.unwrap();
        let page = browser.get("/queue").await;
        assert!(
            page.contains("bob@dead.test")
                && page.contains("did not get through")
                && page.contains("encrypted all the way"),
            "{page}"
        );
        assert!(page.contains("&lt;img src=x") && !page.contains("<img"), "{page}");
        assert!(!page.contains("<script>\""), "{page}");
        assert!(page.contains("data-live=\"queue\""));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_letter_is_held_retried_and_removed_after_a_question() {
        let (_folder, site, mut browser) = governed().await;
        enqueue(&site.store, 1, Some("alice@home.test"), "bob@dead.test").await;
        let QueueId(id) = site.store.queue().unwrap().first().unwrap().id;
        browser.get("/queue").await;
        assert!(browser.post(&format!("/queue/{id}/hold"), "", false).await.starts_with("HTTP/1.1 403"));
        browser.post(&format!("/queue/{id}/hold"), "", true).await;
        assert!(site.store.queue().unwrap().first().unwrap().held);
        assert!(browser.get("/queue").await.contains("is held until you retry it"));
        browser.post("/queue/retry", "", true).await;
        assert!(browser.get("/queue").await.contains("Nothing waits to be tried."), "what is held stays held");
        browser.post(&format!("/queue/{id}/retry"), "", true).await;
        assert!(!site.store.queue().unwrap().first().unwrap().held);
        let question = browser.get(&format!("/queue/{id}/remove")).await;
        assert!(question.contains("bob@dead.test will not get it") && question.contains("not told"), "{question}");
        browser.post(&format!("/queue/{id}/remove"), "", true).await;
        assert!(site.store.queue().unwrap().is_empty());
        assert!(browser.get(&format!("/queue/{id}/remove")).await.starts_with("HTTP/1.1 404"));
        let story = site.store.story(TraceId::new(1, 1)).unwrap().unwrap();
        assert!(story.events.last().unwrap().text.contains("the sender was not told"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_letter_given_up_comes_back_to_its_sender_in_a_report() {
        let (_folder, site, mut browser) = governed().await;
        enqueue(&site.store, 1, Some("postmaster@home.test"), "bob@dead.test").await;
        enqueue(&site.store, 2, None, "carol@dead.test").await;
        let ids: Vec<u64> = site.store.queue().unwrap().iter().map(|entry| entry.id.0).collect();
        let page = browser.get("/queue").await;
        assert!(page.contains(&format!("/queue/{}/bounce", ids[0])), "{page}");
        assert!(!page.contains(&format!("/queue/{}/bounce", ids[1])), "a report is never returned: {page}");
        browser.get(&format!("/queue/{}/bounce", ids[0])).await;
        browser.post(&format!("/queue/{}/bounce", ids[0]), "", true).await;
        let page = browser.get("/queue").await;
        assert!(page.contains("is given up, and postmaster@home.test is told."), "{page}");
        assert_eq!(site.store.queue().unwrap().len(), 1);
        let account = site.store.accounts().unwrap().remove(0);
        assert!(account.used > 0, "the report is in the sender's mailbox");
        browser.post(&format!("/queue/{}/bounce", ids[1]), "", true).await;
        assert!(browser.get("/queue").await.contains("nobody to return it to"));
        assert_eq!(site.store.queue().unwrap().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_queue_is_shown_page_by_page_and_each_is_small() {
        let (_folder, site, mut browser) = governed().await;
        let long = format!("{}@{}.test", "x".repeat(60), "y".repeat(60));
        for number in 0..45 {
            enqueue(&site.store, number, Some(&long), &long).await;
        }
        let first = browser.get("/queue").await;
        assert!(
            first.len() < 100_000 && first.contains("/queue?page=1") && first.contains("45 letters"),
            "{}",
            first.len()
        );
        let last = browser.get("/queue?page=900").await;
        assert!(last.contains("/queue?page=1") && !last.contains("/queue?page=3"), "{last}");
    }
}
