//! Log lines: structured, on standard error, without secrets or bodies. The latest are kept for the web and the command
//! line.

mod recent;

use std::io::IsTerminal;

use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::config::Log;

/// Silent unless the configured level names them.
const QUIET: &str = "hickory_net=off,hickory_proto=off,hickory_resolver=off,hickory_server=off";

/// What of all there is to say is logged.
///
/// # Errors
/// Words when the level can't be understood.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    // The DNS library warns of every strange name a stranger makes us look up; what matters of it is logged by us.
    let quiet = if level.contains("hickory") { String::new() } else { format!("{QUIET},") };
    EnvFilter::try_new(quiet + level).map_err(|error| format!("{level:?}: {error}"))
}

/// Starts logging for the life of the process.
///
/// # Errors
/// A sentence when the level can't be understood.
pub(crate) fn start(log: &Log) -> Result<(), String> {
    let filter = filter(&log.level).map_err(|what| format!("log.level: {what}"))?;
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if log.json {
        lines.json().boxed()
    } else if under_systemd {
        // The journal has its own time stamps.
        lines.with_ansi(false).without_time().boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let started = registry().with(lines).with(recent::Keep).with(filter).try_init();
    started.map_err(|error| format!("logging can't start: {error}"))
}
