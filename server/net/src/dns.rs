//! The DNS questions the house asks, behind a small trait.

use std::net::IpAddr;

use mailstead_message::Domain;

use crate::BoxFuture;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN): permanent.
    #[error("the name does not exist")]
    NoName,
    /// The name exists, without records of that type.
    #[error("the name has no such record")]
    NoRecords,
    /// Anything else (timeout, SERVFAIL, garbage): temporary.
    #[error("DNS does not answer: {0}")]
    Temporary(String),
}

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// Preference; lower is tried first.
    pub preference: u16,
    /// The host, lower case, without the final dot; `.` as the empty string (null MX).
    pub host: String,
}

/// What answers DNS questions. CNAMEs are followed by the implementation.
pub trait Dns: Send + Sync {
    /// MX records, as they come.
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, DnsError>>;
    /// IPv6 and IPv4 addresses of a host.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>>;
    /// TXT records, strings of each joined.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>>;
    /// Names of an address.
    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>>;
}

/// The resolver over the system's or given name servers (hickory-resolver), caching by TTL.
pub struct Resolver {}

impl Resolver {
    /// Uses the system's name servers (`/etc/resolv.conf`).
    pub fn system() -> Result<Self, DnsError> {
        unimplemented!()
    }
    /// Uses these name servers, UDP and TCP.
    pub fn with_servers(_servers: &[std::net::SocketAddr]) -> Result<Self, DnsError> {
        unimplemented!()
    }
}

impl Dns for Resolver {
    fn mx<'a>(&'a self, _domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, DnsError>> {
        unimplemented!()
    }
    fn addresses<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        unimplemented!()
    }
    fn txt<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        unimplemented!()
    }
    fn ptr(&self, _address: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>> {
        unimplemented!()
    }
}
