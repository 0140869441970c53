//! What is done to files: opened without following links, appended to durably, cut back when that fails.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use session_core::StoreError;

use crate::error::ReadError;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) length: u64,
    modified: (i64, i64),
}

/// How writing failed.
enum Failure {
    /// Bytes were not taken, for want of room for instance. Cutting back undoes it.
    Refused(io::Error),
    /// What is on the medium is unknown, whatever is done next: a failed sync may have dropped earlier bytes.
    Uncertain(io::Error),
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) struct AppendError {
    pub(crate) error: StoreError,
    /// Whether the file was touched, so that what is on the disk is uncertain.
    pub(crate) touched: bool,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether this is a state of the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The state of the regular file at `path`; `None` when nothing is there.
///
/// # Errors
/// `NotAFile` for a link, a directory and the like; what the operating system reports.
pub(crate) fn stamp(path: &Path) -> Result<Option<Stamp>, ReadError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Stamp::of(&metadata))),
        Ok(_) => Err(ReadError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::io("looking at a file", path, error)),
    }
}

/// Opens the regular file at `path`, never what a link points to.
///
/// # Errors
/// `NotAFile` for a link, a directory and the like; what the operating system reports.
pub(crate) fn open_regular(path: &Path, options: &OpenOptions) -> Result<File, ReadError> {
    let fail = |error| ReadError::io("opening a file", path, error);
    // Looked at before, because opening a pipe would wait for somebody at its other end; and after, because
    // somebody may have put something else there in between.
    stamp(path)?;
    let file = options.open(path).map_err(fail)?;
    let opened = Stamp::of(&file.metadata().map_err(fail)?);
    match stamp(path)? {
        Some(there) if there.is_same_file(&opened) => Ok(file),
        Some(_) => Err(ReadError::NotAFile { path: path.to_owned() }),
        None => Err(fail(io::ErrorKind::NotFound.into())),
    }
}

/// Creates the file at `path` with these bytes and returns its state once all of it is on the medium.
///
/// # Errors
/// What the operating system reports. As far as that was possible the file is gone again.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<Stamp, AppendError> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(|error| AppendError::before(path, error))?;
    let written = write(&mut file, bytes)
        .and_then(|stamp| sync_parent(path).map(|()| stamp).map_err(Failure::Uncertain));
    written.map_err(|failure| {
        let undone = fs::remove_file(path).and_then(|()| sync_parent(path));
        AppendError::after(path, failure, undone.is_ok())
    })
}

/// Cuts the file at `path` to `whole` bytes, appends these and returns its state once all of it is on the medium.
///
/// # Errors
/// What the operating system reports. As far as that was possible the file has `whole` bytes again.
pub(crate) fn append(path: &Path, whole: u64, bytes: &[u8]) -> Result<Stamp, AppendError> {
    let mut options = OpenOptions::new();
    options.append(true);
    let mut file = open_regular(path, &options)
        .map_err(|error| AppendError { error: error.into(), touched: false })?;
    let metadata = file.metadata().map_err(|error| AppendError::before(path, error))?;
    let cut = cut(&file, metadata.len(), whole).map_err(Failure::Uncertain);
    // A file without a whole line was left by a creator who may not have come to sync its entry.
    let entry = || if whole == 0 { sync_parent(path) } else { Ok(()) };
    let appended = cut
        .and_then(|()| write(&mut file, bytes))
        .and_then(|stamp| entry().map(|()| stamp).map_err(Failure::Uncertain));
    appended.map_err(|failure| {
        let undone = file.set_len(whole).and_then(|()| file.sync_data());
        AppendError::after(path, failure, undone.is_ok())
    })
}

/// Creates the directory and those above it that are missing, for this user only, and syncs their entries.
///
/// # Errors
/// What the operating system reports.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent()
        && !parent.try_exists()?
    {
        create_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a file with these bytes at `path` in one step: at any time all of it is there or nothing.
///
/// # Errors
/// What the operating system reports.
pub(crate) fn put_whole(path: &Path, draft: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    sync_parent(path)
}

/// Removes the torn end that a dead writer left, before anything is put in its place.
fn cut(file: &File, length: u64, whole: u64) -> io::Result<()> {
    if length < whole {
        return Err(io::Error::other("it became shorter while it was locked"));
    }
    if length > whole {
        file.set_len(whole)?;
        file.sync_data()?;
    }
    Ok(())
}

fn write(file: &mut File, bytes: &[u8]) -> Result<Stamp, Failure> {
    file.write_all(bytes).map_err(Failure::Refused)?;
    file.sync_data().map_err(Failure::Uncertain)?;
    file.metadata().map(|metadata| Stamp::of(&metadata)).map_err(Failure::Uncertain)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

impl AppendError {
    fn before(path: &Path, error: io::Error) -> Self {
        Self { error: StoreError::io("opening a file", path, error), touched: false }
    }

    fn after(path: &Path, failure: Failure, undone: bool) -> Self {
        let (error, certain) = match failure {
            Failure::Refused(error) => (error, true),
            Failure::Uncertain(error) => (error, false),
        };
        Self { error: StoreError::io("writing", path, error), touched: !(certain && undone) }
    }
}
