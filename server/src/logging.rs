//! Log lines: structured, on standard error, without secrets or bodies.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::Log;

/// Starts logging for the life of the process.
///
/// # Errors
/// A sentence when the level can't be understood.
pub(crate) fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("log.level: {:?}: {error}", log.level))?;
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
