//! The host: what keeps it from sending, receiving and proving who it is.
//!
//! [`Doctor`] looks at a [`Patient`] on a [`Host`] and into its [`Books`], each thing in a module of its own, all at
//! once and each for a bounded time. Start reading at [`Doctor::examine`].

mod backup;
mod books;
mod certificates;
mod clock;
mod disk;
mod files;
mod finding;
mod folder;
mod host;
mod ipv6;
mod lists;
mod name;
mod outgoing;
mod ports;
mod proc;
mod queue;
mod reports;
mod resolver;
mod reverse;
mod service;
mod sntp;
#[cfg(test)]
mod tests;
mod this_host;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailstead_net::dns::{Dns, DnsError};
use mailstead_net::reach::is_public;
use tokio::sync::{Mutex, watch};

pub use books::{Books, Copies, Waiting};
pub use finding::{Examination, Finding, Light, Remedy};
pub use host::{Access, Entry, Holder, Host, Listening, OpenFiles, Space};
pub use this_host::ThisHost;

use finding::Subject;

/// What must be known before the rest is looked at: our names. The first question may wait for a resolver to be chosen.
const NAMES_TIMEOUT: Duration = Duration::from_secs(5);
/// Each of the others. Together they stay under ten seconds.
const CHECK_TIMEOUT: Duration = Duration::from_millis(4500);

/// The server that is looked at.
pub struct Patient {
    /// Its host name.
    pub hostname: String,
    /// Its data folder.
    pub data: PathBuf,
    /// It runs, in this very process.
    pub running: bool,
    /// Where it listens, or is to listen: the service's key in the configuration, and the address.
    pub listen: Vec<(String, SocketAddr)>,
    /// Sessions it may have at once on each kind of port.
    pub sessions: usize,
    /// Addresses that lead to it, private ones too.
    pub own_addresses: Vec<IpAddr>,
    /// The port other mail servers listen on.
    pub delivery_port: u16,
    /// Whom it asks for names.
    pub dns: Arc<dyn Dns>,
    /// Whom in the world the doctor asks.
    pub probes: Probes,
}

/// Whom in the world the doctor asks; an empty list asks nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// Mail servers that tell whether we can reach the world: `host` or `host:port`.
    pub mail_servers: Vec<String>,
    /// Zones of block lists (RFC 5782).
    pub block_lists: Vec<String>,
    /// Time servers (RFC 4330): `host` or `host:port`.
    pub time_servers: Vec<String>,
}

impl Default for Probes {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            // Large, always up, of three different houses, and used to being connected to.
            mail_servers: list(&["gmail-smtp-in.l.google.com", "mx01.mail.icloud.com", "mx00.gmx.net"]),
            block_lists: list(&["zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"]),
            time_servers: list(&["time.cloudflare.com", "time.nist.gov", "ptbtime1.ptb.de"]),
        }
    }
}

/// Our names and addresses, as they were found out first.
#[derive(Debug, Clone)]
struct Names {
    /// Where the host name leads.
    published: Result<Vec<IpAddr>, DnsError>,
    /// Our public addresses: our own, or where there is none (behind NAT), the published ones.
    public: Vec<IpAddr>,
}

impl Names {
    async fn find(patient: &Patient) -> Self {
        let asked = tokio::time::timeout(NAMES_TIMEOUT, patient.dns.addresses(&patient.hostname)).await;
        let published = match asked {
            Ok(answer) => answer.map(|answer| answer.records),
            Err(_) => Err(DnsError::Temporary("the answers took too long".to_owned())),
        };
        let own = patient.own_addresses.iter();
        let mut public: Vec<IpAddr> = own.map(IpAddr::to_canonical).filter(|own| is_public(*own)).collect();
        if public.is_empty() {
            public = published.iter().flatten().copied().filter(|address| is_public(*address)).collect();
        }
        public.sort();
        public.dedup();
        Self { published, public }
    }
}

/// One who looks, and remembers what was found last.
pub struct Doctor {
    patient: Arc<Patient>,
    host: Arc<dyn Host>,
    latest: watch::Sender<Option<Examination>>,
    /// Held while one examination goes on: whoever comes meanwhile gets its result.
    at_work: Mutex<()>,
}

impl Doctor {
    /// For this patient on this host.
    pub fn new(patient: Patient, host: Arc<dyn Host>) -> Self {
        Self { patient: Arc::new(patient), host, latest: watch::Sender::new(None), at_work: Mutex::new(()) }
    }

    /// What was found last. It changes when an examination ends.
    pub fn latest(&self) -> watch::Receiver<Option<Examination>> {
        self.latest.subscribe()
    }

    /// An examination goes on at this moment.
    pub fn is_at_work(&self) -> bool {
        self.at_work.try_lock().is_err()
    }

    /// Looks at everything, for ten seconds at most.
    pub async fn examine(&self, books: Books) -> Examination {
        let mut latest = self.latest.subscribe();
        latest.mark_unchanged();
        let _turn = self.at_work.lock().await;
        if latest.has_changed().is_ok_and(|changed| changed)
            && let Some(found) = latest.borrow().clone()
        {
            return found;
        }
        let found = self.look(books).await;
        self.latest.send_replace(Some(found.clone()));
        found
    }

    async fn look(&self, books: Books) -> Examination {
        let names = Names::find(&self.patient).await;
        let (patient, host) = (&*self.patient, &*self.host);
        let (smarthost, failing) = (books.smarthost, books.cannot_open.is_some());
        let here = self.look_here(books, names.clone());
        let asked = async {
            tokio::join!(
                bounded(outgoing::SUBJECT, outgoing::look(patient, host, smarthost)),
                bounded(reverse::SUBJECT, reverse::look(patient, &names)),
                bounded(lists::SUBJECT, lists::look(patient, &names)),
                bounded(clock::SUBJECT, clock::look(patient, host)),
            )
        };
        let (mut findings, (outgoing, reverse, lists, clock)) = tokio::join!(here, asked);
        findings.extend([outgoing, reverse, lists, clock].into_iter().flatten());
        // A store that can't be opened tells nothing of what is in it.
        let told_by_books = |finding: &Finding| {
            [queue::SUBJECT.id, certificates::SUBJECT.id, reports::SUBJECT.id].contains(&finding.id.as_str())
        };
        findings.retain(|finding| !(failing && told_by_books(finding)));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.light));
        Examination { at: whole_seconds(host.now()).to_string(), findings }
    }

    /// What this machine itself tells: files and `/proc` are read on a thread that may block.
    async fn look_here(&self, books: Books, names: Names) -> Vec<Finding> {
        let (patient, host) = (Arc::clone(&self.patient), Arc::clone(&self.host));
        let looking = tokio::task::spawn_blocking(move || {
            let (patient, host) = (&*patient, &*host);
            [
                service::look(patient, &books),
                ports::look(patient, host),
                name::look(patient, &names),
                resolver::look(patient, &names),
                ipv6::look(patient, &names),
                certificates::look(patient, host, &books),
                queue::look(host, &books),
                disk::look(patient, host),
                folder::look(patient, host),
                files::look(patient, host),
                reports::look(&books),
                backup::look(host, &books),
            ]
            .concat()
        });
        let subject = Subject { id: "host", title: "This machine", why: "Much of the rest depends on it." };
        match tokio::time::timeout(CHECK_TIMEOUT, looking).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => vec![subject.unknown(format!("Looking at this machine failed: {error}."))],
            Err(_) => vec![subject.warning("Looking at this machine's own files and sockets took too long.")],
        }
    }
}

/// Nobody minds the rest.
fn whole_seconds(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Gives a look no more than its time.
async fn bounded(subject: Subject, looking: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    match tokio::time::timeout(CHECK_TIMEOUT, looking).await {
        Ok(findings) => findings,
        Err(_) => vec![subject.unknown("No answer came in time, so it can't be told.")],
    }
}
