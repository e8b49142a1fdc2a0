//! The open database, and the one thread that changes it (group commit).
//!
//! The writer takes every waiting job, applies all in one transaction, syncs the pack, commits, and answers. A job that
//! fails after it had changed something takes the batch with it: then each job is tried alone and gets its own
//! answer. redb refuses all work after a failed write, so the database is opened anew then.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use mailstead_migrations::v1;
use redb::{Database, ReadTransaction, ReadableDatabase as _};

use crate::change::{Appended, Change};
use crate::pack::Packs;
use crate::watchers::Watchers;
use crate::{Options, StoreError};

/// Jobs of one transaction.
const BATCH: usize = 1_000;
/// Message bytes after which a batch is closed.
const BATCH_BYTES: u64 = 32 << 20;
/// How often the writer looks for old stories and thin packs.
const CHORES_EVERY: Duration = Duration::from_secs(60);
/// Room below which nothing is added any more, so that letters can still be deleted on a full disk.
const RESERVE: u64 = 4 << 20;

/// Counts the commits.
pub(crate) const COMMITS: &str = "commits";

/// Work for the writer thread.
pub(crate) trait Job: Send {
    /// Applies it; called again when the batch could not be committed.
    fn apply(&mut self, change: &mut Change<'_>) -> Result<(), StoreError>;
    /// Tells who waits for it. Called once, after the commit or the failure.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);
    /// Bytes it adds to the packs, and whether it adds anything at all: on a full disk only what removes is taken.
    fn adds(&self) -> Option<u64>;
}

/// What readers and the writer share.
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) options: Options,
    pub(crate) packs: Packs,
    pub(crate) watchers: Watchers,
    database: RwLock<Option<Arc<Database>>>,
    /// What the writer could not do last, told once.
    complaint: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(folder: PathBuf, options: Options, packs: Packs, database: Database) -> Self {
        let database = RwLock::new(Some(Arc::new(database)));
        Self { folder, options, packs, watchers: Watchers::default(), database, complaint: Mutex::default() }
    }

    /// Begins to read.
    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner).clone();
        let database = database.map_or_else(|| self.reopened(), Ok)?;
        Ok(database.begin_read()?)
    }

    /// The database, opened anew after a failure.
    fn reopened(&self) -> Result<Arc<Database>, StoreError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*slot {
            return Ok(Arc::clone(database));
        }
        let database = Arc::new(open_database(&self.folder, &self.options)?);
        *slot = Some(Arc::clone(&database));
        Ok(database)
    }

    /// Gives up a database that failed and opens it anew, now or, if that fails too, when it is asked for next. One
    /// that is whole, as when only a pack could not be written, stays: who is reading from it would be cut off.
    fn recover(&self) {
        let whole = |database: &Arc<Database>| database.begin_write().is_ok_and(|trial| trial.abort().is_ok());
        let broken = {
            let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
            slot.take_if(|database| !whole(database))
        };
        if broken.is_none() {
            return;
        }
        drop(broken);
        if let Err(error) = self.reopened() {
            tracing::error!("the store can't be opened again: {error}");
        }
    }

    /// Opens the database anew after the commit of that number failed, and tells whether it is on disk all the same:
    /// then a commit of its own makes what was read back durable.
    fn recovered_with(&self, number: u64) -> Result<bool, StoreError> {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let database = self.reopened()?;
        let last = database.begin_read()?.open_table(v1::COUNTERS)?.get(COMMITS)?.map_or(0, |value| value.value());
        if last != number {
            return Ok(false);
        }
        let mut seal = database.begin_write()?;
        seal.set_quick_repair(true);
        seal.open_table(v1::COUNTERS)?.insert(COMMITS, number)?;
        seal.commit()?;
        Ok(true)
    }

    fn complain(&self, error: &StoreError) {
        let text = error.to_string();
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&text) {
            tracing::error!("changes can't be written: {text}");
            *last = Some(text);
        }
    }

    fn no_complaint(&self) {
        if self.complaint.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("changes can be written again");
        }
    }

    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        match rustix::fs::statvfs(&self.folder) {
            Ok(found) => {
                found.f_bavail.saturating_mul(found.f_frsize) > RESERVE.saturating_add(bytes.saturating_mul(2))
            }
            Err(_) => true,
        }
    }
}

/// Opens the database file, making it where there is none.
pub(crate) fn open_database(folder: &std::path::Path, options: &Options) -> Result<Database, StoreError> {
    Ok(Database::builder().set_cache_size(options.cache_bytes).create(folder.join("store.redb"))?)
}

/// Runs until the last sender is gone and all jobs are answered.
pub(crate) fn run(shared: &Arc<Shared>, jobs: &Receiver<Box<dyn Job>>) {
    let mut last_chores: Option<Instant> = None;
    loop {
        match jobs.recv_timeout(if last_chores.is_none() { Duration::from_secs(1) } else { CHORES_EVERY }) {
            Ok(first) => serve(shared, gather(first, jobs)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if last_chores.is_none_or(|last| last.elapsed() >= CHORES_EVERY) {
            last_chores = Some(Instant::now());
            crate::chores::run(shared);
        }
    }
}

fn gather(first: Box<dyn Job>, jobs: &Receiver<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut bytes = first.adds().unwrap_or(0);
    let mut batch = vec![first];
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes = bytes.saturating_add(job.adds().unwrap_or(0));
        batch.push(job);
    }
    batch
}

fn serve(shared: &Arc<Shared>, batch: Vec<Box<dyn Job>>) {
    let bytes: u64 = batch.iter().filter_map(|job| job.adds()).sum();
    let (mut batch, mut refused) = (batch, Vec::new());
    if !shared.has_room(bytes) {
        let fits = |adds: Option<u64>| adds.is_none_or(|bytes| shared.has_room(bytes));
        (batch, refused) = batch.into_iter().partition(|job| fits(job.adds()));
    }
    for job in refused {
        shared.complain(&StoreError::DiskFull);
        job.answer(Err(StoreError::DiskFull));
    }
    if batch.is_empty() {
        return;
    }
    match commit(shared, &mut batch) {
        Ok(results) => {
            shared.no_complaint();
            for (job, result) in batch.into_iter().zip(results) {
                job.answer(result);
            }
        }
        Err(_) if batch.len() > 1 => {
            for job in batch {
                serve(shared, vec![job]);
            }
        }
        Err(error) => {
            if error.is_fault() {
                shared.complain(&error);
            }
            for job in batch {
                job.answer(Err(error.clone()));
            }
        }
    }
}

/// Applies jobs and commits. Each has its own result; an error means that nothing of any was done.
fn commit(shared: &Arc<Shared>, batch: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let work = |change: &mut Change<'_>| {
        let mut results = Vec::with_capacity(batch.len());
        for job in batch.iter_mut() {
            change.begin_job();
            let result = job.apply(change);
            match &result {
                Err(error) if change.job_has_changed() || error.is_fault() => return Err(error.clone()),
                _ => results.push(result),
            }
        }
        Ok(results)
    };
    transact(shared, work)
}

/// Runs one transaction: all of it is on disk afterwards, or nothing.
pub(crate) fn transact<T>(
    shared: &Shared,
    work: impl FnOnce(&mut Change<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let result = try_transact(shared, work);
    // A refused request leaves the database as good as it was; a failed write may not. After some failed commits redb
    // calls its own state corrupted until it is opened anew.
    if result.as_ref().is_err_and(|error| error.is_fault() || matches!(error, StoreError::Damaged(_))) {
        shared.recover();
    }
    result
}

fn try_transact<T>(
    shared: &Shared,
    work: impl FnOnce(&mut Change<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let database = shared.reopened()?;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let (value, done) = {
        let mut change = Change::begin(&transaction, shared)?;
        let value = work(&mut change)?;
        (value, change.finish()?)
    };
    if !done.changed {
        transaction.abort().map_err(StoreError::from)?;
        return Ok(value);
    }
    if let Appended::To(pack) = done.appended {
        shared.packs.sync(pack)?;
    }
    if let Err(error) = transaction.commit() {
        drop(database);
        // The last step may have failed after all was on disk: then doing it again would double every letter of it.
        if !shared.recovered_with(done.number)? {
            return Err(error.into());
        }
        tracing::warn!("a change was written although the disk reported an error: {error}");
    }
    shared.watchers.tell(&done.accounts, done.queue);
    for pack in done.dropped_packs {
        if let Err(error) = shared.packs.remove(pack) {
            tracing::warn!(pack, "an empty pack can't be removed: {error}");
        }
    }
    Ok(value)
}
