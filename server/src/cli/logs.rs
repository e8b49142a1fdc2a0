//! `mailstead logs`

use clap::{Args, ValueEnum};
use mailstead_web::control::Request;
use mailstead_web::logs::Severity;

/// `mailstead logs`
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only lines that matter at least so much
    #[arg(long, value_enum, default_value_t = Level::Info)]
    level: Level,
    /// Only lines that contain this
    #[arg(default_value = "")]
    containing: String,
    /// How many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Something went wrong
    Error,
    /// Something is not as it should be
    Warn,
    /// What happens
    Info,
    /// For whoever develops it
    Debug,
}

impl Logs {
    pub(crate) fn request(self) -> Request {
        let least = match self.level {
            Level::Error => Severity::Error,
            Level::Warn => Severity::Warn,
            Level::Info => Severity::Info,
            Level::Debug => Severity::Debug,
        };
        Request::Logs { least, containing: self.containing, limit: self.limit }
    }
}
