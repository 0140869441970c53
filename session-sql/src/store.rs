//! [`SqlStore`] and its contract: every write is one immediate transaction, every read one snapshot.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, Transaction};
use session_core::store::rules;
use session_core::{
    IdFragment, Observer, Page, Query, Session, SessionId, SessionName, SessionStore, StoreError,
    StoreInfo, Timestamp,
};

use crate::connection::{self, Place};
use crate::error::SqlError;
use crate::lock::LockFile;
use crate::readers::Readers;
use crate::schema::{self, Migration, SCHEMA_VERSION};
use crate::writer::Writer;
use crate::{SqlOptions, find, list, open, row};

/// A store in one SQLite database, which several threads and several processes can use at once.
// Readers come before the writer, so that the writer is dropped last: the last connection that can write moves the
// log into the database.
#[derive(Debug)]
pub struct SqlStore {
    place: Place,
    readers: Readers,
    writer: Option<Writer>,
    generation: AtomicU64,
}

impl SqlStore {
    /// Opens the store at `path` for reading and writing; makes it, if there is none, with mode 0600. Its
    /// directory must exist. A store of an older format is migrated, after a checked copy was put beside it.
    ///
    /// # Errors
    /// `NotAStore` for a directory, a file that is no database, or the database of another program;
    /// `NewerVersion`; `Corrupt`; `PermissionDenied` when it cannot be written; `Locked`; whatever else the
    /// operating system reports. A refusal changes nothing at `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqlOptions::default())
    }

    /// Opens the store at `path` as [`SqlStore::open`] does, with chosen options.
    ///
    /// # Errors
    /// As [`SqlStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: SqlOptions) -> Result<Self, StoreError> {
        Self::open_planned(path.as_ref(), options, schema::migrations())
    }

    pub(crate) fn open_planned(
        path: &Path,
        options: SqlOptions,
        plan: &[Migration],
    ) -> Result<Self, StoreError> {
        connection::check_library()?;
        let place =
            Place::resolve(path, options).map_err(|source| StoreError::io("open", path, source))?;
        let mut lock = LockFile::beside(&place.path);
        let opened = open::for_writing(&place, &mut lock, plan).and_then(|(reader, writer)| {
            schema::check_tables(&reader, &place.path)?;
            let generation = schema::generation(&reader, &place.path)?;
            Ok((reader, Writer::new(&place, writer, lock)?, generation))
        });
        let (reader, writer, generation) =
            opened.map_err(|error| error.told("open", &place.path))?;
        Ok(Self {
            place,
            readers: Readers::new(reader),
            writer: Some(writer),
            generation: generation.into(),
        })
    }

    /// Opens the store at `path` for reading. `None` says that there is no store yet: no file, or one in which
    /// nothing was ever stored. To whoever wants to read, that is an empty store.
    ///
    /// Nothing is made and nothing is changed, except that SQLite may leave an empty `-wal` and a `-shm` file
    /// beside a database in a directory that can be written. Every call that writes is refused with `ReadOnly`.
    ///
    /// # Errors
    /// As [`SqlStore::open`]; `Unsupported` for a store of an older format, which the next writer migrates.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        connection::check_library()?;
        let path = path.as_ref();
        let mut place = match Place::resolve(path, SqlOptions::default()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            place => place.map_err(|source| StoreError::io("open", path, source))?,
        };
        let opened = open::for_reading(&mut place, schema::migrations()).and_then(|reader| {
            let Some(reader) = reader else { return Ok(None) };
            schema::check_tables(&reader, &place.path)?;
            let generation = schema::generation(&reader, &place.path)?;
            Ok(Some((reader, generation)))
        });
        let opened = opened.map_err(|error| error.told("open", &place.path))?;
        Ok(opened.map(|(reader, generation)| Self {
            place,
            readers: Readers::new(reader),
            writer: None,
            generation: generation.into(),
        }))
    }

    /// The database file, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    fn read<T>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        self.readers.read(&self.place, job).map_err(|error| error.told(operation, &self.place.path))
    }

    fn write<T: Send>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, SqlError> + Send,
    ) -> Result<T, StoreError> {
        let Some(writer) = &self.writer else {
            return Err(if self.readers.is_closed() {
                StoreError::StoreClosed
            } else {
                StoreError::ReadOnly { path: self.place.path.clone() }
            });
        };
        writer.write(&self.place, job).map_err(|error| error.told(operation, &self.place.path))
    }
}

impl SessionStore for SqlStore {
    fn info(&self) -> StoreInfo {
        let location: PathBuf = self.place.path.clone();
        let generation = self.generation.load(Ordering::Relaxed);
        StoreInfo::new("sqlite", Some(location), SCHEMA_VERSION, generation)
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let session = rules::created(session)?;
        let (id, at) = (session.id(), session.lifecycle.created_at);
        self.write("create", move |transaction| {
            if find::exists(transaction, id)? {
                return Err(StoreError::IdExists { id }.into());
            }
            if rules::claims_name(&session) {
                take_name(transaction, &session, at)?;
            }
            row::insert(transaction, &session)?;
            Ok(session)
        })
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        self.read("get", |connection| stored(connection, id))
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        self.read("find by name", |connection| find::named(connection, name))
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        self.read("find by id", |connection| find::matching(connection, fragment))
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        self.write("update", move |transaction| {
            let before = stored(transaction, changed.id())?;
            let after = rules::updated(&before, changed, at)?;
            if rules::takes_name(&before, &after) {
                take_name(transaction, &after, at)?;
            }
            row::replace(transaction, &before, &after)?;
            Ok(after)
        })
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.read("list", |connection| {
            let snapshot = connection.unchecked_transaction()?;
            let generation = schema::generation(&snapshot, &self.place.path)?;
            self.generation.store(generation, Ordering::Relaxed);
            list::page(&snapshot, query, generation)
        })
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        self.write("remove", |transaction| {
            let before = stored(transaction, id)?;
            let children = find::live_children(transaction, id)?;
            let removed = rules::removed(&before, &children, observer)?;
            row::replace(transaction, &before, &removed)?;
            Ok(removed)
        })
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let due = self.read("sweep", |connection| find::to_sweep(connection, observer))?;
        if !due.iter().any(|session| rules::swept(session, observer).is_some()) {
            // Nobody has to wait for a turn to record nothing.
            return Ok(Vec::new());
        }
        self.write("sweep", |transaction| {
            let mut changed = Vec::new();
            for before in find::to_sweep(transaction, observer)? {
                if let Some(after) = rules::swept(&before, observer) {
                    row::replace(transaction, &before, &after)?;
                    changed.push(after);
                }
            }
            Ok(changed)
        })
    }

    fn flush(&self) -> Result<(), StoreError> {
        if self.readers.is_closed() {
            return Err(StoreError::StoreClosed);
        }
        let flushed = self.writer.as_ref().map_or(Ok(()), Writer::flush);
        flushed.map_err(|error| error.told("flush", &self.place.path))
    }

    fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        let closed = self.writer.as_ref().map_or(Ok(()), Writer::close);
        closed.map_err(|error| error.told("close", &self.place.path))
    }
}

fn stored(connection: &Connection, id: SessionId) -> Result<Session, SqlError> {
    let found = find::by_id(connection, id)?;
    found.ok_or_else(|| StoreError::NotFound { selector: id.to_string() }.into())
}

/// Takes the name of `taker` from whoever has it, or says who holds it.
fn take_name(
    transaction: &Transaction<'_>,
    taker: &Session,
    at: Timestamp,
) -> Result<(), SqlError> {
    let Some(name) = taker.name() else { return Ok(()) };
    for other in find::may_hold(transaction, name.as_str())? {
        if let Some(expired) = rules::contest(taker.id(), &other, at)? {
            row::replace(transaction, &other, &expired)?;
        }
    }
    Ok(())
}
