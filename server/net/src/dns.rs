//! The DNS questions the house asks, behind a small trait.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{TokioResolver, lookup::Lookup};
use mailstead_message::Domain;

use crate::BoxFuture;

/// One try of one server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of each server.
const ATTEMPTS: usize = 2;
/// A whole question, CNAMEs and all servers included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers kept; a household writes to some thousand domains at most.
const CACHE_ENTRIES: u64 = 4_096;
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

/// One record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of MX.
    Mx(Mx),
    /// Of TXT, its strings joined.
    Txt(Vec<u8>),
    /// Of PTR: lower case, without the final dot.
    Name(String),
    /// Of TLSA.
    Tlsa(Tlsa),
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

/// The resolver over the system's or given name servers (hickory-resolver), caching by TTL.
pub struct Resolver {
    inner: TokioResolver,
}

impl Resolver {
    /// Uses the system's name servers (`/etc/resolv.conf`).
    pub fn system() -> Result<Self, DnsError> {
        let (config, _) = hickory_resolver::system_conf::read_system_conf().map_err(|error| temporary(&error))?;
        let servers = config.name_servers().to_vec();
        Self::build(servers)
    }

    /// Uses these name servers, UDP and TCP.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let servers = servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        Self::build(servers.collect())
    }

    fn build(servers: Vec<NameServerConfig>) -> Result<Self, DnsError> {
        // No search domains: a name is what it says, or it is nothing.
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut options = ResolverOpts::default();
        options.timeout = QUERY_TIMEOUT;
        options.attempts = ATTEMPTS;
        options.cache_size = CACHE_ENTRIES;
        options.use_hosts_file = ResolveHosts::Never;
        options.positive_max_ttl = Some(MAX_TTL);
        options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
        let provider = TokioRuntimeProvider::default();
        let inner = TokioResolver::builder_with_config(config, provider)
            .with_options(options)
            .build()
            .map_err(|error| temporary(&error))?;
        Ok(Self { inner })
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Lookup, DnsError> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::NoName)?;
        name.set_fqdn(true);
        match tokio::time::timeout(QUESTION_TIMEOUT, self.inner.lookup(name, kind)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(DnsError::Temporary("the name servers took too long".to_owned())),
        }
    }
}

impl Dns for Resolver {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            let answer = self.lookup(name, record_type(kind)).await?;
            let ttl = answer.valid_until().saturating_duration_since(std::time::Instant::now());
            let records: Vec<Data> = answer.answers().iter().filter_map(|record| data(&record.data, kind)).collect();
            if records.is_empty() { Err(DnsError::NoRecords) } else { Ok(Answer { records, secure: false, ttl }) }
        })
    }
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Txt => RecordType::TXT,
        Kind::Ptr => RecordType::PTR,
        Kind::Tlsa => RecordType::TLSA,
    }
}

/// A record's data, when it is what was asked for: CNAMEs and signatures come along.
fn data(data: &RData, kind: Kind) -> Option<Data> {
    Some(match (kind, data) {
        (Kind::A, RData::A(address)) => Data::Address(IpAddr::V4(address.0)),
        (Kind::Aaaa, RData::AAAA(address)) => Data::Address(IpAddr::V6(address.0)),
        (Kind::Mx, RData::MX(mx)) => Data::Mx(Mx { preference: mx.preference, host: host_name(&mx.exchange) }),
        (Kind::Txt, RData::TXT(txt)) => Data::Txt(txt.txt_data.concat()),
        (Kind::Ptr, RData::PTR(name)) => Data::Name(host_name(&name.0)),
        (Kind::Tlsa, RData::TLSA(tlsa)) => Data::Tlsa(Tlsa {
            usage: u8::from(tlsa.cert_usage),
            selector: u8::from(tlsa.selector),
            matching: u8::from(tlsa.matching),
            data: tlsa.cert_data.clone(),
        }),
        _ => return None,
    })
}

fn host_name(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn judge(error: &NetError) -> DnsError {
    if error.is_nx_domain() {
        return DnsError::NoName;
    }
    match error {
        NetError::Dns(hickory_resolver::net::DnsError::NoRecordsFound(none))
            if none.response_code == ResponseCode::NoError =>
        {
            DnsError::NoRecords
        }
        other => temporary(other),
    }
}

fn temporary(error: &dyn std::fmt::Display) -> DnsError {
    DnsError::Temporary(error.to_string().escape_debug().to_string())
}
