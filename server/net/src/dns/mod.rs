//! The DNS questions the house asks, behind a small trait.
//!
//! [`Resolver`] answers: it keeps what it knows, follows aliases, and believes signatures only where it has checked
//! them itself. A [`Source`](source) behind it gets single answers, from name servers that resolve for us or by our own
//! way down from the root, over [lines](line) that try TCP where UDP does not get through. [`Chooser`] decides at start
//! which source serves best.

mod cache;
mod chooser;
mod dname;
mod line;
mod places;
mod reading;
mod resolver;
mod roots;
mod source;
mod weight;
mod wildcard;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::Name;
use mailstead_message::Domain;

use crate::BoxFuture;

pub use chooser::{Choice, Chooser, Mode, Settings};
pub use resolver::{Anchors, Resolver};
pub use source::Roots;

/// Nobody's records stay longer, whatever their TTL.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// What does not exist now may exist soon: the owner is perhaps just adding it.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(5 * 60);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN): permanent.
    #[error("the name does not exist")]
    NoName,
    /// The name exists, without records of that type.
    #[error("the name has no such record")]
    NoRecords,
    /// The answer's DNSSEC signatures are wrong: to be treated as no answer at all, hence temporary (RFC 4035 5.5).
    #[error("the answer's signatures are not valid: {0}")]
    Bogus(String),
    /// Anything else (timeout, SERVFAIL, garbage): temporary.
    #[error("DNS does not answer: {0}")]
    Temporary(String),
}

impl DnsError {
    /// True unless it is sure that there is nothing.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Bogus(_) | Self::Temporary(_))
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Texts.
    Txt,
    /// Names of an address.
    Ptr,
    /// What a TLS server's certificate must be (RFC 6698).
    Tlsa,
    /// Name servers of a zone.
    Ns,
    /// The name that another one stands for.
    Cname,
    /// Where a service is (RFC 2782).
    Srv,
    /// Who may issue certificates (RFC 8659).
    Caa,
}

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// Preference; lower is tried first.
    pub preference: u16,
    /// The host, lower case, without the final dot; `.` as the empty string (null MX).
    pub host: String,
}

/// One TLSA record (RFC 6698 2.1), as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Among equals, the share.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// The host, lower case, without the final dot; empty where the service is not offered.
    pub host: String,
}

/// One CAA record (RFC 8659).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caa {
    /// Whoever does not understand the tag must not issue.
    pub critical: bool,
    /// `issue`, `issuewild`, `iodef`, ...
    pub tag: String,
    /// What it says, unread.
    pub value: String,
}

/// One record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of MX.
    Mx(Mx),
    /// Of TXT, its strings joined.
    Txt(Vec<u8>),
    /// Of PTR, NS and CNAME: lower case, without the final dot.
    Name(String),
    /// Of TLSA.
    Tlsa(Tlsa),
    /// Of SRV.
    Srv(Srv),
    /// Of CAA.
    Caa(Caa),
}

/// As a zone file has it, without final dots and without the quotes of texts; what can't be printed is escaped.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &str| if host.is_empty() { ".".to_owned() } else { host.escape_debug().to_string() };
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Mx(mx) => write!(f, "{} {}", mx.preference, host(&mx.host)),
            Self::Txt(text) => String::from_utf8_lossy(text).escape_debug().fmt(f),
            Self::Name(name) => name.escape_debug().fmt(f),
            Self::Tlsa(tlsa) => {
                write!(f, "{} {} {} ", tlsa.usage, tlsa.selector, tlsa.matching)?;
                tlsa.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Srv(srv) => write!(f, "{} {} {} {}", srv.priority, srv.weight, srv.port, host(&srv.host)),
            Self::Caa(caa) => {
                let flags = if caa.critical { 128 } else { 0 };
                write!(f, "{flags} {} \"{}\"", caa.tag.escape_debug(), caa.value.escape_debug())
            }
        }
    }
}

/// What DNS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The records, in the order they came; never empty.
    pub records: Vec<T>,
    /// Everything from the question to these records, CNAMEs too, was signed, and the signatures are valid (DNSSEC).
    pub secure: bool,
    /// How long it holds.
    pub ttl: Duration,
}

impl<T> Answer<T> {
    /// An answer without DNSSEC that holds for a minute, as tests give it.
    pub fn insecure(records: Vec<T>) -> Self {
        Self { records, secure: false, ttl: Duration::from_secs(60) }
    }

    fn pick<U>(self, pick: impl FnMut(T) -> Option<U>) -> Result<Answer<U>, DnsError> {
        let records: Vec<U> = self.records.into_iter().filter_map(pick).collect();
        if records.is_empty() {
            return Err(DnsError::NoRecords);
        }
        Ok(Answer { records, secure: self.secure, ttl: self.ttl })
    }
}

/// What answers DNS questions. CNAMEs are followed by the implementation, which says only [`Dns::ask`].
pub trait Dns: Send + Sync {
    /// All records of a kind at a name (absolute, with or without the final dot).
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>>;

    /// False while no answer can be [`Answer::secure`], because whoever is asked proves nothing.
    fn proves(&self) -> bool {
        true
    }

    /// Nothing is lost by who answers.
    fn is_whole(&self) -> bool {
        true
    }

    /// It is found out already who answers.
    fn is_known(&self) -> bool {
        true
    }

    /// Who answers, in a sentence for the operator.
    fn describe(&self) -> String {
        "DNS answers come from a table.".to_owned()
    }

    /// The same questions for these servers alone, which know their zones by heart and ask nobody else. An alias is not
    /// followed: its target comes as [`Data::Name`].
    ///
    /// # Errors
    /// They can't be asked here.
    fn of_servers(&self, servers: &[IpAddr]) -> Result<Arc<dyn Dns>, DnsError> {
        let _ = servers;
        Err(DnsError::Temporary("no name server can be asked by its address".to_owned()))
    }

    /// MX records, as they come.
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Answer<Mx>, DnsError>> {
        Box::pin(async move {
            self.ask(domain.as_str(), Kind::Mx).await?.pick(|data| match data {
                Data::Mx(mx) => Some(mx),
                _ => None,
            })
        })
    }

    /// IPv6 and IPv4 addresses of a host; secure when all of them are.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Answer<IpAddr>, DnsError>> {
        Box::pin(async move {
            let address = |data| match data {
                Data::Address(address) => Some(address),
                _ => None,
            };
            let ask = async |kind| self.ask(host, kind).await?.pick(address);
            match tokio::join!(ask(Kind::Aaaa), ask(Kind::A)) {
                (Ok(v6), Ok(v4)) => Ok(Answer {
                    records: [v6.records, v4.records].concat(),
                    secure: v6.secure && v4.secure,
                    ttl: v6.ttl.min(v4.ttl),
                }),
                (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
                // Only when neither question failed for a passing reason is it sure that there is nothing.
                (Err(error), _) if error.is_temporary() => Err(error),
                (_, Err(error)) => Err(error),
            }
        })
    }

    /// TXT records, strings of each joined.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answer<Vec<u8>>, DnsError>> {
        Box::pin(async move {
            self.ask(name, Kind::Txt).await?.pick(|data| match data {
                Data::Txt(text) => Some(text),
                _ => None,
            })
        })
    }

    /// Names of an address.
    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Result<Answer<String>, DnsError>> {
        Box::pin(async move {
            let name = Name::from(address).to_ascii();
            self.ask(&name, Kind::Ptr).await?.pick(|data| match data {
                Data::Name(name) => Some(name),
                _ => None,
            })
        })
    }

    /// TLSA records.
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Answer<Tlsa>, DnsError>> {
        Box::pin(async move {
            self.ask(name, Kind::Tlsa).await?.pick(|data| match data {
                Data::Tlsa(tlsa) => Some(tlsa),
                _ => None,
            })
        })
    }
}

/// The name under which an address has its names, without the final dot.
pub fn reverse_name(address: IpAddr) -> String {
    Name::from(address).to_ascii().trim_end_matches('.').to_owned()
}

fn temporary(error: &NetError) -> DnsError {
    match error {
        // The library's words for servers that are silent, refuse or fail, all of them.
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) => {
            DnsError::Temporary("no name server gives an answer".to_owned())
        }
        other => unusable(other),
    }
}

fn unusable(error: &dyn std::fmt::Display) -> DnsError {
    DnsError::Temporary(error.to_string().escape_debug().to_string())
}
