//! Who wants to know of commits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::{AccountId, ModSeq};

/// Watched accounts, and the queue.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    accounts: Mutex<HashMap<AccountId, watch::Sender<ModSeq>>>,
    queue: watch::Sender<u64>,
}

impl Watchers {
    /// Watches an account whose modseq is `now`.
    pub(crate) fn account(&self, account: AccountId, now: ModSeq) -> watch::Receiver<ModSeq> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() > 100 {
            accounts.retain(|_, sender| sender.receiver_count() > 0);
        }
        let sender = accounts.entry(account).or_insert_with(|| watch::Sender::new(now));
        sender.send_if_modified(|value| {
            let newer = now > *value;
            *value = now.max(*value);
            newer
        });
        sender.subscribe()
    }

    /// Watches the queue.
    pub(crate) fn queue(&self) -> watch::Receiver<u64> {
        self.queue.subscribe()
    }

    /// Tells of a commit.
    pub(crate) fn tell(&self, changed: &BTreeMap<AccountId, ModSeq>, queue: bool) {
        if !changed.is_empty() {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            for (account, modseq) in changed {
                if let Some(sender) = accounts.get(account) {
                    sender.send_replace(*modseq);
                }
            }
        }
        if queue {
            self.queue.send_modify(|count| *count += 1);
        }
    }
}
