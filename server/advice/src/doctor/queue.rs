//! What waits to go out, and for how long?

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::books::{Books, Waiting};
use super::finding::{Finding, Subject};
use super::host::Host;
use super::words;

pub(super) const SUBJECT: Subject = Subject {
    id: "queue",
    title: "The queue",
    why: "Letters wait here until the other side takes them; after five days they come back to their senders.",
};

/// Greylisting and passing trouble are over by then.
const LONG: SignedDuration = SignedDuration::from_hours(4);
/// Long enough that several tries failed.
const TRIED: SignedDuration = SignedDuration::from_hours(1);
/// If that many different destinations fail, it is not they.
const ALL_FAIL: usize = 3;
/// No household writes that much.
const FLOOD: usize = 500;

pub(super) fn look(host: &dyn Host, books: &Books) -> Vec<Finding> {
    vec![judge(&books.queue, host.now())]
}

fn judge(queue: &[Waiting], now: Timestamp) -> Finding {
    let (held, waiting): (Vec<&Waiting>, Vec<&Waiting>) = queue.iter().partition(|letter| letter.held);
    let Some(oldest) = waiting.iter().min_by_key(|letter| letter.since) else {
        return match held.len() {
            0 => SUBJECT.good("Nothing waits to go out."),
            count => helped(
                SUBJECT.warning(format!("{} held by you and not tried.", are(count))),
                "Retry or remove what you hold.",
            ),
        };
    };
    let age = now.duration_since(oldest.since);
    let size = words::bytes(waiting.iter().map(|letter| letter.size).sum());
    let what = format!("{} to go out ({size}), the oldest for {}", waits(waiting.len()), words::span(age));
    if waiting.len() >= FLOOD {
        let advice = "If nobody here wrote them, somebody has a password: disable that account, then empty the queue.";
        return helped(SUBJECT.bad(format!("{what}.")), advice);
    }
    let tried = |letter: &&&Waiting| letter.attempts > 0 && now.duration_since(letter.since) >= TRIED;
    let failing: BTreeSet<&String> = waiting.iter().filter(tried).flat_map(|letter| &letter.domains).collect();
    if failing.len() >= ALL_FAIL {
        let what = format!("{what}; nothing gets through to {} different domains.", failing.len());
        return helped(
            SUBJECT.bad(what),
            "Look at outgoing mail and DNS on this page first; then see why each one waits.",
        );
    }
    if age >= LONG {
        let last = oldest.last.as_ref().map(|last| format!("; last it was said: {}", words::quoted(last)));
        let what = format!("{what}{}.", last.unwrap_or_default());
        return helped(SUBJECT.warning(what), "See why it waits: often it is the other side, and it goes by itself.");
    }
    SUBJECT.good(format!("{what}.")).page("/queue")
}

fn helped(finding: Finding, todo: &str) -> Finding {
    finding.todo(todo).page("/queue").command("mailstead queue list")
}

fn waits(count: usize) -> String {
    if count == 1 { "1 letter waits".to_owned() } else { format!("{count} letters wait") }
}

fn are(count: usize) -> String {
    if count == 1 { "1 letter is".to_owned() } else { format!("{count} letters are") }
}
