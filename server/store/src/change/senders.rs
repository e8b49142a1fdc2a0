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

    /// Looks at so many from a token on, and forgets those who wrote last before that time, or can't be read; the token
    /// to go on with, where there may be more.
    pub(crate) fn forget_senders(
        &mut self,
        before: Timestamp,
        from: &str,
        at_once: usize,
    ) -> Result<Option<String>, StoreError> {
        let (mut old, mut next, mut looked_at) = (Vec::new(), None, 0);
        for entry in self.side(v2::SENDERS)?.range(from..)? {
            let (token, bytes) = entry?;
            let token = token.value().to_owned();
            if looked_at == at_once {
                next = Some(token);
                break;
            }
            looked_at += 1;
            let known: Result<(Address, Timestamp), StoreError> = decode(bytes.value(), "a sender");
            if known.is_ok_and(|(_, last)| last >= before) {
                continue;
            }
            old.push(token);
        }
        if !old.is_empty() {
            let mut table = self.write_side(v2::SENDERS)?;
            for token in old {
                table.remove(token.as_str())?;
            }
        }
        Ok(next)
    }
}
