//! Which source serves best here: found out at start, told to the operator, looked at again while it is not the best.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::places::Asker;
use super::resolver::{Anchors, Resolver, system_servers};
use super::source::{Roots, Source, Way};
use super::{Answer, Data, Dns, DnsError, Kind};
use crate::BoxFuture;

/// The whole look around. The first questions wait for it.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Between looks while something is lost: the network may have come up after us.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// Until it is looked whether what was chosen before is really gone.
const LOOK_SOON: Duration = Duration::from_secs(30);
/// Between looks while all is well: a resolver on this machine may go away.
const LOOK_ON: Duration = Duration::from_secs(15 * 60);

/// Where systemd-resolved and Docker listen on this machine: they only pass questions on to others.
const STUBS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)),
];

const LOST_PROOFS: &str = "DANE (RFC 7672) can't be used";
const LOST_LISTS: &str = "block lists may not answer, because they refuse resolvers that many share";

/// Whom the operator wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// What works best here.
    Auto,
    /// The system's name servers.
    System,
    /// These name servers.
    Servers(Vec<SocketAddr>),
    /// Our own way down from the root.
    Recursive,
}

/// All a choice depends on.
#[derive(Clone)]
pub struct Settings {
    /// The operator's wish.
    pub mode: Mode,
    /// The system's name servers; nothing: those that `/etc/resolv.conf` names at each look.
    pub system: Option<Vec<SocketAddr>>,
    /// The root's servers.
    pub roots: Roots,
    /// The root's keys.
    pub anchors: Anchors,
}

impl Settings {
    /// The world's root, and the name servers of `/etc/resolv.conf`.
    pub fn new(mode: Mode) -> Self {
        Self { mode, system: None, roots: Roots::default(), anchors: Anchors::default() }
    }

    fn system_servers(&self) -> Vec<SocketAddr> {
        self.system.clone().unwrap_or_else(|| system_servers().unwrap_or_default())
    }
}

/// A source that was chosen.
#[derive(Clone)]
pub struct Choice {
    /// What answers.
    pub resolver: Resolver,
    /// Who that is and what is lost by it, for the operator.
    pub told: String,
    /// Signatures come through, and are checked.
    pub proves: bool,
    /// Nothing is lost.
    pub whole: bool,
}

/// What a choice is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Worth<'a> {
    told: &'a str,
    proves: bool,
    whole: bool,
}

impl Choice {
    fn worth(&self) -> Worth<'_> {
        Worth { told: &self.told, proves: self.proves, whole: self.whole }
    }

    /// Looks around, for two seconds at most.
    ///
    /// # Errors
    /// When the library can't be set up.
    pub async fn make(settings: &Settings) -> Result<Self, DnsError> {
        match &settings.mode {
            Mode::Auto => auto(settings).await,
            Mode::System => servers("the system's name servers", &settings.system_servers(), settings).await,
            Mode::Servers(given) => servers("the configured name servers", given, settings).await,
            Mode::Recursive => match reach_the_root(settings).await {
                Ok(resolver) => Ok(recursion(resolver, None)),
                Err(why) => unreached(settings, &why, ""),
            },
        }
    }
}

async fn auto(settings: &Settings) -> Result<Choice, DnsError> {
    let system = settings.system_servers();
    let (proves, reach) = tokio::join!(prove(&system, settings), reach_the_root(settings));
    let local = system.first().is_some_and(|server| server.ip().is_loopback() && !STUBS.contains(&server.ip()));
    match (&proves, reach) {
        (Ok(resolver), _) if local => {
            let told = format!("the resolver on this machine ({})", list(&system));
            Ok(proved(resolver.clone(), &told, None))
        }
        (_, Ok(resolver)) => Ok(recursion(resolver, None)),
        (_, Err(why)) if system.is_empty() => unreached(settings, &why, ", and /etc/resolv.conf names no other server"),
        (Ok(resolver), Err(why)) => {
            let told = format!("the system's name servers ({})", list(&system));
            let lost = format!("{LOST_LISTS}; the root servers can't be reached rightly ({why})");
            Ok(proved(resolver.clone(), &told, Some(lost)))
        }
        (Err(unproved), Err(why)) => {
            let told = format!("the system's name servers ({})", list(&system));
            let lost = format!(
                "{LOST_PROOFS} ({unproved}) and {LOST_LISTS}; the root servers can't be reached rightly ({why})"
            );
            believed(&system, &told, &lost)
        }
    }
}

async fn servers(who: &str, servers: &[SocketAddr], settings: &Settings) -> Result<Choice, DnsError> {
    if servers.is_empty() {
        return Err(DnsError::Temporary("/etc/resolv.conf names no name server".to_owned()));
    }
    let told = format!("{who} ({})", list(servers));
    match prove(servers, settings).await {
        Ok(resolver) => Ok(proved(resolver, &told, None)),
        Err(unproved) => believed(servers, &told, &format!("{LOST_PROOFS} ({unproved})")),
    }
}

fn proved(resolver: Resolver, who: &str, lost: Option<String>) -> Choice {
    let told = format!("DNS is asked of {who}, and signatures (DNSSEC) are checked here.");
    Choice { resolver, proves: true, whole: lost.is_none(), told: with_loss(told, lost) }
}

fn believed(servers: &[SocketAddr], who: &str, lost: &str) -> Result<Choice, DnsError> {
    let told = format!("DNS is asked of {who}, and believed without signatures (DNSSEC).");
    let resolver = Resolver::with_servers(servers)?;
    Ok(Choice { resolver, proves: false, whole: false, told: with_loss(told, Some(lost.to_owned())) })
}

fn recursion(resolver: Resolver, lost: Option<String>) -> Choice {
    let told = "DNS is resolved here, from the root servers downwards, and signatures (DNSSEC) are checked.".to_owned();
    Choice { resolver, proves: true, whole: lost.is_none(), told: with_loss(told, lost) }
}

/// Recursion all the same, since nothing else may or can be asked.
fn unreached(settings: &Settings, why: &str, further: &str) -> Result<Choice, DnsError> {
    let resolver = Resolver::recursive(&settings.roots, &settings.anchors)?;
    let lost = format!("they can't be reached rightly ({why}){further}");
    Ok(Choice { proves: false, ..recursion(resolver, Some(lost)) })
}

fn with_loss(told: String, lost: Option<String>) -> String {
    lost.map_or_else(|| told.clone(), |lost| format!("{told} But: {lost}."))
}

fn list(servers: &[SocketAddr]) -> String {
    let shown = servers.iter().map(|server| match server.port() {
        53 => server.ip().to_string(),
        _ => server.to_string(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// A resolver over these servers, if signatures come through them.
async fn prove(servers: &[SocketAddr], settings: &Settings) -> Result<Resolver, String> {
    if servers.is_empty() {
        return Err("there are none".to_owned());
    }
    let resolver = Resolver::proving_servers(servers, &settings.anchors).map_err(|error| error.to_string())?;
    named("signatures", resolver.proves_the_root()).await.map(|()| resolver)
}

/// A way down from the root, if its own servers answer, by UDP and by TCP and nobody in their stead, and their signatures
/// are right.
async fn reach_the_root(settings: &Settings) -> Result<Resolver, String> {
    let resolver = Resolver::recursive(&settings.roots, &settings.anchors).map_err(|error| error.to_string())?;
    let proved = async || named("signatures", resolver.proves_the_root()).await;
    let (udp, tcp, proved) = tokio::join!(open(settings, Way::Udp), open(settings, Way::Tcp), proved());
    let wrong: Vec<String> = match (udp, tcp, proved) {
        // Without an answer there are no signatures either.
        (Err(udp), Err(tcp), _) => vec![udp, tcp],
        (udp, tcp, proved) => [udp, tcp, proved].into_iter().filter_map(Result::err).collect(),
    };
    if wrong.is_empty() { Ok(resolver) } else { Err(wrong.join("; ")) }
}

/// Whether one way to the root's servers is open, and ends there.
async fn open(settings: &Settings, way: Way) -> Result<(), String> {
    named(if way == Way::Udp { "UDP" } else { "TCP" }, async {
        let asking = Resolver::new(Source::root_servers(&settings.roots, way, CHECK_TIMEOUT)?, None);
        match asking.is_answered_with_authority(&Name::root(), RecordType::SOA).await? {
            true => Ok(()),
            false => Err(DnsError::Temporary("somebody else answers in the root servers' stead".to_owned())),
        }
    })
    .await
}

/// Tries, for as long as a look around may take; what is wrong begins with the name.
async fn named(name: &str, trying: impl Future<Output = Result<(), DnsError>>) -> Result<(), String> {
    match tokio::time::timeout(CHECK_TIMEOUT, trying).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(DnsError::Temporary(what))) => Err(format!("{name}: {what}")),
        Ok(Err(error)) => Err(format!("{name}: {error}")),
        Err(_) => Err(format!("{name}: no answer within 2 seconds")),
    }
}

/// Answers by the choice, which is made in the background; the first questions wait for it. Copies share it.
#[derive(Clone)]
pub struct Chooser {
    choice: watch::Receiver<Option<Choice>>,
    asker: Asker,
    _looking: Arc<Looking>,
}

/// The task that looks around. Dropped, it ends.
struct Looking(AbortHandle);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Chooser {
    /// Begins to look around. Must be called on a runtime.
    pub fn start(settings: Settings) -> Self {
        let (tell, choice) = watch::channel(None);
        let looking = Looking(tokio::spawn(look(settings, tell)).abort_handle());
        Self { choice, asker: Asker::House, _looking: Arc::new(looking) }
    }

    /// The same, for questions that strangers choose: see [`Resolver::for_strangers`].
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        Self { asker: Asker::Stranger, ..self.clone() }
    }

    async fn resolver(&self) -> Result<Resolver, DnsError> {
        let mut choice = self.choice.clone();
        match tokio::time::timeout(2 * CHECK_TIMEOUT, choice.wait_for(Option::is_some)).await {
            Ok(Ok(choice)) => choice.as_ref().map(|choice| choice.resolver.asked_by(self.asker)),
            _ => None,
        }
        .ok_or_else(|| DnsError::Temporary("no name server could be chosen yet".to_owned()))
    }
}

/// Chooses, and goes on looking.
async fn look(settings: Settings, tell: watch::Sender<Option<Choice>>) {
    let (mut missed, mut gone) = (String::new(), false);
    loop {
        match Choice::make(&settings).await {
            Ok(found) => gone = consider(found, gone, &tell, &mut missed) == Verdict::Worse,
            Err(error) => tell_once(&mut missed, format!("no name server can be chosen: {error}")),
        }
        let pause = match tell.borrow().as_ref().map(|choice| choice.whole) {
            None => CHECK_TIMEOUT,
            Some(_) if gone => LOOK_SOON,
            Some(false) => LOOK_AGAIN,
            Some(true) => LOOK_ON,
        };
        tokio::time::sleep(pause).await;
    }
}

/// `gone`: what is known could not be chosen at the last look either.
fn consider(found: Choice, gone: bool, tell: &watch::Sender<Option<Choice>>, missed: &mut String) -> Verdict {
    // The known choice must not stay borrowed while another one is put in its place.
    let verdict = judge(tell.borrow().as_ref().map(Choice::worth), found.worth(), gone);
    match verdict {
        Verdict::Same => {}
        Verdict::Worse => {
            tell_once(missed, format!("what was chosen before is kept, although now: {}", found.told));
        }
        Verdict::Take => {
            match found.whole {
                true => tracing::info!("{}", found.told),
                false => tracing::warn!("{}", found.told),
            }
            tell.send_replace(Some(found));
        }
    }
    verdict
}

/// What becomes of a choice when another one could be made.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Worse,
    Take,
}

/// Signatures that were checked once are never given up: who breaks our way to them must not find us believing without
/// them. What else is lost is borne, when what is known is gone at two looks in a row.
fn judge(known: Option<Worth>, found: Worth, gone: bool) -> Verdict {
    match known {
        Some(known) if known == found => Verdict::Same,
        Some(known) if known.proves && !found.proves => Verdict::Worse,
        Some(known) if known.whole && !found.whole && !gone => Verdict::Worse,
        _ => Verdict::Take,
    }
}

fn tell_once(told: &mut String, sentence: String) {
    if *told != sentence {
        tracing::warn!("{sentence}");
        *told = sentence;
    }
}

impl Dns for Chooser {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move { self.resolver().await?.ask(name, kind).await })
    }

    fn proves(&self) -> bool {
        self.choice.borrow().as_ref().is_some_and(|choice| choice.proves)
    }

    fn is_whole(&self) -> bool {
        self.choice.borrow().as_ref().is_some_and(|choice| choice.whole)
    }

    fn is_known(&self) -> bool {
        self.choice.borrow().is_some()
    }

    fn of_servers(&self, servers: &[IpAddr]) -> Result<Arc<dyn Dns>, DnsError> {
        match self.choice.borrow().as_ref() {
            Some(choice) => choice.resolver.of_servers(servers),
            None => Err(DnsError::Temporary("no name server could be chosen yet".to_owned())),
        }
    }

    fn describe(&self) -> String {
        let choice = self.choice.borrow();
        choice.as_ref().map_or_else(|| "DNS: who can be asked is being found out.".to_owned(), |c| c.told.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Worth = Worth { told: "the root", proves: true, whole: true };
    const PROVING: Worth = Worth { told: "the system's, proved", proves: true, whole: false };
    const BELIEVED: Worth = Worth { told: "the system's, believed", proves: false, whole: false };

    #[test]
    fn what_is_better_or_else_is_taken() {
        for gone in [false, true] {
            assert_eq!(judge(None, BELIEVED, gone), Verdict::Take);
            assert_eq!(judge(Some(BELIEVED), Worth { told: "others", ..BELIEVED }, gone), Verdict::Take);
            assert_eq!(judge(Some(BELIEVED), PROVING, gone), Verdict::Take);
            assert_eq!(judge(Some(PROVING), WHOLE, gone), Verdict::Take);
            assert_eq!(judge(Some(WHOLE), Worth { told: "this machine", ..WHOLE }, gone), Verdict::Take);
            assert_eq!(judge(Some(PROVING), Worth { told: "others", ..PROVING }, gone), Verdict::Take);
            assert_eq!(judge(Some(WHOLE), WHOLE, gone), Verdict::Same);
        }
    }

    #[test]
    fn what_was_proved_once_is_never_given_up_for_less() {
        for gone in [false, true] {
            assert_eq!(judge(Some(WHOLE), BELIEVED, gone), Verdict::Worse);
            assert_eq!(judge(Some(PROVING), BELIEVED, gone), Verdict::Worse);
        }
    }

    #[test]
    fn what_is_gone_is_given_up_for_what_proves_as_well() {
        assert_eq!(judge(Some(WHOLE), PROVING, false), Verdict::Worse);
        assert_eq!(judge(Some(WHOLE), PROVING, true), Verdict::Take);
    }
}
