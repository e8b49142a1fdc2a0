//! Mailboxes: making, deleting, renaming, subscribing.

use redb::ReadableTable as _;

use super::{Change, narrow};
use crate::mailbox::{MAX_NAME, MailboxName};
use crate::record::MailboxRecord;
use crate::{AccountId, Mailbox, MailboxId, SpecialUse, StoreError};

/// Mailboxes of one account: more than anyone sorts mail into, few enough to be listed at once.
const MAX_MAILBOXES: usize = 10_000;
/// Names one account subscribes to.
const MAX_SUBSCRIPTIONS: usize = 20_000;

impl Change<'_> {
    /// Makes a mailbox and its missing parents.
    pub(crate) fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &str,
        purpose: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        let name = MailboxName::parse(name)?;
        self.account_by_id(account)?;
        if self.mailbox_id(account, name.as_str())?.is_some() {
            return Err(StoreError::Exists(format!("the mailbox {}", name.as_str())));
        }
        let existing = self.mailboxes_of(account)?;
        if existing.len() >= MAX_MAILBOXES {
            return Err(StoreError::Invalid("there are too many mailboxes".to_owned()));
        }
        if let Some(purpose) = purpose {
            for id in existing {
                if self.mailbox(id)?.special_use == Some(purpose) {
                    return Err(StoreError::Exists("a mailbox for this use".to_owned()));
                }
            }
        }
        for parent in name.parents() {
            if self.mailbox_id(account, parent)?.is_none() {
                self.make(account, parent, None)?;
            }
        }
        let id = self.make(account, name.as_str(), purpose)?;
        Ok(self.mailbox(id)?.to_mailbox(id))
    }

    pub(super) fn make(
        &mut self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, StoreError> {
        let id = MailboxId(self.next("mailbox")?);
        let record = MailboxRecord {
            account,
            name: name.to_owned(),
            uid_validity: self.uid_validity()?,
            uid_next: 1,
            special_use,
            highest_modseq: self.modseq(account)?,
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            first_recent: 1,
            keywords: Vec::new(),
        };
        self.put_mailbox(id, &record)?;
        self.write().mailbox_names.insert((account.0, name), id.0)?;
        Ok(id)
    }

    pub(crate) fn delete_mailbox(&mut self, account: AccountId, name: &str) -> Result<(), StoreError> {
        let name = MailboxName::parse(name)?;
        let id = self.named(account, &name)?;
        if name.is_inbox() {
            return Err(StoreError::Invalid("INBOX can't be deleted".to_owned()));
        }
        if !self.children(account, &name)?.is_empty() {
            return Err(StoreError::Invalid("the mailbox has others below it: delete those first".to_owned()));
        }
        self.modseq(account)?;
        self.remove_mailbox(account, id, name.as_str())
    }

    pub(super) fn remove_mailbox(&mut self, account: AccountId, id: MailboxId, name: &str) -> Result<(), StoreError> {
        self.clear(id)?;
        let tables = self.write();
        tables.mailboxes.remove(id.0)?;
        tables.mailbox_names.remove((account.0, name))?;
        Ok(())
    }

    pub(crate) fn rename_mailbox(&mut self, account: AccountId, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (MailboxName::parse(from)?, MailboxName::parse(to)?);
        let id = self.named(account, &from)?;
        if self.mailbox_id(account, to.as_str())?.is_some() {
            return Err(StoreError::Exists(format!("the mailbox {}", to.as_str())));
        }
        if from.is_inbox() {
            let new = self.create_mailbox(account, to.as_str(), None)?.id;
            let uids = self.all_uids(id)?;
            self.move_messages(id, &uids, new)?;
            return Ok(());
        }
        if to.is_below(&from) {
            return Err(StoreError::Invalid("a mailbox can't become one below itself".to_owned()));
        }
        let mut moves = vec![(id, from.as_str().to_owned(), to.as_str().to_owned())];
        for (child, name) in self.children(account, &from)? {
            let rest = name.strip_prefix(from.as_str()).unwrap_or_default();
            let new = MailboxName::parse(&format!("{}{rest}", to.as_str()))?;
            if self.mailbox_id(account, new.as_str())?.is_some() {
                return Err(StoreError::Exists(format!("the mailbox {}", new.as_str())));
            }
            moves.push((child, name, new.as_str().to_owned()));
        }
        for parent in to.parents() {
            if self.mailbox_id(account, parent)?.is_none() {
                self.make(account, parent, None)?;
            }
        }
        self.modseq(account)?;
        for (id, old, new) in moves {
            let mut record = self.mailbox(id)?;
            record.name.clone_from(&new);
            self.put_mailbox(id, &record)?;
            let tables = self.write();
            tables.mailbox_names.remove((account.0, old.as_str()))?;
            tables.mailbox_names.insert((account.0, new.as_str()), id.0)?;
        }
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, account: AccountId, name: &str, subscribed: bool) -> Result<(), StoreError> {
        let name = if subscribed { MailboxName::parse(name)?.as_str().to_owned() } else { MailboxName::lenient(name) };
        if name.len() > MAX_NAME {
            return Err(StoreError::Invalid("the mailbox name is too long".to_owned()));
        }
        if self.tables.subscriptions.get((account.0, name.as_str()))?.is_some() == subscribed {
            return Ok(());
        }
        if !subscribed {
            self.write().subscriptions.remove((account.0, name.as_str()))?;
            return Ok(());
        }
        let from_here = self.tables.subscriptions.range((account.0, "")..(account.0 + 1, ""))?;
        if from_here.count() >= MAX_SUBSCRIPTIONS {
            return Err(StoreError::Invalid("there are too many subscriptions".to_owned()));
        }
        self.write().subscriptions.insert((account.0, name.as_str()), ())?;
        Ok(())
    }

    /// All mailboxes of an account.
    pub(super) fn mailboxes_of(&self, account: AccountId) -> Result<Vec<MailboxId>, StoreError> {
        let names = self.tables.mailbox_names.range((account.0, "")..(account.0 + 1, ""))?;
        names.map(|name| Ok(MailboxId(name?.1.value()))).collect()
    }

    fn named(&self, account: AccountId, name: &MailboxName) -> Result<MailboxId, StoreError> {
        let found = self.mailbox_id(account, name.as_str())?;
        found.ok_or_else(|| StoreError::NotFound(format!("the mailbox {}", name.as_str())))
    }

    fn children(&self, account: AccountId, name: &MailboxName) -> Result<Vec<(MailboxId, String)>, StoreError> {
        let prefix = format!("{}/", name.as_str());
        let mut children = Vec::new();
        for entry in self.tables.mailbox_names.range((account.0, prefix.as_str())..(account.0 + 1, ""))? {
            let (key, id) = entry?;
            let child = key.value().1;
            if !child.starts_with(&prefix) {
                break;
            }
            children.push((MailboxId(id.value()), child.to_owned()));
        }
        Ok(children)
    }

    /// A UIDVALIDITY no mailbox of that name ever had: it grows with every mailbox made, and with the clock, so that
    /// it is new even after a store was put back from an old copy.
    pub(super) fn uid_validity(&mut self) -> Result<u32, StoreError> {
        let last = self.tables.counters.get("uid_validity")?.map_or(0, |value| value.value());
        let now = u64::try_from(crate::now().0).unwrap_or(0).min(u64::from(u32::MAX) / 2);
        let next = now.max(last + 1);
        self.write().counters.insert("uid_validity", next)?;
        narrow(next)
    }
}
