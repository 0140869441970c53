//! What a writer says before it touches any file: the directory gets a time that it never had, and a line that names it.

use std::io;
use std::sync::{Arc, RwLockWriteGuard};

use session_core::{Session, SessionId, StoreError};

use super::Index;
use super::group::{self, Entry, Group, Moment, Row};
use super::log::{self, Position};
use super::state::{State, untimely};
use crate::directory::Directory;
use crate::disk::{Modified, Stamp};
use crate::replay::{Anchor, Spot};

/// A session's state as it is about to be written.
#[derive(Debug)]
pub(crate) struct Stamped<'a> {
    pub(crate) session: &'a Arc<Session>,
    pub(crate) whole: u64,
    pub(crate) anchor: Anchor,
    pub(crate) spots: Vec<Spot>,
}

/// The right to touch the directory: it has a new time, and gets it again after each change of a name in it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Touch<'a> {
    index: &'a Index,
    directory: &'a Directory,
    /// The directory with its new time; `None` where it cannot be given one.
    stamp: Option<Stamp>,
}

impl Index {
    /// Says what is about to be made of sessions, and gives the directory a new time.
    ///
    /// Only for the holder of the lock, before it touches any file.
    ///
    /// # Errors
    /// What the disk reports. Then nothing may be touched.
    pub(crate) fn touching<'a>(
        &'a self,
        directory: &'a Directory,
        stamped: &[Stamped<'_>],
    ) -> Result<Touch<'a>, StoreError> {
        let entries = stamped.iter().map(|stamped| {
            let row = Row {
                whole: stamped.whole,
                anchor: stamped.anchor,
                session: Arc::new(group::reduced(stamped.session)),
                spots: stamped.spots.clone(),
            };
            Entry::Row(stamped.session.id(), row)
        });
        self.touch(directory, entries.collect())
    }

    /// The same for a session that is about to be destroyed.
    ///
    /// # Errors
    /// As [`touching`](Self::touching).
    pub(crate) fn touching_gone<'a>(
        &'a self,
        directory: &'a Directory,
        id: SessionId,
    ) -> Result<Touch<'a>, StoreError> {
        self.touch(directory, vec![Entry::Gone(id)])
    }

    /// Gives the directory another time, so that nobody believes what the index says of it.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn distrust(&self, directory: &Directory) -> Result<(), StoreError> {
        let mut state = self.write_state();
        let modified = state.unnamed_time(directory)?;
        state.disbelieve();
        let given = state.give_time(directory, modified);
        given.map(drop).map_err(|error| untimely(directory, error))
    }

    fn touch<'a>(
        &'a self,
        directory: &'a Directory,
        entries: Vec<Entry>,
    ) -> Result<Touch<'a>, StoreError> {
        let mut state = self.write_state();
        let (stamp, modified) = state.next_time(directory)?;
        let now = Moment::of(directory.disk().boot(), &stamp);
        let next = now.clone().map(|now| Moment { modified, ..now });
        // Who wrote a line since, or died while doing so, has given the directory another time or said `busy`.
        if now.is_some() && state.unnamed == now {
            return self.touch_unnamed(state, directory, modified);
        }
        let written = match (state.believed_end(directory, now.as_ref()), next) {
            (Some(before), Some(next)) => {
                let group = Group { moment: next, base: before.base, entries };
                let end = log::append(directory, &before, &group, &mut state.kept);
                end.ok().map(|end| (before, end, group))
            }
            _ => None,
        };
        let Some((before, end, Group { moment, entries, .. })) = written else {
            let modified = state.unnamed_time(directory)?;
            return self.touch_unnamed(state, directory, modified);
        };
        let given = state.give_time(directory, modified).inspect_err(|_| state.disbelieve());
        let stamp = given.map_err(|error| untimely(directory, error))?;
        if stamp.is_none_or(|stamp| stamp.modified != modified) {
            // The line names a time that the directory cannot have.
            state.disbelieve();
            return Ok(Touch { index: self, directory, stamp });
        }
        if state.exact == now && state.read.as_ref() == Some(&before) {
            // What was in doubt was done before this began.
            state.doubtful = entries.iter().map(Entry::id).collect();
            entries.into_iter().for_each(|entry| state.rows.put(entry));
            (state.read, state.exact) = (Some(end.clone()), Some(moment.clone()));
        } else {
            // What others added is read when somebody asks for it, and this with it.
            state.exact = None;
        }
        state.scanned = None;
        state.end = Some((end, moment));
        Ok(Touch { index: self, directory, stamp })
    }

    fn touch_unnamed<'a>(
        &'a self,
        mut state: RwLockWriteGuard<'_, State>,
        directory: &'a Directory,
        modified: Modified,
    ) -> Result<Touch<'a>, StoreError> {
        state.disbelieve();
        let given = state.give_time(directory, modified);
        let stamp = given.map_err(|error| untimely(directory, error))?;
        state.unnamed = stamp.and_then(|stamp| Moment::of(directory.disk().boot(), &stamp));
        Ok(Touch { index: self, directory, stamp })
    }
}

impl Touch<'_> {
    /// Gives the directory its time again, after something got a name in it or lost it.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn again(&mut self) -> io::Result<()> {
        let Some(before) = self.stamp else { return Ok(()) };
        let mut state = self.index.write_state();
        self.stamp = state.give_time(self.directory, before.modified)?;
        if self.stamp.is_none_or(|stamp| stamp.modified != before.modified) {
            state.disbelieve();
        }
        Ok(())
    }

    /// The directory, with its new time; `None` where it has none.
    pub(crate) const fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Everything was done that was said.
    pub(crate) fn finish(self) {
        let mut state = self.index.write_state();
        let given = self.stamp.map(|stamp| stamp.modified);
        if given.is_some() && state.exact.as_ref().map(|exact| exact.modified) == given {
            state.doubtful.clear();
            if state.read.as_ref().is_some_and(Position::is_mostly_stale) {
                _ = state.write_anew(self.directory);
            }
        }
    }
}
