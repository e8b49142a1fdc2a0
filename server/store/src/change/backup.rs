//! What backups need of the writer, and what changes in a store that was put back from one.

use std::path::Path;

use mailstead_migrations::{v1, v3};
use redb::{ReadTransaction, ReadableTable as _};

use super::Change;
use crate::backup::BACKUPS;
use crate::record::{MailboxRecord, decode};
use crate::{MailboxId, QueueAction, QueueEntry, StoreError};

impl Change<'_> {
    /// Gives each pack one more name, and the snapshot that refers to them. In the writer's thread, so that none of them
    /// is dropped meanwhile.
    pub(crate) fn link_packs(&self, folder: &Path) -> Result<ReadTransaction, StoreError> {
        let picture = self.shared.read()?;
        for entry in picture.open_table(v1::PACKS)?.iter()? {
            self.shared.packs.link(entry?.0.value(), folder)?;
        }
        Ok(picture)
    }

    pub(crate) fn put_backups(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write().settings.insert(BACKUPS, bytes)?;
        Ok(())
    }

    /// Makes every mailbox a new one to mail programs, signs everybody out, and holds the queue if asked.
    pub(crate) fn begin_anew(&mut self, hold_queue: bool) -> Result<(), StoreError> {
        let mut mailboxes = Vec::new();
        for entry in self.tables.mailboxes.iter()? {
            let (id, bytes) = entry?;
            mailboxes.push((MailboxId(id.value()), decode::<MailboxRecord>(bytes.value(), "a mailbox")?));
        }
        for (id, record) in mailboxes {
            // RFC 9051 2.3.1.1: numbers given after the backup was made will be given again, to other letters.
            let uid_validity = self.uid_validity()?;
            self.put_mailbox(id, &MailboxRecord { uid_validity, ..record })?;
        }
        self.write_side(v3::SESSIONS)?.retain(|_, _| false)?;
        if !hold_queue {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for entry in self.tables.queue.iter()? {
            waiting.push(QueueEntry::from_bytes(entry?.1.value())?.id);
        }
        for id in waiting {
            self.queue_action(id, QueueAction::Hold)?;
        }
        Ok(())
    }
}
