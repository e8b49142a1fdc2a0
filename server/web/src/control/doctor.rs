//! The doctor's visits, and the books the doctor is shown.

use std::sync::Arc;

use mailstead_advice::doctor::{Books, Copies, Doctor, Waiting};
use mailstead_store::{QueueEntry, RecipientState, StoreError, Timestamp};

use super::operator::Operator;
use super::protocol::Answer;
use super::{certificates, reports};

impl Operator {
    /// The doctor, on a running server.
    pub fn doctor(&self) -> Option<&Arc<Doctor>> {
        self.doctor.as_ref()
    }

    /// What the doctor wants to know of what is written down.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn books(&self) -> Result<Books, StoreError> {
        let certificates = certificates::standings(self.certificates.as_ref(), &self.store, self.hostname.as_deref())?;
        Ok(Books {
            cannot_open: None,
            domains: self.store.domains()?.len(),
            certificates,
            queue: self.store.queue()?.into_iter().map(waiting).collect(),
            smarthost: self.store.smarthost_for(None)?.is_some(),
            failed: reports::of_trouble(&self.store)?,
            copies: self.store.backups()?.good.map_or(Copies::Never, |good| Copies::Last(instant(good.at))),
        })
    }

    pub(super) async fn examine(&self) -> Result<Answer, StoreError> {
        let doctor = self.doctor.as_ref().ok_or_else(|| {
            StoreError::Invalid("The doctor looks at a running server; say `mailstead doctor`.".to_owned())
        })?;
        Ok(Answer::Examination(doctor.examine(self.books()?).await))
    }
}

fn waiting(entry: QueueEntry) -> Waiting {
    let waits = |state: &RecipientState| *state == RecipientState::Waiting;
    let recipients: Vec<_> = entry.recipients.iter().filter(|recipient| waits(&recipient.state)).collect();
    let mut domains: Vec<String> = recipients.iter().map(|recipient| recipient.address.domain().to_unicode()).collect();
    domains.sort();
    domains.dedup();
    Waiting {
        since: instant(entry.created),
        size: entry.size,
        held: entry.held,
        attempts: entry.attempts,
        domains,
        last: recipients.iter().find_map(|recipient| recipient.last.clone()),
    }
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.0).unwrap_or_default()
}
