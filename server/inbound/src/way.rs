//! What a message becomes: which mailboxes it goes into, and which queue entries are made of it.
//!
//! Every account and every remote address gets the message once. What an alias sends on into the world is a copy of its
//! own, with the alias in a `Delivered-To` field: when it comes back, it is known (RFC 9228). The field is not in what
//! the other recipients get, for they must not learn of the alias.

use std::collections::HashSet;

use mailstead_message::received::{delivered_to, delivery_prefix, return_path};
use mailstead_message::report::ReportKind;
use mailstead_message::{Address, ReversePath, header};
use mailstead_smtp::server::{MailFrom, RcptTo};
use mailstead_store::{
    AccountId, Delivery, FlagSet, Into, NewQueueEntry, NewRecipient, Notify, Ret, Route, Target, TlsNeed,
};

/// The way of one message.
#[derive(Debug)]
pub(crate) struct Way {
    reverse_path: ReversePath,
    plain: Bundle,
    /// What aliases send on.
    forwards: Vec<Bundle>,
    accounts: HashSet<AccountId>,
    remote: HashSet<Address>,
}

/// Recipients who get the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// The alias that sends this on.
    forwarder: Option<Address>,
    /// It is named in a `Delivered-To` field.
    marked: bool,
    deliveries: Vec<Delivery>,
    remote: Vec<NewRecipient>,
}

/// Where one recipient leads, whether or not others led there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lead {
    /// The recipient.
    pub(crate) recipient: NewRecipient,
    /// Accounts, by their login addresses.
    pub(crate) inboxes: Vec<Address>,
    /// Addresses in the world that an alias leads to.
    pub(crate) forwards: Vec<Address>,
    /// It takes reports of that kind about our domains.
    pub(crate) reports: Option<ReportKind>,
}

impl Lead {
    fn to_nobody(recipient: NewRecipient) -> Self {
        Self { recipient, inboxes: Vec::new(), forwards: Vec::new(), reports: None }
    }

    /// True when it was written to an address in the world itself.
    pub(crate) fn is_remote(&self) -> bool {
        self.inboxes.is_empty() && self.forwards.is_empty() && self.reports.is_none()
    }

    /// True when the alias stands for one address in the world: that address takes over what the sender asked to be
    /// told (RFC 3461 5.2.7.1).
    fn is_plain_forward(&self) -> bool {
        self.inboxes.is_empty() && self.forwards.len() == 1
    }

    /// True when the sender asked to hear of success and it is for us to say (RFC 3461 5.2.7, 6.1).
    pub(crate) fn owes_receipt(&self) -> bool {
        let asked = self.recipient.notify.is_some_and(|notify| notify.success && !notify.never);
        asked && !self.is_remote() && !self.is_plain_forward()
    }

    /// The recipient that takes this one's place at a forwarding address.
    fn forwarded(&self, to: Address) -> NewRecipient {
        let notify =
            if self.is_plain_forward() { self.recipient.notify } else { self.recipient.notify.map(no_success) };
        let alias = &self.recipient.address;
        let kind = if alias.needs_smtputf8() { "utf-8" } else { "rfc822" };
        let orcpt = self.recipient.orcpt.clone().or_else(|| Some((kind.to_owned(), alias.to_string())));
        NewRecipient { address: to, orcpt, notify }
    }
}

impl Way {
    /// The way of a message with that reverse-path, as yet to nobody.
    pub(crate) fn new(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            plain: Bundle::default(),
            forwards: Vec::new(),
            accounts: HashSet::new(),
            remote: HashSet::new(),
        }
    }

    /// Adds a recipient by where it leads; `None` when it leads nowhere.
    pub(crate) fn add(&mut self, recipient: NewRecipient, route: Route) -> Option<Lead> {
        match route {
            Route::Unknown => None,
            Route::NotLocal => {
                if self.remote.insert(recipient.address.clone()) {
                    self.plain.remote.push(recipient.clone());
                }
                Some(Lead::to_nobody(recipient))
            }
            Route::Reports(kind) => Some(Lead { reports: Some(kind), ..Lead::to_nobody(recipient) }),
            Route::Targets(targets) => Some(self.add_local(recipient, targets)),
        }
    }

    /// The bundles that go to somebody.
    pub(crate) fn into_bundles(self) -> impl Iterator<Item = Bundle> {
        let bundles = std::iter::once(self.plain).chain(self.forwards);
        bundles.filter(|bundle| !bundle.deliveries.is_empty() || !bundle.remote.is_empty())
    }

    fn add_local(&mut self, recipient: NewRecipient, targets: Vec<Target>) -> Lead {
        let mut accounts = Vec::new();
        let mut lead = Lead::to_nobody(recipient);
        for target in targets {
            match target {
                Target::Account { id, address, .. } => {
                    accounts.push(id);
                    lead.inboxes.push(address);
                }
                Target::Remote(address) => lead.forwards.push(address),
            }
        }
        accounts.retain(|account| self.accounts.insert(*account));
        let fresh = lead.forwards.iter().filter(|address| self.remote.insert((*address).clone()));
        let remote: Vec<NewRecipient> = fresh.map(|address| lead.forwarded(address.clone())).collect();
        let alias = &lead.recipient.address;
        // A name beyond ASCII in the header would keep the copy from every server without SMTPUTF8; loops through such
        // an alias end by their Received fields.
        let marked = !remote.is_empty() && !alias.needs_smtputf8();
        let prefix = if marked { return_path(&self.reverse_path) } else { delivery_prefix(&self.reverse_path, alias) };
        let deliveries = accounts.into_iter().map(|account| Delivery {
            account,
            into: Into::Inbox,
            prefix: prefix.clone().into_bytes(),
            flags: FlagSet::default(),
        });
        if remote.is_empty() {
            self.plain.deliveries.extend(deliveries);
        } else {
            let forwarder = Some(alias.clone());
            self.forwards.push(Bundle { forwarder, marked, deliveries: deliveries.collect(), remote });
        }
        lead
    }
}

impl Bundle {
    /// The header these recipients get, made of the message's own.
    pub(crate) fn head(&self, head: &[u8]) -> Vec<u8> {
        let forwarder = self.forwarder.as_ref().filter(|_| self.marked).map(delivered_to).unwrap_or_default();
        [forwarder.as_bytes(), head].concat()
    }

    /// The alias that sends this on into the world.
    pub(crate) fn forwarder(&self) -> Option<&Address> {
        self.forwarder.as_ref()
    }

    /// True when it goes into the world.
    pub(crate) fn leaves(&self) -> bool {
        !self.remote.is_empty()
    }

    /// Its local deliveries.
    pub(crate) fn into_deliveries(self) -> Vec<Delivery> {
        self.deliveries
    }

    /// Its queue entry, if it needs one. `head` is its header.
    pub(crate) fn queue(&self, from: &MailFrom, head: &[u8], eight_bit: bool) -> Vec<NewQueueEntry> {
        if self.remote.is_empty() {
            return Vec::new();
        }
        let addresses = self.remote.iter().map(|recipient| &recipient.address).chain(&from.reverse_path);
        // That it was asked for does not make it needed, and where it is needed, many servers can't take the message.
        let smtputf8 = addresses.into_iter().any(Address::needs_smtputf8) || (from.smtputf8 && !head.is_ascii());
        vec![NewQueueEntry {
            reverse_path: from.reverse_path.clone(),
            recipients: self.remote.clone(),
            envid: from.envid.clone(),
            ret: from.ret_full.map(|full| if full { Ret::Full } else { Ret::Headers }),
            eight_bit,
            smtputf8,
            tls: tls_need(from, head),
        }]
    }
}

/// A recipient of a session, as the store knows it.
pub(crate) fn recipient(to: &RcptTo) -> NewRecipient {
    let notify = to.notify.map(|said| Notify {
        never: said.never,
        success: said.success,
        failure: said.failure,
        delay: said.delay,
    });
    NewRecipient { address: to.address.clone(), orcpt: to.orcpt.clone(), notify }
}

/// What TLS a message needs on its way: REQUIRETLS goes before the header field (RFC 8689 4.2.2). Without a sender to
/// return it to, it must not be lost for want of TLS (RFC 8689 5).
fn tls_need(from: &MailFrom, head: &[u8]) -> TlsNeed {
    let waived = || header::value(head, "TLS-Required").is_some_and(|value| value.trim().eq_ignore_ascii_case("no"));
    match from.require_tls {
        true if from.reverse_path.is_some() => TlsNeed::Required,
        true => TlsNeed::Usual,
        false if waived() => TlsNeed::Waived,
        false => TlsNeed::Usual,
    }
}

/// What is left of a wish when success has been told; nothing left means that nothing more is to be told.
fn no_success(notify: Notify) -> Notify {
    let rest = Notify { success: false, ..notify };
    if notify.success && !rest.failure && !rest.delay { Notify { never: true, ..rest } } else { rest }
}

#[cfg(test)]
mod tests;
