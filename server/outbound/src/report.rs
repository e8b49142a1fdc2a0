//! Reports to the sender: who wants which, what they say, where they go (RFC 3461, RFC 3464).

use mailstead_inbound::{Post, Signing, original_sender, post};
use mailstead_message::dsn::{Action, MAX_RETURNED, Recipient, Report};
use mailstead_message::{Domain, TraceId};
use mailstead_store::{Acceptance, Notify, QueueEntry, Ret, Store, StoreError, Timestamp, TlsNeed};

use crate::attempt::Verdict;

/// Who writes reports.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) signing: &'a Signing,
    pub(crate) hostname: &'a str,
}

/// True when a recipient's NOTIFY asks to be told of that; without NOTIFY, failure and delay are told (RFC 3461 4.1,
/// 5.2.5).
pub(crate) fn is_wanted(action: Action, notify: Option<Notify>) -> bool {
    let notify = notify.unwrap_or_default();
    // Nothing set and not NEVER is the store's way to say default.
    let default = notify == Notify::default();
    match action {
        Action::Failed => notify.failure || default,
        Action::Delayed => notify.delay || default,
        Action::Relayed | Action::Expanded | Action::Delivered => notify.success,
    }
}

/// Makes the report as a message of its own, ready to be stored with the settlement. `None` when there is nobody to
/// tell; what was done about it is added to the story of the original.
pub(crate) async fn compose(
    writer: Writer<'_>,
    entry: &QueueEntry,
    news: &[(Action, Verdict)],
    (now, retry_until): (Timestamp, Timestamp),
    told: &mut Vec<String>,
) -> Result<Option<Acceptance>, StoreError> {
    let Writer { store, signing, hostname } = writer;
    let Some(sender) = entry.reverse_path.as_ref().filter(|_| !news.is_empty()) else { return Ok(None) };
    // Straight to who wrote it, where an alias has sent it on.
    let sender = &original_sender(store, sender, now)?;
    let trace = TraceId::new(u64::try_from(now.0).unwrap_or(0), rand::random());
    let author = signing.writing_domain(hostname, sender)?;
    let report = Report {
        hostname,
        domain: author.as_ref().map_or(hostname, Domain::as_str),
        id: &trace.to_string(),
        to: sender,
        now: now.0,
        arrived: entry.created.0,
        envelope_id: entry.envid.as_deref(),
        recipients: news
            .iter()
            .filter_map(|(action, verdict)| about(entry, *action, verdict, now, retry_until))
            .collect(),
        original: &original(store, entry).await?,
        full: returns_all(entry, news),
        smtputf8: sender.needs_smtputf8(),
    };
    let message = report.compose();
    let smtputf8 = report.smtputf8;
    let what = outcome(news);
    let text = format!("This is our report to {sender} that the delivery of message {} {what}.", entry.trace);
    let (signing, to) = (signing.clone(), sender.clone());
    let posting = move || {
        let author = author.as_ref();
        post(
            &signing,
            Post { to: &to, reverse_path: None, author, message: &message, smtputf8, trace, at: now, told: text },
        )
    };
    let posted = tokio::task::spawn_blocking(posting).await.map_err(|error| StoreError::Io(error.to_string()))??;
    told.push(match &posted {
        Some(_) => format!("{sender} is told that the delivery {what} (message {trace})."),
        None => format!("{sender} could not be told that the delivery {what}: the address no longer exists."),
    });
    Ok(posted)
}

/// The worst of the news, in a few words.
fn outcome(news: &[(Action, Verdict)]) -> &'static str {
    match news.iter().map(|(action, _)| *action).min() {
        Some(Action::Failed) | None => "failed",
        Some(Action::Delayed) => "is delayed",
        Some(Action::Relayed | Action::Expanded | Action::Delivered) => "succeeded as far as can be told",
    }
}

/// A time for people and stories: `2026-11-25 13:31 UTC`.
pub(crate) fn time(at: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(at.0);
    time.map_or_else(|_| at.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn about<'a>(
    entry: &'a QueueEntry,
    action: Action,
    verdict: &'a Verdict,
    now: Timestamp,
    retry_until: Timestamp,
) -> Option<Recipient<'a>> {
    let recipient = entry.recipients.get(verdict.recipient)?;
    Some(Recipient {
        address: &recipient.address,
        original: recipient.orcpt.as_ref().map(|(kind, address)| (kind.as_str(), address.as_str())),
        action,
        status: verdict.status,
        explanation: &verdict.text,
        remote: verdict.remote.as_deref(),
        diagnostic: verdict.reply.as_deref(),
        last_attempt: Some(now.0),
        retry_until: Some(retry_until.0),
    })
}

/// RET counts for failures only (RFC 3461 4.3).
fn returns_all(entry: &QueueEntry, news: &[(Action, Verdict)]) -> bool {
    let failed = news.iter().any(|(action, _)| *action == Action::Failed);
    // What had to travel safely does not travel back otherwise (RFC 8689 5).
    let open = entry.tls != TlsNeed::Required;
    failed && open && entry.ret == Some(Ret::Full) && entry.size <= MAX_RETURNED as u64
}

/// As much of the original as a report may return.
async fn original(store: &Store, entry: &QueueEntry) -> Result<Vec<u8>, StoreError> {
    let (store, blob) = (store.clone(), entry.blob);
    let read = move || store.open_blob(blob)?.read(0..MAX_RETURNED as u64);
    match tokio::task::spawn_blocking(read).await.map_err(|error| StoreError::Io(error.to_string()))? {
        Err(error) if error.is_temporary() => Err(error),
        // The sender must hear of the failure even if nothing of the message can be shown.
        read => Ok(read.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn notify_decides_who_is_told_what() {
        let never = Notify { never: true, ..Notify::default() };
        let success = Notify { success: true, ..Notify::default() };
        let all = Notify { never: false, success: true, failure: true, delay: true };
        for (notify, failed, delayed, relayed) in [
            (None, true, true, false),
            (Some(Notify::default()), true, true, false),
            (Some(never), false, false, false),
            (Some(success), false, false, true),
            (Some(all), true, true, true),
            (Some(Notify { failure: true, ..Notify::default() }), true, false, false),
        ] {
            let wanted = [Action::Failed, Action::Delayed, Action::Relayed].map(|action| is_wanted(action, notify));
            assert_eq!(wanted, [failed, delayed, relayed], "{notify:?}");
        }
    }
}
