//! The queue of writers: a kernel lock on a file beside the database.
//!
//! SQLite makes waiting writers poll, and whoever polls rarely starves. A blocked kernel lock is woken instead,
//! and the kernel releases it when its holder dies. Waiting in the kernel has no deadline, so when the lock is
//! not free at once, a helper thread waits, and the caller waits for the helper until its deadline. A helper
//! that comes too late lets go at once; there is never more than one of a handle.
//!
//! The lock only orders writers. What keeps transactions apart is SQLite's own locking, so a deleted lock file
//! costs fairness and nothing else.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use session_core::StoreError;

/// The lock file of a store.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    database: PathBuf,
    queue: Arc<Queue>,
}

/// The right to write, until dropped.
#[derive(Debug)]
pub(crate) struct Turn(File);

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
    granted: Option<io::Result<File>>,
}

impl LockFile {
    /// The lock file of the database at `database`, which need not exist.
    pub(crate) fn beside(database: &Path) -> Self {
        let path = crate::connection::suffixed(database, ".lock");
        Self { path, database: database.to_owned(), queue: Arc::default() }
    }

    /// Waits for the turn to write, until `deadline` at most.
    ///
    /// # Errors
    /// `Locked` past the deadline, with the process that holds the lock if that can be read; whatever the
    /// operating system says about the file.
    pub(crate) fn acquire(&mut self, deadline: Instant) -> Result<Turn, StoreError> {
        let file = self.open().map_err(|source| self.failed(source))?;
        match file.try_lock() {
            Ok(()) => return Ok(Turn::begin(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(self.failed(source)),
        }
        match self.wait(file, deadline) {
            Some(Ok(file)) => Ok(Turn::begin(file)),
            Some(Err(source)) => Err(self.failed(source)),
            None => Err(StoreError::Locked { path: self.database.clone(), holder: self.holder() }),
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    fn wait(&self, file: File, deadline: Instant) -> Option<io::Result<File>> {
        let mut waiting = self.queue.lock();
        waiting.wanted = true;
        if !waiting.helper {
            let queue = Arc::clone(&self.queue);
            let helper = thread::Builder::new().name("session-sql-lock".to_owned());
            match helper.spawn(move || queue.fetch(file)) {
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

    /// Who holds the lock, as it wrote into the file. Only asked while somebody does.
    fn holder(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let pid: u32 = text.lines().next()?.trim().parse().ok()?;
        Some(format!("process {pid}"))
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::io("lock", &self.path, source)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until the lock is free and hands it to whoever wants it then.
    fn fetch(&self, file: File) {
        let locked = loop {
            match file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        let mut waiting = self.lock();
        waiting.helper = false;
        if waiting.wanted {
            waiting.granted = Some(locked.map(|()| file));
            self.arrived.notify_one();
        }
    }
}

impl Turn {
    /// Writes this process's id for others to read: ten columns, left-aligned, and a line feed, in one write.
    fn begin(file: File) -> Self {
        let holder = format!("{:<10}\n", std::process::id());
        // Best effort: a full disk must not keep anybody from making room.
        let _ = file.write_all_at(holder.as_bytes(), 0);
        Self(file)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing the file would do, but not while a child of this process still has a copy of it.
        let _ = self.0.unlock();
    }
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
        while second.queue.lock().helper {
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
}
