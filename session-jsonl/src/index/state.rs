//! What the index knows, up to where of its file, and when that can be believed.

use std::collections::BTreeSet;
use std::io;

use session_core::{SessionId, StoreError};

use super::group::{Entry, Moment};
use super::log::{self, INDEX, Kept, Position};
use super::rows::Rows;
use crate::directory::Directory;
use crate::disk::{Modified, Stamp, Times};
use crate::error::ReadError;
use crate::file;

/// What is known, and how far it can be believed.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rows: Rows,
    /// Up to where of the file the rows come from; `None` when they come from files of sessions.
    pub(super) read: Option<Position>,
    /// The end of the file as this process left it, and what it names.
    pub(super) end: Option<(Position, Moment)>,
    /// When the rows are true, but for those in doubt.
    pub(super) exact: Option<Moment>,
    /// Sessions that the last change concerns. Nobody knows whether it was made.
    pub(super) doubtful: BTreeSet<SessionId>,
    pub(super) kept: Kept,
    /// The time that this process gave the directory, later than any that a line names, when the index was not believed.
    pub(super) unnamed: Option<Moment>,
    /// The state of the directory in which all files were looked at.
    pub(super) scanned: Option<Times>,
    pub(super) clock: Clock,
}

/// What times the directory can be given, as far as that was tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Times are whole numbers of so many nanoseconds.
    step: u64,
    /// Whether the last attempt did give it one.
    pub(super) is_usable: bool,
}

/// The steps of file systems, in nanoseconds.
const STEPS: [u64; 7] = [1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000];

impl Default for Clock {
    fn default() -> Self {
        Self { step: 1, is_usable: true }
    }
}

impl State {
    /// Reads what was added to the file, or all of it.
    pub(super) fn read_log(&mut self, directory: &Directory) {
        let known = self.read.take();
        let mut entries = Vec::new();
        let found = log::read(directory, known.as_ref(), |group| {
            entries.push((group.moment, group.entries));
        });
        let Some((end, continues)) = found else {
            // The rows may still be right for most files.
            self.exact = None;
            return;
        };
        self.exact = None;
        if !continues {
            self.rows = Rows::default();
        }
        for (moment, entries) in entries {
            self.doubtful = entries.iter().map(Entry::id).collect();
            entries.into_iter().for_each(|entry| self.rows.put(entry));
            self.exact = Some(moment);
        }
        self.read = Some(end);
        if self.exact.as_ref().map(|exact| Some(exact.boot.as_str()))
            != Some(directory.disk().boot())
        {
            self.exact = None;
        }
    }

    /// The end of the file, if everybody believes it now.
    pub(super) fn believed_end(
        &self,
        directory: &Directory,
        now: Option<&Moment>,
    ) -> Option<Position> {
        let now = now?;
        if let Some((end, named)) = &self.end
            && named == now
        {
            return log::is_end(directory, end).then(|| end.clone());
        }
        let (end, named) = log::read_end(directory)?;
        (named == *now).then_some(end)
    }

    /// The directory as it is, and a time that it never had.
    pub(super) fn next_time(&self, directory: &Directory) -> Result<(Stamp, Modified), StoreError> {
        let stamp = match directory.seen() {
            Some(stamp) => stamp,
            None => directory_stamp(directory)?,
        };
        let last = self.end.as_ref().map_or(stamp.modified, |(_, named)| named.modified);
        Ok((stamp, stamp.modified.max(last).next(self.clock.step)))
    }

    /// The same where the index is not believed: a time that no line of it names either. Who died between writing a line
    /// and giving the directory its time has left one that must never become true.
    pub(super) fn unnamed_time(&self, directory: &Directory) -> Result<Modified, StoreError> {
        let (_, next) = self.next_time(directory)?;
        let named = log::read_end(directory).map(|(_, named)| named.modified);
        Ok(named.map_or(next, |named| named.next(self.clock.step).max(next)))
    }

    /// The rows are still true of most sessions, and checked before they are used.
    pub(super) fn disbelieve(&mut self) {
        (self.exact, self.end, self.unnamed, self.scanned) = (None, None, None, None);
    }

    /// Gives the directory this time, or the next one that its file system can keep, and returns it as it is then. Where
    /// it cannot be given any there is no index, nor is anything believed that only its time would tell.
    ///
    /// # Errors
    /// What the disk reports.
    pub(super) fn give_time(
        &mut self,
        directory: &Directory,
        to: Modified,
    ) -> io::Result<Option<Stamp>> {
        let (disk, path) = (directory.disk(), directory.path());
        directory.see(None);
        let first = self.clock.step;
        for step in STEPS.into_iter().filter(|step| *step >= first) {
            // The first is what was asked for.
            let to = if step == first { to } else { to.next(step) };
            match disk.set_modified(path, to) {
                Err(error) if is_refusal(&error) => break,
                set => set?,
            }
            let stamp = file::directory(disk, path)?.ok_or(io::ErrorKind::NotFound)?;
            if stamp.modified == to {
                self.clock = Clock { step, is_usable: true };
                directory.see(Some(stamp));
                return Ok(Some(stamp));
            }
        }
        self.clock.is_usable = false;
        self.disbelieve();
        match disk.remove(&path.join(INDEX)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(None),
        }
    }

    /// Puts a file in place that says what the rows say.
    pub(super) fn write_anew(&mut self, directory: &Directory) -> io::Result<()> {
        // The second time it is known which times the directory can have.
        for _ in 0..2 {
            let (stamp, modified) = self.next_time(directory).map_err(io::Error::other)?;
            self.disbelieve();
            self.read = None;
            if !self.clock.is_usable {
                break;
            }
            directory.see(None);
            let moment = Moment::of(directory.disk().boot(), &Stamp { modified, ..stamp });
            let moment = moment.ok_or(io::ErrorKind::Unsupported)?;
            let end = log::write_anew(directory, &moment, self.rows.entries())?;
            let given = self.give_time(directory, modified)?;
            if given.is_some_and(|stamp| stamp.modified == modified) {
                (self.exact, self.read) = (Some(moment.clone()), Some(end.clone()));
                self.end = Some((end, moment));
                self.doubtful.clear();
                return Ok(());
            }
        }
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether the time of a directory may or can not be set, whoever asks again.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

pub(super) fn directory_stamp(directory: &Directory) -> Result<Stamp, ReadError> {
    let gone = || io::ErrorKind::NotFound.into();
    let stamp = directory.stamp()?;
    stamp.ok_or_else(|| ReadError::io("looking at a directory", directory.path(), gone()))
}

/// What the disk said when the directory was to get another time.
pub(super) fn untimely(directory: &Directory, error: io::Error) -> StoreError {
    StoreError::io("setting the time of a directory", directory.path(), error)
}

/// The directory as the index names it; `None` where it cannot be believed at all.
pub(super) fn moment(directory: &Directory) -> Result<Option<Moment>, ReadError> {
    Ok(Moment::of(directory.disk().boot(), &directory_stamp(directory)?))
}
