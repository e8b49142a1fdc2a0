//! What becomes of a letter from the world: who may send, who may receive, deliver.
//!
//! Start reading at [`Exchange`].

use std::sync::Arc;

use mailstead_store::Store;

/// The house behind port 25: a [`mailstead_smtp::server::Handler`].
pub struct Exchange {
    #[expect(dead_code, reason = "being built")]
    store: Store,
}

/// What port 25 needs to know of its house.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our host name, for Received.
    pub hostname: String,
    /// Received fields beyond which a message is a loop.
    pub max_received: usize,
}

impl Exchange {
    /// Makes the house behind port 25.
    pub fn new(store: Store, _policy: Policy, _gate: Arc<mailstead_net::Gate>) -> Self {
        Self { store }
    }
}
