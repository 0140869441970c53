//! Which screens of a runtime are awake: the few that somebody had to do with last.
//!
//! A screen that wakes up sends others to sleep, if there are too many that rest. Where all of them are busy, somebody
//! looks again once the first has rested; while there are not too many, nobody waits for anything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::emulator::Emulator;
use super::lock;
use super::waker::Waker;

/// Where too many screens are just being used, until the next look.
const IN_USE: Duration = Duration::from_secs(1);

/// The screens of one runtime that are awake.
#[derive(Debug)]
pub(super) struct Awake {
    screens: Mutex<Vec<Weak<Emulator>>>,
    limit: usize,
    rest: Duration,
    since: Instant,
    /// Held by whoever counts and sends to sleep: two at once would send too many.
    counting: Mutex<()>,
    /// Wakes whoever calls [`Self::settle`].
    bell: OnceLock<Waker>,
    to_take_in: Mutex<ToTakeIn>,
}

/// Screens that were left by another process and are taken in one after the other: all at once, a thousand of them
/// would need a thousand threads and the memory of a thousand screens.
#[derive(Debug, Default)]
struct ToTakeIn {
    screens: VecDeque<Weak<Emulator>>,
    /// There is a thread that does it.
    running: bool,
}

impl Awake {
    /// None yet, and later no more than `limit` beside the busy ones, which woke up within `rest` of falling asleep:
    /// that costs more than staying awake, so these stay until nobody had to do with them for that long.
    pub(super) fn new(limit: usize, rest: Duration) -> Self {
        Self {
            screens: Mutex::default(),
            limit: limit.max(1),
            rest,
            since: Instant::now(),
            counting: Mutex::default(),
            bell: OnceLock::new(),
            to_take_in: Mutex::default(),
        }
    }

    /// Says who calls [`Self::settle`] when this waker is woken.
    pub(super) fn settled_by(&self, bell: Waker) {
        let _only_one = self.bell.set(bell);
    }

    /// Whether a screen that fell asleep then and wakes up now had better not have slept. 0 is never.
    pub(super) fn is_soon_after(&self, asleep: u64) -> bool {
        asleep > 0 && self.now() < asleep + millis(self.rest)
    }

    /// The present, in milliseconds. At 0 nobody has had to do with anything, so whatever was last then has rested.
    pub(super) fn now(&self) -> u64 {
        millis(self.since.elapsed().saturating_add(self.rest))
    }

    /// A screen has woken up; those that were left alone the longest go to sleep for it. One that is busy does not,
    /// so that nobody ever waits here for another session.
    pub(super) fn woken(&self, screen: &Weak<Emulator>) {
        {
            let mut screens = lock(&self.screens);
            screens.retain(|known| !known.ptr_eq(screen));
            screens.push(Weak::clone(screen));
        }
        let is_left = match self.counting.try_lock() {
            Ok(_alone) => self.send_to_sleep(Some(screen), usize::MAX).is_some(),
            // Somebody is at it, who may have counted before; so whoever settles looks once more.
            Err(_) => true,
        };
        if is_left && let Some(bell) = self.bell.get() {
            bell.wake();
        }
    }

    /// Sends a screen to sleep if there are too many and one has rested. Returns after how long to look again;
    /// `None` when there are not too many.
    pub(super) fn settle(&self) -> Option<Duration> {
        let _alone = lock(&self.counting);
        self.send_to_sleep(None, 1)
    }

    /// Sends at most so many screens to sleep, but not this one.
    fn send_to_sleep(&self, but: Option<&Weak<Emulator>>, at_most: usize) -> Option<Duration> {
        let (mut screens, more) = {
            let mut screens = lock(&self.screens);
            screens.retain(|known| known.upgrade().is_some_and(|known| known.is_awake()));
            let others = screens.iter().filter(|known| !but.is_some_and(|but| known.ptr_eq(but)));
            let others: Vec<Arc<Emulator>> = others.filter_map(Weak::upgrade).collect();
            (others, usize::from(but.is_some()))
        };
        let rest = millis(self.rest);
        let rests_at =
            |screen: &Emulator| if screen.is_busy() { screen.active() + rest } else { 0 };
        screens.sort_by_key(|screen| (rests_at(screen), screen.active()));
        let mut asleep = 0;
        let too_many = (screens.len() + more).saturating_sub(self.limit);
        for screen in screens {
            if asleep == too_many {
                return None;
            }
            let left = rests_at(&screen).saturating_sub(self.now());
            if left > 0 {
                return Some(Duration::from_millis(left));
            }
            if asleep == at_most {
                return Some(Duration::ZERO);
            }
            asleep += usize::from(screen.try_to_sleep());
        }
        (asleep < too_many).then_some(IN_USE)
    }

    /// Has a screen taken in that another process has left, on a thread that does so for all of them.
    pub(super) fn take_in(self: &Arc<Self>, screen: Weak<Emulator>) {
        let mut waiting = lock(&self.to_take_in);
        waiting.screens.push_back(screen);
        if !waiting.running {
            let this = Arc::clone(self);
            let thread = std::thread::Builder::new().name("taking in".to_owned());
            // Without a thread each of them is taken in once somebody wants to see it.
            waiting.running = thread.spawn(move || this.take_all_in()).is_ok();
        }
    }

    fn take_all_in(&self) {
        loop {
            let screen = {
                let mut waiting = lock(&self.to_take_in);
                let screen = waiting.screens.pop_front();
                waiting.running = screen.is_some();
                screen
            };
            let Some(screen) = screen else { return };
            if let Some(screen) = screen.upgrade() {
                screen.take_in_the_rest();
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
