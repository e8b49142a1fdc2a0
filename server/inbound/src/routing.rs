//! Where recipients lead, and whether they may receive.

use mailstead_message::{Address, LocalPart};
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Client, MailFrom};
use mailstead_store::{Route, StoreError, Target};

use crate::{Reception, Refusal, Relay, returns, story};

/// Whether there is room for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// When something has been deleted.
    NotNow,
    /// Not even in an empty mailbox.
    Never,
}

impl Reception {
    /// Where an address leads. The postmaster is reached at our host name too, for that is where `<Postmaster>` without
    /// a domain goes (RFC 5321 4.5.1).
    pub(crate) fn route(&self, from: &MailFrom, address: &Address) -> Result<Route, Refusal> {
        let route = self.store().route(address)?;
        if route != Route::NotLocal && returns::is_return_path(address) {
            return self.route_back(from, address);
        }
        let here = address.domain().as_str().eq_ignore_ascii_case(&self.policy().hostname);
        if route != Route::NotLocal || !here {
            return Ok(route);
        }
        let (Ok(postmaster), Some(domain)) =
            (LocalPart::parse("postmaster"), self.store().domains()?.into_iter().next())
        else {
            return Ok(route);
        };
        if address.local().key() != postmaster.key() {
            return Ok(route);
        }
        Ok(self.store().route(&Address::new(postmaster, domain.name))?)
    }

    /// Where a report on a letter goes that an alias has sent on: to who wrote it.
    fn route_back(&self, from: &MailFrom, address: &Address) -> Result<Route, Refusal> {
        let original = returns::homeward(self.store(), address, story::now())?
            .map_err(|error| Reply::new(550, (5, 1, 1), format!("there is no {address} here: {error}")))?;
        if from.reverse_path.is_some() {
            let text = format!("{address} takes reports of non-delivery only, with an empty sender");
            return Err(Reply::new(550, (5, 7, 1), text).into());
        }
        Ok(match self.store().route(&original)? {
            Route::NotLocal => Route::Targets(vec![Target::Remote(original)]),
            here => here,
        })
    }

    pub(crate) fn may_receive(&self, client: &Client, to: &Address, route: &Route, size: u64) -> Result<(), Refusal> {
        match route {
            Route::NotLocal if self.relay == Relay::LoggedIn && client.identity.is_some() => Ok(()),
            Route::NotLocal => {
                let text = format!("no relaying: mail for {} is not handled here", to.domain());
                Err(Reply::new(550, (5, 7, 1), text).into())
            }
            Route::Reports(_) => Ok(()),
            Route::Unknown => Err(Reply::new(550, (5, 1, 1), format!("there is no {to} here")).into()),
            Route::Targets(targets) => match self.room(targets, size)? {
                Room::Enough => Ok(()),
                // Temporary, as the large providers have it: the owner can make room while the sender's server tries on,
                // and no letter bounces because of a full week. Where one target of an alias is full, nobody behind it
                // gets the message now, for SMTP has one answer for all of them.
                Room::NotNow => {
                    let text = format!("the mailbox of {to} has no room for this message, try again later");
                    Err(Reply::new(452, (4, 2, 2), text).into())
                }
                Room::Never => {
                    let text = format!("the message is larger than all of the mailbox of {to}");
                    Err(Reply::new(552, (5, 2, 3), text).into())
                }
            },
        }
    }

    /// Whether all the accounts have room for a message of that size.
    pub(crate) fn room(&self, targets: &[Target], size: u64) -> Result<Room, StoreError> {
        let mut room = Room::Enough;
        for target in targets {
            let Target::Account { id, full, .. } = target else { continue };
            let account = self.store().account(*id)?;
            let Some((quota, used)) = account.and_then(|account| Some((account.quota?, account.used))) else {
                continue;
            };
            if size > quota {
                return Ok(Room::Never);
            }
            if *full || used.saturating_add(size) > quota {
                room = Room::NotNow;
            }
        }
        Ok(room)
    }
}
