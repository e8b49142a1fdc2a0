//! Addresses and domains, parsed once at the edge and never checked again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an address (RFC 5321 4.1.2, RFC 6531 3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before or after it.
    #[error("an address looks like name@example.org")]
    Shape,
    /// The part before the `@` is not a dot-atom or a quoted string, or is over 64 octets.
    #[error("the part before the @ is not valid")]
    LocalPart,
    /// The part behind the `@` is not a domain name.
    #[error("the part behind the @ is not a domain name")]
    Domain,
}

/// A domain name in its canonical form: lower case, A-labels (`xn--`), no trailing dot, at most 253 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Domain(String);

impl Domain {
    /// Parses a domain name, ASCII or internationalised (IDNA 2008 by UTS 46). Address literals are not domains.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| AddressError::Domain)?;
        if ascii.is_empty() || ascii.len() > 253 || ascii.ends_with('.') {
            return Err(AddressError::Domain);
        }
        Ok(Self(ascii))
    }

    /// The canonical ASCII form, for DNS and comparison.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for people: U-labels where the name has them.
    pub fn to_unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// The part before the `@`, unquoted and unescaped, in the case it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocalPart(String);

impl LocalPart {
    /// Parses a `Local-part`: a dot-string or a quoted string (RFC 5321 4.1.2, RFC 6531 3.3).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let ok = !text.is_empty()
            && text.len() <= 64
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !text.contains("..")
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || !c.is_ascii());
        if ok { Ok(Self(text.to_owned())) } else { Err(AddressError::LocalPart) }
    }

    /// The unquoted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mailbox address `local-part@domain` (RFC 5321 `Mailbox`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    local: LocalPart,
    domain: Domain,
}

impl Address {
    /// Puts an address together.
    pub fn new(local: LocalPart, domain: Domain) -> Self {
        Self { local, domain }
    }

    /// Parses `local-part@domain` without angle brackets or source routes.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Shape)?;
        Ok(Self { local: LocalPart::parse(local)?, domain: Domain::parse(domain)? })
    }

    /// The part before the `@`.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The key under which two spellings of one address meet: local part in Unicode lower case, canonical domain.
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.0.to_lowercase(), self.domain.0)
    }

    /// True when the local part has a character outside ASCII, so that only an SMTPUTF8 path can carry it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.0.is_ascii()
    }
}

impl fmt::Display for Address {
    /// The wire form, quoted where it must be, with the domain as A-labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local.0, self.domain.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// Where non-delivery is told: an address, or `None` for the null reverse-path `<>`.
pub type ReversePath = Option<Address>;
