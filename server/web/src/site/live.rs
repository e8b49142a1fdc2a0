//! Pages that follow what happens: server-sent events that say which topics have changed.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use mailstead_store::StoreError;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;

use super::Site;
use super::problem::Problem;
use super::visit::Governor;

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(2);
/// Pages that follow at once.
const MAX_FOLLOWERS: usize = 32;

/// Places for pages that follow.
#[derive(Debug)]
pub(super) struct Followers(Arc<Semaphore>);

impl Followers {
    /// True while a page follows.
    pub(super) fn any(&self) -> bool {
        self.0.available_permits() < MAX_FOLLOWERS
    }
}

impl Default for Followers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_FOLLOWERS)))
    }
}

/// What a page can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// What waits to go out.
    Queue,
    /// The latest letters.
    Activity,
    /// What is found out about the host and the domains.
    Checks,
}

impl Topic {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "queue" => Self::Queue,
            "activity" => Self::Activity,
            "checks" => Self::Checks,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Activity => "activity",
            Self::Checks => "checks",
        }
    }

    /// A number that changes with what there is to see.
    fn state(self, site: &Site) -> Result<u64, StoreError> {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Queue => {
                for entry in site.store.queue()? {
                    (entry.id.0, entry.due.0, entry.attempts, entry.held).hash(&mut hasher);
                }
            }
            Self::Activity => site.store.commits()?.hash(&mut hasher),
            Self::Checks => site.desk.checks().hash(&mut hasher),
        }
        Ok(hasher.finish())
    }
}

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/events", get(events))
}

#[derive(Deserialize)]
struct Wanted {
    topics: String,
}

async fn events(_: Governor, State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Response {
    let mut topics: Vec<Topic> = Vec::new();
    for topic in wanted.topics.split(',').filter_map(Topic::named) {
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    let Ok(place) = Arc::clone(&site.desk.followers.0).try_acquire_owned() else {
        return Problem::later("Too many pages follow this server.").into_response();
    };
    let following = Following::new(site, topics, place);
    let stream = futures_util::stream::unfold(following, Following::next);
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// A page that follows.
struct Following {
    site: Arc<Site>,
    topics: Vec<(Topic, Option<u64>)>,
    /// Commits of the store when it was looked at last.
    commits: Option<u64>,
    ticks: tokio::time::Interval,
    changed: Vec<Topic>,
    _place: OwnedSemaphorePermit,
}

impl Following {
    fn new(site: Arc<Site>, topics: Vec<Topic>, place: OwnedSemaphorePermit) -> Self {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let topics = topics.into_iter().map(|topic| (topic, topic.state(&site).ok())).collect();
        Self { site, topics, commits: None, ticks, changed: Vec::new(), _place: place }
    }

    /// The next event; none when the server stops.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut stopped = self.site.stopped.clone();
        loop {
            if let Some(topic) = self.changed.pop() {
                return Some((Ok(Event::default().data(topic.name())), self));
            }
            tokio::select! {
                _ = self.ticks.tick() => {}
                _ = stopped.wait_for(|stop| *stop) => return None,
            }
            let commits = self.site.store.commits().ok();
            let quiet = commits.is_some() && commits == self.commits;
            self.commits = commits;
            for (topic, known) in &mut self.topics {
                // A long queue is read again only when something was written.
                if quiet && *topic != Topic::Checks {
                    continue;
                }
                let Ok(state) = topic.state(&self.site) else { continue };
                if *known != Some(state) {
                    *known = Some(state);
                    self.changed.push(*topic);
                }
            }
        }
    }
}
