//! What the writer does when a minute has passed: drop old stories, tallies, reports, policies and sessions, give the disk back what
//! deleted mail took.

use crate::engine::{Shared, transact};
use crate::{Store, StoreError, Timestamp};

/// Stories dropped in one transaction: each step lets waiting mail through.
const STORIES_AT_ONCE: usize = 200;
/// Policies dropped in one transaction.
const POLICIES_AT_ONCE: usize = 200;
/// Bytes moved out of thin packs between two looks at the waiting mail.
const BYTES_AT_ONCE: u64 = 16 << 20;

/// Does one step of each chore. Failures are logged and tried again the next time; one that fails keeps none of the
/// others from being done.
pub(crate) fn run(shared: &Shared) {
    let before = stories_end(shared);
    let chores = [
        transact(shared, |change| change.forget_stories(before, STORIES_AT_ONCE)).map(|_| ()),
        transact(shared, |change| change.forget_news(crate::now())).map(|_| ()),
        transact(shared, |change| change.forget_sessions(crate::now())),
        transact(shared, |change| change.forget_sts_policies(crate::now(), POLICIES_AT_ONCE)),
        thin(shared),
    ];
    for error in chores.into_iter().filter_map(Result::err) {
        tracing::warn!("housekeeping in the store failed: {error}");
    }
}

fn thin(shared: &Shared) -> Result<(), StoreError> {
    // On a full disk only the packs nobody needs are dropped, which takes no room.
    let mut budget = if shared.has_room(BYTES_AT_ONCE) { BYTES_AT_ONCE } else { 0 };
    for pack in transact(shared, |change| change.thin_packs())? {
        match transact(shared, |change| change.thin(pack, budget)) {
            Ok(thinned) => budget = budget.saturating_sub(thinned.moved),
            Err(error) => passed_over(pack, error)?,
        }
    }
    Ok(())
}

impl Store {
    /// Forgets old stories, tallies, reports, policies and sessions, and gives back the disk that deleted mail took, all at once;
    /// the store does the same by itself, some of it each minute. The pack that takes new mail stays as it is.
    ///
    /// # Errors
    /// As of any change; a pack that can't be read is logged and stays.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let before = stories_end(self.shared());
        while self.lessen(move |change| change.forget_stories(before, STORIES_AT_ONCE)).await? > 0 {}
        self.lessen(|change| change.forget_sessions(crate::now())).await?;
        self.lessen(|change| change.forget_sts_policies(crate::now(), usize::MAX)).await?;
        while self.lessen(|change| change.forget_news(crate::now())).await? {}
        for pack in self.lessen(|change| change.thin_packs()).await? {
            loop {
                match self.lessen(move |change| change.thin(pack, BYTES_AT_ONCE)).await {
                    Ok(thinned) if thinned.done => break,
                    Ok(_) => {}
                    Err(error) => {
                        passed_over(pack, error)?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Stories that began before this are old.
fn stories_end(shared: &Shared) -> Timestamp {
    Timestamp(crate::now().0 - i64::from(shared.options.story_days) * 24 * 60 * 60)
}

/// A pack with a damaged place must not keep the others from being thinned.
fn passed_over(pack: u32, error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Damaged(what) => {
            tracing::warn!(pack, "pack {pack} stays although little of it is in use: {what}");
            Ok(())
        }
        other => Err(other),
    }
}
