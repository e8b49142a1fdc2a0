//! Notices that wait for a visitor's next page.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mailstead_admin_ui::Notice;
use mailstead_store::SessionKey;

/// Visitors for whom something waits; with more, all are forgotten: they are only words.
const MAX_VISITORS: usize = 1_000;
/// Notices for one visitor.
const MAX_NOTICES: usize = 10;

/// Notices by visitor.
#[derive(Debug, Default)]
pub(super) struct Flashes(Mutex<HashMap<SessionKey, Vec<Notice>>>);

impl Flashes {
    /// Leaves one.
    pub(super) fn put(&self, visitor: SessionKey, notice: Notice) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_VISITORS {
            waiting.clear();
        }
        let notices = waiting.entry(visitor).or_default();
        if notices.len() < MAX_NOTICES {
            notices.push(notice);
        }
    }

    /// Takes all.
    pub(super) fn take(&self, visitor: SessionKey) -> Vec<Notice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&visitor).unwrap_or_default()
    }
}
