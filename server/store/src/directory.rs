//! Who exists: domains, accounts, aliases, passwords, settings; and where an address leads.

use mailstead_message::report::ReportKind;
use mailstead_message::{Address, Domain};
use mailstead_migrations::{v1, v3};
use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};

use crate::forwardings;
use crate::record::{AccountRecord, decode};
use crate::{AccountId, AppPasswordId, Forwarding, Store, StoreError, Timestamp};

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
    /// It may govern the server.
    pub operator: bool,
    /// Where it has its mail sent on to.
    pub forwarding: Option<Forwarding>,
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
    /// Reports about our domains are taken there, and nothing else.
    Reports(ReportKind),
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
    /// Which app password it was; `None` for the account's own.
    pub app_password: Option<AppPasswordId>,
}

/// Under which name the server's relay is kept.
pub(crate) const SMARTHOST: &str = "smarthost";

impl Store {
    /// Adds a domain.
    pub async fn add_domain(&self, domain: Domain) -> Result<(), StoreError> {
        self.add(0, move |change| change.add_domain(&domain)).await
    }

    /// Removes a domain; refused while it has accounts or aliases.
    pub async fn remove_domain(&self, domain: &Domain) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.lessen(move |change| change.remove_domain(&domain)).await
    }

    /// Sets or clears where mail for unknown local parts goes.
    pub async fn set_catch_all(&self, domain: &Domain, target: Option<Address>) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(0, move |change| change.set_catch_all(&domain, target.as_ref())).await
    }

    /// Sets or clears the smarthost of a domain, or with `None` of the whole server.
    pub async fn set_smarthost(&self, domain: Option<&Domain>, relay: Option<Smarthost>) -> Result<(), StoreError> {
        let domain = domain.cloned();
        self.add(0, move |change| change.set_smarthost(domain.as_ref(), relay.as_ref())).await
    }

    /// The smarthost for mail from that domain: its own, or else the server's.
    pub fn smarthost_for(&self, domain: Option<&Domain>) -> Result<Option<Smarthost>, StoreError> {
        let transaction = self.shared().read()?;
        if let Some(domain) = domain
            && let Some(bytes) = transaction.open_table(v1::DOMAINS)?.get(domain.as_str())?
        {
            let record: DomainRecord = decode(bytes.value(), "a domain")?;
            if record.smarthost.is_some() {
                return Ok(record.smarthost);
            }
        }
        let settings = transaction.open_table(v1::SETTINGS)?;
        settings.get(SMARTHOST)?.map(|bytes| decode(bytes.value(), "the smarthost")).transpose()
    }

    /// All domains, by name.
    pub fn domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        let table = self.shared().read()?.open_table(v1::DOMAINS)?;
        table.iter()?.map(|entry| decode(entry?.1.value(), "a domain")).collect()
    }

    /// Fails unless the domain is ours.
    pub fn require_domain(&self, name: &Domain) -> Result<(), StoreError> {
        match self.shared().read()?.open_table(v1::DOMAINS)?.get(name.as_str())? {
            Some(_) => Ok(()),
            None => Err(StoreError::NotFound(format!("the domain {}", name.to_unicode()))),
        }
    }

    /// Adds an account with its standard mailboxes (INBOX, Drafts, Sent, Archive, Junk, Trash, all subscribed).
    /// Its domain must be ours and the address free.
    pub async fn add_account(
        &self,
        address: Address,
        password: &str,
        quota: Option<u64>,
    ) -> Result<AccountId, StoreError> {
        let password = self.passwords().make(password).await?;
        self.add(0, move |change| change.add_account(&address, &password, quota)).await
    }

    /// Gives an account a further address.
    pub async fn add_address(&self, account: &Address, address: Address) -> Result<(), StoreError> {
        let account = account.clone();
        self.add(0, move |change| change.add_address(&account, &address)).await
    }

    /// Takes a further address away.
    pub async fn remove_address(&self, account: &Address, address: &Address) -> Result<(), StoreError> {
        let (account, address) = (account.clone(), address.clone());
        self.lessen(move |change| change.remove_address(&account, &address)).await
    }

    /// Sets an account's password, and signs it out everywhere at the web.
    pub async fn set_password(&self, account: &Address, password: &str) -> Result<(), StoreError> {
        let (account, password) = (account.clone(), self.passwords().make(password).await?);
        self.lessen(move |change| {
            change.edit_account(&account, |record| record.password.clone_from(&password))?;
            change.end_sessions(&account)
        })
        .await
    }

    /// Disables or enables an account; not the last operator's.
    pub async fn set_disabled(&self, account: &Address, disabled: bool) -> Result<(), StoreError> {
        let account = account.clone();
        self.lessen(move |change| {
            if disabled {
                let (id, _) = change.login(&account)?;
                change.refuse_last_operator(id, &account)?;
            }
            change.edit_account(&account, |record| record.disabled = disabled)?;
            change.end_sessions(&account)
        })
        .await
    }

    /// Sets or clears an account's quota, in bytes.
    pub async fn set_quota(&self, account: &Address, quota: Option<u64>) -> Result<(), StoreError> {
        let account = account.clone();
        self.lessen(move |change| change.edit_account(&account, |record| record.quota = quota)).await
    }

    /// Removes an account with all its mail.
    pub async fn remove_account(&self, account: &Address) -> Result<(), StoreError> {
        let account = account.clone();
        self.lessen(move |change| change.remove_account(&account)).await
    }

    /// All accounts, by address.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let transaction = self.shared().read()?;
        let mut accounts = Vec::new();
        for entry in transaction.open_table(v1::ACCOUNTS)?.iter()? {
            let (id, bytes) = entry?;
            accounts.push(account(&transaction, AccountId(id.value()), bytes.value())?);
        }
        accounts.sort_by_cached_key(|account| account.address.key());
        Ok(accounts)
    }

    /// One account by its id.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let transaction = self.shared().read()?;
        let record = transaction.open_table(v1::ACCOUNTS)?.get(id.0)?;
        record.map(|bytes| account(&transaction, id, bytes.value())).transpose()
    }

    /// Adds an alias, or replaces its targets.
    pub async fn set_alias(&self, alias: Alias) -> Result<(), StoreError> {
        self.add(0, move |change| change.set_alias(&alias)).await
    }

    /// Removes an alias.
    pub async fn remove_alias(&self, address: &Address) -> Result<(), StoreError> {
        let address = address.clone();
        self.lessen(move |change| change.remove_alias(&address)).await
    }

    /// All aliases, by address.
    pub fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        let table = self.shared().read()?.open_table(v1::ALIASES)?;
        table.iter()?.map(|entry| decode(entry?.1.value(), "an alias")).collect()
    }

    /// Checks a login name (any address of the account) and the account's own password, which alone may govern it.
    /// `Ok(None)` for unknown, wrong or disabled, in the same time for all. Hashing runs off the async threads, a bounded
    /// number at once.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn authenticate_own(&self, login: &str, password: &str) -> Result<Option<Login>, StoreError> {
        let found = self.find_login(login)?;
        let hash = found.as_ref().map(|(_, record)| record.password.as_str());
        let right = self.passwords().check(password, hash).await?;
        let admitted = found.filter(|(_, record)| right && !record.disabled);
        Ok(admitted.map(|(id, record)| Login { id, address: record.address, app_password: None }))
    }

    pub(crate) fn find_login(&self, login: &str) -> Result<Option<(AccountId, AccountRecord)>, StoreError> {
        let Ok(address) = Address::parse(login.trim()) else { return Ok(None) };
        let transaction = self.shared().read()?;
        let id = transaction.open_table(v1::ADDRESSES)?.get(address.key().as_str())?.map(|value| value.value());
        let Some(id) = id else { return Ok(None) };
        let record = transaction.open_table(v1::ACCOUNTS)?.get(id)?;
        record.map(|bytes| Ok((AccountId(id), decode(bytes.value(), "an account")?))).transpose()
    }
}

fn account(transaction: &ReadTransaction, id: AccountId, bytes: &[u8]) -> Result<Account, StoreError> {
    let record: AccountRecord = decode(bytes, "an account")?;
    let state = transaction.open_table(v1::ACCOUNT_STATES)?.get(id.0)?.map(|state| state.value());
    Ok(Account {
        id,
        address: record.address,
        addresses: record.addresses,
        disabled: record.disabled,
        operator: transaction.open_table(v3::OPERATORS)?.get(id.0)?.is_some(),
        forwarding: forwardings::of(transaction, id)?,
        quota: record.quota,
        used: state.map_or(0, |(used, _)| used),
        created: record.created,
    })
}
