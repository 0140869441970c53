//! The newest events of all sessions, in a ring that never grows.
//!
//! Who publishes waits for nobody: a reader holds the lock while it takes a few events out, never while it passes
//! them on. What a reader has not fetched when the ring comes round is a gap for that reader alone.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{Clock, SessionId};
use tokio::sync::watch;

use super::{Cursor, CursorError, Event, Follower, Happening, Witness};

/// How many events are kept.
const ROOM: usize = 4096;

/// How many events are looked at while who publishes has to wait.
const AT_ONCE: usize = 256;

/// The events of one supervisor.
pub(crate) struct Hub {
    epoch: u64,
    room: usize,
    clock: Arc<dyn Clock>,
    ring: Mutex<Ring>,
    /// Told after each change of the ring.
    news: watch::Sender<()>,
    follower_left: Condvar,
}

#[derive(Debug, Default)]
struct Ring {
    /// The newest events; the last of them has the number `last`, and there is no hole between them.
    events: VecDeque<Event>,
    last: u64,
    followers: usize,
    /// Nothing more will come.
    closed: bool,
}

/// How far a reader is.
#[derive(Debug)]
pub(super) struct Reading {
    /// The number of the last event that it has seen or was told that it missed.
    seen: u64,
    /// Its cursor was of another supervisor, and it does not know yet.
    astray: bool,
    /// Events of this session only.
    session: Option<SessionId>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, room, ring, .. } = self;
        f.debug_struct("Hub")
            .field("epoch", epoch)
            .field("room", room)
            .field("ring", ring)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// An empty ring of an epoch of its own.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> io::Result<Arc<Self>> {
        Ok(Self::with_room(crate::os::random_u128()? as u64, ROOM, clock))
    }

    /// An empty ring of `room` events.
    pub(crate) fn with_room(epoch: u64, room: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            epoch,
            room,
            clock,
            ring: Mutex::default(),
            news: watch::Sender::new(()),
            follower_left: Condvar::new(),
        })
    }

    /// Keeps an event and wakes who follows.
    pub(crate) fn publish(&self, session: SessionId, happening: Happening) {
        {
            let mut ring = self.ring();
            let time = self.clock.now();
            ring.last += 1;
            let cursor = self.cursor(ring.last);
            if ring.events.len() == self.room {
                ring.events.pop_front();
            }
            ring.events.push_back(Event { cursor, time, session: Some(session), happening });
        }
        self.news.send_replace(());
    }

    /// Publishing, for who need not know more of the hub.
    pub(crate) fn witness(self: &Arc<Self>) -> Witness {
        let hub = Arc::clone(self);
        Arc::new(move |session, happening| hub.publish(session, happening))
    }

    /// All events that are kept, after the cursor if there is one, of the session if there is one.
    ///
    /// # Errors
    /// When the cursor is ahead of all events.
    pub(crate) fn since(
        &self,
        after: Option<Cursor>,
        session: Option<SessionId>,
    ) -> Result<Vec<Event>, CursorError> {
        let mut reading = self.reading(after, session)?;
        // What happens from now on is for the next time: else there might be no end.
        let last = self.ring().last;
        let mut events = Vec::new();
        loop {
            self.read(&mut reading, &mut events);
            if reading.seen >= last {
                return Ok(events);
            }
        }
    }

    /// The same, and what comes. Without an end if `runs` is always true; else until it is not and everything was
    /// told. Before `runs` says no, the last event of interest must have been published.
    ///
    /// # Errors
    /// When the cursor is ahead of all events.
    pub(crate) fn follow(
        self: &Arc<Self>,
        after: Option<Cursor>,
        session: Option<SessionId>,
        runs: impl Fn() -> bool + Send + 'static,
    ) -> Result<Follower, CursorError> {
        let reading = self.reading(after, session)?;
        self.ring().followers += 1;
        Ok(Follower::new(Arc::clone(self), reading, Box::new(runs)))
    }

    /// Lets those who follow fetch what is left, at most for `timeout`. Nothing more is to be published.
    pub(crate) fn see_off(&self, timeout: Duration) {
        self.ring().closed = true;
        self.news.send_replace(());
        // Those that still have not fetched everything are left to themselves.
        let left = |ring: &mut Ring| ring.followers > 0;
        let _in_time = self.follower_left.wait_timeout_while(self.ring(), timeout, left);
    }

    fn reading(
        &self,
        after: Option<Cursor>,
        session: Option<SessionId>,
    ) -> Result<Reading, CursorError> {
        let ring = self.ring();
        let before = ring.before();
        match after {
            None => Ok(Reading { seen: before, astray: false, session }),
            Some(cursor) if cursor.epoch != self.epoch => {
                Ok(Reading { seen: before, astray: true, session })
            }
            Some(cursor) if cursor.number > ring.last => Err(CursorError::Ahead { cursor }),
            Some(cursor) => Ok(Reading { seen: cursor.number, astray: false, session }),
        }
    }

    /// Takes some of the events that the reader has not seen. False when there is no more to look at.
    pub(super) fn read(&self, reading: &mut Reading, events: &mut Vec<Event>) -> bool {
        let ring = self.ring();
        let before = ring.before();
        let missed = before.saturating_sub(reading.seen);
        let astray = std::mem::take(&mut reading.astray);
        if astray || missed > 0 {
            reading.seen = reading.seen.max(before);
            // Of which sessions they were is not known any more.
            let counted = !astray && reading.session.is_none();
            let happening = Happening::Gap { missed: counted.then_some(missed) };
            let (cursor, time) = (self.cursor(reading.seen), self.clock.now());
            events.push(Event { cursor, time, session: reading.session, happening });
        }
        let known = usize::try_from(reading.seen - before).unwrap_or(usize::MAX);
        let some = ring.events.iter().skip(known).take(AT_ONCE);
        reading.seen += some.len() as u64;
        let wanted = |event: &&Event| reading.session.is_none() || event.session == reading.session;
        events.extend(some.filter(wanted).cloned());
        reading.seen < ring.last
    }

    /// Where the reader is.
    pub(super) fn place(&self, reading: &Reading) -> Cursor {
        self.cursor(reading.seen)
    }

    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ring().closed
    }

    /// One that followed has left.
    pub(super) fn left(&self) {
        self.ring().followers -= 1;
        self.follower_left.notify_all();
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor { epoch: self.epoch, number }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // What may panic, the clock, is asked before anything is changed.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The number before the oldest event that is kept.
    fn before(&self) -> u64 {
        self.last - self.events.len() as u64
    }
}

#[cfg(test)]
mod tests;
