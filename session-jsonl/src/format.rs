//! `format.json`: what makes a directory a store, in which version, and how a store comes to the newest one.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use session_core::{StoreError, Unknown};

use crate::disk::{self, Access, Disk, Stamp};
use crate::error::ReadError;
use crate::file;

/// The word by which our files are known.
pub(crate) const FORMAT: &str = "session-jsonl";

/// The version of the format that this program writes, and the newest that it reads.
pub const SCHEMA_VERSION: i64 = 2;

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
    /// The version that the step begins with; 0 is a store whose `format.json` names none.
    pub from: i64,
    /// The version that it leads to.
    pub to: i64,
    /// What it does.
    pub summary: &'static str,
}

/// Every step from a store without a version to [`SCHEMA_VERSION`], in the order in which they are taken.
///
/// ```
/// use session_jsonl::{SCHEMA_VERSION, migrations};
///
/// assert_eq!(migrations().last().map(|step| step.to), Some(SCHEMA_VERSION));
/// ```
#[must_use]
pub const fn migrations() -> &'static [Migration] {
    &[
        Migration { from: 0, to: 1, summary: "write the version into format.json" },
        Migration {
            from: 1,
            to: 2,
            summary: "write the version into format.json: records, trash and tombstones may follow",
        },
    ]
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
    pub(crate) version: i64,
    /// Changes when the store's content is replaced.
    pub(crate) generation: u64,
}

/// Looks what stands at `directory`, without changing anything.
///
/// # Errors
/// `NotAStore`, `NewerVersion`, `Corrupt`; what the operating system reports.
pub(crate) fn inspect(disk: &dyn Disk, directory: &Path) -> Result<Place, StoreError> {
    match file::directory(disk, directory) {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(Place::Missing),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(not_a_store(directory, "a file stands there or in its path"));
        }
        Err(error) => return Err(StoreError::io("looking at a directory", directory, error)),
    }
    if let Some((marker, _)) = read(disk, directory)? {
        return Ok(Place::Store(marker));
    }
    let entries = disk.names(directory).map_err(|e| StoreError::io("listing", directory, e))?;
    match entries.into_iter().find(|name| name != LOCK && name != DRAFT) {
        None => Ok(Place::Empty),
        // Another process may have made it a store since this one looked for the marker.
        Some(name) => match read(disk, directory)? {
            Some((marker, _)) => Ok(Place::Store(marker)),
            None => Err(not_a_store(directory, format!("it holds {name:?} but no {MARKER}"))),
        },
    }
}

/// Reads the marker again when it is not the one that was read before.
///
/// # Errors
/// As [`inspect`]; `NotAStore` when it is gone.
pub(crate) fn check(
    disk: &dyn Disk,
    directory: &Path,
    known: Marker,
) -> Result<Marker, StoreError> {
    if matches!(file::stamp(disk, &directory.join(MARKER)), Ok(Some(stamp)) if stamp == known.stamp)
    {
        return Ok(known);
    }
    read(disk, directory)?
        .map(|(marker, _)| marker)
        .ok_or_else(|| not_a_store(directory, format!("its {MARKER} is gone")))
}

/// Makes an empty directory a store of the newest version. Only for the holder of the writer lock.
///
/// # Errors
/// What the operating system reports; nothing but a draft is left behind then.
pub(crate) fn initialise(disk: &dyn Disk, directory: &Path) -> Result<(), StoreError> {
    let text =
        format!("{{\"format\":\"{FORMAT}\",\"version\":{SCHEMA_VERSION},\"generation\":0}}\n");
    put(disk, directory, &text)
}

/// Takes a store of an older version to the newest one, and keeps its marker under another name. Only for the
/// holder of the writer lock.
///
/// # Errors
/// What the operating system reports. The marker is as it was then.
pub(crate) fn migrate(disk: &dyn Disk, directory: &Path) -> Result<(), StoreError> {
    let Some((marker, bytes)) = read(disk, directory)? else { return Ok(()) };
    let mut steps = migrations().iter().filter(|step| step.from >= marker.version);
    let Some(version) = steps.next_back().map(|step| step.to) else { return Ok(()) };
    // No step so far changes any other file: those of older versions are files of this one.
    let text = with_members(directory, &bytes, &[("version", version.to_string())])?;
    keep(disk, directory, marker.version)?;
    put(disk, directory, &text)
}

/// The marker of the store in `directory` as one of this version and another generation has it.
///
/// # Errors
/// As [`inspect`].
pub(crate) fn with_generation(
    disk: &dyn Disk,
    directory: &Path,
    generation: u64,
) -> Result<String, StoreError> {
    let (_, bytes) = read(disk, directory)?
        .ok_or_else(|| not_a_store(directory, format!("its {MARKER} is gone")))?;
    let members = [("version", SCHEMA_VERSION.to_string()), ("generation", generation.to_string())];
    with_members(directory, &bytes, &members)
}

/// The refusal of a place that is no store.
pub(crate) fn not_a_store(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::NotAStore { path: path.to_owned(), reason: reason.into() }
}

fn put(disk: &dyn Disk, directory: &Path, text: &str) -> Result<(), StoreError> {
    let path = directory.join(MARKER);
    file::put_whole(disk, &path, &directory.join(DRAFT), text.as_bytes())
        .map_err(|error| StoreError::io("writing", path, error))
}

/// Keeps the marker as it is, with its bytes, mode and times, under a name that nothing has.
fn keep(disk: &dyn Disk, directory: &Path, version: i64) -> Result<(), StoreError> {
    let path = directory.join(MARKER);
    for number in 1_u64.. {
        let name = match number {
            1 => format!("{MARKER}.v{version}.backup"),
            _ => format!("{MARKER}.v{version}-{number}.backup"),
        };
        match disk.link(&path, &directory.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // An attempt that died before it put the new one in place.
                let stamps = [disk.stamp(&path), disk.stamp(&directory.join(&name))];
                if let [Ok(Some(one)), Ok(Some(other))] = stamps
                    && one.is_same_file(&other)
                {
                    return Ok(());
                }
            }
            kept => return kept.map_err(|error| StoreError::io("keeping a copy", path, error)),
        }
    }
    Ok(())
}

/// The text of a marker with other values for some members, which are added when it has none; the rest verbatim.
fn with_members(
    directory: &Path,
    bytes: &[u8],
    changed: &[(&str, String)],
) -> Result<String, StoreError> {
    let members: Unknown = serde_json::from_slice(bytes)
        .map_err(|error| not_a_store(directory, format!("its {MARKER} is not ours: {error}")))?;
    let mut text: Vec<(&str, &str)> = members.iter().collect();
    for (name, value) in changed {
        match text.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => text.push((name, value)),
        }
    }
    let text: Result<Vec<_>, _> = (text.into_iter())
        .map(|(name, value)| Ok(format!("{}:{value}", serde_json::to_string(name)?)))
        .collect();
    let text =
        text.map_err(|error: serde_json::Error| StoreError::backend("writing JSON", error))?;
    Ok(format!("{{{}}}\n", text.join(",")))
}

fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<(Marker, Vec<u8>)>, StoreError> {
    let path = directory.join(MARKER);
    let unreadable = |error| match error {
        ReadError::NotAFile { .. } => {
            not_a_store(directory, format!("its {MARKER} is not a regular file"))
        }
        error => error.into(),
    };
    if file::stamp(disk, &path).map_err(unreadable)?.is_none() {
        return Ok(None);
    }
    let fail = |error| StoreError::io("reading", &path, error);
    let (opened, stamp) = file::open_regular(disk, &path, Access::Read).map_err(unreadable)?;
    let mut bytes = Vec::new();
    disk::reader(&*opened, 0, MAX_MARKER).read_to_end(&mut bytes).map_err(fail)?;
    let (version, generation) = parse(directory, &bytes)?;
    Ok(Some((Marker { stamp, version, generation }, bytes)))
}

/// The version and the generation that a marker of a version that we know names.
fn parse(directory: &Path, bytes: &[u8]) -> Result<(i64, u64), StoreError> {
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
    let version = match members.version.map(RawValue::get) {
        None | Some("null") => 0,
        Some(text) => text.parse().ok().filter(|version| *version >= 0).ok_or_else(|| {
            corrupt(format!("its version is {text:.40}, not a whole number from 0"))
        })?,
    };
    if version > SCHEMA_VERSION {
        let (path, supported) = (directory.to_owned(), SCHEMA_VERSION);
        return Err(StoreError::NewerVersion { path, found: version, supported });
    }
    let generation = match members.generation {
        None => 0,
        Some(text) => text.get().parse().map_err(|_| {
            corrupt(format!("its generation is {:.40}, not a whole number", text.get()))
        })?,
    };
    Ok((version, generation))
}
