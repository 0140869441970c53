//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use session_core::{Clock, Timestamp};

/// A clock that shows what it was set to, to every thread at once. It may be set backwards.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves the clock forwards and returns what it shows then.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let now = self.now().plus(by);
        self.set(now);
        now
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_it_was_set_to() {
        let clock = ManualClock::new(Timestamp::from_millis(5));
        assert_eq!(clock.advance(Duration::from_millis(2)), Timestamp::from_millis(7));
        clock.set(Timestamp::from_millis(-3));
        assert_eq!(clock.now(), Timestamp::from_millis(-3));
    }
}
