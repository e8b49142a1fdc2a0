//! The tiny internet's name server: real DNS over UDP and TCP, for every name of the demo.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::rr::rdata::{A, AAAA, MX, PTR, SOA, TXT};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use mailstead_message::Domain;
use tokio::net::{TcpListener, UdpSocket};

/// Seconds a record may be cached: short, so that changes show at once.
const TTL: u32 = 5;

/// A mail domain as the tiny internet's DNS shows it.
pub(super) struct MailDomain {
    /// Its name.
    pub name: Domain,
    /// The host its MX leads to.
    pub host: String,
    /// That host's address.
    pub address: IpAddr,
}

/// The running name server; stops when dropped.
pub(super) struct NameServer {
    address: SocketAddr,
    _server: Server<Catalog>,
}

impl NameServer {
    /// Starts on `address` (port 0: a free one, the same for UDP and TCP) with a zone for each domain and one for reverse names.
    pub(super) async fn start(address: SocketAddr, domains: &[MailDomain]) -> Result<Self, String> {
        let (udp, tcp) = bind(address).await.map_err(|error| format!("the demo's name server can't start: {error}"))?;
        let bound = udp.local_addr().map_err(|error| error.to_string())?;
        let mut catalog = Catalog::new();
        for domain in domains {
            add_zone(&mut catalog, domain).map_err(|error| format!("{}: {error}", domain.name))?;
        }
        add_reverse_zone(&mut catalog, domains)?;
        // Names outside the tiny internet do not exist, rather than being refused.
        let root = zone(&Name::root())?;
        catalog.upsert(LowerName::from(Name::root()), vec![Arc::new(root)]);
        let mut server = Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), 64);
        Ok(Self { address: bound, _server: server })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A UDP and a TCP socket on one port; with port 0 the pair is tried until a port is free for both.
async fn bind(address: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..20 {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

type Zone = InMemoryZoneHandler<TokioRuntimeProvider>;

fn zone(origin: &Name) -> Result<Zone, String> {
    let mut zone = Zone::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
    let server = Name::from_ascii("ns.test.").map_err(|error| error.to_string())?;
    let soa = SOA::new(server.clone(), server, 1, 3600, 600, 86_400, TTL);
    put(&mut zone, origin.clone(), RData::SOA(soa))?;
    Ok(zone)
}

fn put(zone: &mut Zone, name: Name, data: RData) -> Result<(), String> {
    let record = Record::from_rdata(name, TTL, data);
    let described = format!("{record}");
    if zone.upsert_mut(record, 1) { Ok(()) } else { Err(format!("the record {described} does not fit its zone")) }
}

fn add_zone(catalog: &mut Catalog, domain: &MailDomain) -> Result<(), String> {
    let absolute = |text: &str| Name::from_ascii(format!("{text}.")).map_err(|error| error.to_string());
    let origin = absolute(domain.name.as_str())?;
    let host = absolute(&domain.host)?;
    let mut zone = zone(&origin)?;
    let address = match domain.address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    };
    put(&mut zone, host.clone(), address)?;
    put(&mut zone, origin.clone(), RData::MX(MX::new(10, host)))?;
    put(&mut zone, origin.clone(), RData::TXT(TXT::new(vec!["v=spf1 mx -all".to_owned()])))?;
    catalog.upsert(LowerName::from(origin), vec![Arc::new(zone)]);
    Ok(())
}

fn add_reverse_zone(catalog: &mut Catalog, domains: &[MailDomain]) -> Result<(), String> {
    let origin = Name::from_ascii("127.in-addr.arpa.").map_err(|error| error.to_string())?;
    let mut zone = zone(&origin)?;
    for domain in domains {
        let name = Name::from(domain.address);
        if origin.zone_of(&name) {
            let host = Name::from_ascii(format!("{}.", domain.host)).map_err(|error| error.to_string())?;
            put(&mut zone, name, RData::PTR(PTR(host)))?;
        }
    }
    catalog.upsert(LowerName::from(origin), vec![Arc::new(zone)]);
    Ok(())
}
