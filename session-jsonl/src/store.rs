//! The store: the rules of the contract applied to the files of a directory, under the writer lock.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use session_core::store::rules;
use session_core::{
    IdFragment, Observer, Page, Query, Session, SessionId, SessionName, SessionStore, StoreError,
    StoreInfo, Timestamp,
};

use crate::directory::{Directory, Loaded};
use crate::file;
use crate::format::{self, LOCK, Marker, Place, SCHEMA_VERSION};
use crate::lock::WriterLock;
use crate::options::JsonlOptions;
use crate::writer::Writer;

/// Sessions as JSON Lines files in a directory, one file a session.
///
/// Several threads may share one, and several processes may open the same directory. Everything that was
/// acknowledged is on the medium.
///
/// A write for which there is no room is cut back and costs nothing else. After a failed sync, or one that could not
/// be cut back, every call but [`close`](SessionStore::close) is refused with [`Poisoned`](StoreError::Poisoned): open
/// the store anew to learn what is on the disk.
#[derive(Debug)]
pub struct JsonlStore {
    directory: Directory,
    lock: WriterLock,
    access: Access,
    marker: Mutex<Marker>,
    closed: AtomicBool,
    poisoned: AtomicBool,
}

#[derive(Debug)]
enum Access {
    Write(JsonlOptions),
    Read,
}

impl JsonlStore {
    /// Opens the store in `directory`, which is created when it is missing and made a store when it is empty.
    ///
    /// An existing store is not touched by this.
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
        let directory = absolute(directory.as_ref())?;
        let marker = match format::inspect(&directory)? {
            Place::Store(marker) => marker,
            Place::Missing => {
                file::create_directory(&directory)
                    .map_err(|e| StoreError::io("creating a directory", &directory, e))?;
                make_store(&directory, options)?
            }
            Place::Empty => make_store(&directory, options)?,
        };
        Ok(Self::new(directory, Access::Write(options), marker))
    }

    /// Opens the store in `directory` for reading only: nothing is created and nothing is changed, now or later,
    /// and every call that would write is refused with `ReadOnly`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `NotAStore` also where nothing is or where the directory is empty: a place
    /// that cannot be read, such as a disk that is not there today, must not pass for a store without sessions.
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = absolute(directory.as_ref())?;
        match format::inspect(&directory)? {
            Place::Store(marker) => Ok(Self::new(directory, Access::Read, marker)),
            Place::Missing => Err(format::not_a_store(&directory, "it does not exist")),
            Place::Empty => Err(format::not_a_store(&directory, "it is empty")),
        }
    }

    fn new(directory: PathBuf, access: Access, marker: Marker) -> Self {
        Self {
            lock: WriterLock::new(directory.join(LOCK)),
            directory: Directory::new(directory),
            access,
            marker: Mutex::new(marker),
            closed: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
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

    /// Goes before all reading: a newer program may have taken the store over since it was opened.
    fn reading(&self) -> Result<&Directory, StoreError> {
        self.usable()?;
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        *marker = format::check(self.directory.path(), *marker)?;
        Ok(&self.directory)
    }

    /// Goes before all writing.
    fn writing(&self) -> Result<Writer<'_>, StoreError> {
        self.usable()?;
        let Access::Write(options) = &self.access else {
            return Err(StoreError::ReadOnly { path: self.directory.path().to_owned() });
        };
        let guard = self.lock.acquire(options.lock_timeout)?;
        // What was true before the wait need not be true after it.
        let directory = self.reading()?;
        Ok(Writer::new(directory, &self.poisoned, guard))
    }
}

impl SessionStore for JsonlStore {
    fn info(&self) -> StoreInfo {
        let generation = self.marker.lock().unwrap_or_else(PoisonError::into_inner).generation;
        let location = self.directory.path().to_owned();
        StoreInfo::new("jsonl", Some(location), SCHEMA_VERSION, generation)
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let writer = self.writing()?;
        let session = rules::created(session)?;
        let (id, at) = (session.id(), session.lifecycle.created_at);
        let before = writer.directory.load(id)?;
        if let Some(before) = &before
            && before.session()?.is_some()
        {
            return Err(StoreError::IdExists { id });
        }
        let expired =
            if rules::claims_name(&session) { writer.contest(&session, at)? } else { Vec::new() };
        writer.put_after(&expired, &session, before.as_deref())?;
        Ok(session)
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        let loaded = self.reading()?.load(id)?;
        stored(loaded.as_deref(), id).cloned()
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        self.newest_first(|session| session.name() == Some(name))
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        let mut found = self.newest_first(|session| fragment.matches(session.id()))?;
        found.truncate(10);
        Ok(found)
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        let writer = self.writing()?;
        let id = changed.id();
        let loaded = writer.directory.load(id)?;
        let before = stored(loaded.as_deref(), id)?;
        let after = rules::updated(before, changed, at)?;
        let taken = rules::takes_name(before, &after);
        let expired = if taken { writer.contest(&after, at)? } else { Vec::new() };
        writer.put_after(&expired, &after, loaded.as_deref())?;
        Ok(after)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let directory = self.reading()?;
        let generation = self.info().generation;
        query.check_cursor(generation)?;
        let (mut readable, mut damaged) = (Vec::new(), Vec::new());
        for loaded in directory.load_all()? {
            match loaded {
                Ok(loaded) => {
                    damaged.extend(loaded.damage());
                    readable.push(loaded);
                }
                Err(error) => damaged.push(error.into_damage()),
            }
        }
        let matching = (readable.iter().filter_map(|loaded| loaded.readable()))
            .filter(|session| query.matches(session));
        let page = query.page_of(matching, generation);
        Ok(Page { damaged, ..page })
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let writer = self.writing()?;
        let loaded = writer.directory.load(id)?;
        let before = stored(loaded.as_deref(), id)?;
        let others = writer.directory.load_readable()?;
        let children = (others.iter().filter_map(|loaded| loaded.readable()))
            .filter(|child| child.identity.parent == Some(id));
        let removed = rules::removed(before, children, observer)?;
        writer.put(&removed, loaded.as_deref())?;
        Ok(removed)
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let writer = self.writing()?;
        let mut changed = Vec::new();
        for loaded in writer.directory.load_readable()? {
            if let Some(seen) = loaded.readable().and_then(|s| rules::swept(s, observer)) {
                writer.put(&seen, Some(&loaded))?;
                changed.push(seen);
            }
        }
        Ok(changed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        // Nothing is acknowledged before it is on the medium.
        self.usable()
    }

    fn close(&self) -> Result<(), StoreError> {
        let was_closed = self.closed.swap(true, Ordering::AcqRel);
        if !was_closed && self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }
}

impl JsonlStore {
    /// The sessions outside the trash that `wanted` accepts, the last created first.
    fn newest_first(&self, wanted: impl Fn(&Session) -> bool) -> Result<Vec<Session>, StoreError> {
        let mut found: Vec<_> = (self.reading()?.load_readable()?.iter())
            .filter_map(|loaded| loaded.readable())
            .filter(|session| !session.is_trashed() && wanted(session))
            .cloned()
            .collect();
        found
            .sort_by_key(|session| std::cmp::Reverse((session.lifecycle.created_at, session.id())));
        Ok(found)
    }
}

fn stored(loaded: Option<&Loaded>, id: SessionId) -> Result<&Session, StoreError> {
    let session = match loaded {
        Some(loaded) => loaded.session()?,
        None => None,
    };
    session.ok_or_else(|| StoreError::NotFound { selector: id.to_string() })
}

/// Every later call is about the same place, wherever the program goes.
fn absolute(directory: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(directory).map_err(|e| StoreError::io("finding a store", directory, e))
}

fn make_store(directory: &Path, options: JsonlOptions) -> Result<Marker, StoreError> {
    let lock = WriterLock::new(directory.join(LOCK));
    let _guard = lock.acquire(options.lock_timeout)?;
    // Another process may have done it while this one waited.
    if let Place::Empty = format::inspect(directory)? {
        format::initialise(directory)?;
    }
    match format::inspect(directory)? {
        Place::Store(marker) => Ok(marker),
        Place::Missing | Place::Empty => Err(format::not_a_store(directory, "it went away")),
    }
}
