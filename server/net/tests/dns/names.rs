//! The resolver against a real name server on loopback.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use mailstead_message::Domain;
use mailstead_net::dns::{Dns, DnsError, Mx, Resolver};
use tokio::net::{TcpListener, UdpSocket};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, name(host)))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

/// A name server that knows `test.` and the names of 192.0.2.0/24, and refuses to speak of anything else.
async fn name_server(records: Vec<(&str, RData)>) -> (Server<Catalog>, Resolver) {
    let mut catalog = Catalog::new();
    for origin in ["test.", "2.0.192.in-addr.arpa."] {
        let origin = name(origin);
        let mut zone: InMemoryZoneHandler<TokioRuntimeProvider> =
            InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        let soa = SOA::new(name("ns.test."), name("ns.test."), 1, 3600, 600, 86_400, 5);
        zone.upsert_mut(Record::from_rdata(origin.clone(), 5, RData::SOA(soa)), 1);
        for (owner, data) in records.iter().filter(|(owner, _)| origin.zone_of(&name(owner))) {
            assert!(zone.upsert_mut(Record::from_rdata(name(owner), 5, data.clone()), 1), "{owner} fits no zone");
        }
        catalog.upsert(LowerName::from(origin), vec![Arc::new(zone)]);
    }
    let (udp, tcp) = sockets().await;
    let resolver = Resolver::with_servers(&[udp.local_addr().unwrap()]).unwrap();
    let mut server = Server::new(catalog);
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(10), 64);
    (server, resolver)
}

/// A UDP and a TCP socket of the same port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn mx_of(resolver: &Resolver, domain: &str) -> Result<Vec<(u16, String)>, DnsError> {
    let mut found = resolver.mx(&Domain::parse(domain).unwrap()).await?.records;
    found.sort_by_key(|mx| (mx.preference, mx.host.clone()));
    Ok(found.into_iter().map(|Mx { preference, host }| (preference, host)).collect())
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn mail_hosts_are_found_behind_aliases_too() {
    let (_server, resolver) = name_server(vec![
        ("world.test.", mx(20, "B.World.test.")),
        ("world.test.", mx(10, "a.world.test.")),
        ("alias.test.", cname("other.test.")),
        ("other.test.", cname("world.test.")),
        ("nomail.test.", mx(0, ".")),
    ])
    .await;
    let hosts = vec![(10, "a.world.test".to_owned()), (20, "b.world.test".to_owned())];
    assert_eq!(mx_of(&resolver, "world.test").await.unwrap(), hosts);
    assert_eq!(mx_of(&resolver, "alias.test").await.unwrap(), hosts);
    assert_eq!(mx_of(&resolver, "nomail.test").await.unwrap(), [(0, String::new())]);
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_cannot_be_told() {
    let (_server, resolver) = name_server(vec![
        ("host.test.", RData::A(A::new(192, 0, 2, 1))),
        ("loop.test.", cname("pool.test.")),
        ("pool.test.", cname("loop.test.")),
        ("dangling.test.", cname("gone.test.")),
    ])
    .await;
    assert_eq!(mx_of(&resolver, "gone.test").await, Err(DnsError::NoName));
    assert_eq!(mx_of(&resolver, "host.test").await, Err(DnsError::NoRecords));
    assert_eq!(resolver.addresses("gone.test").await.unwrap_err(), DnsError::NoName);
    // Nobody answers for this one, which says nothing about it.
    let refused = mx_of(&resolver, "elsewhere.example").await;
    assert!(matches!(refused, Err(DnsError::Temporary(_))), "{refused:?}");
    let circle = mx_of(&resolver, "loop.test").await;
    assert!(circle.is_err() && circle != Err(DnsError::NoName), "{circle:?}");
    assert!(mx_of(&resolver, "dangling.test").await.is_err());
}

#[tokio::test]
async fn addresses_of_both_families_are_found_and_one_will_do() {
    let v6 = RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let (_server, resolver) = name_server(vec![
        ("both.test.", v6.clone()),
        ("both.test.", RData::A(A::new(192, 0, 2, 1))),
        ("six.test.", v6),
        ("four.test.", RData::A(A::new(192, 0, 2, 1))),
        ("text.test.", RData::TXT(TXT::new(vec!["x".to_owned()]))),
    ])
    .await;
    for (host, found) in [
        ("both.test", Ok(addresses(&["2001:db8::1", "192.0.2.1"]))),
        ("six.test", Ok(addresses(&["2001:db8::1"]))),
        ("four.test", Ok(addresses(&["192.0.2.1"]))),
        ("text.test", Err(DnsError::NoRecords)),
    ] {
        assert_eq!(resolver.addresses(host).await.map(|answer| answer.records), found, "{host}");
    }
}

#[tokio::test]
async fn answers_too_large_for_a_datagram_come_over_tcp() {
    let long = vec!["x".repeat(255); 16];
    let hosts = (0..200).map(|number| ("many.test.", mx(number, &format!("a-rather-long-host-name-{number}.test."))));
    let records = hosts.chain([("long.test.", RData::TXT(TXT::new(long.clone())))]).collect();
    let (_server, resolver) = name_server(records).await;
    assert_eq!(resolver.txt("long.test").await.unwrap().records, [long.concat().into_bytes()]);
    assert_eq!(mx_of(&resolver, "many.test").await.unwrap().len(), 200);
}

#[tokio::test]
async fn an_address_has_names() {
    let host = RData::PTR(PTR(name("Mail.test.")));
    let (_server, resolver) = name_server(vec![("1.2.0.192.in-addr.arpa.", host)]).await;
    assert_eq!(resolver.ptr("192.0.2.1".parse().unwrap()).await.unwrap().records, ["mail.test"]);
    assert_eq!(resolver.ptr("192.0.2.2".parse().unwrap()).await.unwrap_err(), DnsError::NoName);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_never_answers_is_a_passing_trouble() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = silent.local_addr().unwrap();
    let resolver = Resolver::with_servers(&[address]).unwrap();
    assert!(matches!(mx_of(&resolver, "world.test").await, Err(DnsError::Temporary(_))));
}
