//! What a store does while nobody else writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::store::rules;
use session_core::{Session, StoreError, Timestamp};

use crate::directory::{Directory, Loaded};
use crate::lock::Guard;

/// Reads, checks and appends without anybody else writing in between.
pub(crate) struct Writer<'a> {
    pub(crate) directory: &'a Directory,
    poisoned: &'a AtomicBool,
    _guard: Guard<'a>,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(
        directory: &'a Directory,
        poisoned: &'a AtomicBool,
        guard: Guard<'a>,
    ) -> Self {
        Self { directory, poisoned, _guard: guard }
    }

    /// Appends the session's state to its file, which stands as `before` says.
    ///
    /// # Errors
    /// As [`Directory::put`]. If the file was touched, the store is poisoned.
    pub(crate) fn put(&self, session: &Session, before: Option<&Loaded>) -> Result<(), StoreError> {
        self.directory.put(session, before).map_err(|failed| {
            if failed.touched {
                self.poisoned.store(true, Ordering::Release);
            }
            failed.error
        })
    }

    /// Those that have the name that `taker` wants at `at` and whose deadline has passed, as they are to be
    /// stored.
    ///
    /// # Errors
    /// `NameHeld` when one of them holds the name.
    pub(crate) fn contest(
        &self,
        taker: &Session,
        at: Timestamp,
    ) -> Result<Vec<(Session, Arc<Loaded>)>, StoreError> {
        let mut expired = Vec::new();
        for loaded in self.directory.load_readable()? {
            let Some(other) = loaded.readable().filter(|other| other.name() == taker.name()) else {
                continue;
            };
            if let Some(other) = rules::contest(taker.id(), other, at)? {
                expired.push((other, loaded));
            }
        }
        Ok(expired)
    }

    /// Stores a session after those that lose their name to it. Dying in between leaves sessions recorded as
    /// expired that were, and a name that nobody holds: what every reader sees anyway.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn put_after(
        &self,
        expired: &[(Session, Arc<Loaded>)],
        session: &Session,
        before: Option<&Loaded>,
    ) -> Result<(), StoreError> {
        for (other, loaded) in expired {
            self.put(other, Some(loaded))?;
        }
        self.put(session, before)
    }
}
