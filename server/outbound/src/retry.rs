//! When a message is tried again, when its sender hears of the delay, and when we give up. Pure: the clock is given.

use mailstead_store::{QueueEntry, Timestamp};

use crate::Schedule;

/// Tries a message gets before it is given up, however old it is: a machine that was off for a week, or whose clock
/// jumped, does not return its queue on the first hiccup.
const MIN_ATTEMPTS: u32 = 4;

/// Age of an entry in seconds; a clock set back makes it 0, not negative.
fn age(entry: &QueueEntry, now: Timestamp) -> u64 {
    u64::try_from(now.0.saturating_sub(entry.created.0)).unwrap_or(0)
}

/// True when a temporary failure of this attempt is the last.
pub(crate) fn gives_up(schedule: &Schedule, entry: &QueueEntry, now: Timestamp) -> bool {
    age(entry, now) >= schedule.give_up_after.as_secs() && entry.attempts.saturating_add(1) >= MIN_ATTEMPTS
}

/// True when the sender should be told now that the message is delayed.
pub(crate) fn notice_is_due(schedule: &Schedule, entry: &QueueEntry, now: Timestamp) -> bool {
    !entry.delay_notified && age(entry, now) >= schedule.notice_after.as_secs()
}

/// When the entry is tried again after this attempt. `random` is from 0 to 1 and spreads the tries by a fifth either
/// way. The tries are timed so that one falls on the delay notice and one on the end.
pub(crate) fn next_try(schedule: &Schedule, entry: &QueueEntry, now: Timestamp, random: f64) -> Timestamp {
    let doublings = entry.attempts.min(20);
    let gap = schedule.first_gap.saturating_mul(1 << doublings).min(schedule.max_gap);
    let jittered = gap.mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0));
    let mut due = now.0.saturating_add(seconds(jittered.as_secs().max(1)));
    let landmarks = [(!entry.delay_notified).then_some(schedule.notice_after), Some(schedule.give_up_after)];
    for landmark in landmarks.into_iter().flatten() {
        let at = entry.created.0.saturating_add(seconds(landmark.as_secs()));
        if at > now.0 {
            due = due.min(at);
        }
    }
    Timestamp(due)
}

/// No entry is ever due later than this.
pub(crate) fn horizon(schedule: &Schedule, now: Timestamp) -> Timestamp {
    let longest = schedule.max_gap.max(schedule.first_gap).mul_f64(1.2);
    Timestamp(now.0.saturating_add(seconds(longest.as_secs().saturating_add(1))))
}

/// Until when it is tried at the most, for the reports: an old message that has had few tries has some left.
pub(crate) fn last_try(schedule: &Schedule, entry: &QueueEntry, now: Timestamp) -> Timestamp {
    let end = entry.created.0.saturating_add(seconds(schedule.give_up_after.as_secs()));
    let tries_left = MIN_ATTEMPTS.saturating_sub(entry.attempts.saturating_add(1));
    let longest = schedule.max_gap.mul_f64(1.2).saturating_mul(tries_left);
    Timestamp(end.max(now.0.saturating_add(seconds(longest.as_secs()))))
}

fn seconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_message::TraceId;
    use mailstead_store::{BlobHash, QueueId, TlsNeed};

    use super::*;

    const HOUR: i64 = 3600;

    fn entry(attempts: u32) -> QueueEntry {
        QueueEntry {
            id: QueueId(1),
            trace: TraceId::new(0, 0),
            blob: BlobHash([0; 32]),
            size: 0,
            created: Timestamp(1_000_000),
            due: Timestamp(1_000_000),
            attempts,
            held: false,
            delay_notified: true,
            reverse_path: None,
            envid: None,
            ret: None,
            eight_bit: false,
            smtputf8: false,
            tls: TlsNeed::Usual,
            recipients: Vec::new(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_000_000 + seconds)
    }

    #[test]
    fn gaps_double_from_five_minutes_to_four_hours() {
        let schedule = Schedule::default();
        let gap = |attempts| next_try(&schedule, &entry(attempts), at(0), 0.5).0 - at(0).0;
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 40, u32::MAX].map(gap),
            [300, 600, 1200, 2400, 4800, 9600, 14400, 14400, 14400]
        );
    }

    #[test]
    fn jitter_spreads_by_a_fifth_either_way() {
        let schedule = Schedule::default();
        let gap = |random| next_try(&schedule, &entry(0), at(0), random).0 - at(0).0;
        assert_eq!([-5.0, 0.0, 1.0, 7.0].map(gap), [240, 240, 360, 360]);
    }

    #[test]
    fn a_try_falls_on_the_notice_and_on_the_end() {
        let schedule = Schedule::default();
        let fresh = QueueEntry { delay_notified: false, ..entry(6) };
        assert_eq!(next_try(&schedule, &fresh, at(3 * HOUR), 0.5), at(4 * HOUR));
        assert_eq!(next_try(&schedule, &entry(30), at(118 * HOUR), 0.5), at(120 * HOUR));
        assert_eq!(last_try(&schedule, &entry(30), at(118 * HOUR)), at(120 * HOUR));
    }

    #[test]
    fn nobody_is_promised_tries_in_the_past() {
        let schedule = Schedule::default();
        assert_eq!(last_try(&schedule, &entry(0), at(0)), at(120 * HOUR));
        for attempts in 0..3 {
            let promised = last_try(&schedule, &entry(attempts), at(200 * HOUR));
            assert!(promised >= next_try(&schedule, &entry(attempts), at(200 * HOUR), 1.0), "{attempts}");
        }
    }

    #[test]
    fn the_sender_hears_of_a_delay_once() {
        let schedule = Schedule::default();
        let fresh = QueueEntry { delay_notified: false, ..entry(6) };
        assert!(!notice_is_due(&schedule, &fresh, at(4 * HOUR - 1)));
        assert!(notice_is_due(&schedule, &fresh, at(4 * HOUR)));
        assert!(!notice_is_due(&schedule, &entry(6), at(9 * HOUR)));
    }

    #[test]
    fn giving_up_needs_five_days_and_some_tries() {
        let schedule = Schedule::default();
        for (attempts, hours, expected) in [(30, 119, false), (30, 120, true), (0, 500, false), (3, 500, true)] {
            assert_eq!(gives_up(&schedule, &entry(attempts), at(hours * HOUR)), expected, "{attempts} {hours}");
        }
    }

    #[test]
    fn no_try_lies_behind_the_horizon() {
        let schedule = Schedule::default();
        for attempts in 0..50 {
            assert!(next_try(&schedule, &entry(attempts), at(0), 1.0) <= horizon(&schedule, at(0)));
        }
    }

    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let schedule = Schedule::default();
        let back = Timestamp(-5_000_000_000);
        assert!(!gives_up(&schedule, &entry(9), back));
        assert_eq!(next_try(&schedule, &entry(0), back, 0.5).0, back.0 + 300);
        assert_eq!(next_try(&schedule, &entry(0), Timestamp(i64::MAX), 0.5), Timestamp(i64::MAX));
    }
}
