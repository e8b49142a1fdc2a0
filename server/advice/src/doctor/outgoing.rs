//! Can we reach the world's port 25?

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use mailstead_net::reach::is_public;

use super::finding::{Finding, Subject};
use super::host::Host;
use super::{Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "outgoing",
    title: "Outgoing mail",
    why: "Mail is delivered to port 25 of other servers, and many providers block that for new customers.",
};

const SIXTH: Subject = Subject {
    id: "outgoing-ipv6",
    title: "Outgoing mail over IPv6",
    why: "Where the other side has IPv6 it is tried first, and each letter waits until that has failed.",
};

/// Far more than any honest way takes; a blocked one is silent.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one try gave.
#[derive(Debug)]
enum Try {
    /// Mail would go.
    Open,
    /// Somebody answered who is no mail server.
    Strange(String),
    /// No way there.
    Failed(io::ErrorKind),
}

pub(super) async fn look(patient: &Patient, host: &dyn Host, smarthost: bool) -> Vec<Finding> {
    let servers = &patient.probes.mail_servers;
    if servers.is_empty() {
        return Vec::new();
    }
    let found = join_all(servers.iter().map(|server| addresses(patient, server, patient.delivery_port))).await;
    let (fourth, sixth): (Vec<SocketAddr>, Vec<SocketAddr>) = found.into_iter().flatten().partition(|a| a.is_ipv4());
    // One of each family and server is enough.
    let has_sixth = patient.own_addresses.iter().any(|own| own.is_ipv6() && is_public(*own));
    let sixth = if has_sixth { sixth } else { Vec::new() };
    let (fourth, sixth) = tokio::join!(try_all(host, &fourth), try_all(host, &sixth));
    let mut findings = vec![judge(&fourth, smarthost, patient.delivery_port)];
    let open = |tries: &[Try]| tries.iter().any(|one| matches!(one, Try::Open));
    if !smarthost && open(&fourth) && !sixth.is_empty() && !open(&sixth) {
        findings.push(
            SIXTH
                .warning("Other servers' port 25 can be reached over IPv4, but not over IPv6.")
                .todo("Ask your provider to open outgoing port 25 for IPv6 too, or turn IPv6 off on this machine."),
        );
    }
    findings
}

/// Where a probe is: its first address of each family. Nothing where it can't be found out.
pub(super) async fn addresses(patient: &Patient, server: &str, usual_port: u16) -> Vec<SocketAddr> {
    let (name, port) = match server.parse::<SocketAddr>() {
        Ok(address) => return vec![address],
        Err(_) => match server.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, port.parse().unwrap_or(usual_port)),
            _ => (server, usual_port),
        },
    };
    let all = match name.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => patient.dns.addresses(name).await.map(|answer| answer.records).unwrap_or_default(),
    };
    let first = |wanted: fn(&IpAddr) -> bool| all.iter().copied().find(wanted);
    [first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)].into_iter().flatten().map(|ip| (ip, port).into()).collect()
}

async fn try_all(host: &dyn Host, servers: &[SocketAddr]) -> Vec<Try> {
    join_all(servers.iter().map(|server| async {
        match tokio::time::timeout(PATIENCE, host.greeting(*server)).await {
            Ok(Ok(line)) if line.starts_with("220") => Try::Open,
            // A mail server that does not want us now is one all the same.
            Ok(Ok(line)) if line.starts_with("421") || line.starts_with("554") => Try::Open,
            Ok(Ok(line)) => Try::Strange(line),
            Ok(Err(error)) => Try::Failed(error.kind()),
            Err(_) => Try::Failed(io::ErrorKind::TimedOut),
        }
    }))
    .await
}

fn judge(tries: &[Try], smarthost: bool, port: u16) -> Finding {
    if tries.iter().any(|one| matches!(one, Try::Open)) {
        return SUBJECT.good(format!("Port {port} of other mail servers can be reached."));
    }
    if smarthost {
        return SUBJECT.good("Outgoing mail goes through your relay, so it does not matter that port 25 is not open.");
    }
    if tries.is_empty() {
        let unknown = "The mail servers that were to be tried can't be found in DNS, so it can't be told.";
        return SUBJECT.unknown(unknown).todo("See to DNS first, then look again.").command("mailstead dns check");
    }
    let strange = tries.iter().find_map(|one| match one {
        Try::Strange(line) => Some(line),
        _ => None,
    });
    let what = match strange {
        Some(line) => {
            format!("Something between here and the world answers in mail servers' stead: {}.", words::quoted(line))
        }
        None if tries.iter().all(|one| matches!(one, Try::Failed(io::ErrorKind::TimedOut))) => {
            format!("Outgoing port {port} is blocked: no mail server that was tried answers.")
        }
        None => format!("Outgoing port {port} is blocked: no mail server can be connected to."),
    };
    SUBJECT
        .bad(what)
        .todo("Ask your provider to open outgoing port 25, or send through a relay (smarthost) that you have an account with.")
        .command("mailstead smarthost set SMTP.RELAY.EXAMPLE --user YOUR-NAME-THERE")
}
