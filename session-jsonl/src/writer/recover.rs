//! What a writer does first: what the last one left half done is finished, and what it left unsynced is synced.

use std::sync::atomic::Ordering;

use session_core::{Durability, StoreError};

use super::{Concerns, Writer};
use crate::adopt;
use crate::file::AppendError;
use crate::lock::Progress;

impl Writer<'_> {
    /// Nothing that is built upon may be what a dead writer did not come to sync, and nothing half done.
    pub(super) fn recover(&mut self, concerns: Concerns) -> Result<(), StoreError> {
        let directory = self.directory();
        let disk = directory.disk();
        let found = self.guard.borrow().found();
        let is_pending = self.view.has_pending;
        let poisoned = self.poisoned;
        let failed = |failed: AppendError| {
            poisoned.store(true, Ordering::Release);
            failed.error
        };
        let uncertain = |error| failed(AppendError::uncertain(directory.path(), error));
        let is_as_left = self.guard.borrow().times() == directory.seen().map(|stamp| stamp.times());
        if found == Progress::Busy || is_pending || !is_as_left {
            // What the index says of the last change need not be true, nor of anything where others were at work.
            self.index.distrust(directory)?;
        }
        // What is built on a session's own bytes is as durable as they are.
        let is_careless = self.durability == Durability::Normal && concerns == Concerns::One;
        if found != Progress::Synced && !is_careless {
            disk.sync_below(directory.path()).map_err(uncertain)?;
        }
        self.is_unsynced.set(found != Progress::Synced && is_careless);
        if is_pending {
            let mut touch = self.index.touching(directory, &[])?;
            if let Some(pending) = self.view.pending.clone() {
                self.finish_pending(&pending, &mut touch).map_err(failed)?;
            }
            self.remove_pending(&mut touch).map_err(failed)?;
            (self.view.pending, self.view.has_pending) = (None, false);
        }
        if let Some(last) = self.view.tombs.last.filter(|_| found == Progress::Busy) {
            let path = directory.file_of(last);
            if disk.stamp(&path).map_err(uncertain)?.is_some() {
                let mut touch = self.index.touching(directory, &[])?;
                self.unlink(last, &mut touch)?;
            }
        }
        if found == Progress::Busy {
            adopt::remove_dead(disk, directory.path());
        }
        self.done();
        Ok(())
    }
}
