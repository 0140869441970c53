//! `tombstones.jsonl`: the sessions that were destroyed, which keep their ids from coming back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use session_core::{SessionId, Tombstone};

use crate::disk::{Access, Disk, Stamp};
use crate::error::ReadError;
use crate::file;
use crate::lines::{Lines, Raw};
use crate::replay::{Spot, Spots};

/// The file's name.
pub(crate) const TOMBSTONES: &str = "tombstones.jsonl";

/// The file as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tombs {
    /// `None` when there is no file.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) by_id: BTreeMap<SessionId, Tombstone>,
    /// The last one that was written.
    pub(crate) last: Option<SessionId>,
    /// The end of the last whole line.
    pub(crate) whole: u64,
    /// Lines that cannot be read.
    pub(crate) spots: Spots,
}

#[derive(Deserialize, Serialize)]
struct Line<T> {
    #[serde(rename = "type")]
    kind: Kind,
    tombstone: T,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tombstone,
}

/// The line of a tombstone, with its line feed.
///
/// # Errors
/// Those of JSON, which no tombstone meets.
pub(crate) fn line(tombstone: &Tombstone) -> serde_json::Result<String> {
    let line = Line { kind: Kind::Tombstone, tombstone };
    serde_json::to_string(&line).map(|json| json + "\n")
}

/// Reads the file, if it is not the one that is known already.
///
/// # Errors
/// What the disk reports. Damage is no error.
pub(crate) fn read(
    disk: &dyn Disk,
    directory: &Path,
    known: &Arc<Tombs>,
) -> Result<Arc<Tombs>, ReadError> {
    let path = directory.join(TOMBSTONES);
    let stamp = file::stamp(disk, &path)?;
    if stamp == known.stamp {
        return Ok(Arc::clone(known));
    }
    if stamp.is_none() {
        return Ok(Arc::default());
    }
    let fail = |error| ReadError::io("reading", &path, error);
    let (file, stamp) = file::open_regular(disk, &path, Access::Read)?;
    let grew = known.stamp.is_some_and(|known| known.is_same_file(&stamp))
        && stamp.length >= known.whole
        && known.spots.is_empty();
    let mut tombs = if grew { Tombs::clone(known) } else { Tombs::default() };
    tombs.stamp = Some(stamp);
    let mut lines = Lines::new(&*file, tombs.whole..stamp.length);
    while let Some((raw, place)) = lines.next().map_err(fail)? {
        let reason = match raw {
            Raw::Line(bytes) => match serde_json::from_slice::<Line<Tombstone>>(bytes) {
                Ok(Line { tombstone, .. }) => {
                    tombs.last = Some(tombstone.id);
                    tombs.by_id.entry(tombstone.id).or_insert(tombstone);
                    tombs.whole = place.end;
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Raw::TooLong { .. } => "too long".to_owned(),
            // What a crash left of a line that nobody acknowledged.
            Raw::Torn(_) => continue,
        };
        tombs.spots.push(Spot { offset: place.start, reason });
        tombs.whole = place.end;
    }
    Ok(Arc::new(tombs))
}
