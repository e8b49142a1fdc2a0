//! What the demo's servers would have their operators publish, published by themselves.

use std::time::Duration;

use mailstead_message::Domain;
use mailstead_outbound::published;
use mailstead_store::Store;

use super::dns::{Entry, Names};

/// Between two looks at what changed, such as the keys.
const LOOK: Duration = Duration::from_secs(1);

/// Publishes what a domain should say of itself in DNS.
///
/// # Errors
/// The store can't be read, or a record can't be published.
pub(super) fn publish(store: &Store, domain: &Domain, hostname: &str, names: &Names) -> Result<(), String> {
    let records = published(store, domain, hostname).map_err(|error| error.to_string())?;
    let entry = |record: &mailstead_outbound::Record| Entry::new(&record.name, &record.kind.to_string(), &record.value);
    let current = records.iter().filter(|record| !record.obsolete);
    names.publish(current.map(entry).collect::<Result<Vec<Entry>, String>>()?);
    Ok(())
}

/// Does so again and again, until it is aborted.
pub(super) async fn keep_publishing(store: Store, domain: Domain, hostname: String, names: Names) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = publish(&store, &domain, &hostname, &names) {
            tracing::warn!(%domain, "the demo can't publish its records: {error}");
        }
    }
}
