//! Putting a backup in the place of everything: row by row, in one transaction, so that readers of every process see
//! the content of before or that of the backup and nothing between.

use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params_from_iter};
use session_core::StoreError;

use crate::bare::Reading;
use crate::connection::{FileId, Place, suffixed};
use crate::error::SqlError;
use crate::lock::{LockFile, Turn};
use crate::schema::{self, SCHEMA_VERSION, Standing};
use crate::{Depth, SqlOptions, backup, check, index, open};

/// The tables that are taken from a backup, in an order in which rows refer to those before them. The text index is
/// derived from them.
const TABLES: [&str; 4] = ["sessions", "labels", "records", "tombstones"];

/// A backup that was looked at and found sound, in the state that it then had.
#[derive(Debug)]
pub(crate) struct Source {
    place: Place,
    reading: Reading,
    generation: u64,
    /// A migrated copy of an older backup, to be removed.
    temporary: Option<Temporary>,
}

/// A database that goes in the end, and the turn of whoever makes one: there is one at a time.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    _turn: Turn,
}

impl Source {
    /// Opens the backup at `copy` for the store at `place`.
    ///
    /// # Errors
    /// As for opening a store; `Corrupt` when anything in it is damaged.
    pub(crate) fn open(place: &Place, copy: &Path) -> Result<Self, SqlError> {
        let told = |source| StoreError::io("restore", copy, source);
        let mut source = Place::resolve(copy, SqlOptions::default()).map_err(told)?;
        if !source.exists()? {
            return Err(told(std::io::ErrorKind::NotFound.into()).into());
        }
        if FileId::of(&source.path).ok() == FileId::of(&place.path).ok() {
            return Err(refused(copy, "it is the store itself"));
        }
        let standing = Standing::read(Reading::open(&source)?.connection(), &source.path)?;
        standing.check_supported(SCHEMA_VERSION, &source.path)?;
        let mut temporary = None;
        match standing {
            Standing::Blank => return Err(refused(copy, "there is nothing in it")),
            Standing::Store(SCHEMA_VERSION) => {}
            Standing::Store(_) => {
                source = temporary.insert(Temporary::reserve(place)?).migrated(&source, place)?;
            }
        }
        let reading = Reading::open(&source)?;
        let connection = reading.connection();
        // Whatever is written to the copy from now on is not seen.
        connection.execute_batch("BEGIN")?;
        schema::check_tables(connection, copy)?;
        let generation = schema::generation(connection, copy)?;
        let report = check::report(connection, Depth::Full)?;
        if let Some(damage) = report.damaged.into_iter().next() {
            let place = format!("{}, {}", copy.display(), damage.place);
            return Err(StoreError::Corrupt { place, reason: damage.reason }.into());
        }
        reading.check(&source)?;
        Ok(Self { place: source, reading, generation, temporary })
    }

    /// Replaces everything in `target`, in the transaction that is under way.
    pub(crate) fn put_into(self, target: &Connection, path: &Path) -> Result<(), SqlError> {
        let generation = schema::generation(target, path)?.max(self.generation) + 1;
        for table in TABLES.iter().rev() {
            target.execute(&format!("DELETE FROM {table}"), [])?;
        }
        for table in TABLES {
            self.copy(target, table)?;
        }
        index::clear(target)?;
        self.copy_meta(target)?;
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES ('generation', ?1)";
        target.execute(sql, [i64::try_from(generation).unwrap_or(i64::MAX)])?;
        // If not, nothing of it was put there.
        self.reading.check(&self.place)?;
        drop(self.reading);
        drop(self.temporary);
        Ok(())
    }

    fn copy(&self, target: &Connection, table: &str) -> Result<(), SqlError> {
        let mut select = self.reading.connection().prepare(&format!("SELECT * FROM {table}"))?;
        let columns = select.column_names().collect::<Vec<_>>().join(", ");
        let values = vec!["?"; select.column_count()].join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({values})");
        let mut insert = target.prepare(&sql)?;
        let count = select.column_count();
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let values: Result<Vec<_>, _> =
                (0..count).map(|index| row.get_ref(index).map(ToSqlOutput::Borrowed)).collect();
            insert.execute(params_from_iter(values?))?;
        }
        Ok(())
    }

    /// What else the backup knows of itself, but for what belongs to its own generation and text index.
    fn copy_meta(&self, target: &Connection) -> Result<(), SqlError> {
        target.execute("DELETE FROM meta WHERE key <> 'generation'", [])?;
        let sql = "SELECT key, value FROM meta WHERE key NOT IN ('generation', 'displacement')";
        let mut select = self.reading.connection().prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let values = [row.get_ref(0)?, row.get_ref(1)?].map(ToSqlOutput::Borrowed);
            let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)";
            target.execute(sql, params_from_iter(values))?;
        }
        Ok(())
    }
}

impl Temporary {
    /// Waits until nobody else has one, and removes what is left of one whose maker died.
    fn reserve(place: &Place) -> Result<Self, SqlError> {
        let path = suffixed(&place.path, ".restoring");
        let deadline = place.options.deadline();
        let turn = LockFile::beside(&path).acquire(deadline)?;
        let reserved = Self { path, _turn: turn };
        reserved.remove();
        Ok(reserved)
    }

    /// Makes it a copy of an older backup, of the present version.
    fn migrated(&self, source: &Place, place: &Place) -> Result<Place, SqlError> {
        let copy = place.at(self.path.clone());
        let reading = Reading::open(source)?;
        backup::copy(reading.connection(), &copy)?;
        reading.check(source)?;
        let mut writer = copy.writer()?;
        let migrated = open::migrate(&mut writer, &copy, schema::migrations());
        migrated.map_err(|error| error.explained(&writer))?;
        Ok(copy)
    }

    fn remove(&self) {
        let version = format!(".v{}.backup", SCHEMA_VERSION - 1);
        for suffix in ["", "-wal", "-shm", "-journal", &version] {
            // Whatever is left is removed before the next one is made.
            let _ = std::fs::remove_file(suffixed(&self.path, suffix));
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
        // Who waits for it finds that it has lost its name, and makes another.
        let _ = std::fs::remove_file(suffixed(&self.path, ".lock"));
    }
}

fn refused(copy: &Path, reason: &str) -> SqlError {
    StoreError::NotAStore { path: copy.to_owned(), reason: reason.to_owned() }.into()
}
