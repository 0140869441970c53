//! The one connection of a handle that writes, and the way in which every transaction goes through it.

use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use session_core::StoreError;

use crate::connection::Place;
use crate::error::SqlError;
use crate::lock::LockFile;

/// Writes transactions, one after the other.
///
/// A job is sent here rather than the connection handed out, so that jobs of several threads can come to share a
/// commit without their callers noticing.
#[derive(Debug)]
pub(crate) struct Writer {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Ready {
        connection: Connection,
        lock: LockFile,
        file: FileId,
    },
    /// A write or sync failed so that nobody knows what is on the disk, or the database at the path is no longer
    /// the one that was opened: what would be written to that one, nobody would ever find.
    Uncertain,
    Closed,
}

/// Which file a name stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(place: &Place) -> std::io::Result<Self> {
        let found = std::fs::metadata(&place.path)?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

impl Writer {
    /// # Errors
    /// Whatever the operating system says about the database that `connection` has just opened.
    pub(crate) fn new(
        place: &Place,
        connection: Connection,
        lock: LockFile,
    ) -> Result<Self, SqlError> {
        let file = FileId::of(place).map_err(|error| StoreError::io("open", &place.path, error))?;
        Ok(Self { state: Mutex::new(State::Ready { connection, lock, file }) })
    }

    /// Runs `job` in a transaction of its own, which is on the medium when this returns, or was never begun as
    /// far as anybody can see.
    ///
    /// # Errors
    /// What `job` returns; `Locked` when the turn does not come in time; `Poisoned` and `StoreClosed`.
    pub(crate) fn write<T: Send>(
        &self,
        place: &Place,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, SqlError> + Send,
    ) -> Result<T, SqlError> {
        let deadline = Instant::now() + place.options.lock_timeout;
        let mut state = self.state();
        let (connection, lock, file) = match &mut *state {
            State::Ready { connection, lock, file } => (connection, lock, *file),
            State::Uncertain => return Err(StoreError::Poisoned.into()),
            State::Closed => return Err(StoreError::StoreClosed.into()),
        };
        let turn = lock.acquire(deadline)?;
        if FileId::of(place).ok() != Some(file) {
            *state = State::Uncertain;
            return Err(StoreError::Poisoned.into());
        }
        let done = transact(connection, job);
        drop(turn);
        let rolled_back = connection.is_autocommit();
        if done.as_ref().is_err_and(SqlError::is_uncertain) || !rolled_back {
            *state = State::Uncertain;
        }
        done
    }

    /// Whether everything that was acknowledged is on the medium: every commit is synced, so nothing waits.
    ///
    /// # Errors
    /// `Poisoned` and `StoreClosed`.
    pub(crate) fn flush(&self) -> Result<(), SqlError> {
        match &*self.state() {
            State::Ready { .. } => Ok(()),
            State::Uncertain => Err(StoreError::Poisoned.into()),
            State::Closed => Err(StoreError::StoreClosed.into()),
        }
    }

    /// Lets go of the connection. The last one on a database moves its log into the database.
    ///
    /// # Errors
    /// `Poisoned`; whatever SQLite says. It is closed all the same.
    pub(crate) fn close(&self) -> Result<(), SqlError> {
        match std::mem::replace(&mut *self.state(), State::Closed) {
            State::Ready { connection, .. } => {
                Ok(connection.close().map_err(|(_, error)| error)?)
            }
            State::Uncertain => Err(StoreError::Poisoned.into()),
            State::Closed => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A job that panics has its transaction rolled back while its panic unwinds.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn transact<T>(
    connection: &mut Connection,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = job(&transaction)?;
    transaction.commit().map_err(SqlError::Commit)?;
    Ok(done)
}
