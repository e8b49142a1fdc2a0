//! One appliance: all rooms put together, from bound sockets to a clean stop.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailstead_advice::doctor::{Doctor, ThisHost};
use mailstead_advice::records::{Host, Services};
use mailstead_inbound::{CheckPolicy, Checks, Exchange};
use mailstead_net::dns::Dns;
use mailstead_net::{Certificates, Gate, Limits, Listener};
use mailstead_net::{acme, reach};
use mailstead_outbound::{Keeper, Reporter, Runner, Submission};
use mailstead_smtp::server::Role;
use mailstead_store::Store;
use mailstead_web::control;
use mailstead_web::http::{self, front};
use mailstead_web::site::Site;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::doctor;

/// RFC 5321 4.5.3.2.7 asks for at least 5 minutes.
const SMTP_COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A session longer than this is no letter any more; big queues come back with a new one.
const SMTP_SESSION_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);
/// Messages up to this size are held in memory while they arrive.
const SPOOL_ABOVE: usize = 256 << 10;
/// After that many messages a peer opens a new session, so that one peer can't sit on a place for ever.
const MESSAGES_PER_SESSION: usize = 1_000;
/// A person's mail program errs seldom; a scanner errs all the time.
const ERRORS_PER_SESSION: usize = 20;
/// Each one is answered more slowly than the one before: guessing addresses gets dear.
const REFUSED_RECIPIENTS_PER_SESSION: usize = 20;
/// Far more than any honest session needs for its messages.
const COMMANDS_PER_SESSION: usize = 10_000;
/// RFC 3501 5.4 asks for at least 30 minutes.
const IMAP_IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// RFC 1939 3 asks for at least 10 minutes.
const POP3_IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// RFC 5321 6.3 asks for at least 100.
const RECEIVED_LIMIT: usize = 100;
/// How long sessions and deliveries under way may take to end when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    /// SMTP from other servers.
    Smtp,
    /// SMTP from users' devices, STARTTLS.
    Submission,
    /// SMTP from users' devices, TLS.
    Submissions,
    /// IMAP, STARTTLS.
    Imap,
    /// IMAP, TLS.
    Imaps,
    /// POP3, STLS.
    Pop3,
    /// POP3, TLS.
    Pop3s,
    /// Web, plain.
    Http,
    /// Web, TLS.
    Https,
}

/// Every service under the key it has in the configuration, with its usual port.
pub(crate) const SERVICES: [(Service, &str, u16); 9] = [
    (Service::Smtp, "smtp", 25),
    (Service::Submission, "submission", 587),
    (Service::Submissions, "submissions", 465),
    (Service::Imap, "imap", 143),
    (Service::Imaps, "imaps", 993),
    (Service::Pop3, "pop3", 110),
    (Service::Pop3s, "pop3s", 995),
    (Service::Http, "http", 80),
    (Service::Https, "https", 443),
];

impl Service {
    /// Its key in the configuration.
    fn key(self) -> &'static str {
        SERVICES.iter().find(|(service, _, _)| *service == self).map_or("", |(_, key, _)| key)
    }
}

/// An appliance whose ports are bound, before anything is served.
pub(crate) struct Bound {
    config: Config,
    listeners: Vec<(Service, Listener)>,
}

/// What an appliance is made of besides its ports.
pub(crate) struct Parts {
    /// Its open store.
    pub store: Store,
    /// What it shows as certificates.
    pub certificates: Certificates,
    /// Who looks after them.
    pub keeper: acme::Keeper,
    /// Whom it asks for names.
    pub dns: Arc<dyn Dns>,
    /// Whom it asks for names that strangers choose.
    pub dns_for_strangers: Arc<dyn Dns>,
    /// How its mail leaves.
    pub delivery: mailstead_outbound::Policy,
    /// Where its name comes from.
    pub naming: control::Naming,
}

impl Bound {
    /// Binds every configured address.
    ///
    /// # Errors
    /// A sentence that names the port, what is wrong and what to do.
    pub(crate) fn bind(config: Config) -> Result<Self, String> {
        let mut listeners = Vec::new();
        for (key, address) in config.listen.all() {
            let service = SERVICES.iter().find(|(_, name, _)| *name == key).map(|(service, _, _)| *service);
            let Some(service) = service else { continue };
            match Listener::bind(address) {
                Ok(listener) => listeners.push((service, listener)),
                // A host without IPv6 still serves on IPv4.
                Err(error) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && no_such_family(&error) => {
                    tracing::info!(%address, "this host has no IPv6: not listening there");
                }
                Err(error) => return Err(explain_bind(key, address, &error)),
            }
        }
        Ok(Self { config, listeners })
    }

    /// The first bound address of a service.
    pub(crate) fn address(&self, service: Service) -> Option<SocketAddr> {
        self.listeners.iter().find(|(other, _)| *other == service).map(|(_, listener)| listener.address())
    }

    /// What DNS should say of it, once it shows these certificates.
    pub(crate) fn mail_host(&self, certificates: &Certificates) -> Host {
        mail_host(&self.config, &self.listeners, certificates)
    }

    /// Starts serving. Must run inside the tokio runtime.
    ///
    /// # Errors
    /// A sentence when the spool folder or the control socket can't be made.
    pub(crate) fn start(self, parts: Parts) -> Result<Running, String> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let gate = Arc::new(Gate::default());

        let control_socket = self.config.data.join(control::SOCKET_NAME);
        let control = control::Server::bind(&control_socket)
            .map_err(|error| format!("{}: the control socket can't be made: {error}", control_socket.display()))?;
        let reporter = Reporter::new(parts.store.clone(), Arc::clone(&parts.dns), parts.delivery.clone());
        let reporter = Arc::new(reporter);
        tasks.spawn(Arc::clone(&reporter).run(stopped.clone()));
        let hostname = self.config.hostname.clone();
        let listen = self.listeners.iter().map(|(service, listener)| (service.key().to_owned(), listener.address()));
        let patient = doctor::patient(&self.config, listen.collect(), true, Arc::clone(&parts.dns));
        let operator =
            control::Operator::running(parts.store.clone(), Arc::clone(&gate), Arc::clone(&parts.dns), hostname)
                .with_reporter(reporter)
                .with_certificates(parts.keeper.clone())
                .with_naming(parts.naming.clone())
                .with_host(mail_host(&self.config, &self.listeners, &parts.certificates))
                .with_doctor(Arc::new(Doctor::new(patient, Arc::new(ThisHost))));
        tasks.spawn(control.run(operator.clone(), stopped.clone()));
        let house = House::new(&self.config, &self.listeners, &parts, gate, operator, stopped.clone())?;

        let mut limits: HashMap<Service, Limits> = HashMap::new();
        for (service, listener) in self.listeners {
            let bounds = &self.config.limits;
            let limits =
                limits.entry(service).or_insert_with(|| Limits::new(bounds.sessions, bounds.sessions_per_address));
            house.serve(&mut tasks, service, listener, limits.clone());
        }
        let keeper = Keeper::new(parts.store.clone(), Arc::clone(&parts.dns));
        tasks.spawn(keeper.run(stopped.clone()));
        let runner = Runner::new(parts.store.clone(), parts.dns, parts.delivery);
        tasks.spawn(parts.keeper.run(stopped.clone()));
        tasks.spawn(runner.run(stopped));
        Ok(Running { store: parts.store, tasks, stop })
    }
}

/// A serving appliance.
pub(crate) struct Running {
    store: Store,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Its store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Resolves when a part has failed without which it can't go on, and says which.
    pub(crate) async fn failed(&mut self) -> String {
        let (store, tasks) = (&self.store, &mut self.tasks);
        let panicked = async {
            while let Some(ended) = tasks.join_next().await {
                if ended.is_err_and(|error| error.is_panic()) {
                    return;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            () = store.writer_failed() => {
                "the store's writer has failed: nothing more can be kept, so the server must be started anew".to_owned()
            }
            () = panicked => "a part of the server has failed: it must be started anew".to_owned(),
        }
    }

    /// Stops: no new sessions, those under way are told, deliveries under way finish; bounded in time.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.send(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, finished).await.is_err() {
            tracing::warn!("some sessions did not end in time and are cut off");
            self.tasks.shutdown().await;
        }
    }
}

/// What the sessions of one appliance share.
struct House {
    hostname: String,
    store: Store,
    gate: Arc<Gate>,
    certificates: Certificates,
    spool: PathBuf,
    limits: crate::config::Limits,
    dns: Arc<dyn Dns>,
    /// `None`: strangers' mail is taken as it comes.
    checks: Option<CheckPolicy>,
    signs: bool,
    site: Site,
    stopped: watch::Receiver<bool>,
}

impl House {
    fn new(
        config: &Config,
        listeners: &[(Service, Listener)],
        parts: &Parts,
        gate: Arc<Gate>,
        operator: control::Operator,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, String> {
        let spool = config.data.join("spool");
        std::fs::create_dir_all(&spool)
            .and_then(|()| std::fs::set_permissions(&spool, Permissions::from_mode(0o700)))
            .map_err(|error| format!("{}: the folder can't be made: {error}", spool.display()))?;
        Ok(Self {
            hostname: config.hostname.clone(),
            store: parts.store.clone(),
            certificates: parts.certificates.clone(),
            spool,
            limits: config.limits.clone(),
            dns: Arc::clone(&parts.dns_for_strangers),
            signs: config.delivery.sign,
            checks: config.checks.enabled.then(|| CheckPolicy {
                received_spf: config.checks.received_spf,
                trusted_relays: config.checks.trusted_relays.clone(),
            }),
            site: Site {
                settings: settings(config, listeners),
                store: parts.store.clone(),
                certificates: parts.certificates.clone(),
                https: port(listeners, Service::Https),
                operator,
                gate: Arc::clone(&gate),
                stopped: stopped.clone(),
                desk: Arc::default(),
            },
            gate,
            stopped,
        })
    }

    fn serve(&self, tasks: &mut JoinSet<()>, service: Service, listener: Listener, limits: Limits) {
        match service {
            Service::Smtp => self.smtp(tasks, listener, limits, Role::Exchange, false),
            Service::Submission => self.smtp(tasks, listener, limits, Role::Submission, false),
            Service::Submissions => self.smtp(tasks, listener, limits, Role::Submission, true),
            Service::Imap => self.imap(tasks, listener, limits, false),
            Service::Imaps => self.imap(tasks, listener, limits, true),
            Service::Pop3 => self.pop3(tasks, listener, limits, false),
            Service::Pop3s => self.pop3(tasks, listener, limits, true),
            Service::Http => self.web(tasks, listener, limits, false),
            Service::Https => self.web(tasks, listener, limits, true),
        }
    }

    fn smtp(&self, tasks: &mut JoinSet<()>, listener: Listener, limits: Limits, role: Role, implicit_tls: bool) {
        use mailstead_smtp::server;
        let config = Arc::new(server::Config {
            hostname: self.hostname.clone(),
            role,
            implicit_tls,
            certificates: self.certificates.clone(),
            max_message_size: self.limits.message_size,
            spool_above: SPOOL_ABOVE,
            spool_folder: self.spool.clone(),
            max_recipients: self.limits.recipients,
            max_messages: MESSAGES_PER_SESSION,
            max_errors: ERRORS_PER_SESSION,
            max_refused_recipients: REFUSED_RECIPIENTS_PER_SESSION,
            max_commands: COMMANDS_PER_SESSION,
            command_timeout: SMTP_COMMAND_TIMEOUT,
            session_timeout: SMTP_SESSION_TIMEOUT,
        });
        let policy = mailstead_inbound::Policy { hostname: self.hostname.clone(), max_received: RECEIVED_LIMIT };
        let (store, gate) = (self.store.clone(), Arc::clone(&self.gate));
        let handler: Arc<dyn server::Handler> = match role {
            Role::Exchange => Arc::new(self.exchange(store, policy, gate)),
            Role::Submission => Arc::new(Submission::new(store, policy, gate).signing(self.signs)),
        };
        let stopped = self.stopped.clone();
        let turned_away = Arc::clone(&config);
        tasks.spawn(listener.run(
            limits,
            until_stopped(self.stopped.clone()),
            move |stream, peer, permit| {
                server::serve(stream, peer, permit, Arc::clone(&config), Arc::clone(&handler), stopped.clone())
            },
            move |stream, _peer| server::turn_away(stream, Arc::clone(&turned_away)),
        ));
    }

    fn exchange(&self, store: Store, policy: mailstead_inbound::Policy, gate: Arc<Gate>) -> Exchange {
        let exchange = Exchange::new(store, policy, gate);
        match &self.checks {
            Some(checks) => exchange.checking(Checks::new(Arc::clone(&self.dns), &self.hostname, checks.clone())),
            None => exchange,
        }
    }

    fn imap(&self, tasks: &mut JoinSet<()>, listener: Listener, limits: Limits, implicit_tls: bool) {
        let config = Arc::new(mailstead_imap::Config {
            hostname: self.hostname.clone(),
            implicit_tls,
            certificates: self.certificates.clone(),
            max_message_size: self.limits.message_size,
            spool_folder: self.spool.clone(),
            idle_timeout: IMAP_IDLE_TIMEOUT,
        });
        let (store, gate, stopped) = (self.store.clone(), Arc::clone(&self.gate), self.stopped.clone());
        let turned_away = Arc::clone(&config);
        tasks.spawn(listener.run(
            limits,
            until_stopped(self.stopped.clone()),
            move |stream, peer, permit| {
                let (store, gate, stopped) = (store.clone(), Arc::clone(&gate), stopped.clone());
                mailstead_imap::serve(stream, peer, permit, Arc::clone(&config), store, gate, stopped)
            },
            move |stream, _peer| mailstead_imap::turn_away(stream, Arc::clone(&turned_away)),
        ));
    }

    fn pop3(&self, tasks: &mut JoinSet<()>, listener: Listener, limits: Limits, implicit_tls: bool) {
        let config = Arc::new(mailstead_pop3::Config {
            hostname: self.hostname.clone(),
            implicit_tls,
            certificates: self.certificates.clone(),
            idle_timeout: POP3_IDLE_TIMEOUT,
        });
        let (store, gate, stopped) = (self.store.clone(), Arc::clone(&self.gate), self.stopped.clone());
        let turned_away = Arc::clone(&config);
        tasks.spawn(listener.run(
            limits,
            until_stopped(self.stopped.clone()),
            move |stream, peer, permit| {
                let (store, gate, stopped) = (store.clone(), Arc::clone(&gate), stopped.clone());
                mailstead_pop3::serve(stream, peer, permit, Arc::clone(&config), store, gate, stopped)
            },
            move |stream, _peer| mailstead_pop3::turn_away(stream, Arc::clone(&turned_away)),
        ));
    }

    fn web(&self, tasks: &mut JoinSet<()>, listener: Listener, limits: Limits, https: bool) {
        tasks.spawn(http::serve(listener, limits, self.site.clone(), https, self.stopped.clone()));
    }
}

/// What the front page tells people to type into their mail programs.
fn settings(config: &Config, listeners: &[(Service, Listener)]) -> front::Settings {
    front::Settings {
        host: config.hostname.clone(),
        imaps: port(listeners, Service::Imaps),
        imap: port(listeners, Service::Imap),
        pop3s: port(listeners, Service::Pop3s),
        pop3: port(listeners, Service::Pop3),
        submissions: port(listeners, Service::Submissions),
        submission: port(listeners, Service::Submission),
    }
}

/// The port a service was bound to first.
fn port(listeners: &[(Service, Listener)], service: Service) -> Option<u16> {
    listeners.iter().find(|(other, _)| *other == service).map(|(_, listener)| listener.address().port())
}

/// Resolves when the appliance stops.
async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The addresses that lead to this very machine: those listened on by number, the configured ones, and the one the
/// system would send from. Nothing is sent to find that out.
pub(crate) fn own_addresses(config: &Config) -> Vec<IpAddr> {
    let listened = config.listen.all().map(|(_, address)| address.ip()).filter(|ip| !ip.is_unspecified());
    let documentation = [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
    ];
    let sending = documentation.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    });
    let mut own: Vec<IpAddr> = config.delivery.own_addresses.iter().copied().chain(listened).chain(sending).collect();
    own.sort();
    own.dedup();
    own
}

/// What DNS should say of this server.
fn mail_host(config: &Config, listeners: &[(Service, Listener)], certificates: &Certificates) -> Host {
    let all = own_addresses(config);
    let mut addresses: Vec<IpAddr> = all.into_iter().map(reach::plain).filter(|ip| reach::is_public(*ip)).collect();
    if addresses.is_empty() && config.delivery.allow_private {
        // A laboratory has no others.
        let listened = config.listen.all().map(|(_, address)| address.ip()).filter(|ip| !ip.is_unspecified());
        addresses = config.delivery.own_addresses.iter().copied().chain(listened).collect();
        addresses.sort();
        addresses.dedup();
    }
    Host {
        name: config.hostname.clone(),
        addresses,
        services: Services {
            submissions: port(listeners, Service::Submissions),
            imaps: port(listeners, Service::Imaps),
            pop3s: port(listeners, Service::Pop3s),
            https: port(listeners, Service::Https),
        },
        issuer: config.acme.issuer(),
        certificates: Some(certificates.clone()),
    }
}

fn no_such_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn explain_bind(key: &str, address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "listen.{key}: port {port} is taken by another program (often postfix, exim4 or dovecot). \
             See which with `ss -ltnp 'sport = :{port}'`, stop it, and start again."
        ),
        io::ErrorKind::PermissionDenied => format!(
            "listen.{key}: port {port} needs a privilege: run as root, or give the program \
             CAP_NET_BIND_SERVICE (the systemd unit does)."
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("listen.{key}: {address} is not an address of this machine: correct it in the configuration.")
        }
        _ => format!("listen.{key}: can't listen on {address}: {error}"),
    }
}
