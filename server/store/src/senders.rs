//! Senders whose letters aliases have sent on, and whose addresses are too long to be part of another.

use mailstead_message::Address;
use mailstead_migrations::v2;

use crate::record::decode;
use crate::{Store, StoreError, Timestamp};

/// Senders looked at in one transaction: each step lets waiting mail through.
const AT_ONCE: usize = 5_000;

impl Store {
    /// Remembers a sender by a token, or that it wrote again. Nobody waits for it: all that is lost with it is a report
    /// that comes late.
    pub fn remember_sender(&self, token: &str, sender: &Address, at: Timestamp) {
        let (token, sender) = (token.to_owned(), sender.clone());
        self.send_and_forget(move |change| change.remember_sender(&token, &sender, at));
    }

    /// The sender of a token, and when it wrote last.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn remembered_sender(&self, token: &str) -> Result<Option<(Address, Timestamp)>, StoreError> {
        let table = self.shared().read()?.open_table(v2::SENDERS)?;
        table.get(token)?.map(|bytes| decode(bytes.value(), "a sender")).transpose()
    }

    /// Forgets those who wrote last before that time, and what can't be read.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn forget_senders(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut next = Some(String::new());
        while let Some(from) = next {
            next = self.lessen(move |change| change.forget_senders(before, &from, AT_ONCE)).await?;
        }
        Ok(())
    }
}
