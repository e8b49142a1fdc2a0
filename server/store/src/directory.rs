//! Who exists: domains, accounts, aliases, passwords, settings; and where an address leads.

use mailstead_message::{Address, Domain};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Store, StoreError, Timestamp};

/// A domain whose mail is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// Its name.
    pub name: Domain,
    /// Where mail for unknown local parts goes; `None` refuses it.
    pub catch_all: Option<Address>,
    /// A relay for mail *from* this domain, instead of the server's.
    pub smarthost: Option<Smarthost>,
    /// When it was added.
    pub created: Timestamp,
}

/// A relay that takes our outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smarthost {
    /// Host name or address.
    pub host: String,
    /// Port, often 465 or 587.
    pub port: u16,
    /// How TLS is used.
    pub tls: SmarthostTls,
    /// User name and password, where it wants them.
    pub login: Option<(String, String)>,
}

/// How TLS is used towards a smarthost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmarthostTls {
    /// TLS from the first byte, certificate verified.
    Implicit,
    /// STARTTLS required, certificate verified.
    Starttls,
    /// Never TLS; refused together with a login unless the host is on loopback.
    None,
}

/// An account: someone who logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The address it logs in with.
    pub address: Address,
    /// Further addresses that are its own, to receive and to send with.
    pub addresses: Vec<Address>,
    /// No login and no submission when true; mail still arrives.
    pub disabled: bool,
    /// Limit of the stored bytes, `None` for none.
    pub quota: Option<u64>,
    /// Bytes stored now.
    pub used: u64,
    /// When it was added.
    pub created: Timestamp,
}

/// An alias: an address that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The address.
    pub address: Address,
    /// Where it leads: local or remote addresses, at least one.
    pub targets: Vec<Address>,
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The domain is not ours.
    NotLocal,
    /// The domain is ours, the address is nobody's.
    Unknown,
    /// These, each once.
    Targets(Vec<Target>),
}

/// One place a message for a recipient goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A local account.
    Account {
        /// Which.
        id: AccountId,
        /// Its login address.
        address: Address,
        /// No room left (judged before the message; an empty message would fit no more).
        full: bool,
    },
    /// A remote address, by an alias.
    Remote(Address),
}

/// Someone who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub id: AccountId,
    /// Its login address.
    pub address: Address,
}

impl Store {
    /// Adds a domain.
    pub async fn add_domain(&self, _domain: Domain) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Removes a domain; refused while it has accounts or aliases.
    pub async fn remove_domain(&self, _domain: &Domain) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Sets or clears where mail for unknown local parts goes.
    pub async fn set_catch_all(&self, _domain: &Domain, _target: Option<Address>) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Sets or clears the smarthost of a domain, or with `None` of the whole server.
    pub async fn set_smarthost(&self, _domain: Option<&Domain>, _relay: Option<Smarthost>) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// The smarthost for mail from that domain: its own, or else the server's.
    pub fn smarthost_for(&self, _domain: Option<&Domain>) -> Result<Option<Smarthost>, StoreError> {
        unimplemented!()
    }
    /// All domains, by name.
    pub fn domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        unimplemented!()
    }
    /// Adds an account with its standard mailboxes (INBOX, Drafts, Sent, Archive, Junk, Trash, all subscribed).
    /// Its domain must be ours and the address free.
    pub async fn add_account(
        &self,
        _address: Address,
        _password: &str,
        _quota: Option<u64>,
    ) -> Result<AccountId, StoreError> {
        unimplemented!()
    }
    /// Gives an account a further address.
    pub async fn add_address(&self, _account: &Address, _address: Address) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Takes a further address away.
    pub async fn remove_address(&self, _account: &Address, _address: &Address) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Sets an account's password.
    pub async fn set_password(&self, _account: &Address, _password: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Disables or enables an account.
    pub async fn set_disabled(&self, _account: &Address, _disabled: bool) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Sets or clears an account's quota, in bytes.
    pub async fn set_quota(&self, _account: &Address, _quota: Option<u64>) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Removes an account with all its mail.
    pub async fn remove_account(&self, _account: &Address) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// All accounts, by address.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        unimplemented!()
    }
    /// One account by its id.
    pub fn account(&self, _id: AccountId) -> Result<Option<Account>, StoreError> {
        unimplemented!()
    }
    /// Adds an alias, or replaces its targets.
    pub async fn set_alias(&self, _alias: Alias) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Removes an alias.
    pub async fn remove_alias(&self, _address: &Address) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// All aliases, by address.
    pub fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        unimplemented!()
    }
    /// Where an address leads: exact address, then without `+tag`, then the catch-all; aliases followed,
    /// each target once, at most 10 deep and 100 wide. `postmaster` and `abuse` of a domain of ours, when
    /// nobody has them, lead to the server's first account.
    pub fn route(&self, _address: &Address) -> Result<Route, StoreError> {
        unimplemented!()
    }
    /// True when the account may send with that address: its own addresses (plus-tags included), and
    /// aliases that lead to it.
    pub fn may_send_as(&self, _account: AccountId, _address: &Address) -> Result<bool, StoreError> {
        unimplemented!()
    }
    /// Checks a login name (any address of the account) and password. `Ok(None)` for unknown, wrong or disabled, in the same time for all.
    /// Hashing runs off the async threads, a bounded number at once.
    pub async fn authenticate(&self, _login: &str, _password: &str) -> Result<Option<Login>, StoreError> {
        unimplemented!()
    }
}
