//! What was last seen of each domain in DNS, and looking again while somebody watches.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mailstead_advice::doctor::Light;
use mailstead_advice::records::DomainCheck;
use mailstead_message::Domain;

use super::Site;
use super::problem::Problem;
use crate::control::{Answer, Request};

/// A page waits so long for the first look.
const WAIT: Duration = Duration::from_secs(3);
/// Between looks while somebody watches and something is left to do.
const AGAIN: Duration = Duration::from_secs(5);
/// Looks in a row: who leaves a page open overnight need not ask DNS all the time.
const LOOKS: usize = 720;

/// What was last seen of each domain.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    checks: HashMap<String, (DomainCheck, Instant)>,
    /// Domains that are being watched.
    watched: HashSet<String>,
}

impl Checks {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was last seen of a domain, and how long ago.
    pub(crate) fn last(&self, domain: &Domain) -> Option<(DomainCheck, Duration)> {
        let seen = self.seen();
        seen.checks.get(domain.as_str()).map(|(check, at)| (check.clone(), at.elapsed()))
    }

    /// Forgets what was seen: something has changed here.
    pub(crate) fn forget(&self, domain: &Domain) {
        self.seen().checks.remove(domain.as_str());
    }

    /// Keeps what was seen; true when it differs from what was seen before.
    fn keep(&self, domain: &Domain, check: DomainCheck) -> bool {
        let bare = |check: &DomainCheck| DomainCheck { at: None, ..check.clone() };
        let before = self.seen().checks.insert(domain.as_str().to_owned(), (check.clone(), Instant::now()));
        before.is_none_or(|(before, _)| bare(&before) != bare(&check))
    }
}

impl Site {
    /// How a domain stands in DNS: what was seen just now, or what was seen before while it is looked at anew. `None`
    /// where the first look takes long.
    ///
    /// # Errors
    /// It can't be looked at.
    pub(crate) async fn seen_of(self: &Arc<Self>, domain: &Domain) -> Result<Option<DomainCheck>, Problem> {
        if let Some((check, _)) = self.desk.domains.last(domain) {
            self.watch(domain);
            return Ok(Some(check));
        }
        let looking = tokio::spawn({
            let (site, domain) = (Arc::clone(self), domain.clone());
            async move { site.look_at(&domain).await }
        });
        let seen = tokio::time::timeout(WAIT, looking).await;
        self.watch(domain);
        match seen {
            Ok(Ok(found)) => found.map(Some),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// Looks at a domain's records now.
    ///
    /// # Errors
    /// They can't be looked at.
    pub(crate) async fn look_at(&self, domain: &Domain) -> Result<DomainCheck, Problem> {
        let request = Request::DomainCheck { domain: domain.clone(), hostname: None };
        let Answer::DomainCheck(check) = self.ask(request).await? else { return Err(Problem::not_found()) };
        if self.desk.domains.keep(domain, (*check).clone()) {
            self.desk.checks_changed();
        }
        Ok(*check)
    }

    /// Looks again and again, while somebody follows a page and something is left to do.
    pub(crate) fn watch(self: &Arc<Self>, domain: &Domain) {
        if !self.desk.domains.seen().watched.insert(domain.as_str().to_owned()) {
            return;
        }
        let watcher = Watcher { site: Arc::clone(self), domain: domain.clone() };
        tokio::spawn(watcher.run());
    }
}

/// Looks again and again. Dropped, another may begin.
struct Watcher {
    site: Arc<Site>,
    domain: Domain,
}

impl Watcher {
    async fn run(self) {
        let mut stopped = self.site.stopped.clone();
        for _ in 0..LOOKS {
            let age = self.site.desk.domains.last(&self.domain).map(|(_, age)| age);
            if age.is_none_or(|age| age >= AGAIN) && self.site.look_at(&self.domain).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            if !self.site.desk.is_followed() || self.is_settled() {
                return;
            }
        }
    }

    /// Nothing is left to do.
    fn is_settled(&self) -> bool {
        let last = self.site.desk.domains.last(&self.domain);
        last.is_some_and(|(check, _)| check.entries.iter().all(|entry| entry.light() == Light::Good))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.site.desk.domains.seen().watched.remove(self.domain.as_str());
    }
}
