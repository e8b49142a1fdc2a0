//! Log lines: structured, on standard error, without secrets or bodies.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

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
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if log.json {
        builder.json().try_init()
    } else if under_systemd {
        // The journal has its own time stamps.
        builder.with_ansi(false).without_time().try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| format!("logging can't start: {error}"))
}
