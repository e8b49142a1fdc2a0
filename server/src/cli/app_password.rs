//! `mailstead app-password`

use clap::Subcommand;
use mailstead_message::Address;
use mailstead_web::control::Request;

/// `mailstead app-password`
#[derive(Debug, Subcommand)]
pub(crate) enum AppPasswordCommand {
    /// Make a password for one device of somebody's; it is shown only once
    Add {
        /// The account
        account: Address,
        /// What the device is called, such as phone
        name: String,
    },
    /// List an account's app passwords, and when and from where each was used last
    List {
        /// The account
        account: Address,
    },
    /// Remove one: its device can't log in any more
    Remove {
        /// The account
        account: Address,
        /// Its number, as `mailstead app-password list` shows it
        #[arg(required_unless_present = "all")]
        id: Option<u64>,
        /// All of the account
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

impl AppPasswordCommand {
    pub(crate) fn request(self) -> Request {
        match self {
            Self::Add { account, name } => Request::AppPasswordAdd { account, name },
            Self::List { account } => Request::AppPasswordList { account },
            Self::Remove { account, id, .. } => Request::AppPasswordRemove { account, id },
        }
    }
}
