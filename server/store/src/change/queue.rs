//! The queue: entries come with their message and go when nobody waits any more.

use mailstead_message::Address;
use redb::ReadableTable as _;

use super::Change;
use crate::{
    Acceptance, Fate, NewQueueEntry, QueueAction, QueueEntry, QueueId, QueueRecipient, RecipientState, Settlement,
    StoreError, StoryEvent,
};

impl Change<'_> {
    /// Adds an entry; its message's blob is counted by the caller.
    pub(super) fn enqueue(&mut self, acceptance: &Acceptance, new: &NewQueueEntry) -> Result<(), StoreError> {
        let id = QueueId(self.next("queue")?);
        let recipients = new.recipients.iter().map(|recipient| QueueRecipient {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            state: RecipientState::Waiting,
            last: None,
        });
        let entry = QueueEntry {
            id,
            trace: acceptance.trace,
            blob: acceptance.message.hash,
            size: acceptance.message.size,
            created: acceptance.received,
            due: acceptance.received,
            attempts: 0,
            held: false,
            delay_notified: false,
            reverse_path: new.reverse_path.clone(),
            envid: new.envid.clone(),
            ret: new.ret,
            eight_bit: new.eight_bit,
            smtputf8: new.smtputf8,
            tls: new.tls,
            recipients: recipients.collect(),
        };
        self.put_entry(&entry)
    }

    pub(crate) fn settle(
        &mut self,
        id: QueueId,
        settlement: &Settlement,
        notices: &[Acceptance],
    ) -> Result<(), StoreError> {
        // An operator may have removed it while it was under way: without a word to the sender, as was wished.
        let Some(mut entry) = self.entry(id)? else { return Ok(()) };
        for (index, state, last) in &settlement.recipients {
            if let Some(recipient) = entry.recipients.get_mut(*index) {
                recipient.state = *state;
                recipient.last = Some(last.clone());
            }
        }
        self.take(notices).map_err(|error| match error {
            // Not to be taken for an entry that is gone.
            StoreError::NotFound(what) => StoreError::Invalid(format!("the report can't be delivered: {what} is gone")),
            other => other,
        })?;
        self.tell(entry.trace, &settlement.story)?;
        if entry.recipients.iter().all(|recipient| recipient.state != RecipientState::Waiting) {
            return self.drop_entry(&entry);
        }
        self.write().queue_due.remove((entry.due.0, id.0))?;
        entry.attempts = entry.attempts.saturating_add(u32::from(settlement.attempted));
        entry.delay_notified |= settlement.delay_notified;
        entry.due = settlement.due.unwrap_or(entry.due);
        self.put_entry(&entry)
    }

    pub(crate) fn queue_action(&mut self, id: QueueId, action: QueueAction) -> Result<(), StoreError> {
        let mut entry = self.require_entry(id)?;
        self.tell_wish(&entry, action)?;
        match action {
            QueueAction::Remove => return self.drop_entry(&entry),
            QueueAction::Hold => {
                self.write().queue_due.remove((entry.due.0, id.0))?;
                entry.held = true;
            }
            QueueAction::Retry => {
                self.write().queue_due.remove((entry.due.0, id.0))?;
                entry.held = false;
                entry.due = crate::now();
            }
        }
        self.put_entry(&entry)
    }

    /// Writes the wish into the story, so that nobody wonders later.
    fn tell_wish(&mut self, entry: &QueueEntry, action: QueueAction) -> Result<(), StoreError> {
        let waiting = entry.recipients.iter().filter(|recipient| recipient.state == RecipientState::Waiting);
        let waiting: Vec<Address> = waiting.map(|recipient| recipient.address.clone()).collect();
        let (text, fate) = match action {
            QueueAction::Retry => ("An operator had it tried at once.", Fate::Waiting),
            QueueAction::Hold => ("An operator holds it: it is not tried until that is lifted.", Fate::Waiting),
            QueueAction::Remove => ("An operator removed it from the queue; the sender was not told.", Fate::Removed),
        };
        let fates = waiting.iter().map(|address| (address.clone(), fate)).collect();
        let addresses = entry.reverse_path.iter().cloned().chain(waiting).collect();
        self.tell(entry.trace, &[StoryEvent::new(crate::now(), text.to_owned(), addresses).meaning(None, fates)])
    }

    pub(crate) fn retry_all(&mut self) -> Result<usize, StoreError> {
        let mut entries = Vec::new();
        for entry in self.tables.queue.iter()? {
            let entry = QueueEntry::from_bytes(entry?.1.value())?;
            if !entry.held {
                entries.push(entry);
            }
        }
        let now = crate::now();
        let many = entries.len();
        for entry in entries {
            self.write().queue_due.remove((entry.due.0, entry.id.0))?;
            self.put_entry(&QueueEntry { due: now.min(entry.due), ..entry })?;
        }
        Ok(many)
    }

    /// Refuses when the entry is not as it was.
    pub(crate) fn require_unchanged(&self, before: &QueueEntry) -> Result<(), StoreError> {
        if self.require_entry(before.id)?.recipients == before.recipients {
            return Ok(());
        }
        Err(StoreError::Invalid(format!("The queued message {} has just changed: look at it again.", before.id)))
    }

    fn require_entry(&self, id: QueueId) -> Result<QueueEntry, StoreError> {
        self.entry(id)?.ok_or_else(|| StoreError::NotFound(format!("the queued message {id}")))
    }

    fn entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        match self.tables.queue.get(id.0)? {
            Some(bytes) => Ok(Some(QueueEntry::from_bytes(bytes.value())?)),
            None => Ok(None),
        }
    }

    fn put_entry(&mut self, entry: &QueueEntry) -> Result<(), StoreError> {
        let bytes = entry.to_bytes()?;
        let tables = self.write();
        tables.queue.insert(entry.id.0, bytes.as_slice())?;
        if !entry.held {
            tables.queue_due.insert((entry.due.0, entry.id.0), ())?;
        }
        self.queue_changed = true;
        Ok(())
    }

    fn drop_entry(&mut self, entry: &QueueEntry) -> Result<(), StoreError> {
        let tables = self.write();
        tables.queue.remove(entry.id.0)?;
        tables.queue_due.remove((entry.due.0, entry.id.0))?;
        self.queue_changed = true;
        self.release(entry.blob)
    }
}
