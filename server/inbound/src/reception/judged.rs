//! What a judgement changes in what a message becomes.

use mailstead_auth::check::Disposition;
use mailstead_store::{Delivery, Into, NewQueueEntry, Notify, SpecialUse};

use super::Arrival;

impl Arrival {
    /// Deliveries to where the message belongs.
    pub(super) fn file(&self, mut deliveries: Vec<Delivery>) -> Vec<Delivery> {
        if self.is_junk() {
            for delivery in &mut deliveries {
                delivery.into = Into::Special(SpecialUse::Junk);
            }
        }
        deliveries
    }

    pub(super) fn is_junk(&self) -> bool {
        self.judgement.as_ref().is_some_and(|judgement| judgement.disposition == Disposition::Junk)
    }

    /// Queue entries that tell nobody what became of them when it is not sure whose reverse-path that is: what is
    /// forwarded of a forger's mail must not bounce to whom he forged.
    pub(super) fn hush(&self, mut queue: Vec<NewQueueEntry>) -> Vec<NewQueueEntry> {
        if !self.may_answer() {
            let never = Notify { never: true, ..Notify::default() };
            let recipients = queue.iter_mut().flat_map(|entry| &mut entry.recipients);
            recipients.for_each(|recipient| recipient.notify = Some(never));
        }
        queue
    }

    /// Whether what is sent to the reverse-path reaches who sent the message, and nobody else.
    pub(super) fn may_answer(&self) -> bool {
        self.judgement.as_ref().is_none_or(|judgement| judgement.verdict.may_be_answered())
    }
}
