//! Taking over sessions of other stores: the file is written beside, and gets its name when all of it is there.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};

use session_core::store::rules;
use session_core::{Record, Seq, Session, StoreError};

use crate::disk::{Access, Disk, DiskFile, Held, Stamp};
use crate::file::{self, AppendError};
use crate::line;
use crate::replay::Anchor;

/// So many bytes are gathered before they are written.
const CHUNK: usize = 1 << 20;

/// Where files are written that are not complete. Files that come and go here leave the time of the store's own
/// directory as it is.
pub(crate) const DRAFTS: &str = "drafts";

/// A session's file that has no name of its own yet. It goes when it is not given one.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    disk: &'a dyn Disk,
    file: Box<dyn DiskFile>,
    pub(crate) path: PathBuf,
    buffer: String,
    /// How many bytes it has.
    pub(crate) length: u64,
    is_kept: bool,
}

/// Removes what dead processes left of files that were not complete: those that nobody holds. Only for the holder of
/// the writer lock.
pub(crate) fn remove_dead(disk: &dyn Disk, directory: &Path) {
    let drafts = directory.join(DRAFTS);
    for name in disk.names(&drafts).unwrap_or_default() {
        let path = drafts.join(name);
        let Ok((file, _)) = file::open_regular(disk, &path, Access::Append) else { continue };
        if file.hold() == Held::Here {
            // It costs room and nothing else.
            _ = disk.remove(&path);
        }
    }
}

/// A number that no other process takes, whatever it believes its own number to be.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl<'a> Draft<'a> {
    /// A new file in `directory` whose name begins so.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn new(
        disk: &'a dyn Disk,
        directory: &Path,
        name: &str,
    ) -> Result<Self, StoreError> {
        let drafts = directory.join(DRAFTS);
        file::make_directory(disk, &drafts)?;
        let path = drafts.join(format!("{name}.{:016x}", random()));
        let file =
            disk.create(&path).map_err(|error| StoreError::io("creating a file", &path, error))?;
        // So nobody takes it for one that a dead process left.
        _ = file.hold();
        Ok(Self { disk, file, path, buffer: String::new(), length: 0, is_kept: false })
    }

    /// Writes something at its end.
    ///
    /// # Errors
    /// What `write` returns; what the disk reports.
    pub(crate) fn push(
        &mut self,
        write: impl FnOnce(&mut String) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let before = self.buffer.len();
        write(&mut self.buffer)?;
        self.length += (self.buffer.len() - before) as u64;
        if self.buffer.len() >= CHUNK {
            self.write_out()?;
        }
        Ok(())
    }

    /// Writes this at its end.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), StoreError> {
        self.push(|buffer| {
            buffer.push_str(text);
            Ok(())
        })
    }

    /// Goes back to when it had so many bytes.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn truncate(&mut self, length: u64) -> Result<(), StoreError> {
        let written = self.length - self.buffer.len() as u64;
        match usize::try_from(length.saturating_sub(written)) {
            Ok(kept) if length >= written => self.buffer.truncate(kept),
            _ => {
                self.buffer.clear();
                let cut = self.file.set_length(length);
                cut.map_err(|error| StoreError::io("writing", &self.path, error))?;
            }
        }
        self.length = length;
        Ok(())
    }

    /// Its state, of what was written out.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn stamp(&self) -> std::io::Result<Stamp> {
        self.file.stamp()
    }

    /// Gives it the mode of the file whose place it is to take.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn copy_mode(&self, path: &Path) -> Result<(), StoreError> {
        let copied = self.disk.copy_mode(path, &self.path);
        copied.map_err(|error| StoreError::io("setting the mode of a file", &self.path, error))
    }

    /// Returns once all of it is on the medium.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn sync(&mut self) -> Result<(), AppendError> {
        self.write_out()?;
        self.file.sync().map_err(|error| AppendError::uncertain(&self.path, error))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn name(mut self, path: &Path) -> std::io::Result<()> {
        self.disk.rename(&self.path, path)?;
        self.is_kept = true;
        Ok(())
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn write_out(&mut self) -> Result<(), StoreError> {
        let written = self.file.append(self.buffer.as_bytes());
        self.buffer.clear();
        written.map_err(|error| StoreError::io("writing", &self.path, error))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            _ = self.disk.remove(&self.path);
        }
    }
}

/// Writes the file of a session with this history, synced but without its name, and says where its last line is.
///
/// # Errors
/// `Invalid` when the records are not in order or the session's totals do not count them; what `records` and the
/// disk report.
pub(crate) fn write<'a>(
    disk: &'a dyn Disk,
    directory: &Path,
    session: &Session,
    records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
) -> Result<(Draft<'a>, Anchor), AppendError> {
    let id = session.id();
    let mut draft = Draft::new(disk, directory, &id.to_string())?;
    draft.add(&line::header(id))?;
    let mut count = 0;
    for record in records {
        let record = rules::in_order(id, record?, Seq::after(count))?;
        count += 1;
        // Each is whole by itself: the file gets its name when all of them are there.
        draft.push(|lines| line::push_record(lines, (1, 1), record.seq, &record.entry))?;
    }
    rules::adopted(session, count)?;
    let mut last = String::new();
    line::push_session(&mut last, (1, 1), session)?;
    let hash = line::hash(last.trim_end_matches('\n').as_bytes());
    let anchor = Anchor { offset: draft.length, hash };
    draft.add(&last)?;
    draft.sync()?;
    Ok((draft, anchor))
}
