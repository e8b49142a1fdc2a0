//! Finding a server that talks to us: hosts in order, their addresses, a connection, TLS, EHLO.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use mailstead_net::Stream;
use mailstead_net::dns::DnsError;
use mailstead_smtp::Reply;
use mailstead_smtp::client::{Client, ClientError, Options, Tls};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::destination::{Destination, Relay, TlsPolicy};
use crate::mx::{self, NoRoute};
use crate::{Context, Status, reach};

/// Addresses tried for one message, over all hosts.
const MAX_ADDRESSES: usize = 20;

/// Characters kept of what a server says: it may say 100 lines, and every one of its refusals is kept in the store.
const MAX_WORDS: usize = 500;

/// An open session with a server.
pub(crate) struct Session {
    /// The session itself.
    pub(crate) client: Box<Client>,
    /// The server, for people.
    pub(crate) peer: Peer,
    /// Messages sent over it.
    pub(crate) messages: usize,
}

/// A server by name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// As the MX record or the operator names it.
    pub(crate) host: String,
    /// Where we connected.
    pub(crate) address: SocketAddr,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]:{}", self.host.escape_debug(), self.address.ip(), self.address.port())
    }
}

/// Why a message could not be handed to anybody, or to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfortune {
    /// Trying again can't help.
    pub(crate) permanent: bool,
    /// For reports.
    pub(crate) status: Status,
    /// In a sentence.
    pub(crate) text: String,
    /// The server concerned.
    pub(crate) remote: Option<String>,
    /// The server's own words.
    pub(crate) reply: Option<String>,
}

impl From<NoRoute> for Misfortune {
    fn from(error: NoRoute) -> Self {
        Self { permanent: !error.temporary, status: error.status, text: error.text, remote: None, reply: None }
    }
}

impl Misfortune {
    pub(crate) fn of(peer: &Peer, error: &ClientError) -> Self {
        let (permanent, status, reply) = match error {
            ClientError::Refused { reply, .. } => {
                let class = if reply.is_permanent() { 5 } else { 4 };
                (reply.is_permanent(), reply.status.unwrap_or((class, 0, 0)), Some(words(reply)))
            }
            ClientError::Network { .. } => (false, (4, 4, 2), None),
            ClientError::Tls(_) => (false, (4, 7, 5), None),
            ClientError::Protocol(_) => (false, (4, 5, 0), None),
            ClientError::Message(_) => (false, (4, 3, 0), None),
        };
        Self {
            permanent,
            status,
            text: format!("{peer}: {}", clip(&error.to_string())),
            remote: Some(peer.host.clone()),
            reply,
        }
    }

    fn temporary(status: Status, host: &str, text: String) -> Self {
        Self { permanent: false, status, text, remote: Some(host.to_owned()), reply: None }
    }

    fn permanent(status: Status, host: &str, text: String) -> Self {
        Self { permanent: true, ..Self::temporary(status, host, text) }
    }
}

/// A walk through a destination's servers.
pub(crate) struct Search<'a> {
    context: &'a Context,
    destination: &'a Destination,
    hosts: VecDeque<String>,
    /// Addresses of the present host that were not tried yet.
    addresses: VecDeque<Peer>,
    tried: usize,
    until: Instant,
    troubles: Vec<Misfortune>,
}

impl<'a> Search<'a> {
    /// Asks the DNS which hosts there are.
    pub(crate) async fn begin(context: &'a Context, destination: &'a Destination) -> Result<Self, Misfortune> {
        let hosts = match destination {
            Destination::Domain(domain) => {
                mx::hosts(context.dns.as_ref(), domain, &context.policy.hostname).await?.into()
            }
            Destination::Relay(Relay(relay)) => VecDeque::from([relay.host.clone()]),
        };
        let until = Instant::now() + context.patience.search;
        Ok(Self { context, destination, hosts, addresses: VecDeque::new(), tried: 0, until, troubles: Vec::new() })
    }

    /// Opens a session with the next server that lets us; `None` when there is none left. Each step is told.
    pub(crate) async fn next(&mut self, told: &mut Vec<String>) -> Option<Session> {
        loop {
            if self.tried >= MAX_ADDRESSES || Instant::now() >= self.until {
                told.push("No further servers were tried this time.".to_owned());
                return None;
            }
            let Some(peer) = self.addresses.pop_front() else {
                let host = self.hosts.pop_front()?;
                self.look_up(&host, told).await;
                continue;
            };
            self.tried += 1;
            match self.open(&peer, told).await {
                Ok(client) => {
                    told.push(connected(&peer, &client));
                    return Some(Session { client: Box::new(client), peer, messages: 0 });
                }
                Err(trouble) => self.trouble(trouble, told),
            }
        }
    }

    /// Notes what went wrong with a server, before or after its session was open.
    pub(crate) fn trouble(&mut self, trouble: Misfortune, told: &mut Vec<String>) {
        told.push(format!("{}.", trouble.text));
        self.troubles.push(trouble);
    }

    /// What it comes to when no server is left: permanent only if each one's trouble was. A relay's refusal is never
    /// permanent: it is the operator's to mend, and must not return everybody's mail.
    pub(crate) fn conclusion(mut self) -> Misfortune {
        let relay = matches!(self.destination, Destination::Relay(_));
        let permanent = !relay && self.is_exhausted() && self.troubles.iter().all(|trouble| trouble.permanent);
        let decisive = self.troubles.iter().rposition(|trouble| trouble.permanent == permanent);
        let last = decisive.map(|index| self.troubles.swap_remove(index)).or_else(|| self.troubles.pop());
        match last {
            Some(last) if last.permanent && !permanent => {
                let (_, subject, detail) = last.status;
                Misfortune { permanent, status: (4, subject, detail), ..last }
            }
            Some(last) => last,
            None => {
                let text = format!("no server of {} could be tried", self.destination);
                Misfortune { permanent: false, status: (4, 4, 1), text, remote: None, reply: None }
            }
        }
    }

    /// True when every server there is was tried.
    fn is_exhausted(&self) -> bool {
        self.hosts.is_empty() && self.addresses.is_empty()
    }

    /// Finds the addresses of a host and keeps those that may be tried.
    async fn look_up(&mut self, host: &str, told: &mut Vec<String>) {
        let policy = &self.context.policy;
        let relay = match self.destination {
            Destination::Domain(_) => None,
            Destination::Relay(Relay(relay)) => Some(relay),
        };
        let port = match relay {
            Some(relay) => relay.port,
            None => policy.port_overrides.get(host).copied().unwrap_or(policy.port),
        };
        let shown = host.escape_debug().to_string();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if literal.is_some() && relay.is_none() && !policy.allow_private {
            let text = format!("{shown} is passed over: a mail host must be a name, not an address");
            return self.trouble(Misfortune::temporary((4, 4, 4), host, text), told);
        }
        let found = match literal {
            Some(address) => Ok(vec![address]),
            None => self.context.dns.addresses(host).await.map(|answer| answer.records),
        };
        let found = match found {
            Ok(found) if !found.is_empty() => found,
            Ok(_) | Err(DnsError::NoName | DnsError::NoRecords) => {
                let text = format!("{shown} has no address in the DNS");
                return self.trouble(Misfortune::permanent((5, 4, 4), host, text), told);
            }
            Err(what @ (DnsError::Bogus(_) | DnsError::Temporary(_))) => {
                let text = format!("the address of {shown} can't be found: {what}");
                return self.trouble(Misfortune::temporary((4, 4, 3), host, text), told);
            }
        };
        if let Destination::Domain(domain) = self.destination {
            let ours =
                |address: &IpAddr| policy.own_addresses.iter().any(|own| reach::plain(*own) == reach::plain(*address));
            if found.iter().any(ours) {
                // Whoever comes behind us in the list would send it back here.
                self.hosts.clear();
                return self.trouble(Misfortune { remote: None, ..mx::looping(domain).into() }, told);
            }
        }
        for address in by_turns(found) {
            if relay.is_some() || policy.allow_private || reach::is_public(address) {
                self.addresses.push_back(Peer { host: host.to_owned(), address: SocketAddr::new(address, port) });
            } else {
                let text = format!("{shown} [{address}] is passed over: that address is not of the public internet");
                self.trouble(Misfortune::temporary((4, 4, 4), host, text), told);
            }
        }
    }

    /// Connects and greets. Where TLS is only wished for, its failure leads to a second connection without.
    async fn open(&self, peer: &Peer, told: &mut Vec<String>) -> Result<Client, Misfortune> {
        let tls = TlsPolicy::towards(self.destination);
        let login = match self.destination {
            Destination::Domain(_) => None,
            Destination::Relay(Relay(relay)) => relay.login.clone(),
        };
        if login.is_some() && tls == TlsPolicy::None && !peer.address.ip().is_loopback() {
            let text = format!("{peer}: the relay's password is not sent without TLS");
            return Err(Misfortune::temporary((4, 7, 0), &peer.host, text));
        }
        match self.greet(peer, tls.wish(&self.context.policy), login.clone()).await {
            Err(ClientError::Tls(what)) if tls == TlsPolicy::Opportunistic => {
                told.push(format!("TLS with {peer} failed ({}); connecting again without.", what.escape_debug()));
                self.greet(peer, Tls::Never, login).await
            }
            result => result,
        }
        .map_err(|error| Misfortune::of(peer, &error))
    }

    async fn greet(&self, peer: &Peer, tls: Tls, login: Option<(String, String)>) -> Result<Client, ClientError> {
        let network = |when, what| ClientError::Network { when, what, after_data: false };
        let patience = &self.context.patience;
        let tcp = match timeout(patience.connect, TcpStream::connect(peer.address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => return Err(network("connecting", error.to_string())),
            Err(_) => return Err(network("connecting", format!("no answer within {:?}", patience.connect))),
        };
        let options = Options {
            hostname: self.context.policy.hostname.clone(),
            server_name: peer.host.clone(),
            tls,
            login,
            timeouts: patience.smtp.clone(),
        };
        match timeout(patience.open, Client::open(Stream::plain(tcp), options)).await {
            Ok(result) => result,
            Err(_) => Err(network("opening the session", format!("not done within {:?}", patience.open))),
        }
    }
}

/// A server's words, at a length fit for stories and reports.
pub(crate) fn words(reply: &Reply) -> String {
    clip(&reply.to_string())
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(MAX_WORDS).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

fn connected(peer: &Peer, client: &Client) -> String {
    match client.tls() {
        Some(tls) => format!("Connected to {peer} with {} ({}).", tls.version, tls.cipher),
        None => format!("Connected to {peer} without TLS."),
    }
}

/// IPv6 and IPv4 addresses by turns, IPv6 first, so that a family that does not work here costs few tries.
fn by_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let count = addresses.len();
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut mixed = Vec::with_capacity(count);
    while mixed.len() < count {
        mixed.extend(v6.next());
        mixed.extend(v4.next());
    }
    mixed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn address_families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = by_turns(parse(&["1.1.1.1", "2.2.2.2", "::a", "3.3.3.3"]));
        assert_eq!(mixed, parse(&["::a", "1.1.1.1", "2.2.2.2", "3.3.3.3"]));
        assert!(by_turns(Vec::new()).is_empty());
    }
}
