//! Writing down what a try brought, together with the reports it causes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mailstead_message::Address;
use mailstead_message::dsn::Action;
use mailstead_store::{Acceptance, QueueEntry, RecipientState, Settlement, StoreError, StoryEvent, Timestamp};

use crate::attempt::{Fate, Verdict};
use crate::report;
use crate::run::{Part, Run};
use crate::{Context, retry};

/// Waits between tries to write an outcome down: room on a disk comes back in its own time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Writes a part's outcome. Returns when it is on disk; until then nothing else may be sent on its behalf, for what a
/// peer has accepted and we can't remember would be sent again after a crash.
pub(crate) async fn settle(context: &Context, part: &Part, mut verdicts: Vec<Verdict>, mut told: Vec<String>) {
    let run = &part.run;
    let now = context.now();
    give_up_if_old(context, run, &mut verdicts, now);
    let still_waiting = run.close_part(&verdicts);
    let mut settlement = Settlement {
        recipients: verdicts.iter().map(|verdict| (verdict.recipient, state(verdict), verdict.text.clone())).collect(),
        attempted: still_waiting.is_some(),
        ..Settlement::default()
    };
    let mut news = wanted(run, Action::Failed, &verdicts);
    news.extend(wanted(run, Action::Relayed, &verdicts));
    if let Some(waiting) = still_waiting.filter(|waiting| !waiting.is_empty()) {
        let due = retry::next_try(&context.policy.schedule, &run.entry, now, rand::random());
        told.push(format!("The next try will be at {}.", report::time(due)));
        settlement.due = Some(due);
        if retry::notice_is_due(&context.policy.schedule, &run.entry, now) {
            settlement.delay_notified = true;
            news.extend(wanted(run, Action::Delayed, &waiting));
        }
    }
    log(run, &verdicts);
    write(context, part, settlement, news, told, now).await;
}

fn state(verdict: &Verdict) -> RecipientState {
    match verdict.fate {
        Fate::Delivered { .. } => RecipientState::Delivered,
        Fate::Failed => RecipientState::Failed,
        Fate::Later => RecipientState::Waiting,
    }
}

/// Turns "later" into "never" when the time is over.
fn give_up_if_old(context: &Context, run: &Run, verdicts: &mut [Verdict], now: Timestamp) {
    if !retry::gives_up(&context.policy.schedule, &run.entry, now) {
        return;
    }
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.fate == Fate::Later) {
        verdict.fate = Fate::Failed;
        // Delivery time expired (RFC 3463 3.5).
        verdict.status = (4, 4, 7);
        verdict.text =
            format!("given up after {} tries; the last: {}", run.entry.attempts.saturating_add(1), verdict.text);
    }
}

/// The verdicts of that kind, as far as the sender wants to hear of them.
fn wanted(run: &Run, action: Action, verdicts: &[Verdict]) -> Vec<(Action, Verdict)> {
    // Never a report on a report (RFC 3464 2, RFC 5321 6.1).
    if run.entry.reverse_path.is_none() {
        return Vec::new();
    }
    let is_such = |verdict: &&Verdict| match action {
        Action::Failed => verdict.fate == Fate::Failed,
        Action::Delayed => verdict.fate == Fate::Later,
        Action::Relayed => verdict.fate == Fate::Delivered { reports: false },
        Action::Expanded | Action::Delivered => false,
    };
    let is_wished = |verdict: &&Verdict| {
        run.entry.recipients.get(verdict.recipient).is_some_and(|recipient| report::is_wanted(action, recipient.notify))
    };
    verdicts.iter().filter(is_such).filter(is_wished).map(|verdict| (action, verdict.clone())).collect()
}

fn log(run: &Run, verdicts: &[Verdict]) {
    for verdict in verdicts {
        let to = run.entry.recipients.get(verdict.recipient).map(|recipient| recipient.address.to_string());
        let to = to.as_deref().unwrap_or_default();
        let what = match verdict.fate {
            Fate::Delivered { .. } => "delivered",
            Fate::Failed => "failed",
            Fate::Later => "deferred",
        };
        tracing::info!(trace = %run.entry.trace, queue = %run.entry.id, to, "{what}: {}", verdict.text);
    }
}

/// Tries until it is written. What can never be written strands the entry: it is not sent again by this process.
async fn write(
    context: &Context,
    part: &Part,
    settlement: Settlement,
    mut news: Vec<(Action, Verdict)>,
    mut told: Vec<String>,
    now: Timestamp,
) {
    let entry = &part.run.entry;
    if !news.is_empty() {
        write_delivered(context, part, &settlement).await;
    }
    let mut wait = FIRST_WAIT;
    loop {
        let error = match try_write(context, part, &settlement, &news, &told, now).await {
            Ok(()) => return,
            Err(error) => error,
        };
        let hopeless = !error.is_temporary() || matches!(error, StoreError::OverQuota);
        if hopeless && !news.is_empty() {
            tracing::warn!(trace = %entry.trace, queue = %entry.id, "the report can't be delivered: {error}");
            told.push(format!("The report to the sender could not be delivered: {error}."));
            news.clear();
            continue;
        }
        if hopeless {
            tracing::error!(trace = %entry.trace, queue = %entry.id, "an outcome can't be written: {error}");
            part.run.stranded.store(true, Ordering::Relaxed);
            return;
        }
        tracing::warn!(trace = %entry.trace, queue = %entry.id, "an outcome can't be written yet: {error}");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(MAX_WAIT);
    }
}

/// Writes down alone what was accepted, where a report on others goes with the rest: making that report may have to wait
/// for room on the disk, and a crash meanwhile must not send anything twice. It is written again with the rest.
async fn write_delivered(context: &Context, part: &Part, settlement: &Settlement) {
    let is_delivered = |state: &RecipientState| *state == RecipientState::Delivered;
    let delivered: Vec<_> = settlement.recipients.iter().filter(|(_, state, _)| is_delivered(state)).cloned().collect();
    // With its last recipient the entry would go, and the report with it.
    if delivered.is_empty() || delivered.len() == settlement.recipients.len() {
        return;
    }
    let first = Settlement { recipients: delivered, ..Settlement::default() };
    if let Err(error) = context.store.settle(part.run.entry.id, first, Vec::new()).await {
        tracing::warn!(trace = %part.run.entry.trace, "an outcome can't be written yet: {error}");
    }
}

async fn try_write(
    context: &Context,
    part: &Part,
    settlement: &Settlement,
    news: &[(Action, Verdict)],
    told: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = &part.run.entry;
    let mut told = told.to_vec();
    let times = (now, retry::last_try(&context.policy.schedule, entry, now));
    let notice = report::compose(context.writer(), entry, news, times, &mut told).await?;
    let notices: Vec<Acceptance> = notice.into_iter().collect();
    let addresses: Vec<Address> = entry
        .reverse_path
        .iter()
        .chain(
            part.recipients.iter().filter_map(|index| entry.recipients.get(*index)).map(|recipient| &recipient.address),
        )
        .cloned()
        .collect();
    let story = story(entry, settlement, told, &addresses, now);
    context.store.settle(entry.id, Settlement { story, ..settlement.clone() }, notices).await
}

/// The story of what was settled: the last event has what it means.
pub(crate) fn story(
    entry: &QueueEntry,
    settlement: &Settlement,
    told: Vec<String>,
    addresses: &[Address],
    now: Timestamp,
) -> Vec<StoryEvent> {
    let fates = settlement.recipients.iter().filter_map(|(index, state, _)| {
        let fate = match state {
            RecipientState::Waiting => mailstead_store::Fate::Waiting,
            RecipientState::Delivered => mailstead_store::Fate::Delivered,
            RecipientState::Failed => mailstead_store::Fate::Failed,
        };
        Some((entry.recipients.get(*index)?.address.clone(), fate))
    });
    let event = |text| StoryEvent::new(now, text, addresses.to_vec());
    let mut story: Vec<StoryEvent> = told.into_iter().map(event).collect();
    if let Some(last) = story.last_mut() {
        last.meaning.fates = fates.collect();
    }
    story
}
