//! The writer lock: one file that the kernel locks for one writer at a time, and frees when its process dies.
//!
//! Waiting is blocking in the kernel, where waiters queue; asking again and again would let the quick starve the
//! slow. As the call that blocks knows no deadline, it is made by a thread of its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::StoreError;

use crate::file;

/// The writer lock of one store, as one handle on the store sees it.
#[derive(Debug)]
pub(crate) struct WriterLock {
    path: PathBuf,
    queue: Arc<Queue>,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    file: File,
    _turn: Turn<'a>,
}

/// The right of one thread of this handle to ask the kernel.
#[derive(Debug)]
struct Turn<'a>(&'a Queue);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: bool,
    waiter: Waiter,
}

/// The thread that waits in the kernel. There is one at most, also after a deadline has passed: it stays, and
/// gives back what it gets when nobody wants it any more.
#[derive(Debug, Default)]
enum Waiter {
    #[default]
    None,
    Waits {
        wanted: bool,
    },
    Done(io::Result<File>),
}

impl WriterLock {
    /// The lock file at `path`, which the first writer creates.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, queue: Arc::default() }
    }

    /// Waits for the right to write.
    ///
    /// # Errors
    /// `Locked` when others have it for longer than `timeout`; what opening the file reports.
    pub(crate) fn acquire(&self, timeout: Duration) -> Result<Guard<'_>, StoreError> {
        // A deadline beyond what a clock can show is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.queue.state();
        while state.taken {
            state = self.queue.wait(state, deadline).ok_or_else(|| self.locked())?;
        }
        state.taken = true;
        drop(state);
        let turn = Turn(&self.queue);

        let file = open(&self.path)?;
        let file = match file.try_lock() {
            Ok(()) => file,
            Err(TryLockError::WouldBlock) => self.wait_in_kernel(file, deadline)?,
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::io("locking", &self.path, error));
            }
        };
        // The name of the holder is a courtesy: without room for it the lock holds all the same.
        _ = sign(&file);
        Ok(Guard { file, _turn: turn })
    }

    fn wait_in_kernel(&self, file: File, deadline: Option<Instant>) -> Result<File, StoreError> {
        let failed = |error| StoreError::io("locking", &self.path, error);
        let mut state = self.queue.state();
        if let Waiter::Waits { wanted } = &mut state.waiter {
            *wanted = true;
        } else {
            state.waiter = Waiter::Waits { wanted: true };
            let queue = Arc::clone(&self.queue);
            let wait = move || queue.deliver(file.lock().map(|()| file));
            if let Err(error) =
                std::thread::Builder::new().name("session-jsonl lock".to_owned()).spawn(wait)
            {
                state.waiter = Waiter::None;
                return Err(failed(error));
            }
        }
        loop {
            if let Waiter::Done(_) = state.waiter
                && let Waiter::Done(result) = std::mem::take(&mut state.waiter)
            {
                return result.map_err(failed);
            }
            state = match self.queue.wait(state, deadline) {
                Some(state) => state,
                None => {
                    let mut state = self.queue.state();
                    // It may have come in the last moment.
                    if let Waiter::Done(result) = std::mem::take(&mut state.waiter) {
                        return result.map_err(failed);
                    }
                    state.waiter = Waiter::Waits { wanted: false };
                    return Err(self.locked());
                }
            };
        }
    }

    fn locked(&self) -> StoreError {
        StoreError::Locked { path: self.path.clone(), holder: holder(&self.path) }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Not left to closing: a program that another thread is just starting may have inherited the file.
        _ = self.file.unlock();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().taken = false;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; `None` when the deadline has passed.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let Some(deadline) = deadline else {
            return Some(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        };
        let left =
            deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let waited = self.changed.wait_timeout(state, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn deliver(&self, result: io::Result<File>) {
        let mut state = self.state();
        let wanted = matches!(state.waiter, Waiter::Waits { wanted: true });
        state.waiter = if wanted { Waiter::Done(result) } else { Waiter::None };
        drop(state);
        self.changed.notify_all();
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    Ok(file::open_regular(path, &options)?)
}

/// Writes this process into the file, unless the last holder was this one too.
fn sign(file: &File) -> io::Result<()> {
    let text = format!("pid {}\n", std::process::id());
    let mut found = [0; 32];
    let length = file.read_at(&mut found, 0)?;
    if found.get(..length) != Some(text.as_bytes()) {
        file.set_len(0)?;
        file.write_all_at(text.as_bytes(), 0)?;
    }
    Ok(())
}

/// Who wrote itself into the file last.
fn holder(path: &Path) -> Option<String> {
    let mut found = [0; 32];
    let length = File::open(path).and_then(|file| file.read_at(&mut found, 0)).ok()?;
    let text = std::str::from_utf8(found.get(..length)?).ok()?;
    let pid: u32 = text.strip_prefix("pid ")?.trim_end().parse().ok()?;
    Some(format!("process {pid}"))
}
