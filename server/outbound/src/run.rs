//! One look at a due entry: its parts go to different destinations at the same time, and settle one by one.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use mailstead_store::{QueueEntry, QueueId, RecipientState};
use tokio::sync::Notify;

use crate::attempt::{Fate, Verdict};
use crate::destination::{Destination, Place, Relay};

/// Recipients of one transaction: what every server must take (RFC 5321 4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;

/// The entries under way. The store still calls them due, so that a crash finds them again; whoever takes entries
/// passes over these.
#[derive(Debug, Default, Clone)]
pub(crate) struct Taken(Arc<Register>);

#[derive(Debug, Default)]
struct Register {
    entries: Mutex<HashSet<QueueId>>,
    landed: Notify,
}

impl Taken {
    /// The entries under way now. To be asked *before* the store is asked what is due: an entry that lands in between
    /// is then passed over once, instead of being sent again by what the store said of it before.
    pub(crate) fn entries(&self) -> HashSet<QueueId> {
        self.lock().clone()
    }

    /// Resolves when an entry has landed since the last call.
    pub(crate) async fn landed(&self) {
        self.0.landed.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<QueueId>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry under way; it has landed when all its parts are dropped.
#[derive(Debug)]
pub(crate) struct Run {
    /// The entry as it was when it was taken.
    pub(crate) entry: QueueEntry,
    standing: Mutex<Standing>,
    taken: Taken,
    /// Never to be tried again in this process: its outcome could not be written.
    pub(crate) stranded: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct Standing {
    open_parts: usize,
    waiting: Vec<Verdict>,
}

/// What one destination has to do for an entry.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The entry.
    pub(crate) run: Arc<Run>,
    /// Indexes of the recipients.
    pub(crate) recipients: Vec<usize>,
}

/// Takes an entry: a part for each destination.
pub(crate) fn take(taken: &Taken, entry: QueueEntry, relay: Option<&Relay>) -> Vec<(Destination, Part)> {
    let groups = group(&entry, relay);
    if groups.is_empty() {
        return Vec::new();
    }
    taken.lock().insert(entry.id);
    let standing = Mutex::new(Standing { open_parts: groups.len(), waiting: Vec::new() });
    let run = Arc::new(Run { entry, standing, taken: taken.clone(), stranded: false.into() });
    groups.into_iter().map(|(destination, recipients)| (destination, Part { run: run.clone(), recipients })).collect()
}

impl Part {
    /// Cuts these recipients off into a part of their own.
    pub(crate) fn cut(&mut self, recipients: Vec<usize>) -> Self {
        self.recipients.retain(|index| !recipients.contains(index));
        self.run.standing.lock().unwrap_or_else(PoisonError::into_inner).open_parts += 1;
        Self { run: self.run.clone(), recipients }
    }
}

impl Run {
    /// Notes the verdicts of a part. For the last part it gives all recipients of the entry that still wait.
    pub(crate) fn close_part(&self, verdicts: &[Verdict]) -> Option<Vec<Verdict>> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.waiting.extend(verdicts.iter().filter(|verdict| verdict.fate == Fate::Later).cloned());
        standing.open_parts = standing.open_parts.saturating_sub(1);
        (standing.open_parts == 0).then(|| std::mem::take(&mut standing.waiting))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What made us panic, or could not be settled, is left alone until the next start: better late than twice.
        if std::thread::panicking() || self.stranded.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        self.taken.lock().remove(&self.entry.id);
        self.taken.0.landed.notify_one();
    }
}

/// The waiting recipients by destination, cut into what one transaction may carry.
fn group(entry: &QueueEntry, relay: Option<&Relay>) -> Vec<(Destination, Vec<usize>)> {
    let mut domains: BTreeMap<&str, (Destination, Vec<usize>)> = BTreeMap::new();
    for (index, recipient) in entry.recipients.iter().enumerate() {
        if recipient.state != RecipientState::Waiting {
            continue;
        }
        let domain = recipient.address.domain();
        let key = if relay.is_some() { "" } else { domain.as_str() };
        let place = || relay.map_or_else(|| Place::Domain(domain.clone()), |relay| Place::Relay(relay.clone()));
        let destination = || Destination { place: place(), need: entry.tls };
        domains.entry(key).or_insert_with(|| (destination(), Vec::new())).1.push(index);
    }
    let cut = |(destination, indexes): (Destination, Vec<usize>)| {
        indexes.chunks(MAX_RECIPIENTS).map(|part| (destination.clone(), part.to_vec())).collect::<Vec<_>>()
    };
    domains.into_values().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_message::{Address, TraceId};
    use mailstead_store::{BlobHash, QueueRecipient, Smarthost, SmarthostTls, Timestamp, TlsNeed};

    use super::*;

    fn entry(recipients: &[(&str, RecipientState)]) -> QueueEntry {
        let recipient = |(address, state): &(&str, RecipientState)| QueueRecipient {
            address: Address::parse(address).unwrap(),
            orcpt: None,
            notify: None,
            state: *state,
            last: None,
        };
        QueueEntry {
            id: QueueId(7),
            trace: TraceId::new(0, 0),
            blob: BlobHash([0; 32]),
            size: 0,
            created: Timestamp(0),
            due: Timestamp(0),
            attempts: 0,
            held: false,
            delay_notified: false,
            reverse_path: None,
            envid: None,
            ret: None,
            eight_bit: false,
            smtputf8: false,
            tls: TlsNeed::Usual,
            recipients: recipients.iter().map(recipient).collect(),
        }
    }

    fn later(recipient: usize) -> Verdict {
        Verdict {
            recipient,
            fate: Fate::Later,
            status: (4, 0, 0),
            text: String::new(),
            remote: None,
            reply: None,
            crowded: false,
        }
    }

    #[test]
    fn waiting_recipients_are_grouped_by_domain() {
        use RecipientState::{Delivered, Failed, Waiting};
        let entry = entry(&[
            ("a@x.test", Waiting),
            ("b@y.test", Waiting),
            ("c@x.test", Waiting),
            ("d@x.test", Delivered),
            ("e@y.test", Failed),
        ]);
        let indexes: Vec<Vec<usize>> = group(&entry, None).into_iter().map(|(_, indexes)| indexes).collect();
        assert_eq!(indexes, [vec![0, 2], vec![1]]);
    }

    #[test]
    fn a_relay_takes_all_domains_together() {
        let entry = entry(&[("a@x.test", RecipientState::Waiting), ("b@y.test", RecipientState::Waiting)]);
        let relay =
            Relay(Smarthost { host: "relay.test".to_owned(), port: 465, tls: SmarthostTls::Implicit, login: None });
        let destination = Destination { place: Place::Relay(relay.clone()), need: TlsNeed::Usual };
        assert_eq!(group(&entry, Some(&relay)), [(destination, vec![0, 1])]);
    }

    #[test]
    fn many_recipients_are_cut_into_transactions() {
        let names: Vec<String> = (0..250).map(|number| format!("u{number}@x.test")).collect();
        let recipients: Vec<_> = names.iter().map(|name| (name.as_str(), RecipientState::Waiting)).collect();
        let sizes: Vec<usize> = group(&entry(&recipients), None).iter().map(|(_, part)| part.len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }

    #[test]
    fn an_entry_lands_with_its_last_part_which_knows_all_that_wait() {
        let taken = Taken::default();
        let entry = entry(&[("a@x.test", RecipientState::Waiting), ("b@y.test", RecipientState::Waiting)]);
        let mut parts = take(&taken, entry, None);
        assert_eq!(taken.entries().len(), 1);
        let (_, second) = parts.pop().unwrap();
        let (_, first) = parts.pop().unwrap();
        assert_eq!(first.run.close_part(&[later(0)]), None);
        drop(first);
        assert_eq!(taken.entries().len(), 1);
        assert_eq!(second.run.close_part(&[later(1)]).unwrap().len(), 2);
        drop(second);
        assert!(taken.entries().is_empty());
    }
}
