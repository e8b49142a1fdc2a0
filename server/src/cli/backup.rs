//! `mailstead backup` and `mailstead restore`

use std::path::PathBuf;

use clap::Args;

/// `mailstead backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder that takes backups, best on another disk: each gets a folder of its own in it, and shares with the one
    /// before what has not changed. Without it, the last backups are told
    pub folder: Option<PathBuf>,
    /// Make none, but read the latest in the folder (or this one) from end to end: is it whole?
    #[arg(long, requires = "folder")]
    pub check: bool,
    /// How many are kept; older ones are removed once the new one is proved
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: u16,
}

/// `mailstead restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A backup, or a folder of backups: then the latest
    pub backup: PathBuf,
    /// Let letters that wait to go out go at the next start. Otherwise they are held, since some may have gone out
    /// already after the backup was made
    #[arg(long)]
    pub release_queue: bool,
}
