//! Sessions at the web: who is signed in. A browser holds a random token; the store holds its hash.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailstead_migrations::v3;
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::record::decode;
use crate::{AccountId, Store, StoreError, Timestamp};

/// Bytes of a token: nobody guesses one.
const TOKEN_BYTES: usize = 32;
/// Seconds after which a session nobody used ends.
pub const SESSION_IDLE: i64 = 14 * 24 * 60 * 60;
/// Seconds after which every session ends.
pub const SESSION_LIFE: i64 = 90 * 24 * 60 * 60;
/// Seconds between two notes that a session is in use.
const NOTE_EVERY: i64 = 60 * 60;
/// Characters kept of what a browser calls itself.
const MAX_AGENT: usize = 200;

/// The name of a session that may be shown: a hash of its token.
pub type SessionKey = [u8; 32];

/// Someone signed in at the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub account: AccountId,
    /// Since when.
    pub created: Timestamp,
    /// When it was used last, to the hour.
    pub seen: Timestamp,
    /// From which address it began.
    pub from: IpAddr,
    /// What the browser called itself then.
    pub agent: String,
}

impl Session {
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.0 - self.seen.0 > SESSION_IDLE || now.0 - self.created.0 > SESSION_LIFE
    }
}

/// A new token, in characters that fit a cookie.
///
/// # Errors
/// The system has no random numbers.
pub fn new_token() -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Under which key a token's session is kept.
pub fn session_key(token: &str) -> SessionKey {
    *blake3::hash(token.as_bytes()).as_bytes()
}

impl Store {
    /// Begins a session of an account and gives its token, which is told nowhere else.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn open_session(
        &self,
        account: AccountId,
        from: IpAddr,
        agent: &str,
    ) -> Result<Zeroizing<String>, StoreError> {
        let token = new_token()?;
        let agent = agent.chars().filter(|character| !character.is_control()).take(MAX_AGENT).collect();
        let now = crate::now();
        let session = Session { account, created: now, seen: now, from, agent };
        let key = session_key(&token);
        self.add(0, move |change| change.put_session(&key, &session)).await?;
        Ok(token)
    }

    /// The session of a token, unless it is over or its account is gone or disabled.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn session(&self, token: &str) -> Result<Option<Session>, StoreError> {
        let key = session_key(token);
        let table = self.shared().read()?.open_table(v3::SESSIONS)?;
        let Some(bytes) = table.get(key.as_slice())? else { return Ok(None) };
        let mut session: Session = decode(bytes.value(), "a session")?;
        let now = crate::now();
        if session.is_over(now) || self.account(session.account)?.is_none_or(|account| account.disabled) {
            return Ok(None);
        }
        if now.0 - session.seen.0 > NOTE_EVERY {
            session.seen = now;
            let noted = session.clone();
            self.send_and_forget(move |change| change.note_session(&key, &noted));
        }
        Ok(Some(session))
    }

    /// Everybody's sessions that are not over, with their keys.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn sessions_of(&self, account: AccountId) -> Result<Vec<(SessionKey, Session)>, StoreError> {
        let table = self.shared().read()?.open_table(v3::SESSIONS)?;
        let now = crate::now();
        let mut sessions = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            let session: Session = decode(bytes.value(), "a session")?;
            if session.account == account
                && !session.is_over(now)
                && let Ok(key) = SessionKey::try_from(key.value())
            {
                sessions.push((key, session));
            }
        }
        sessions.sort_by_key(|(_, session)| std::cmp::Reverse(session.seen));
        Ok(sessions)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn close_session(&self, key: SessionKey) -> Result<(), StoreError> {
        self.lessen(move |change| change.remove_session(&key)).await
    }

    /// Ends all sessions of an account, but for that one.
    ///
    /// # Errors
    /// Those of any change.
    pub async fn close_sessions(&self, account: AccountId, except: Option<SessionKey>) -> Result<(), StoreError> {
        self.lessen(move |change| change.remove_sessions(account, except)).await
    }
}
