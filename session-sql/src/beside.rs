//! What stands beside a database: its log, and what those who died have left there.
//!
//! A database and its log belong together. A log whose database is gone would be replayed over the next database of
//! that name, and a database whose log was moved away answers without what was acknowledged last. Neither is ever
//! opened.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use session_core::StoreError;

use crate::backup;
use crate::connection::{FileId, Place, suffixed};
use crate::lock::{self, LockFile};

/// What SQLite has beside a database in write-ahead mode.
pub(crate) const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// So long is a log without a single frame: nothing or its head.
const EMPTY_LOG: u64 = 32;

/// How long a reader waits before it looks again whether a rescue is done.
const PAUSE: Duration = Duration::from_millis(2);

/// Whether there is a database to open.
///
/// # Errors
/// `NotAStore` for anything but a file; `Corrupt` where only its log is left; whatever the operating system says.
pub(crate) fn stands(place: &Place) -> Result<bool, StoreError> {
    let told = |log: &Path| {
        let path = place.path.display();
        let reason =
            format!("it is a log whose database is gone: put {path} back, or move the log away");
        StoreError::Corrupt { place: log.display().to_string(), reason }
    };
    let (log, journal) = (suffixed(&place.path, "-wal"), suffixed(&place.path, "-journal"));
    let is_in_log = length(&log).is_some_and(|length| length > EMPTY_LOG);
    let is_in_journal = length(&journal).is_some_and(|length| length > 0);
    // Only now, for whoever makes a database makes it before its log.
    let is_there = place.exists()?;
    // SQLite drops a log beside an empty file. A journal beside one is that of somebody who makes a store in it.
    if is_in_log && (!is_there || length(&place.path) == Some(0)) {
        return Err(told(&log));
    }
    if is_in_journal && !is_there { Err(told(&journal)) } else { Ok(is_there) }
}

/// Removes what is left of a database that is gone and has nothing in it, before another gets the name. The caller
/// has its turn.
///
/// # Errors
/// As [`stands`]; whatever the operating system says.
pub(crate) fn clear(place: &Place) -> Result<(), StoreError> {
    if stands(place)? {
        return Ok(());
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        remove(&suffixed(&place.path, suffix))
            .map_err(|source| StoreError::io("create", &place.path, source))?;
    }
    Ok(())
}

/// Which file stands there, once it is known that it has its log: a rescue that is under way is waited for.
///
/// # Errors
/// `Corrupt` for what a rescue that died has left, which the next writer puts in order; `Locked`; whatever the
/// operating system says.
pub(crate) fn settled(place: &Place) -> Result<FileId, StoreError> {
    let told = |source| StoreError::io("open", &place.path, source);
    let deadline = place.options.deadline();
    loop {
        let found = std::fs::metadata(&place.path).map_err(told)?;
        if interrupted(place, &found).map_err(told)?.is_none() {
            return Ok(FileId::from(&found));
        }
        let turn = File::open(lock::file_beside(&place.path));
        if let Err(TryLockError::WouldBlock) = turn.map_or(Ok(()), |turn| turn.try_lock_shared()) {
            if Instant::now() >= deadline {
                let holder = lock::holder(&place.path);
                return Err(StoreError::Locked { path: place.path.clone(), holder });
            }
            thread::sleep(PAUSE);
            continue;
        }
        // It may have been done just before its turn was over.
        let found = std::fs::metadata(&place.path).map_err(told)?;
        if let Some(original) = interrupted(place, &found).map_err(told)? {
            let reason = format!(
                "a rescue ended half-way, and its log may be that of {}: open it for writing once",
                original.display()
            );
            return Err(StoreError::Corrupt { place: place.path.display().to_string(), reason });
        }
    }
}

/// Undoes what a rescue that died has done, if there is one. Takes its turn for that.
///
/// # Errors
/// As [`undo`]; `Locked`.
pub(crate) fn mend(
    place: &Place,
    lock: &mut LockFile,
    deadline: Instant,
) -> Result<(), StoreError> {
    let told = |source| StoreError::io("open", &place.path, source);
    let found = std::fs::metadata(&place.path).map_err(told)?;
    if interrupted(place, &found).map_err(told)?.is_some() {
        let _turn = lock.acquire(deadline)?;
        mend_in_turn(place, &std::fs::metadata(&place.path).map_err(told)?)?;
    }
    Ok(())
}

/// The same for who has the turn, and has `found` the database.
///
/// # Errors
/// As [`undo`].
pub(crate) fn mend_in_turn(place: &Place, found: &Metadata) -> Result<(), StoreError> {
    let told = |source| StoreError::io("open", &place.path, source);
    interrupted(place, found).map_err(told)?.map_or(Ok(()), |original| undo(place, &original))
}

/// The second name that a rescue has given to the database: it has the log of the database from then on, until a
/// sound one takes the first.
fn interrupted(place: &Place, found: &Metadata) -> io::Result<Option<PathBuf>> {
    let (Some(directory), Some(name)) = (place.path.parent(), place.path.file_name()) else {
        return Ok(None);
    };
    if found.nlink() < 2 {
        return Ok(None);
    }
    let mut prefix = name.as_bytes().to_vec();
    prefix.extend(b".damaged-");
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.as_bytes().strip_prefix(prefix.as_slice());
        if number.is_some_and(|it| !it.is_empty() && it.iter().all(u8::is_ascii_digit))
            && FileId::of(&entry.path()).ok() == Some(FileId::from(found))
        {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Gives a database back its log, and takes from it the name that a rescue gave it. The caller has its turn.
///
/// # Errors
/// `Corrupt` where each name has a log in which something stands; whatever the operating system says. Doing it again
/// goes on where it ended.
pub(crate) fn undo(place: &Place, original: &Path) -> Result<(), StoreError> {
    let told = |source| StoreError::io("open", &place.path, source);
    let own = suffixed(&place.path, "-wal");
    let kept = suffixed(original, "-wal");
    if length(&kept).is_some() && length(&own).is_some_and(|length| length > EMPTY_LOG) {
        let reason = format!("{} is a log of the same database: move one away", kept.display());
        return Err(StoreError::Corrupt { place: own.display().to_string(), reason });
    }
    for suffix in BESIDE {
        match std::fs::rename(suffixed(original, suffix), suffixed(&place.path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(error)),
            _ => {}
        }
    }
    backup::sync_directory(&place.path).map_err(told)?;
    remove(original).map_err(told)?;
    backup::sync_directory(&place.path).map_err(told)
}

/// Removes a file that need not be there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether something stands in a log of the database.
pub(crate) fn has_log(place: &Place) -> bool {
    let logs = ["-wal", "-journal"].map(|suffix| suffixed(&place.path, suffix));
    logs.iter().any(|log| length(log).is_some_and(|length| length > 0))
}

fn length(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlError;
    use crate::{SqlOptions, SqlStore};

    #[test]
    fn a_reader_waits_for_a_rescue_that_is_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.db");
        drop(SqlStore::open(&path).unwrap());
        let of =
            |timeout| Place::resolve(&path, SqlOptions::default().lock_timeout(timeout)).unwrap();
        let (hasty, patient) = (of(Duration::from_millis(20)), of(Duration::from_secs(60)));
        let mut lock = LockFile::beside(&hasty.path);
        let turn = lock.acquire(patient.options.deadline()).unwrap();
        let original = suffixed(&hasty.path, ".damaged-1");
        std::fs::hard_link(&hasty.path, &original).unwrap();
        let refused = hasty.reader().unwrap_err();
        assert!(
            matches!(refused, SqlError::Refused(StoreError::Locked { holder: Some(_), .. })),
            "{refused:?}"
        );
        thread::scope(|scope| {
            let reader = scope.spawn(|| patient.reader().map(drop));
            undo(&hasty, &original).unwrap();
            drop(turn);
            reader.join().unwrap().unwrap();
        });
    }
}
