//! A message accepted: delivered to all local recipients and put into the queue, in one transaction.

use std::collections::BTreeMap;

use super::messages::{Entry, intern};
use super::{Change, MailboxRecord};
use crate::{Acceptance, AccountId, Delivery, Into, MailboxId, SpecialUse, StoreError};

impl Change<'_> {
    pub(crate) fn accept(&mut self, messages: &[Acceptance]) -> Result<(), StoreError> {
        let mut sums = BTreeMap::<AccountId, u64>::new();
        for acceptance in messages {
            for delivery in &acceptance.deliveries {
                *sums.entry(delivery.account).or_default() += acceptance.message.size + delivery.prefix.len() as u64;
            }
        }
        for (account, sum) in sums {
            self.check_quota(account, sum)?;
        }
        self.take(messages)
    }

    /// Takes messages whatever the quota: whoever has a full mailbox must still hear that a letter did not arrive.
    pub(super) fn take(&mut self, messages: &[Acceptance]) -> Result<(), StoreError> {
        for acceptance in messages {
            for delivery in &acceptance.deliveries {
                self.deliver(acceptance, delivery)?;
            }
            for entry in &acceptance.queue {
                self.keep(&acceptance.message)?;
                self.enqueue(acceptance, entry)?;
            }
            if let Some(report) = &acceptance.report {
                self.add_report(report)?;
            }
            self.tell(acceptance.trace, &acceptance.story)?;
        }
        Ok(())
    }

    fn deliver(&mut self, acceptance: &Acceptance, delivery: &Delivery) -> Result<(), StoreError> {
        let id = self.destination(delivery.account, &delivery.into)?;
        let mut mailbox = self.mailbox(id)?;
        let keywords = intern(&mut mailbox, &delivery.flags.keywords)?;
        self.keep(&acceptance.message)?;
        let entry = Entry {
            blob: acceptance.message.hash,
            size: acceptance.message.size + delivery.prefix.len() as u64,
            prefix: delivery.prefix.clone(),
            flags: delivery.flags.system,
            keywords,
            internal_date: acceptance.received,
        };
        self.add(id, &mut mailbox, entry)?;
        self.put_mailbox(id, &mailbox)
    }

    fn destination(&mut self, account: AccountId, into: &Into) -> Result<MailboxId, StoreError> {
        let wanted = match into {
            Into::Inbox => None,
            Into::Named(name) => self.mailbox_id(account, name)?,
            Into::Special(SpecialUse::Junk) => Some(self.junk(account)?),
            Into::Special(purpose) => self.special(account, *purpose)?,
        };
        match wanted {
            Some(id) => Ok(id),
            None => {
                self.mailbox_id(account, "INBOX")?.ok_or_else(|| StoreError::NotFound("the account's inbox".to_owned()))
            }
        }
    }

    /// Where suspicious letters go, made anew where it was deleted: they must not turn up among the good ones.
    fn junk(&mut self, account: AccountId) -> Result<MailboxId, StoreError> {
        if let Some(id) = self.special(account, SpecialUse::Junk)? {
            return Ok(id);
        }
        match self.mailbox_id(account, "Junk")? {
            Some(id) => Ok(id),
            None => self.make(account, "Junk", Some(SpecialUse::Junk)),
        }
    }

    fn special(&self, account: AccountId, purpose: SpecialUse) -> Result<Option<MailboxId>, StoreError> {
        for id in self.mailboxes_of(account)? {
            let record: MailboxRecord = self.mailbox(id)?;
            if record.special_use == Some(purpose) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}
