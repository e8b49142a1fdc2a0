//! What is found out about the host and the domains, kept for the pages, which must not wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailstead_advice::doctor::Examination;

use super::Site;

/// What is older is found out anew when somebody looks.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// What was found out last.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    latest: Mutex<Option<Arc<Round>>>,
    under_way: AtomicBool,
}

/// What was found out at one time.
#[derive(Debug)]
pub(crate) struct Round {
    /// Of the host.
    pub(crate) host: Examination,
    ended: std::time::Instant,
}

impl Rounds {
    /// What was found out last.
    pub(crate) fn latest(&self) -> Option<Arc<Round>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It is being found out at this moment.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed)
    }
}

impl Site {
    /// Finds out anew, in the background, what is missing or old.
    pub(crate) fn keep_rounds_fresh(self: &Arc<Self>) {
        let rounds = &self.desk.rounds;
        let fresh = rounds.latest().is_some_and(|round| round.ended.elapsed() < FRESH);
        if !fresh && !rounds.is_under_way() && self.operator.doctor().is_some() {
            let site = Arc::clone(self);
            tokio::spawn(async move { site.go_round().await });
        }
    }

    /// Finds out anew; takes some seconds. While one round is under way another one only waits for its end.
    pub(crate) async fn go_round(&self) {
        let Some(doctor) = self.operator.doctor() else { return };
        let _under_way = UnderWay::begin(&self.desk.rounds.under_way);
        let books = match self.operator.books() {
            Ok(books) => books,
            Err(error) => {
                tracing::error!(%error, "the store can't be read for the doctor");
                return;
            }
        };
        let host = doctor.examine(books).await;
        let round = Arc::new(Round { host, ended: std::time::Instant::now() });
        *self.desk.rounds.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(round);
        self.desk.checks_changed();
    }
}

/// Says that a round is under way, until it is dropped.
struct UnderWay<'a>(&'a AtomicBool);

impl<'a> UnderWay<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
