//! What an operator asks of a domain's keys and records.

use mailstead_auth::published::Record;
use mailstead_message::Domain;
use mailstead_outbound::{RETIRING_DAYS, begin_rotation, published};
use mailstead_store::{DomainKey, KeyState, Store, StoreError};

use super::operator::{done, time};
use super::protocol::{Answer, KeyView, RecordView};

/// What a domain should publish.
pub(super) fn records(store: &Store, domain: &Domain, hostname: &str) -> Result<Answer, StoreError> {
    let records = published(store, domain, hostname)?;
    Ok(Answer::Records(records.into_iter().map(record_view).collect()))
}

/// The keys of a domain.
pub(super) fn list(store: &Store, domain: &Domain) -> Result<Answer, StoreError> {
    if !store.domains()?.iter().any(|known| known.name == *domain) {
        return Err(StoreError::NotFound(format!("the domain {}", domain.to_unicode())));
    }
    Ok(Answer::Keys(store.domain_keys(domain)?.into_iter().map(key_view).collect()))
}

/// Makes the next keys.
pub(super) async fn rotate(store: &Store, domain: &Domain) -> Result<Answer, StoreError> {
    let name = domain.to_unicode();
    match begin_rotation(store, domain).await {
        Ok(()) => done(format!(
            "New keys of {name} are made. They sign as soon as the server sees their records in DNS: publish what \
             `mailstead domain records {name}` shows, and leave the records of the old keys where they are."
        )),
        Err(StoreError::Exists(_)) => Err(StoreError::Invalid(format!(
            "New keys of {name} are made already, and wait to be seen in DNS: publish what `mailstead domain records \
             {name}` shows. It may take an hour until everybody's DNS knows them."
        ))),
        Err(error) => Err(error),
    }
}

fn record_view(record: Record) -> RecordView {
    RecordView {
        zone: record.zone_line(),
        name: record.name,
        kind: record.kind.to_string(),
        value: record.value,
        why: record.why,
        obsolete: record.obsolete,
    }
}

fn key_view(key: DomainKey) -> KeyView {
    KeyView {
        meaning: match key.state {
            KeyState::Upcoming => "signs as soon as all new records are seen in DNS".to_owned(),
            KeyState::Active => "signs".to_owned(),
            KeyState::Retiring => format!(
                "signs no more; its record must stay for {RETIRING_DAYS} days, for letters that are still on their way"
            ),
            KeyState::Gone => "signs no more; its record may be removed".to_owned(),
        },
        selector: key.selector,
        state: key.state,
        created: time(key.created),
        since: time(key.since),
    }
}
