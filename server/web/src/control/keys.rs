//! What an operator asks of a domain's keys.

use mailstead_message::Domain;
use mailstead_outbound::{RETIRING_DAYS, begin_rotation};
use mailstead_store::{DomainKey, KeyState, Store, StoreError, Timestamp};

use super::operator::{done, time};
use super::protocol::Answer;
use super::views::KeyView;

/// Keys older than this are worth replacing.
const OLD: i64 = 365 * 24 * 60 * 60;

/// The keys of a domain.
pub(super) fn list(store: &Store, domain: &Domain) -> Result<Answer, StoreError> {
    Ok(Answer::Keys(list_of(store, domain)?.into_iter().map(key_view).collect()))
}

fn list_of(store: &Store, domain: &Domain) -> Result<Vec<DomainKey>, StoreError> {
    store.require_domain(domain)?;
    store.domain_keys(domain)
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
             {name}` shows. It may take an hour until everybody's DNS knows them. `mailstead domain rotate-key {name} \
             --cancel` gives them up."
        ))),
        Err(error) => Err(error),
    }
}

/// Gives up the next keys.
pub(super) async fn cancel(store: &Store, domain: &Domain) -> Result<Answer, StoreError> {
    let name = domain.to_unicode();
    if list_of(store, domain)?.iter().all(|key| key.state != KeyState::Upcoming) {
        return Err(none_waits(&name));
    }
    match store.cancel_keys(domain).await {
        Ok(()) => done(format!(
            "The next keys of {name} are given up; the present ones go on signing. If you have published records of \
             the new ones, remove them: `mailstead domain records {name}` shows which."
        )),
        // They began to sign in this very moment.
        Err(StoreError::NotFound(_)) => Err(none_waits(&name)),
        Err(error) => Err(error),
    }
}

fn none_waits(name: &str) -> StoreError {
    StoreError::Invalid(format!(
        "No new keys of {name} wait for anything: once their records are seen in DNS they sign, and then only newer \
         ones can take their place. `mailstead domain keys {name}` shows what there is."
    ))
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}

fn key_view(key: DomainKey) -> KeyView {
    KeyView {
        meaning: match key.state {
            KeyState::Upcoming => "signs as soon as all new records are seen in DNS".to_owned(),
            KeyState::Active if now().0 - key.created.0 > OLD => {
                "signs; it is more than a year old: `mailstead domain rotate-key` makes the next one".to_owned()
            }
            KeyState::Active => "signs".to_owned(),
            KeyState::Retiring => format!(
                "signs no more; its record must stay for {RETIRING_DAYS} days, for letters that are still on their way"
            ),
            KeyState::Gone => "does not sign; its record may be removed".to_owned(),
        },
        selector: key.selector,
        state: key.state,
        created: time(key.created),
        since: time(key.since),
    }
}
