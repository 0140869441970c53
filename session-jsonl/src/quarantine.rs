//! Copies of what is cut off files and may be more than what a crash left: nothing strange is thrown away.

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use session_core::{StoreError, Timestamp};

use crate::disk::{Access, Disk, DiskFile, reader};
use crate::error::ReadError;
use crate::file::{self, AppendError};
use crate::pending::Append;

/// The directory of the copies, in that of the store.
pub(crate) const QUARANTINE: &str = "quarantine";

/// How many bytes are held in memory at once.
const CHUNK: usize = 1 << 16;

/// Some bytes of a file.
#[derive(Clone, Debug)]
pub(crate) struct Cut<'a> {
    pub(crate) source: &'a Path,
    /// What the name of the copy begins with.
    pub(crate) name: String,
    pub(crate) place: Range<u64>,
}

/// What was to be appended to a file and has lost its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost<'a> {
    /// What the name of the copy begins with.
    pub(crate) name: &'a str,
    /// The file, there or not.
    pub(crate) source: &'a Path,
    pub(crate) append: &'a Append,
    pub(crate) reason: &'a str,
}

/// Keeps a copy of some bytes of a file, and returns where once it is on the medium.
///
/// A copy that is there already is not written again, and none is ever written over.
///
/// # Errors
/// What the disk reports. The file itself is never touched, but nothing is certain after a failed sync.
pub(crate) fn keep(disk: &dyn Disk, store: &Path, cut: &Cut<'_>) -> Result<PathBuf, AppendError> {
    let (source, _) = file::open_regular(disk, cut.source, Access::Read)
        .map_err(|error| AppendError::refused(error.into()))?;
    keep_bytes(disk, store, cut, || reader(&*source, cut.place.start, cut.place.end))
}

/// Keeps lines that were to be appended to a file that has no place for them, with a note beside them.
///
/// # Errors
/// As [`keep`].
pub(crate) fn keep_lost(
    disk: &dyn Disk,
    store: &Path,
    lost: &Lost<'_>,
) -> Result<PathBuf, AppendError> {
    let Append { offset, text } = lost.append;
    let place = *offset..*offset + text.len() as u64;
    let cut = Cut { source: lost.source, name: lost.name.to_owned(), place };
    let kept = keep_bytes(disk, store, &cut, || text.as_bytes())?;
    let reason = format!("it was to be appended, and {}", lost.reason);
    explain(disk, &kept, &cut, &reason, None)?;
    Ok(kept)
}

fn keep_bytes<R: Read>(
    disk: &dyn Disk,
    store: &Path,
    cut: &Cut<'_>,
    bytes: impl Fn() -> R,
) -> Result<PathBuf, AppendError> {
    let directory = store.join(QUARANTINE);
    let fail = |error| AppendError::refused(StoreError::io("keeping a copy", &directory, error));
    file::make_directory(disk, &directory).map_err(AppendError::refused)?;
    for number in 1_u64.. {
        let place = directory.join(format!("{}.bad", stem(cut, number)));
        let file = match disk.create(&place) {
            Ok(file) => match copy(bytes(), &*file) {
                Ok(()) => file,
                Err(error) => {
                    // Half a copy is of no use. Without room for one nothing is cut off.
                    _ = disk.remove(&place);
                    return Err(fail(error));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match open_same(disk, &place, bytes(), cut.place.end - cut.place.start) {
                    Ok(Some(file)) => file,
                    Ok(None) => continue,
                    Err(error) => return Err(AppendError::refused(error.into())),
                }
            }
            Err(error) => return Err(fail(error)),
        };
        let synced = (file.sync())
            .and_then(|()| disk.sync_directory(&directory))
            .and_then(|()| disk.sync_directory(store));
        return match synced {
            Ok(()) => Ok(place),
            Err(error) => Err(AppendError { touched: true, ..fail(error) }),
        };
    }
    Err(fail(io::ErrorKind::AlreadyExists.into()))
}

/// The same with a note beside it that says what it is.
///
/// # Errors
/// As [`keep`].
pub(crate) fn keep_explained(
    disk: &dyn Disk,
    store: &Path,
    cut: &Cut<'_>,
    reason: &str,
    at: Timestamp,
) -> Result<PathBuf, AppendError> {
    let kept = keep(disk, store, cut)?;
    explain(disk, &kept, cut, reason, Some(at))?;
    Ok(kept)
}

/// Moves a whole file, or whatever stands there, to where copies are kept, with a note beside it.
///
/// # Errors
/// What the disk reports.
pub(crate) fn set_aside(
    disk: &dyn Disk,
    store: &Path,
    cut: &Cut<'_>,
    reason: &str,
    at: Timestamp,
) -> Result<PathBuf, AppendError> {
    let directory = store.join(QUARANTINE);
    let fail = |error| AppendError::uncertain(&directory, error);
    file::make_directory(disk, &directory).map_err(AppendError::refused)?;
    for number in 1_u64.. {
        let place = directory.join(format!("{}.bad", stem(cut, number)));
        if disk.stamp(&place).map_err(fail)?.is_some() {
            continue;
        }
        explain(disk, &place, cut, reason, Some(at))?;
        disk.rename(cut.source, &place).map_err(fail)?;
        let synced = disk.sync_directory(&directory).and_then(|()| disk.sync_directory(store));
        return synced.map(|()| place).map_err(fail);
    }
    Err(fail(io::ErrorKind::AlreadyExists.into()))
}

fn stem(cut: &Cut<'_>, number: u64) -> String {
    let Cut { name, place, .. } = cut;
    match number {
        1 => format!("{name}-{}", place.start),
        _ => format!("{name}-{}-{number}", place.start),
    }
}

/// Puts a note beside a copy, unless one is there.
fn explain(
    disk: &dyn Disk,
    kept: &Path,
    cut: &Cut<'_>,
    reason: &str,
    at: Option<Timestamp>,
) -> Result<(), AppendError> {
    #[derive(Serialize)]
    struct Note<'a> {
        file: String,
        offset: u64,
        length: u64,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    }
    let path = kept.with_extension("json");
    let fail = |error| AppendError::refused(StoreError::io("keeping a copy", &path, error));
    let file = cut.source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (offset, length) = (cut.place.start, cut.place.end - cut.place.start);
    let note = Note { file, offset, length, reason, at };
    let text = serde_json::to_string(&note).map_err(|error| fail(error.into()))? + "\n";
    let created = match disk.create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        created => created.map_err(fail)?,
    };
    created.append(text.as_bytes()).and_then(|()| created.sync()).map_err(fail)?;
    let directory = path.parent().unwrap_or(&path);
    disk.sync_directory(directory).map_err(|error| AppendError { touched: true, ..fail(error) })
}

/// Puts all that `from` gives at the end of a file.
///
/// # Errors
/// What either reports.
pub(crate) fn copy(mut from: impl Read, to: &dyn DiskFile) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match fill(&mut from, &mut buffer)? {
            0 => return Ok(()),
            read => to.append(&buffer[..read])?,
        }
    }
}

/// The file at `path`, for syncing, if it holds these bytes and no others.
fn open_same(
    disk: &dyn Disk,
    path: &Path,
    mut bytes: impl Read,
    length: u64,
) -> Result<Option<Box<dyn DiskFile>>, ReadError> {
    let fail = |error| ReadError::io("reading", path, error);
    let (file, stamp) = match file::open_regular(disk, path, Access::Read) {
        Err(ReadError::NotAFile { .. }) => return Ok(None),
        opened => opened?,
    };
    if stamp.length != length {
        return Ok(None);
    }
    let mut there = reader(&*file, 0, length);
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let read = fill(&mut there, &mut left).map_err(fail)?;
        let same = fill(&mut bytes, &mut right).map_err(fail)? == read;
        if !same || left[..read] != right[..read] {
            return Ok(None);
        }
        if read == 0 {
            return Ok(Some(file::open_regular(disk, path, Access::Append)?.0));
        }
    }
}

/// As many bytes as there is place for, fewer only at the end.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
