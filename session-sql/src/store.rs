//! [`SqlStore`] and its contract: every write is one immediate transaction, every read one snapshot.

mod adopt;
mod records;
mod sessions;
mod upkeep;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use session_core::{Damage, StoreError};

use crate::connection::{self, Place};
use crate::error::SqlError;
use crate::index::TextIndex;
use crate::lock::LockFile;
use crate::readers::Readers;
use crate::schema::{self, Migration};
use crate::writer::Writer;
use crate::{Depth, Rescued, SqlOptions, check, open, rescue};

/// A store in one SQLite database, which several threads and several processes can use at once.
// Readers come before the writer, so that the writer is dropped last: the last connection that can write moves the
// log into the database.
#[derive(Debug)]
pub struct SqlStore {
    pub(crate) place: Place,
    readers: Readers,
    writer: RwLock<Option<Arc<Writer>>>,
    /// As it was read last, for when it cannot be read.
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
            let trail = Box::new(TextIndex { scale: place.options.scale });
            Ok((reader, Writer::new(&place, writer, lock, Some(trail))?, generation))
        });
        let (reader, writer, generation) =
            opened.map_err(|error| error.told("open", &place.path))?;
        Ok(Self {
            place,
            readers: Readers::new(Some(reader)),
            writer: RwLock::new(Some(Arc::new(writer))),
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
        let place = match Place::resolve(path, SqlOptions::default()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            place => place.map_err(|source| StoreError::io("open", path, source))?,
        };
        let readers = Readers::new(None);
        let generation = open::for_reading(&place, &readers, schema::migrations())
            .map_err(|error| error.told("open", &place.path))?;
        Ok(generation.map(|generation| Self {
            place,
            readers,
            writer: RwLock::new(None),
            generation: generation.into(),
        }))
    }

    /// Looks for damage. An empty list says that there is none of the kinds that were looked for.
    ///
    /// # Errors
    /// Whatever keeps it from looking.
    pub fn damages(&self, depth: Depth) -> Result<Vec<Damage>, StoreError> {
        self.on_snapshot("check", |snapshot, _| Ok(check::report(snapshot, depth)?.damaged))
    }

    /// Makes a sound database at `path` of what can be read of one with damaged pages or indexes, and says what could
    /// not. The damaged one is kept untouched beside it. `None` says that there is no such damage, and that nothing was
    /// done. Rows that cannot be read are copied as they are: [`repair`](session_core::StoreUpkeep::repair) is for
    /// them, and does this first where it has to; but it takes a store that can be opened.
    ///
    /// Handles that are open are refused as poisoned from their next write on and have to be opened anew, and so have
    /// those that only read.
    ///
    /// # Errors
    /// As [`SqlStore::open`]: a store that is damaged beyond recognition is `NotAStore` or `Corrupt`. It is as it was
    /// then.
    pub fn rescue(
        path: impl AsRef<Path>,
        options: SqlOptions,
    ) -> Result<Option<Rescued>, StoreError> {
        connection::check_library()?;
        let path = path.as_ref();
        let place = Place::resolve(path, options)
            .map_err(|source| StoreError::io("rescue", path, source))?;
        let rescued = rescue::rescue(&place, schema::migrations());
        rescued.map_err(|error| error.told("rescue", &place.path))
    }

    /// The database file, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    pub(crate) fn on_reader<T>(
        &self,
        operation: &'static str,
        job: impl Fn(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        self.check_readable()?;
        self.readers.read(&self.place, job).map_err(|error| error.told(operation, &self.place.path))
    }

    /// # Errors
    /// `StoreClosed`; `Poisoned`.
    fn check_readable(&self) -> Result<(), StoreError> {
        match self.any_writer() {
            _ if self.readers.is_closed() => Err(StoreError::StoreClosed),
            // What it would read may not be there tomorrow.
            Some(writer) => writer.check_certain(),
            None => Ok(()),
        }
    }

    pub(crate) fn on_writer<T: Send + 'static>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer()?
            .write(&self.place, job)
            .map_err(|error| error.told(operation, &self.place.path))
    }

    /// What writes.
    ///
    /// # Errors
    /// `StoreClosed`; `ReadOnly` when nothing does.
    fn writer(&self) -> Result<Arc<Writer>, StoreError> {
        match self.any_writer() {
            _ if self.readers.is_closed() => Err(StoreError::StoreClosed),
            Some(writer) => Ok(writer),
            None => Err(StoreError::ReadOnly { path: self.place.path.clone(), source: None }),
        }
    }

    /// What writes, also after it was closed.
    fn any_writer(&self) -> Option<Arc<Writer>> {
        self.writer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with the database that has the name now.
    fn reopen(&self) -> Result<(), SqlError> {
        let mut lock = LockFile::beside(&self.place.path);
        let (reader, writer) = open::for_writing(&self.place, &mut lock, schema::migrations())?;
        drop(reader);
        let trail = Box::new(TextIndex { scale: self.place.options.scale });
        let writer = Writer::new(&self.place, writer, lock, Some(trail))?;
        let mut current = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let former = current.replace(Arc::new(writer));
        drop(current);
        if let Some(former) = former {
            // It belongs to a database that is put away, and knows nothing that is not in it.
            let _ = former.close();
        }
        self.readers.renew();
        Ok(())
    }

    /// Reads in one snapshot, whatever others write meanwhile; `job` is told the generation.
    fn on_snapshot<T>(
        &self,
        operation: &'static str,
        job: impl Fn(&Connection, u64) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        self.on_reader(operation, |connection| {
            let snapshot = connection.unchecked_transaction()?;
            let generation = schema::generation(&snapshot, &self.place.path)?;
            self.generation.store(generation, Ordering::Relaxed);
            job(&snapshot, generation)
        })
    }
}
