//! What a store does while nobody else writes: changes of one file or of several, each made wholly or not at all.

mod destroy;
mod pending;
mod recover;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::{Durability, Session, SessionId, StoreError, Timestamp};

use crate::adopt::Draft;
use crate::directory::{Directory, Loaded, View};
use crate::disk::Stamp;
use crate::file::{self, AppendError, End, Synced};
use crate::index::{Index, Stamped, Touch};
use crate::line;
use crate::lock::{Guard, Progress};
use crate::quarantine::{self, Cut};
use crate::replay::{Anchor, Replay, Spot};

/// Reads, checks and appends without anybody else writing in between.
pub(crate) struct Writer<'a> {
    pub(crate) view: View<'a>,
    index: &'a Index,
    poisoned: &'a AtomicBool,
    durability: Durability,
    guard: RefCell<Guard<'a>>,
    /// Whether something was written that a loss of power may take.
    is_unsynced: Cell<bool>,
}

/// What a writer looks at before it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// One session alone.
    One,
    /// Others as well: a name, children, ids.
    Others,
}

/// A session's new state, and the lines that lead to it.
#[derive(Debug)]
pub(crate) struct Change {
    /// Its file as it is; `None` without one.
    before: Option<Arc<Loaded>>,
    session: Arc<Session>,
    /// A batch of which the state is the last line.
    lines: String,
}

/// Where the lines of a change go.
#[derive(Debug)]
struct Place {
    id: SessionId,
    whole: u64,
    /// The lines, after the header where the file is new.
    text: String,
    anchor: Anchor,
}

impl Change {
    /// The change of a session's state alone.
    ///
    /// # Errors
    /// `Unsupported` when it is too large.
    pub(crate) fn of(session: Session, before: Option<Arc<Loaded>>) -> Result<Self, StoreError> {
        let mut lines = String::new();
        line::push_session(&mut lines, (1, 1), &session)?;
        Ok(Self { before, session: Arc::new(session), lines })
    }

    /// The change that adds these lines, of which the last is the session's state.
    pub(crate) fn with_lines(session: Session, before: Arc<Loaded>, lines: String) -> Self {
        Self { before: Some(before), session: Arc::new(session), lines }
    }

    fn place(&self) -> Place {
        let id = self.session.id();
        // What an unfinished creation left is written anew, its header included.
        let whole = (self.before.as_ref())
            .filter(|before| before.readable().is_some())
            .map_or(0, |before| before.whole());
        let text = if whole == 0 { line::header(id) + &self.lines } else { self.lines.clone() };
        let body = text.trim_end_matches('\n');
        let last = body.rfind('\n').map_or(0, |end| end + 1);
        let hash = line::hash(&body.as_bytes()[last..]);
        let anchor = Anchor { offset: whole + last as u64, hash };
        Place { id, whole, text, anchor }
    }

    /// The session.
    pub(crate) fn id(&self) -> SessionId {
        self.session.id()
    }

    /// The state of the session that it leads to.
    pub(crate) fn into_session(self) -> Session {
        Arc::unwrap_or_clone(self.session)
    }
}

impl Place {
    fn end(&self) -> u64 {
        self.whole + self.text.len() as u64
    }
}

impl<'a> Writer<'a> {
    /// Puts in order what the last writer left, if it did not come to its end.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn new(
        view: View<'a>,
        index: &'a Index,
        poisoned: &'a AtomicBool,
        durability: Durability,
        guard: Guard<'a>,
        concerns: Concerns,
    ) -> Result<Self, StoreError> {
        let mut writer = Self {
            view,
            index,
            poisoned,
            durability,
            guard: RefCell::new(guard),
            is_unsynced: Cell::new(false),
        };
        writer.recover(concerns)?;
        Ok(writer)
    }

    fn directory(&self) -> &'a Directory {
        self.view.directory
    }

    /// Makes one change, or several in one step.
    ///
    /// # Errors
    /// What the disk reports. If a file was touched, the store is poisoned.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.commit_synced(changes, Synced::Now)
    }

    /// Makes one change that concerns no other session: as durable as the handle was asked to be.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn commit_alone(&self, change: &Change) -> Result<(), StoreError> {
        let synced = match self.durability {
            Durability::Full => Synced::Now,
            Durability::Normal => Synced::Later,
        };
        self.commit_synced(std::slice::from_ref(change), synced)
    }

    fn commit_synced(&self, changes: &[Change], synced: Synced) -> Result<(), StoreError> {
        let directory = self.directory();
        let disk = directory.disk();
        let places: Vec<_> = changes.iter().map(Change::place).collect();
        self.guard.borrow_mut().set(Progress::Busy);
        for (change, place) in changes.iter().zip(&places) {
            let Some(before) = &change.before else { continue };
            if before.replay().has_strange_tail() {
                let cut = Cut {
                    source: &directory.file_of(place.id),
                    name: place.id.to_string(),
                    place: place.whole..before.stamp.length,
                };
                quarantine::keep(disk, directory.path(), &cut)
                    .map_err(|failed| self.failed(failed))?;
            }
        }
        let stamped: Vec<_> = (changes.iter().zip(&places))
            .map(|(change, place)| Stamped {
                session: &change.session,
                whole: place.end(),
                anchor: place.anchor,
                spots: self.known_spots(change),
            })
            .collect();
        let mut touch = match self.index.touching(directory, &stamped) {
            Ok(touch) => touch,
            Err(error) => {
                self.done();
                return Err(error);
            }
        };
        let written = match (changes, &places[..]) {
            ([], _) => Ok(()),
            ([change], [place]) => self.write_one(change, place, synced, &mut touch),
            _ => self.write_all(changes, &places, &mut touch),
        };
        if let Err(failed) = written {
            for place in &places {
                directory.forget(place.id);
            }
            // The lock says that this did not come to its end: the next writer looks at what is there.
            return Err(self.failed(failed));
        }
        if synced == Synced::Later {
            self.is_unsynced.set(true);
        }
        self.done();
        if let ([_], Some(stamp)) = (changes, touch.stamp()) {
            directory.leave(stamp);
        }
        touch.finish();
        Ok(())
    }

    fn known_spots(&self, change: &Change) -> Vec<Spot> {
        change
            .before
            .as_ref()
            .map_or_else(Vec::new, |before| before.replay().clone().without_tail().spots())
    }

    fn write_one(
        &self,
        change: &Change,
        place: &Place,
        synced: Synced,
        touch: &mut Touch<'_>,
    ) -> Result<(), AppendError> {
        let directory = self.directory();
        let path = directory.file_of(place.id);
        let bytes = place.text.as_bytes();
        let stamp = match &change.before {
            None => file::create(directory.disk(), &path, bytes, || touch.again())?,
            Some(before) => {
                let end = End { path: &path, known: before.stamp, whole: place.whole };
                let kept = directory.take_open(place.id);
                let (stamp, file) = file::append(directory.disk(), &end, kept, bytes, synced)?;
                directory.leave_open(place.id, file);
                stamp
            }
        };
        self.remember(change, place, stamp);
        Ok(())
    }

    /// What was written is known without reading it.
    fn remember(&self, change: &Change, place: &Place, stamp: Stamp) {
        let directory = self.directory();
        if stamp.length != place.end() {
            return directory.forget(place.id);
        }
        let mut replay = Replay::ended(Arc::clone(&change.session), stamp.length, place.anchor);
        if let Some(before) = &change.before {
            replay = replay.with_spots(before.replay().known_spots().clone());
        }
        directory.remember(place.id, Loaded::new(directory.file_of(place.id), stamp, replay));
    }

    /// Gives a session's file, which is complete and synced and ends with this line, its name.
    ///
    /// # Errors
    /// What the disk reports. If the name may be there, the store is poisoned.
    pub(crate) fn put_in_place(
        &self,
        session: &Arc<Session>,
        draft: Draft<'_>,
        anchor: Anchor,
    ) -> Result<(), StoreError> {
        let directory = self.directory();
        let path = directory.file_of(session.id());
        let stamped = Stamped { session, whole: draft.length, anchor, spots: Vec::new() };
        let mut touch = self.index.touching(directory, &[stamped])?;
        self.guard.borrow_mut().set(Progress::Busy);
        directory.forget(session.id());
        self.name(draft, &path, &mut touch)?;
        self.done();
        touch.finish();
        Ok(())
    }

    /// Puts a file that is complete and synced in the place of one that is no session's.
    ///
    /// # Errors
    /// As [`put_in_place`](Self::put_in_place).
    pub(crate) fn replace_file(&self, draft: Draft<'_>, path: &Path) -> Result<(), StoreError> {
        let mut touch = self.index.touching(self.directory(), &[])?;
        self.guard.borrow_mut().set(Progress::Busy);
        self.name(draft, path, &mut touch)?;
        self.done();
        touch.finish();
        Ok(())
    }

    fn name(&self, draft: Draft<'_>, path: &Path, touch: &mut Touch<'_>) -> Result<(), StoreError> {
        let directory = self.directory();
        draft
            .name(path)
            .and_then(|()| touch.again())
            .and_then(|()| directory.disk().sync_directory(directory.path()))
            .map_err(|error| self.failed(AppendError::uncertain(path, error)))
    }

    /// Moves what stands in the place of a session's file, and is none, to the quarantine.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn set_aside(
        &self,
        path: &Path,
        id: SessionId,
        reason: &str,
        at: Timestamp,
    ) -> Result<PathBuf, StoreError> {
        let directory = self.directory();
        let disk = directory.disk();
        let mut touch = self.index.touching_gone(directory, id)?;
        self.guard.borrow_mut().set(Progress::Busy);
        directory.forget(id);
        let stamp = disk.stamp(path).map_err(|error| StoreError::io("reading", path, error))?;
        let place = 0..stamp.map_or(0, |stamp| stamp.length);
        let cut = Cut { source: path, name: id.to_string(), place };
        let kept = quarantine::set_aside(disk, directory.path(), &cut, reason, at)
            .and_then(|kept| match touch.again() {
                Ok(()) => Ok(kept),
                Err(error) => Err(AppendError::uncertain(path, error)),
            })
            .map_err(|failed| self.failed(failed))?;
        self.done();
        touch.finish();
        Ok(kept)
    }

    /// Says that everything that was written is on the medium.
    pub(crate) fn done(&self) {
        let reached = if self.is_unsynced.get() { Progress::Written } else { Progress::Synced };
        self.guard.borrow_mut().set(reached);
    }

    /// What went wrong, after which the store is poisoned if nobody knows what is on the medium.
    pub(crate) fn failed(&self, failed: AppendError) -> StoreError {
        if failed.touched {
            self.poisoned.store(true, Ordering::Release);
        }
        failed.error
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let seen = self.directory().seen();
        self.guard.borrow_mut().set_times(seen.map(|stamp| stamp.times()));
    }
}
