//! Connections: how the database is opened, with which pragmas, for reading or for writing.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use session_core::StoreError;

use crate::SqlOptions;
use crate::error::SqlError;

/// The first SQLite that does not damage a database which several processes write and checkpoint.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Where a store is and how it is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The database file.
    pub(crate) path: PathBuf,
    /// As the caller chose.
    pub(crate) options: SqlOptions,
    /// Whether nobody can write it, so that it is read without the files that SQLite else needs beside it.
    pub(crate) immutable: bool,
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
        Ok(Self { path: resolved, options, immutable: false })
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

    /// A connection that cannot write.
    pub(crate) fn reader(&self) -> Result<Connection, SqlError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if self.immutable {
            let uri = immutable_uri(&self.path);
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
        } else {
            Connection::open_with_flags(&self.path, flags)?
        };
        self.configure(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -2_048)?;
        Ok(connection)
    }

    /// A connection that writes, and makes no file where there is none. Every commit is synced before it is
    /// acknowledged.
    pub(crate) fn writer(&self) -> Result<Connection, SqlError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // Where it may not write, SQLite opens for reading without a word.
        if connection.is_readonly("main")? {
            return Err(StoreError::PermissionDenied { path: self.path.clone() }.into());
        }
        self.configure(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -8_192)?;
        if let Some(pages) = self.options.max_pages {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(connection)
    }

    fn configure(&self, connection: &Connection) -> Result<(), SqlError> {
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
        assert_eq!(pragma(&writer, "foreign_keys"), "1");
        assert_eq!(pragma(&writer, "cache_size"), "-8192");
        assert_eq!(pragma(&reader, "query_only"), "1");
        assert_eq!(pragma(&reader, "cache_size"), "-2048");
    }
}
