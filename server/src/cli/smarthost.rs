//! `mailstead smarthost`

use clap::{Subcommand, ValueEnum};
use mailstead_message::Domain;

use super::domain_name;

/// `mailstead smarthost`
#[derive(Debug, Subcommand)]
pub(crate) enum SmarthostCommand {
    /// Send through a relay; asks for the password, or reads it from standard input
    Set {
        /// The relay's host name
        host: String,
        /// Its port
        #[arg(long, default_value_t = 465)]
        port: u16,
        /// How TLS is used
        #[arg(long, value_enum, default_value_t = TlsMode::Implicit)]
        tls: TlsMode,
        /// The user name it wants
        #[arg(long)]
        user: Option<String>,
        /// Only for mail from this domain
        #[arg(long, value_parser = domain_name)]
        domain: Option<Domain>,
    },
    /// Show what is set
    Show,
    /// Deliver directly again
    Clear {
        /// Only for mail from this domain
        #[arg(long, value_parser = domain_name)]
        domain: Option<Domain>,
    },
}

/// How TLS is used towards a smarthost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsMode {
    /// From the first byte (port 465)
    Implicit,
    /// STARTTLS, required (port 587)
    Starttls,
    /// Never; only without a login
    None,
}
