//! How many questions are asked at once, and whose they are.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::DnsError;

/// Questions asked at once; further ones wait.
const AT_ONCE: usize = 512;
/// Of them, those that strangers may choose: their name servers may all be silent until the last second.
const OF_STRANGERS: usize = 384;
/// How long a question waits for its place.
const PATIENCE: Duration = Duration::from_secs(20);

/// In whose name a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// The house itself: to send its mail, to look after its names.
    House,
    /// Somebody outside chose the name.
    Stranger,
}

pub(super) struct Places {
    all: Semaphore,
    of_strangers: Semaphore,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Semaphore::new(AT_ONCE), of_strangers: Semaphore::new(OF_STRANGERS) }
    }
}

/// One question's place, free again when dropped.
pub(super) struct Place<'p> {
    _of_all: SemaphorePermit<'p>,
    _of_strangers: Option<SemaphorePermit<'p>>,
}

impl Places {
    /// Waits for a place.
    pub(super) async fn take(&self, asker: Asker) -> Result<Place<'_>, DnsError> {
        let waiting = async {
            let _of_strangers = match asker {
                Asker::House => None,
                Asker::Stranger => Some(self.of_strangers.acquire().await.ok()?),
            };
            Some(Place { _of_all: self.all.acquire().await.ok()?, _of_strangers })
        };
        let place = tokio::time::timeout(PATIENCE, waiting).await.ok().flatten();
        place.ok_or_else(|| DnsError::Temporary("too many other questions are being asked".to_owned()))
    }
}
