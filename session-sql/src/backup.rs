//! Copies of a whole database, checked before anybody relies on them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use session_core::StoreError;

use crate::bare::Reading;
use crate::beside;
use crate::connection::{Place, suffixed};
use crate::draft::Draft;
use crate::error::SqlError;
use crate::schema::{self, Standing};

/// Copies the database of `connection` beside itself, as `<database>.v<version>.backup`, and checks the copy.
/// An older copy is never overwritten: the new one gets a number.
///
/// # Errors
/// `Corrupt` when the copy is not equal and sound; whatever else goes wrong. Nothing is left of a copy then.
pub(crate) fn before_migration(
    connection: &Connection,
    place: &Place,
    version: i64,
) -> Result<PathBuf, SqlError> {
    let told = |source| StoreError::io("back up", &place.path, source);
    let first = suffixed(&place.path, &format!(".v{version}.backup"));
    let draft = Draft::of(&first).map_err(told)?;
    let target = place.at(draft.path().to_owned());
    copy(connection, &target)?;
    verify(connection, &target)?;
    let mut path = first.clone();
    for attempt in 2_u64.. {
        match draft.publish(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = suffixed(&first, &format!("-{attempt}"));
            }
            published => {
                published.map_err(told)?;
                break;
            }
        }
    }
    Ok(path)
}

/// Puts a checked copy of the database at `target`, where nothing may stand, without a turn to write. It has the name
/// when it is complete and on the medium.
///
/// # Errors
/// `TargetExists`; `Unsupported` for a name that belongs to other files of the store or of SQLite; `Corrupt` when the
/// copy is not sound, or a log stands beside `target`; whatever else goes wrong. Nothing is left of a copy then.
pub(crate) fn to(place: &Place, target: &Path) -> Result<(), SqlError> {
    let told = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => StoreError::TargetExists { path: target.to_owned() },
        _ => StoreError::io("back up", target, source),
    };
    let path = std::path::absolute(target).map_err(told)?;
    if is_taken(place, &path) {
        let what = "give a backup a name that it or SQLite has for other files beside a database";
        return Err(StoreError::Unsupported { what }.into());
    }
    if path.symlink_metadata().is_ok() {
        return Err(told(io::ErrorKind::AlreadyExists.into()).into());
    }
    // It would be taken for the log of the copy.
    beside::stands(&place.at(path.clone()))?;
    let draft = Draft::of(&path).map_err(told)?;
    let made = place.at(draft.path().to_owned());
    let reading = Reading::open(place)?;
    copy(reading.connection(), &made)?;
    reading.check(place)?;
    let copied = made.reader()?;
    schema::check_tables(&copied, &path)?;
    check_pages(&copied, &path)?;
    drop(copied);
    Ok(draft.publish(&path).map_err(told)?)
}

/// What the store at `place` makes beside itself, but for copies.
const MADE: [&str; 4] = ["", ".new", ".rescued", ".restoring"];

/// What stands beside each of them.
const SIDES: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// Whether something of the store, or of a database that stands there, has this name or would take it.
fn is_taken(place: &Place, path: &Path) -> bool {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let name = name.as_bytes();
    let is_beside = SIDES[..3].iter().any(|side| {
        let database = name.strip_suffix(side.as_bytes()).map(OsStr::from_bytes);
        database.is_some_and(|it| !it.is_empty() && path.with_file_name(it).exists())
    });
    let own = place.path.file_name().and_then(|own| name.strip_prefix(own.as_bytes()));
    let is_own = own.is_some_and(|rest| {
        let is_made = MADE.iter().any(|made| {
            let side = rest.strip_prefix(made.as_bytes());
            side.is_some_and(|side| {
                side.is_empty() && !made.is_empty()
                    || SIDES.iter().any(|known| known.as_bytes() == side)
            })
        });
        is_made || rest.starts_with(b".damaged-")
    });
    is_beside || is_own && std::fs::canonicalize(directory).ok().as_deref() == place.path.parent()
}

/// Copies a database, as it is at one moment, into a file that is empty or not there. The connection is no other
/// reader's: it may write afterwards, if it was opened so.
pub(crate) fn copy(connection: &Connection, target: &Place) -> Result<(), SqlError> {
    let Some(path) = target.path.to_str() else {
        let source = io::Error::from(io::ErrorKind::InvalidFilename);
        return Err(StoreError::io("back up", &target.path, source).into());
    };
    // It is the copy that is written.
    connection.pragma_update(None, "query_only", false)?;
    match connection.execute("VACUUM INTO ?1", [path]) {
        Ok(_) => Ok(()),
        Err(error) => Err(SqlError::from(error).explained(connection)),
    }
}

/// Looks at every page and every index.
///
/// # Errors
/// `Corrupt` with the first damage.
pub(crate) fn check_pages(connection: &Connection, path: &Path) -> Result<(), SqlError> {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt { place: path.display().to_string(), reason: verdict }.into())
}

fn verify(original: &Connection, copy: &Place) -> Result<(), SqlError> {
    let reader = copy.reader()?;
    check_pages(&reader, &copy.path)?;
    let copied = Standing::read(&reader, &copy.path)?;
    if copied != Standing::read(original, &copy.path)? || contents(&reader)? != contents(original)?
    {
        let reason = "it is not equal to what it was copied from".to_owned();
        let place = copy.path.display().to_string();
        return Err(StoreError::Corrupt { place, reason }.into());
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
