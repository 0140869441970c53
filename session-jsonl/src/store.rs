//! The store: the rules of the contract applied to the files of a directory, under the writer lock.

mod records;
mod sessions;
mod upkeep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use session_core::{Deduplication, Durability, SessionId, StoreError, StoreInfo};

use crate::directory::{Directory, View};
use crate::disk::{Disk, RealDisk};
use crate::file;
use crate::format::{self, LOCK, Marker, Place, SCHEMA_VERSION};
use crate::history::Hint;
use crate::index::Index;
use crate::lock::{Progress, WriterLock};
use crate::options::JsonlOptions;
use crate::recent::REACH;
use crate::upkeep::{finish_replacing, has_left};
use crate::writer::{Concerns, Writer};

/// Sessions as JSON Lines files in a directory, one file a session.
///
/// Several threads may share one, and several processes may open the same directory. Everything that was
/// acknowledged is on the medium, unless [`JsonlOptions::durability`] asks for less.
///
/// A write for which there is no room is cut back and costs nothing else. After a failed sync, or one that could not
/// be cut back, every call but [`close`](session_core::SessionStore::close) is refused with
/// [`Poisoned`](StoreError::Poisoned): open the store anew to learn what is on the disk.
#[derive(Debug)]
pub struct JsonlStore {
    disk: Arc<dyn Disk>,
    directory: Directory,
    index: Index,
    lock: WriterLock,
    access: Access,
    marker: Mutex<Marker>,
    closed: AtomicBool,
    poisoned: AtomicBool,
    /// Sessions with bytes that this handle wrote and did not sync, and how often it wrote.
    unsynced: Mutex<BTreeMap<SessionId, u64>>,
    /// Where the last page of each of some histories ended.
    hints: Mutex<Vec<(SessionId, Hint)>>,
}

#[derive(Debug)]
enum Access {
    Write(JsonlOptions),
    Read,
}

impl JsonlStore {
    /// Opens the store in `directory`, which is created when it is missing and made a store when it is empty.
    ///
    /// A store of this version is not touched by this. One of an older version is taken to this one, step by step as
    /// [`migrations`](crate::migrations) says, and what was changed is kept beside.
    ///
    /// # Errors
    /// `NotAStore` for anything else that stands there; `NewerVersion`; `Corrupt` when its format's description
    /// makes no sense; `Locked` when another process keeps it from being created; what the operating system
    /// reports.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(directory, JsonlOptions::new())
    }

    /// Opens the store in `directory` as [`open`](Self::open) does, to behave as `options` say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        directory: impl AsRef<Path>,
        options: JsonlOptions,
    ) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(RealDisk), directory.as_ref(), options)
    }

    /// Opens the store in `directory` of `disk`. Its lock is on the real disk all the same, in the directory of the
    /// same path, which a disk of another kind has to see to.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: JsonlOptions,
    ) -> Result<Self, StoreError> {
        let directory = absolute(directory)?;
        let fail = |error| StoreError::io("creating a directory", &directory, error);
        let mut place = format::inspect(&*disk, &directory)?;
        if let Place::Missing = place {
            finish_replacing(&*disk, &directory).map_err(fail)?;
            place = format::inspect(&*disk, &directory)?;
        }
        let marker = match place {
            Place::Store(marker) if marker.version == SCHEMA_VERSION => marker,
            Place::Missing => {
                file::create_directory(&*disk, &directory).map_err(fail)?;
                make_store(&*disk, &directory, options)?
            }
            Place::Empty | Place::Store(_) => make_store(&*disk, &directory, options)?,
        };
        if has_left(&*disk, &directory) {
            // It is only out of the way under its other name, which a later one can give it as well.
            _ = name_replaced(&disk, &directory, options);
        }
        Ok(Self::new(disk, directory, Access::Write(options), marker))
    }

    /// Opens the store in `directory` for reading only: nothing is created and nothing is changed, now or later,
    /// and every call that would write is refused with `ReadOnly`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `NotAStore` also where nothing is or where the directory is empty: a place
    /// that cannot be read, such as a disk that is not there today, must not pass for a store without sessions.
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::read_on(Arc::new(RealDisk), directory.as_ref())
    }

    /// Opens the store in `directory` of `disk` for reading only.
    pub(crate) fn read_on(disk: Arc<dyn Disk>, directory: &Path) -> Result<Self, StoreError> {
        let directory = absolute(directory)?;
        match format::inspect(&*disk, &directory)? {
            Place::Store(marker) => Ok(Self::new(disk, directory, Access::Read, marker)),
            Place::Missing => Err(format::not_a_store(&directory, "it does not exist")),
            Place::Empty => Err(format::not_a_store(&directory, "it is empty")),
        }
    }

    fn new(disk: Arc<dyn Disk>, directory: PathBuf, access: Access, marker: Marker) -> Self {
        Self {
            lock: WriterLock::new(directory.join(LOCK)),
            directory: Directory::new(Arc::clone(&disk), directory),
            disk,
            index: Index::default(),
            access,
            marker: Mutex::new(marker),
            closed: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            unsynced: Mutex::default(),
            hints: Mutex::default(),
        }
    }

    /// Whether the store can be used at all.
    fn usable(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::StoreClosed);
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }

    /// Goes before all reading: a newer program may have taken the store over since it was opened, and its content
    /// may have been replaced.
    fn reading(&self) -> Result<View<'_>, StoreError> {
        self.check()?;
        Ok(self.directory.view()?)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.usable()?;
        self.check_marker()
    }

    fn check_marker(&self) -> Result<(), StoreError> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        let found = format::check(self.directory.disk(), self.directory.path(), *marker)?;
        if found.generation != marker.generation {
            self.directory.forget_all();
            self.index.forget();
        }
        *marker = found;
        Ok(())
    }

    /// Goes before all writing.
    fn writing(&self, concerns: Concerns) -> Result<Writer<'_>, StoreError> {
        self.usable()?;
        let Access::Write(options) = &self.access else {
            return Err(StoreError::ReadOnly {
                path: self.directory.path().to_owned(),
                source: None,
            });
        };
        // A store that a newer program took over is not waited for, and nothing is written into its lock.
        let guard = self.lock.acquire(options.lock_timeout, || self.check())?;
        let view = self.directory.view_to_write(guard.times())?;
        Writer::new(view, &self.index, &self.poisoned, options.durability, guard, concerns)
    }

    fn durability(&self) -> Durability {
        match &self.access {
            Access::Write(options) => options.durability,
            Access::Read => Durability::Full,
        }
    }

    fn generation(&self) -> u64 {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner).generation
    }

    fn describe(&self) -> StoreInfo {
        // Others may have replaced the content. What cannot be read now is refused by the next call.
        _ = self.check_marker();
        let location = self.directory.path().to_owned();
        let mut info = StoreInfo::new("jsonl", Some(location), SCHEMA_VERSION, self.generation());
        info.deduplication = Deduplication::Recent { bytes: REACH };
        info.durability = self.durability();
        info
    }
}

/// Every later call is about the same place, wherever the program goes.
fn absolute(directory: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(directory).map_err(|e| StoreError::io("finding a store", directory, e))
}

/// Gives what a dead process replaced its name, beside the store.
fn name_replaced(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    options: JsonlOptions,
) -> Result<(), StoreError> {
    let lock = WriterLock::new(directory.join(LOCK));
    let mut guard = lock.acquire(options.lock_timeout, || Ok(()))?;
    guard.set(guard.found());
    match format::inspect(&**disk, directory)? {
        Place::Store(marker) => crate::upkeep::name_replaced(disk, directory, marker.generation),
        Place::Missing | Place::Empty => Ok(()),
    }
}

fn make_store(
    disk: &dyn Disk,
    directory: &Path,
    options: JsonlOptions,
) -> Result<Marker, StoreError> {
    let lock = WriterLock::new(directory.join(LOCK));
    let mut guard = lock.acquire(options.lock_timeout, || Ok(()))?;
    // Another process may have done it while this one waited.
    let place = format::inspect(disk, directory)?;
    if let Place::Store(marker) = place
        && marker.version < SCHEMA_VERSION
    {
        format::migrate(disk, directory)?;
    }
    let is_new = matches!(place, Place::Empty);
    if is_new {
        // The directory itself may have been made a moment ago, by this process or by one that died.
        file::sync_name_of_directory(disk, directory)
            .map_err(|error| StoreError::io("creating a store", directory, error))?;
        format::initialise(disk, directory)?;
    }
    guard.set(if is_new { Progress::Synced } else { guard.found() });
    match format::inspect(disk, directory)? {
        Place::Store(marker) => Ok(marker),
        Place::Missing | Place::Empty => Err(format::not_a_store(directory, "it went away")),
    }
}
