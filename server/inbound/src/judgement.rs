//! Who a stranger's letter is from, asked while it arrives, and what becomes of it for that.

mod told;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mailstead_auth::body::{Canonicalization, Digest};
use mailstead_auth::check::{self, BodyHashes, Disposition, Origin, Outcome, Verdict, Visit, shapes};
use mailstead_message::{Domain, TraceId};
use mailstead_net::Network;
use mailstead_net::dns::Dns;
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Client, Envelope, MailFrom};
use mailstead_store::{Store, StoreError, Timestamp};
use tokio::task::JoinHandle;

use crate::story::now;
use crate::{Found, Letter, Refusal, trouble};

/// Bodies up to this size are hashed where they are: moving them to another thread costs as much.
const HASHED_IN_PLACE: u64 = 64 << 10;

/// How strangers' letters are judged.
#[derive(Debug, Clone, Default)]
pub struct CheckPolicy {
    /// `Received-SPF` is added too.
    pub received_spf: bool,
    /// Clients that judged already what they bring: it is taken as they bring it.
    pub trusted_relays: Vec<Network>,
}

/// Judges strangers' letters.
pub struct Checks {
    dns: Arc<dyn Dns>,
    policy: CheckPolicy,
    hostname: String,
    /// What is being found out of clients whose letter is still to come.
    origins: Mutex<HashMap<TraceId, JoinHandle<Origin>>>,
}

/// What was found, and what becomes of the letter.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// All there is to say.
    pub verdict: Verdict,
    /// What becomes of it.
    pub disposition: Disposition,
    /// Our fields for its header.
    pub(crate) fields: String,
    /// The verdict in sentences.
    pub(crate) told: Vec<String>,
}

impl Judgement {
    /// The client's name by DNS, confirmed.
    pub(crate) fn reverse_name(&self) -> Option<&Domain> {
        self.verdict.origin.reverse.name.as_ref()
    }

    /// Why the letter is not taken, in words for the sender's postmaster.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let reply = match self.disposition {
            Disposition::Accept | Disposition::Junk => return None,
            Disposition::Defer => Reply::new(451, (4, 4, 3), told::deferred(&self.verdict)),
            Disposition::Refuse => Reply::new(550, (5, 7, 1), told::refused(&self.verdict)),
        };
        Some(reply.into())
    }

    /// What we vouch for where it is sent on. Nothing while DNS does not say whether the chain is whole: our seal would
    /// call it broken for ever.
    pub(crate) fn found(&self) -> Option<Found> {
        let arc = &self.verdict.arc;
        (!arc.undecided).then(|| Found { results: self.verdict.results.clone(), chain: arc.chain })
    }

    /// The domain the letter is proved to be from (DMARC).
    pub(crate) fn proved_author(&self) -> Option<&Domain> {
        self.verdict.dmarc.author.as_ref().filter(|_| self.verdict.dmarc.outcome == Outcome::Pass)
    }

    /// As it is kept.
    pub(crate) fn record(&self) -> mailstead_store::Verdict {
        told::record(self)
    }
}

impl Checks {
    /// Judges by that DNS, in that host's name.
    pub fn new(dns: Arc<dyn Dns>, hostname: &str, policy: CheckPolicy) -> Self {
        Self { dns, policy, hostname: hostname.to_owned(), origins: Mutex::default() }
    }

    /// Begins to find out who the client is, if that is not under way: a recipient was accepted, so a letter is likely.
    pub(crate) fn begin(&self, client: &Client, trace: TraceId, from: &MailFrom) {
        if self.trusts(client.peer.remote.ip()) {
            return;
        }
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.entry(trace).or_insert_with(|| {
            let (dns, visit) = (Arc::clone(&self.dns), visit(client, from));
            tokio::spawn(async move { Origin::check(dns.as_ref(), &visit).await })
        });
    }

    /// The letter will not come.
    pub(crate) fn forget(&self, trace: TraceId) {
        if let Some(origin) = self.take(trace) {
            origin.abort();
        }
    }

    /// Judges a letter; `None` when whoever brings it is trusted to have done so.
    pub(crate) async fn judge(
        &self,
        store: &Store,
        client: &Client,
        envelope: &Envelope,
        letter: Letter,
    ) -> Result<(Letter, Option<Judgement>), Refusal> {
        let at = now();
        if self.trusts(client.peer.remote.ip()) {
            return Ok((letter, None));
        }
        let trusted = store.trusted_sealers()?;
        let visit = visit(client, &envelope.from);
        let begun = self.take(envelope.trace);
        let origin = match begun {
            Some(begun) => begun.await.map_err(|_| trouble(&StoreError::Closed))?,
            None => Origin::check(self.dns.as_ref(), &visit).await,
        };
        let (letter, hashes) = hash(letter, at).await?;
        let verdict = Verdict::check(self.dns.as_ref(), &visit, origin, letter.header(), &hashes, at.0).await;
        let disposition = verdict.disposition(&trusted);
        let mut fields = format!("Authentication-Results: {};\r\n\t{}\r\n", self.hostname, verdict.results);
        if self.policy.received_spf {
            fields.push_str(&check::received_spf(&verdict, &visit, &self.hostname));
        }
        let told = verdict.words(&trusted);
        let judgement = Judgement { verdict, disposition, fields, told };
        if let Some(outcome) = told::tally(&judgement, client, envelope) {
            store.tally_dmarc(at, outcome);
        }
        Ok((letter, Some(judgement)))
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.policy.trusted_relays.iter().any(|network| network.contains(ip))
    }

    fn take(&self, trace: TraceId) -> Option<JoinHandle<Origin>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).remove(&trace)
    }
}

fn visit(client: &Client, from: &MailFrom) -> Visit {
    let (ip, helo) = (client.peer.remote.ip(), client.helo.clone());
    Visit { ip, helo, reverse_path: from.reverse_path.clone() }
}

/// The hashes of the body that its signatures need.
async fn hash(letter: Letter, at: Timestamp) -> Result<(Letter, BodyHashes), Refusal> {
    let shapes = shapes(letter.header(), at.0);
    if shapes.is_empty() || letter.body_size() <= HASHED_IN_PLACE {
        let hashes = hash_body(&letter, &shapes)?;
        return Ok((letter, hashes));
    }
    let hashed = tokio::task::spawn_blocking(move || hash_body(&letter, &shapes).map(|hashes| (letter, hashes)));
    let hashed = hashed.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string())));
    Ok(hashed?)
}

fn hash_body(letter: &Letter, shapes: &[Canonicalization]) -> Result<BodyHashes, StoreError> {
    let hash = |shape| shapes.contains(&shape).then(|| letter.hash_body(shape, Digest::Sha256)).transpose();
    Ok(BodyHashes { simple: hash(Canonicalization::Simple)?, relaxed: hash(Canonicalization::Relaxed)? })
}
