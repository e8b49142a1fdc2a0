//! The tiny internet's name server: real DNS over UDP and TCP, for every name of the demo.

mod entry;
mod file;
mod names;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::SOA;
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use mailstead_message::Domain;
use tokio::net::{TcpListener, UdpSocket};

pub(crate) use entry::Entry;
pub(crate) use names::Names;

use entry::{TTL, absolute};
use names::Reply;

/// The largest datagram that passes everywhere (DNS flag day 2020); longer answers are truncated, and asked for by TCP.
const DATAGRAM: u16 = 1_232;

/// A mail domain as the tiny internet's DNS shows it.
pub(super) struct MailDomain {
    /// Its name.
    pub name: Domain,
    /// The host its MX leads to.
    pub host: String,
    /// That host's address.
    pub address: IpAddr,
    /// It is one of ours, with all a domain of Mailstead's publishes, and not a neighbour's.
    pub ours: bool,
}

/// The running name server; stops when dropped.
pub(super) struct NameServer {
    address: SocketAddr,
    names: Names,
    file: Option<tokio::task::AbortHandle>,
    _server: Server<Answerer>,
}

impl NameServer {
    /// Starts on `address` (port 0: a free one, the same for UDP and TCP) with these domains' names and those of the
    /// file, which is read again whenever it changes.
    pub(super) async fn start(
        address: SocketAddr,
        domains: &[MailDomain],
        records: Option<&Path>,
    ) -> Result<Self, String> {
        let (udp, tcp) = bind(address).await.map_err(|error| format!("the demo's name server can't start: {error}"))?;
        let bound = udp.local_addr().map_err(|error| error.to_string())?;
        let names = Names::default();
        let mut built_in = vec![Entry::new("ns.test", "A", &bound.ip().to_string())?];
        for domain in domains {
            built_in.extend(entries(domain)?);
        }
        let file = records.map(|path| file::follow(path, names.clone())).transpose()?;
        let mut server = Server::new(Answerer::new(names.clone())?);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), 64);
        let this = Self { address: bound, names, file, _server: server };
        this.names().publish(built_in);
        Ok(this)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its names, to publish more of them while it runs.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.abort();
        }
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

/// What the world's DNS would have of a mail domain; keys for signing come when its server publishes them.
fn entries(domain: &MailDomain) -> Result<Vec<Entry>, String> {
    let (name, host) = (domain.name.as_str(), domain.host.as_str());
    let (kind, address) = match domain.address {
        IpAddr::V4(v4) => ("A", v4.to_string()),
        IpAddr::V6(v6) => ("AAAA", v6.to_string()),
    };
    let reverse = Name::from(domain.address).to_ascii();
    let mut written = vec![
        (host.to_owned(), kind, address.clone()),
        (name.to_owned(), "MX", format!("10 {host}.")),
        (name.to_owned(), "TXT", "v=spf1 mx -all".to_owned()),
        (reverse, "PTR", format!("{host}.")),
        (name.to_owned(), "NS", "ns.test.".to_owned()),
    ];
    if domain.ours {
        let report_to = format!("rua=mailto:postmaster@{name}");
        written.extend([
            (format!("_dmarc.{name}"), "TXT", format!("v=DMARC1; p=reject; {report_to}")),
            (format!("_smtp._tls.{name}"), "TXT", format!("v=TLSRPTv1; {report_to}")),
            (format!("_mta-sts.{name}"), "TXT", "v=STSv1; id=1".to_owned()),
            (format!("mta-sts.{name}"), "CNAME", format!("{host}.")),
            (format!("autoconfig.{name}"), "CNAME", format!("{host}.")),
            (format!("autodiscover.{name}"), "CNAME", format!("{host}.")),
        ]);
    }
    written.iter().map(|(name, kind, value)| Entry::new(name, kind, value)).collect()
}

/// Answers from the names. What is outside of them does not exist, rather than being refused.
struct Answerer {
    names: Names,
    soa: Record,
}

impl Answerer {
    fn new(names: Names) -> Result<Self, String> {
        let server = absolute("ns.test")?;
        let soa = SOA::new(server.clone(), server, 1, 3600, 600, 86_400, TTL);
        Ok(Self { names, soa: Record::from_rdata(Name::root(), TTL, RData::SOA(soa)) })
    }

    fn reply(&self, request: &Request) -> Reply {
        match request.request_info() {
            Ok(info) => self.names.answer(info.query.name(), info.query.query_type()),
            Err(_) => Reply::Failure,
        }
    }
}

#[async_trait::async_trait]
impl RequestHandler for Answerer {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut handle: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        metadata.authoritative = true;
        let nothing = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let (code, records) = match self.reply(request) {
            Reply::Records(records) | Reply::NoRecords(records) => (ResponseCode::NoError, records),
            Reply::NoName(records) => (ResponseCode::NXDomain, records),
            Reply::Failure => (ResponseCode::ServFail, Vec::new()),
            Reply::Silence => return nothing,
        };
        metadata.response_code = code;
        let negative = code == ResponseCode::NXDomain || (code == ResponseCode::NoError && records.is_empty());
        let soa = negative.then_some(&self.soa);
        let mut builder = MessageResponseBuilder::from_message_request(request);
        let mut edns = Edns::new();
        if let Some(asked) = &request.edns {
            edns.set_max_payload(asked.max_payload().clamp(512, DATAGRAM));
            builder.edns(&edns);
        }
        let response = builder.build(metadata, &records, [], soa, []);
        handle.send_response(response).await.unwrap_or(nothing)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use mailstead_net::dns::{Dns, DnsError, Resolver};

    use super::*;

    fn home() -> MailDomain {
        MailDomain {
            name: Domain::parse("home.test").unwrap(),
            host: "mail.home.test".to_owned(),
            address: Ipv4Addr::LOCALHOST.into(),
            ours: true,
        }
    }

    async fn start(records: Option<&Path>) -> NameServer {
        NameServer::start((Ipv4Addr::LOCALHOST, 0).into(), &[home()], records).await.unwrap()
    }

    /// A resolver that remembers nothing yet.
    fn fresh(server: &NameServer) -> Resolver {
        Resolver::with_servers(&[server.address()]).unwrap()
    }

    #[tokio::test]
    async fn a_domain_of_ours_has_all_it_should_publish() {
        let server = start(None).await;
        let resolver = fresh(&server);
        for name in ["home.test", "_dmarc.home.test", "_smtp._tls.home.test", "_mta-sts.home.test"] {
            assert_eq!(resolver.txt(name).await.unwrap().records.len(), 1, "{name}");
        }
        assert_eq!(resolver.addresses("mta-sts.home.test").await.unwrap().records, [Ipv4Addr::LOCALHOST]);
        assert_eq!(resolver.ptr(Ipv4Addr::LOCALHOST.into()).await.unwrap().records, ["mail.home.test"]);
        assert_eq!(resolver.tlsa("_25._tcp.mail.home.test").await.unwrap_err(), DnsError::NoName);
        assert_eq!(resolver.txt("mail.home.test").await.unwrap_err(), DnsError::NoRecords);
    }

    #[tokio::test]
    async fn long_texts_published_later_come_whole() {
        let server = start(None).await;
        let long = "p=".to_owned() + &"A".repeat(3_000);
        server.names().publish(vec![Entry::new("s._domainkey.home.test", "TXT", &long).unwrap()]);
        let found = fresh(&server).txt("s._domainkey.home.test").await.unwrap().records;
        assert_eq!(found, [long.into_bytes()]);
    }

    #[tokio::test]
    async fn a_changed_file_is_heard_within_a_second_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        std::fs::write(&file, "home.test. 5 IN TXT \"one\"\nf.test. 5 IN ANY !SERVFAIL\n").unwrap();
        let server = start(Some(&file)).await;
        let resolver = fresh(&server);
        assert_eq!(resolver.txt("home.test").await.unwrap().records, [b"one"]);
        assert!(matches!(resolver.txt("f.test").await.unwrap_err(), DnsError::Temporary(_)));
        for (text, expected) in [("home.test. 5 IN TXT two\n", "two"), ("rubbish\n", "two"), ("", "v=spf1 mx -all")] {
            std::fs::write(&file, text).unwrap();
            let end = Instant::now() + Duration::from_secs(5);
            while fresh(&server).txt("home.test").await.unwrap().records != [expected.as_bytes()] {
                assert!(Instant::now() < end, "{text:?} was not heard");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        std::fs::write(&file, "rubbish\n").unwrap();
        let refused = NameServer::start((Ipv4Addr::LOCALHOST, 0).into(), &[home()], Some(&file)).await.err().unwrap();
        assert!(refused.contains("records: line 1: "), "{refused}");
    }
}
