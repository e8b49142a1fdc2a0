//! The queue's heartbeat: takes what is due and hands it out.

use std::sync::Arc;
use std::time::Duration;

use mailstead_inbound::Signing;
use mailstead_net::dns::Dns;
use mailstead_store::{QueueEntry, Store, StoreError, Timestamp};
use tokio::sync::watch;

use crate::dispatch::Dispatch;
use crate::policy::Patience;
use crate::run::{self, Taken};
use crate::sts::{self, Failures};
use crate::{Context, Policy, destination, retry};

/// Entries read from the store at once.
const BATCH: usize = 500;
/// Entries under way at most, to bound memory. Due ones beyond wait in the store until some have landed.
const MAX_TAKEN: usize = 10_000;
/// Longest sleep: the clock may be set while we sleep.
const MAX_SLEEP: Duration = Duration::from_secs(60);
/// Sleep while entries that are due are under way: they hide from us when the next one is due.
const BUSY_SLEEP: Duration = Duration::from_secs(5);

/// Takes what is due from the queue and delivers it.
pub struct Runner {
    context: Arc<Context>,
}

impl Runner {
    /// Makes a runner; nothing happens before [`Self::run`].
    pub fn new(store: Store, dns: Arc<dyn Dns>, policy: Policy) -> Self {
        Self::with_patience(store, dns, policy, Patience::default())
    }

    pub(crate) fn with_patience(store: Store, dns: Arc<dyn Dns>, policy: Policy, patience: Patience) -> Self {
        let signing = Signing::new(store.clone());
        Self { context: Arc::new(Context { store, signing, dns, policy, patience, sts: Failures::default() }) }
    }

    /// Runs until `shutdown` turns true, then lets attempts under way finish (bounded) and returns.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let dispatch = Dispatch::new(self.context.clone(), shutdown.clone());
        let renewal = tokio::spawn(sts::renew(self.context.clone(), shutdown.clone()));
        let taken = Taken::default();
        let mut changes = self.context.store.watch_queue();
        while !*shutdown.borrow() {
            changes.borrow_and_update();
            let sleep = match self.take_due(&dispatch, &taken).await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::error!("the queue can't be read: {error}");
                    BUSY_SLEEP
                }
            };
            tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => break,
                changed = changes.changed() => if changed.is_err() { break },
                () = taken.landed() => {}
                () = tokio::time::sleep(sleep) => {}
            }
            // Each look costs as much as there is under way: the more, the rarer.
            let breath = Duration::from_millis(taken.entries().len() as u64 / 10);
            tokio::select! {
                _ = shutdown.wait_for(|closing| *closing) => break,
                () = tokio::time::sleep(breath) => {}
            }
        }
        dispatch.finish().await;
        if let Err(error) = renewal.await {
            tracing::error!("the renewal of MTA-STS policies ended by a fault of ours: {error}");
        }
    }

    /// Takes all that is due; gives the time until something is due again.
    async fn take_due(&self, dispatch: &Arc<Dispatch>, taken: &Taken) -> Result<Duration, StoreError> {
        loop {
            let under_way = taken.entries();
            let (now, limit) = (self.context.now(), under_way.len() + BATCH);
            let store = self.context.store.clone();
            let horizon = retry::horizon(&self.context.policy.schedule, now);
            let look = move || {
                let next = store.next_due()?;
                // Nothing is ever due so late: the clock was set back, and what waits must not wait with it.
                let until = next.filter(|next| *next > horizon).unwrap_or(now);
                Ok::<_, StoreError>((store.due(until, limit)?, next))
            };
            let (due, next) =
                tokio::task::spawn_blocking(look).await.map_err(|error| StoreError::Io(error.to_string()))??;
            let complete = due.len() < limit;
            let room = MAX_TAKEN.saturating_sub(under_way.len());
            let fresh: Vec<QueueEntry> =
                due.into_iter().filter(|entry| !under_way.contains(&entry.id)).take(room).collect();
            let mut progress = false;
            for entry in fresh {
                let relay = destination::relay_of(&self.context.store, &entry.reverse_path)?;
                for (destination, part) in run::take(taken, entry, relay.as_ref()) {
                    dispatch.push(destination, part);
                    progress = true;
                }
            }
            if complete || !progress {
                return Ok(sleep_until(next, now));
            }
        }
    }
}

fn sleep_until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    match next.map(|next| u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0)) {
        None => MAX_SLEEP,
        Some(0) => BUSY_SLEEP,
        Some(seconds) => Duration::from_secs(seconds).min(MAX_SLEEP),
    }
}

#[cfg(test)]
mod tests;
