//! Connections: how the database is opened, with which pragmas, for reading or for writing.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use session_core::{Durability, StoreError};

use crate::error::SqlError;
use crate::{SqlOptions, beside};

/// The first SQLite that does not damage a database which several processes write and checkpoint.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How a connection is opened that cannot write.
const READING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Where a store is and how it is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The database file.
    pub(crate) path: PathBuf,
    /// As the caller chose.
    pub(crate) options: SqlOptions,
}

/// Which file a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::from(&std::fs::metadata(path)?))
    }
}

impl From<&Metadata> for FileId {
    fn from(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

impl Place {
    /// The place at `path`, which is made absolute and free of symbolic links, so that everybody queues at the
    /// same lock file.
    ///
    /// # Errors
    /// Whatever the operating system says about the path, as when its directory does not exist.
    pub(crate) fn resolve(path: &Path, options: SqlOptions) -> std::io::Result<Self> {
        let resolved = match std::fs::canonicalize(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let path = std::path::absolute(path)?;
                match (path.parent(), path.file_name()) {
                    (Some(directory), Some(name)) => std::fs::canonicalize(directory)?.join(name),
                    _ => return Err(error),
                }
            }
            resolved => resolved?,
        };
        Ok(Self { path: resolved, options })
    }

    /// The same for another file, as the store is made under another name first.
    pub(crate) fn at(&self, path: PathBuf) -> Self {
        Self { path, ..self.clone() }
    }

    /// Whether there is a file to open.
    ///
    /// # Errors
    /// `NotAStore` when it is anything but a file; whatever the operating system says.
    pub(crate) fn exists(&self) -> Result<bool, StoreError> {
        let refused = |reason: &str| {
            Err(StoreError::NotAStore { path: self.path.clone(), reason: reason.to_owned() })
        };
        match std::fs::metadata(&self.path) {
            Ok(found) if found.is_dir() => refused("it is a directory"),
            Ok(found) if !found.is_file() => refused("it is no regular file"),
            Ok(_) => Ok(true),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::io("open", &self.path, source)),
        }
    }

    /// A connection that cannot write, to a database that has its log.
    ///
    /// # Errors
    /// As [`beside::settled`]; whatever SQLite says.
    pub(crate) fn reader(&self) -> Result<Connection, SqlError> {
        loop {
            let before = beside::settled(self)?;
            let connected = self.reads();
            // A rescue that was under way meanwhile may have taken the log from under it.
            if beside::settled(self)? == before {
                return connected;
            }
        }
    }

    fn reads(&self) -> Result<Connection, SqlError> {
        self.reading(self.open(&self.path, READING)?)
    }

    /// A connection that takes the database for a file that nobody changes, and needs nothing beside it.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub(crate) fn bare(&self) -> Result<Connection, SqlError> {
        let uri = immutable_uri(&self.path);
        self.reading(self.open(Path::new(&uri), READING | OpenFlags::SQLITE_OPEN_URI)?)
    }

    fn reading(&self, connection: Connection) -> Result<Connection, SqlError> {
        let configured = self.configure(&connection).and_then(|()| {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -2_048)?;
            // Only the first reading opens the log.
            connection.pragma_query(None, "user_version", |_| Ok(()))
        });
        configured.map_err(|error| self.of_known_format(error))?;
        Ok(connection)
    }

    /// A connection that writes, and makes no file where there is none.
    pub(crate) fn writer(&self) -> Result<Connection, SqlError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = self.open(&self.path, flags)?;
        // Where it may not write, SQLite opens for reading without a word.
        if connection.is_readonly("main")? {
            return Err(
                StoreError::PermissionDenied { path: self.path.clone(), source: None }.into()
            );
        }
        let configured = self.configure(&connection).and_then(|()| {
            synchronize(&connection, self.options.durability)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "cache_size", -8_192)
        });
        configured.map_err(|error| self.of_known_format(error))?;
        if let Some(pages) = self.options.max_pages {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(connection)
    }

    fn open(&self, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        match self.options.vfs {
            None => Connection::open_with_flags(path, flags),
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        }
    }

    /// SQLite has no better code than that of any error for a file format that no version of it ever wrote.
    fn of_known_format(&self, error: rusqlite::Error) -> SqlError {
        if error.sqlite_error_code() != Some(ErrorCode::Unknown) {
            return error.into();
        }
        let (place, reason) = (self.path.display().to_string(), error.to_string());
        StoreError::Corrupt { place, reason }.into()
    }

    fn configure(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.options.lock_timeout)?;
        connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(|error| {
            // Without a mapped region to report, it answers with no row.
            if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
        })?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(())
    }
}

/// Says whether commits of the connection are synced from now on. Not possible inside of a transaction.
pub(crate) fn synchronize(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Refuses a library with the bug that several writers of one file run into.
///
/// # Errors
/// `Unsupported` for a SQLite before 3.51.3.
pub(crate) fn check_library() -> Result<(), StoreError> {
    if rusqlite::version_number() >= OLDEST_SQLITE {
        return Ok(());
    }
    let what = "use a SQLite before 3.51.3, which can damage what several processes write";
    Err(StoreError::Unsupported { what })
}

/// Puts the database into write-ahead mode, where it stays.
pub(crate) fn set_wal(connection: &Connection) -> Result<(), SqlError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Unsupported { what: "use a write-ahead log on this file system" }.into())
}

/// Moves the whole log into the database of `place`, so that the database alone is everything. Closing does that, too,
/// but does not say when it could not.
///
/// # Errors
/// `Locked` when somebody else uses it; whatever SQLite says.
pub(crate) fn empty_log(connection: &Connection, place: &Place) -> Result<(), SqlError> {
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(StoreError::Locked { path: place.path.clone(), holder: None }.into());
    }
    Ok(())
}

/// Whether the database is in write-ahead mode.
pub(crate) fn is_wal(connection: &Connection) -> Result<bool, SqlError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode == "wal")
}

/// The path with something put after its last component.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_has_its_pragmas() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.db");
        drop(crate::SqlStore::open(&path).unwrap());
        let place = Place::resolve(&path, SqlOptions::default()).unwrap();
        let pragma = |connection: &Connection, name: &str| {
            let mut statement = connection.prepare(&format!("PRAGMA {name}")).unwrap();
            let value = statement.query_row([], |row| row.get::<_, rusqlite::types::Value>(0));
            match value.unwrap() {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{name}: {other:?}"),
            }
        };
        let (writer, reader) = (place.writer().unwrap(), place.reader().unwrap());
        for connection in [&writer, &reader] {
            for (name, value) in [
                ("journal_mode", "wal"),
                ("busy_timeout", "5000"),
                ("mmap_size", "0"),
                ("temp_store", "2"),
                ("trusted_schema", "0"),
                ("cell_size_check", "1"),
                ("page_size", "4096"),
            ] {
                assert_eq!(pragma(connection, name), value, "{name}");
            }
        }
        assert_eq!(pragma(&writer, "synchronous"), "2");
        let normal = SqlOptions::default().durability(Durability::Normal);
        let normal = Place::resolve(&path, normal).unwrap().writer().unwrap();
        assert_eq!(pragma(&normal, "synchronous"), "1");
        assert_eq!(pragma(&writer, "foreign_keys"), "1");
        assert_eq!(pragma(&writer, "cache_size"), "-8192");
        assert_eq!(pragma(&reader, "query_only"), "1");
        assert_eq!(pragma(&reader, "cache_size"), "-2048");
    }
}
