//! What a domain should publish, and how it stands in DNS.

use mailstead_advice::records::{DomainCheck, Host, Policy, advised, check};
use mailstead_message::Domain;
use mailstead_store::StoreError;

use super::operator::Operator;
use super::protocol::Answer;

impl Operator {
    /// The records alone.
    pub(super) fn records(&self, domain: &Domain, hostname: Option<String>) -> Result<Answer, StoreError> {
        let advised = advised(&self.store, domain, &self.mail_host(hostname)?, Policy::None)?;
        Ok(Answer::DomainCheck(Box::new(advised)))
    }

    /// The records with how they stand, where there is somebody to ask.
    pub(super) async fn domain_check(&self, domain: &Domain, hostname: Option<String>) -> Result<Answer, StoreError> {
        let host = self.mail_host(hostname)?;
        let found = match &self.names {
            Some(names) => check(&self.store, names.as_ref(), domain, &host).await?,
            None => DomainCheck {
                remarks: vec!["The server is not running, so nobody has looked at DNS.".to_owned()],
                ..advised(&self.store, domain, &host, Policy::None)?
            },
        };
        Ok(Answer::DomainCheck(Box::new(found)))
    }

    fn mail_host(&self, hostname: Option<String>) -> Result<Host, StoreError> {
        if let Some(host) = &self.host {
            return Ok(host.clone());
        }
        self.hostname.clone().or(hostname).map(Host::named).ok_or_else(|| {
            let text =
                "The host name is not known here: start the server first, or name the configuration with --config.";
            StoreError::Invalid(text.to_owned())
        })
    }
}
