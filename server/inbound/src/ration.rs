//! So much at once, and a little more with time: a bound on what strangers can make us write.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets `burst` through at once and one more after each `every`.
#[derive(Debug)]
pub(crate) struct Ration {
    burst: u32,
    every: Duration,
    /// When all that was taken will have grown back.
    whole: Mutex<Option<Instant>>,
}

impl Ration {
    pub(crate) fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every, whole: Mutex::new(None) }
    }

    /// True when there is one left; takes it.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut whole = self.whole.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let next = whole.map_or(now, |whole| whole.max(now)) + self.every;
        let left = next.duration_since(now) <= self.every.saturating_mul(self.burst);
        if left {
            *whole = Some(next);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_by_one() {
        let ration = Ration::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            [0, 0, 0, 0, 9, 10, 10, 19, 20].map(|s| ration.take(at(s))),
            [true, true, true, false, false, true, false, false, true]
        );
        let later = at(1_000);
        assert_eq!([0; 4].map(|_| ration.take(later)), [true, true, true, false]);
    }
}
