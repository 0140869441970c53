//! Media that fail: every write is there as a whole or not at all, and who was told that it is there finds it.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

mod failing;
mod vfs;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};
use session_core::{Durability, ErrorKind, Session, SessionStore, StoreError};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::samples;
use tempfile::TempDir;
use vfs::{Failure, Faults, Operation};

/// A store of the sessions 1 to 4, closed: session 3 is called `held`, and session 4 is overdue after a minute.
fn stored() -> (TempDir, PathBuf) {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    for session in [
        samples::bare(1),
        samples::full(2),
        samples::named(3, "held"),
        samples::until(4, "brief", 60),
    ] {
        store.create(session).unwrap();
    }
    store.close().unwrap();
    (dir, path)
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    (dir, path)
}

fn copied(template: &Path) -> (TempDir, PathBuf) {
    let (dir, path) = place();
    std::fs::copy(template, &path).unwrap();
    (dir, path)
}

fn through(faults: &Faults) -> SqlOptions {
    SqlOptions::default().vfs(faults.name)
}

/// What a handle without faults finds, but for what [`is_sound`] wrote.
fn contents(path: &Path) -> Vec<Session> {
    let store = SqlStore::open_read_only(path).unwrap().unwrap();
    let found = (1..20).map(|number| store.get(samples::id(number)));
    found
        .filter_map(|found| match found {
            Ok(session) => Some(session),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => panic!("{error:?}"),
        })
        .collect()
}

/// Asserts that a handle without faults can write what stands there now, and that it is sound.
fn is_sound(path: &Path) {
    let store = SqlStore::open(path).unwrap();
    let written = store.create(samples::bare(20));
    assert!(matches!(written, Ok(_) | Err(StoreError::IdExists { .. })), "{written:?}");
    store.close().unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

type Change = fn(&SqlStore) -> Result<(), StoreError>;

/// Every kind of write, by name.
const CHANGES: [(&str, Change); 4] = [
    ("create", |store| store.create(samples::full(9)).map(drop)),
    ("update", |store| {
        let mut session = store.get(samples::id(1))?;
        session.identity.title = Some("x".repeat(10_000));
        store.update(session, samples::at(9)).map(drop)
    }),
    ("remove", |store| store.remove(samples::id(3), &samples::observer(9)).map(drop)),
    ("sweep", |store| store.sweep(&samples::observer(99)).map(drop)),
];

/// Lets every change fail in every place where it can, and looks at what is left. `then` looks at the handle after
/// a failure.
fn everywhere(operation: Operation, failure: Failure, then: fn(&SqlStore)) {
    let (_template, template) = stored();
    SqlStore::open(&template).unwrap().create(samples::bare(8)).unwrap();
    let before = contents(&template);
    let faults = Faults::register();
    for (name, change) in CHANGES {
        let (_plain, plain) = copied(&template);
        change(&SqlStore::open(&plain).unwrap()).unwrap();
        let whole = contents(&plain);
        assert_ne!(whole, before);
        for after in 0.. {
            let (_dir, path) = copied(&template);
            let store = SqlStore::open_with(&path, through(faults)).unwrap();
            store.create(samples::bare(7)).unwrap();
            faults.once(operation, after, failure);
            let outcome = change(&store);
            let has_failed = !faults.disarm().is_empty();
            if let Err(error) = &outcome {
                let is_typed = matches!(error.kind(), ErrorKind::Io | ErrorKind::DiskFull);
                assert!(has_failed && is_typed, "{name} after {after}: {error:?}");
                then(&store);
            }
            drop(store);
            // What another handle finds, and what is there when nobody has it open any more.
            for _ in 0..2 {
                let mut found = contents(&path);
                found.retain(|session| session.id() != samples::id(6));
                let acknowledged = found.iter().position(|session| session.id() == samples::id(7));
                found.remove(acknowledged.unwrap());
                let is_allowed = found == whole || outcome.is_err() && found == before;
                assert!(is_allowed, "{name} after {after}: {outcome:?}, {found:?}");
                is_sound(&path);
            }
            if !has_failed {
                assert!(after > 0, "{name} does nothing that can fail");
                break;
            }
        }
    }
}

fn is_poisoned(store: &SqlStore) {
    for _ in 0..2 {
        let refused = store.create(samples::bare(6));
        assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
        assert!(matches!(store.flush(), Err(StoreError::Poisoned)));
    }
    // What could be read may not be there when the store is opened anew.
    assert!(matches!(store.get(samples::id(2)), Err(StoreError::Poisoned)));
    assert!(matches!(store.close(), Err(StoreError::Poisoned)));
}

fn goes_on(store: &SqlStore) {
    store.create(samples::bare(6)).unwrap();
    store.flush().unwrap();
}

#[test]
fn a_failed_sync_poisons() {
    everywhere(Operation::Sync, Failure::Code(SQLITE_IOERR_FSYNC), is_poisoned);
}

/// What could not be synced may be there for the next one who opens it.
#[test]
fn who_does_not_know_whether_it_was_written_is_told_to_look() {
    let (_dir, path) = stored();
    let faults = Faults::register();
    let store = SqlStore::open_with(&path, through(faults)).unwrap();
    store.create(samples::bare(7)).unwrap();
    faults.once(Operation::Sync, 0, Failure::Code(SQLITE_IOERR_FSYNC));
    let failed = store.create(samples::bare(8)).unwrap_err();
    faults.disarm();
    let told = std::error::Error::source(&failed).unwrap().to_string();
    assert!(told.contains("look before trying again"), "{told}");
    drop(store);
    // As the text says.
    assert!(contents(&path).iter().any(|session| session.id() == samples::id(8)));
}

#[test]
fn a_failed_write_poisons() {
    everywhere(Operation::Write, Failure::Code(SQLITE_IOERR_WRITE), is_poisoned);
}

#[test]
fn a_write_of_which_half_was_done_poisons() {
    everywhere(Operation::Write, Failure::Short(SQLITE_IOERR_WRITE), is_poisoned);
}

#[test]
fn a_full_disk_does_not_poison() {
    everywhere(Operation::Write, Failure::Code(SQLITE_FULL), goes_on);
    everywhere(Operation::Write, Failure::Short(SQLITE_FULL), goes_on);
}

/// A store that is made where everything fails from some moment on: told, and made by the next one.
#[test]
fn a_store_is_made_as_a_whole_or_not_at_all() {
    let faults = Faults::register();
    for (operation, code) in [
        (Operation::Open, SQLITE_CANTOPEN),
        (Operation::Create, SQLITE_CANTOPEN),
        (Operation::Write, SQLITE_IOERR_WRITE),
        (Operation::Write, SQLITE_FULL),
        (Operation::Sync, SQLITE_IOERR_FSYNC),
        (Operation::Truncate, SQLITE_IOERR_TRUNCATE),
    ] {
        // Most writes are one page of many.
        for after in (0..).step_by(if operation == Operation::Write { 5 } else { 1 }) {
            let (_dir, path) = place();
            faults.always(operation, after, Failure::Code(code));
            let opened =
                SqlStore::open_with(&path, through(faults)).and_then(|store| store.close());
            let has_failed = !faults.disarm().is_empty();
            if let Err(error) = opened {
                let expected = [ErrorKind::Io, ErrorKind::DiskFull, ErrorKind::PermissionDenied];
                let is_typed = has_failed && expected.contains(&error.kind());
                assert!(is_typed, "{operation:?} after {after}: {error:?}");
            }
            is_sound(&path);
            if !has_failed {
                break;
            }
        }
    }
}

/// What moves into the database, at the end or on the way, was in the log before, and stays there if that fails.
#[test]
fn moving_the_log_into_the_database_loses_nothing() {
    let faults = Faults::register();
    for (operation, code) in [
        (Operation::Write, SQLITE_IOERR_WRITE),
        (Operation::Write, SQLITE_FULL),
        (Operation::Sync, SQLITE_IOERR_FSYNC),
        (Operation::Truncate, SQLITE_IOERR_TRUNCATE),
    ] {
        for after in (0..).step_by(if operation == Operation::Write { 3 } else { 1 }) {
            let (_dir, path) = place();
            let store = SqlStore::open_with(&path, through(faults)).unwrap();
            for number in 1..=3 {
                store.create(samples::full(number)).unwrap();
            }
            faults.always(operation, after, Failure::Code(code));
            let _ = store.close();
            let has_failed = !faults.disarm().is_empty();
            assert_eq!(contents(&path).len(), 3, "{operation:?} after {after}");
            is_sound(&path);
            if !has_failed {
                break;
            }
        }
    }
    // A log becomes long enough to be moved after a thousand pages.
    for after in (0..90).step_by(9) {
        let (_dir, path) = place();
        let store = SqlStore::open_with(&path, through(faults)).unwrap();
        faults.once(Operation::Sync, after, Failure::Code(SQLITE_IOERR_FSYNC));
        let mut acknowledged = Vec::new();
        for number in 1..32 {
            let mut session = samples::bare(number);
            session.identity.title = Some("x".repeat(160_000));
            match store.create(session) {
                Ok(session) => acknowledged.push(session),
                Err(StoreError::Poisoned) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Io, "{error:?}"),
            }
        }
        faults.disarm();
        drop(store);
        let plain = SqlStore::open(&path).unwrap();
        for session in acknowledged {
            assert_eq!(plain.get(session.id()).unwrap(), session);
        }
    }
}

/// A damaged store is as it was until a sound one is complete.
#[test]
fn a_rescue_that_fails_changes_nothing() {
    let (_template, template) = stored();
    let root: u64 = rusqlite::Connection::open(&template)
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sessions_by_name'",
            [],
            |row| row.get::<_, u32>(0),
        )
        .unwrap()
        .into();
    let whole = contents(&template);
    let file = std::fs::OpenOptions::new().write(true).open(&template).unwrap();
    file.write_all_at(&[0xa5; 4096], (root - 1) * 4096).unwrap();
    let damaged = std::fs::read(&template).unwrap();
    let faults = Faults::register();
    for (operation, code) in [
        (Operation::Open, SQLITE_CANTOPEN),
        (Operation::Create, SQLITE_CANTOPEN),
        (Operation::Write, SQLITE_FULL),
        (Operation::Write, SQLITE_IOERR_WRITE),
        (Operation::Sync, SQLITE_IOERR_FSYNC),
        (Operation::Truncate, SQLITE_IOERR_TRUNCATE),
    ] {
        for after in (0..).step_by(if operation == Operation::Write { 5 } else { 1 }) {
            let (dir, path) = copied(&template);
            faults.always(operation, after, Failure::Code(code));
            let repaired = SqlStore::rescue(&path, through(faults));
            let has_failed = !faults.disarm().is_empty();
            let Ok(repaired) = repaired else {
                assert!(has_failed);
                assert_eq!(std::fs::read(&path).unwrap(), damaged);
                assert!(!dir.path().join("session.db.damaged-1").exists());
                continue;
            };
            // What goes wrong at the end of a connection that has done its work does not matter.
            assert_eq!(std::fs::read(repaired.unwrap().original).unwrap(), damaged);
            assert_eq!(contents(&path), whole);
            is_sound(&path);
            if !has_failed {
                break;
            }
        }
    }
}

#[test]
fn full_durability_syncs_every_write() {
    let (_dir, path) = stored();
    let faults = Faults::register();
    let store = SqlStore::open_with(&path, through(faults)).unwrap();
    for number in 5..=9 {
        let before = faults.syncs_of_logs();
        store.create(samples::bare(number)).unwrap();
        assert!(faults.syncs_of_logs() > before);
    }
    let before = faults.syncs_of_logs();
    store.flush().unwrap();
    assert_eq!(faults.syncs_of_logs(), before);
}

#[test]
fn normal_durability_syncs_when_told_to() {
    let (_dir, path) = stored();
    let faults = Faults::register();
    let options = through(faults).durability(Durability::Normal);
    let store = SqlStore::open_with(&path, options).unwrap();
    // A reader that stands in the way of moving the log into the database.
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    // The first write of a log has its head synced.
    store.create(samples::bare(5)).unwrap();
    for number in 6..=9 {
        let before = faults.syncs_of_logs();
        store.create(samples::bare(number)).unwrap();
        assert_eq!(faults.syncs_of_logs(), before);
    }
    let before = faults.syncs_of_logs();
    store.flush().unwrap();
    let flushed = faults.syncs_of_logs();
    assert!(flushed > before);
    store.flush().unwrap();
    store.create(samples::bare(10)).unwrap();
    assert_eq!(faults.syncs_of_logs(), flushed);
    store.close().unwrap();
    assert!(faults.syncs_of_logs() > flushed);
    assert_eq!(contents(&path).len(), 10);
}

#[test]
fn a_flush_that_fails_says_so_and_poisons() {
    let (_dir, path) = stored();
    let faults = Faults::register();
    let options = through(faults).durability(Durability::Normal);
    for flushes in [true, false] {
        let store = SqlStore::open_with(&path, options.clone()).unwrap();
        let mut session = store.get(samples::id(1)).unwrap();
        session.identity.title = Some(format!("{flushes}"));
        store.update(session, samples::at(9)).unwrap();
        faults.always(Operation::Sync, 0, Failure::Code(SQLITE_IOERR_FSYNC));
        let refused = if flushes { store.flush() } else { store.close() };
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Io);
        faults.disarm();
        if flushes {
            is_poisoned(&store);
        }
        drop(store);
        assert_eq!(contents(&path)[0].identity.title, Some(format!("{flushes}")));
    }
}
