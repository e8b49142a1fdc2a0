//! What is remembered from one command to the next (RFC 3501 section 3).
//!
//! [`Session::state`] is the RFC's state; the selected state is an authenticated one with a [`View`]. Changes of
//! other sessions reach the client only through [`Session::tell_changes`], at the moments the RFC allows.

mod selection;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use mailstead_net::sasl::{Bindings, Offer};
use mailstead_net::{Gate, Peer};
use mailstead_store::{AccountId, ModSeq, Store, StoreError, Uid};
use tokio::sync::watch;

pub(crate) use selection::Selection;
pub(crate) use view::{FlagsStyle, Opened, View};

use crate::Config;
use crate::reply::{Failure, Reply};

/// One client's session.
pub(crate) struct Session {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) gate: Arc<Gate>,
    pub(crate) peer: Peer,
    /// How one may log in; `None` without TLS.
    pub(crate) offer: Option<Offer>,
    pub(crate) state: State,
    /// Wrong passwords so far.
    pub(crate) failures: u32,
}

/// RFC 3501 section 3.
pub(crate) enum State {
    NotAuthenticated,
    Authenticated(User),
    Logout,
}

/// Who is logged in.
pub(crate) struct User {
    pub(crate) id: AccountId,
    /// The account's modseq, changing with every commit that touches it.
    pub(crate) watch: watch::Receiver<ModSeq>,
    /// A CONDSTORE-enabling command was given (RFC 7162 3.1): flags are told with their modseq.
    pub(crate) condstore: bool,
    /// The selected mailbox.
    pub(crate) view: Option<View>,
}

/// What the client may be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Everything.
    Any,
    /// No EXPUNGE: the client may just be using message numbers (RFC 3501 7.4.1).
    NoExpunge,
}

/// Changes the client made itself and was told of: each message with the modseq it got.
pub(crate) type Told = HashMap<Uid, ModSeq>;

impl Session {
    /// TLS is on, and logins can be bound to it in these ways: now they are offered.
    pub(crate) fn offer_logins(&mut self, bindings: Bindings) {
        self.offer = Some(Offer::new(bindings, self.store.scram_terms()));
    }

    /// The one who is logged in.
    pub(crate) fn user(&mut self) -> Result<&mut User, Failure> {
        match &mut self.state {
            State::Authenticated(user) => Ok(user),
            State::NotAuthenticated | State::Logout => Err(Reply::bad("log in first").into()),
        }
    }

    /// The selected mailbox.
    pub(crate) fn view(&mut self) -> Result<&mut View, Failure> {
        self.user()?.view.as_mut().ok_or_else(|| Reply::bad("select a mailbox first").into())
    }

    /// The selected mailbox, if it may be changed.
    pub(crate) fn writable_view(&mut self) -> Result<&mut View, Failure> {
        let view = self.view()?;
        if view.read_only {
            return Err(Reply::no("CANNOT", "the mailbox is open read-only").into());
        }
        Ok(view)
    }

    /// Tells the client what has changed in the selected mailbox since it was last told. Where that can't be read,
    /// it is told another time: a command that succeeded has succeeded.
    pub(crate) fn tell_changes(&mut self, moment: Moment, told: &Told, out: &mut Vec<u8>) {
        if let Err(error) = self.try_tell_changes(moment, told, out) {
            tracing::error!(%error, "changes of a mailbox can't be read");
        }
    }

    fn try_tell_changes(&mut self, moment: Moment, told: &Told, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let State::Authenticated(user) = &mut self.state else { return Ok(()) };
        // Noted even where there is nothing to tell: whoever waits for news must not be woken by old ones.
        let now = *user.watch.borrow_and_update();
        let Some(view) = &mut user.view else { return Ok(()) };
        if !view.is_behind(now, moment) {
            return Ok(());
        }
        let style = FlagsStyle { uid: user.condstore, modseq: user.condstore };
        let (store, account) = (&self.store, user.id);
        off_loop(|| view.catch_up(store, account, now, moment, told, style, out))
    }

    /// Leaves the selected mailbox.
    pub(crate) fn deselect(&mut self) {
        let State::Authenticated(user) = &mut self.state else { return };
        let Some(view) = user.view.take() else { return };
        if view.has_arrivals && !view.read_only {
            // What arrived meanwhile was recent here, and shall not be so for the next session. Nobody waits for it.
            let (store, mailbox) = (self.store.clone(), view.mailbox);
            tokio::spawn(async move { store.claim_recent(mailbox).await });
        }
    }

    /// Notes a CONDSTORE-enabling command (RFC 7162 3.1); a mailbox that is open tells where it stands.
    pub(crate) fn enable_condstore(&mut self, out: &mut Vec<u8>) {
        let State::Authenticated(user) = &mut self.state else { return };
        if std::mem::replace(&mut user.condstore, true) {
            return;
        }
        if let Some(view) = &user.view {
            let highest = view.modseq().max(1);
            out.extend_from_slice(format!("* OK [HIGHESTMODSEQ {highest}] told from now on\r\n").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;

/// Runs what blocks on the disk for longer than a few lookups, while other sessions are served.
pub(crate) fn off_loop<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
