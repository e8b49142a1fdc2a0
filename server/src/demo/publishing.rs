//! What the demo's servers would have their operators publish, published by themselves.

use std::time::Duration;

use mailstead_advice::records::{DomainCheck, Host, Need, Policy, advised};

use mailstead_message::Domain;
use mailstead_store::Store;

use super::dns::{Entry, Names};

/// Between two looks at what changed, such as the keys.
const LOOK: Duration = Duration::from_secs(1);

/// Publishes what a domain should say of itself in DNS. Its DMARC policy has grown up: forged mail is refused.
///
/// # Errors
/// The store can't be read, or a record can't be published.
pub(super) fn publish(store: &Store, domain: &Domain, host: &Host, names: &Names) -> Result<(), String> {
    let DomainCheck { entries, .. } =
        advised(store, domain, host, Policy::Reject).map_err(|error| error.to_string())?;
    let current = entries.iter().filter(|entry| entry.need != Need::Obsolete && entry.is_yours());
    let written = current.map(|entry| Entry::new(&entry.name, &entry.kind.to_string(), &entry.value));
    names.publish(written.collect::<Result<Vec<Entry>, String>>()?);
    Ok(())
}

/// Does so again and again, until it is aborted.
pub(super) async fn keep_publishing(store: Store, domain: Domain, host: Host, names: Names) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = publish(&store, &domain, &host, &names) {
            tracing::warn!(%domain, "the demo can't publish its records: {error}");
        }
    }
}
