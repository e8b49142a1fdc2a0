//! Returning what waits before its time: an operator sees that it will never arrive, and the sender is to know.

use mailstead_inbound::Signing;
use mailstead_message::dsn::Action;
use mailstead_store::{QueueEntry, QueueId, RecipientState, Settlement, Store, StoreError, Timestamp};

use crate::attempt::{Fate, Verdict};
use crate::report::{self, Writer};
use crate::settle;

/// Gives up a queued message for all who still wait and tells its sender (RFC 3464), in one transaction. `hostname` is
/// ours. Gives a sentence on what was done.
///
/// # Errors
/// It is gone, nobody can be told, it has changed meanwhile, and those of any change.
pub async fn bounce(store: &Store, hostname: &str, id: QueueId) -> Result<String, StoreError> {
    let entry = store.queue_entry(id)?.ok_or_else(|| StoreError::NotFound(format!("the queued message {id}")))?;
    if entry.reverse_path.is_none() {
        let text = format!("Message {id} is a report itself: there is nobody to return it to. Remove it instead.");
        return Err(StoreError::Invalid(text));
    }
    let verdicts = verdicts(&entry);
    let news: Vec<(Action, Verdict)> = verdicts
        .iter()
        .filter(|verdict| is_told(&entry, verdict))
        .cloned()
        .map(|verdict| (Action::Failed, verdict))
        .collect();
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let mut told = vec!["An operator gave it up.".to_owned()];
    let signing = Signing::new(store.clone());
    let writer = Writer { store, signing: &signing, hostname };
    let notice = report::compose(writer, &entry, &news, (now, now), &mut told).await?;
    let sentence = match (&notice, &entry.reverse_path) {
        (Some(_), Some(sender)) => format!("Message {id} is given up, and {sender} is told."),
        _ => format!("Message {id} is given up; there was nobody to be told."),
    };
    let recipients =
        verdicts.iter().map(|verdict| (verdict.recipient, RecipientState::Failed, verdict.text.clone())).collect();
    let mut settlement = Settlement { recipients, ..Settlement::default() };
    let waiting = verdicts.iter().filter_map(|verdict| entry.recipients.get(verdict.recipient));
    let addresses: Vec<_> =
        entry.reverse_path.iter().chain(waiting.map(|recipient| &recipient.address)).cloned().collect();
    settlement.story = settle::story(&entry, &settlement, told, &addresses, now);
    store.settle_unchanged(entry, settlement, notice.into_iter().collect()).await?;
    Ok(sentence)
}

/// The same verdict for all who wait.
fn verdicts(entry: &QueueEntry) -> Vec<Verdict> {
    let waiting = |(index, recipient): (usize, &mailstead_store::QueueRecipient)| {
        if recipient.state != RecipientState::Waiting {
            return None;
        }
        let last = recipient.last.as_ref().map(|last| format!("; the last: {last}")).unwrap_or_default();
        Some(Verdict {
            recipient: index,
            fate: Fate::Failed,
            // Other or undefined mail system status (RFC 3463 3.4): nobody refused it.
            status: (5, 3, 0),
            text: format!("given up by the operator of this server after {} tries{last}", entry.attempts),
            remote: None,
            reply: None,
            crowded: false,
        })
    };
    entry.recipients.iter().enumerate().filter_map(waiting).collect()
}

fn is_told(entry: &QueueEntry, verdict: &Verdict) -> bool {
    let recipient = entry.recipients.get(verdict.recipient);
    recipient.is_some_and(|recipient| report::is_wanted(Action::Failed, recipient.notify))
}
