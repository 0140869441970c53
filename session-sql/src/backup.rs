//! Copies of a whole database, checked before anybody relies on them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use session_core::StoreError;

use crate::connection::{Place, suffixed};
use crate::error::SqlError;
use crate::schema::Standing;

/// Copies the database of `connection` beside itself, as `<database>.v<version>.backup`, and checks the copy.
/// An older copy is never overwritten: the new one gets a number.
///
/// # Errors
/// `Corrupt` when the copy is not equal and sound; whatever else goes wrong. A copy that failed is removed.
pub(crate) fn before_migration(
    connection: &Connection,
    place: &Place,
    version: i64,
) -> Result<PathBuf, SqlError> {
    let copy = reserve(&place.path, version)
        .map_err(|source| StoreError::io("back up", &place.path, source))?;
    let made = make(connection, &place.at(copy.clone()));
    if made.is_err() {
        // The failure is what matters; what is left of the copy is an annoyance at worst.
        let _ = std::fs::remove_file(&copy);
    }
    made.map(|()| copy)
}

/// Makes an empty file that only its owner can read, under the first name that is free.
fn reserve(database: &Path, version: i64) -> io::Result<PathBuf> {
    let mut attempt = 1;
    loop {
        let suffix = match attempt {
            1 => format!(".v{version}.backup"),
            _ => format!(".v{version}.backup-{attempt}"),
        };
        let path = suffixed(database, &suffix);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            reserved => return reserved.map(|_file| path),
        }
    }
}

fn make(connection: &Connection, copy: &Place) -> Result<(), SqlError> {
    let told = |source| StoreError::io("back up", &copy.path, source);
    let Some(path) = copy.path.to_str() else {
        return Err(told(io::Error::from(io::ErrorKind::InvalidFilename)).into());
    };
    connection.execute("VACUUM INTO ?1", [path])?;
    verify(connection, copy)?;
    // SQLite does not sync what VACUUM INTO writes.
    File::open(&copy.path).and_then(|file| file.sync_all()).map_err(told)?;
    sync_directory(&copy.path).map_err(told)?;
    Ok(())
}

fn verify(original: &Connection, copy: &Place) -> Result<(), SqlError> {
    let refused =
        |reason: String| StoreError::Corrupt { place: copy.path.display().to_string(), reason };
    let reader = copy.reader()?;
    let verdict: String = reader.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(refused(verdict).into());
    }
    let copied = Standing::read(&reader, &copy.path)?;
    if copied != Standing::read(original, &copy.path)? || contents(&reader)? != contents(original)?
    {
        return Err(refused("it is not equal to what it was copied from".to_owned()).into());
    }
    Ok(())
}

/// Every table with the number of its rows.
fn contents(connection: &Connection) -> Result<Vec<(String, i64)>, SqlError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names
        .map(|name| {
            let name = name?;
            let sql = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
            let rows = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok((name, rows))
        })
        .collect()
}

/// Makes a name in the directory of `path` last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use session_core::{Session, SessionId, SessionStore as _, Timestamp};

    use super::*;
    use crate::{SqlOptions, SqlStore};

    #[test]
    fn a_copy_that_is_not_equal_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.db");
        let store = SqlStore::open(&path).unwrap();
        let at = Timestamp::default();
        store.create(Session::new(SessionId::from_parts(at, 1), at)).unwrap();
        drop(store);
        let place = Place::resolve(&path, SqlOptions::default()).unwrap();
        let connection = place.writer().unwrap();
        let copy = place.at(before_migration(&connection, &place, 1).unwrap());
        verify(&connection, &copy).unwrap();
        for sql in ["DELETE FROM sessions", "PRAGMA user_version = 3", "CREATE TABLE more (a)"] {
            let changed = place.at(before_migration(&connection, &place, 1).unwrap());
            Connection::open(&changed.path).unwrap().execute_batch(sql).unwrap();
            let refused = verify(&connection, &changed).unwrap_err();
            assert!(
                matches!(refused, SqlError::Refused(StoreError::Corrupt { .. })),
                "{refused:?}"
            );
        }
    }
}
