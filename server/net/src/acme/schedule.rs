//! When a certificate is renewed, when a failed attempt is repeated, and when the operator is warned.

use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// No pause is longer, so that a clock that was wrong for a while can't keep us waiting.
pub(super) const MAX_PAUSE: i64 = 2 * DAY;
/// The longest pause where a try is no more than a question.
const MAX_QUESTION: i64 = 6 * HOUR;

/// Whose fault it seems to be that there is no certificate; it decides how soon it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The name's DNS records: asking costs little.
    Dns,
    /// The authority did not answer, or it or we had a passing trouble.
    Passing,
    /// The authority said no. Public ones lock out who fails too often: Let's Encrypt after five failures in an hour.
    Refused,
    /// It said that we ask too often.
    TooOften,
    /// It can't be had by ACME as things are: there is nothing to try.
    Never,
    /// It gave a certificate that can't be used, so that each try is one more issued: Let's Encrypt gives no more than
    /// five a week for one name.
    Unusable,
}

/// Seconds until the next try, after so many failures in a row, the last one counted.
pub(super) fn pause(blame: Blame, times: u32) -> i64 {
    let before = times.saturating_sub(1).min(16);
    let (first, factor, most): (i64, i64, i64) = match blame {
        Blame::Dns => (5, 2, 10 * MINUTE),
        Blame::Passing => (5, 2, HOUR),
        Blame::Refused => (MINUTE, 4, MAX_QUESTION),
        Blame::TooOften | Blame::Never => (HOUR, 2, MAX_QUESTION),
        Blame::Unusable => (12 * HOUR, 3, MAX_PAUSE),
    };
    first.saturating_mul(factor.saturating_pow(before)).min(most)
}

/// When a certificate is renewed: with a third of its life left, as Let's Encrypt advises.
pub(super) fn renewal(not_before: i64, not_after: i64) -> i64 {
    not_after.saturating_sub(not_after.saturating_sub(not_before).max(0) / 3)
}

/// From when on the operator is warned of its end: 21 days before when it holds for 90 days or longer, else the same
/// share of its life. By then renewals have failed for days.
pub(super) fn alarm(not_before: i64, not_after: i64) -> i64 {
    let life = not_after.saturating_sub(not_before).max(0);
    not_after.saturating_sub((life.saturating_mul(21) / 90).min(21 * DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_stay_below_what_locks_out_and_no_pause_is_endless() {
        let mut at = 0;
        let mut within_an_hour = 1;
        for times in 1..50 {
            at += pause(Blame::Refused, times);
            within_an_hour += usize::from(at < HOUR);
        }
        assert_eq!(within_an_hour, 4);
        for blame in [Blame::Dns, Blame::Passing, Blame::Refused, Blame::TooOften, Blame::Unusable] {
            let pauses: Vec<i64> = (1..50).map(|times| pause(blame, times)).collect();
            assert!(pauses.is_sorted() && pauses.iter().all(|pause| (5..=MAX_PAUSE).contains(pause)), "{pauses:?}");
            assert!(pause(blame, u32::MAX) <= MAX_PAUSE);
        }
    }

    #[test]
    fn certificates_that_can_not_be_used_are_never_ordered_more_than_five_times_a_week() {
        let pauses = (1..50).map(|times| pause(Blame::Unusable, times));
        let at: Vec<i64> = std::iter::once(0)
            .chain(pauses.scan(0, |at, pause| {
                *at += pause;
                Some(*at)
            }))
            .collect();
        for week in &at {
            let within = at.iter().filter(|at| (*week..week + 7 * DAY).contains(*at)).count();
            assert!(within <= 5, "{within} in the week that begins at {week}");
        }
    }

    #[test]
    fn renewal_leaves_weeks_before_anybody_is_warned_and_the_warning_weeks_before_the_end() {
        let days = |life: i64| (renewal(0, life * DAY) / DAY, alarm(0, life * DAY) / DAY);
        assert_eq!(days(90), (60, 69));
        assert_eq!(days(365), (243, 344));
        assert_eq!(days(6), (4, 4));
        for life in [1, 6, 45, 90, 398] {
            assert!(renewal(0, life * DAY) < alarm(0, life * DAY));
        }
        assert_eq!(renewal(10, 0), 0, "a certificate that ends before it begins is renewed at once");
    }
}
