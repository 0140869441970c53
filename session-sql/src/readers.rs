//! The connections of a handle that only read: as many as there are threads reading at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use session_core::StoreError;

use crate::connection::Place;
use crate::error::SqlError;

/// How many connections are kept for the next reader.
const KEPT: usize = 4;

/// Connections that nobody uses at the moment; `None` once the store is closed.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(first: Connection) -> Self {
        Self { idle: Mutex::new(Some(vec![first])) }
    }

    /// Runs `job` on a connection that nobody else uses meanwhile.
    ///
    /// # Errors
    /// What `job` returns; `StoreClosed`; whatever connecting returns.
    pub(crate) fn read<T>(
        &self,
        place: &Place,
        job: impl FnOnce(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let idle = self.idle().as_mut().map(Vec::pop);
        let connection = match idle {
            None => return Err(StoreError::StoreClosed.into()),
            Some(Some(connection)) => connection,
            Some(None) => place.reader()?,
        };
        let done = job(&connection);
        // After a statement that failed, a new connection reads the database afresh.
        let is_sound = !matches!(done, Err(SqlError::Statement(_)));
        if let Some(idle) = self.idle().as_mut().filter(|idle| is_sound && idle.len() < KEPT) {
            idle.push(connection);
        }
        done
    }

    /// Whether the store is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.idle().is_none()
    }

    /// Lets go of all connections; one in use is let go when its reader is done.
    pub(crate) fn close(&self) {
        *self.idle() = None;
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
