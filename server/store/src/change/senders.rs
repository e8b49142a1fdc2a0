//! Remembered senders.

use mailstead_message::Address;
use mailstead_migrations::v2;
use redb::ReadableTable as _;

use super::Change;
use crate::record::{decode, encode};
use crate::{StoreError, Timestamp};

impl Change<'_> {
    pub(crate) fn remember_sender(&mut self, token: &str, sender: &Address, at: Timestamp) -> Result<(), StoreError> {
        let bytes = encode(&(sender, at))?;
        self.write_side(v2::SENDERS)?.insert(token, bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn forget_senders(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let mut old = Vec::new();
        for entry in self.side(v2::SENDERS)?.iter()? {
            let (token, bytes) = entry?;
            let (_, last): (Address, Timestamp) = decode(bytes.value(), "a sender")?;
            if last < before {
                old.push(token.value().to_owned());
            }
        }
        if old.is_empty() {
            return Ok(());
        }
        let mut table = self.write_side(v2::SENDERS)?;
        for token in old {
            table.remove(token.as_str())?;
        }
        Ok(())
    }
}
