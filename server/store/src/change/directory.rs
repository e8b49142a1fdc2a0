//! Domains, accounts, addresses, aliases, settings.

use mailstead_message::{Address, Domain};
use mailstead_migrations::v3;
use redb::ReadableTable as _;

use super::Change;
use crate::directory::SMARTHOST;
use crate::policies::setting;
use crate::record::{AccountRecord, decode, encode};
use crate::{AccountId, Alias, DomainRecord, Smarthost, SpecialUse, StoreError};

/// The mailboxes of a new account.
const STANDARD: [(&str, Option<SpecialUse>); 6] = [
    ("INBOX", None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Archive", Some(SpecialUse::Archive)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
];
/// Targets of an alias.
pub(crate) const MAX_TARGETS: usize = 100;

impl Change<'_> {
    pub(crate) fn add_domain(&mut self, name: &Domain) -> Result<(), StoreError> {
        if self.domain(name)?.is_some() {
            return Err(StoreError::Exists(format!("the domain {name}")));
        }
        self.put_domain(&DomainRecord { name: name.clone(), catch_all: None, smarthost: None, created: crate::now() })
    }

    pub(crate) fn remove_domain(&mut self, name: &Domain) -> Result<(), StoreError> {
        self.known_domain(name)?;
        let suffix = format!("@{name}");
        let used = |key: &str| key.ends_with(&suffix);
        for entry in self.tables.addresses.iter()? {
            if used(entry?.0.value()) {
                return Err(StoreError::Invalid(format!("{name} still has accounts: remove them first")));
            }
        }
        for entry in self.tables.aliases.iter()? {
            if used(entry?.0.value()) {
                return Err(StoreError::Invalid(format!("{name} still has aliases: remove them first")));
            }
        }
        let tables = self.write();
        tables.domains.remove(name.as_str())?;
        tables.settings.remove(setting(name).as_str())?;
        self.remove_keys(name)?;
        self.remove_reports(name)
    }

    pub(crate) fn set_catch_all(&mut self, name: &Domain, target: Option<&Address>) -> Result<(), StoreError> {
        let mut domain = self.known_domain(name)?;
        domain.catch_all = target.cloned();
        self.put_domain(&domain)
    }

    pub(crate) fn set_smarthost(&mut self, name: Option<&Domain>, relay: Option<&Smarthost>) -> Result<(), StoreError> {
        if let Some(name) = name {
            let mut domain = self.known_domain(name)?;
            domain.smarthost = relay.cloned();
            return self.put_domain(&domain);
        }
        match relay {
            Some(relay) => {
                let bytes = encode(relay)?;
                self.write().settings.insert(SMARTHOST, bytes.as_slice())?;
            }
            None => {
                self.write().settings.remove(SMARTHOST)?;
            }
        }
        Ok(())
    }

    pub(crate) fn add_account(
        &mut self,
        address: &Address,
        password: &str,
        quota: Option<u64>,
    ) -> Result<AccountId, StoreError> {
        self.known_domain(address.domain())?;
        self.check_free(address)?;
        let id = AccountId(self.next("account")?);
        let record = AccountRecord {
            address: address.clone(),
            addresses: Vec::new(),
            disabled: false,
            quota,
            created: crate::now(),
            password: password.to_owned(),
        };
        self.put_account(id, &record)?;
        let tables = self.write();
        tables.account_states.insert(id.0, (0, 0))?;
        tables.addresses.insert(address.key().as_str(), id.0)?;
        for (name, purpose) in STANDARD {
            self.make(id, name, purpose)?;
            self.write().subscriptions.insert((id.0, name), ())?;
        }
        Ok(id)
    }

    pub(crate) fn add_address(&mut self, account: &Address, address: &Address) -> Result<(), StoreError> {
        let (id, mut record) = self.login(account)?;
        self.known_domain(address.domain())?;
        self.check_free(address)?;
        record.addresses.push(address.clone());
        self.put_account(id, &record)?;
        self.write().addresses.insert(address.key().as_str(), id.0)?;
        Ok(())
    }

    pub(crate) fn remove_address(&mut self, account: &Address, address: &Address) -> Result<(), StoreError> {
        let (id, mut record) = self.login(account)?;
        let key = address.key();
        if record.address.key() == key {
            return Err(StoreError::Invalid(format!("{address} is the address of the account itself")));
        }
        let before = record.addresses.len();
        record.addresses.retain(|other| other.key() != key);
        if record.addresses.len() == before {
            return Err(StoreError::NotFound(format!("the address {address} of {account}")));
        }
        self.put_account(id, &record)?;
        self.write().addresses.remove(key.as_str())?;
        Ok(())
    }

    pub(crate) fn edit_account(
        &mut self,
        account: &Address,
        edit: impl FnOnce(&mut AccountRecord),
    ) -> Result<(), StoreError> {
        let (id, mut record) = self.login(account)?;
        edit(&mut record);
        self.put_account(id, &record)
    }

    pub(crate) fn remove_account(&mut self, account: &Address) -> Result<(), StoreError> {
        let (id, record) = self.login(account)?;
        self.refuse_last_operator(id, account)?;
        self.write_side(v3::OPERATORS)?.remove(id.0)?;
        self.remove_sessions(id, None)?;
        self.remove_app_passwords(id)?;
        self.remove_forwarding(id)?;
        for mailbox in self.mailboxes_of(id)? {
            let name = self.mailbox(mailbox)?.name;
            self.remove_mailbox(id, mailbox, &name)?;
        }
        // Open sessions learn of it as of any change.
        self.modseq(id)?;
        let tables = self.write();
        for address in record.addresses.iter().chain([&record.address]) {
            tables.addresses.remove(address.key().as_str())?;
        }
        tables.subscriptions.retain_in((id.0, "")..(id.0 + 1, ""), |_, ()| false)?;
        tables.accounts.remove(id.0)?;
        tables.account_states.remove(id.0)?;
        Ok(())
    }

    pub(crate) fn set_alias(&mut self, alias: &Alias) -> Result<(), StoreError> {
        let Alias { address, targets } = alias;
        self.known_domain(address.domain())?;
        if targets.is_empty() || targets.len() > MAX_TARGETS {
            return Err(StoreError::Invalid(format!("an alias leads to 1 to {MAX_TARGETS} addresses")));
        }
        let key = address.key();
        if self.tables.addresses.get(key.as_str())?.is_some() {
            return Err(StoreError::Exists(format!("an account with the address {address}")));
        }
        if targets.iter().any(|target| target.key() == key) {
            return Err(StoreError::Invalid("an alias can't lead to itself".to_owned()));
        }
        let bytes = encode(alias)?;
        self.write().aliases.insert(key.as_str(), bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn remove_alias(&mut self, address: &Address) -> Result<(), StoreError> {
        let key = address.key();
        if self.tables.aliases.get(key.as_str())?.is_none() {
            return Err(StoreError::NotFound(format!("the alias {address}")));
        }
        self.write().aliases.remove(key.as_str())?;
        Ok(())
    }

    fn check_free(&self, address: &Address) -> Result<(), StoreError> {
        let key = address.key();
        if self.tables.addresses.get(key.as_str())?.is_some() {
            return Err(StoreError::Exists(format!("an account with the address {address}")));
        }
        if self.tables.aliases.get(key.as_str())?.is_some() {
            return Err(StoreError::Exists(format!("an alias {address}")));
        }
        Ok(())
    }

    pub(crate) fn login(&self, address: &Address) -> Result<(AccountId, AccountRecord), StoreError> {
        let id = self.tables.addresses.get(address.key().as_str())?.map(|value| AccountId(value.value()));
        let id = id.ok_or_else(|| StoreError::NotFound(format!("the account {address}")))?;
        Ok((id, self.account_by_id(id)?))
    }

    fn put_account(&mut self, id: AccountId, record: &AccountRecord) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        self.write().accounts.insert(id.0, bytes.as_slice())?;
        Ok(())
    }

    fn domain(&self, name: &Domain) -> Result<Option<DomainRecord>, StoreError> {
        match self.tables.domains.get(name.as_str())? {
            Some(bytes) => Ok(Some(decode(bytes.value(), "a domain")?)),
            None => Ok(None),
        }
    }

    /// Refuses what is about a domain that is not ours.
    pub(super) fn require_domain(&self, name: &Domain) -> Result<(), StoreError> {
        self.known_domain(name).map(drop)
    }

    fn known_domain(&self, name: &Domain) -> Result<DomainRecord, StoreError> {
        self.domain(name)?.ok_or_else(|| StoreError::NotFound(format!("the domain {name}")))
    }

    fn put_domain(&mut self, domain: &DomainRecord) -> Result<(), StoreError> {
        let bytes = encode(domain)?;
        self.write().domains.insert(domain.name.as_str(), bytes.as_slice())?;
        Ok(())
    }
}
