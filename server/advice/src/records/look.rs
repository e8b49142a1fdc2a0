//! Looking at DNS: at the zone's own servers, and the way the world does.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mailstead_net::BoxFuture;
use mailstead_net::dns::{Data, Dns, DnsError, Kind as Question};
use tokio::time::{Instant, timeout_at};

use super::judge::{Found, Scene, address, cleaned, harms, judge, shown, some};
use super::list::{Item, Subject, is_within, shortened};
use super::spf;
use super::told::{Kind, Mistake, Need, Verdict};

/// Name servers of a zone that are asked.
const MAX_SERVERS: usize = 4;
/// Aliases followed within a zone.
const MAX_ALIASES: usize = 4;
/// Finding the zones may take so long of the time there is.
const ZONE_PATIENCE: Duration = Duration::from_millis(2_500);
/// Minutes for which resolvers may remember that there was nothing: many zones say so much.
const NOTHING_MINUTES: u64 = 60;

/// A zone: its name, and its own servers where they can be asked.
#[derive(Clone)]
pub(super) struct Zone {
    pub name: String,
    own: Option<Arc<dyn Dns>>,
    /// The public path proves what is said of it (DNSSEC).
    pub signed: bool,
}

/// Where questions go.
pub(super) struct View<'a> {
    public: &'a dyn Dns,
    zones: Vec<Zone>,
    /// Names whose zone DNS does not tell now.
    unsure: Vec<String>,
    end: Instant,
}

/// What one question came to.
struct Answers {
    /// What the zone's own servers say; `None` where they can't be asked.
    own: Option<Found>,
    /// What the world sees, and for how many minutes it may go on seeing it.
    public: Found,
    minutes: u64,
}

impl<'a> View<'a> {
    /// Finds the zones of these names, and their servers.
    pub(super) async fn find(public: &'a dyn Dns, names: &[&str], end: Instant) -> Self {
        let soon = end.min(Instant::now() + ZONE_PATIENCE);
        let asked: Vec<BoxFuture<'_, Result<Option<Zone>, DnsError>>> =
            names.iter().map(|name| -> BoxFuture<'_, _> { Box::pin(zone_of(public, name, soon)) }).collect();
        let (mut zones, mut unsure): (Vec<Zone>, Vec<String>) = (Vec::new(), Vec::new());
        for (name, found) in names.iter().zip(join_all(asked).await) {
            match found {
                Ok(Some(zone)) if zones.iter().any(|known| known.name == zone.name) => {}
                Ok(found) => zones.extend(found),
                Err(_) => unsure.push((*name).to_owned()),
            }
        }
        Self { public, zones, unsure, end }
    }

    /// True when DNS does not say now whether a name has a zone.
    pub(super) fn is_unsure(&self, name: &str) -> bool {
        self.unsure.iter().any(|unsure| unsure == name)
    }

    /// The zone a name belongs to, as far as it is known.
    pub(super) fn zone(&self, name: &str) -> Option<&Zone> {
        let within = self.zones.iter().filter(|zone| is_within(name, &zone.name));
        within.max_by_key(|zone| zone.name.len())
    }

    /// True when the servers of every zone can be asked.
    pub(super) fn is_whole(&self) -> bool {
        !self.zones.is_empty() && self.zones.iter().all(|zone| zone.own.is_some())
    }

    async fn in_time<T>(&self, asking: impl Future<Output = Result<T, DnsError>>) -> Result<T, DnsError> {
        let late = || Err(DnsError::Temporary("the answers took too long".to_owned()));
        timeout_at(self.end, asking).await.unwrap_or_else(|_| late())
    }

    async fn publicly(&self, name: &str, kind: Question) -> (Found, u64) {
        match self.in_time(self.public.ask(name, kind)).await {
            Ok(answer) => (Ok(answer.records), answer.ttl.as_secs().div_ceil(60).max(1)),
            Err(error) => (Err(error), NOTHING_MINUTES),
        }
    }

    /// What the zone's servers say; aliases are followed, out of the zone by the public path.
    async fn own(&self, name: &str, kind: Question) -> Option<Found> {
        let mut name = name.to_owned();
        for _ in 0..=MAX_ALIASES {
            let Some(own) = self.zone(&name).and_then(|zone| zone.own.as_ref()) else {
                return Some(self.publicly(&name, kind).await.0);
            };
            match self.in_time(own.ask(&name, kind)).await {
                Err(error) if error.is_temporary() => return None,
                Ok(answer) => match alias(&answer.records, kind) {
                    Some(target) => name = target,
                    None => return Some(Ok(answer.records)),
                },
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    async fn ask(&self, name: &str, kind: Question) -> Answers {
        let is_known = self.zone(name).is_some_and(|zone| zone.own.is_some());
        let own = async { if is_known { self.own(name, kind).await } else { None } };
        let (own, (public, minutes)) = tokio::join!(own, self.publicly(name, kind));
        Answers { own, public, minutes }
    }

    /// The same question, answered by the zone's own servers where possible.
    async fn best(&self, name: &str, kind: Question) -> Found {
        let Answers { own, public, .. } = self.ask(name, kind).await;
        own.unwrap_or(public)
    }

    /// All addresses of a name, as the world sees them.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        Ok(self.in_time(self.public.addresses(name)).await?.records)
    }
}

/// The target, where an alias was found in place of what was asked for.
fn alias(records: &[Data], kind: Question) -> Option<String> {
    let names_are_asked_for = matches!(kind, Question::Ns | Question::Cname | Question::Ptr);
    match records {
        [Data::Name(target)] if !names_are_asked_for => Some(target.clone()),
        _ => None,
    }
}

/// The zone of a name: the nearest name above it with name servers.
async fn zone_of(public: &dyn Dns, name: &str, end: Instant) -> Result<Option<Zone>, DnsError> {
    let above = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
    let candidates: Vec<&str> = std::iter::once(name).chain(above).filter(|name| name.contains('.')).collect();
    let asked: Vec<_> = candidates.iter().map(|name| timeout_at(end, public.ask(name, Question::Ns))).collect();
    let answers = join_all(asked).await;
    let late = || Err(DnsError::Temporary("the answers took too long".to_owned()));
    let mut nearest = None;
    for (name, answer) in candidates.into_iter().zip(answers) {
        match answer.unwrap_or_else(|_| late()) {
            Ok(answer) => {
                nearest = Some((name, answer));
                break;
            }
            Err(error) if error.is_temporary() => return Err(error),
            Err(_) => {}
        }
    }
    let Some((zone, answer)) = nearest else { return Ok(None) };
    let servers = answer.records.iter().filter_map(|data| if let Data::Name(name) = data { Some(name) } else { None });
    let asked: Vec<_> = servers.take(MAX_SERVERS).map(|server| timeout_at(end, public.addresses(server))).collect();
    let addresses = join_all(asked).await;
    let mut known: Vec<IpAddr> = addresses.into_iter().flatten().flatten().flat_map(|found| found.records).collect();
    // Many hosts have no way to IPv6, and every zone has a server with IPv4.
    known.sort_by_key(IpAddr::is_ipv6);
    known.truncate(MAX_SERVERS);
    let own = if known.is_empty() { None } else { public.of_servers(&known).ok() };
    Ok(Some(Zone { name: zone.to_owned(), own, signed: answer.secure && public.proves() }))
}

/// Looks one record up and judges it.
pub(super) async fn look(view: &View<'_>, item: &Item, scene: &Scene<'_>) -> Verdict {
    let verdict = match item.subject {
        _ if item.entry.need == Need::Obsolete => plainly(view, item, scene).await,
        Subject::Spf { relayed } => of_spf(view, item, scene, relayed).await,
        Subject::Alias => of_alias(view, item, scene).await,
        Subject::Reverse(ip) => reverse(view, ip, scene.host).await,
        Subject::Issuers => issuers(view, item, scene).await,
        _ => plainly(view, item, scene).await,
    };
    if verdict != Verdict::Missing {
        return verdict;
    }
    elsewhere(view, item, scene).await.unwrap_or(Verdict::Missing)
}

async fn plainly(view: &View<'_>, item: &Item, scene: &Scene<'_>) -> Verdict {
    let answers = view.ask(&item.entry.name, question(item.entry.kind)).await;
    let own = answers.own.as_ref().map(|found| judge(item, found, scene));
    let public = judge(item, &answers.public, scene);
    settle(own, public, &answers.public, answers.minutes)
}

/// Joins what the zone's servers and the public path say. The former know what will be true everywhere soon.
fn settle(own: Option<Verdict>, public: Verdict, said: &Found, minutes: u64) -> Verdict {
    let broken = matches!(&public, Verdict::Wrong { mistake: Some(Mistake::BrokenSignatures), .. });
    match own {
        Some(right @ Verdict::Right { .. }) => match public {
            Verdict::Missing | Verdict::Wrong { .. } if !broken => {
                let found = said.as_ref().map(|records| shown(records)).unwrap_or_default();
                Verdict::Spreading { found, minutes }
            }
            Verdict::Wrong { .. } => public,
            _ => right,
        },
        Some(Verdict::NotCheckable { .. }) | None => public,
        Some(other) => other,
    }
}

async fn of_spf(view: &View<'_>, item: &Item, scene: &Scene<'_>, relayed: bool) -> Verdict {
    let answers = view.ask(&item.entry.name, Question::Txt).await;
    let judged = async |found: &Found| match some(found) {
        Ok(records) => view.in_time(async { Ok(spf::judge(view.public, item, records, scene, relayed).await) }).await,
        Err(verdict) => Ok(verdict),
    };
    let unknown = |error: DnsError| Verdict::NotCheckable { why: format!("{error}.") };
    let public = judged(&answers.public).await.unwrap_or_else(unknown);
    let own = match &answers.own {
        Some(found) if *found == answers.public => Some(public.clone()),
        Some(found) => Some(judged(found).await.unwrap_or_else(unknown)),
        None => None,
    };
    settle(own, public, &answers.public, answers.minutes)
}

/// Another name for a host is as good as the host's own addresses.
async fn of_alias(view: &View<'_>, item: &Item, scene: &Scene<'_>) -> Verdict {
    let name = &item.entry.name;
    let answers = view.ask(name, Question::Cname).await;
    let own = match &answers.own {
        Some(found) => Some(alias_verdict(view, item, scene, found).await),
        None => None,
    };
    let public = alias_verdict(view, item, scene, &answers.public).await;
    settle(own, public, &answers.public, answers.minutes)
}

async fn alias_verdict(view: &View<'_>, item: &Item, scene: &Scene<'_>, found: &Found) -> Verdict {
    let name = &item.entry.name;
    let target = match found {
        Ok(records) => records.iter().find_map(|data| if let Data::Name(name) = data { Some(name) } else { None }),
        // Not an alias: perhaps it has addresses of its own.
        Err(DnsError::NoRecords) => None,
        Err(_) => return some(found).err().unwrap_or(Verdict::Missing),
    };
    if target.is_some_and(|target| target == scene.host) {
        return Verdict::right();
    }
    if let Some(target) = target
        && target.strip_prefix(scene.host).is_some_and(|rest| rest.starts_with('.'))
    {
        let difference = format!("It leads to {target}: the zone's name was added to a name that was whole already.");
        let todo =
            format!("Write {}. with a dot at its end, or only its first part, as your form wants it.", scene.host);
        return Verdict::wrong(vec![target.clone()], difference, todo).by(Mistake::MissingDot);
    }
    match view.addresses(target.unwrap_or(name)).await {
        Ok(addresses) => {
            let records: Vec<Data> = addresses.into_iter().map(Data::Address).collect();
            match (address(item, &records, scene), target) {
                (Verdict::Right { .. }, Some(target)) => Verdict::noted(format!("It leads here by way of {target}.")),
                (verdict, _) => verdict,
            }
        }
        Err(DnsError::NoName | DnsError::NoRecords) => match target {
            Some(target) => {
                let todo = format!("Let it lead to {}.", scene.host);
                Verdict::wrong(vec![target.clone()], format!("It leads to {target}, which leads nowhere."), todo)
            }
            None => Verdict::Missing,
        },
        Err(error) => Verdict::NotCheckable { why: format!("DNS gives no answer: {error}.") },
    }
}

/// The name of an address must lead back to it, or it proves nothing.
async fn reverse(view: &View<'_>, ip: IpAddr, host: &str) -> Verdict {
    let (names, back) = tokio::join!(view.in_time(view.public.ptr(ip)), view.addresses(host));
    let names = match names {
        Ok(answer) => answer.records,
        Err(error) => return some(&Err(error)).err().unwrap_or(Verdict::Missing),
    };
    let found: Vec<String> = names.iter().map(|name| name.escape_debug().to_string()).collect();
    if !names.iter().any(|name| name == host) {
        let difference = format!("{ip} is called {}, not {host}.", found.join(" and "));
        let todo = format!("Set the reverse DNS of {ip} to {host} where you rent the server.");
        return Verdict::wrong(found, difference, todo);
    }
    match back {
        Ok(addresses) if addresses.contains(&ip) => Verdict::right(),
        Err(error) if error.is_temporary() => Verdict::NotCheckable { why: format!("DNS gives no answer: {error}.") },
        _ => {
            let difference =
                format!("{ip} is called {host}, but {host} does not lead to {ip}: so it counts for nothing.");
            let kind = if ip.is_ipv4() { Kind::A } else { Kind::Aaaa };
            Verdict::wrong(found, difference, format!("Publish the {kind} record of {host} with {ip}."))
        }
    }
}

/// The records that bind are the nearest above (RFC 8659 3).
async fn issuers(view: &View<'_>, item: &Item, scene: &Scene<'_>) -> Verdict {
    let name = &item.entry.name;
    let verdict = plainly(view, item, scene).await;
    let above = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..)).filter(|name| name.contains('.'));
    if verdict != Verdict::Missing {
        return verdict;
    }
    for name in above {
        let found = view.best(name, Question::Caa).await;
        match judge(item, &found, scene) {
            Verdict::Right { .. } => return Verdict::noted(format!("The record of {name} says so already.")),
            Verdict::Missing | Verdict::NotCheckable { .. } => {}
            wrong => return wrong,
        }
    }
    Verdict::Missing
}

/// Where a record that is missing may have landed: under a name that has the zone's twice.
async fn elsewhere(view: &View<'_>, item: &Item, scene: &Scene<'_>) -> Option<Verdict> {
    let zone = view.zone(&item.entry.name)?;
    if !item.entry.is_yours() {
        return None;
    }
    let doubled = format!("{}.{}", item.entry.name, zone.name);
    let records = view.best(&doubled, question(item.entry.kind)).await.ok()?;
    // Where there are wildcards, anything may be found anywhere.
    if !records.iter().any(|data| resembles(data, item, scene)) {
        return None;
    }
    let difference = format!("It is at {doubled}: the zone's name was added to a name that was whole already.");
    let todo = format!("Enter only {} as its name.", shortened(&item.entry.name, &zone.name));
    Some(Verdict::wrong(shown(&records), difference, todo).by(Mistake::NameDoubled))
}

/// True for what was probably meant to be the record.
fn resembles(data: &Data, item: &Item, scene: &Scene<'_>) -> bool {
    let version = |text: &str| text.split([';', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    match data {
        Data::Txt(text) => version(&cleaned(&String::from_utf8_lossy(text))) == version(&item.entry.value),
        Data::Address(address) => scene.addresses.contains(address),
        other => other.to_string().contains(scene.host) || other.to_string() == item.entry.value,
    }
}

/// An IPv6 address that this server does not have keeps others from reaching it.
pub(super) async fn stray_ipv6(view: &View<'_>, host: &str) -> Option<Verdict> {
    let records = view.best(host, Question::Aaaa).await.ok()?;
    let difference = "This server has no such address: others try it, and wait in vain.".to_owned();
    Some(
        Verdict::wrong(shown(&records), difference, "Remove it, or give the server that address.").by(Mistake::NotOurs),
    )
}

/// A text of the owner's own that is as good as the one advised.
pub(super) async fn sound_text(view: &View<'_>, item: &Item) -> Option<String> {
    let is_own = matches!(item.subject, Subject::Spf { .. } | Subject::Dmarc | Subject::TlsReports);
    if !is_own {
        return None;
    }
    let version = |text: &str| text.split([';', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    let records = view.best(&item.entry.name, Question::Txt).await.ok()?;
    let mut texts = records.iter().filter_map(|data| match data {
        Data::Txt(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    });
    texts.find(|text| version(text) == version(&item.entry.value))
}

/// How much a record matters, once it is known how it stands.
pub(super) fn need(item: &Item, verdict: &Verdict) -> Need {
    if harms(item.entry.kind, verdict) { Need::Required } else { item.entry.need }
}

pub(super) fn question(kind: Kind) -> Question {
    match kind {
        Kind::A => Question::A,
        Kind::Aaaa => Question::Aaaa,
        Kind::Ptr => Question::Ptr,
        Kind::Mx => Question::Mx,
        Kind::Txt => Question::Txt,
        Kind::Cname => Question::Cname,
        Kind::Srv => Question::Srv,
        Kind::Caa => Question::Caa,
        Kind::Tlsa => Question::Tlsa,
    }
}
