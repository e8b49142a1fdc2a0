//! Certificates by ACME (RFC 8555): asked for, kept, renewed, each name by itself.
//!
//! A name is asked for only once it leads to this server, and has its own order: one missing DNS record, or one name an
//! authority does not like, keeps nobody else waiting. Whatever goes wrong is tried again ([`schedule`]), ever less
//! often, and told in plain words.
//!
//! Start reading at [`Keeper`]; [`order`] is the way through one order.

mod bounded;
mod order;
mod place;
mod record;
mod schedule;
mod standing;
mod words;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::certificates::is_for;
use crate::dns::Dns;
use crate::tls::TlsError;
use crate::{BoxFuture, Certificates};
use order::{Authority, Failure, Way};
pub use record::{Facts, Held, Record, Trouble};
pub use schedule::Blame;
pub use standing::{Source, Standing};

/// Let's Encrypt's directory, the default.
pub const LETS_ENCRYPT: &str = rustls_acme::acme::LETS_ENCRYPT_PRODUCTION_DIRECTORY;

/// How often names and due times are looked at: a domain that was just added waits no longer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Orders at once.
const ORDERS_AT_ONCE: usize = 4;
/// One order, whatever the authority does.
const ORDER_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Seconds until what a full disk did not take is offered again.
const SAVE_AGAIN: i64 = 60;
/// How often what is kept for names that are gone is looked through.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// A warning that is repeated more often is not read.
const WARN_EVERY: i64 = 24 * 60 * 60;
/// Top-level domains no public authority certifies (RFC 2606, 6761, 6762, 8375, 9476, and ICANN's `internal`).
const PRIVATE_ENDS: [&str; 10] =
    ["test", "example", "invalid", "localhost", "local", "internal", "home.arpa", "lan", "alt", "onion"];

/// Where what is kept lies, and what names there are: the store, seen from here.
pub trait Shelf: Send + Sync {
    /// The names that want a certificate now, the mail host's first.
    ///
    /// # Errors
    /// Why they can't be read.
    fn names(&self) -> Result<Vec<String>, String>;

    /// What was kept under this key.
    ///
    /// # Errors
    /// Why it can't be read.
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Keeps this, on disk when it is done.
    fn save(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), String>>;

    /// Everything kept under keys that begin so.
    ///
    /// # Errors
    /// Why it can't be read.
    fn list(&self, beginning: &str) -> Result<Vec<(String, Vec<u8>)>, String>;

    /// Keeps what is under these keys no longer.
    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), String>>;
}

/// How certificates are asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The authority's directory.
    pub directory: String,
    /// Whom it may write to: an address.
    pub contact: Option<String>,
    /// Roots that the authority's own HTTPS may be certified by, besides the web's. With one it is a private authority,
    /// which may certify names no public one does.
    pub roots: Vec<CertificateDer<'static>>,
    /// Addresses of this server that its network cards don't show, and those it listens on.
    pub own_addresses: Vec<IpAddr>,
    /// Something listens on port 443.
    pub https: bool,
    /// Something listens on port 80.
    pub http: bool,
}

/// What a [`Certificates`] falls back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// PEM files; names they cover are not asked for.
    Files,
    /// A self-signed certificate, until there is a better one.
    SelfSigned,
    /// One that whoever started the server brought along.
    Given,
}

/// Looks after all certificates of a server; cheap to clone.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    hostname: String,
    fallback: Fallback,
    certificates: Certificates,
    dns: Arc<dyn Dns>,
    shelf: Arc<dyn Shelf>,
    /// `None` when ACME is turned off.
    acme: Option<(Settings, Authority)>,
    states: Mutex<BTreeMap<String, State>>,
    /// When an operator was last warned of the fallback's end.
    warned: Mutex<i64>,
    /// One at a time makes the account key.
    account: tokio::sync::Mutex<()>,
    places: Semaphore,
    wake: Notify,
}

/// A name under our care.
struct State {
    record: Record,
    /// An attempt is under way.
    busy: bool,
    /// When it must be written down again, because the store did not take it.
    unsaved: Option<i64>,
    /// When an operator was last warned of its end.
    warned: i64,
}

impl State {
    /// Something went wrong that another try may mend.
    fn waits(&self) -> bool {
        self.record.trouble.as_ref().is_some_and(|trouble| trouble.blame != Blame::Never)
    }
}

impl Keeper {
    /// Looks after these certificates. With `settings` they come by ACME, as far as the fallback does not cover them.
    ///
    /// # Errors
    /// A root can't be used.
    pub fn new(
        hostname: &str,
        fallback: Fallback,
        certificates: Certificates,
        dns: Arc<dyn Dns>,
        shelf: Arc<dyn Shelf>,
        settings: Option<Settings>,
    ) -> Result<Self, TlsError> {
        let acme = match settings {
            Some(settings) => {
                let authority = Authority {
                    directory: settings.directory.clone(),
                    contact: settings.contact.iter().map(|address| format!("mailto:{address}")).collect(),
                    client: client(&settings.roots)?,
                };
                Some((settings, authority))
            }
            None => None,
        };
        let keeper = Self(Arc::new(Inner {
            hostname: hostname.to_owned(),
            fallback,
            certificates,
            dns,
            shelf,
            acme,
            states: Mutex::default(),
            warned: Mutex::new(0),
            account: tokio::sync::Mutex::default(),
            places: Semaphore::new(ORDERS_AT_ONCE),
            wake: Notify::new(),
        }));
        // What was kept is shown from the first connection on.
        keeper.take_names();
        Ok(keeper)
    }

    /// Asks and renews until `stopped` turns true.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        self.announce();
        let mut attempts = JoinSet::new();
        let mut forgetting = tokio::time::interval(FORGET_EVERY);
        loop {
            self.take_names();
            self.start_due(&mut attempts);
            self.save_again().await;
            self.warn();
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.0.wake.notified() => {}
                Some(_) = attempts.join_next() => {}
                _ = forgetting.tick() => self.forget_gone().await,
                () = crate::stopped(&mut stopped) => return,
            }
        }
    }

    /// Tries now what waits for its next try; with a name, a new certificate for that name whatever there is. Gives the
    /// names.
    ///
    /// # Errors
    /// A sentence: the name is not under our care, or nothing can be asked for.
    pub fn renew(&self, name: Option<&str>) -> Result<Vec<String>, String> {
        if self.0.acme.is_none() {
            return Err("certificates are not asked for by ACME here: [acme] enabled is false".to_owned());
        }
        let mut states = self.states();
        let chosen: Vec<String> = match name {
            Some(name) => vec![name.to_ascii_lowercase()],
            None => states.values().filter(|state| state.waits()).map(|state| state.record.name.clone()).collect(),
        };
        for name in &chosen {
            let Some(state) = states.get_mut(name) else {
                return Err(format!("{name} is not a name this server asks a certificate for: see `certificate list`"));
            };
            match &state.record.trouble {
                Some(trouble) if trouble.blame == Blame::Never => return Err(format!("{name}: {}", trouble.words)),
                _ => state.record.next = Some(0),
            }
        }
        drop(states);
        self.0.wake.notify_one();
        Ok(chosen)
    }

    /// Says once how certificates come here.
    fn announce(&self) {
        let Some((settings, _)) = &self.0.acme else { return };
        let nowhere_to_look = !settings.https && !settings.http;
        match (nowhere_to_look, self.0.fallback) {
            (true, Fallback::SelfSigned) => tracing::warn!(
                "no certificate can be asked for: nothing listens on port 443 or 80, where an authority would look. \
                 Turn on listen.https or listen.http, or name PEM files under [tls]"
            ),
            (true, Fallback::Files | Fallback::Given) => {}
            (false, _) => {
                tracing::info!(directory = %settings.directory, "certificates come by ACME as names lead here")
            }
        }
    }

    /// Takes names that are new under our care, with what is kept of them, and lets those go that are gone.
    fn take_names(&self) {
        let Some((settings, _)) = &self.0.acme else { return };
        let names = match self.0.shelf.names() {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(%error, "which names want certificates can't be read");
                return;
            }
        };
        let shown = self.0.certificates.fallback();
        let covered =
            |name: &str| self.0.fallback == Fallback::Files && shown.first().is_some_and(|first| is_for(first, name));
        let wanted: HashSet<String> = names.into_iter().filter(|name| !covered(name)).collect();
        let mut states = self.states();
        states.retain(|name, state| {
            let stays = wanted.contains(name) || state.busy;
            if !stays {
                self.0.certificates.withdraw(name);
            }
            stays
        });
        for name in wanted {
            states.entry(name).or_insert_with_key(|name| self.take(name, settings));
        }
    }

    /// What is kept of a name, shown when there is a certificate.
    fn take(&self, name: &str, settings: &Settings) -> State {
        let kept = self.0.shelf.load(&record_key(&settings.directory, name)).unwrap_or_else(|error| {
            tracing::error!(name, %error, "the kept certificate can't be read");
            None
        });
        let mut record = kept.and_then(|bytes| Record::decode(&bytes)).unwrap_or_else(|| Record::new(name));
        if let Some(held) = &record.held
            && let Err(error) = self.show(name, held)
        {
            tracing::error!(name, %error, "the kept certificate can't be used: a new one is asked for");
            record = Record::new(name);
        }
        record.trouble = record.trouble.filter(|trouble| trouble.blame != Blame::Never);
        let refused = record.trouble.as_ref().is_some_and(|trouble| {
            // A server that is restarted again and again must not run into an authority's limits.
            matches!(trouble.blame, Blame::Refused | Blame::TooOften | Blame::Unusable)
        });
        if !refused && let Some(facts) = record.facts() {
            record.next = Some(schedule::renewal(facts.not_before, facts.not_after));
        } else if !refused {
            record.next = Some(0);
        }
        if let Some(words) = hopeless(name, settings) {
            record.trouble = Some(Trouble { blame: Blame::Never, words: words.to_owned(), times: 1, at: now() });
            record.next = None;
        }
        State { record, busy: false, unsaved: None, warned: 0 }
    }

    fn show(&self, name: &str, held: &Held) -> Result<(), TlsError> {
        let (chain, key) = held.pair();
        self.0.certificates.show(name, chain, key)?;
        if name == self.0.hostname && self.0.fallback == Fallback::SelfSigned {
            let (chain, key) = held.pair();
            self.0.certificates.replace(chain, key)?;
        }
        Ok(())
    }

    fn start_due(&self, attempts: &mut JoinSet<()>) {
        let now = now();
        for (name, state) in self.states().iter_mut() {
            let Some(next) = state.record.next else { continue };
            // A clock that was wrong when the pause began must not make it last for years.
            let too_far = state.record.trouble.is_some() && next > now.saturating_add(schedule::MAX_PAUSE);
            if state.busy || (next > now && !too_far) {
                continue;
            }
            state.busy = true;
            let (keeper, name) = (self.clone(), name.clone());
            attempts.spawn(async move { keeper.attempt(name).await });
        }
    }

    /// One attempt, from the look into DNS to the record of what came of it.
    async fn attempt(self, name: String) {
        let keeper = self.clone();
        let named = name.clone();
        // Apart, so that not even a panic of the client's leaves the name without a next try.
        let mut apart = JoinSet::new();
        apart.spawn(async move { keeper.ask(&named).await });
        let outcome = match apart.join_next().await {
            Some(Ok(outcome)) => outcome,
            _ => Err(Failure::passing("the attempt broke off: the log says where")),
        };
        let record = match outcome {
            Ok(held) => self.succeeded(&name, held),
            Err(failure) => self.failed(&name, failure),
        };
        let saved = match record {
            Some(record) => self.save(&record).await,
            None => true,
        };
        if let Some(state) = self.states().get_mut(&name) {
            state.busy = false;
            if !saved {
                state.unsaved = Some(now().saturating_add(SAVE_AGAIN));
            }
        }
    }

    /// Asks for a certificate, if the name leads here.
    async fn ask(&self, name: &str) -> Result<Held, Failure> {
        let Some((settings, authority)) = &self.0.acme else { return Err(Failure::passing("ACME is turned off")) };
        let _place = self.0.places.acquire().await;
        let (dns, own) = (self.0.dns.as_ref(), &settings.own_addresses);
        let mail_host = place::of_mail_host(dns, &self.0.hostname, own).await;
        let strangers = place::leads_here(dns, name, own, &mail_host)
            .await
            .map_err(|words| Failure { blame: Blame::Dns, words })?;
        let (way, key) = self.plan(name, settings);
        let asked = async {
            let account = {
                let _alone = self.0.account.lock().await;
                authority.open_account(&self.account_key(settings).await?).await?
            };
            account.order(name, way, key.as_deref(), &self.0.certificates).await
        };
        let issued = match tokio::time::timeout(ORDER_TIMEOUT, bounded::order(asked)).await {
            Ok(issued) => issued,
            Err(_) => Err(Failure::passing("the authority took too long")),
        };
        match issued {
            Ok(issued) => Held::take(&issued.chain, &issued.key, name, now())
                .map_err(|TlsError(words)| Failure { blame: Blame::Unusable, words }),
            Err(mut failure) => {
                if failure.blame == Blame::Refused && !strangers.is_empty() {
                    failure.words += &format!(
                        ". {name} also leads to {}, which is not this server: authorities look there too",
                        place::list(&strangers)
                    );
                }
                Err(failure)
            }
        }
    }

    /// Which proof to try, and the key to use again. After a refusal the other proof has its turn.
    fn plan(&self, name: &str, settings: &Settings) -> (Way, Option<Vec<u8>>) {
        let states = self.states();
        let record = states.get(name).map(|state| &state.record);
        let refusals = record
            .and_then(|record| record.trouble.as_ref())
            .filter(|trouble| trouble.blame == Blame::Refused)
            .map_or(0, |trouble| trouble.times);
        let way = match (settings.https, settings.http) {
            (true, false) => Way::Tls,
            (false, true) => Way::Http,
            _ if refusals % 2 == 1 => Way::Http,
            _ => Way::Tls,
        };
        (way, record.and_then(|record| record.held.as_ref()).map(|held| held.key().to_vec()))
    }

    /// The account's key, made and kept when there is none: an account nobody keeps the key of would be lost.
    async fn account_key(&self, settings: &Settings) -> Result<Vec<u8>, Failure> {
        let key = format!("account {}", settings.directory);
        let unkept = |error: String| Failure::passing(format!("the account's key can't be kept: {error}"));
        if let Some(kept) = self.0.shelf.load(&key).map_err(unkept)? {
            return Ok(kept);
        }
        let made = order::account_key();
        self.0.shelf.save(key, made.clone()).await.map_err(unkept)?;
        Ok(made)
    }

    /// Shows and records a new certificate.
    fn succeeded(&self, name: &str, held: Held) -> Option<Record> {
        if let Err(TlsError(words)) = self.show(name, &held) {
            return self.failed(name, Failure { blame: Blame::Unusable, words });
        }
        let mut states = self.states();
        let state = states.get_mut(name)?;
        state.record.held = Some(held);
        state.record.trouble = None;
        let facts = state.record.facts()?;
        state.record.next = Some(schedule::renewal(facts.not_before, facts.not_after));
        tracing::info!(name, issuer = %facts.issuer, expires = %standing::time(facts.not_after), "a new certificate is shown");
        Some(state.record.clone())
    }

    /// Records what went wrong; gives the record when it must be kept.
    fn failed(&self, name: &str, failure: Failure) -> Option<Record> {
        let mut states = self.states();
        let state = states.get_mut(name)?;
        let before = state.record.trouble.take();
        let same = before.as_ref().is_some_and(|before| before.blame == failure.blame && before.words == failure.words);
        let times = before.filter(|before| before.blame == failure.blame).map_or(0, |before| before.times);
        let (now, times) = (now(), times.saturating_add(1));
        let next = now.saturating_add(schedule::pause(failure.blame, times));
        state.record.next = Some(next);
        let next = standing::time(next);
        match failure.blame {
            Blame::Dns if same => tracing::debug!(name, %next, "the name still does not lead here"),
            Blame::Dns => tracing::info!(name, %next, "no certificate is asked for yet: {}", failure.words),
            _ => tracing::warn!(name, %next, times, "no certificate: {}", failure.words),
        }
        state.record.trouble = Some(Trouble { blame: failure.blame, words: failure.words, times, at: now });
        // A name that waits for its DNS record is looked at often: nothing new is not written down.
        (failure.blame != Blame::Dns || !same).then(|| state.record.clone())
    }

    async fn save(&self, record: &Record) -> bool {
        let Some((settings, _)) = &self.0.acme else { return true };
        let saved = match record.encode() {
            Ok(bytes) => self.0.shelf.save(record_key(&settings.directory, &record.name), bytes).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &saved {
            tracing::error!(name = %record.name, %error, "the certificate can't be kept yet: it is shown all the same");
        }
        saved.is_ok()
    }

    /// Keeps what could not be kept before.
    async fn save_again(&self) {
        let now = now();
        let unsaved: Vec<Record> = self
            .states()
            .values()
            .filter(|state| !state.busy && state.unsaved.is_some_and(|at| at <= now))
            .map(|state| state.record.clone())
            .collect();
        for record in unsaved {
            let saved = self.save(&record).await;
            if let Some(state) = self.states().get_mut(&record.name) {
                state.unsaved = (!saved).then(|| now.saturating_add(SAVE_AGAIN));
            }
        }
    }

    /// Forgets certificates and keys of names that are no more, once they would be of no use if the names came back.
    /// (Removing a domain forgets its own at once; a host name that was only mistyped for a day loses nothing.)
    async fn forget_gone(&self) {
        let (names, kept) = match (self.0.shelf.names(), self.0.shelf.list(RECORDS)) {
            (Ok(names), Ok(kept)) => (names, kept),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "certificates of names that are gone can't be looked through");
                return;
            }
        };
        let holds = |bytes: &[u8]| {
            Record::decode(bytes).and_then(|record| record.facts()).is_some_and(|facts| facts.not_after > now())
        };
        let is_ours = |key: &str| name_of(key).is_some_and(|name| names.iter().any(|ours| ours == name));
        let gone: Vec<String> =
            kept.into_iter().filter(|(key, bytes)| !is_ours(key) && !holds(bytes)).map(|(key, _)| key).collect();
        if gone.is_empty() {
            return;
        }
        if let Err(error) = self.0.shelf.forget(gone).await {
            tracing::error!(%error, "certificates of names that are gone can't be forgotten");
        }
    }

    /// Warns of certificates that end soon, once a day each.
    fn warn(&self) {
        let now = now();
        for (name, state) in self.states().iter_mut() {
            let trouble = state.record.trouble.as_ref().map(|trouble| trouble.words.as_str());
            if let Some(facts) = state.record.facts() {
                warn_of(name, &facts, trouble, now, &mut state.warned);
            }
        }
        if self.0.fallback == Fallback::Files {
            let shown = self.0.certificates.fallback();
            if let Some(Ok(facts)) = shown.into_iter().next().map(Facts::of) {
                let mut warned = self.0.warned.lock().unwrap_or_else(PoisonError::into_inner);
                let advice = Some("it comes from the files under [tls]: put a new one there");
                warn_of(&self.0.hostname, &facts, advice, now, &mut warned);
            }
        }
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn_of(name: &str, facts: &Facts, trouble: Option<&str>, now: i64, warned: &mut i64) {
    if now < schedule::alarm(facts.not_before, facts.not_after) || now.saturating_sub(*warned).abs() < WARN_EVERY {
        return;
    }
    *warned = now;
    let (expires, trouble) = (standing::time(facts.not_after), trouble.unwrap_or("it is being renewed"));
    if facts.not_after <= now {
        tracing::error!(name, %expires, "the certificate HAS EXPIRED: {trouble}");
    } else {
        tracing::warn!(name, %expires, "the certificate expires soon: {trouble}");
    }
}

/// The beginning of every record's key.
pub const RECORDS: &str = "certificate ";

fn record_key(directory: &str, name: &str) -> String {
    format!("{RECORDS}{directory} {name}")
}

/// The name a record's key is for.
pub fn name_of(key: &str) -> Option<&str> {
    key.strip_prefix(RECORDS)?.rsplit_once(' ').map(|(_, name)| name)
}

/// True for names that belong to no one in the world.
fn is_private(name: &str) -> bool {
    PRIVATE_ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Why no certificate can be had for this name as things are.
fn hopeless(name: &str, settings: &Settings) -> Option<&'static str> {
    if !settings.https && !settings.http {
        return Some(
            "nothing listens on port 443 or 80, where an authority would look: turn on listen.https or listen.http",
        );
    }
    let private = settings.roots.is_empty() && is_private(name);
    private.then_some("no public authority certifies a name that is for private use")
}

/// How the authority's own HTTPS is judged.
fn client(roots: &[CertificateDer<'static>]) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in roots {
        trusted.add(root.clone()).map_err(|error| TlsError(format!("acme.root can't be used: {error}")))?;
    }
    let builder = rustls::ClientConfig::builder_with_provider(bounded::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(format!("TLS can't start: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(trusted).with_no_client_auth()))
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
