//! What systemd, or whoever else supervises the process the same way (`NOTIFY_SOCKET`), is told: that it is ready, that
//! it lives, that it stops. Where nobody asked, nothing is said.

use std::future::Future;
use std::time::Duration;

use mailstead_store::{Store, StoreError};
use sd_notify::NotifyState;

/// Says that everything is served, and of what kind it is in a sentence.
pub(crate) fn ready(sentence: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(sentence)]);
}

/// Says in a sentence what goes on.
pub(crate) fn status(sentence: &str) {
    tell(&[NotifyState::Status(sentence)]);
}

/// Says that the end has begun.
pub(crate) fn stopping(sentence: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(sentence)]);
}

/// Tells the watchdog, where there is one, that the process lives: as long as the store's writer answers and the
/// runtime finds the time to ask it.
pub(crate) async fn beat(store: Store) {
    if let Some(limit) = sd_notify::watchdog_enabled() {
        beat_within(limit, || writes(&store), || tell(&[NotifyState::Watchdog])).await;
    }
}

/// True when the store's writer takes changes. A full or broken disk is an answer too: a new start would not mend it.
async fn writes(store: &Store) -> bool {
    !matches!(store.written().await, Err(StoreError::Closed))
}

/// Beats twice within the limit, but only when the answer is yes and comes within a quarter of it: then there is never
/// more than three quarters of the limit between two beats.
async fn beat_within<F: Future<Output = bool>>(limit: Duration, lives: impl Fn() -> F, beat: impl Fn()) {
    let mut rhythm = tokio::time::interval(limit / 2);
    rhythm.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    loop {
        rhythm.tick().await;
        let lives = tokio::time::timeout(limit / 4, lives()).await.unwrap_or(false);
        if lives {
            beat();
        } else if well {
            tracing::error!("the store does not answer: if that lasts, the watchdog starts the server anew");
        }
        well = lives;
    }
}

/// A supervisor that can't be told is no reason not to serve mail.
fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd can't be told: {error}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::{Cell, RefCell};

    use mailstead_store::Options;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    /// The seconds at which it beats within ten minutes, when the answer takes as long as this function says.
    async fn beats(answer: impl Fn(u64) -> (Duration, bool)) -> Vec<u64> {
        let (start, count, seen) = (tokio::time::Instant::now(), Cell::new(0), RefCell::new(Vec::new()));
        let lives = || {
            count.set(count.get() + 1);
            let (takes, lives) = answer(count.get());
            async move {
                tokio::time::sleep(takes).await;
                lives
            }
        };
        let beating = beat_within(LIMIT, lives, || seen.borrow_mut().push(start.elapsed().as_secs()));
        let _ = tokio::time::timeout(Duration::from_secs(599), beating).await;
        seen.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_well_server_beats_at_half_the_limit() {
        assert_eq!(beats(|_| (Duration::ZERO, true)).await, (0..10).map(|n| n * 60).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_never_leaves_more_than_the_limit_between_beats() {
        let seen = beats(|n| (Duration::from_secs(if n % 2 == 0 { 29 } else { 0 }), true)).await;
        assert!(seen.windows(2).all(|pair| pair[1] - pair[0] < LIMIT.as_secs()), "{seen:?}");
        assert!(seen.len() >= 8, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_beats_for_a_store_that_is_stuck_or_dead() {
        assert_eq!(beats(|_| (Duration::from_secs(3_600), true)).await, Vec::<u64>::new());
        assert_eq!(beats(|_| (Duration::ZERO, false)).await, Vec::<u64>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_again_once_the_store_answers_again() {
        let seen = beats(|n| (Duration::from_secs(if n == 2 { 3_600 } else { 0 }), true)).await;
        assert_eq!(seen, [0, 120, 180, 240, 300, 360, 420, 480, 540]);
    }

    #[tokio::test]
    async fn an_open_store_writes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        assert!(writes(&store).await);
    }
}
