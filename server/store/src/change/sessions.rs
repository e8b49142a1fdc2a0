//! Sessions at the web.

use mailstead_message::Address;
use mailstead_migrations::v3;
use redb::ReadableTable as _;

use super::Change;
use crate::record::{decode, encode};
use crate::{AccountId, Session, SessionKey, StoreError, Timestamp};

impl Change<'_> {
    pub(crate) fn put_session(&mut self, key: &SessionKey, session: &Session) -> Result<(), StoreError> {
        self.account_by_id(session.account)?;
        let bytes = encode(session)?;
        self.write_side(v3::SESSIONS)?.insert(key.as_slice(), bytes.as_slice())?;
        Ok(())
    }

    /// Keeps what a session is like now, unless it has ended meanwhile.
    pub(crate) fn note_session(&mut self, key: &SessionKey, session: &Session) -> Result<(), StoreError> {
        if self.side(v3::SESSIONS)?.get(key.as_slice())?.is_none() {
            return Ok(());
        }
        self.put_session(key, session)
    }

    pub(crate) fn remove_session(&mut self, key: &SessionKey) -> Result<(), StoreError> {
        self.write_side(v3::SESSIONS)?.remove(key.as_slice())?;
        Ok(())
    }

    pub(crate) fn remove_sessions(&mut self, account: AccountId, except: Option<SessionKey>) -> Result<(), StoreError> {
        let mut ended = Vec::new();
        for entry in self.side(v3::SESSIONS)?.iter()? {
            let (key, bytes) = entry?;
            let session: Session = decode(bytes.value(), "a session")?;
            if session.account == account && except.is_none_or(|kept| kept.as_slice() != key.value()) {
                ended.push(key.value().to_vec());
            }
        }
        self.remove_all_sessions(&ended)
    }

    pub(crate) fn end_sessions(&mut self, account: &Address) -> Result<(), StoreError> {
        let (id, _) = self.login(account)?;
        self.remove_sessions(id, None)
    }

    /// Forgets those that are over.
    pub(crate) fn forget_sessions(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut ended = Vec::new();
        for entry in self.side(v3::SESSIONS)?.iter()? {
            let (key, bytes) = entry?;
            // What can't be read opens nothing.
            if !decode(bytes.value(), "a session").is_ok_and(|session: Session| !session.is_over(now)) {
                ended.push(key.value().to_vec());
            }
        }
        self.remove_all_sessions(&ended)
    }

    fn remove_all_sessions(&mut self, keys: &[Vec<u8>]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut table = self.write_side(v3::SESSIONS)?;
        for key in keys {
            table.remove(key.as_slice())?;
        }
        Ok(())
    }
}
