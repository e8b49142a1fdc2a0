//! Reports to the sender: who wants which, what they say, where they go (RFC 3461, RFC 3464).

use mailstead_inbound::{Post, post};
use mailstead_message::TraceId;
use mailstead_store::{Acceptance, Notify, QueueEntry, Ret, StoreError, Timestamp};

use crate::attempt::Verdict;
use crate::dsn::{Dsn, Recipient, Returned};
use crate::{Context, retry};

/// Largest message returned whole with RET=FULL; of larger ones the header is enough to know them by.
const MAX_RETURNED: u64 = 1 << 20;
/// Most of a message read to find its header.
const MAX_HEADER: u64 = 64 << 10;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not delivered, and never will be.
    Failed,
    /// Not delivered yet.
    Delayed,
    /// Handed to a server that makes no reports of success itself.
    Relayed,
}

impl Kind {
    /// True when a recipient's NOTIFY asks for it; without NOTIFY, failure and delay are told (RFC 3461 4.1, 5.2.5).
    pub(crate) fn is_wanted(self, notify: Option<Notify>) -> bool {
        let notify = notify.unwrap_or(Notify { failure: true, delay: true, ..Notify::default() });
        let asked = match self {
            Self::Failed => notify.failure,
            Self::Delayed => notify.delay,
            Self::Relayed => notify.success,
        };
        // Nothing set and not NEVER is the store's way to say default.
        let default = Notify { never: notify.never, ..Notify::default() } == notify && self != Self::Relayed;
        !notify.never && (asked || default)
    }
}

/// Makes the report as a message of its own, ready to be stored with the settlement. `None` when there is nobody to
/// tell; what was done about it is added to the story of the original.
pub(crate) async fn compose(
    context: &Context,
    entry: &QueueEntry,
    kind: Kind,
    verdicts: &[Verdict],
    now: Timestamp,
    told: &mut Vec<String>,
) -> Result<Option<Acceptance>, StoreError> {
    let Some(sender) = &entry.reverse_path else { return Ok(None) };
    let trace = TraceId::new(u64::try_from(now.0).unwrap_or(0), rand::random());
    let hostname = context.policy.hostname.as_str();
    let dsn = Dsn {
        kind,
        hostname,
        id: trace.to_string(),
        sender,
        now,
        arrived: entry.created,
        retry_until: retry::last_try(&context.policy.schedule, entry),
        envid: entry.envid.as_deref(),
        recipients: verdicts.iter().filter_map(|verdict| about(entry, verdict)).collect(),
        returned: returned_part(context, entry, kind).await?,
    };
    let message = dsn.render();
    let what = match kind {
        Kind::Failed => "failed",
        Kind::Delayed => "is delayed",
        Kind::Relayed => "succeeded as far as can be told",
    };
    let text = format!("This is our report to {sender} that the delivery of message {} {what}.", entry.trace);
    let (store, to) = (context.store.clone(), sender.clone());
    let posting =
        move || post(&store, Post { to: &to, message: &message, smtputf8: false, trace, at: now, told: text });
    let posted = tokio::task::spawn_blocking(posting).await.map_err(|error| StoreError::Io(error.to_string()))??;
    told.push(match &posted {
        Some(_) => format!("{sender} is told that the delivery {what} (message {trace})."),
        None => format!("{sender} could not be told that the delivery {what}: the address no longer exists."),
    });
    Ok(posted)
}

/// A time for people and stories.
pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |time| time.to_string())
}

fn about<'a>(entry: &'a QueueEntry, verdict: &'a Verdict) -> Option<Recipient<'a>> {
    let recipient = entry.recipients.get(verdict.recipient)?;
    Some(Recipient {
        address: &recipient.address,
        original: recipient.orcpt.as_ref().map(|(kind, address)| (kind.as_str(), address.as_str())),
        status: verdict.status,
        text: &verdict.text,
        remote: verdict.remote.as_deref(),
        reply: verdict.reply.as_deref(),
    })
}

/// The header of the original, or all of it where RET=FULL asks for that; RET counts for failures only
/// (RFC 3461 4.3).
async fn returned_part(context: &Context, entry: &QueueEntry, kind: Kind) -> Result<Returned, StoreError> {
    let (store, blob) = (context.store.clone(), entry.blob);
    let full = kind == Kind::Failed && entry.ret == Some(Ret::Full) && entry.size <= MAX_RETURNED;
    let read = move || {
        let end = if full { MAX_RETURNED } else { MAX_HEADER };
        store.open_blob(blob)?.read(0..end)
    };
    match tokio::task::spawn_blocking(read).await.map_err(|error| StoreError::Io(error.to_string()))? {
        Ok(bytes) if full => Ok(Returned::Message(bytes)),
        Ok(mut bytes) => {
            bytes.truncate(header_len(&bytes));
            Ok(Returned::Header(bytes))
        }
        Err(error) if error.is_temporary() => Err(error),
        // The sender must hear of the failure even if nothing of the message can be shown.
        Err(_) => Ok(Returned::Header(Vec::new())),
    }
}

/// Length of the header with the line end of its last line, or of the whole lines there are.
fn header_len(message: &[u8]) -> usize {
    if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
        return end + 2;
    }
    message.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
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
            let wanted = [Kind::Failed, Kind::Delayed, Kind::Relayed].map(|kind| kind.is_wanted(notify));
            assert_eq!(wanted, [failed, delayed, relayed], "{notify:?}");
        }
    }

    #[test]
    fn the_header_ends_before_the_empty_line() {
        for (message, length) in
            [(&b"A: b\r\n\r\nbody"[..], 6), (b"A: b\r\nC: d\r\n", 12), (b"A: b\r\nC: d", 6), (b"", 0)]
        {
            assert_eq!(header_len(message), length, "{}", message.escape_ascii());
        }
    }
}
