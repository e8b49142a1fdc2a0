//! `mailstead doctor`: what keeps this host from sending, receiving and proving who it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mailstead_advice::doctor::{Books, Doctor, Examination, Light, Patient, ThisHost};
use mailstead_net::dns::{Chooser, Dns};
use mailstead_store::Options;
use mailstead_web::control::{Answer, Client, ControlError, Operator, Request, Response};

use crate::appliance::own_addresses;
use crate::config::Config;
use crate::print;
use crate::serve::{holds_store, open_store};

/// Looks, at a running server from within, at a stopped one from outside, and prints what was found. True unless
/// something is bad. Without a configuration only a running server can be looked at, in `data`.
///
/// # Errors
/// A sentence when nothing can be looked at.
pub(crate) async fn run(config: Result<Config, String>, data: Option<PathBuf>, json: bool) -> Result<bool, String> {
    let folder = data.or_else(|| config.as_ref().ok().map(|config| config.data.clone()));
    let found = match folder {
        Some(folder) => match Client::connect(&folder).await {
            Ok(client) => ask(client).await?,
            Err(ControlError::NotRunning) => look(&config?).await?,
            Err(error) => return Err(error.to_string()),
        },
        None => look(&config?).await?,
    };
    print::examination(&found, json)?;
    Ok(found.light() != Light::Bad)
}

async fn ask(mut client: Client) -> Result<Examination, String> {
    match client.ask(&Request::Doctor).await.map_err(|error| error.to_string())? {
        Response::Ok(Answer::Examination(found)) => Ok(found),
        Response::Ok(_) => Err("the running server gave an answer to another question".to_owned()),
        Response::Error(sentence) => Err(sentence),
    }
}

/// At a stopped server.
async fn look(config: &Config) -> Result<Examination, String> {
    let books = match holds_store(&config.data) {
        false => Books::default(),
        true => match open_store(&config.data, Options::default()) {
            Ok(store) => Operator::stopped(store, Some(config.hostname.clone())).books().map_err(|e| e.to_string())?,
            Err(why) => Books { cannot_open: Some(why), ..Books::default() },
        },
    };
    // Root must not lock the server out of what it has just opened.
    crate::ownership::hand_over(&config.data);
    let dns: Arc<dyn Dns> = Arc::new(Chooser::start(config.dns.settings()?));
    let listen = config.listen.all().map(|(key, address)| (key.to_owned(), address)).collect();
    Ok(Doctor::new(patient(config, listen, false, dns), Arc::new(ThisHost)).examine(books).await)
}

/// This server, as the doctor sees it.
pub(crate) fn patient(config: &Config, listen: Vec<(String, SocketAddr)>, running: bool, dns: Arc<dyn Dns>) -> Patient {
    Patient {
        hostname: config.hostname.clone(),
        data: config.data.clone(),
        running,
        listen,
        sessions: config.limits.sessions,
        own_addresses: own_addresses(config),
        delivery_port: config.delivery.port,
        dns,
        probes: config.doctor.probes(),
    }
}
