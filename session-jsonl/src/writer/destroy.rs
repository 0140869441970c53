//! Destroying sessions: a tombstone is kept, and then the file goes.

use session_core::{SessionId, StoreError, Timestamp, Tombstone};

use super::Writer;
use crate::file::{self, AppendError, End, Synced};
use crate::index::Touch;
use crate::lock::Progress;
use crate::tombs::{self, TOMBSTONES};

impl<'a> Writer<'a> {
    /// Destroys a session: first it is said that it is gone, then its file goes.
    ///
    /// # Errors
    /// What the disk reports. If a file was touched, the store is poisoned.
    pub(crate) fn destroy(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError> {
        let tombstone = Tombstone::new(id, at);
        let mut touch = self.bury(&tombstone)?;
        self.unlink(id, &mut touch)?;
        self.done();
        touch.finish();
        Ok(tombstone)
    }

    /// Keeps a tombstone, and returns once it is on the medium.
    ///
    /// # Errors
    /// As [`destroy`](Self::destroy).
    pub(crate) fn bury(&self, tombstone: &Tombstone) -> Result<Touch<'a>, StoreError> {
        let directory = self.directory();
        let disk = directory.disk();
        let path = directory.path().join(TOMBSTONES);
        let line = tombs::line(tombstone)
            .map_err(|error| StoreError::backend("writing a tombstone as JSON", error))?;
        self.guard.borrow_mut().set(Progress::Busy);
        let mut touch = self.index.touching_gone(directory, tombstone.id)?;
        let written = match &self.view.tombs.stamp {
            None => file::create(disk, &path, line.as_bytes(), || touch.again()),
            Some(stamp) => {
                let end = End { path: &path, known: *stamp, whole: self.view.tombs.whole };
                file::append(disk, &end, None, line.as_bytes(), Synced::Now).map(|(stamp, _)| stamp)
            }
        };
        directory.forget(tombstone.id);
        written.map_err(|failed| self.failed(failed))?;
        Ok(touch)
    }

    pub(super) fn unlink(&self, id: SessionId, touch: &mut Touch<'_>) -> Result<(), StoreError> {
        let directory = self.directory();
        directory.forget(id);
        let path = directory.file_of(id);
        (directory.disk().remove(&path))
            .and_then(|()| touch.again())
            .and_then(|()| directory.disk().sync_directory(directory.path()))
            .map_err(|error| self.failed(AppendError::uncertain(&path, error)))
    }
}
