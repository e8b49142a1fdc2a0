//! `mailstead queue`

use clap::{Args, Subcommand};
use mailstead_store::QueueAction;
use mailstead_web::control::Request;

/// `mailstead queue`
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// What waits, why, and when it is tried next
    List,
    /// Try now
    Retry(Which),
    /// Hold until told to retry
    Hold {
        /// The number in the list
        #[arg(value_parser = queue_number)]
        id: u64,
    },
    /// Give up and tell the sender
    Bounce {
        /// The number in the list
        #[arg(value_parser = queue_number)]
        id: u64,
    },
    /// Remove without a word to the sender
    Remove {
        /// The number in the list
        #[arg(value_parser = queue_number)]
        id: u64,
    },
}

/// Which to try.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The number in the list
    #[arg(value_parser = queue_number, required_unless_present = "all")]
    id: Option<u64>,
    /// All that are not held
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

impl QueueCommand {
    pub(crate) fn request(self) -> Request {
        match self {
            Self::List => Request::QueueList,
            Self::Retry(Which { id: Some(id), .. }) => Request::Queue { id, action: QueueAction::Retry },
            Self::Retry(Which { id: None, .. }) => Request::QueueRetryAll,
            Self::Hold { id } => Request::Queue { id, action: QueueAction::Hold },
            Self::Bounce { id } => Request::QueueBounce { id },
            Self::Remove { id } => Request::Queue { id, action: QueueAction::Remove },
        }
    }
}

fn queue_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "that is not a number from `mailstead queue list`".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_queue_number_comes_from_the_list() {
        assert_eq!(queue_number("12"), Ok(12));
        assert_eq!(queue_number("x").unwrap_err(), "that is not a number from `mailstead queue list`");
    }
}
