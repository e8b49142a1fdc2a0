//! The resolver: one question from its cache or from its source, aliases followed, proofs demanded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::net::NetError;
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::{Semaphore, watch};

use super::cache::{Cache, Outcome, Question};
use super::reading::{Manner, Reading, Says, read};
use super::source::{Roots, Source};
use super::{Answer, Data, Dns, DnsError, Kind, MAX_NEGATIVE_TTL, MAX_TTL, Mx, Tlsa, temporary, unusable};
use crate::BoxFuture;

/// A whole question: aliases, signatures and all servers included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Aliases followed for one question.
const MAX_ALIASES: usize = 8;
/// Questions asked at once; further ones wait. More than slow name servers of strangers can easily fill.
const AT_ONCE: usize = 512;
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
}

struct Inner {
    source: Source,
    /// Answers come through this when signatures are checked.
    proving: Option<DnssecDnsHandle<Source>>,
    cache: Cache,
    asked: Mutex<HashMap<Question, watch::Receiver<Option<Outcome>>>>,
    places: Semaphore,
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
        let (cache, asked, places) = (Cache::default(), Mutex::default(), Semaphore::new(AT_ONCE));
        Self { inner: Arc::new(Inner { source, proving, cache, asked, places }) }
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
        let mut asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = asked.get(&question) {
            return waiting.clone();
        }
        let (tell, told) = watch::channel(None);
        asked.insert(question.clone(), told.clone());
        let ticket = Ticket { inner: Arc::clone(&self.inner), question };
        tokio::spawn(async move {
            let inner = &ticket.inner;
            let slow = DnsError::Temporary("the name servers took too long".to_owned());
            let (outcome, ttl) = tokio::time::timeout(QUESTION_TIMEOUT, inner.ask(&ticket.question))
                .await
                .unwrap_or((Err(slow), Duration::ZERO));
            inner.cache.put(ticket.question.clone(), &outcome, ttl, Instant::now());
            drop(ticket);
            let _ = tell.send(Some(outcome));
        });
        told
    }
}

/// A question under way; dropped, however that comes about, the next one is asked anew.
struct Ticket {
    inner: Arc<Inner>,
    question: Question,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}

impl Inner {
    /// The outcome, and how long it holds.
    async fn ask(&self, (name, kind): &Question) -> (Outcome, Duration) {
        let Ok(_place) = self.places.acquire().await else {
            return (Err(DnsError::Temporary("the server is stopping".to_owned())), Duration::ZERO);
        };
        match self.follow(name, *kind).await {
            Ok((outcome, ttl)) => (outcome, ttl),
            Err(error) => (Err(error), Duration::ZERO),
        }
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
        Manner { proved: self.proving.is_some(), own_way: matches!(self.source, Source::Roots(_)) }
    }

    async fn read(&self, name: &Name, kind: RecordType) -> Result<Reading, DnsError> {
        let says = match &self.proving {
            Some(proving) => get(proving, name, kind).await,
            None => self.source_says(name, kind).await,
        };
        read(says, name, kind, self.manner())
    }

    async fn source_says(&self, name: &Name, kind: RecordType) -> Result<Message, NetError> {
        get(&self.source, name, kind).await
    }
}

async fn get(handle: &impl DnsHandle, name: &Name, kind: RecordType) -> Result<Message, NetError> {
    let mut options = DnsRequestOptions::default();
    options.edns_set_dnssec_ok = handle.is_verifying_dnssec();
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

    fn describe(&self) -> String {
        match (&self.inner.source, &self.inner.proving) {
            (Source::Roots(_), _) => "DNS answers come from the root servers downwards, signatures checked.".to_owned(),
            (Source::Servers(..), Some(_)) => "DNS answers come from name servers, signatures checked.".to_owned(),
            (Source::Servers(..), None) => "DNS answers come from name servers, unchecked.".to_owned(),
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
