//! `mailstead account`, what needs more than a line.

use clap::Args;
use mailstead_message::Address;
use mailstead_web::control::Request;

/// `mailstead account forward`
#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// The account
    address: Address,
    /// Where to: addresses here or elsewhere
    #[arg(required_unless_present = "off")]
    to: Vec<Address>,
    /// Nothing stays in the account's own mailbox
    #[arg(long)]
    no_copy: bool,
    /// No longer
    #[arg(long, conflicts_with_all = ["to", "no_copy"])]
    off: bool,
}

impl Forward {
    pub(crate) fn request(self) -> Request {
        Request::AccountForward { address: self.address, to: self.to, keep: !self.no_copy }
    }
}
