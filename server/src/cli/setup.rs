//! `mailstead setup`

use clap::Args;

/// `mailstead setup`
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Print a link instead that opens the same at the web: for a day, once, and only until somebody governs the server
    #[arg(long)]
    pub link: bool,
}
