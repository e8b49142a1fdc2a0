//! Messages in mailboxes: adding, flags, copying, removing.

use std::collections::BTreeSet;

use redb::ReadableTable as _;

use super::{Change, EXPUNGED};
use crate::record::{MailboxRecord, MessageRecord, decode};
use crate::{Append, BlobHash, Copied, FlagChange, Flags, FlagsChanged, MailboxId, ModSeq, StoreError, Timestamp, Uid};

/// Keywords of one message.
const MESSAGE_KEYWORDS: usize = 64;
/// Keywords of one mailbox: a client that makes one up for each message must not grow it without end.
const MAILBOX_KEYWORDS: usize = 1_000;
/// Octets of a keyword.
const KEYWORD_LENGTH: usize = 100;

/// A message to put into a mailbox; its blob is counted by the caller.
pub(super) struct Entry {
    pub(super) blob: BlobHash,
    pub(super) size: u64,
    pub(super) prefix: Vec<u8>,
    pub(super) flags: Flags,
    pub(super) keywords: Vec<u16>,
    pub(super) internal_date: Timestamp,
}

impl Change<'_> {
    pub(crate) fn append(&mut self, id: MailboxId, messages: &[Append]) -> Result<(u32, Vec<Uid>), StoreError> {
        let mut mailbox = self.mailbox(id)?;
        let sum = messages.iter().map(|append| append.message.size).sum();
        self.check_quota(mailbox.account, sum)?;
        let mut entries = Vec::with_capacity(messages.len());
        for append in messages {
            entries.push(Entry {
                blob: append.message.hash,
                size: append.message.size,
                prefix: Vec::new(),
                flags: append.flags.system,
                keywords: intern(&mut mailbox, &append.flags.keywords)?,
                internal_date: append.internal_date,
            });
        }
        for append in messages {
            self.keep(&append.message)?;
        }
        let uids = entries.into_iter().map(|entry| self.add(id, &mut mailbox, entry)).collect::<Result<_, _>>()?;
        self.put_mailbox(id, &mailbox)?;
        Ok((mailbox.uid_validity, uids))
    }

    /// Puts a message into a mailbox; the mailbox's record is written by the caller.
    pub(super) fn add(&mut self, id: MailboxId, mailbox: &mut MailboxRecord, entry: Entry) -> Result<Uid, StoreError> {
        let modseq = self.modseq(mailbox.account)?;
        let uid = mailbox.uid_next;
        mailbox.uid_next =
            uid.checked_add(1).ok_or_else(|| StoreError::Invalid("the mailbox has no UIDs left".to_owned()))?;
        let record = MessageRecord {
            flags: entry.flags,
            keywords: entry.keywords,
            size: entry.size,
            internal_date: entry.internal_date,
            modseq,
            blob: entry.blob,
            prefix: entry.prefix,
        };
        self.put_message(id, uid, &record)?;
        self.use_bytes(mailbox.account, record.size, 0)?;
        count(mailbox, &record, true);
        mailbox.highest_modseq = modseq;
        Ok(Uid(uid))
    }

    pub(crate) fn change_flags(
        &mut self,
        id: MailboxId,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsChanged, StoreError> {
        let mut mailbox = self.mailbox(id)?;
        let (FlagChange::Replace(wanted) | FlagChange::Add(wanted) | FlagChange::Remove(wanted)) = change;
        let known = mailbox.keywords.len();
        let keywords = match change {
            FlagChange::Remove(_) => find(&mailbox, &wanted.keywords),
            _ => intern(&mut mailbox, &wanted.keywords)?,
        };
        let mut planned = Vec::new();
        let mut outcome = FlagsChanged::default();
        for uid in uids.iter().copied().collect::<BTreeSet<_>>() {
            let Some(old) = self.message(id, uid)? else { continue };
            if unchanged_since.is_some_and(|limit| old.modseq > limit.0) {
                outcome.modified.push(uid);
                continue;
            }
            let mut new = old.clone();
            apply(&mut new, change, wanted.system, &keywords);
            if new.keywords.len() > MESSAGE_KEYWORDS {
                return Err(StoreError::Invalid("a message can have 64 keywords".to_owned()));
            }
            planned.push((uid, old, new));
        }
        for (uid, old, mut new) in planned {
            if (old.flags, &old.keywords) != (new.flags, &new.keywords) {
                new.modseq = self.modseq(mailbox.account)?;
                self.write().changes.remove((id.0, old.modseq, uid.0))?;
                self.put_message(id, uid.0, &new)?;
                count(&mut mailbox, &old, false);
                count(&mut mailbox, &new, true);
                mailbox.highest_modseq = new.modseq;
            }
            outcome.messages.push(new.to_message(uid.0, &mailbox.keywords));
        }
        if self.job_has_changed() || mailbox.keywords.len() > known {
            self.put_mailbox(id, &mailbox)?;
        }
        outcome.modseq = ModSeq(self.account_state(mailbox.account)?.1);
        Ok(outcome)
    }

    pub(crate) fn copy(&mut self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, StoreError> {
        self.transfer(from, uids, to, false)
    }

    pub(crate) fn move_messages(&mut self, from: MailboxId, uids: &[Uid], to: MailboxId) -> Result<Copied, StoreError> {
        self.transfer(from, uids, to, true)
    }

    fn transfer(&mut self, from: MailboxId, uids: &[Uid], to: MailboxId, moving: bool) -> Result<Copied, StoreError> {
        let source = self.mailbox(from)?;
        let mut target = self.mailbox(to)?;
        if source.account != target.account {
            return Err(StoreError::NotFound("the mailbox".to_owned()));
        }
        let mut records = Vec::new();
        for uid in uids.iter().copied().collect::<BTreeSet<_>>() {
            records.extend(self.message(from, uid)?.map(|record| (uid, record)));
        }
        let sum = records.iter().map(|(_, record)| record.size).sum();
        if !moving {
            self.check_quota(target.account, sum)?;
        }
        let mut pairs = Vec::with_capacity(records.len());
        let gone: Vec<Uid> = records.iter().map(|(uid, _)| *uid).collect();
        for (uid, record) in records {
            let names = record.to_message(uid.0, &source.keywords).flags.keywords;
            let keywords = intern(&mut target, &names)?;
            self.refer(record.blob)?;
            let entry = Entry {
                blob: record.blob,
                size: record.size,
                prefix: record.prefix,
                flags: record.flags,
                keywords,
                internal_date: record.internal_date,
            };
            pairs.push((uid, self.add(to, &mut target, entry)?));
        }
        if !pairs.is_empty() {
            self.put_mailbox(to, &target)?;
        }
        if moving {
            self.remove_messages(from, &gone)?;
        }
        Ok(Copied { uid_validity: target.uid_validity, uids: pairs })
    }

    pub(crate) fn expunge(&mut self, id: MailboxId, uids: Option<&[Uid]>) -> Result<Vec<Uid>, StoreError> {
        let mailbox = self.mailbox(id)?;
        if mailbox.deleted == 0 {
            return Ok(Vec::new());
        }
        let mut doomed = Vec::new();
        if let Some(uids) = uids {
            for uid in uids.iter().copied().collect::<BTreeSet<_>>() {
                let record = self.message(id, uid)?;
                doomed.extend(record.filter(|record| record.flags.contains(Flags::DELETED)).map(|_| uid));
            }
        } else {
            for message in self.tables.messages.range((id.0, 0)..=(id.0, u32::MAX))? {
                let (key, value) = message?;
                let record: MessageRecord = decode(value.value(), "a message record")?;
                doomed.extend(record.flags.contains(Flags::DELETED).then(|| Uid(key.value().1)));
            }
        }
        self.remove_messages(id, &doomed)?;
        Ok(doomed)
    }

    /// Removes messages; those that are gone are passed over.
    pub(crate) fn remove_messages(&mut self, id: MailboxId, uids: &[Uid]) -> Result<(), StoreError> {
        let mut mailbox = self.mailbox(id)?;
        let mut freed = 0;
        for uid in uids.iter().copied().collect::<BTreeSet<_>>() {
            let Some(record) = self.message(id, uid)? else { continue };
            let modseq = self.modseq(mailbox.account)?;
            let tables = self.write();
            tables.messages.remove((id.0, uid.0))?;
            tables.changes.remove((id.0, record.modseq, uid.0))?;
            tables.changes.insert((id.0, modseq, uid.0), EXPUNGED)?;
            self.release(record.blob)?;
            count(&mut mailbox, &record, false);
            mailbox.highest_modseq = modseq;
            freed += record.size;
        }
        if !self.job_has_changed() {
            return Ok(());
        }
        self.use_bytes(mailbox.account, 0, freed)?;
        self.put_mailbox(id, &mailbox)
    }

    pub(crate) fn claim_recent(&mut self, id: MailboxId) -> Result<Uid, StoreError> {
        let mut mailbox = self.mailbox(id)?;
        let first = mailbox.first_recent;
        if first != mailbox.uid_next {
            mailbox.first_recent = mailbox.uid_next;
            self.put_mailbox(id, &mailbox)?;
        }
        Ok(Uid(first))
    }

    /// Removes a mailbox's messages and its log, without traces in it: for a mailbox that goes.
    pub(super) fn clear(&mut self, id: MailboxId) -> Result<(), StoreError> {
        let uids = self.all_uids(id)?;
        self.remove_messages(id, &uids)?;
        self.write().changes.retain_in((id.0, 0, 0)..=(id.0, u64::MAX, u32::MAX), |_, _| false)?;
        Ok(())
    }

    /// The messages of a mailbox.
    pub(super) fn all_uids(&self, id: MailboxId) -> Result<Vec<Uid>, StoreError> {
        let messages = self.tables.messages.range((id.0, 0)..=(id.0, u32::MAX))?;
        messages.map(|message| Ok(Uid(message?.0.value().1))).collect()
    }
}

fn count(mailbox: &mut MailboxRecord, record: &MessageRecord, comes: bool) {
    let step = |counter: &mut u32, counts: bool| {
        if counts {
            *counter = if comes { counter.saturating_add(1) } else { counter.saturating_sub(1) };
        }
    };
    step(&mut mailbox.messages, true);
    step(&mut mailbox.unseen, !record.flags.contains(Flags::SEEN));
    step(&mut mailbox.deleted, record.flags.contains(Flags::DELETED));
    mailbox.size =
        if comes { mailbox.size.saturating_add(record.size) } else { mailbox.size.saturating_sub(record.size) };
}

fn apply(record: &mut MessageRecord, change: &FlagChange, system: Flags, keywords: &[u16]) {
    match change {
        FlagChange::Replace(_) => {
            record.flags = system;
            record.keywords = keywords.to_vec();
        }
        FlagChange::Add(_) => {
            record.flags = record.flags | system;
            let new = keywords.iter().filter(|keyword| !record.keywords.contains(keyword)).copied().collect::<Vec<_>>();
            record.keywords.extend(new);
        }
        FlagChange::Remove(_) => {
            record.flags = Flags(record.flags.0 & !system.0);
            record.keywords.retain(|keyword| !keywords.contains(keyword));
        }
    }
    record.keywords.sort_unstable();
}

/// The positions of keywords a mailbox knows.
fn find(mailbox: &MailboxRecord, keywords: &BTreeSet<String>) -> Vec<u16> {
    let positions = keywords.iter().filter_map(|name| position(mailbox, name));
    positions.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The positions of keywords in a mailbox's list, new ones added.
pub(super) fn intern(mailbox: &mut MailboxRecord, keywords: &BTreeSet<String>) -> Result<Vec<u16>, StoreError> {
    let mut positions = BTreeSet::new();
    for name in keywords {
        if name.is_empty() || name.len() > KEYWORD_LENGTH {
            return Err(StoreError::Invalid("a keyword has 1 to 100 characters".to_owned()));
        }
        if !name.bytes().all(is_atom_octet) {
            return Err(StoreError::Invalid(
                "a keyword can't have spaces, quotes, brackets or control characters".to_owned(),
            ));
        }
        let index = match position(mailbox, name) {
            Some(index) => index,
            None if mailbox.keywords.len() >= MAILBOX_KEYWORDS => {
                return Err(StoreError::Invalid("this mailbox knows 1000 keywords, and no more fit".to_owned()));
            }
            None => {
                mailbox.keywords.push(name.clone());
                u16::try_from(mailbox.keywords.len() - 1).unwrap_or(u16::MAX)
            }
        };
        positions.insert(index);
    }
    if positions.len() > MESSAGE_KEYWORDS {
        return Err(StoreError::Invalid("a message can have 64 keywords".to_owned()));
    }
    Ok(positions.into_iter().collect())
}

/// `ATOM-CHAR` (RFC 9051 9).
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet)
}

fn position(mailbox: &MailboxRecord, name: &str) -> Option<u16> {
    let found = mailbox.keywords.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    u16::try_from(found).ok()
}
