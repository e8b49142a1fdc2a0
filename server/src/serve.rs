//! `mailstead serve`: one appliance, until it is told to stop.

use std::path::Path;
use std::sync::Arc;

use mailstead_net::certificates::files::{Files, Watched};
use mailstead_net::dns::{Chooser, Dns};
use mailstead_net::{Certificates, ClientTls};
use mailstead_outbound::Schedule;
use mailstead_store::{Options, Store};
use mailstead_web::control::Naming;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::appliance::{Bound, Parts, own_addresses};
use crate::certificates;
use crate::config::Config;
use crate::{hostname, supervisor};

/// Runs until SIGTERM, SIGINT or Ctrl-C. SIGHUP reads the certificate files again.
///
/// # Errors
/// A sentence for the operator when it can't start.
pub(crate) async fn run(config: Config) -> Result<(), String> {
    // From the first moment on: whoever starts a server may stop it before it is ready.
    let mut signals = Signals::listen()?;
    supervisor::status("Opening the store");
    // The store's lock before the ports: started twice, it must blame itself and not another program.
    let store = open_store(&config.data, Options::default())?;
    while serve(&config, &store, &mut signals).await? == Told::Renamed {
        tracing::info!("starting anew under another name");
    }
    tracing::info!("stopped");
    Ok(())
}

/// One appliance from start to end, under the name the server has now.
async fn serve(config: &Config, store: &Store, signals: &mut Signals) -> Result<Told, String> {
    let mut config = config.clone();
    let naming = Naming { fixed: hostname::settle(&mut config, store)?, renamed: Some(Arc::default()) };
    let store = store.clone();
    let bound = Bound::bind(config.clone())?;
    // Before the first letter: what is not signed is not trusted. It is no reason to keep people from their mail, and is
    // tried again.
    if let Err(error) = mailstead_outbound::make_first_keys(&store).await {
        tracing::error!("keys for signing mail can't be made: {error}");
    }
    let chooser = Chooser::start(config.dns.settings()?);
    let dns_for_strangers: Arc<dyn Dns> = Arc::new(chooser.for_strangers());
    let dns: Arc<dyn Dns> = Arc::new(chooser);
    let (certificates, keeper) = certificates::prepare(&config, &store, Arc::clone(&dns))?;
    let parts = Parts {
        store,
        certificates: certificates.clone(),
        keeper,
        dns,
        dns_for_strangers,
        delivery: delivery(&config, ClientTls::verifying(&[]).map_err(|error| error.to_string())?)?,
        naming: naming.clone(),
    };
    hint_at_setup(&parts.store)?;
    let mut running = bound.start(parts)?;
    let beating = tokio::spawn(supervisor::beat(running.store().clone()));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        hostname = %config.hostname,
        data = %config.data.display(),
        "mailstead is ready"
    );
    supervisor::ready(&format!("Serving mail as {}", config.hostname));
    let ended = tokio::select! {
        told = until_told(signals, &config, &certificates, &naming) => {
            tracing::info!("stopping: sessions and deliveries under way may finish");
            if told == Told::Stop {
                supervisor::stopping("Stopping: sessions and deliveries under way may finish");
            }
            running.stop().await;
            Ok(told)
        }
        // What has failed can't be mended from within; whoever supervises the process starts it anew.
        sentence = running.failed() => {
            tracing::error!("{sentence}");
            supervisor::stopping(&sentence);
            drop(running);
            Err(sentence)
        }
    };
    beating.abort();
    ended
}

/// A server nobody governs says how that begins.
fn hint_at_setup(store: &Store) -> Result<(), String> {
    if !store.has_operator().map_err(|error| error.to_string())? {
        tracing::warn!(
            "nobody governs this server yet: `mailstead setup` on this machine sets it up, `mailstead setup --link` \
             prints a link that does it in a browser"
        );
    }
    Ok(())
}

/// Opens a store and puts what went wrong into a sentence that names the folder.
pub(crate) fn open_store(folder: &Path, options: Options) -> Result<Store, String> {
    Store::open(folder, options).map_err(|error| format!("{}: {error}", folder.display()))
}

/// True when the folder holds a store, or the letters of one whose database is missing. What can't be looked at counts
/// as there: opening it tells why.
pub(crate) fn holds_store(folder: &Path) -> bool {
    ["store.redb", "packs"].iter().any(|name| folder.join(name).try_exists().unwrap_or(true))
}

/// How mail leaves, by the configuration.
pub(crate) fn delivery(config: &Config, verified_tls: ClientTls) -> Result<mailstead_outbound::Policy, String> {
    Ok(mailstead_outbound::Policy {
        hostname: config.hostname.clone(),
        port: config.delivery.port,
        port_overrides: std::collections::HashMap::new(),
        allow_private: config.delivery.allow_private,
        own_addresses: own_addresses(config),
        concurrency: config.delivery.concurrency,
        per_destination: config.delivery.per_destination,
        schedule: Schedule::default(),
        verified_tls,
    })
}

/// What an operator tells a running process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals can't be received: {error}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}

/// Why an appliance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// For good.
    Stop,
    /// To start anew under another name.
    Renamed,
}

async fn until_told(signals: &mut Signals, config: &Config, certificates: &Certificates, naming: &Naming) -> Told {
    let mut watched = config.tls.as_ref().map(|files| {
        let files = Files { chain: files.certificate.clone(), key: files.key.clone() };
        Watched::new(files, certificates.clone())
    });
    loop {
        let change = async {
            match &mut watched {
                Some(watched) => watched.watch().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = signals.terminate.recv() => return Told::Stop,
            _ = signals.interrupt.recv() => return Told::Stop,
            () = renamed(naming) => return Told::Renamed,
            () = change => {}
            _ = signals.hangup.recv() => match &mut watched {
                Some(watched) => watched.read_now(),
                None => tracing::info!("nothing to read again: no certificate files are configured"),
            }
        }
    }
}

async fn renamed(naming: &Naming) {
    match &naming.renamed {
        Some(renamed) => renamed.notified().await,
        None => std::future::pending().await,
    }
}
