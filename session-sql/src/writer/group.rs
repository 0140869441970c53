//! Group commit: jobs that wait together are run in one transaction, each as if it were alone.

use std::time::Instant;

use rusqlite::ffi::{self, SQLITE_ABORT_ROLLBACK};
use session_core::{Durability, StoreError};

use crate::error::SqlError;
use crate::writer::core::{Core, Uncertain};
use crate::writer::job::{Ran, Verdict, Work};
use crate::writer::queue::Queue;

/// How many jobs share a transaction at most: enough that a sync costs each of them little, few enough that the
/// first need not wait long for the last.
const LARGEST: usize = 64;

impl Core {
    /// Runs what waits, and what comes while it runs, and answers it after the commit.
    ///
    /// Nothing is taken from the queue before the transaction has begun: until then a job can be cancelled.
    pub(super) fn group(
        &mut self,
        queue: &Queue,
        deadline: Instant,
        durability: Durability,
    ) -> Result<(), Uncertain> {
        let synchronized = self.synchronize(durability);
        let turn = match synchronized.and_then(|()| self.begin(deadline)) {
            Ok(turn) => turn,
            Err(error) => {
                let certainty = self.certainty(Some(&error));
                queue.refuse_first(error);
                return certainty;
            }
        };
        let mut ran = Vec::new();
        let went = self.run(queue, durability, &mut ran);
        let ended = self.end(went);
        // Other processes go on while this one tells its callers.
        drop(turn);
        let certainty = self.certainty(ended.as_ref().err());
        if ended.is_ok() && self.place.options.durability != Durability::Full {
            queue.committed(durability);
        }
        self.trailing.add(ran.len());
        self.largest = ran.len();
        for job in ran {
            let instead = ended.as_ref().err().map(|error| {
                let again = error.reported_again();
                again.unwrap_or_else(|| StoreError::Poisoned.into())
            });
            job.answer(instead);
        }
        certainty
    }

    /// The next job of a group that has so many. Those who were answered together come back together: a group that is
    /// smaller than the last lets them run first, so that it need not be followed by another for the rest of them.
    fn next(&self, queue: &Queue, durability: Durability, so_far: usize) -> Option<Box<dyn Work>> {
        let mut found = queue.take(durability);
        let mut patience = if so_far < self.largest { 2 } else { 0 };
        while found.is_none() && patience > 0 {
            std::thread::yield_now();
            found = queue.take(durability);
            patience -= 1;
        }
        found
    }

    /// # Errors
    /// What undid the whole transaction, so that none of the jobs has happened.
    fn run(
        &self,
        queue: &Queue,
        durability: Durability,
        ran: &mut Vec<Ran>,
    ) -> Result<(), SqlError> {
        while ran.len() < LARGEST {
            let Some(work) = self.next(queue, durability, ran.len()) else { break };
            // The first needs no savepoint: what undoes it, undoes nobody else.
            let alone = ran.is_empty();
            let saved = if alone { Ok(()) } else { self.execute("SAVEPOINT job") };
            if let Err(error) = saved {
                work.refuse(error.reported_again().unwrap_or_else(|| StoreError::Poisoned.into()));
                return Err(error);
            }
            let mut job = work.run(&self.connection);
            let verdict = std::mem::replace(&mut job.verdict, Verdict::Kept);
            ran.push(job);
            match verdict {
                // SQLite undoes everything after some failures, as when there is no room.
                Verdict::Undone(reported) if self.connection.is_autocommit() => {
                    return Err(reported.unwrap_or_else(undone));
                }
                Verdict::Kept if self.connection.is_autocommit() => return Err(undone()),
                Verdict::Undone(Some(error)) if error.is_uncertain() => return Err(error),
                Verdict::Kept if alone => {}
                Verdict::Kept => self.execute("RELEASE job")?,
                Verdict::Undone(_) if alone => return self.execute("ROLLBACK"),
                Verdict::Undone(_) => {
                    self.execute("ROLLBACK TO job")?;
                    self.execute("RELEASE job")?;
                }
            }
        }
        Ok(())
    }
}

/// What SQLite would say of a transaction that is gone.
fn undone() -> SqlError {
    let code = ffi::Error::new(SQLITE_ABORT_ROLLBACK);
    rusqlite::Error::SqliteFailure(code, Some("the transaction is gone".to_owned())).into()
}
