//! Why a message or a recipient is not taken, and what the peer hears.

use mailstead_smtp::Reply;
use mailstead_store::StoreError;

/// Why a message or a recipient is not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// For a reason the peer is told as it is.
    #[error("{0}")]
    Said(Reply),
    /// The store could not do its part; the peer hears what [`trouble`] makes of it, the log the rest.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self::Said(reply)
    }
}

impl Refusal {
    /// What the peer hears.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Said(reply) => reply.clone(),
            Self::Store(error) => trouble(error),
        }
    }
}

/// What a peer hears of the store's troubles: always temporary, for none of them is the fault of the message, and what
/// an operator repairs within a day must not bounce.
pub(crate) fn trouble(error: &StoreError) -> Reply {
    match error {
        StoreError::DiskFull => Reply::new(452, (4, 3, 1), "there is no room on the disk here, try again later"),
        StoreError::OverQuota => {
            Reply::new(452, (4, 2, 2), "a recipient's mailbox is full; nothing was delivered, try again later")
        }
        StoreError::Closed => Reply::new(451, (4, 3, 2), "the server is going down, try again later"),
        _ => Reply::new(451, (4, 3, 0), "something is wrong with this server, try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trouble_of_ours_bounces_a_message() {
        for (error, code, status) in [
            (StoreError::DiskFull, 452, (4, 3, 1)),
            (StoreError::OverQuota, 452, (4, 2, 2)),
            (StoreError::Closed, 451, (4, 3, 2)),
            (StoreError::Io("broken".into()), 451, (4, 3, 0)),
            (StoreError::Damaged("broken".into()), 451, (4, 3, 0)),
            (StoreError::NotFound("alice".into()), 451, (4, 3, 0)),
        ] {
            let reply = trouble(&error);
            assert_eq!((reply.code, reply.status), (code, Some(status)), "{error}");
            assert_eq!(Refusal::from(error).reply(), reply);
        }
    }
}
