//! The writer lock: one file that the kernel locks for one writer at a time, and frees when its process dies.
//!
//! Waiting is blocking in the kernel, where waiters queue; asking again and again would let the quick starve the
//! slow. As the call that blocks knows no deadline, it is made by a thread of its own.
//!
//! Whoever gives a lock back and asks again at once is faster than those that the kernel wakes. So a writer first locks
//! the directory, as one goes through a turnstile, and holds that until it has the lock: only one waits for the lock
//! itself, and who has just had it waits behind the others.

mod signature;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::StoreError;

use crate::disk::{Disk, Kind, RealDisk, Stamp, Times, open_unfollowed};
use crate::error::ReadError;

use signature::Signature;
pub(crate) use signature::{Progress, Trust};

/// The writer lock of one store, as one handle on the store sees it.
#[derive(Debug)]
pub(crate) struct WriterLock {
    path: PathBuf,
    queue: Arc<Queue>,
    /// The file, left open by those who only read what it says.
    read: Mutex<Option<File>>,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    /// There until the guard is dropped.
    file: Option<Opened>,
    /// How far the last holder came.
    found: Progress,
    reached: Progress,
    /// When the directory was changed last, as far as it can be told.
    times: Option<Times>,
    turn: Turn<'a>,
}

/// The lock file, and which one it is: it keeps its number as long as it is open.
#[derive(Debug)]
struct Opened {
    file: File,
    /// The directory that it is in.
    turnstile: File,
    stamp: Stamp,
    /// How long it is known to be.
    length: usize,
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
    /// The file, unlocked, between two writers.
    kept: Option<Opened>,
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
    Done(io::Result<Opened>),
}

impl WriterLock {
    /// The lock file at `path`, which the first writer creates.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, queue: Arc::default(), read: Mutex::default() }
    }

    /// Waits for the right to write, where `check` says that there is one: it is asked before anything is made or waited
    /// for, and again before the first byte is written.
    ///
    /// # Errors
    /// `Locked` when others have it for longer than `timeout`; what `check` and opening the file report.
    pub(crate) fn acquire(
        &self,
        timeout: Duration,
        check: impl Fn() -> Result<(), StoreError>,
    ) -> Result<Guard<'_>, StoreError> {
        // A deadline beyond what a clock can show is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.queue.state();
        while state.taken {
            state = self.queue.wait(state, deadline).ok_or_else(|| self.locked())?;
        }
        state.taken = true;
        let mut kept = state.kept.take();
        drop(state);
        let turn = Turn(&self.queue);

        let file = loop {
            let file = match kept.take() {
                Some(file) => file,
                None => check().and_then(|()| open(&self.path))?,
            };
            let file = match file.try_lock() {
                Ok(()) => file,
                Err(TryLockError::WouldBlock) => {
                    check()?;
                    self.wait_in_kernel(file, deadline)?
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("locking", &self.path, error));
                }
            };
            // While this one waited, the whole directory may have been replaced by another.
            if is_at(&file, &self.path)? {
                break file;
            }
        };
        let mut file = file;
        // What was true before the wait need not be true after it.
        check().inspect_err(|_| _ = file.file.unlock())?;
        let (found, length) = signature::read(&file.file);
        file.length = length;
        let times = found.and_then(|found| found.times);
        let found = found.map_or(Progress::Busy, |found| found.progress);
        let reached = Progress::Busy;
        // The times stay: without any, whoever reads must not believe that the directory tells what is done in it.
        file.sign(reached, times).map_err(|error| StoreError::io("locking", &self.path, error))?;
        Ok(Guard { file: Some(file), found, reached, times, turn })
    }

    /// What the last writer says of the directory, which is as `directory` says.
    pub(crate) fn trust(&self, directory: &Stamp) -> Trust {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*read {
            let trust = Trust::of(signature::read(file).0, directory);
            // Another lock file may have taken its place, and then the directory has another time.
            if trust == Trust::AsLeft {
                return trust;
            }
        }
        *read = None;
        match File::open(&self.path) {
            Ok(file) => Trust::of(signature::read(read.insert(file)).0, directory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Trust::Changed,
            Err(_) => Trust::Never,
        }
    }

    fn wait_in_kernel(
        &self,
        file: Opened,
        deadline: Option<Instant>,
    ) -> Result<Opened, StoreError> {
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

impl Guard<'_> {
    /// How far the last holder came.
    pub(crate) const fn found(&self) -> Progress {
        self.found
    }

    /// When the directory was changed, as the last holder of the lock left it.
    pub(crate) const fn times(&self) -> Option<Times> {
        self.times
    }

    /// When the directory was changed by this one; `None` where it need not have another time after a change.
    pub(crate) const fn set_times(&mut self, times: Option<Times>) {
        self.times = times;
    }

    /// What is to be said when the lock is given back.
    pub(crate) const fn set(&mut self, reached: Progress) {
        self.reached = reached;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if self.reached != Progress::Busy {
            // Whoever does not find it there makes sure of everything once more.
            _ = file.sign(self.reached, self.times);
        }
        // Not left to closing: a program that another thread is just starting may have inherited the file.
        if file.file.unlock().is_ok() {
            self.turn.0.state().kept = Some(file);
        }
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

    fn deliver(&self, result: io::Result<Opened>) {
        let mut state = self.state();
        let wanted = matches!(state.waiter, Waiter::Waits { wanted: true });
        state.waiter = if wanted { Waiter::Done(result) } else { Waiter::None };
        drop(state);
        self.changed.notify_all();
    }
}

fn open(path: &Path) -> Result<Opened, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let fail = |error| ReadError::io("opening a file", path, error);
    let not_a_file = || ReadError::NotAFile { path: path.to_owned() };
    let there = || RealDisk.stamp(path).map_err(fail);
    let file = match open_unfollowed(path, &mut options) {
        Ok(file) => file,
        Err(error) => {
            let is_file = there()?.is_none_or(|stamp| stamp.kind == Kind::File);
            return Err(if is_file { fail(error) } else { not_a_file() }.into());
        }
    };
    let stamp = Stamp::from(&file.metadata().map_err(fail)?);
    // Who locks a file that has lost its name to another one locks nothing.
    match there()? {
        Some(there) if there.kind == Kind::File && there.is_same_file(&stamp) => {
            let turnstile = File::open(path.parent().unwrap_or(path)).map_err(fail)?;
            Ok(Opened { file, turnstile, stamp, length: 0 })
        }
        Some(_) => Err(not_a_file().into()),
        None => Err(fail(io::ErrorKind::NotFound.into()).into()),
    }
}

/// Whether the file at `path` is the one that is open.
fn is_at(file: &Opened, path: &Path) -> Result<bool, StoreError> {
    let there = RealDisk.stamp(path).map_err(|error| ReadError::io("locking", path, error))?;
    Ok(there.is_some_and(|there| there.is_same_file(&file.stamp)))
}

impl Opened {
    fn try_lock(&self) -> Result<(), TryLockError> {
        // Without a turnstile, where a directory cannot be locked, waiting is less fair and no less safe.
        if let Err(TryLockError::WouldBlock) = retried(|| self.turnstile.try_lock()) {
            return Err(TryLockError::WouldBlock);
        }
        let locked = retried(|| self.file.try_lock());
        _ = self.turnstile.unlock();
        locked
    }

    fn lock(&self) -> io::Result<()> {
        _ = retried(|| self.turnstile.lock());
        let locked = retried(|| self.file.lock());
        _ = self.turnstile.unlock();
        locked
    }

    /// Writes this process into the file, how far it is, and when the directory was changed.
    fn sign(&mut self, progress: Progress, times: Option<Times>) -> io::Result<()> {
        let text = Signature { pid: std::process::id(), progress, times }.to_string();
        if self.length != text.len() {
            self.file.set_len(0)?;
            self.length = text.len();
        }
        self.file.write_all_at(text.as_bytes(), 0)
    }
}

/// What a call comes to that a signal does not keep from it: its handler may be one after which calls do not go on.
fn retried<E: Interruption>(mut call: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    loop {
        match call() {
            Err(error) if error.is_interruption() => {}
            came => return came,
        }
    }
}

/// Errors that may mean no more than that a signal came.
trait Interruption {
    fn is_interruption(&self) -> bool;
}

impl Interruption for io::Error {
    fn is_interruption(&self) -> bool {
        self.kind() == io::ErrorKind::Interrupted
    }
}

impl Interruption for TryLockError {
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Error(error) if error.is_interruption())
    }
}

/// Who wrote itself into the file last.
fn holder(path: &Path) -> Option<String> {
    let found = signature::read(&File::open(path).ok()?).0?;
    Some(format!("process {}", found.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_no_refusal() {
        let mut signals = 3;
        let mut interrupted = || {
            signals -= 1;
            if signals >= 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        };
        retried(|| interrupted().map_err(TryLockError::Error)).unwrap();
        retried(&mut interrupted).unwrap();
        let blocked = retried(|| Err(TryLockError::WouldBlock));
        assert!(matches!(blocked, Err(TryLockError::WouldBlock)));
    }
}
