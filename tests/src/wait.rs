//! Waiting for something to become true, never longer than it deserves.

use std::time::{Duration, Instant};

/// How long a letter may take from one appliance to the next: far more than it needs, so that a busy machine does
/// not fail a test, and short enough that a broken one does not stop the suite.
pub const DELIVERY: Duration = Duration::from_secs(30);

/// Gap between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks again and again until `look` gives a value, and gives that.
///
/// # Panics
/// When `patience` is over; the message says that `what` did not come about.
#[track_caller]
pub fn eventually<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < end, "within {patience:?} this did not come about: {what}");
        std::thread::sleep(LOOK);
    }
}
