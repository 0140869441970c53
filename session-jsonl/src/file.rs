//! What is done to files, on any disk: opened only when they are regular, appended to durably, cut back when that
//! fails, put in place whole.

use std::io;
use std::path::Path;

use session_core::StoreError;

use crate::disk::{Access, Disk, DiskFile, Kind, Stamp};
use crate::error::ReadError;

/// How writing failed.
enum Failure {
    /// Bytes were not taken, for want of room for instance. Cutting back undoes it.
    Refused(io::Error),
    /// What is on the medium is unknown, whatever is done next: a failed sync may have dropped earlier bytes.
    Uncertain(io::Error),
}

/// When what is appended has to be on the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Synced {
    /// Before it is acknowledged.
    Now,
    /// When somebody flushes.
    Later,
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) struct AppendError {
    pub(crate) error: StoreError,
    /// Whether the file was touched, so that what is on the disk is uncertain.
    pub(crate) touched: bool,
}

/// The state of the regular file at `path`; `None` when nothing is there.
///
/// # Errors
/// `NotAFile` for a link, a directory and the like; what the disk reports.
pub(crate) fn stamp(disk: &dyn Disk, path: &Path) -> Result<Option<Stamp>, ReadError> {
    match disk.stamp(path) {
        Ok(Some(Stamp { kind: Kind::Directory | Kind::Other, .. })) => {
            Err(ReadError::NotAFile { path: path.to_owned() })
        }
        Ok(stamp) => Ok(stamp),
        Err(error) => Err(ReadError::io("looking at a file", path, error)),
    }
}

/// What stands at `path` when links are followed, as they are on the way to a store; `None` when nothing does.
///
/// # Errors
/// `NotADirectory` for anything but a directory; what the disk reports.
pub(crate) fn directory(disk: &dyn Disk, path: &Path) -> io::Result<Option<Stamp>> {
    // With this the directory is no last component of the path any more, and may be reached by a link.
    disk.stamp(&path.join("."))
}

/// Opens the regular file at `path`, never what a link points to, and returns its state as well.
///
/// # Errors
/// `NotAFile` for a link, a directory and the like; what the disk reports.
pub(crate) fn open_regular(
    disk: &dyn Disk,
    path: &Path,
    access: Access,
) -> Result<(Box<dyn DiskFile>, Stamp), ReadError> {
    let fail = |error| ReadError::io("opening a file", path, error);
    let file = match disk.open(path, access) {
        Ok(file) => file,
        // What cannot be opened because it is no file is said to be that; every system has its own word for it.
        Err(error) => return Err(stamp(disk, path).err().unwrap_or_else(|| fail(error))),
    };
    match file.stamp().map_err(fail)? {
        stamp @ Stamp { kind: Kind::File, .. } => Ok((file, stamp)),
        _ => Err(ReadError::NotAFile { path: path.to_owned() }),
    }
}

/// Creates the file at `path` with these bytes and returns its state once all of it is on the medium. `named` is
/// called once its name is there.
///
/// # Errors
/// What the disk reports. As far as that was possible the file is gone again.
pub(crate) fn create(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    named: impl FnOnce() -> io::Result<()>,
) -> Result<Stamp, AppendError> {
    let file = disk.create(path).map_err(|error| AppendError::before(path, error))?;
    let written = named()
        .map_err(Failure::Refused)
        .and_then(|()| write(&*file, bytes, Synced::Now))
        .and_then(|stamp| sync_parent(disk, path).map(|()| stamp).map_err(Failure::Uncertain));
    written.map_err(|failure| {
        let undone = disk.remove(path).and_then(|()| sync_parent(disk, path));
        AppendError::after(path, failure, undone.is_ok())
    })
}

/// Where something is appended.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) path: &'a Path,
    /// How the file at this path was found.
    pub(crate) known: Stamp,
    /// The end of its last whole line. What stands behind it is cut off.
    pub(crate) whole: u64,
}

/// Appends these bytes, to `kept` if that is the file and was left open, and returns its state and the file once all
/// of it is on the medium, unless that is for later.
///
/// # Errors
/// What the disk reports. As far as that was possible the file has `whole` bytes again.
pub(crate) fn append(
    disk: &dyn Disk,
    end: &End<'_>,
    kept: Option<Box<dyn DiskFile>>,
    bytes: &[u8],
    synced: Synced,
) -> Result<(Stamp, Box<dyn DiskFile>), AppendError> {
    let End { path, known, whole } = *end;
    // As long as it is open, no other file gets its number.
    let kept = kept.and_then(|file| {
        let stamp = file.stamp().ok()?;
        stamp.is_same_file(&known).then_some((file, stamp))
    });
    let opened = kept.map_or_else(|| open_regular(disk, path, Access::Append), Ok);
    let (file, stamp) =
        opened.map_err(|error| AppendError { error: error.into(), touched: false })?;
    if !stamp.is_same_file(&known) || stamp.length != known.length || stamp.length < whole {
        let changed = io::Error::other("it was changed while it was locked");
        return Err(AppendError::before(path, changed));
    }
    let cut = cut(&*file, stamp.length, whole).map_err(Failure::Uncertain);
    let appended = cut.and_then(|()| write(&*file, bytes, synced));
    match appended {
        Ok(stamp) => Ok((stamp, file)),
        Err(failure) => {
            let undone = file.set_length(whole).and_then(|()| file.sync());
            Err(AppendError::after(path, failure, undone.is_ok()))
        }
    }
}

/// Returns once the bytes of the file at `path` are on the medium; a file that is gone has none.
///
/// # Errors
/// What the disk reports.
pub(crate) fn sync(disk: &dyn Disk, path: &Path) -> Result<(), AppendError> {
    let file = match open_regular(disk, path, Access::Append) {
        Ok((file, _)) => file,
        // It was destroyed since, or the whole content replaced.
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(error) => return Err(AppendError::refused(error.into())),
    };
    file.sync().map_err(|error| AppendError::uncertain(path, error))
}

/// Creates a directory inside of the store's, if it is not there yet.
///
/// # Errors
/// `Corrupt` for anything else of that name, a link for instance; what the disk reports.
pub(crate) fn make_directory(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("creating a directory", path, error);
    match disk.create_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // What a link points to is not ours to write into.
            match disk.stamp(path).map_err(fail)? {
                Some(Stamp { kind: Kind::Directory, .. }) => Ok(()),
                _ => Err(ReadError::NotADirectory { path: path.to_owned() }.into()),
            }
        }
        made => made.map_err(fail),
    }
}

/// Creates the directory and those above it that are missing, for this user only.
///
/// Whatever is in a directory that was made by this has a name that is on the medium: dying in between leaves at
/// most one whose name is not, the last, which [`sync_name_of_directory`] is for.
///
/// # Errors
/// What the disk reports.
pub(crate) fn create_directory(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        if directory(disk, parent)?.is_none() {
            create_directory(disk, parent)?;
        }
        sync_name_of_directory(disk, parent)?;
    }
    match disk.create_directory(path) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if matches!(directory(disk, path), Ok(Some(_))) { Ok(()) } else { Err(error) }
        }
        created => created,
    }
}

/// Returns once the name of a directory is on the medium. Where this user may not look, others have made it.
///
/// # Errors
/// What the disk reports.
pub(crate) fn sync_name_of_directory(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match sync_parent(disk, path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Puts a file with these bytes at `path` in one step: at any time all of it is there or nothing. It gets the mode of
/// the one whose place it takes.
///
/// # Errors
/// What the disk reports.
pub(crate) fn put_whole(
    disk: &dyn Disk,
    path: &Path,
    draft: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    match disk.remove(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(draft)?;
    file.append(bytes)?;
    if disk.stamp(path)?.is_some_and(|stamp| stamp.kind == Kind::File) {
        disk.copy_mode(path, draft)?;
    }
    file.sync()?;
    disk.rename(draft, path)?;
    sync_parent(disk, path)
}

/// Removes the torn end that a dead writer left, before anything is put in its place.
fn cut(file: &dyn DiskFile, length: u64, whole: u64) -> io::Result<()> {
    if length > whole {
        file.set_length(whole)?;
        file.sync()?;
    }
    Ok(())
}

fn write(file: &dyn DiskFile, bytes: &[u8], synced: Synced) -> Result<Stamp, Failure> {
    file.append(bytes).map_err(Failure::Refused)?;
    if synced == Synced::Now {
        file.sync().map_err(Failure::Uncertain)?;
    }
    file.stamp().map_err(Failure::Uncertain)
}

fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| disk.sync_directory(parent))
}

impl AppendError {
    /// Nothing was touched.
    pub(crate) const fn refused(error: StoreError) -> Self {
        Self { error, touched: false }
    }

    /// Something was done, and what cannot be said.
    pub(crate) const fn touched(error: StoreError) -> Self {
        Self { error, touched: true }
    }

    /// What the disk said of something that may have been done.
    pub(crate) fn uncertain(path: &Path, error: io::Error) -> Self {
        Self::touched(StoreError::io("writing", path, error))
    }

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

impl From<StoreError> for AppendError {
    fn from(error: StoreError) -> Self {
        Self::refused(error)
    }
}

impl From<AppendError> for StoreError {
    fn from(failed: AppendError) -> Self {
        failed.error
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_file_that_is_not_what_was_read_is_not_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let known = create(&RealDisk, &path, b"one\ntorn", || Ok(())).unwrap();
        let refused = |text: &str| {
            let end = End { path: &path, known, whole: 4 };
            let failed = append(&RealDisk, &end, None, b"two\n", Synced::Now).unwrap_err();
            assert!(!failed.touched, "{text}: {}", failed.error);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        };
        fs::write(&path, "one\ntorn by others").unwrap();
        refused("one\ntorn by others");
        fs::write(&path, "on").unwrap();
        refused("on");
        fs::write(directory.path().join("other"), "one\ntorn").unwrap();
        fs::rename(directory.path().join("other"), &path).unwrap();
        refused("one\ntorn");

        let known = stamp(&RealDisk, &path).unwrap().unwrap();
        let end = End { path: &path, known, whole: 4 };
        let (known, file) = append(&RealDisk, &end, None, b"two\n", Synced::Now).unwrap();
        assert_eq!(known, stamp(&RealDisk, &path).unwrap().unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");

        // A file that was left open is used as long as it has the name.
        let end = End { path: &path, known, whole: 8 };
        let (_, file) = append(&RealDisk, &end, Some(file), b"three\n", Synced::Now).unwrap();
        fs::write(directory.path().join("other"), "1\n").unwrap();
        fs::rename(directory.path().join("other"), &path).unwrap();
        let known = stamp(&RealDisk, &path).unwrap().unwrap();
        let end = End { path: &path, known, whole: 2 };
        append(&RealDisk, &end, Some(file), b"2\n", Synced::Now).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
    }

    #[test]
    fn what_is_put_in_place_whole_takes_the_place_of_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let [path, draft] = ["file", "draft"].map(|name| directory.path().join(name));
        fs::write(&draft, "what a crash left").unwrap();
        for bytes in ["one", "two"] {
            put_whole(&RealDisk, &path, &draft, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
            assert!(!draft.exists());
        }
    }
}
