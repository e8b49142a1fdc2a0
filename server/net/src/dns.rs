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

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Lookup, DnsError> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::NoName)?;
        name.set_fqdn(true);
        match tokio::time::timeout(QUESTION_TIMEOUT, self.inner.lookup(name, kind)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(DnsError::Temporary("the name servers took too long".to_owned())),
        }
    }

    async fn collect<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let answer = self.ask(name, kind).await?;
        let found: Vec<T> = answer.answers().iter().filter_map(|record| pick(&record.data)).collect();
        if found.is_empty() { Err(DnsError::NoRecords) } else { Ok(found) }
    }
}

impl Dns for Resolver {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, DnsError>> {
        Box::pin(self.collect(domain.as_str(), RecordType::MX, |data| match data {
            RData::MX(mx) => Some(Mx { preference: mx.preference, host: host_name(&mx.exchange) }),
            _ => None,
        }))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async move {
            let v6 = self.collect(host, RecordType::AAAA, |data| match data {
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            });
            let v4 = self.collect(host, RecordType::A, |data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            });
            match tokio::join!(v6, v4) {
                (Ok(mut v6), Ok(v4)) => {
                    v6.extend(v4);
                    Ok(v6)
                }
                (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
                // Only when neither question failed for a passing reason is it sure that there is nothing.
                (Err(error @ DnsError::Temporary(_)), _) | (_, Err(error)) => Err(error),
            }
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(self.collect(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        }))
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>> {
        Box::pin(async move {
            let name = Name::from(address).to_ascii();
            self.collect(&name, RecordType::PTR, |data| match data {
                RData::PTR(name) => Some(host_name(&name.0)),
                _ => None,
            })
            .await
        })
    }
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
