//! Finding a server that talks to us: hosts in order, their addresses, a connection, TLS, EHLO.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use mailstead_net::dns::DnsError;
use mailstead_net::{Flaw, Stream, TlsFault, reach};
use mailstead_smtp::Reply;
use mailstead_smtp::client::{Client, ClientError, Options, Tls};
use mailstead_store::{SmarthostTls, TlsNeed};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::demand::{self, Attempted, Demand, Secure};
use crate::destination::{Destination, Place, Relay};
use crate::mx::{self, NoRoute};
use crate::sts::{self, Standing};
use crate::{Context, Status};

/// Addresses tried for one message, over all hosts.
const MAX_ADDRESSES: usize = 20;

/// REQUIRETLS support required (RFC 8689 5).
const NEEDS_REQUIRETLS: Status = (5, 7, 30);

/// Characters kept of what a server says: it may say 100 lines, and every one of its refusals is kept in the store.
const MAX_WORDS: usize = 500;

/// An open session with a server.
pub(crate) struct Session {
    /// The session itself.
    pub(crate) client: Box<Client>,
    /// The server, for people.
    pub(crate) peer: Peer,
    /// To whom it leads and with what TLS by whose word, for a sentence about each message that goes over it.
    pub(crate) how: String,
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

/// Both ends of a connection, as far as it came.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Our address on this side.
    pub(crate) ours: Option<IpAddr>,
    /// What the server calls itself.
    pub(crate) theirs: Option<String>,
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

    pub(crate) fn temporary(status: Status, host: &str, text: String) -> Self {
        Self { permanent: false, status, text, remote: Some(host.to_owned()), reply: None }
    }

    pub(crate) fn permanent(status: Status, host: &str, text: String) -> Self {
        Self { permanent: true, ..Self::temporary(status, host, text) }
    }
}

/// A walk through a destination's servers.
pub(crate) struct Search<'a> {
    context: &'a Context,
    destination: &'a Destination,
    hosts: VecDeque<String>,
    /// DNSSEC says that the hosts are no forgery.
    secure: bool,
    /// The domain's MTA-STS policy.
    sts: Standing,
    /// Addresses of the present host that were not tried yet.
    addresses: VecDeque<Peer>,
    /// What the present host must show.
    demand: Demand,
    tried: usize,
    until: Instant,
    troubles: Vec<Misfortune>,
}

impl<'a> Search<'a> {
    /// Asks which hosts there are, and what the domain says of them.
    pub(crate) async fn begin(
        context: &'a Context,
        destination: &'a Destination,
        told: &mut Vec<String>,
    ) -> Result<Self, Misfortune> {
        let mut search = Self {
            context,
            destination,
            hosts: VecDeque::new(),
            secure: false,
            sts: Standing::default(),
            addresses: VecDeque::new(),
            demand: Demand::Nothing,
            tried: 0,
            until: Instant::now() + context.patience.search,
            troubles: Vec::new(),
        };
        match &destination.place {
            Place::Domain(domain) => {
                let hosts = mx::hosts(context.dns.as_ref(), domain, &context.policy.hostname).await?;
                (search.hosts, search.secure) = (hosts.names.into(), hosts.secure);
                if destination.need == TlsNeed::Waived {
                    let text = format!("The message waives what {domain} may demand of TLS (TLS-Required: No).");
                    told.push(text);
                } else {
                    search.sts = sts::standing(context, domain).await;
                    told.extend(search.sts.told.iter().cloned());
                    demand::count_missing(context, domain, &search.sts);
                }
            }
            Place::Relay(Relay(relay)) => search.hosts.push_back(relay.host.clone()),
        }
        Ok(search)
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
                    let how = self.how(&peer, &client);
                    told.push(format!("Connected to {how}."));
                    return Some(Session { client: Box::new(client), peer, how, messages: 0 });
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
    /// permanent: it is the operator's to mend, and must not return everybody's mail; but a message that needs more TLS
    /// than the relay has is returned.
    pub(crate) fn conclusion(mut self) -> Misfortune {
        let wants_tls = self.needs_tls() && self.troubles.iter().all(is_want_of_tls);
        let relay = matches!(self.destination.place, Place::Relay(_));
        let permanent =
            (!relay || wants_tls) && self.is_exhausted() && self.troubles.iter().all(|trouble| trouble.permanent);
        let decisive = self.troubles.iter().rposition(|trouble| trouble.permanent == permanent);
        let last = decisive.map(|index| self.troubles.swap_remove(index)).or_else(|| self.troubles.pop());
        match last {
            Some(last) if last.permanent && !permanent => {
                let (_, subject, detail) = last.status;
                Misfortune { permanent, status: (4, subject, detail), ..last }
            }
            Some(last) => last,
            None => {
                let text = format!("no server of {} could be tried", self.destination.place);
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
        let relay = match &self.destination.place {
            Place::Domain(_) => None,
            Place::Relay(Relay(relay)) => Some(relay),
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
            Some(address) => Ok((vec![address], false)),
            None => self.addresses_of(host).await,
        };
        let (found, secure) = match found {
            Ok(found) => found,
            Err(trouble) => return self.trouble(trouble, told),
        };
        if let Place::Domain(domain) = &self.destination.place {
            let ours =
                |address: &IpAddr| policy.own_addresses.iter().any(|own| reach::plain(*own) == reach::plain(*address));
            if found.iter().any(ours) {
                // Whoever comes behind us in the list would send it back here.
                self.hosts.clear();
                return self.trouble(Misfortune { remote: None, ..mx::looping(domain).into() }, told);
            }
        }
        let demand = match &self.destination.place {
            Place::Domain(domain) => {
                let secure = Secure { mx: self.secure, addresses: secure };
                demand::of_host(self.context, domain, &self.sts, host, secure, self.destination.need).await
            }
            Place::Relay(Relay(relay)) => Ok(Demand::Relay(relay.tls)),
        };
        match demand {
            Ok(demand) => self.demand = demand,
            Err(trouble) => return self.trouble(trouble, told),
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

    /// A host's addresses, and whether nobody can have forged them.
    async fn addresses_of(&self, host: &str) -> Result<(Vec<IpAddr>, bool), Misfortune> {
        let shown = host.escape_debug();
        match self.context.dns.addresses(host).await {
            Ok(answer) if !answer.records.is_empty() => Ok((answer.records, answer.secure)),
            Ok(_) | Err(DnsError::NoName | DnsError::NoRecords) => {
                Err(Misfortune::permanent((5, 4, 4), host, format!("{shown} has no address in the DNS")))
            }
            Err(what @ (DnsError::Bogus(_) | DnsError::Temporary(_))) => {
                let text = format!("the address of {shown} can't be found: {what}");
                Err(Misfortune::temporary((4, 4, 3), host, text))
            }
        }
    }

    /// Connects and greets. Where TLS is only wished for, its failure leads to a second connection without.
    async fn open(&self, peer: &Peer, told: &mut Vec<String>) -> Result<Client, Misfortune> {
        let login = match &self.destination.place {
            Place::Domain(_) => None,
            Place::Relay(Relay(relay)) => relay.login.clone(),
        };
        let plain = matches!(self.demand, Demand::Relay(SmarthostTls::None));
        if plain && self.needs_tls() {
            let text = format!("{peer}: the message needs TLS (REQUIRETLS), but the relay is used without");
            return Err(Misfortune::permanent(demand::NEEDS_TLS, &peer.host, text));
        }
        if login.is_some() && plain && !peer.address.ip().is_loopback() {
            let text = format!("{peer}: the relay's password is not sent without TLS");
            return Err(Misfortune::temporary((4, 7, 0), &peer.host, text));
        }
        let (wish, mut ends) = (self.demand.wish(&self.context.policy), Ends::default());
        let greeted = self.greet(peer, wish, login.clone(), &mut ends).await;
        match greeted.map_err(starttls_refused) {
            Err(ClientError::Tls(fault)) if self.demand.is_wish_only() => {
                self.count(peer, &ends, Some(&fault));
                told.push(format!("TLS with {peer} failed ({fault}); connecting again without."));
                let client = self.greet(peer, Tls::Never, login, &mut ends).await;
                let client = client.map_err(|error| Misfortune::of(peer, &error))?;
                told.extend(self.breach(peer, Some(&fault)));
                Ok(client)
            }
            Err(ClientError::Tls(fault)) => {
                self.count(peer, &ends, Some(&fault));
                Err(self.refused(peer, &fault))
            }
            Err(error) => Err(Misfortune::of(peer, &error)),
            Ok(client) if self.needs_tls() && !client.offers_require_tls() => {
                client.quit().await;
                let text = format!("{peer} is passed over: it does not offer REQUIRETLS, which the message needs");
                Err(Misfortune::permanent(NEEDS_REQUIRETLS, &peer.host, text))
            }
            Ok(client) => {
                let fault = self.fault(peer, &client);
                self.count(peer, &ends, fault.as_ref());
                told.extend(self.breach(peer, fault.as_ref()));
                Ok(client)
            }
        }
    }

    fn needs_tls(&self) -> bool {
        self.destination.need == TlsNeed::Required
    }

    /// What is wrong with TLS in a session that came to be all the same.
    fn fault(&self, peer: &Peer, client: &Client) -> Option<TlsFault> {
        if client.tls().is_none() {
            return Some(TlsFault::new(Flaw::NotOffered, "the server does not offer STARTTLS, or refused it"));
        }
        if let (Demand::Tested, Some(policy), Place::Domain(domain)) =
            (&self.demand, &self.sts.policy, &self.destination.place)
            && !policy.allows(&peer.host)
        {
            return Some(TlsFault::new(Flaw::Handshake, demand::not_named(domain)));
        }
        match (&self.demand, client.certificate()) {
            // With records that can't be used, any certificate will do.
            (Demand::Encryption(_), _) => None,
            (_, Some(Err(fault))) => Some(fault.clone()),
            _ => None,
        }
    }

    /// What a policy in testing would not have let pass.
    fn breach(&self, peer: &Peer, fault: Option<&TlsFault>) -> Option<String> {
        let fault = fault.filter(|_| matches!(self.demand, Demand::Tested))?;
        let domain = &self.destination.place;
        Some(format!("Were the MTA-STS policy of {domain} in force, {peer} would be passed over: {fault}."))
    }

    /// A server that does not show what it must.
    fn refused(&self, peer: &Peer, fault: &TlsFault) -> Misfortune {
        let author = self.demand.author(&self.destination.place).map(|author| format!(", but {author} demands better"));
        let text = format!("{peer} is passed over: {}{}", clip(&fault.text), author.unwrap_or_default());
        match fault.flaw {
            // Their sender would rather have it back than wait for an operator who may never mend it (RFC 8689 4.2.1).
            flaw if self.needs_tls() && flaw != Flaw::Handshake => {
                Misfortune::permanent(demand::NEEDS_TLS, &peer.host, text)
            }
            _ => Misfortune::temporary((4, 7, 5), &peer.host, text),
        }
    }

    /// Counts it for the report. What waives all demands is mostly a report itself: reports on the carrying of reports
    /// would go on for ever (RFC 8460 5.3).
    fn count(&self, peer: &Peer, ends: &Ends, fault: Option<&TlsFault>) {
        if let Place::Domain(domain) = &self.destination.place
            && self.destination.need != TlsNeed::Waived
        {
            Attempted { domain, sts: &self.sts, peer, ends, demand: &self.demand, fault }.count(self.context);
        }
    }

    fn how(&self, peer: &Peer, client: &Client) -> String {
        let Some(tls) = client.tls() else { return format!("{peer} without TLS") };
        let author = self.demand.author(&self.destination.place).map(|author| format!(", as {author} demands"));
        let author = author.unwrap_or_default();
        let certificate = match client.certificate() {
            None => author,
            Some(Ok(how)) => format!("; its certificate is {how}{author}"),
            Some(Err(fault)) => format!("{author}; {fault}, which nobody forbids"),
        };
        format!("{peer} with {} ({}){certificate}", tls.version, tls.cipher)
    }

    /// `ends` becomes what there is to know of the connection, also where the session does not come to be.
    async fn greet(
        &self,
        peer: &Peer,
        tls: Tls,
        login: Option<(String, String)>,
        ends: &mut Ends,
    ) -> Result<Client, ClientError> {
        let network = |when, what| ClientError::Network { when, what, after_data: false };
        let patience = &self.context.patience;
        let tcp = match timeout(patience.connect, TcpStream::connect(peer.address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => return Err(network("connecting", plain(&error))),
            Err(_) => return Err(network("connecting", format!("no answer within {:?}", patience.connect))),
        };
        ends.ours = tcp.local_addr().ok().map(|address| address.ip());
        let options = Options {
            hostname: self.context.policy.hostname.clone(),
            server_name: peer.host.clone(),
            tls,
            login,
            timeouts: patience.smtp.clone(),
        };
        match timeout(patience.open, Client::open(Stream::plain(tcp), options, &mut ends.theirs)).await {
            Ok(result) => result,
            Err(_) => Err(network("opening the session", format!("not done within {:?}", patience.open))),
        }
    }
}

/// The message needs more TLS than the server has.
fn is_want_of_tls(trouble: &Misfortune) -> bool {
    matches!(trouble.status, demand::NEEDS_TLS | NEEDS_REQUIRETLS)
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

/// A server that refuses STARTTLS, where it must be, is one that has none; whatever it says, it is not the last word on
/// the letter.
/// What the system says of an error, without its number.
fn plain(error: &std::io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error ").next().unwrap_or_default().to_owned()
}

fn starttls_refused(error: ClientError) -> ClientError {
    match error {
        ClientError::Refused { when: "STARTTLS", reply } => {
            ClientError::Tls(TlsFault::new(Flaw::NotOffered, format!("the server refuses STARTTLS: {}", words(&reply))))
        }
        other => other,
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
