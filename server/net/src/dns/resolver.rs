//! The resolver: one question from its cache or from its source, aliases followed, proofs demanded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError as HickoryError, NetError};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::watch;

use super::cache::{Cache, Outcome, Question};
use super::places::{Asker, Places};
use super::reading::{Manner, Reading, Says, read};
use super::source::{Roots, Source};
use super::{Answer, Caa, Data, Dns, DnsError, Kind, MAX_NEGATIVE_TTL, MAX_TTL, Mx, Srv, Tlsa, temporary, unusable};
use crate::BoxFuture;

/// A whole question, once it has its place: aliases, signatures and all servers included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Aliases followed for one question.
const MAX_ALIASES: usize = 8;
/// Proofs remembered.
const PROOFS: usize = 4_096;

/// The keys the proofs of DNSSEC begin with.
#[derive(Clone, Default)]
pub struct Anchors(Arc<TrustAnchors>);

impl Anchors {
    /// Reads a file of DNSKEY records, one a line.
    ///
    /// # Errors
    /// A sentence with the file's name.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let anchors: TrustAnchors = text.parse().map_err(|error| wrong(&error))?;
        if anchors.is_empty() {
            return Err(wrong(&"there is no key of the root zone in it"));
        }
        Ok(Self(Arc::new(anchors)))
    }
}

/// Answers questions over one source. Copies share what is known.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
    asker: Asker,
}

/// A question under way, and in whose name: nobody waits for a place on others' behalf.
type Asked = (Question, Asker);

struct Inner {
    source: Source,
    /// Answers come through this when signatures are checked.
    proving: Option<DnssecDnsHandle<Source>>,
    /// Whoever is asked knows its zones by heart, and nothing else.
    by_heart: bool,
    cache: Cache,
    asked: Mutex<HashMap<Asked, watch::Receiver<Option<Outcome>>>>,
    places: Places,
}

impl Resolver {
    /// Asks these name servers, and believes them; nothing is secure.
    ///
    /// # Errors
    /// When the library can't be set up.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        Ok(Self::new(Source::servers(servers)?, None))
    }

    /// Asks these name servers, and checks every signature itself.
    ///
    /// # Errors
    /// When the library can't be set up.
    pub fn proving_servers(servers: &[SocketAddr], anchors: &Anchors) -> Result<Self, DnsError> {
        Ok(Self::new(Source::servers(servers)?, Some(anchors)))
    }

    /// Goes down from the root itself, and checks every signature.
    ///
    /// # Errors
    /// When there are no root servers or the library can't be set up.
    pub fn recursive(roots: &Roots, anchors: &Anchors) -> Result<Self, DnsError> {
        Ok(Self::new(Source::roots(roots)?, Some(anchors)))
    }

    pub(super) fn new(source: Source, anchors: Option<&Anchors>) -> Self {
        let proving = anchors.map(|anchors| {
            DnssecDnsHandle::with_trust_anchor(source.clone(), Arc::clone(&anchors.0))
                .validation_cache_size(PROOFS)
                .positive_validation_ttl(Duration::ZERO..=MAX_TTL)
                .negative_validation_ttl(Duration::ZERO..=MAX_NEGATIVE_TTL)
        });
        Self::made(source, proving, false)
    }

    fn made(source: Source, proving: Option<DnssecDnsHandle<Source>>, by_heart: bool) -> Self {
        let (cache, asked, places) = (Cache::default(), Mutex::default(), Places::default());
        Self { inner: Arc::new(Inner { source, proving, by_heart, cache, asked, places }), asker: Asker::House }
    }

    /// The same resolver, for questions that strangers choose, as the senders of letters do: however many of them are
    /// slow, some places stay for all others.
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        self.asked_by(Asker::Stranger)
    }

    pub(super) fn asked_by(&self, asker: Asker) -> Self {
        Self { inner: Arc::clone(&self.inner), asker }
    }

    /// Says whether signatures come through and can be checked: for what the root zone has and for what it has not.
    ///
    /// # Errors
    /// Why not.
    pub async fn proves_the_root(&self) -> Result<(), DnsError> {
        let root = Name::root();
        let keys = self.inner.read(&root, RecordType::DNSKEY).await?;
        let nothing = self.inner.read(&root, RecordType::TLSA).await?;
        match (keys.says, nothing.says) {
            (Says::Records(_), Says::NoRecords) if keys.secure && nothing.secure => Ok(()),
            (Says::Unclear(error), _) | (_, Says::Unclear(error)) => Err(error),
            _ => Err(DnsError::Temporary("the root zone's signatures do not come through".to_owned())),
        }
    }

    /// Whether who answers this knows the zone by heart.
    pub(super) async fn is_answered_with_authority(&self, name: &Name, kind: RecordType) -> Result<bool, DnsError> {
        let message = self.inner.source_says(name, kind).await.map_err(|error| temporary(&error))?;
        Ok(message.metadata.authoritative)
    }

    async fn resolve(&self, question: Question) -> Outcome {
        if let Some(known) = self.inner.cache.get(&question, Instant::now()) {
            return known;
        }
        let mut asked = self.join(question);
        let gone = || DnsError::Temporary("the question was given up".to_owned());
        let outcome = asked.wait_for(Option::is_some).await.map_err(|_| gone())?;
        outcome.clone().unwrap_or_else(|| Err(gone()))
    }

    /// Joins those who ask the same, or asks in their name. Whoever goes away, the question is asked to its end, for
    /// the next who asks.
    fn join(&self, question: Question) -> watch::Receiver<Option<Outcome>> {
        let question = (question, self.asker);
        let mut asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = asked.get(&question) {
            return waiting.clone();
        }
        let (tell, told) = watch::channel(None);
        asked.insert(question.clone(), told.clone());
        let ticket = Ticket { inner: Arc::clone(&self.inner), question };
        tokio::spawn(async move {
            let outcome = ticket.inner.ask(&ticket.question).await;
            drop(ticket);
            let _ = tell.send(Some(outcome));
        });
        told
    }
}

/// A question under way; dropped, however that comes about, the next one is asked anew.
struct Ticket {
    inner: Arc<Inner>,
    question: Asked,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}

impl Inner {
    /// Asks as soon as there is a place for it, and remembers what came of it.
    async fn ask(&self, (question, asker): &Asked) -> Outcome {
        let _place = self.places.take(*asker).await?;
        let (name, kind) = question;
        let (outcome, ttl) = match tokio::time::timeout(QUESTION_TIMEOUT, self.follow(name, *kind)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => (Err(error), Duration::ZERO),
            Err(_) => (Err(DnsError::Temporary("the name servers took too long".to_owned())), Duration::ZERO),
        };
        self.cache.put(question.clone(), &outcome, ttl, Instant::now());
        outcome
    }

    /// Follows aliases to what they lead to. Every step is a question of its own, so that each has its own proof.
    async fn follow(&self, name: &str, kind: Kind) -> Result<(Outcome, Duration), DnsError> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::NoName)?;
        let (mut secure, mut ttl) = (true, MAX_TTL);
        let mut seen = Vec::new();
        while seen.len() <= MAX_ALIASES {
            let step = self.step(&name, record_type(kind)).await?;
            secure &= step.secure;
            ttl = ttl.min(step.ttl);
            match step.says {
                Says::Records(records) => {
                    let records: Vec<Data> = records.iter().filter_map(|record| data(record, kind)).collect();
                    let answer = Answer { records, secure, ttl };
                    return Ok((if answer.records.is_empty() { Err(DnsError::NoRecords) } else { Ok(answer) }, ttl));
                }
                Says::NoName => return Ok((Err(DnsError::NoName), ttl)),
                Says::NoRecords => return Ok((Err(DnsError::NoRecords), ttl)),
                Says::Unclear(error) => return Err(error),
                Says::Alias(target) if self.by_heart => {
                    let records = vec![Data::Name(host_name(&target))];
                    return Ok((Ok(Answer { records, secure, ttl }), ttl));
                }
                Says::Alias(target) if seen.contains(&target) => break,
                Says::Alias(target) => seen.push(std::mem::replace(&mut name, target)),
            }
        }
        Err(DnsError::Temporary(format!("{name} is at the end of too many aliases, or of a circle of them")))
    }

    async fn step(&self, name: &Name, kind: RecordType) -> Result<Reading, DnsError> {
        match self.step_proved(name, kind).await {
            Err(DnsError::Bogus(_)) if self.is_below_unsigned(name).await => {
                let reading =
                    read(self.source_says(name, kind).await, name, kind, Manner { proved: false, ..self.manner() });
                reading.map(|reading| Reading { secure: false, ..reading })
            }
            reading => reading,
        }
    }

    /// True when a zone above is proved to be unsigned. The library misses that when there are signatures further down.
    async fn is_below_unsigned(&self, name: &Name) -> bool {
        for labels in 1..usize::from(name.num_labels()) {
            match self.read(&name.trim_to(labels), RecordType::SOA).await {
                Ok(Reading { secure: false, says: Says::Records(_), .. }) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }

    async fn step_proved(&self, name: &Name, kind: RecordType) -> Result<Reading, DnsError> {
        let reading = self.read(name, kind).await?;
        let Says::Unclear(error) = reading.says else { return Ok(reading) };
        let alias = self.read(name, RecordType::CNAME).await?;
        match alias.says {
            Says::Records(records) => match records.into_iter().next() {
                Some(RData::CNAME(target)) => Ok(Reading { says: Says::Alias(target.0), ..alias }),
                _ => Err(error),
            },
            _ => Err(error),
        }
    }

    fn manner(&self) -> Manner {
        Manner { proved: self.proving.is_some(), own_way: matches!(self.source, Source::Roots(..)) }
    }

    async fn read(&self, name: &Name, kind: RecordType) -> Result<Reading, DnsError> {
        let says = match &self.proving {
            Some(proving) => get(proving, name, kind, true).await,
            None => self.source_says(name, kind).await,
        };
        read(says, name, kind, self.manner())
    }

    async fn source_says(&self, name: &Name, kind: RecordType) -> Result<Message, NetError> {
        if !self.by_heart {
            return get(&self.source, name, kind, true).await;
        }
        match get(&self.source, name, kind, false).await {
            Ok(message) if !message.metadata.authoritative => Err(not_in_charge()),
            Err(NetError::Dns(HickoryError::NoRecordsFound(none))) if none.soa.is_none() => Err(not_in_charge()),
            said => said,
        }
    }
}

/// Whoever points to others, or repeats what it heard, does not know by heart.
fn not_in_charge() -> NetError {
    NetError::Message("the name server is not in charge of the zone")
}

async fn get(handle: &impl DnsHandle, name: &Name, kind: RecordType, recursive: bool) -> Result<Message, NetError> {
    let mut options = DnsRequestOptions::default();
    options.edns_set_dnssec_ok = handle.is_verifying_dnssec();
    options.recursion_desired = recursive;
    let answer = handle.lookup(Query::query(name.clone(), kind), options).first_answer().await;
    answer.map(|response| response.into_message())
}

impl Dns for Resolver {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            let mut name = Name::from_ascii(name).map_err(|_| DnsError::NoName)?.to_lowercase();
            name.set_fqdn(true);
            match special(&name, kind) {
                Some(outcome) => outcome,
                None => self.resolve((name.to_ascii(), kind)).await,
            }
        })
    }

    fn of_servers(&self, servers: &[IpAddr]) -> Result<Arc<dyn Dns>, DnsError> {
        let places: Vec<SocketAddr> = servers.iter().map(|server| self.inner.source.place(*server)).collect();
        Ok(Arc::new(Self::made(Source::by_heart(&places)?, None, true)))
    }

    fn describe(&self) -> String {
        match (&self.inner.source, &self.inner.proving) {
            (Source::Roots(..), _) => {
                "DNS answers come from the root servers downwards, signatures checked.".to_owned()
            }
            (Source::Servers { .. }, Some(_)) => "DNS answers come from name servers, signatures checked.".to_owned(),
            (Source::Servers { .. }, None) => "DNS answers come from name servers, unchecked.".to_owned(),
        }
    }
}

/// Names that are never asked for (RFC 6761, RFC 7686).
fn special(name: &Name, kind: Kind) -> Option<Outcome> {
    let last = name.iter().next_back()?;
    let here = |address| Some(Ok(Answer { records: vec![Data::Address(address)], secure: false, ttl: MAX_TTL }));
    match (last, kind) {
        (b"localhost", Kind::A) => here(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (b"localhost", Kind::Aaaa) => here(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        (b"localhost", _) => Some(Err(DnsError::NoRecords)),
        (b"invalid" | b"onion", _) => Some(Err(DnsError::NoName)),
        _ => None,
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
        Kind::Ns => RecordType::NS,
        Kind::Cname => RecordType::CNAME,
        Kind::Srv => RecordType::SRV,
        Kind::Caa => RecordType::CAA,
    }
}

/// A record's data, when it is what was asked for.
fn data(data: &RData, kind: Kind) -> Option<Data> {
    Some(match (kind, data) {
        (Kind::A, RData::A(address)) => Data::Address(IpAddr::V4(address.0)),
        (Kind::Aaaa, RData::AAAA(address)) => Data::Address(IpAddr::V6(address.0)),
        (Kind::Mx, RData::MX(mx)) => Data::Mx(Mx { preference: mx.preference, host: host_name(&mx.exchange) }),
        (Kind::Txt, RData::TXT(txt)) => Data::Txt(txt.txt_data.concat()),
        (Kind::Ptr, RData::PTR(name)) => Data::Name(host_name(&name.0)),
        (Kind::Ns, RData::NS(name)) => Data::Name(host_name(&name.0)),
        (Kind::Cname, RData::CNAME(name)) => Data::Name(host_name(&name.0)),
        (Kind::Srv, RData::SRV(srv)) => {
            Data::Srv(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, host: host_name(&srv.target) })
        }
        (Kind::Caa, RData::CAA(caa)) => Data::Caa(Caa {
            critical: caa.issuer_critical,
            tag: caa.tag.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&caa.value).into_owned(),
        }),
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

/// The system's name servers (`/etc/resolv.conf`).
pub(super) fn system_servers() -> Result<Vec<SocketAddr>, DnsError> {
    let (config, _) = hickory_resolver::system_conf::read_system_conf().map_err(|error| unusable(&error))?;
    let addresses = config.name_servers().iter().map(|server| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    });
    Ok(addresses.collect())
}
