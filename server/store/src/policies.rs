//! MTA-STS (RFC 8461): others' policies as they were last fetched, and what our own domains say of themselves.

use std::fmt;
use std::str::FromStr;

use mailstead_message::Domain;
use mailstead_migrations::{v1, v2};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

use crate::record::decode;
use crate::{Store, StoreError, Timestamp};

/// What a policy wants of senders (RFC 8461 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StsMode {
    /// Deliver only where TLS and certificate are right.
    Enforce,
    /// Deliver anyway, and report what is wrong. What a domain says of itself until its operator decides otherwise:
    /// before certificate and MX records are known to be right, more would turn mail away.
    #[default]
    Testing,
    /// There is no policy (any more).
    None,
}

impl StsMode {
    /// As a policy file names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl fmt::Display for StsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StsMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Enforce, Self::Testing, Self::None].into_iter().find(|mode| mode.as_str() == text).ok_or(())
    }
}

/// Another domain's policy as it was last fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsPolicy {
    /// The id DNS gave it.
    pub id: String,
    /// The policy, as a file.
    pub text: String,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// Until when it holds.
    pub expires: Timestamp,
}

impl Store {
    /// A domain's policy as it was last fetched, whether it still holds or not.
    pub fn sts_policy(&self, domain: &Domain) -> Result<Option<StsPolicy>, StoreError> {
        let table = self.shared().read()?.open_table(v2::STS_POLICIES)?;
        table.get(domain.as_str())?.map(|bytes| decode(bytes.value(), "a policy")).transpose()
    }

    /// Domains whose policy still holds but has lived more than half its life, up to `limit`.
    pub fn aging_sts_policies(&self, now: Timestamp, limit: usize) -> Result<Vec<Domain>, StoreError> {
        let table = self.shared().read()?.open_table(v2::STS_POLICIES)?;
        let mut aging = Vec::new();
        for entry in table.iter()? {
            let (domain, bytes) = entry?;
            // What can't be read is of no use, but it must not keep the others from being renewed.
            let Ok(policy): Result<StsPolicy, _> = decode(bytes.value(), "a policy") else { continue };
            let half = policy.fetched.0 + (policy.expires.0 - policy.fetched.0) / 2;
            if (half..policy.expires.0).contains(&now.0)
                && let Ok(domain) = Domain::parse(domain.value())
            {
                aging.push(domain);
            }
            if aging.len() >= limit {
                break;
            }
        }
        Ok(aging)
    }

    /// Keeps a domain's policy in place of an older one.
    pub async fn keep_sts_policy(&self, domain: &Domain, policy: StsPolicy) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(policy.text.len() as u64, move |change| change.keep_sts_policy(&domain, &policy)).await
    }

    /// What one of our domains says of itself; `None` when the domain is not ours.
    pub fn sts_mode(&self, domain: &Domain) -> Result<Option<StsMode>, StoreError> {
        let transaction = self.shared().read()?;
        if transaction.open_table(v1::DOMAINS)?.get(domain.as_str())?.is_none() {
            return Ok(None);
        }
        let settings = transaction.open_table(v1::SETTINGS)?;
        let mode =
            settings.get(setting(domain).as_str())?.map(|bytes| decode(bytes.value(), "a domain's MTA-STS mode"));
        Ok(Some(mode.transpose()?.unwrap_or_default()))
    }

    /// Sets what one of our domains says of itself.
    pub async fn set_sts_mode(&self, domain: &Domain, mode: StsMode) -> Result<(), StoreError> {
        let domain = domain.clone();
        self.add(0, move |change| change.set_sts_mode(&domain, mode)).await
    }
}

/// Under which name a domain's mode is kept.
pub(crate) fn setting(domain: &Domain) -> String {
    format!("mta-sts:{domain}")
}
