//! `mailstead config …`

use clap::Subcommand;

/// `mailstead config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the file and show what is in force
    Check,
    /// Print a file with every key and its default, to begin with
    Example,
    /// Print the systemd unit that the server runs best under
    Unit,
}
