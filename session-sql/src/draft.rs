//! Files that are made under a name of their own and get the one that they are for when they are complete: whoever
//! finds a file under that one finds all of it.
//!
//! A draft is held by a kernel lock on a file beside it, not on itself, for systems where such a lock would stand in
//! the way of SQLite's. What has no holder any more goes when the next draft is made in its directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::backup;
use crate::beside;
use crate::connection::{FileId, suffixed};

/// How the name of a draft ends, after 16 hexadecimal digits.
const ENDING: &str = ".draft";

/// An empty file for something that is to be made, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    _held: File,
}

impl Draft {
    /// One for the file `target`, which only its owner can read, beside it.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub(crate) fn of(target: &Path) -> io::Result<Self> {
        sweep(target);
        loop {
            let number = RandomState::new().build_hasher().finish();
            let path = suffixed(target, &format!(".{number:016x}{ENDING}"));
            let lock = lock_of(&path);
            let held = match new(&lock) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                held => held?,
            };
            // Whoever sweeps may have found it first. Where there are no locks, nobody sweeps.
            if matches!(held.try_lock(), Err(TryLockError::WouldBlock)) || !has_name(&held, &lock) {
                continue;
            }
            let draft = Self { path, _held: held };
            new(&draft.path)?;
            return Ok(draft);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it on the medium and gives it the name `target`, if nothing has that.
    ///
    /// # Errors
    /// `AlreadyExists`; whatever else the operating system says.
    pub(crate) fn publish(&self, target: &Path) -> io::Result<()> {
        // SQLite does not sync what VACUUM INTO writes.
        File::open(&self.path)?.sync_all()?;
        match std::fs::hard_link(&self.path, target) {
            Ok(()) => std::fs::remove_file(&self.path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // A file system without hard links: an empty file keeps others from the name.
            Err(_) => {
                new(target)?;
                std::fs::rename(&self.path, target)?;
            }
        }
        backup::sync_directory(target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        discard(&self.path);
    }
}

/// Removes drafts in the directory of `target` whose makers died. What cannot be removed is left.
fn sweep(target: &Path) {
    let Some(entries) = target.parent().and_then(|directory| directory.read_dir().ok()) else {
        return;
    };
    for entry in entries.flatten() {
        let lock = entry.path();
        let Some(path) = draft_of(&lock) else { continue };
        let Ok(held) = File::open(&lock) else { continue };
        if held.try_lock().is_ok() && has_name(&held, &lock) {
            discard(&path);
        }
    }
}

/// Whose lock file this is, by its name.
fn draft_of(lock: &Path) -> Option<PathBuf> {
    let name = lock.file_name()?.to_str()?.strip_suffix(".lock")?;
    let (target, digits) = name.strip_suffix(ENDING)?.rsplit_once('.')?;
    let is_number = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_number && !target.is_empty()).then(|| lock.with_file_name(name))
}

fn lock_of(draft: &Path) -> PathBuf {
    suffixed(draft, ".lock")
}

/// The lock file goes last: a draft without one would stay.
fn discard(draft: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        if beside::remove(&suffixed(draft, suffix)).is_err() {
            return;
        }
    }
    // The next one who sweeps tries again.
    let _ = std::fs::remove_file(lock_of(draft));
}

fn new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn has_name(file: &File, path: &Path) -> bool {
    let found = file.metadata().map(|found| FileId::from(&found));
    found.is_ok() && found.ok() == FileId::of(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = dir.read_dir().unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("backup");
        let draft = Draft::of(&target).unwrap();
        std::fs::write(draft.path(), "all of it").unwrap();
        assert!(!target.exists());
        draft.publish(&target).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"all of it");
        drop(draft);
        assert_eq!(names(dir.path()), ["backup"]);

        let second = Draft::of(&target).unwrap();
        let refused = second.publish(&target).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        drop(second);
        assert_eq!(std::fs::read(&target).unwrap(), b"all of it");
        assert_eq!(names(dir.path()), ["backup"]);
    }

    #[test]
    fn a_draft_that_nobody_holds_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let others = ["a.draft", "a.draft.lock", "b.0123456789abcdef.draft", "notes.lock"];
        let left = ["c.0123456789abcdef.draft", "c.0123456789abcdef.draft.lock"];
        for name in others.iter().chain(&left) {
            std::fs::write(dir.path().join(name), "half").unwrap();
        }
        let held = Draft::of(&dir.path().join("d")).unwrap();
        drop(Draft::of(&dir.path().join("e")).unwrap());
        assert!(held.path().exists() && lock_of(held.path()).exists());
        drop(held);
        assert_eq!(names(dir.path()), others);
    }
}
