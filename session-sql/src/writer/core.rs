//! What whoever leads holds: the connection, the turns at the lock file, and how a transaction begins and ends.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use session_core::{Durability, StoreError};

use crate::beside;
use crate::connection::{self, FileId, Place};
use crate::error::SqlError;
use crate::lock::{LockFile, Turn};
use crate::writer::trail::{Trail, Trailing};

/// The connection that writes, and the right to use it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) place: Place,
    pub(super) connection: Connection,
    lock: LockFile,
    file: FileId,
    /// What a commit survives as the connection is now.
    durability: Durability,
    /// How many jobs the last group had.
    pub(super) largest: usize,
    pub(super) trailing: Trailing,
}

/// A write or sync failed so that nobody knows what is on the disk, or the database at the path is no longer the
/// one that was opened: what would be written to that one, nobody would ever find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uncertain;

impl Core {
    pub(super) fn new(
        place: &Place,
        connection: Connection,
        lock: LockFile,
        trail: Option<Box<dyn Trail>>,
    ) -> Result<Self, SqlError> {
        let file =
            FileId::of(&place.path).map_err(|error| StoreError::io("open", &place.path, error))?;
        Ok(Self {
            place: place.clone(),
            connection,
            lock,
            file,
            durability: place.options.durability,
            largest: 0,
            trailing: Trailing::new(trail),
        })
    }

    /// Brings up to date what trails, puts everything on the medium that is not there yet, and lets go of the
    /// connection.
    ///
    /// # Errors
    /// Whatever SQLite says. It is closed all the same.
    pub(super) fn close(mut self: Box<Self>, is_synced: bool) -> Result<(), SqlError> {
        let deadline = self.place.options.deadline();
        while self.trailing.is_behind() && Instant::now() < deadline {
            if let Err(Uncertain) = self.trail(deadline) {
                self.leave();
                return Err(StoreError::Poisoned.into());
            }
        }
        let synced = if is_synced { Ok(()) } else { self.sync(deadline) };
        if self.certainty(synced.as_ref().err()).is_err() {
            self.leave();
            return synced;
        }
        self.connection.close().map_err(|(_, error)| error)?;
        synced
    }

    fn sync(&mut self, deadline: Instant) -> Result<(), SqlError> {
        self.synchronize(Durability::Full)?;
        let _turn = self.begin(deadline)?;
        self.end(touch(&self.connection))
    }

    /// Lets go of the connection without moving the log into the database: who does not know what is in the log
    /// must not.
    pub(super) fn leave(self: Box<Self>) {
        let kept = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        // It is about to be closed, whatever it says.
        let _ = self.connection.set_db_config(kept, true);
    }

    /// Says what the next commit has to survive.
    pub(super) fn synchronize(&mut self, durability: Durability) -> Result<(), SqlError> {
        if self.durability != durability {
            connection::synchronize(&self.connection, durability)?;
            self.durability = durability;
        }
        Ok(())
    }

    /// Takes the turn and begins a transaction.
    ///
    /// # Errors
    /// `Locked`, or that SQLite is busy, past the deadline; `Poisoned` for a database that was moved or replaced.
    pub(super) fn begin(&mut self, deadline: Instant) -> Result<Turn, SqlError> {
        let turn = self.lock.acquire(deadline)?;
        let found = std::fs::metadata(&self.place.path).ok();
        let Some(found) = found.filter(|found| FileId::from(found) == self.file) else {
            return Err(StoreError::Poisoned.into());
        };
        beside::mend_in_turn(&self.place, &found)?;
        // Only a program that knows nothing of the lock file is ever waited for here. SQLite counts whole
        // milliseconds, and is not to come back too early.
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        self.connection.busy_timeout(left)?;
        self.execute("BEGIN IMMEDIATE")?;
        Ok(turn)
    }

    /// Ends the transaction, if it has not ended yet: commits if all went well, else undoes it.
    pub(super) fn end(&self, went: Result<(), SqlError>) -> Result<(), SqlError> {
        let ended = went.and_then(|()| match self.connection.is_autocommit() {
            true => Ok(()),
            false => self.commit(),
        });
        if ended.is_err() && !self.connection.is_autocommit() {
            // What matters is whether it is over, and that is asked for.
            let _ = self.execute("ROLLBACK");
        }
        ended
    }

    fn commit(&self) -> Result<(), SqlError> {
        match self.execute("COMMIT") {
            Err(SqlError::Statement(error)) => Err(SqlError::Commit(error)),
            committed => committed,
        }
    }

    /// Whether it is known what is on the disk, now that the transaction has ended, or `failed` so.
    pub(super) fn certainty(&self, failed: Option<&SqlError>) -> Result<(), Uncertain> {
        let uncertain = failed.is_some_and(SqlError::is_uncertain);
        if uncertain || !self.connection.is_autocommit() { Err(Uncertain) } else { Ok(()) }
    }

    pub(super) fn execute(&self, sql: &str) -> Result<(), SqlError> {
        let done = self.connection.prepare_cached(sql).and_then(|mut it| it.execute([]));
        done.map_err(|error| SqlError::from(error).explained(&self.connection))?;
        Ok(())
    }
}

/// Writes something that changes nothing, so that a synced commit syncs the log, and with it everything before. A
/// checkpoint would not do: it syncs nothing while a reader stands in its way.
pub(super) fn touch(connection: &Connection) -> Result<(), SqlError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(connection.pragma_update(None, "user_version", version)?)
}
