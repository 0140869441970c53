//! The queue of writers: a kernel lock on a file beside the database.
//!
//! SQLite makes waiting writers poll, and whoever polls rarely starves. A blocked kernel lock is woken instead,
//! and the kernel releases it when its holder dies. Waiting in the kernel has no deadline, so when the lock is
//! not free at once, a helper thread waits, and the caller waits for the helper until its deadline. A helper
//! that comes too late lets go at once; there is never more than one of a handle.
//!
//! The file stays open between turns, for opening it costs more than locking it. A turn counts when the file that was
//! locked has its name then: one that was removed or replaced is opened anew.
//!
//! The lock of a store only orders writers. What keeps transactions apart is SQLite's own locking, so a deleted lock
//! file costs fairness and nothing else.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use session_core::StoreError;

use crate::connection::FileId;

/// The lock file of a store.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    database: PathBuf,
    queue: Arc<Queue>,
    kept: Kept,
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    opened: Option<Opened>,
    kept: Kept,
}

/// The file while nobody has its lock or waits for it.
type Kept = Arc<Mutex<Option<Opened>>>;

/// The file, open.
#[derive(Debug)]
struct Opened {
    file: File,
    id: FileId,
    /// Who opened it: a process that was forked off has its locks in common with the one that it came from.
    process: u32,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// Invariant: `granted` is only set while `wanted`, so nobody sits on a lock that nobody waits for.
#[derive(Debug, Default)]
struct Waiting {
    helper: bool,
    wanted: bool,
    granted: Option<io::Result<Opened>>,
}

impl LockFile {
    /// The lock file of the database at `database`, which need not exist.
    pub(crate) fn beside(database: &Path) -> Self {
        Self {
            path: file_beside(database),
            database: database.to_owned(),
            queue: Arc::default(),
            kept: Kept::default(),
        }
    }

    /// Waits for the turn to write, until `deadline` at most.
    ///
    /// # Errors
    /// `Locked` past the deadline, with the process that holds the lock if that can be read; whatever the
    /// operating system says about the file.
    pub(crate) fn acquire(&mut self, deadline: Instant) -> Result<Turn, StoreError> {
        loop {
            let opened = self.opened().map_err(|source| self.failed(source))?;
            let locked = match opened.file.try_lock() {
                Ok(()) => Some(Ok(opened)),
                Err(TryLockError::WouldBlock) => self.wait(opened, deadline),
                Err(TryLockError::Error(source)) => Some(Err(source)),
            };
            let Some(locked) = locked else {
                let holder = holder(&self.database);
                return Err(StoreError::Locked { path: self.database.clone(), holder });
            };
            let turn = Turn {
                opened: Some(locked.map_err(|source| self.failed(source))?),
                kept: Arc::clone(&self.kept),
            };
            if turn.has_name(&self.path) {
                turn.sign();
                return Ok(turn);
            }
            turn.discard();
        }
    }

    /// The file, as it was opened before if this process did so.
    fn opened(&self) -> io::Result<Opened> {
        let process = std::process::id();
        if let Some(kept) = lock(&self.kept).take().filter(|kept| kept.process == process) {
            return Ok(kept);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path)?;
        Ok(Opened { id: FileId::from(&file.metadata()?), file, process })
    }

    fn wait(&self, opened: Opened, deadline: Instant) -> Option<io::Result<Opened>> {
        let mut waiting = lock(&self.queue.waiting);
        waiting.wanted = true;
        if !waiting.helper {
            let queue = Arc::clone(&self.queue);
            let helper = thread::Builder::new().name("session-sql-lock".to_owned());
            match helper.spawn(move || queue.fetch(opened)) {
                Ok(_detached) => waiting.helper = true,
                Err(source) => {
                    waiting.wanted = false;
                    return Some(Err(source));
                }
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let waited =
            self.queue.arrived.wait_timeout_while(waiting, left, |state| state.granted.is_none());
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.wanted = false;
        waiting.granted.take()
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::io("lock", &self.path, source)
    }
}

/// Who holds the lock of the database, as it wrote into the file. Only asked while somebody does.
pub(crate) fn holder(database: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file_beside(database)).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    Some(format!("process {pid}"))
}

/// What others read of a lock that this process holds.
pub(crate) fn this() -> String {
    format!("process {}", std::process::id())
}

/// The lock file of a database.
pub(crate) fn file_beside(database: &Path) -> PathBuf {
    crate::connection::suffixed(database, ".lock")
}

impl Queue {
    /// Blocks until the lock is free and hands it to whoever wants it then.
    fn fetch(&self, opened: Opened) {
        let locked = loop {
            match opened.file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        let mut waiting = lock(&self.waiting);
        waiting.helper = false;
        if waiting.wanted {
            waiting.granted = Some(locked.map(|()| opened));
            self.arrived.notify_one();
        }
    }
}

impl Turn {
    /// Whether the file that is locked is the one that others find.
    fn has_name(&self, path: &Path) -> bool {
        self.opened.as_ref().map(|opened| opened.id) == FileId::of(path).ok()
    }

    /// Writes this process's id for others to read: ten columns, left-aligned, and a line feed, in one write.
    fn sign(&self) {
        if let Some(Opened { file, process, .. }) = &self.opened {
            // Best effort: a full disk must not keep anybody from making room.
            let _ = file.write_all_at(format!("{process:<10}\n").as_bytes(), 0);
        }
    }

    /// Lets go of a file that nobody else finds any more.
    fn discard(mut self) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.file.unlock();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing the file would not do while a child of this process still has a copy of it.
        if let Some(opened) = self.opened.take()
            && opened.file.unlock().is_ok()
        {
            *lock(&self.kept) = Some(opened);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn past_the_deadline_the_holder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("db");
        let (mut first, mut second) = (LockFile::beside(&database), LockFile::beside(&database));
        let turn = first.acquire(soon()).unwrap();
        for _ in 0..3 {
            let refused = second.acquire(soon()).unwrap_err();
            let expected = format!("process {}", std::process::id());
            assert!(
                matches!(&refused, StoreError::Locked { holder: Some(holder), .. } if *holder == expected),
                "{refused:?}"
            );
        }
        drop(turn);
        // The helper of the second gets the lock now, for nobody, and must not keep it.
        while lock(&second.queue.waiting).helper {
            thread::yield_now();
        }
        let later = Instant::now() + Duration::from_secs(60);
        drop(first.acquire(later).unwrap());
        drop(second.acquire(later).unwrap());
    }

    #[test]
    fn who_waits_is_woken() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("db");
        let mut first = LockFile::beside(&database);
        let later = Instant::now() + Duration::from_secs(60);
        let turn = first.acquire(later).unwrap();
        let waiter = thread::spawn(move || {
            let mut second = LockFile::beside(&database);
            second.acquire(later).map(drop)
        });
        drop(turn);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn a_file_that_lost_its_name_gives_no_turn() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("db");
        let (mut first, mut second) = (LockFile::beside(&database), LockFile::beside(&database));
        let later = Instant::now() + Duration::from_secs(60);
        for replaced in [false, true] {
            drop(first.acquire(later).unwrap());
            std::fs::remove_file(&first.path).unwrap();
            if replaced {
                std::fs::write(&first.path, "").unwrap();
            }
            let turn = second.acquire(later).unwrap();
            first.acquire(soon()).unwrap_err();
            drop(turn);
            drop(first.acquire(later).unwrap());
        }
    }

    /// As after a fork: the lock of the one would be that of the other.
    #[test]
    fn a_file_that_another_process_opened_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("db");
        let (mut first, mut second) = (LockFile::beside(&database), LockFile::beside(&database));
        let later = Instant::now() + Duration::from_secs(60);
        drop(first.acquire(later).unwrap());
        let Opened { file, id, process } = lock(&first.kept).take().unwrap();
        let copy = Opened { file: file.try_clone().unwrap(), id, process: process + 1 };
        *lock(&second.kept) = Some(copy);
        *lock(&first.kept) = Some(Opened { file, id, process });
        let turn = first.acquire(later).unwrap();
        second.acquire(soon()).unwrap_err();
        drop(turn);
    }
}
