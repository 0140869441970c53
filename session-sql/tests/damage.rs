//! A damaged record costs itself: it is reported where it stands, and everything else is read.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use session_core::{
    Damage, ErrorKind, Query, Scope, Selector, Session, SessionStore, SessionStoreExt, Sort,
    Status, StoreError,
};
use session_sql::{Depth, SqlStore};
use session_testkit::samples;
use tempfile::TempDir;

/// A store of the sessions 1 to 5, closed. Session `n` is called `name-n`, was changed at `n`, and is overdue
/// after a minute.
fn stored() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    let store = SqlStore::open(&path).unwrap();
    for number in 1..=5 {
        let session = samples::until(number, &format!("name-{number}"), 60);
        let session = store.create(session).unwrap();
        store.update(session, samples::at(number.into())).unwrap();
    }
    store.close().unwrap();
    (dir, path)
}

fn execute(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
}

fn everything() -> Query {
    let mut query = Query::new(samples::observer(10));
    query.scope = Scope::All;
    query
}

/// Every way in which row 3 may be damaged.
const DAMAGES: [&str; 12] = [
    "UPDATE sessions SET record = replace(record, '{', '[') WHERE seq = 3",
    "UPDATE sessions SET record = substr(record, 1, 100) WHERE seq = 3",
    "UPDATE sessions SET record = '' WHERE seq = 3",
    "UPDATE sessions SET record = CAST(x'7b22ff' AS TEXT) WHERE seq = 3",
    "UPDATE sessions SET record = replace(record, 'pending', 'pendinf') WHERE seq = 3",
    "UPDATE sessions SET record = replace(record, 'name-3', 'name-4') WHERE seq = 3",
    "UPDATE sessions SET record = (SELECT record FROM sessions WHERE seq = 4) WHERE seq = 3",
    "UPDATE sessions SET name = CAST(x'ff' AS TEXT) WHERE seq = 3",
    "UPDATE sessions SET revision = 7 WHERE seq = 3",
    "UPDATE sessions SET updated_at = updated_at + 1 WHERE seq = 3",
    "UPDATE sessions SET id_reversed = 'x' WHERE seq = 3",
    "UPDATE sessions SET internal = 1 WHERE seq = 3",
];

#[test]
fn a_listing_reports_it_and_shows_everything_else() {
    for sql in DAMAGES {
        let (_dir, path) = stored();
        execute(&path, sql);
        let store = SqlStore::open(&path).unwrap();
        for sort in [Sort::Updated, Sort::Created, Sort::Name] {
            let page = store.list(&Query { sort, ..everything() }).unwrap();
            let mut numbers: Vec<_> = page.sessions.iter().map(Session::id).collect();
            numbers.sort();
            assert_eq!(numbers, [1, 2, 4, 5].map(samples::id), "{sql}");
            let [Damage { place, reason }] = page.damaged.as_slice() else {
                panic!("{sql}: {:?}", page.damaged);
            };
            assert_eq!(*place, format!("sessions row 3 (session {})", samples::id(3)));
            assert!(!reason.is_empty());
        }
    }
}

#[test]
fn a_check_reports_it_if_it_looks_closely() {
    for sql in DAMAGES {
        let (_dir, path) = stored();
        let store = SqlStore::open(&path).unwrap();
        assert_eq!(store.damages(Depth::Full).unwrap(), []);
        execute(&path, sql);
        assert_eq!(store.damages(Depth::Quick).unwrap(), [], "{sql}");
        let [Damage { place, .. }] = &store.damages(Depth::Full).unwrap()[..] else {
            panic!("{sql}")
        };
        assert!(place.starts_with("sessions row 3"), "{place}");
    }
}

#[test]
fn it_can_be_told_from_what_is_not_there() {
    for sql in DAMAGES {
        let (_dir, path) = stored();
        execute(&path, sql);
        let store = SqlStore::open(&path).unwrap();
        let healthy = store.get(samples::id(2)).unwrap();
        let mut changed = healthy.clone();
        changed.identity.id = samples::id(3);
        let now = samples::observer(10);
        for refused in [
            store.get(samples::id(3)).map(drop),
            store.find(&Selector::from(samples::id(3))).map(drop),
            store.update(changed, samples::at(9)).map(drop),
            store.remove(samples::id(3), &now).map(drop),
        ] {
            let Err(StoreError::Corrupt { place, .. }) = refused else {
                panic!("{sql}: {refused:?}")
            };
            assert!(place.starts_with("sessions row 3"), "{place}");
        }
        let again = store.create(samples::bare(3)).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Exists, "{sql}");
        assert_eq!(store.get(samples::id(2)).unwrap(), healthy);
    }
}

#[test]
fn pages_report_it_once_between_them() {
    let (_dir, path) = stored();
    execute(&path, DAMAGES[0]);
    let store = SqlStore::open(&path).unwrap();
    for size in 1..=5 {
        let mut query = Query { limit: NonZeroU32::new(size), ..everything() };
        let (mut sessions, mut damaged) = (Vec::new(), Vec::new());
        loop {
            let page = store.list(&query).unwrap();
            sessions.extend(page.sessions);
            damaged.extend(page.damaged);
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!((sessions.len(), damaged.len()), (4, 1), "pages of {size}");
    }
}

/// An explicit name never falls back to another session because the right one cannot be read.
#[test]
fn a_name_that_it_may_hold_means_nothing_else() {
    let (_dir, path) = stored();
    let store = SqlStore::open(&path).unwrap();
    let mut old = store.get(samples::id(2)).unwrap();
    old.identity.name = Some(samples::name("shared"));
    old.lifecycle.status = Status::Closed;
    store.update(old, samples::at(9)).unwrap();
    let mut holder = store.get(samples::id(3)).unwrap();
    holder.identity.name = Some(samples::name("shared"));
    store.update(holder, samples::at(9)).unwrap();
    execute(&path, "UPDATE sessions SET record = '' WHERE seq = 3");

    let found = store.find(&Selector::parse("shared").unwrap());
    assert!(matches!(found, Err(StoreError::Corrupt { .. })), "{found:?}");
    let taken = store.create(samples::named(6, "shared"));
    assert!(matches!(taken, Err(StoreError::Corrupt { .. })), "{taken:?}");

    // Damage in what once had the name costs nobody the name.
    let mut holder = samples::named(7, "other");
    holder.identity.parent = Some(samples::id(1));
    store.create(holder).unwrap();
    let mut closed = store.get(samples::id(4)).unwrap();
    closed.identity.name = Some(samples::name("other"));
    closed.lifecycle.status = Status::Closed;
    store.update(closed, samples::at(9)).unwrap();
    execute(&path, "UPDATE sessions SET record = '' WHERE seq = 4");
    let found = store.find(&Selector::parse("other").unwrap()).unwrap();
    assert_eq!(found.id(), samples::id(7));
}

#[test]
fn a_sweep_passes_it_by() {
    let (_dir, path) = stored();
    execute(&path, DAMAGES[0]);
    let store = SqlStore::open(&path).unwrap();
    let swept = store.sweep(&samples::observer(61)).unwrap();
    assert_eq!(swept.len(), 4);
    assert_eq!(store.sweep(&samples::observer(61)).unwrap(), []);
}

#[test]
fn a_session_that_could_not_be_read_again_is_not_stored() {
    let (_dir, path) = stored();
    let store = SqlStore::open(&path).unwrap();
    let mut session = samples::launched(6);
    session.launch.as_mut().unwrap().argv.clear();
    assert!(store.create(session).is_err());
    assert_eq!(store.list(&everything()).unwrap().damaged, []);
}

/// Bytes of whole pages flipped: typed errors, sound answers, never a panic.
#[test]
fn a_damaged_page_is_told_as_damage() {
    let (_dir, path) = stored();
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    let mut reported = 0;
    for page in 0..pages {
        let copy = path.with_extension(page.to_string());
        std::fs::copy(&path, &copy).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
        drop(file);
        let listed =
            SqlStore::open_read_only(&copy).and_then(|store| store.unwrap().list(&everything()));
        match listed {
            Ok(page) => {
                assert!(page.sessions.len() + page.damaged.len() <= 5);
                let checked = SqlStore::open_read_only(&copy)
                    .and_then(|store| store.unwrap().damages(Depth::Full));
                assert_ne!(checked.unwrap(), []);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "page {page}: {error:?}");
                reported += 1;
            }
        }
    }
    assert!(reported >= 3, "{reported} of {pages}");
}
