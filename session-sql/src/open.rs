//! Opening: what stands at the path, making a store where there is none, migrating an older one.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use rusqlite::{Connection, TransactionBehavior};
use session_core::{Durability, StoreError};

use crate::connection::{self, Place};
use crate::error::SqlError;
use crate::lock::LockFile;
use crate::readers::Readers;
use crate::schema::{self, APPLICATION_ID, Migration, Standing};
use crate::{backup, beside};

/// The version that a plan leads to.
pub(crate) fn target(plan: &[Migration]) -> i64 {
    plan.last().map_or(0, |step| step.version)
}

/// A connection that reads and one that writes a store of the version that `plan` leads to, made or migrated
/// where needed. Only then anything is written.
pub(crate) fn for_writing(
    place: &Place,
    lock: &mut LockFile,
    plan: &[Migration],
) -> Result<(Connection, Connection), SqlError> {
    let deadline = place.options.deadline();
    if !beside::stands(place)? {
        let _turn = lock.acquire(deadline)?;
        // Somebody else may have made it while we waited.
        if !beside::stands(place)? {
            create(place, plan)?;
        }
    }
    beside::mend(place, lock, deadline)?;
    let reader = place.reader()?;
    let standing = Standing::read(&reader, &place.path)?;
    standing.check_supported(target(plan), &place.path)?;
    let writer = if standing.version() == target(plan) && connection::is_wal(&reader)? {
        place.writer()?
    } else {
        let _turn = lock.acquire(deadline)?;
        let mut writer = place.writer()?;
        let migrated = migrate(&mut writer, place, plan);
        migrated.map_err(|error| error.explained(&writer))?;
        writer
    };
    Ok((reader, writer))
}

/// Looks at a store for reading, with a connection of `readers`: its generation, or `None` where there is no store yet.
pub(crate) fn for_reading(
    place: &Place,
    readers: &Readers,
    plan: &[Migration],
) -> Result<Option<u64>, SqlError> {
    if !beside::stands(place)? {
        return Ok(None);
    }
    readers.read(place, |reader| {
        let standing = Standing::read(reader, &place.path)?;
        standing.check_supported(target(plan), &place.path)?;
        match standing.version() {
            0 => Ok(None),
            version if version == target(plan) => {
                schema::check_tables(reader, &place.path)?;
                schema::generation(reader, &place.path).map(Some)
            }
            _ => Err(StoreError::Unsupported {
                what: "read an older format before it was opened for writing once",
            }
            .into()),
        }
    })
}

/// Makes a whole store under another name and gives it its own in one step, so that nobody ever sees half of one.
/// The caller has its turn.
fn create(place: &Place, plan: &[Migration]) -> Result<(), SqlError> {
    let fresh = place.at(connection::suffixed(&place.path, ".new"));
    build(&fresh, plan, |_| Ok(()))?;
    // What SQLite finds beside the name then, it takes for the log of the new one.
    beside::clear(place)?;
    let published = publish(&fresh, place);
    if published.is_err() {
        // The next creator removes what cannot be removed now.
        let _ = std::fs::remove_file(&fresh.path);
    }
    Ok(published.map_err(|source| StoreError::io("create", &place.path, source))?)
}

/// Makes a store that is complete and on the medium in one file, with what `fill` puts into it. What a maker that
/// died has left of one is replaced. The caller has its turn.
pub(crate) fn build<T>(
    fresh: &Place,
    plan: &[Migration],
    fill: impl FnOnce(&Connection) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let told = |source| StoreError::io("create", &fresh.path, source);
    for suffix in ["", "-journal", "-wal", "-shm"] {
        beside::remove(&connection::suffixed(&fresh.path, suffix)).map_err(told)?;
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&fresh.path).map_err(told)?;
    let built = (|| {
        // The umask has taken from the mode above what it wanted.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(told)?;
        let mut writer = fresh.writer()?;
        let filled = migrate(&mut writer, fresh, plan)
            .and_then(|()| fill(&writer))
            .and_then(|filled| connection::empty_log(&writer, fresh).map(|()| filled))
            .map_err(|error| error.explained(&writer))?;
        writer.close().map_err(|(_, error)| error)?;
        file.sync_all().map_err(told)?;
        Ok(filled)
    })();
    if built.is_err() {
        // The next maker removes what cannot be removed now.
        let _ = std::fs::remove_file(&fresh.path);
    }
    built
}

fn publish(fresh: &Place, place: &Place) -> io::Result<()> {
    match std::fs::hard_link(&fresh.path, &place.path) {
        Ok(()) => std::fs::remove_file(&fresh.path)?,
        // Whatever stands there now is not ours to replace: it is opened like anything that was there before.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&fresh.path)?;
        }
        // A file system without hard links.
        Err(_) => std::fs::rename(&fresh.path, &place.path)?,
    }
    backup::sync_directory(&place.path)
}

/// Brings a database to the version that `plan` leads to: all steps or none. The caller has its turn.
pub(crate) fn migrate(
    connection: &mut Connection,
    place: &Place,
    plan: &[Migration],
) -> Result<(), SqlError> {
    let before = Standing::read(connection, &place.path)?;
    before.check_supported(target(plan), &place.path)?;
    connection::set_wal(connection)?;
    if let Standing::Store(version) = before
        && version < target(plan)
    {
        backup::before_migration(connection, place, version)?;
    }
    // Steps may build tables anew, which foreign keys would take for deletions.
    connection.pragma_update(None, "foreign_keys", false)?;
    // Nobody flushes what was done before the store was there.
    connection::synchronize(connection, Durability::Full)?;
    steps(connection, place, plan)?;
    connection::synchronize(connection, place.options.durability)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn steps(connection: &mut Connection, place: &Place, plan: &[Migration]) -> Result<(), SqlError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Only now nobody else can change it.
    let standing = Standing::read(&transaction, &place.path)?;
    standing.check_supported(target(plan), &place.path)?;
    if standing.version() == target(plan) {
        return Ok(());
    }
    for step in plan.iter().filter(|step| step.version > standing.version()) {
        transaction.execute_batch(step.sql)?;
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(StoreError::Corrupt {
            place: place.path.display().to_string(),
            reason: "rows refer to rows that are not there".to_owned(),
        }
        .into());
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", target(plan))?;
    transaction.commit().map_err(SqlError::Commit)
}

#[cfg(test)]
mod tests {
    use session_core::{Observer, Query, Scope, Session, SessionId, SessionStore as _, Timestamp};

    use super::*;
    use crate::{SqlOptions, SqlStore};

    const NEXT: &str = "ALTER TABLE sessions ADD COLUMN invented TEXT;
        UPDATE sessions SET invented = id;";

    /// The plan of a version that may come after the present one.
    fn next_plan(sql: &'static str) -> Vec<Migration> {
        let version = schema::SCHEMA_VERSION + 1;
        [schema::migrations(), &[Migration { version, name: "invented", sql }]].concat()
    }

    /// Where a store of the present version is copied before it is migrated.
    fn copy(path: &std::path::Path, number: &str) -> std::path::PathBuf {
        connection::suffixed(path, &format!(".v{}.backup{number}", schema::SCHEMA_VERSION))
    }

    fn ids(store: &SqlStore) -> Vec<SessionId> {
        let mut query = Query::new(Observer { now: Timestamp::default(), live_host: None });
        query.scope = Scope::All;
        store.list(&query).unwrap().sessions.iter().map(Session::id).collect()
    }

    /// A store of the present version with one session, closed.
    fn older(dir: &tempfile::TempDir) -> std::path::PathBuf {
        let path = dir.path().join("session.db");
        let store = SqlStore::open(&path).unwrap();
        let at = Timestamp::default();
        store.create(Session::new(SessionId::from_parts(at, 1), at)).unwrap();
        store.close().unwrap();
        path
    }

    fn files(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_older_store_is_copied_and_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let path = older(&dir);
        let store = SqlStore::open_planned(&path, SqlOptions::default(), &next_plan(NEXT)).unwrap();
        let kept = ids(&store);
        assert_eq!(kept.len(), 1);
        store.close().unwrap();

        let backup = copy(&path, "");
        let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let old = SqlStore::open(&backup).unwrap();
        assert_eq!(ids(&old), kept);
        drop(old);

        // Its own program refuses it from now on, and a second opening by the new one copies nothing.
        let refused = SqlStore::open(&path).unwrap_err();
        assert!(
            matches!(refused, StoreError::NewerVersion { found: 3, supported: 2, .. }),
            "{refused:?}"
        );
        drop(SqlStore::open_planned(&path, SqlOptions::default(), &next_plan(NEXT)).unwrap());
        assert!(!files(&dir).iter().any(|name| name.contains("backup-2")), "{:?}", files(&dir));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = older(&dir);
        let before = std::fs::read(&path).unwrap();
        let broken = next_plan("UPDATE sessions SET id = 'gone'; SELECT no_such_function();");
        SqlStore::open_planned(&path, SqlOptions::default(), &broken).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(ids(&SqlStore::open(&path).unwrap()).len(), 1);
    }

    #[test]
    fn a_step_that_loses_rows_others_refer_to_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = older(&dir);
        let sql = "INSERT INTO labels (session, key, value) VALUES (1000, 'a', 'b');";
        let refused =
            SqlStore::open_planned(&path, SqlOptions::default(), &next_plan(sql)).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
        assert_eq!(ids(&SqlStore::open(&path).unwrap()).len(), 1);
    }

    #[test]
    fn copies_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = older(&dir);
        std::fs::write(copy(&path, ""), "precious").unwrap();
        drop(SqlStore::open_planned(&path, SqlOptions::default(), &next_plan(NEXT)).unwrap());
        let first = std::fs::read(copy(&path, "")).unwrap();
        assert_eq!(first, b"precious");
        drop(SqlStore::open(copy(&path, "-2")).unwrap());
    }

    #[test]
    fn a_creator_that_died_leaves_nothing_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.db");
        std::fs::write(connection::suffixed(&path, ".new"), "half").unwrap();
        std::fs::write(connection::suffixed(&path, ".new-wal"), "half a log").unwrap();
        let store = SqlStore::open(&path).unwrap();
        store.close().unwrap();
        assert_eq!(files(&dir), ["session.db", "session.db.lock"]);
    }
}
