//! What stands at the path, and what opening makes of it. Every refusal leaves it as it was.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use session_core::{ErrorKind, SessionStore, StoreError};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::samples;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    (dir, path)
}

/// A store with one session, closed.
fn stored() -> (TempDir, PathBuf) {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.close().unwrap();
    (dir, path)
}

/// Files and their bytes, without what SQLite leaves beside a database that it reads.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        })
        .filter(|(name, bytes)| {
            !(name.ends_with("-shm") || name.ends_with("-wal") && bytes.is_empty())
        })
        .collect();
    files.sort();
    files
}

/// Asserts that both ways to open refuse what stands at `path`, each with an error that `expected` accepts, and
/// change nothing.
fn refused(path: &Path, expected: fn(&StoreError) -> bool) {
    let dir = path.parent().unwrap();
    let before = files(dir);
    for error in [SqlStore::open(path).map(drop), SqlStore::open_read_only(path).map(drop)]
        .map(Result::unwrap_err)
    {
        assert!(expected(&error), "{error:?}");
    }
    assert_eq!(files(dir), before);
}

fn is_not_a_store(error: &StoreError) -> bool {
    matches!(error, StoreError::NotAStore { .. })
}

/// A database with these statements executed in it.
fn database(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
}

#[test]
fn a_store_is_one_file_and_its_lock_when_closed() {
    let (dir, _path) = stored();
    let names: Vec<_> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["session.db", "session.db.lock"]);
}

#[test]
fn directories_are_not_made() {
    let (dir, path) = place();
    let path = path.join("below").join("session.db");
    assert_eq!(SqlStore::open(&path).unwrap_err().kind(), ErrorKind::Io);
    assert!(SqlStore::open_read_only(&path).unwrap().is_none());
    assert_eq!(files(dir.path()), []);
}

#[test]
fn readers_take_a_missing_store_for_none_and_make_nothing() {
    let (dir, path) = place();
    assert!(SqlStore::open_read_only(&path).unwrap().is_none());
    assert!(SqlStore::open_read_only(dir.path().join("no/such/dir")).unwrap().is_none());
    assert_eq!(files(dir.path()), []);
}

#[test]
fn an_empty_file_is_a_store_that_nobody_has_written() {
    let (dir, path) = place();
    std::fs::write(&path, "").unwrap();
    assert!(SqlStore::open_read_only(&path).unwrap().is_none());
    assert_eq!(files(dir.path()), [("session.db".to_owned(), Vec::new())]);
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.close().unwrap();
    let reader = SqlStore::open_read_only(&path).unwrap().unwrap();
    assert_eq!(reader.get(samples::id(1)).unwrap().id(), samples::id(1));
}

#[test]
fn a_newer_version_is_refused() {
    for journal in ["WAL", "DELETE"] {
        let (_dir, path) = stored();
        database(&path, &format!("PRAGMA user_version = 3; PRAGMA journal_mode = {journal};"));
        // Not even a turn is taken for it.
        std::fs::remove_file(path.with_extension("db.lock")).unwrap();
        refused(&path, |error| {
            matches!(error, StoreError::NewerVersion { found: 3, supported: 2, .. })
        });
    }
}

#[test]
fn a_version_that_never_was_is_damage() {
    for version in [0, -1] {
        let (_dir, path) = stored();
        database(&path, &format!("PRAGMA user_version = {version}"));
        refused(&path, |error| matches!(error, StoreError::Corrupt { .. }));
    }
}

#[test]
fn a_missing_table_is_damage() {
    let (_dir, path) = stored();
    database(&path, "DROP TABLE meta");
    refused(&path, |error| matches!(error, StoreError::Corrupt { .. }));
}

#[test]
fn the_database_of_another_program_is_refused() {
    for sql in [
        "CREATE TABLE sessions (id TEXT)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
        "PRAGMA journal_mode = WAL; CREATE TABLE a (b); PRAGMA user_version = 1",
    ] {
        let (_dir, path) = place();
        database(&path, sql);
        refused(&path, is_not_a_store);
    }
}

#[test]
fn what_is_no_database_is_refused() {
    for text in
        ["x".repeat(5), "no database ".repeat(1000), "SQLite format 3 but not quite".repeat(99)]
    {
        let (_dir, path) = place();
        std::fs::write(&path, text).unwrap();
        refused(&path, is_not_a_store);
    }
}

#[test]
fn a_truncated_store_is_damage() {
    let (_dir, path) = stored();
    let bytes = std::fs::read(&path).unwrap();
    for length in [bytes.len() / 2, 4096, 5000] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        refused(&path, |error| error.kind() == ErrorKind::Corrupt);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let (_dir, path) = place();
    std::fs::create_dir(&path).unwrap();
    for place in [path.as_path(), Path::new("/dev/null")] {
        assert!(is_not_a_store(&SqlStore::open(place).unwrap_err()));
        assert!(is_not_a_store(&SqlStore::open_read_only(place).unwrap_err()));
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn names_with_odd_characters_are_names() {
    for name in [":memory:", "file:a?mode=memory", "a b#c%20", "übung", "-wal"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let store = SqlStore::open(&path).unwrap();
        store.create(samples::full(1)).unwrap();
        store.close().unwrap();
        assert!(path.is_file(), "{name}");
        assert!(SqlStore::open_read_only(&path).unwrap().is_some());
    }
}

#[test]
fn a_link_and_its_target_are_one_store() {
    let (dir, path) = stored();
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    let store = SqlStore::open(&link).unwrap();
    assert_eq!(store.info().location, Some(std::fs::canonicalize(&path).unwrap()));
    store.create(samples::bare(2)).unwrap();
    assert!(!dir.path().join("link.lock").exists());
}

#[test]
fn a_reader_changes_nothing_and_may_not_write() {
    let (dir, path) = stored();
    // A copy of a store whose last changes are in its log only, as after a writer was killed.
    let writer = SqlStore::open(&path).unwrap();
    writer.create(samples::running(2, None)).unwrap();
    let copies = tempfile::tempdir().unwrap();
    for name in ["session.db", "session.db-wal"] {
        let (from, to) = (dir.path().join(name), copies.path().join(name));
        assert!(Command::new("cp").args([from, to]).status().unwrap().success());
    }
    let before = files(copies.path());
    assert_eq!(before.len(), 2);

    let reader = SqlStore::open_read_only(copies.path().join("session.db")).unwrap().unwrap();
    let mut query = session_core::Query::new(samples::observer(1));
    query.scope = session_core::Scope::All;
    assert_eq!(reader.list(&query).unwrap().sessions.len(), 2);
    let session = reader.get(samples::id(2)).unwrap();
    assert_eq!(reader.named(&samples::name("full-1")).unwrap().len(), 1);
    assert_eq!(reader.sweep(&samples::observer(1)).unwrap(), []);
    let overdue = samples::observer(1_000_000_000);
    for refused in [
        reader.create(samples::bare(3)).map(drop),
        reader.update(session, samples::at(1)).map(drop),
        reader.remove(samples::id(2), &overdue).map(drop),
        reader.sweep(&session_core::Observer { live_host: None, ..overdue }).map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    }
    reader.flush().unwrap();
    reader.close().unwrap();
    assert!(matches!(reader.flush(), Err(StoreError::StoreClosed)));
    assert!(matches!(reader.create(samples::bare(3)), Err(StoreError::StoreClosed)));
    assert_eq!(files(copies.path()), before);
}

#[test]
fn a_store_held_by_another_is_locked_until_the_deadline() {
    let (dir, path) = stored();
    let options = SqlOptions::default().lock_timeout(Duration::from_millis(20));
    let store = SqlStore::open_with(&path, options).unwrap();
    let lock = std::fs::File::open(dir.path().join("session.db.lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(dir.path().join("session.db.lock"), "4242      \n").unwrap();
    let error = store.create(samples::bare(2)).unwrap_err();
    assert!(
        matches!(&error, StoreError::Locked { holder: Some(holder), .. } if holder == "process 4242"),
        "{error:?}"
    );
    // Reading needs no turn.
    assert!(store.get(samples::id(1)).is_ok());
    lock.unlock().unwrap();

    // A program that knows nothing of the lock file.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.create(samples::bare(2)).unwrap_err();
    assert!(matches!(error, StoreError::Locked { holder: None, .. }), "{error:?}");
    other.execute_batch("ROLLBACK").unwrap();
    store.create(samples::bare(2)).unwrap();
}

/// What is written to a file that was moved away, nobody would ever find.
#[test]
fn a_store_that_was_replaced_is_written_no_more() {
    for replaced in [false, true] {
        let (dir, path) = stored();
        let store = SqlStore::open(&path).unwrap();
        std::fs::rename(&path, dir.path().join("moved.db")).unwrap();
        if replaced {
            std::fs::copy(dir.path().join("moved.db"), &path).unwrap();
        }
        for _ in 0..2 {
            let refused = store.create(samples::bare(2));
            assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
        }
        assert!(matches!(store.close(), Err(StoreError::Poisoned)));
    }
}

#[test]
fn a_wait_may_be_as_long_as_there_is_time() {
    for timeout in [Duration::MAX, Duration::from_secs(30 * 24 * 60 * 60)] {
        let (_dir, path) = stored();
        let options = SqlOptions::default().lock_timeout(timeout);
        let store = SqlStore::open_with(&path, options.clone()).unwrap();
        store.create(samples::bare(2)).unwrap();
        store.close().unwrap();
        assert_eq!(SqlStore::rescue(&path, options).unwrap(), None);
    }
}
