//! Backups: where they are kept, what they are called, and those that commands make by themselves before they change
//! much.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use session_core::{SessionStore, StoreError, Timestamp};

use crate::backend;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::plan::StoreKind;
use crate::progress::during;

/// Backs the store up under a name that is free, and says where.
///
/// # Errors
/// What the store reports.
pub(crate) fn make(
    invocation: &Invocation,
    store: &dyn SessionStore,
    now: Timestamp,
) -> Result<PathBuf, CliError> {
    let plan = &invocation.plan;
    let directory = directory(&plan.data_dir);
    backend::make_dir(&directory)?;
    let mut attempt = 1;
    loop {
        let target = directory.join(name(plan.store, now, attempt));
        match during(invocation, "copying the store", || store.backup(&target)) {
            Err(StoreError::TargetExists { .. }) if attempt < MOST => attempt += 1,
            made => return Ok(made.map(|()| target)?),
        }
    }
}

/// A name that is free, for what is put there otherwise.
///
/// # Errors
/// What the operating system says.
pub(crate) fn free_target(
    data_dir: &Path,
    kind: StoreKind,
    now: Timestamp,
) -> Result<PathBuf, CliError> {
    let directory = directory(data_dir);
    backend::make_dir(&directory)?;
    let mut names = (1..MOST).map(|attempt| directory.join(name(kind, now, attempt)));
    let free = names.find(|path| path.symlink_metadata().is_err());
    free.ok_or_else(|| CliError::from(StoreError::TargetExists { path: directory }))
}

/// A copy of a store, or what a command that was killed left of one.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// When it was last written to.
    pub(crate) modified_at: Timestamp,
}

/// Everything that was kept of stores in this data directory and that nobody removes by itself, oldest first: backups,
/// and what stores put beside themselves before they were replaced or brought up to date.
///
/// # Errors
/// What the operating system says.
pub(crate) fn kept(data_dir: &Path) -> Result<Vec<Kept>, CliError> {
    let mut found = Vec::new();
    let backups = directory(data_dir);
    for directory in [data_dir, &backups] {
        let failed = |source| CliError::io(&format!("listing {}", directory.display()), &source);
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let is_kept = directory == backups || is_kept(&entry.file_name().to_string_lossy());
            // What goes meanwhile is not there.
            let Some(modified_at) = is_kept.then(|| modified(&entry)).flatten() else { continue };
            let path = entry.path();
            found.push(Kept { bytes: bytes(&path), path, modified_at });
        }
    }
    found.sort_by(|one, other| (one.modified_at, &one.path).cmp(&(other.modified_at, &other.path)));
    Ok(found)
}

/// Whether a store of this directory kept its former content under this name.
fn is_kept(name: &str) -> bool {
    [StoreKind::Sqlite, StoreKind::Jsonl].into_iter().any(|kind| {
        name.strip_prefix(backend::file_name(kind)).is_some_and(|rest| {
            rest.starts_with(".replaced-") || rest.starts_with(".v") && rest.contains(".backup")
        })
    })
}

fn modified(entry: &fs::DirEntry) -> Option<Timestamp> {
    let since = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}

/// All bytes below; what cannot be looked at counts for nothing.
fn bytes(path: &Path) -> u64 {
    let Ok(found) = path.symlink_metadata() else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes(&entry.path())).sum()
}

/// Removes a backup that is of no use to anybody.
///
/// # Errors
/// What the operating system says.
pub(crate) fn remove(backup: &Path) -> Result<(), CliError> {
    let removed = match backup.is_dir() {
        true => fs::remove_dir_all(backup),
        false => fs::remove_file(backup),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CliError::io(&format!("removing {}", backup.display()), &source))
        }
        _ => {
            // What reading one leaves beside it.
            for part in backend::parts(StoreKind::Sqlite, backup).iter().skip(1) {
                let _not_there = fs::remove_file(part);
            }
            Ok(())
        }
    }
}

/// So many backups of one second have names.
const MOST: u32 = 1000;

/// Where backups are kept that nobody gave another place.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("backups")
}

/// Such as `20261121T101500Z-sqlite.db`, and `20261121T101500Z-2-sqlite.db` for the second one of that second.
fn name(kind: StoreKind, now: Timestamp, attempt: u32) -> String {
    let time: String =
        now.to_string().chars().take(19).filter(|character| !"-:".contains(*character)).collect();
    let number = if attempt > 1 { format!("-{attempt}") } else { String::new() };
    let suffix = match kind {
        StoreKind::Sqlite => ".db",
        StoreKind::Jsonl => "",
    };
    format!("{time}Z{number}-{}{suffix}", kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_say_what_they_are() {
        let now = Timestamp::from_millis(1_769_847_300_007);
        assert_eq!(name(StoreKind::Sqlite, now, 1), "20260131T081500Z-sqlite.db");
        assert_eq!(name(StoreKind::Jsonl, now, 1), "20260131T081500Z-jsonl");
        assert_eq!(name(StoreKind::Jsonl, now, 2), "20260131T081500Z-2-jsonl");
    }
}
