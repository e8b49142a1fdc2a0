//! What the writer does when a minute has passed: drop old stories, give the disk back what deleted mail took.

use crate::engine::{Shared, transact};
use crate::{StoreError, Timestamp};

/// Stories dropped in one transaction: each step lets waiting mail through.
const STORIES_AT_ONCE: usize = 200;
/// Bytes moved out of a thin pack in one transaction.
const BYTES_AT_ONCE: u64 = 16 << 20;

/// Does one step of each chore. Failures are logged and tried again the next time.
pub(crate) fn run(shared: &Shared) {
    if let Err(error) = step(shared) {
        tracing::warn!("housekeeping in the store failed: {error}");
    }
}

fn step(shared: &Shared) -> Result<(), StoreError> {
    let days = i64::from(shared.options.story_days);
    let before = Timestamp(crate::now().0 - days * 24 * 60 * 60);
    transact(shared, |change| change.forget_stories(before, STORIES_AT_ONCE))?;
    transact(shared, |change| match change.thin_pack()? {
        Some(pack) => change.thin(pack, BYTES_AT_ONCE),
        None => Ok(false),
    })?;
    Ok(())
}
