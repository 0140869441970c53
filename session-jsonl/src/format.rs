//! `format.json`: what makes a directory a store, in which version, and how a store comes to the newest one.

use std::borrow::Cow;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use session_core::StoreError;

use crate::error::ReadError;
use crate::file::{self, Stamp};
use crate::line;

/// The word by which our files are known.
pub(crate) const FORMAT: &str = "session-jsonl";

/// The version of the format that this program writes, and the newest that it reads.
pub const SCHEMA_VERSION: i64 = 1;

/// The file whose presence makes a directory a store.
pub(crate) const MARKER: &str = "format.json";

/// The file that writers lock.
pub(crate) const LOCK: &str = "lock";

/// The marker while it is being written.
const DRAFT: &str = "format.json.draft";

/// More than any marker needs.
const MAX_MARKER: u64 = 1 << 16;

/// One step of the way from an older format to [`SCHEMA_VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version that the step begins with; 0 is an empty directory.
    pub from: i64,
    /// The version that it leads to.
    pub to: i64,
    /// What it does.
    pub summary: &'static str,
}

/// Every step from an empty directory to [`SCHEMA_VERSION`], in the order in which they are taken.
///
/// ```
/// use session_jsonl::{SCHEMA_VERSION, migrations};
///
/// assert_eq!(migrations().last().map(|step| step.to), Some(SCHEMA_VERSION));
/// ```
#[must_use]
pub const fn migrations() -> &'static [Migration] {
    &[Migration { from: 0, to: 1, summary: "write format.json into an empty directory" }]
}

/// What stands at the place of a store.
#[derive(Debug)]
pub(crate) enum Place {
    /// Nothing at all.
    Missing,
    /// A directory without anything but what an unfinished creation of a store leaves.
    Empty,
    /// A store of a version that this program knows.
    Store(Marker),
}

/// A marker as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) stamp: Stamp,
    /// Changes when the store's content is replaced.
    pub(crate) generation: u64,
}

/// Looks what stands at `directory`, without changing anything.
///
/// # Errors
/// `NotAStore`, `NewerVersion`, `Corrupt`; what the operating system reports.
pub(crate) fn inspect(directory: &Path) -> Result<Place, StoreError> {
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(not_a_store(directory, "it is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Missing),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(not_a_store(directory, "a file stands in its path"));
        }
        Err(error) => return Err(StoreError::io("looking at a directory", directory, error)),
    }
    if let Some(marker) = read(directory)? {
        return Ok(Place::Store(marker));
    }
    let entries = entries(directory).map_err(|e| StoreError::io("listing", directory, e))?;
    match entries.into_iter().find(|name| name != LOCK && name != DRAFT) {
        None => Ok(Place::Empty),
        // Another process may have made it a store since this one looked for the marker.
        Some(name) => match read(directory)? {
            Some(marker) => Ok(Place::Store(marker)),
            None => Err(not_a_store(directory, format!("it holds {name:?} but no {MARKER}"))),
        },
    }
}

/// Reads the marker again when it is not the one that was read before.
///
/// # Errors
/// As [`inspect`]; `NotAStore` when it is gone.
pub(crate) fn check(directory: &Path, known: Marker) -> Result<Marker, StoreError> {
    if matches!(file::stamp(&directory.join(MARKER)), Ok(Some(stamp)) if stamp == known.stamp) {
        return Ok(known);
    }
    read(directory)?.ok_or_else(|| not_a_store(directory, format!("its {MARKER} is gone")))
}

/// Makes an empty directory a store of the newest version. Only for the holder of the writer lock.
///
/// # Errors
/// What the operating system reports; nothing but a draft is left behind then.
pub(crate) fn initialise(directory: &Path) -> Result<(), StoreError> {
    let text =
        format!("{{\"format\":\"{FORMAT}\",\"version\":{SCHEMA_VERSION},\"generation\":0}}\n");
    let path = directory.join(MARKER);
    file::put_whole(&path, &directory.join(DRAFT), text.as_bytes())
        .map_err(|error| StoreError::io("creating a store", path, error))
}

/// The refusal of a place that is no store.
pub(crate) fn not_a_store(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::NotAStore { path: path.to_owned(), reason: reason.into() }
}

fn read(directory: &Path) -> Result<Option<Marker>, StoreError> {
    let path = directory.join(MARKER);
    let unreadable = |error| match error {
        ReadError::NotAFile { .. } => {
            not_a_store(directory, format!("its {MARKER} is not a regular file"))
        }
        error => error.into(),
    };
    if file::stamp(&path).map_err(unreadable)?.is_none() {
        return Ok(None);
    }
    let fail = |error| StoreError::io("reading", &path, error);
    let opened = file::open_regular(&path, OpenOptions::new().read(true)).map_err(unreadable)?;
    let stamp = Stamp::of(&opened.metadata().map_err(fail)?);
    let mut bytes = Vec::new();
    opened.take(MAX_MARKER).read_to_end(&mut bytes).map_err(fail)?;
    let generation = parse(directory, &bytes)?;
    Ok(Some(Marker { stamp, generation }))
}

/// The generation that a marker of a version that we know names.
fn parse(directory: &Path, bytes: &[u8]) -> Result<u64, StoreError> {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        format: Option<Cow<'a, str>>,
        #[serde(borrow)]
        version: Option<&'a RawValue>,
        #[serde(borrow)]
        generation: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_slice(bytes)
        .map_err(|error| not_a_store(directory, format!("its {MARKER} is not ours: {error}")))?;
    if members.format.as_deref() != Some(FORMAT) {
        return Err(not_a_store(directory, format!("its {MARKER} is not of format {FORMAT:?}")));
    }
    let corrupt = |reason| StoreError::Corrupt {
        place: directory.join(MARKER).display().to_string(),
        reason,
    };
    let found = line::parse_version(members.version).map_err(corrupt)?;
    if found > SCHEMA_VERSION {
        let path = directory.to_owned();
        return Err(StoreError::NewerVersion { path, found, supported: SCHEMA_VERSION });
    }
    match members.generation {
        None => Ok(0),
        Some(text) => text.get().parse().map_err(|_| {
            corrupt(format!("its generation is {:.40}, not a whole number", text.get()))
        }),
    }
}

fn entries(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}
