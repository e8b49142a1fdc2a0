//! Where an address leads, and who may send with it.

use std::collections::HashSet;

use mailstead_message::report::ReportKind;
use mailstead_message::{Address, LocalPart};
use mailstead_migrations::{v1, v3};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};

use crate::record::{AccountRecord, decode};
use crate::{AccountId, Alias, DomainRecord, Forwarding, Route, Store, StoreError, Target};

/// Aliases that lead to aliases.
const MAX_DEPTH: usize = 10;
/// Targets of one address.
const MAX_WIDTH: usize = 100;
/// Names somebody must answer to (RFC 5321 4.5.1, RFC 2142), and the one our reports are written from.
const DUTIES: [&str; 3] = ["postmaster", "abuse", "mailer-daemon"];

impl Store {
    /// Where an address leads: exact address, then without `+tag`, then the catch-all; aliases, and accounts that have
    /// their mail sent on, followed, each target once, at most 10 deep and 100 wide. What would go round in a circle
    /// stays with the first account it came to. `postmaster`, `abuse` and `mailer-daemon` of a domain of ours,
    /// when nobody has them, lead to the server's first account; `dmarc-reports` and `tls-reports`, when nobody has
    /// them, take reports about our domains.
    pub fn route(&self, address: &Address) -> Result<Route, StoreError> {
        let directory = Directory::open(&self.shared().read()?)?;
        let Some(domain) = directory.domain(address)? else { return Ok(Route::NotLocal) };
        let mut walk = Walk { sends_on: true, ..Walk::default() };
        directory.follow(address, &mut walk, 0)?;
        if walk.targets.is_empty() && !walk.found {
            // Before the catch-all: whoever has one wants letters, not machines' reports.
            if let Some(kind) = ReportKind::taken_by(address.local()) {
                return Ok(Route::Reports(kind));
            }
            if let Some(catch_all) = &domain.catch_all {
                directory.follow_anywhere(catch_all, &mut walk, 1)?;
            }
            if walk.targets.is_empty() && DUTIES.contains(&address.local().split_tag().0.to_lowercase().as_str()) {
                let first = directory.accounts.first()?.map(|(id, _)| AccountId(id.value()));
                if let Some(id) = first {
                    directory.arrive(id, &mut walk, 0)?;
                }
            }
        }
        if walk.targets.is_empty()
            && let Some(id) = walk.first
        {
            directory.stay(id, &mut walk)?;
        }
        Ok(if walk.targets.is_empty() { Route::Unknown } else { Route::Targets(walk.targets) })
    }

    /// True when the account may send with that address: its own addresses (plus-tags included), and
    /// aliases that lead to it. What others have sent on to it is still theirs.
    pub fn may_send_as(&self, account: AccountId, address: &Address) -> Result<bool, StoreError> {
        let directory = Directory::open(&self.shared().read()?)?;
        if directory.domain(address)?.is_none() {
            return Ok(false);
        }
        let mut walk = Walk::default();
        directory.follow(address, &mut walk, 0)?;
        Ok(walk.targets.iter().any(|target| matches!(target, Target::Account { id, .. } if *id == account)))
    }
}

/// What is found on the way.
#[derive(Default)]
struct Walk {
    seen: HashSet<String>,
    /// Accounts whose forwarding was followed.
    accounts: HashSet<AccountId>,
    targets: Vec<Target>,
    /// Somebody has the address, even if it leads nowhere.
    found: bool,
    /// Accounts that have their mail sent on are followed.
    sends_on: bool,
    /// The first account on the way.
    first: Option<AccountId>,
}

struct Directory {
    domains: ReadOnlyTable<&'static str, &'static [u8]>,
    addresses: ReadOnlyTable<&'static str, u64>,
    aliases: ReadOnlyTable<&'static str, &'static [u8]>,
    accounts: ReadOnlyTable<u64, &'static [u8]>,
    states: ReadOnlyTable<u64, (u64, u64)>,
    forwardings: ReadOnlyTable<u64, &'static [u8]>,
}

impl Directory {
    fn open(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            domains: transaction.open_table(v1::DOMAINS)?,
            addresses: transaction.open_table(v1::ADDRESSES)?,
            aliases: transaction.open_table(v1::ALIASES)?,
            accounts: transaction.open_table(v1::ACCOUNTS)?,
            states: transaction.open_table(v1::ACCOUNT_STATES)?,
            forwardings: transaction.open_table(v3::FORWARDINGS)?,
        })
    }

    fn domain(&self, address: &Address) -> Result<Option<DomainRecord>, StoreError> {
        let found = self.domains.get(address.domain().as_str())?;
        found.map(|bytes| decode(bytes.value(), "a domain")).transpose()
    }

    /// Follows an address of a domain of ours: as it is, then without its tag.
    fn follow(&self, address: &Address, walk: &mut Walk, depth: usize) -> Result<(), StoreError> {
        if self.step(&address.key(), walk, depth)? {
            return Ok(());
        }
        if let (base, Some(_)) = address.local().split_tag()
            && let Ok(local) = LocalPart::from_unquoted(base)
        {
            self.step(&address.with_local(local).key(), walk, depth)?;
        }
        Ok(())
    }

    fn follow_anywhere(&self, address: &Address, walk: &mut Walk, depth: usize) -> Result<(), StoreError> {
        if self.domain(address)?.is_some() {
            return self.follow(address, walk, depth);
        }
        if walk.targets.len() < MAX_WIDTH && walk.seen.insert(address.key()) {
            walk.targets.push(Target::Remote(address.clone()));
        }
        Ok(())
    }

    /// True when somebody has that address.
    fn step(&self, key: &str, walk: &mut Walk, depth: usize) -> Result<bool, StoreError> {
        if let Some(id) = self.addresses.get(key)?.map(|value| AccountId(value.value())) {
            walk.found = true;
            self.arrive(id, walk, depth)?;
            return Ok(true);
        }
        let Some(bytes) = self.aliases.get(key)? else { return Ok(false) };
        walk.found = true;
        if depth >= MAX_DEPTH || !walk.seen.insert(key.to_owned()) {
            return Ok(true);
        }
        let alias: Alias = decode(bytes.value(), "an alias")?;
        for target in &alias.targets {
            self.follow_anywhere(target, walk, depth + 1)?;
        }
        Ok(true)
    }

    /// Comes to an account: its mail stays there, or is sent on, or both.
    fn arrive(&self, id: AccountId, walk: &mut Walk, depth: usize) -> Result<(), StoreError> {
        walk.first.get_or_insert(id);
        let forwarding = if walk.sends_on { self.forwardings.get(id.0)? } else { None };
        let Some(bytes) = forwarding else { return self.stay(id, walk) };
        let forwarding: Forwarding = decode(bytes.value(), "a forwarding")?;
        if forwarding.keep {
            self.stay(id, walk)?;
        }
        if depth >= MAX_DEPTH || !walk.accounts.insert(id) {
            return Ok(());
        }
        for target in &forwarding.to {
            self.follow_anywhere(target, walk, depth + 1)?;
        }
        Ok(())
    }

    /// Mail stays in an account's mailbox.
    fn stay(&self, id: AccountId, walk: &mut Walk) -> Result<(), StoreError> {
        let known =
            walk.targets.iter().any(|target| matches!(target, Target::Account { id: other, .. } if *other == id));
        if known || walk.targets.len() >= MAX_WIDTH {
            return Ok(());
        }
        let Some(bytes) = self.accounts.get(id.0)? else { return Ok(()) };
        let record: AccountRecord = decode(bytes.value(), "an account")?;
        let used = self.states.get(id.0)?.map_or(0, |state| state.value().0);
        let full = record.quota.is_some_and(|quota| used >= quota);
        walk.targets.push(Target::Account { id, address: record.address, full });
        Ok(())
    }
}
