//! The connections of a handle that only read: as many as there are threads reading at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use session_core::StoreError;

use crate::bare;
use crate::connection::Place;
use crate::error::SqlError;

/// How many connections are kept for the next reader.
const KEPT: usize = 4;

/// Connections that nobody uses at the moment; `None` once the store is closed.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Option<Idle>>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Connection>,
    /// How often all connections were let go, because another file has the name now.
    renewed: u32,
}

impl Readers {
    pub(crate) fn new(first: Option<Connection>) -> Self {
        let connections = first.into_iter().collect();
        Self { idle: Mutex::new(Some(Idle { connections, renewed: 0 })) }
    }

    /// Runs `job` on a connection that nobody else uses meanwhile; again, if that did not notice that others wrote.
    ///
    /// # Errors
    /// What `job` returns; `StoreClosed`; as [`bare::read`].
    pub(crate) fn read<T>(
        &self,
        place: &Place,
        job: impl Fn(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let idle = self.idle().as_mut().map(|idle| (idle.renewed, idle.connections.pop()));
        let (renewed, idle) = idle.ok_or(StoreError::StoreClosed)?;
        let (done, connection) = match idle {
            Some(connection) => (job(&connection), Some(connection)),
            None => bare::read(place, job)?,
        };
        let Some(connection) = connection else { return done };
        let done = done.map_err(|error| error.explained(&connection));
        // After a statement that failed, a new connection reads the database afresh.
        let is_sound = !matches!(done, Err(SqlError::Statement(_)));
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.renewed == renewed)
            && is_sound
            && idle.connections.len() < KEPT
        {
            idle.connections.push(connection);
        }
        done
    }

    /// Whether the store is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.idle().is_none()
    }

    /// Lets go of all connections, so that whoever reads next opens the file that has the name then.
    pub(crate) fn renew(&self) {
        if let Some(idle) = &mut *self.idle() {
            idle.connections.clear();
            idle.renewed += 1;
        }
    }

    /// Lets go of all connections; one in use is let go when its reader is done.
    pub(crate) fn close(&self) {
        *self.idle() = None;
    }

    fn idle(&self) -> MutexGuard<'_, Option<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
