//! What processes that died have left beside a store: nothing is taken for what it is not, and nothing is lost.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};

use session_core::{ErrorKind, Query, Scope, SessionStore, StoreError, StoreUpkeep};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::samples;
use tempfile::TempDir;

/// A store of which a session is in the log alone, as one leaves it who is killed.
fn killed() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(1)).unwrap();
    store.close().unwrap();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(2)).unwrap();
    let copies = tempfile::tempdir().unwrap();
    for name in ["session.db", "session.db-wal"] {
        std::fs::copy(dir.path().join(name), copies.path().join(name)).unwrap();
    }
    let copy = copies.path().join("session.db");
    assert!(std::fs::metadata(beside(&copy, "-wal")).unwrap().len() > 0);
    (copies, copy)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn count(store: &SqlStore) -> usize {
    let mut query = Query::new(samples::observer(1));
    query.scope = Scope::All;
    store.list(&query).unwrap().sessions.len()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Asserts that nobody opens what is there, and that it stays as it is.
fn is_refused(path: &Path, told: &str) {
    let before = names(path.parent().unwrap());
    for refused in [
        SqlStore::open(path).map(drop),
        SqlStore::open_read_only(path).map(drop),
        SqlStore::rescue(path, SqlOptions::default()).map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
        assert!(refused.to_string().contains(told), "{refused}");
    }
    assert_eq!(names(path.parent().unwrap()), before);
}

#[test]
fn a_log_without_its_database_is_kept_and_no_new_store_gets_it() {
    for suffix in ["-wal", "-journal"] {
        let (dir, path) = killed();
        std::fs::rename(beside(&path, "-wal"), beside(&path, suffix)).unwrap();
        let away = dir.path().join("away");
        std::fs::rename(&path, &away).unwrap();
        let log = std::fs::read(beside(&path, suffix)).unwrap();
        is_refused(&path, "put");
        assert_eq!(std::fs::read(beside(&path, suffix)).unwrap(), log);
        if suffix == "-wal" {
            // An empty file is none either: SQLite would drop the log.
            std::fs::write(&path, "").unwrap();
            is_refused(&path, "put");
            std::fs::rename(&away, &path).unwrap();
            assert_eq!(count(&SqlStore::open(&path).unwrap()), 2);
        }
    }
}

#[test]
fn a_log_in_which_nothing_stands_is_in_nobodys_way() {
    let (dir, path) = killed();
    let log = std::fs::read(beside(&path, "-wal")).unwrap();
    for length in [0, 32] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(beside(&path, "-wal"), &log[..length]).unwrap();
        std::fs::write(beside(&path, "-shm"), [0xa5; 32_768]).unwrap();
        assert!(SqlStore::open_read_only(&path).unwrap().is_none());
        let store = SqlStore::open(&path).unwrap();
        assert_eq!(count(&store), 0);
        store.create(samples::bare(3)).unwrap();
        store.close().unwrap();
        assert_eq!(names(dir.path()), ["session.db", "session.db.lock"]);
        let store = SqlStore::open(&path).unwrap();
        assert_eq!((count(&store), store.check().unwrap().damaged), (1, vec![]));
    }
}

/// Every moment at which a rescue can be killed before it is done.
#[test]
fn a_rescue_that_was_killed_is_undone_by_the_next_writer() {
    for moved in [&[][..], &["-wal"], &["-wal", "-shm"]] {
        for is_rescue in [false, true] {
            let (dir, path) = killed();
            std::fs::write(beside(&path, "-shm"), "").unwrap();
            std::fs::write(beside(&path, ".lock"), "").unwrap();
            let original = beside(&path, ".damaged-1");
            std::fs::hard_link(&path, &original).unwrap();
            for suffix in moved {
                std::fs::rename(beside(&path, suffix), beside(&original, suffix)).unwrap();
            }
            let before = names(dir.path());
            let refused = SqlStore::open_read_only(&path).unwrap_err();
            assert!(refused.to_string().contains("for writing"), "{refused}");
            assert_eq!(refused.kind(), ErrorKind::Corrupt);
            assert_eq!(names(dir.path()), before);
            if is_rescue {
                let nothing = SqlStore::rescue(&path, SqlOptions::default()).unwrap();
                assert_eq!(nothing, None);
            }
            let store = SqlStore::open(&path).unwrap();
            assert_eq!(count(&store), 2);
            store.create(samples::bare(3)).unwrap();
            store.close().unwrap();
            assert_eq!(names(dir.path()), ["session.db", "session.db.lock"]);
            assert_eq!(count(&SqlStore::open_read_only(&path).unwrap().unwrap()), 3);
        }
    }
}

/// A handle that was open all the time writes on, to where everybody finds it.
#[test]
fn a_handle_that_outlives_a_killed_rescue_undoes_it() {
    let (dir, path) = killed();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(3)).unwrap();
    let original = beside(&path, ".damaged-7");
    std::fs::hard_link(&path, &original).unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::rename(beside(&path, suffix), beside(&original, suffix)).unwrap();
    }
    store.create(samples::bare(4)).unwrap();
    assert!(!names(dir.path()).iter().any(|name| name.contains("damaged")));
    assert_eq!(count(&SqlStore::open(&path).unwrap()), 4);
    drop(store);
    assert_eq!(count(&SqlStore::open(&path).unwrap()), 4);
}

#[test]
fn two_logs_of_one_database_are_both_kept() {
    let (_dir, path) = killed();
    std::fs::write(beside(&path, ".lock"), "").unwrap();
    let original = beside(&path, ".damaged-1");
    std::fs::hard_link(&path, &original).unwrap();
    std::fs::copy(beside(&path, "-wal"), beside(&original, "-wal")).unwrap();
    is_refused(&path, "");
    assert!(SqlStore::open(&path).unwrap_err().to_string().contains("move one away"));
}

/// Other names of a database are nobody's business.
#[test]
fn a_second_name_of_another_kind_is_none_of_a_rescue() {
    let (dir, path) = killed();
    for name in ["copy", "session.db.damaged-", "session.db.damaged-old"] {
        std::fs::hard_link(&path, dir.path().join(name)).unwrap();
    }
    assert_eq!(count(&SqlStore::open_read_only(&path).unwrap().unwrap()), 2);
    SqlStore::open(&path).unwrap().create(samples::bare(3)).unwrap();
    assert!(dir.path().join("session.db.damaged-old").exists());
}

#[test]
fn a_backup_takes_no_name_that_other_files_have() {
    let (dir, path) = killed();
    let store = SqlStore::open(&path).unwrap();
    std::fs::write(dir.path().join("other.db"), "").unwrap();
    let before = names(dir.path());
    for suffix in [
        "-wal",
        "-shm",
        "-journal",
        ".lock",
        ".new",
        ".new-wal",
        ".rescued",
        ".rescued-journal",
        ".restoring",
        ".restoring.lock",
        ".damaged-1",
        ".damaged-1-wal",
    ] {
        let refused = store.backup(&beside(&path, suffix)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{suffix}: {refused:?}");
    }
    let refused = store.backup(&dir.path().join("other.db-wal")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    let refused = store.backup(&path).unwrap_err();
    assert!(matches!(refused, StoreError::TargetExists { .. }), "{refused:?}");
    assert_eq!(names(dir.path()), before);
    for name in ["session.db.newer", "session.db.backup", "-wal"] {
        store.backup(&dir.path().join(name)).unwrap();
        assert_eq!(count(&SqlStore::open_read_only(dir.path().join(name)).unwrap().unwrap()), 2);
    }
}

#[test]
fn a_backup_is_put_beside_no_log_and_over_nothing() {
    let (dir, path) = killed();
    let store = SqlStore::open(&path).unwrap();
    let target = dir.path().join("backup");
    std::fs::copy(beside(&path, "-wal"), beside(&target, "-wal")).unwrap();
    let refused = store.backup(&target).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
    assert!(!target.exists());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
    let refused = store.backup(&link).unwrap_err();
    assert!(matches!(refused, StoreError::TargetExists { .. }), "{refused:?}");
    assert!(!names(dir.path()).iter().any(|name| name.contains("draft")));
}

#[test]
fn what_a_killed_backup_left_goes_with_the_next() {
    let (dir, path) = killed();
    let store = SqlStore::open(&path).unwrap();
    let target = dir.path().join("backup");
    for suffix in ["", "-journal", ".lock"] {
        std::fs::write(beside(&target, &format!(".0123456789abcdef.draft{suffix}")), "half")
            .unwrap();
    }
    store.backup(&target).unwrap();
    assert!(!names(dir.path()).iter().any(|name| name.contains("draft")));
    assert_eq!(count(&SqlStore::open_read_only(&target).unwrap().unwrap()), 2);
}
