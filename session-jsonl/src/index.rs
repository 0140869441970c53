//! What listings need to know of every session, so that they need not look at every file.
//!
//! Invariant: nothing depends on `index.jsonl` but speed. What it says is believed only while the directory has the
//! time that its last line names, in the same boot of the machine: each writer gives the directory a new time before
//! it touches any file, and says in the same line what it is about to make of which sessions. Those of the last line
//! may not have come to be, so their files are looked at. Whenever anything does not fit, all files are.

mod group;
mod listing;
mod log;
mod rows;
mod state;
mod touch;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use session_core::{SessionId, StoreError};

use crate::directory::View;
use crate::disk::Access;
use crate::error::ReadError;
use crate::lines;
use crate::lock::{Trust, WriterLock};
use crate::replay::Anchor;
use crate::{file, line};

pub(crate) use group::Row;
use group::{Entry, Moment};
pub(crate) use listing::Listing;
use listing::entry;
pub(crate) use log::INDEX;
use rows::Rows;
use state::{State, directory_stamp, moment};
pub(crate) use touch::{Stamped, Touch};

/// How often it is read again when writers are faster.
const ATTEMPTS: u32 = 4;

/// What is known of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Index {
    state: RwLock<State>,
}

impl Index {
    /// Everything, read from the files of all sessions if that must be.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn listing(
        &self,
        view: &View<'_>,
        lock: &WriterLock,
    ) -> Result<Listing<'_>, ReadError> {
        for _ in 0..ATTEMPTS {
            if let Some(listing) = self.believed(view, lock)? {
                return Ok(listing);
            }
        }
        self.scan(view, Some(lock))?;
        self.look(view, self.read_state(), false).map(|(listing, _)| listing)
    }

    /// The same for the holder of the lock, who makes the index such that others believe it.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn listing_to_write(&self, view: &View<'_>) -> Result<Listing<'_>, ReadError> {
        let directory = view.directory;
        let moment = moment(directory)?;
        let mut state = self.write_state();
        if state.exact.is_none() || state.exact != moment {
            state.read_log(directory);
            if state.exact.is_none() || state.exact != moment {
                drop(state);
                self.scan(view, None)?;
                state = self.write_state();
            }
        }
        // What the last holder of the lock did came to its end.
        state.doubtful.clear();
        if state.believed_end(directory, state.exact.as_ref()).is_none() {
            // Without room for it, all files are looked at next time.
            _ = state.write_anew(directory);
        }
        drop(state);
        self.look(view, self.read_state(), false).map(|(listing, _)| listing)
    }

    /// What the index says, if it can be believed now.
    fn believed(
        &self,
        view: &View<'_>,
        lock: &WriterLock,
    ) -> Result<Option<Listing<'_>>, ReadError> {
        let directory = view.directory;
        let stamp = directory_stamp(directory)?;
        let trust = lock.trust(&stamp);
        let mut state = self.read_state();
        let now = Moment::of(directory.disk().boot(), &stamp);
        match trust {
            Trust::AsLeft | Trust::Busy => {}
            Trust::Changed if state.scanned == Some(stamp.times()) => {}
            Trust::Changed | Trust::Never => return Ok(None),
        }
        if state.exact.is_none() || state.exact != now {
            let named = log::read_end(directory).map(|(_, named)| named);
            if named.is_none() || named != now {
                return Ok(None);
            }
            drop(state);
            self.write_state().read_log(directory);
            state = self.read_state();
            // The time is asked for after the lines were read: who wrote since then has given the directory another.
            if state.exact.is_none() || state.exact != moment(directory)? {
                return Ok(None);
            }
        }
        if state.doubtful.is_empty() {
            return self.look(view, state, false).map(|(listing, _)| Some(listing));
        }
        // If nobody writes now, what is found now is what the last writer has left.
        let is_idle = trust != Trust::Busy;
        let (listing, found) = self.look(view, state, true)?;
        let exact = listing.state.exact.clone();
        if is_idle && exact == moment(directory)? {
            drop(listing);
            let mut state = self.write_state();
            if state.exact == exact {
                found.into_iter().for_each(|entry| state.rows.put(entry));
                state.doubtful.clear();
            }
            drop(state);
            return self.look(view, self.read_state(), false).map(|(listing, _)| Some(listing));
        }
        Ok(Some(listing))
    }

    /// Looks at all files; without a lock for its holder, beside whom nobody writes.
    fn scan(&self, view: &View<'_>, lock: Option<&WriterLock>) -> Result<(), ReadError> {
        let directory = view.directory;
        let before = directory_stamp(directory)?;
        // Whoever begins to write after this gives the directory another time first.
        let trust = lock.map_or(Trust::AsLeft, |lock| lock.trust(&before));
        let is_idle = matches!(trust, Trust::AsLeft | Trust::Changed);
        let ids = directory.ids()?;
        let mut rows = Rows::default();
        {
            let state = self.read_state();
            for id in ids {
                let known = state.rows.all().get(&id);
                if let Some(row) = known
                    && vouched(view, id, row)
                {
                    rows.put(Entry::Row(id, row.clone()));
                    continue;
                }
                rows.put(entry(id, &view.load(id)));
            }
        }
        let is_still = before.times() == directory_stamp(directory)?.times();
        let mut state = self.write_state();
        let clock = state.clock;
        let exact = Moment::of(directory.disk().boot(), &before)
            .filter(|_| is_idle && is_still && clock.is_usable);
        let scanned = exact.is_some().then(|| before.times());
        *state = State { rows, exact, scanned, clock, ..State::default() };
        Ok(())
    }

    /// Lets the file of a session be looked at, which is not as the index says.
    pub(crate) fn doubt(&self, id: SessionId) {
        self.write_state().doubtful.insert(id);
    }

    /// Forgets everything, as the whole content was replaced.
    pub(crate) fn forget(&self) {
        *self.write_state() = State::default();
    }

    /// Makes sure that others believe the index, as far as that costs little.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn ensure(&self, view: &View<'_>) -> Result<(), ReadError> {
        let now = moment(view.directory)?;
        let is_believed = self.read_state().believed_end(view.directory, now.as_ref()).is_some();
        if !is_believed {
            self.listing_to_write(view)?;
        }
        Ok(())
    }

    /// Sessions of which the index says what their files do not, as far as it is believed and nobody writes.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn contradictions(
        &self,
        view: &View<'_>,
        lock: &WriterLock,
    ) -> Result<Vec<SessionId>, ReadError> {
        let Some(listing) = self.believed(view, lock)? else { return Ok(Vec::new()) };
        let before = listing.state.exact.clone();
        let mut found = Vec::new();
        for (id, row) in listing.rows() {
            if !view.load(id)?.is_some_and(|loaded| row.is_of(&loaded)) {
                found.push(id);
            }
        }
        for id in view.directory.ids()? {
            // A file that the index does not know at all.
            if !listing.knows(id) && view.load(id)?.is_some_and(|it| it.readable().is_some()) {
                found.push(id);
            }
        }
        if before != moment(view.directory)? {
            found.clear();
        }
        Ok(found)
    }

    /// Writes it anew from the files of all sessions.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn rebuild(&self, view: &View<'_>) -> Result<(), StoreError> {
        self.forget();
        self.scan(view, None)?;
        let path = view.directory.path().join(INDEX);
        let mut state = self.write_state();
        state.write_anew(view.directory).map_err(|error| StoreError::io("writing", path, error))
    }

    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        // After a panic in between, the rows may be anything.
        self.state.write().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            *state = State::default();
            self.state.clear_poison();
            state
        })
    }
}

/// Whether a session's file still ends with the line that a row knows.
fn vouched(view: &View<'_>, id: SessionId, row: &Row) -> bool {
    if view.tombs.by_id.contains_key(&id) || view.is_pending(id) {
        return false;
    }
    let directory = view.directory;
    let opened = file::open_regular(directory.disk(), &directory.file_of(id), Access::Read);
    let Ok((file, stamp)) = opened else { return false };
    let Anchor { offset, hash } = row.anchor;
    let is_line = stamp.length == row.whole
        && offset < row.whole
        && row.whole - offset <= line::MAX_LINE as u64 + 1;
    is_line && {
        let read = lines::span(&*file, offset..row.whole);
        read.is_ok_and(|bytes| {
            bytes.strip_suffix(b"\n").is_some_and(|bytes| line::hash(bytes) == hash)
        })
    }
}

#[cfg(test)]
mod tests;
