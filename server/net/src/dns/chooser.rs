//! Which source serves best here: found out at start, told to the operator, looked at again while it is not the best.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::resolver::{Anchors, Resolver, system_servers};
use super::source::{Roots, Source, Way};
use super::{Answer, Data, Dns, DnsError, Kind};
use crate::BoxFuture;

/// The whole look around. The first questions wait for it.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Between looks while something is lost: the network may have come up after us.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

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
    /// The system's name servers.
    pub system: Vec<SocketAddr>,
    /// The root's servers.
    pub roots: Roots,
    /// The root's keys.
    pub anchors: Anchors,
}

impl Settings {
    /// The world's root, and the name servers of `/etc/resolv.conf` if it can be read.
    pub fn new(mode: Mode) -> Self {
        let system = system_servers().unwrap_or_default();
        Self { mode, system, roots: Roots::default(), anchors: Anchors::default() }
    }
}

/// A source that was chosen.
#[derive(Clone)]
pub struct Choice {
    /// What answers.
    pub resolver: Resolver,
    /// Who that is and what is lost by it, for the operator.
    pub told: String,
    /// Nothing is lost.
    pub whole: bool,
}

impl Choice {
    /// Looks around, for two seconds at most.
    ///
    /// # Errors
    /// When the library can't be set up.
    pub async fn make(settings: &Settings) -> Result<Self, DnsError> {
        match &settings.mode {
            Mode::Auto => auto(settings).await,
            Mode::System => servers("the system's name servers", &settings.system, settings).await,
            Mode::Servers(given) => servers("the configured name servers", given, settings).await,
            Mode::Recursive => {
                let reach = reach_the_root(settings).await;
                let lost = reach.err().map(|why| format!("they can't be reached rightly ({why})"));
                recursion(settings, lost)
            }
        }
    }
}

async fn auto(settings: &Settings) -> Result<Choice, DnsError> {
    let (proves, reach) = tokio::join!(prove(&settings.system, settings), reach_the_root(settings));
    let local = settings.system.first().is_some_and(|server| server.ip().is_loopback());
    match (&proves, reach) {
        (Ok(resolver), _) if local => {
            let told = format!("the resolver on this machine ({})", list(&settings.system));
            Ok(proved(resolver.clone(), &told, None))
        }
        (_, Ok(())) => recursion(settings, None),
        (_, Err(why)) if settings.system.is_empty() => {
            let lost = format!("they can't be reached rightly ({why}), and /etc/resolv.conf names no other server");
            recursion(settings, Some(lost))
        }
        (Ok(resolver), Err(why)) => {
            let told = format!("the system's name servers ({})", list(&settings.system));
            let lost = format!("{LOST_LISTS}; the root servers can't be reached rightly ({why})");
            Ok(proved(resolver.clone(), &told, Some(lost)))
        }
        (Err(unproved), Err(why)) => {
            let told = format!("the system's name servers ({})", list(&settings.system));
            let lost = format!(
                "{LOST_PROOFS} ({unproved}) and {LOST_LISTS}; the root servers can't be reached rightly ({why})"
            );
            believed(&settings.system, &told, &lost)
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
    Choice { resolver, whole: lost.is_none(), told: with_loss(told, lost) }
}

fn believed(servers: &[SocketAddr], who: &str, lost: &str) -> Result<Choice, DnsError> {
    let told = format!("DNS is asked of {who}, and believed without signatures (DNSSEC).");
    let resolver = Resolver::with_servers(servers)?;
    Ok(Choice { resolver, whole: false, told: with_loss(told, Some(lost.to_owned())) })
}

fn recursion(settings: &Settings, lost: Option<String>) -> Result<Choice, DnsError> {
    let resolver = Resolver::recursive(&settings.roots, &settings.anchors)?;
    let told = "DNS is resolved here, from the root servers downwards, and signatures (DNSSEC) are checked.".to_owned();
    Ok(Choice { resolver, whole: lost.is_none(), told: with_loss(told, lost) })
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
    match tokio::time::timeout(CHECK_TIMEOUT, resolver.proves_the_root()).await {
        Ok(Ok(())) => Ok(resolver),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within 2 seconds".to_owned()),
    }
}

/// Whether the root's own servers answer, by UDP and by TCP, and nobody in their stead.
async fn reach_the_root(settings: &Settings) -> Result<(), String> {
    let by = async |way, name| {
        let error = |what: &dyn std::fmt::Display| format!("{name}: {what}");
        let source = Source::root_servers(&settings.roots, way, CHECK_TIMEOUT).map_err(|e| error(&e))?;
        let asking = Resolver::new(source, None);
        match tokio::time::timeout(CHECK_TIMEOUT, asking.is_answered_with_authority(&Name::root(), RecordType::SOA))
            .await
        {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(error(&"somebody else answers in their stead")),
            Ok(Err(what)) => Err(error(&what)),
            Err(_) => Err(error(&"no answer within 2 seconds")),
        }
    };
    let (udp, tcp) = tokio::join!(by(Way::Udp, "UDP"), by(Way::Tcp, "TCP"));
    match (udp, tcp) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(udp), Err(tcp)) => Err(format!("{udp}; {tcp}")),
        (Err(one), _) | (_, Err(one)) => Err(one),
    }
}

/// Answers by the choice, which is made in the background; the first questions wait for it.
pub struct Chooser {
    choice: watch::Receiver<Option<Choice>>,
    task: AbortHandle,
}

impl Chooser {
    /// Begins to look around. Must be called on a runtime.
    pub fn start(settings: Settings) -> Self {
        let (tell, choice) = watch::channel(None);
        let task = tokio::spawn(look(settings, tell)).abort_handle();
        Self { choice, task }
    }

    async fn resolver(&self) -> Result<Resolver, DnsError> {
        let mut choice = self.choice.clone();
        match tokio::time::timeout(2 * CHECK_TIMEOUT, choice.wait_for(Option::is_some)).await {
            Ok(Ok(choice)) => choice.as_ref().map(|choice| choice.resolver.clone()),
            _ => None,
        }
        .ok_or_else(|| DnsError::Temporary("no name server could be chosen yet".to_owned()))
    }
}

impl Drop for Chooser {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Chooses, and chooses again while something is lost. What was proved once is not given up for less.
async fn look(settings: Settings, tell: watch::Sender<Option<Choice>>) {
    loop {
        match Choice::make(&settings).await {
            Ok(choice) if choice.whole => {
                tracing::info!("{}", choice.told);
                tell.send_replace(Some(choice));
                return;
            }
            Ok(choice) if tell.borrow().as_ref().is_none() => {
                tracing::warn!("{}", choice.told);
                tell.send_replace(Some(choice));
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "name resolution can't start"),
        }
        let again = if tell.borrow().is_some() { LOOK_AGAIN } else { CHECK_TIMEOUT };
        tokio::time::sleep(again).await;
    }
}

impl Dns for Chooser {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move { self.resolver().await?.ask(name, kind).await })
    }

    fn describe(&self) -> String {
        let choice = self.choice.borrow();
        choice.as_ref().map_or_else(|| "DNS: who can be asked is being found out.".to_owned(), |c| c.told.clone())
    }
}
