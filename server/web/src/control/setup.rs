//! Setting up a server: its name, its first domain, and who governs it.

use std::sync::Arc;
use std::time::Duration;

use mailstead_message::{Address, Domain};
use mailstead_store::StoreError;
use tokio::sync::Notify;

use super::Operator;
use super::operator::{check_password, done, time};
use super::protocol::{Answer, Request};
use super::views::{SetupLinkView, SetupView};

/// Nobody waits longer to learn where a name leads.
const LOOK: Duration = Duration::from_secs(3);

/// Where the host name comes from, and who is told of a new one.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// It stands in the configuration file, which alone can change it.
    pub fixed: bool,
    /// Told when the server must start anew under a new name.
    pub renamed: Option<Arc<Notify>>,
}

impl Operator {
    /// True when the configuration file says the host name.
    pub(crate) fn is_name_fixed(&self) -> bool {
        self.naming.fixed
    }

    pub(super) async fn set_up(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::SetupLink => {
                let (token, expires) = self.store.new_setup_link().await?;
                Ok(Answer::SetupLink(SetupLinkView { token: token.to_string(), expires: time(expires) }))
            }
            Request::SetupHostname { hostname } => self.take_hostname(hostname).await,
            Request::SetupOperator { address, password } => self.first_operator(address, password).await,
            _ => self.setup_view().await,
        }
    }

    async fn setup_view(&self) -> Result<Answer, StoreError> {
        let (chosen, accounts) = (self.store.hostname()?, self.store.accounts()?);
        let known = self.hostname.clone().or_else(|| chosen.as_ref().map(ToString::to_string));
        Ok(Answer::Setup(SetupView {
            done: self.store.has_operator()?,
            leads: self.leads(known.as_deref()).await,
            hostname: known,
            hostname_fixed: self.naming.fixed,
            hostname_chosen: self.naming.fixed || chosen.is_some(),
            domains: self.store.domains()?.iter().map(|domain| domain.name.to_unicode()).collect(),
            accounts: accounts.iter().map(|account| account.address.to_string()).collect(),
        }))
    }

    /// Where our name leads.
    async fn leads(&self, name: Option<&str>) -> Option<String> {
        let (names, name) = (self.names.as_ref()?, name.filter(|name| !name.ends_with(".invalid"))?);
        let looked = tokio::time::timeout(LOOK, names.addresses(name)).await.ok()?;
        Some(match looked {
            Ok(found) if !found.records.is_empty() => {
                let list: Vec<String> = found.records.iter().map(ToString::to_string).collect();
                format!("{name} leads to {}. That must be this server.", list.join(" and "))
            }
            _ => format!(
                "{name} leads nowhere yet: publish an A record with this server's address. You can go on meanwhile."
            ),
        })
    }

    async fn take_hostname(&self, hostname: Domain) -> Result<Answer, StoreError> {
        let same = self.hostname.as_deref() == Some(hostname.as_str());
        if self.naming.fixed && !same {
            return Err(StoreError::Invalid(
                "The host name stands in the configuration file: change the line `hostname = …` in mailstead.toml and \
                 restart the server."
                    .to_owned(),
            ));
        }
        if !hostname.as_str().contains('.') {
            return Err(StoreError::Invalid(format!("{hostname} is no full name: write one such as mail.example.org")));
        }
        if !self.naming.fixed {
            self.store.set_hostname(hostname.clone()).await?;
        }
        match &self.naming.renamed {
            Some(renamed) if !same => {
                renamed.notify_one();
                done(format!("This server's name is {hostname}; it starts anew under it, which takes a moment."))
            }
            _ => done(format!("This server's name is {hostname}.")),
        }
    }

    async fn first_operator(&self, address: Address, password: Option<String>) -> Result<Answer, StoreError> {
        let is_there = self.store.accounts()?.iter().any(|account| account.address == address);
        match &password {
            Some(password) if !is_there => check_password(password)?,
            None if !is_there => return Err(StoreError::Invalid("a new account needs a password".to_owned())),
            _ => {}
        }
        self.store.set_up_operator(&address, password.as_deref()).await?;
        done(match is_there {
            true => format!("{address} may govern this server at the web, with the password it has."),
            false => format!("The account {address} is ready, and may govern this server at the web."),
        })
    }
}
