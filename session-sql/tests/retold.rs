//! Laws of migration that other programs' files had to keep; `RETOLD.md` of the testkit says which.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use session_core::{Query, Scope, SessionStore, Sort, StoreUpkeep};
use session_sql::SqlStore;
use session_testkit::samples;

/// A copy of the store of version 1.
fn old() -> (tempfile::TempDir, PathBuf) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.db");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.db");
    fs::copy(fixture, &path).unwrap();
    (directory, path)
}

/// How many sessions there are outside the trash.
fn count(store: &SqlStore) -> usize {
    let query = Query { scope: Scope::All, sort: Sort::Name, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    page.sessions.len()
}

#[test]
fn a_migration_keeps_the_mode_and_the_bytes_of_what_it_migrates() {
    let (directory, path) = old();
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    SqlStore::open(&path).unwrap().close().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);

    // What is kept of it is read as it was, by another opening that migrates it anew.
    let kept = directory.path().join("kept.db");
    fs::copy(path.with_extension("db.v1.backup"), &kept).unwrap();
    assert_eq!(fs::metadata(&kept).unwrap().len(), before.len() as u64);
    let (_other, original) = old();
    let (kept, original) = (SqlStore::open(kept).unwrap(), SqlStore::open(original).unwrap());
    session_testkit::assert_same_content(&kept, &original);
}

#[test]
fn several_who_migrate_at_once_lose_nothing() {
    for _ in 0..5 {
        let (directory, path) = old();
        let before = {
            let (_directory, path) = old();
            count(&SqlStore::open(path).unwrap())
        };
        let start = Barrier::new(6);
        thread::scope(|scope| {
            for number in 40..46 {
                let (start, path) = (&start, &path);
                scope.spawn(move || {
                    start.wait();
                    let store = SqlStore::open(path).unwrap();
                    store.create(samples::named(number, &format!("new-{number}"))).unwrap();
                });
            }
        });
        let store = SqlStore::open(&path).unwrap();
        assert_eq!(count(&store), before + 6);
        assert_eq!(store.check().unwrap().damaged, []);
        let copies = fs::read_dir(directory.path()).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().contains("backup")
        });
        assert_eq!(copies.count(), 1);
    }
}
