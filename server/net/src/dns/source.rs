//! Where answers come from: name servers that resolve for us, or our own way down from the root.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::Stream;
use futures_util::stream::once;
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::recursor::{DnssecPolicy, QNameMinimization, Recursor, RecursorError, RecursorOptions};
use hickory_resolver::{NameServerPool, PoolContext, ResponseCache, TlsConfig, TtlConfig};

use super::line::{Lines, Ways};
use super::{DnsError, MAX_NEGATIVE_TTL, unusable};

/// A resolver may have to ask many others first.
const RESOLVER_PATIENCE: Duration = Duration::from_secs(3);
/// A server that knows its zone by heart answers at once; the library gives up on a set of servers after 5 seconds.
const SERVER_PATIENCE: Duration = Duration::from_millis(1_200);
/// All tries of all resolvers.
const RESOLVERS_TIMEOUT: Duration = Duration::from_secs(12);
/// All tries of all servers of a zone.
const SERVERS_TIMEOUT: Duration = Duration::from_secs(4);
/// Servers asked at once, so that one that is down costs no time.
const RESOLVERS_AT_ONCE: usize = 2;
/// Root servers asked at once when all that matters is whether any can be reached.
const ROOTS_AT_ONCE: usize = 4;
/// Zones whose servers are remembered: strangers decide how many those are.
const ZONES: usize = 256;
/// Answers of servers that are remembered on the way. The library counts them alone; what one may weigh is bounded by
/// the [line](super::line), so that all together stay below 64 MB.
const WAY_ENTRIES: u64 = 512;
/// Labels looked at on one way down: the name of an IPv6 address has 34, and its servers have names too.
const MAX_STEPS: u8 = 64;
/// What proofs are made of, as name servers that resolve for us gave it: not yet proved, so a lie must not last.
const WAY_TTL: Duration = Duration::from_secs(5 * 60);
const NOTHING_TTL: Duration = Duration::from_secs(60);
/// The same, and zones' servers, on our own way down.
const ZONE_TTL: Duration = Duration::from_secs(60 * 60);
/// Tries of a way down from the root: the first that fails has learned which servers are dead.
const RECURSIONS: usize = 2;

/// What answers questions one at a time, unjudged.
#[derive(Clone)]
pub(super) enum Source {
    /// These resolve for us. What proofs are made of is remembered for a while: each proof needs much the same.
    Servers {
        /// The way to them.
        pool: NameServerPool<Lines>,
        /// What is remembered.
        known: ResponseCache,
        /// Where they are.
        places: Arc<[SocketAddr]>,
    },
    /// We go down from the root ourselves. All name servers may share an unusual port, for experiments.
    Roots(Arc<Recursor<Lines>>, Option<u16>),
}

/// A way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Udp,
    Tcp,
}

/// The servers of the root zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// Their addresses.
    pub addresses: Vec<IpAddr>,
    /// The port of all name servers instead of 53, and servers on loopback and private addresses are asked too: for
    /// experiments with a root of one's own.
    pub experimental_port: Option<u16>,
}

impl Source {
    /// Name servers that resolve.
    pub(super) fn servers(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let lines = Lines::new(None, RESOLVER_PATIENCE, Ways::Both);
        Self::pool(both_ways(servers), servers, lines, RESOLVERS_TIMEOUT, RESOLVERS_AT_ONCE)
    }

    /// Name servers that know their zones by heart.
    pub(super) fn by_heart(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let lines = Lines::new(None, SERVER_PATIENCE, Ways::Both);
        Self::pool(both_ways(servers), servers, lines, SERVERS_TIMEOUT, RESOLVERS_AT_ONCE)
    }

    /// Where the name server of a zone listens: on port 53, but for experiments.
    pub(super) fn place(&self, server: IpAddr) -> SocketAddr {
        match self {
            Self::Servers { places, .. } => places.iter().find(|place| place.ip() == server).copied(),
            Self::Roots(_, port) => port.map(|port| SocketAddr::new(server, port)),
        }
        .unwrap_or(SocketAddr::new(server, 53))
    }

    /// The root's servers themselves, asked one way alone, to see whether it is open; `patience` for everything.
    pub(super) fn root_servers(roots: &Roots, way: Way, patience: Duration) -> Result<Self, DnsError> {
        let port = roots.experimental_port.unwrap_or(53);
        let configs = roots.addresses.iter().map(|address| match way {
            Way::Udp => on_port(NameServerConfig::udp(*address), port),
            Way::Tcp => on_port(NameServerConfig::tcp(*address), port),
        });
        Self::pool(configs, &[], Lines::new(None, patience / 2, Ways::UdpAlone), patience, ROOTS_AT_ONCE)
    }

    fn pool(
        configs: impl Iterator<Item = NameServerConfig>,
        places: &[SocketAddr],
        lines: Lines,
        timeout: Duration,
        at_once: usize,
    ) -> Result<Self, DnsError> {
        let mut options = ResolverOpts::default();
        options.timeout = timeout;
        options.num_concurrent_reqs = at_once;
        let tls = TlsConfig::new().map_err(|error| unusable(&error))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = NameServerPool::from_config(configs, context, lines);
        let known = ResponseCache::new(WAY_ENTRIES, brief(WAY_TTL, NOTHING_TTL));
        Ok(Self::Servers { pool, known, places: places.into() })
    }

    /// Our own way down from the root.
    pub(super) fn roots(roots: &Roots) -> Result<Self, DnsError> {
        if roots.addresses.is_empty() {
            return Err(DnsError::Temporary("there are no root servers to begin with".to_owned()));
        }
        let lines = Lines::new(roots.experimental_port, SERVER_PATIENCE, Ways::Both);
        let mut options = RecursorOptions {
            ns_cache_size: ZONES,
            response_cache_size: WAY_ENTRIES,
            cache_policy: brief(ZONE_TTL, MAX_NEGATIVE_TTL),
            recursion_limit: MAX_STEPS,
            ns_recursion_limit: MAX_STEPS,
            case_randomization: true,
            // Some servers say NXDOMAIN for names that have names below them, such as `_domainkey`.
            qname_minimization: QNameMinimization::Relaxed,
            ..RecursorOptions::default()
        };
        if roots.experimental_port.is_some() {
            options.deny_server.clear();
        }
        let policy = DnssecPolicy::ValidationDisabled;
        let recursor = Recursor::new(&roots.addresses, policy, None, options, lines).map_err(|e| unusable(&e))?;
        Ok(Self::Roots(Arc::new(recursor), roots.experimental_port))
    }
}

/// Nothing is remembered for longer.
fn brief(positive: Duration, negative: Duration) -> TtlConfig {
    let mut bounds = ResolverOpts::default();
    bounds.positive_max_ttl = Some(positive);
    bounds.negative_max_ttl = Some(negative);
    TtlConfig::from_opts(&bounds)
}

fn both_ways(servers: &[SocketAddr]) -> impl Iterator<Item = NameServerConfig> {
    servers.iter().map(|server| on_port(NameServerConfig::udp_and_tcp(server.ip()), server.port()))
}

fn on_port(mut config: NameServerConfig, port: u16) -> NameServerConfig {
    for connection in &mut config.connections {
        connection.port = port;
    }
    config
}

impl DnsHandle for Source {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let source = self.clone();
        Box::pin(once(async move {
            match source {
                Self::Servers { pool, known, .. } => ask(&pool, &known, request).await,
                Self::Roots(recursor, _) => descend(&recursor, &request).await,
            }
        }))
    }
}

async fn ask(
    pool: &NameServerPool<Lines>,
    known: &ResponseCache,
    request: DnsRequest,
) -> Result<DnsResponse, NetError> {
    let query = request.queries.first().cloned().ok_or(NetError::Message("no question"))?;
    if !matches!(query.query_type(), RecordType::NS | RecordType::DS | RecordType::DNSKEY) {
        return pool.send(request).first_answer().await;
    }
    if let Some(outcome) = known.get(&query, Instant::now()) {
        return Ok(DnsResponse::from_message(outcome?.into_response())?);
    }
    let outcome = pool.send(request).first_answer().await;
    let kept = outcome.as_ref().map(|response| (**response).clone()).map_err(Clone::clone);
    known.insert(query, kept, Instant::now());
    outcome
}

async fn descend(recursor: &Recursor<Lines>, request: &DnsRequest) -> Result<DnsResponse, NetError> {
    let query = request.queries.first().cloned().ok_or(NetError::Message("no question"))?;
    let mut last = NetError::Timeout;
    for _ in 0..RECURSIONS {
        // Signatures come along: what is asked here is judged above.
        match recursor.resolve(query.clone(), Instant::now(), true).await {
            Ok(message) => return Ok(DnsResponse::from_message(message.into_response())?),
            Err(RecursorError::Net(error)) => last = error,
            Err(error @ RecursorError::Negative(_)) => return Err(error.into()),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}
