//! The writer of a handle: the one connection that writes, and the queue of jobs in front of it.
//!
//! Callers leave jobs in the queue. A caller that finds the connection at rest leads: it takes its turn at the lock
//! file, runs all that wait in one transaction, answers them once it is committed, and hands the connection on to
//! the next that waits. So several callers pay for one sync, and a lone one pays for nothing but its own: a thread
//! that writes for everybody would cost it two changes of threads, a sixth of a synced commit.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Instant;

use rusqlite::Connection;
use session_core::{Durability, StoreError};

use crate::connection::Place;
use crate::error::SqlError;
use crate::lock::{self, LockFile};
use crate::writer::core::{Core, Uncertain, touch};
use crate::writer::job::Typed;
use crate::writer::queue::{Job, Lead, Queue};
pub(crate) use crate::writer::trail::Trail;
use crate::writer::trail::Trailer;

mod job;
mod queue;

mod core;
mod group;
mod trail;

#[cfg(test)]
mod tests;

/// Writes transactions, in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    trailer: Trailer,
}

/// What a job returned, or what it panicked with.
type Answer<T> = Result<Result<T, SqlError>, Box<dyn Any + Send>>;

/// What a caller that waits receives.
enum Message<T> {
    Answer(Answer<T>),
    /// The connection: its turn to lead.
    Lead(Box<Core>),
}

impl Writer {
    /// # Errors
    /// Whatever the operating system says about the database that `connection` has just opened.
    pub(crate) fn new(
        place: &Place,
        connection: Connection,
        lock: LockFile,
        trail: Option<Box<dyn Trail>>,
    ) -> Result<Self, SqlError> {
        let trailer = Trailer::new(trail.is_some(), place.options.rest);
        let core = Core::new(place, connection, lock, trail)?;
        Ok(Self { queue: Arc::new(Queue::new(core)), trailer })
    }

    /// Runs `job` in a transaction, which is committed when this returns, or was never begun as far as anybody can
    /// see. Jobs of other callers may share the transaction, but not their failures; any of them may run it.
    ///
    /// # Errors
    /// What `job` returns; `Locked` when its turn does not come in time; `Poisoned` and `StoreClosed`.
    ///
    /// # Panics
    /// When `job` does.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        place: &Place,
        job: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        self.send(place, place.options.durability, job)
    }

    fn send<T: Send + 'static>(
        &self,
        place: &Place,
        durability: Durability,
        job: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let deadline = place.options.deadline();
        self.trailer.start(&self.queue);
        let (reply, messages) = mpsc::sync_channel(1);
        let job = Job { deadline, durability, work: Typed::boxed(job, reply) };
        let (number, core) = self.queue.push(job)?;
        if let Some(core) = core {
            return self.lead(core, &messages);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let message = match messages.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) if self.queue.cancel(number) => {
                if let Ok(Message::Lead(core)) = messages.try_recv() {
                    Lead::new(&self.queue, core).pass_on();
                }
                // This process has its turn then, or whoever is in the way knows nothing of turns.
                let holder = lock::holder(&place.path).filter(|holder| *holder != lock::this());
                return Err(StoreError::Locked { path: place.path.clone(), holder }.into());
            }
            // It was begun, and whatever was begun is answered.
            Err(RecvTimeoutError::Timeout) => messages.recv().ok(),
            message => message.ok(),
        };
        match message {
            Some(Message::Answer(answer)) => given(answer),
            Some(Message::Lead(core)) => self.lead(core, &messages),
            None => Err(StoreError::Poisoned.into()),
        }
    }

    /// Runs groups until the caller's own job is answered.
    fn lead<T>(&self, core: Box<Core>, messages: &Receiver<Message<T>>) -> Result<T, SqlError> {
        let mut lead = Lead::new(&self.queue, core);
        loop {
            let went = lead.group();
            if let Err(Uncertain) = went {
                lead.lose();
            }
            match messages.try_recv() {
                Ok(Message::Answer(answer)) => {
                    lead.pass_on();
                    return given(answer);
                }
                Err(TryRecvError::Empty) if went.is_ok() => {}
                // Whoever leads is not asked to, and a job that is lost is at least not waited for.
                _ => return Err(StoreError::Poisoned.into()),
            }
        }
    }

    /// Puts on the medium what was acknowledged.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(crate) fn flush(&self, place: &Place) -> Result<(), SqlError> {
        self.queue.check_open()?;
        if self.queue.is_synced() { Ok(()) } else { self.send(place, Durability::Full, touch) }
    }

    /// # Errors
    /// `Poisoned`, once it is uncertain what is on the disk.
    pub(crate) fn check_certain(&self) -> Result<(), StoreError> {
        if self.queue.is_lost() { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    /// Flushes, lets jobs that wait be written, and lets go of the connection. The last one on a database moves its
    /// log into the database.
    ///
    /// # Errors
    /// `Poisoned`; whatever SQLite says. It is closed all the same.
    pub(crate) fn close(&self) -> Result<(), SqlError> {
        self.queue.close();
        self.trailer.join();
        let Some(core) = self.queue.reclaim()? else { return Ok(()) };
        core.close(self.queue.is_synced())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know closes.
        let _ = self.close();
    }
}

fn given<T>(answer: Answer<T>) -> Result<T, SqlError> {
    answer.unwrap_or_else(|panic| resume_unwind(panic))
}
