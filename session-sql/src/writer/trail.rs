//! What trails behind the writes: it is brought up to date in steps after they were acknowledged, when nobody
//! waits, so that nobody waits for it. What is left when the process dies is left to the next one that writes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::error::SqlError;
use crate::writer::core::{Core, Uncertain};
use crate::writer::queue::{Lead, Queue};

/// After how many jobs a step is taken even though writing never rests.
const OVERDUE: usize = 512;

/// Something that is computed from what was written, such as an index, and may come later.
pub(crate) trait Trail: Send {
    /// Does a part of what is left, as much as a caller can be let wait for, and says whether something is left
    /// after it. It is called in a transaction, which is undone if it fails.
    ///
    /// # Errors
    /// Whatever went wrong. It is called again after the next write.
    fn step(&mut self, connection: &Connection) -> Result<bool, SqlError>;
}

/// The work that trails, and how far behind it is.
pub(super) struct Trailing {
    work: Option<Box<dyn Trail>>,
    behind: usize,
}

impl Trailing {
    pub(super) const fn new(work: Option<Box<dyn Trail>>) -> Self {
        Self { work, behind: 0 }
    }

    /// So many jobs more were acknowledged.
    pub(super) fn add(&mut self, jobs: usize) {
        if self.work.is_some() {
            self.behind = self.behind.saturating_add(jobs);
        }
    }

    pub(super) const fn is_behind(&self) -> bool {
        self.behind > 0
    }

    pub(super) const fn is_overdue(&self) -> bool {
        self.behind >= OVERDUE
    }
}

/// The thread that takes the steps while nobody writes. There is none for a writer that nothing trails.
#[derive(Debug)]
pub(super) struct Trailer {
    thread: Mutex<Stage>,
    /// How long nobody must have written.
    rest: Duration,
}

#[derive(Debug)]
enum Stage {
    Unneeded,
    Needed,
    Running(JoinHandle<()>),
}

impl Trailer {
    pub(super) const fn new(is_needed: bool, rest: Duration) -> Self {
        let stage = if is_needed { Stage::Needed } else { Stage::Unneeded };
        Self { thread: Mutex::new(stage), rest }
    }

    /// Starts it at the first write. If there is no room for a thread, what trails waits for the next write or for
    /// the end.
    pub(super) fn start(&self, queue: &Arc<Queue>) {
        let mut stage = self.stage();
        if matches!(*stage, Stage::Needed) {
            let (queue, rest) = (Arc::clone(queue), self.rest);
            let thread = thread::Builder::new().name("session-sql-trail".to_owned());
            let started = thread.spawn(move || {
                while let Some(core) = queue.at_rest(rest) {
                    let mut lead = Lead::new(&queue, core);
                    match lead.trail() {
                        Ok(()) => lead.pass_on(),
                        Err(Uncertain) => lead.lose(),
                    }
                }
            });
            *stage = started.map_or(Stage::Needed, Stage::Running);
        }
    }

    /// Waits for its end, after the queue was closed.
    pub(super) fn join(&self) {
        if let Stage::Running(thread) = std::mem::replace(&mut *self.stage(), Stage::Unneeded) {
            // If it panicked, it has lost the connection, and that is told.
            let _ = thread.join();
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // Nothing panics while it is held.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Takes one step. One that fails is not tried again before the next write, unless somebody else was in the way.
    pub(super) fn trail(&mut self, deadline: Instant) -> Result<(), Uncertain> {
        let turn = match self.begin(deadline) {
            Ok(turn) => turn,
            Err(error) => {
                let locked = error.is_locked();
                self.trailing.behind = if locked { self.trailing.behind } else { 0 };
                return self.certainty(Some(&error));
            }
        };
        let Trailing { work, behind } = &mut self.trailing;
        let went = work.as_mut().map_or(Ok(false), |work| work.step(&self.connection));
        let went = went.map_err(|error| error.explained(&self.connection));
        let is_left = matches!(went, Ok(true));
        *behind = is_left.into();
        let ended = self.end(went.map(drop));
        drop(turn);
        self.certainty(ended.as_ref().err())
    }
}

impl fmt::Debug for Trailing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Trailing").field("behind", &self.behind).finish_non_exhaustive()
    }
}
