//! Going through the mailbox, on blocking threads, under snapshots that last one batch.

use std::sync::{Arc, Mutex};

use mailstead_store::{MailboxId, ModSeq, Store, StoreError, Uid};

use super::candidate::Candidate;
use super::condition::{Condition, Cost};
use crate::session::Selection;

/// Messages a worker takes at once: few enough that a snapshot stays short while bodies are read.
const BATCH: usize = 64;
/// The same while only records are looked at.
const RECORDS_BATCH: usize = 1000;
/// Threads that read bodies for one SEARCH, so that one client does not take all there are.
const MAX_WORKERS: usize = 4;

/// What to find.
pub(super) struct Job {
    pub(super) store_mailbox: MailboxId,
    pub(super) first_recent: Uid,
    pub(super) condition: Condition,
    /// The modseq of what is found is asked for, so records are read even where nothing depends on them.
    pub(super) needs_modseq: bool,
}

/// A message that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) uid: Uid,
    pub(super) modseq: ModSeq,
}

/// Finds the messages of a selection for which the condition holds, ascending. A damaged message is passed over
/// and reported in the log: the others are still found.
pub(super) async fn search(store: Store, job: Job, selection: Selection) -> Result<Vec<Found>, StoreError> {
    if job.condition.is_always_true() && !job.needs_modseq {
        let all = selection.iter().map(|(number, uid)| Found { number, uid, modseq: ModSeq::default() });
        return Ok(all.collect());
    }
    let reads_content = job.condition.cost() >= Cost::Header;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if reads_content { cores.min(MAX_WORKERS).min(selection.len().div_ceil(BATCH)).max(1) } else { 1 };
    let batch = if reads_content { BATCH } else { RECORDS_BATCH };
    let (job, left) = (Arc::new(job), Arc::new(Mutex::new(selection)));
    let working: Vec<_> = (0..workers)
        .map(|_| {
            let (store, job, left) = (store.clone(), Arc::clone(&job), Arc::clone(&left));
            tokio::task::spawn_blocking(move || work(&store, &job, &left, batch))
        })
        .collect();
    let mut found = Vec::new();
    for worker in working {
        found.extend(worker.await.map_err(|stopped| StoreError::Io(stopped.to_string()))??);
    }
    found.sort_unstable_by_key(|one| one.number);
    Ok(found)
}

/// Takes batches until none is left.
fn work(store: &Store, job: &Job, left: &Mutex<Selection>, batch: usize) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    loop {
        let run = left.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take_run(batch);
        let Some(run) = run else { return Ok(found) };
        look(store, job, &run, &mut found)?;
    }
}

fn look(store: &Store, job: &Job, run: &Selection, found: &mut Vec<Found>) -> Result<(), StoreError> {
    let Some((first, last)) = run.bounds() else { return Ok(()) };
    let snapshot = store.snapshot()?;
    for message in snapshot.messages(job.store_mailbox, first, last)? {
        let Some(number) = run.number_of(message.uid) else { continue };
        let (uid, modseq) = (message.uid, message.modseq);
        let is_recent = uid >= job.first_recent;
        let mut candidate = Candidate::new(store, &snapshot, job.store_mailbox, number, message, is_recent);
        match job.condition.holds(&mut candidate) {
            Ok(true) => found.push(Found { number, uid, modseq }),
            // Gone meanwhile: found by nobody.
            Ok(false) | Err(StoreError::NotFound(_)) => {}
            Err(StoreError::Damaged(what)) => {
                tracing::error!(mailbox = %job.store_mailbox, %uid, %what, "a damaged message can't be searched");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
