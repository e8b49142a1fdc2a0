//! Who works on what: a queue per destination, workers that drain it over their open connections.
//!
//! A destination gets a second worker only when the first has got through to it, so that dead destinations take few
//! places; and when it turns out to be dead, all that waits for it shares that one result.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Context;
use crate::attempt::attempt;
use crate::destination::Destination;
use crate::run::Part;
use crate::search::{Misfortune, Session};
use crate::settle::settle;

/// Outcomes written at once when a destination fails as a whole; the store commits them together.
const SETTLED_AT_ONCE: usize = 64;

/// Hands parts to workers.
pub(crate) struct Dispatch {
    context: Arc<Context>,
    /// Places for workers with something to do.
    places: Semaphore,
    /// Places for connections kept open without work.
    parking: Semaphore,
    desks: Mutex<HashMap<Destination, Desk>>,
    tasks: Mutex<JoinSet<()>>,
    shutdown: watch::Receiver<bool>,
}

/// A destination's work.
#[derive(Default)]
struct Desk {
    queue: VecDeque<Part>,
    workers: usize,
    lingering: usize,
    /// A worker has got through.
    alive: bool,
    bell: Arc<Notify>,
}

impl Dispatch {
    pub(crate) fn new(context: Arc<Context>, shutdown: watch::Receiver<bool>) -> Arc<Self> {
        let places = context.policy.concurrency.max(1);
        Arc::new(Self {
            context,
            places: Semaphore::new(places),
            parking: Semaphore::new(places),
            desks: Mutex::default(),
            tasks: Mutex::default(),
            shutdown,
        })
    }

    /// Gives a destination something to do.
    pub(crate) fn push(self: &Arc<Self>, destination: Destination, part: Part) {
        let mut desks = self.desks();
        let desk = desks.entry(destination.clone()).or_default();
        desk.queue.push_back(part);
        if desk.lingering > 0 {
            desk.bell.notify_one();
        }
        self.staff(&destination, desk);
    }

    /// Waits for what is under way, but not for long: what is dropped is still in the queue.
    pub(crate) async fn finish(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                report(ended);
            }
        };
        if timeout(self.context.patience.grace, all).await.is_err() {
            tracing::info!("deliveries under way are broken off; they stay in the queue");
        }
    }

    /// Starts a worker where one is missing.
    fn staff(self: &Arc<Self>, destination: &Destination, desk: &mut Desk) {
        let short_handed = desk.queue.len() > desk.lingering
            && (desk.workers == 0 || (desk.alive && desk.workers < self.context.policy.per_destination));
        if !short_handed || self.is_closing() {
            return;
        }
        desk.workers += 1;
        let mut tasks = self.tasks();
        while let Some(ended) = tasks.try_join_next() {
            report(ended);
        }
        tasks.spawn(self.clone().work(destination.clone()));
    }

    async fn work(self: Arc<Self>, destination: Destination) {
        let _seat = Seat { dispatch: &self, destination: &destination };
        let mut session = None;
        while let Some((part, kept)) = self.next_part(&destination, session.take()).await {
            session = self.deliver(&destination, part, kept).await;
        }
    }

    async fn deliver(
        self: &Arc<Self>,
        destination: &Destination,
        mut part: Part,
        session: Option<Session>,
    ) -> Option<Session> {
        // The semaphore is never closed; without a place we would only go on too soon.
        let _place = self.places.acquire().await;
        if !self.is_wanted(&part).await {
            return session;
        }
        let mut done = attempt(&self.context, destination, &part.run.entry, &part.recipients, session).await;
        let crowded = done.take_crowded();
        let rest = (!crowded.is_empty()).then(|| part.cut(crowded));
        // Between the peer's "250" and this commit lies SMTP's own unavoidable window (RFC 1047): who crashes here, or is
        // stopped here with a disk too full to write the outcome down, sends a second copy after the next start.
        settle(&self.context, &part, done.verdicts, done.told).await;
        drop(part);
        if let Some(rest) = rest
            && let Some(desk) = self.desks().get_mut(destination)
        {
            desk.queue.push_front(rest);
        }
        if let Some(misfortune) = done.shared {
            self.share(destination, &misfortune).await;
        }
        if done.session.is_some() {
            let mut desks = self.desks();
            if let Some(desk) = desks.get_mut(destination) {
                desk.alive = true;
                self.staff(destination, desk);
            }
        }
        done.session
    }

    /// False when an operator held or removed the message while it waited here.
    async fn is_wanted(&self, part: &Part) -> bool {
        let (store, id) = (self.context.store.clone(), part.run.entry.id);
        match tokio::task::spawn_blocking(move || store.queue_entry(id)).await {
            Ok(Ok(entry)) => entry.is_some_and(|entry| !entry.held),
            // Who can't tell goes on: it was wanted when it was taken.
            Ok(Err(_)) | Err(_) => true,
        }
    }

    /// The next part, with the session if it lives still. `None` sends the worker home, its session closed.
    async fn next_part(&self, destination: &Destination, session: Option<Session>) -> Option<(Part, Option<Session>)> {
        if self.is_closing() {
            close(session).await;
            return None;
        }
        if let Some(part) = self.pop(destination) {
            return Some((part, session));
        }
        let session = session?;
        match self.linger(destination).await {
            Some(part) => Some((part, Some(session))),
            None => {
                close(Some(session)).await;
                // Something may have come while we said goodbye; it gets a new connection.
                self.pop(destination).map(|part| (part, None))
            }
        }
    }

    /// Waits a little for more work, so that a burst of messages uses one connection.
    async fn linger(&self, destination: &Destination) -> Option<Part> {
        let _parked = self.parking.try_acquire().ok()?;
        let bell = {
            let mut desks = self.desks();
            let desk = desks.get_mut(destination)?;
            desk.lingering += 1;
            desk.bell.clone()
        };
        let _lingering = Lingering { dispatch: self, destination };
        let until = Instant::now() + self.context.patience.linger;
        let mut shutdown = self.shutdown.clone();
        loop {
            if let Some(part) = self.pop(destination) {
                return Some(part);
            }
            tokio::select! {
                rung = timeout_at(until, bell.notified()) => if rung.is_err() { return None },
                _ = shutdown.wait_for(|closing| *closing) => return None,
            }
        }
    }

    /// Settles all that waits for a destination with the trouble that befell the first.
    async fn share(&self, destination: &Destination, misfortune: &Misfortune) {
        let mut parts = match self.desks().get_mut(destination) {
            Some(desk) => {
                desk.alive = false;
                std::mem::take(&mut desk.queue)
            }
            None => return,
        };
        while !parts.is_empty() {
            let mut settling = JoinSet::new();
            for part in parts.drain(..parts.len().min(SETTLED_AT_ONCE)) {
                let (context, misfortune) = (self.context.clone(), misfortune.clone());
                settling.spawn(async move {
                    let verdicts = misfortune.verdicts(&part.recipients);
                    let told = vec![format!("Another message had just been tried: {}.", misfortune.text)];
                    settle(&context, &part, verdicts, told).await;
                });
            }
            while settling.join_next().await.is_some() {}
        }
    }

    fn pop(&self, destination: &Destination) -> Option<Part> {
        self.desks().get_mut(destination)?.queue.pop_front()
    }

    fn is_closing(&self) -> bool {
        // The sender is gone only when the whole process is going.
        *self.shutdown.borrow() || self.shutdown.has_changed().is_err()
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<Destination, Desk>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that panicked leaves its message to the next start (see [`crate::run::Run`]): somebody should know.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a delivery ended by a fault of ours, its message waits for the next start: {error}");
    }
}

async fn close(session: Option<Session>) {
    if let Some(session) = session {
        session.client.quit().await;
    }
}

/// A worker's place at its desk, given back even by a panic. Work that came while the worker was leaving gets a new one.
struct Seat<'a> {
    dispatch: &'a Arc<Dispatch>,
    destination: &'a Destination,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut desks = self.dispatch.desks();
        if let Some(desk) = desks.get_mut(self.destination) {
            desk.workers = desk.workers.saturating_sub(1);
            self.dispatch.staff(self.destination, desk);
            if desk.workers == 0 && desk.queue.is_empty() {
                desks.remove(self.destination);
            }
        }
    }
}

/// Counts a worker that waits with an open connection.
struct Lingering<'a> {
    dispatch: &'a Dispatch,
    destination: &'a Destination,
}

impl Drop for Lingering<'_> {
    fn drop(&mut self) {
        if let Some(desk) = self.dispatch.desks().get_mut(self.destination) {
            desk.lingering = desk.lingering.saturating_sub(1);
        }
    }
}
