//! `mailstead demo`: a tiny internet on loopback. A name server, a certificate authority, and two appliances with
//! real stores and ready accounts; mail between them takes the way it takes in the world.

mod ca;
mod dns;
mod letters;
mod publishing;
mod table;

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailstead_message::{Address, Domain};
use mailstead_net::acme::Fallback;
use mailstead_net::dns::{Dns, Resolver};
use mailstead_net::{Certificates, ClientTls};
use mailstead_store::{Options, PasswordCost, Store, StsMode};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::appliance::{Bound, Parts, Running, SERVICES, Service};
use crate::certificates;
use crate::cli;
use crate::config::{Config, Doctor, Listen};
use crate::serve::{delivery, holds_store, open_store};
use ca::Authority;
use dns::{MailDomain, NameServer};
use mailstead_web::control::Naming;

/// The demo's servers: domain, accounts; each also has an operator, `postmaster`.
const SERVERS: [(&str, &[&str]); 2] = [("home.test", &["alice", "carol"]), ("world.test", &["bob"])];

/// The account that looks after each server.
const OPERATOR: &str = "postmaster";

/// With `--base-port`, each server's ports begin this much above the one before.
const SERVER_STRIDE: u16 = 1_000;

/// With `--base-port`, the name server's port is that much above it.
const DNS_OFFSET: u16 = 53;

/// The password of a demo account: plain to read, for a store that is thrown away.
pub(crate) fn password(local_part: &str) -> String {
    format!("{local_part}-demo-2026")
}

/// Runs until Ctrl-C or SIGTERM; then nothing is left, unless `--dir` asked to keep the data.
///
/// # Errors
/// A sentence for the user when it can't start.
pub(crate) async fn run(options: cli::Demo, json: bool) -> Result<(), String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let folder = Folder::choose(options.dir.as_deref())?;
    let mut started = tokio::select! {
        started = start(&options, &folder) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let text = if json { started.facts.json()? } else { started.facts.table() };
    let mut out = std::io::stdout().lock();
    // A reader that went away must not end the demo.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    drop(out);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    started.publishers.shutdown().await;
    for server in started.servers {
        server.stop().await;
    }
    Ok(())
}

/// The data folder: kept, or removed when dropped.
enum Folder {
    Kept(PathBuf),
    Throwaway(tempfile::TempDir),
}

impl Folder {
    fn choose(dir: Option<&Path>) -> Result<Self, String> {
        match dir {
            Some(dir) => {
                refuse_foreign(dir)?;
                std::fs::DirBuilder::new()
                    .mode(0o700)
                    .recursive(true)
                    .create(dir)
                    .map_err(|error| format!("{}: the folder can't be made: {error}", dir.display()))?;
                let full = dir.canonicalize().map_err(|error| format!("{}: can't be used: {error}", dir.display()))?;
                Ok(Self::Kept(full))
            }
            None => tempfile::Builder::new()
                .prefix("mailstead-demo-")
                .tempdir()
                .map(Self::Throwaway)
                .map_err(|error| format!("a temporary folder can't be made: {error}")),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Throwaway(folder) => folder.path(),
        }
    }
}

/// Makes no demo in a folder that holds anything else, a real server's data above all.
fn refuse_foreign(dir: &Path) -> Result<(), String> {
    let empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(format!("{}: the folder can't be read: {error}", dir.display())),
    };
    let (first_domain, _) = SERVERS[0];
    if empty || (dir.join(first_domain).is_dir() && !holds_store(dir)) {
        return Ok(());
    }
    Err(format!("{} is neither empty nor an earlier demo: choose another folder for --dir", dir.display()))
}

struct Started {
    servers: Vec<Running>,
    facts: table::Facts,
    publishers: JoinSet<()>,
    _name_server: NameServer,
}

async fn start(options: &cli::Demo, folder: &Folder) -> Result<Started, String> {
    let path = folder.path();
    let mut bound = Vec::new();
    let mut stores = Vec::new();
    for (index, (domain, accounts)) in SERVERS.iter().enumerate() {
        let first_port = options.base_port.map(|base| base + SERVER_STRIDE * index as u16);
        let config = config(path, domain, first_port);
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        stores.push(open_store(&config.data, options)?);
        bound.push((*domain, *accounts, config.clone(), Bound::bind(config)?));
    }
    // Only now: a demo that still runs in this folder needs its own authority.
    let authority = Authority::create(path)?;
    let (names, port_overrides) = tiny_internet(&bound, &options.neighbour)?;
    let dns_port = options.base_port.map_or(0, |base| base + DNS_OFFSET);
    let name_server =
        NameServer::start((Ipv4Addr::LOCALHOST, dns_port).into(), &names, options.records.as_deref()).await?;

    let mut facts = table::Facts {
        ca: authority.file().to_owned(),
        dns: name_server.address(),
        data: path.to_owned(),
        kept: matches!(folder, Folder::Kept(_)),
        seeded: options.seed,
        servers: Vec::new(),
    };
    let (mut servers, mut publishers) = (Vec::new(), JoinSet::new());
    for ((domain, accounts, config, bound), store) in bound.into_iter().zip(stores) {
        facts.servers.push(table::Server::describe(domain, &config.hostname, accounts, OPERATOR, &bound));
        settle_in(&store, domain, accounts).await.map_err(|error| format!("{domain}: {error}"))?;
        let name = Domain::parse(domain).map_err(|error| error.to_string())?;
        let mut names = vec![config.hostname.clone(), "localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
        names.extend(mailstead_web::names::of(&name));
        let (chain, key) = authority.issue(&names)?;
        let roots = std::slice::from_ref(authority.certificate());
        let verified = ClientTls::verifying(roots).map_err(|error| error.to_string())?;
        let certificates = Certificates::new(chain, key).map_err(|error| error.to_string())?;
        let host = bound.mail_host(&certificates);
        publishing::publish(&store, &name, &host, name_server.names())?;
        let names = name_server.names().clone();
        publishers.spawn(publishing::keep_publishing(store.clone(), name, host, names));
        let resolver = Resolver::with_servers(&[name_server.address()]).map_err(|error| error.to_string())?;
        let dns_for_strangers: Arc<dyn Dns> = Arc::new(resolver.for_strangers());
        let dns: Arc<dyn Dns> = Arc::new(resolver);
        // The demo's own authority needs no asking.
        let keeper =
            certificates::keeper(&config, &store, Arc::clone(&dns), certificates.clone(), Fallback::Given, None)?;
        let parts = Parts {
            store,
            certificates,
            keeper,
            dns,
            dns_for_strangers,
            delivery: mailstead_outbound::Policy {
                port_overrides: port_overrides.clone(),
                own_addresses: Vec::new(),
                ..delivery(&config, verified)?
            },
            naming: Naming { fixed: true, renamed: None },
        };
        servers.push(bound.start(parts)?);
    }
    if let Some(home) = servers.first() {
        letters::seed(home.store(), "alice@home.test", options.seed).await?;
    }
    Ok(Started { servers, facts, publishers, _name_server: name_server })
}

fn config(folder: &Path, domain: &str, first_port: Option<u16>) -> Config {
    let on_loopback = |service: Service| {
        let usual = SERVICES.iter().find(|(other, _, _)| *other == service).map_or(0, |(_, _, port)| *port);
        vec![SocketAddr::from((Ipv4Addr::LOCALHOST, first_port.map_or(0, |first| first + usual)))]
    };
    let mut config = Config::for_host(&format!("mail.{domain}"), folder.join(domain));
    config.listen = Listen {
        smtp: on_loopback(Service::Smtp),
        submission: on_loopback(Service::Submission),
        submissions: on_loopback(Service::Submissions),
        imap: on_loopback(Service::Imap),
        imaps: on_loopback(Service::Imaps),
        pop3: on_loopback(Service::Pop3),
        pop3s: on_loopback(Service::Pop3s),
        http: on_loopback(Service::Http),
        https: on_loopback(Service::Https),
    };
    config.delivery.allow_private = true;
    config.doctor = Doctor::at_home();
    // All of the demo's peers share one address.
    config.limits.sessions_per_address = config.limits.sessions;
    config
}

type Prepared = (&'static str, &'static [&'static str], Config, Bound);

/// The names of all servers and neighbours, and the ports their hosts listen on instead of 25.
fn tiny_internet(
    servers: &[Prepared],
    neighbours: &[(Domain, SocketAddr)],
) -> Result<(Vec<MailDomain>, HashMap<String, u16>), String> {
    let mut names = Vec::new();
    let mut ports = HashMap::new();
    for (domain, _, config, bound) in servers {
        let smtp = bound.address(Service::Smtp).ok_or("a demo server without SMTP")?;
        let https = bound.address(Service::Https).ok_or("a demo server without HTTPS")?;
        ports.insert(config.hostname.clone(), smtp.port());
        ports.insert(format!("mta-sts.{domain}"), https.port());
        names.push(MailDomain {
            name: Domain::parse(domain).map_err(|error| error.to_string())?,
            host: config.hostname.clone(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ours: true,
        });
    }
    for (domain, address) in neighbours {
        if names.iter().any(|known| known.name == *domain) {
            return Err(format!("--neighbour {domain}: the tiny internet has that domain already"));
        }
        let host = format!("mail.{domain}");
        ports.insert(host.clone(), address.port());
        names.push(MailDomain { name: domain.clone(), host, address: address.ip(), ours: false });
    }
    Ok((names, ports))
}

/// Makes the domain and its accounts where they are not there yet (with `--dir` they may be).
async fn settle_in(store: &Store, domain: &str, accounts: &[&str]) -> Result<(), String> {
    let domain = Domain::parse(domain).map_err(|error| error.to_string())?;
    if !store.domains().map_err(|error| error.to_string())?.iter().any(|known| known.name == domain) {
        mailstead_outbound::add_domain(store, domain.clone()).await.map_err(|error| error.to_string())?;
        store.set_sts_mode(&domain, StsMode::Enforce).await.map_err(|error| error.to_string())?;
    }
    mailstead_outbound::make_first_keys(store).await.map_err(|error| error.to_string())?;
    let known = store.accounts().map_err(|error| error.to_string())?;
    for local_part in std::iter::once(&OPERATOR).chain(accounts) {
        let address = Address::parse(&format!("{local_part}@{domain}")).map_err(|error| error.to_string())?;
        if !known.iter().any(|account| account.address == address) {
            store.add_account(address, &password(local_part), None).await.map_err(|error| error.to_string())?;
        }
    }
    let operator = Address::parse(&format!("{OPERATOR}@{domain}")).map_err(|error| error.to_string())?;
    store.set_operator(&operator, true).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_an_empty_folder_or_an_earlier_demo_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("demo");
        assert!(Folder::choose(Some(&dir)).is_ok());
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(Folder::choose(Some(&dir)).is_ok());
        std::fs::write(dir.join("letter.txt"), "mine").unwrap();
        assert!(Folder::choose(Some(&dir)).err().unwrap().contains("neither empty nor an earlier demo"));
        std::fs::create_dir(dir.join("home.test")).unwrap();
        assert!(Folder::choose(Some(&dir)).is_ok());
        std::fs::write(dir.join("store.redb"), "a real server's").unwrap();
        assert!(Folder::choose(Some(&dir)).is_err());
    }
}
