//! Jobs that wait, and the connection while nobody uses it.
//!
//! Who is in the queue may still leave it; who was taken out is run and answered. The connection is lent to one
//! caller at a time, which either gives it to the next that waits, or lays it down when nobody does. So there is
//! always somebody at work while jobs wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::{Durability, StoreError};

use crate::error::SqlError;
use crate::writer::core::{Core, Uncertain};
use crate::writer::job::Work;

/// A job, the moment until which its caller waits for its turn, and what its commit has to survive.
pub(super) struct Job {
    pub(super) deadline: Instant,
    pub(super) durability: Durability,
    pub(super) work: Box<dyn Work>,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told to whoever closes, and to the trailer.
    changed: Condvar,
}

struct State {
    /// In the order of their numbers.
    waiting: VecDeque<(u64, Job)>,
    pushed: u64,
    seat: Seat,
    is_closed: bool,
    /// Whether everything that was acknowledged is on the medium.
    is_synced: bool,
    /// Whether the trailer waits to be told that there is something to do.
    trailer_sleeps: bool,
}

/// Where the connection is.
#[derive(Debug)]
enum Seat {
    Free(Box<Core>),
    Lent,
    /// Given up, because nobody knows what is on the disk.
    Lost,
    Closed,
}

impl Queue {
    pub(super) fn new(core: Core) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            pushed: 0,
            seat: Seat::Free(Box::new(core)),
            is_closed: false,
            is_synced: true,
            trailer_sleeps: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Puts a job at the end: its number, by which it can be cancelled, and the connection, if its caller has to
    /// lead.
    ///
    /// # Errors
    /// `Poisoned` and `StoreClosed`.
    pub(super) fn push(&self, job: Job) -> Result<(u64, Option<Box<Core>>), StoreError> {
        let mut state = self.state();
        state.check_open()?;
        state.pushed += 1;
        let number = state.pushed;
        state.waiting.push_back((number, job));
        Ok((number, state.borrow()))
    }

    /// Takes a job out that was not begun. Says whether it was there: if not, it is answered.
    pub(super) fn cancel(&self, number: u64) -> bool {
        let mut state = self.state();
        let found = state.waiting.iter().position(|(waiting, _)| *waiting == number);
        found.is_some_and(|index| state.waiting.remove(index).is_some())
    }

    /// # Errors
    /// `Poisoned` and `StoreClosed`.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        self.state().check_open()
    }

    /// Whether the connection was given up.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.state().seat, Seat::Lost)
    }

    /// Whether everything that was acknowledged is on the medium.
    pub(super) fn is_synced(&self) -> bool {
        self.state().is_synced
    }

    /// Says what the last commit has survived, before it is acknowledged.
    pub(super) fn committed(&self, durability: Durability) {
        self.state().is_synced = durability == Durability::Full;
    }

    /// The moment until which the first job waits, and what its commit has to survive.
    pub(super) fn first(&self) -> Option<(Instant, Durability)> {
        self.state().waiting.front().map(|(_, job)| (job.deadline, job.durability))
    }

    /// Takes the first job to run it, if a commit that survives this is enough for it.
    pub(super) fn take(&self, durability: Durability) -> Option<Box<dyn Work>> {
        let enough = |job: &Job| durability == Durability::Full || job.durability == durability;
        self.state().waiting.pop_front_if(|(_, job)| enough(job)).map(|(_, job)| job.work)
    }

    /// Tells the first job why it cannot be run, if that holds for it: whoever is not past its deadline may yet get
    /// what is locked now.
    pub(super) fn refuse_first(&self, error: SqlError) {
        let (locked, now) = (error.is_locked(), Instant::now());
        let mut state = self.state();
        let first = state.waiting.pop_front_if(|(_, job)| !locked || job.deadline <= now);
        drop(state);
        if let Some((_, job)) = first {
            job.work.refuse(error);
        }
    }

    /// The connection when something trails, and nobody has written for as long as `rest`. `None` once it is closed.
    ///
    /// Whoever writes wakes it only when nothing was left to do: while others write it looks now and then by itself.
    pub(super) fn at_rest(&self, rest: Duration) -> Option<Box<Core>> {
        let mut state = self.state();
        while state.check_open().is_ok() {
            if matches!(state.seat, Seat::Free(_)) && !state.is_behind() {
                state.trailer_sleeps = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let seen = state.pushed;
            let waited = self.changed.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.pushed == seen && state.is_behind() && !state.is_closed {
                return state.borrow();
            }
        }
        None
    }

    /// Takes no more jobs in. Those that wait are still written.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// The connection, once nobody waits for it any more, to close it; `None` if that was done.
    ///
    /// # Errors
    /// `Poisoned`, if it is lost.
    pub(super) fn reclaim(&self) -> Result<Option<Box<Core>>, StoreError> {
        let waited =
            self.changed.wait_while(self.state(), |state| matches!(state.seat, Seat::Lent));
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut state.seat, Seat::Closed) {
            Seat::Free(core) => Ok(Some(core)),
            Seat::Lost => Err(StoreError::Poisoned),
            Seat::Lent | Seat::Closed => Ok(None),
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_open(&self) -> Result<(), StoreError> {
        match self.seat {
            _ if self.is_closed => Err(StoreError::StoreClosed),
            Seat::Lost => Err(StoreError::Poisoned),
            _ => Ok(()),
        }
    }

    fn borrow(&mut self) -> Option<Box<Core>> {
        match std::mem::replace(&mut self.seat, Seat::Lent) {
            Seat::Free(core) => Some(core),
            seat => {
                self.seat = seat;
                None
            }
        }
    }

    fn is_behind(&self) -> bool {
        matches!(&self.seat, Seat::Free(core) if core.trailing.is_behind())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut state = formatter.debug_struct("State");
        state
            .field("waiting", &self.waiting.len())
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

/// The connection in the hands of whoever leads, who passes it on in the end. A leader that panics loses it.
pub(super) struct Lead<'a> {
    queue: &'a Queue,
    core: Option<Box<Core>>,
}

impl<'a> Lead<'a> {
    pub(super) const fn new(queue: &'a Queue, core: Box<Core>) -> Self {
        Self { queue, core: Some(core) }
    }

    /// What [`Core::group`] does with what waits.
    pub(super) fn group(&mut self) -> Result<(), Uncertain> {
        let core = self.core.as_mut().ok_or(Uncertain)?;
        let first = self.queue.first();
        first.map_or(Ok(()), |(deadline, durability)| core.group(self.queue, deadline, durability))
    }

    /// What [`Core::trail`] does.
    pub(super) fn trail(&mut self) -> Result<(), Uncertain> {
        self.core.as_mut().ok_or(Uncertain)?.trail(Instant::now())
    }

    /// Lets the next caller lead, or lays the connection down.
    pub(super) fn pass_on(mut self) {
        if self.core.as_ref().is_some_and(|core| core.trailing.is_overdue())
            && let Err(Uncertain) = self.trail()
        {
            return self.lose();
        }
        let Some(mut core) = self.core.take() else { return };
        let mut state = self.queue.state();
        while let Some((_, job)) = state.waiting.front() {
            match job.work.lead(core) {
                None => return,
                Some(kept) => core = kept,
            }
            state.waiting.pop_front();
        }
        let wakes_trailer = state.trailer_sleeps && core.trailing.is_behind();
        state.seat = Seat::Free(core);
        if wakes_trailer {
            state.trailer_sleeps = false;
        }
        let is_awaited = wakes_trailer || state.is_closed;
        drop(state);
        if is_awaited {
            self.queue.changed.notify_all();
        }
    }

    /// Gives the connection up. What waits is refused, and so is whatever comes.
    pub(super) fn lose(&mut self) {
        let Some(core) = self.core.take() else { return };
        core.leave();
        let mut state = self.queue.state();
        state.seat = Seat::Lost;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.queue.changed.notify_all();
        for (_, job) in waiting {
            job.work.refuse(StoreError::Poisoned.into());
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.lose();
    }
}
