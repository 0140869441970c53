//! The store as a whole: taking sessions over, backups of this and older versions, and what only reads.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use session_core::{
    Durability, Entry, ErrorKind, Expression, Query, Reading, Record, RecordStore, Scope, Search,
    Seq, Session, SessionStore, SessionStoreExt, StoreError, StoreUpkeep,
};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::{assert_same_content, content, samples};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    (dir, path)
}

fn record(number: u64, size: usize) -> Record {
    let id = samples::record_id(&format!("r-{number}"));
    let text = format!("word {}", "x".repeat(size));
    Entry { id, ..samples::said(1, &text) }.at(Seq::new(number).unwrap())
}

/// A session that counts so many messages.
fn counting(records: u64) -> Session {
    let mut session = samples::named(1, "adopted");
    let totals = &mut session.conversation.get_or_insert_default().totals;
    (totals.records, totals.messages) = (records, records);
    session
}

/// Files and their bytes, without what SQLite leaves beside a database that it reads.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.is_file() && !path.to_str().unwrap().ends_with("-shm"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .filter(|(path, bytes)| !path.to_str().unwrap().ends_with("-wal") || !bytes.is_empty())
        .collect();
    files.sort();
    files
}

/// A history is not gathered in memory, and others write as long as it comes.
#[test]
fn a_long_history_is_taken_over_as_it_comes() {
    const RECORDS: u64 = 600;
    const SIZE: usize = 50_000;
    let (dir, path) = place();
    let options = SqlOptions::default().durability(Durability::Normal);
    let store = SqlStore::open_with(&path, options).unwrap();
    let other = SqlStore::open(&path).unwrap();
    let largest = Cell::new(0);
    let mut records = (1..=RECORDS).map(|number| {
        // What was handed over and is in no file yet is in memory.
        let behind = (number as usize * SIZE).saturating_sub(nameless(&path).unwrap_or(usize::MAX));
        largest.set(largest.get().max(behind));
        if number == 300 {
            other.create(samples::bare(2)).unwrap();
            store.create(samples::bare(3)).unwrap();
        }
        Ok(record(number, SIZE))
    });
    store.adopt(counting(RECORDS), &mut records).unwrap();
    // Two chunks of a mebibyte.
    assert!(largest.get() < 4 << 20, "{} bytes were under way", largest.get());
    let mut history = store.history(samples::id(1), Reading::ALL);
    let numbers = history.by_ref().map(|record| record.unwrap().seq.get());
    assert!(numbers.eq(1..=RECORDS));
    assert_eq!(store.check().unwrap().damaged, []);
    drop((store, other));
    let names: Vec<_> = files(dir.path()).into_iter().map(|(path, _)| path).collect();
    let expected = ["session.db", "session.db.lock"].map(|name| dir.path().join(name));
    assert_eq!(names, expected, "nothing is left lying about");
}

/// How much stands in files of this process that were beside `path` and have no name any more, where the system tells.
fn nameless(path: &Path) -> Option<usize> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?;
    let beside = format!("{}.", std::fs::canonicalize(path).unwrap().display());
    let found = open.flatten().map(|entry| entry.path()).filter(|entry| {
        let file = std::fs::read_link(entry).unwrap_or_default().display().to_string();
        file.starts_with(&beside) && file.ends_with(".draft (deleted)")
    });
    Some(found.filter_map(|entry| entry.metadata().ok()).map(|file| file.len() as usize).sum())
}

#[test]
fn a_long_history_that_fails_leaves_nothing() {
    let (_dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    let broken = || Err(StoreError::Unsupported { what: "go on" });
    for stop in [1, 20, 39, 40] {
        let mut records = (1..=40).map(|number| match number {
            number if number == stop => broken(),
            number => Ok(record(number, 100_000)),
        });
        let refused = store.adopt(counting(40), &mut records).unwrap_err();
        assert!(matches!(refused, StoreError::Unsupported { what: "go on" }), "{refused:?}");
    }
    for (counted, expected) in [(39, ErrorKind::Usage), (41, ErrorKind::Usage)] {
        let mut records = (1..=40).map(|number| Ok(record(number, 100_000)));
        let refused = store.adopt(counting(counted), &mut records).unwrap_err();
        assert_eq!(refused.kind(), expected, "{refused:?}");
    }
    // A reason that was there before the first record ends it early.
    store.create(samples::named(2, "adopted")).unwrap();
    let given = Cell::new(0);
    let mut records = (1..=400).map(|number| {
        given.set(number);
        Ok(record(number, 100_000))
    });
    let refused = store.adopt(counting(400), &mut records).unwrap_err();
    assert!(matches!(refused, StoreError::NameHeld { .. }), "{refused:?}");
    assert!(given.get() < 400, "all were read for nothing");
    assert_eq!(store.stats().unwrap().records, 0);
    assert_eq!(store.check().unwrap().damaged, []);
}

/// What is wrong with the session is told by the member that is at fault, however long its history, and early.
#[test]
fn a_long_history_of_a_session_that_could_not_be_read_back_is_refused() {
    let (_dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    for (mut session, member) in samples::strays(1) {
        session.conversation.get_or_insert_default().totals.records = 400;
        let given = Cell::new(0);
        let mut records = (1..=400).map(|number| {
            given.set(number);
            Ok(record(number, 100_000))
        });
        let refused = store.adopt(session, &mut records).unwrap_err();
        let named = |reason: &str| reason.split(' ').any(|word| word == member);
        assert!(
            matches!(&refused, StoreError::Invalid { reason, .. } if named(reason)),
            "{member}: {refused:?}"
        );
        assert!(given.get() < 40, "all were read for nothing");
    }
    assert_eq!(store.check().unwrap().sessions, 0);
}

/// A history that is read out of the store that takes it over, while others write, stops nobody for good.
#[test]
fn a_store_can_take_over_what_it_reads_from_itself() {
    let (_dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(2)).unwrap();
    let entries: Vec<_> = (1..=30).map(|number| record(number, 100_000).entry).collect();
    store.append(samples::id(2), &entries, samples::at(1)).unwrap();
    let other = SqlStore::open(&path).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let mut history = store.history(samples::id(2), Reading::ALL).inspect(|_| {
            let _ = sender.send(());
        });
        let other = &other;
        scope.spawn(move || {
            receiver.recv().unwrap();
            other.create(samples::bare(3)).unwrap();
        });
        store.adopt(counting(30), &mut history).unwrap();
    });
    assert_eq!(store.stats().unwrap().records, 60);
    assert!(store.get(samples::id(3)).is_ok());
}

#[test]
fn a_backup_of_an_older_version_is_migrated_in_a_copy() {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(30)).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let copy = dir.path().join("old");
    std::fs::copy(fixtures.join("v1.db"), &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    store.restore_backup(&copy, None).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), before, "the copy stays as it is");
    assert_eq!(store.check().unwrap().sessions, 8);
    assert_eq!(store.get(samples::id(30)).unwrap_err().kind(), ErrorKind::NotFound);
    store.close().unwrap();
    let names: Vec<_> = files(dir.path()).into_iter().map(|(path, _)| path).collect();
    let expected = ["old", "session.db", "session.db.lock"].map(|name| dir.path().join(name));
    assert_eq!(names, expected, "nothing is left lying about");
}

/// They share the name of the copy that is migrated, one after the other; what one of them left who died is no matter.
#[test]
fn several_who_put_back_an_older_backup_at_once_do_not_meet() {
    let (dir, path) = place();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let copy = dir.path().join("old");
    std::fs::copy(fixtures.join("v1.db"), &copy).unwrap();
    std::fs::write(dir.path().join("session.db.restoring"), "half").unwrap();
    std::fs::write(dir.path().join("session.db.restoring-wal"), "half a log").unwrap();
    std::fs::write(dir.path().join("session.db.restoring.lock"), "").unwrap();
    let timeout = std::time::Duration::from_secs(60);
    // Each has a handle of its own, as processes have.
    let stores: Vec<_> = (0..6)
        .map(|_| SqlStore::open_with(&path, SqlOptions::default().lock_timeout(timeout)).unwrap())
        .collect();
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for _ in 0..4 {
                    store.restore_backup(&copy, None).unwrap();
                }
            });
        }
    });
    assert_eq!(stores[0].info().generation, 25);
    assert_eq!(stores[0].check().unwrap().sessions, 8);
    assert_eq!(stores[0].check().unwrap().damaged, []);
    drop(stores);
    let names: Vec<_> = files(dir.path()).into_iter().map(|(path, _)| path).collect();
    let expected = ["old", "session.db", "session.db.lock"].map(|name| dir.path().join(name));
    assert_eq!(names, expected, "nothing is left lying about");
}

#[test]
fn a_backup_is_for_its_owner_alone_and_complete_in_one_file() {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.append(samples::id(1), &samples::every_kind(), samples::at(1)).unwrap();
    let copy = dir.path().join("backup");
    store.backup(&copy).unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!copy.with_file_name("backup-wal").exists());
    let reader = SqlStore::open_read_only(&copy).unwrap().unwrap();
    assert_same_content(&reader, &store);
    // A reader makes backups as well; nobody writes one into the store itself.
    reader.backup(&dir.path().join("backup of the backup")).unwrap();
    let refused = reader.restore_backup(&copy, None).unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
    let refused = store.restore_backup(&path, None).unwrap_err();
    assert!(matches!(refused, StoreError::NotAStore { .. }), "{refused:?}");
    let nowhere = store.backup(&dir.path().join("no/such/place")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Io);
}

/// Whoever searched or listed before the content was replaced begins anew, also in another process.
#[test]
fn what_was_put_back_is_searched() {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(1)).unwrap();
    let entries: Vec<_> = (1..=600).map(|number| samples::said(number, "word")).collect();
    store.append(samples::id(1), &entries, samples::at(1)).unwrap();
    let copy = dir.path().join("backup");
    store.backup(&copy).unwrap();
    store.append(samples::id(1), &[samples::said(601, "word")], samples::at(1)).unwrap();
    store.restore_backup(&copy, None).unwrap();
    let search = Search::new(Expression::parse("word").unwrap());
    assert_eq!(store.search(&search).unwrap().hits.len(), 600);
    store.reindex().unwrap();
    assert_eq!(store.search(&search).unwrap().hits.len(), 600);
    store.close().unwrap();
    let reader = SqlStore::open_read_only(&path).unwrap().unwrap();
    assert_eq!(reader.search(&search).unwrap().hits.len(), 600);
    assert_eq!(reader.check().unwrap().damaged, []);
}

/// Promise 2: reading never writes.
#[test]
fn reading_changes_no_byte() {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.append(samples::id(1), &samples::every_kind(), samples::at(1)).unwrap();
    store.create(samples::until(2, "overdue", 1)).unwrap();
    store.close().unwrap();
    let before = files(dir.path());
    let read = |store: &SqlStore| {
        let mut query = Query::new(samples::observer(100));
        query.scope = Scope::All;
        store.list(&query).unwrap();
        store.get(samples::id(1)).unwrap();
        store.read(samples::id(1), &Reading::ALL).unwrap();
        store.context(samples::id(1)).unwrap();
        store.search(&Search::new(Expression::parse("said").unwrap())).unwrap();
        store.stats().unwrap();
        store.check().unwrap();
        store.tombstones().unwrap();
        store.info();
        let _ = content(store);
    };
    let reader = SqlStore::open_read_only(&path).unwrap().unwrap();
    read(&reader);
    assert_eq!(files(dir.path()), before);
    let writer = SqlStore::open(&path).unwrap();
    read(&writer);
    assert_eq!(writer.repair(samples::at(9)).unwrap(), []);
    assert_eq!(files(dir.path()), before);
    for refused in [
        reader.append(samples::id(1), &[samples::said(1, "x")], samples::at(1)).map(drop),
        reader.repair(samples::at(1)).map(drop),
        reader.reindex(),
        reader.purge(samples::id(1), samples::at(1)).map(drop),
        reader.adopt(samples::bare(9), &mut std::iter::empty()),
    ] {
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    }
    assert_eq!(files(dir.path()), before);
}
