//! Which screens of a runtime are awake: the few that somebody had to do with last.
//!
//! No timer puts a screen to sleep. One that wakes up sends others to sleep, if there are too many that rest.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::emulator::Emulator;
use super::lock;

/// The screens of one runtime that are awake.
#[derive(Debug)]
pub(super) struct Awake {
    screens: Mutex<Vec<Weak<Emulator>>>,
    limit: usize,
    rest: Duration,
    since: Instant,
}

impl Awake {
    /// None yet, and later no more than `limit` beside those that somebody had to do with during the last `rest`:
    /// waking up costs more than staying awake, so where many are busy all of them stay.
    pub(super) fn new(limit: usize, rest: Duration) -> Self {
        Self { screens: Mutex::default(), limit: limit.max(1), rest, since: Instant::now() }
    }

    /// The present, in milliseconds. At 0 nobody has had to do with anything, so whatever was last then has rested.
    pub(super) fn now(&self) -> u64 {
        let since = self.since.elapsed().saturating_add(self.rest);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A screen has woken up; those that were left alone the longest go to sleep for it. One that is busy does not,
    /// so that nobody ever waits here for another session.
    pub(super) fn woken(&self, screen: &Weak<Emulator>) {
        let mut others: Vec<Arc<Emulator>> = {
            let mut screens = lock(&self.screens);
            screens.retain(|known| {
                !known.ptr_eq(screen) && known.upgrade().is_some_and(|known| known.is_awake())
            });
            let others = screens.iter().filter_map(Weak::upgrade).collect();
            screens.push(Weak::clone(screen));
            others
        };
        others.sort_by_key(|other| other.active());
        let mut too_many = (others.len() + 1).saturating_sub(self.limit);
        let rest = u64::try_from(self.rest.as_millis()).unwrap_or(u64::MAX);
        let rested = self.now().saturating_sub(rest);
        for other in others {
            if too_many == 0 || other.active() > rested {
                return;
            }
            too_many -= usize::from(other.try_to_sleep());
        }
    }
}
