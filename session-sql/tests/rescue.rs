//! Databases with damaged pages: what is told, what is rescued, and what is left as it was.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use session_core::{
    Cursor, Damage, Durability, ErrorKind, Query, Scope, Session, SessionId, SessionStore, Sort,
    SortValue, StoreError, Timestamp,
};
use session_sql::{Depth, Rescued, SqlOptions, SqlStore};
use session_testkit::samples;
use tempfile::TempDir;

const SESSIONS: i64 = 3_000;
/// The row of the one session that is larger than its page.
const LARGE: i64 = 1_234;
const PAGE: u64 = 4_096;

/// A closed store of many sessions, whose bytes every test copies.
static TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    let options = SqlOptions::default().durability(Durability::Normal);
    let store = SqlStore::open_with(&path, options).unwrap();
    for row in 1..=SESSIONS {
        store.create(session(row)).unwrap();
    }
    store.close().unwrap();
    std::fs::read(&path).unwrap()
});

fn session(row: i64) -> Session {
    let at = Timestamp::from_millis(row);
    let mut session = Session::new(SessionId::from_parts(at, 1), at);
    let size = if row == LARGE { 20_000 } else { 300 };
    session.identity.title = Some("x".repeat(size));
    session.identity.labels.insert(samples::label("parity"), (row % 2).to_string());
    session
}

fn stored() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    std::fs::write(&path, &*TEMPLATE).unwrap();
    (dir, path)
}

/// A page of a table or an index, and how many rows are on it or below it.
#[derive(Clone, Debug)]
struct Page {
    number: u64,
    rows: i64,
}

/// The pages of a kind, in the order of the table.
fn pages(path: &Path, tree: &str, kind: &str) -> Vec<Page> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT p.pageno, (SELECT sum(l.ncell) FROM dbstat l WHERE l.name = p.name \
         AND l.pagetype = 'leaf' AND l.path LIKE p.path || '%') \
         FROM dbstat p WHERE p.name = ?1 AND p.pagetype = ?2 ORDER BY p.path";
    let mut statement = connection.prepare(sql).unwrap();
    let pages = statement.query_map([tree, kind], |row| {
        Ok(Page {
            number: row.get::<_, u32>(0)?.into(),
            rows: row.get::<_, Option<i64>>(1)?.unwrap_or(0),
        })
    });
    pages.unwrap().map(Result::unwrap).collect()
}

fn overwrite(path: &Path, page: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, (page - 1) * PAGE).unwrap();
}

fn destroy(path: &Path, pages: &[Page]) {
    for page in pages {
        overwrite(path, page.number, &[0xa5; PAGE as usize]);
    }
}

/// What is there after a rescue, by row. Asserts that it is sound.
fn rescued(path: &Path) -> BTreeMap<i64, Session> {
    let store = SqlStore::open(path).unwrap();
    assert_eq!(store.damages(Depth::Full).unwrap(), []);
    let mut query = Query::new(samples::observer(1));
    query.scope = Scope::All;
    let page = store.list(&query).unwrap();
    let mut sessions = BTreeMap::new();
    for found in page.sessions {
        let row = found.lifecycle.created_at.as_millis();
        let mut expected = session(row);
        expected.lifecycle.revision = found.lifecycle.revision;
        assert_eq!(found, expected);
        sessions.insert(row, found);
    }
    query.labels.push((samples::label("parity"), "1".to_owned()));
    let odd = store.list(&query).unwrap().sessions.len();
    assert_eq!(odd, sessions.keys().filter(|row| *row % 2 == 1).count());
    store.create(samples::bare(1)).unwrap();
    sessions
}

/// Asserts that a damaged store is kept beside the rescued one: what was done.
fn rescue(path: &Path) -> Rescued {
    let before = std::fs::read(path).unwrap();
    let found = SqlStore::open_read_only(path).unwrap().unwrap().damages(Depth::Full).unwrap();
    assert_ne!(found, []);
    let repaired = SqlStore::rescue(path, SqlOptions::default()).unwrap().unwrap();
    assert_eq!(std::fs::read(&repaired.original).unwrap(), before);
    assert_eq!(std::fs::read(path).unwrap()[..16], *b"SQLite format 3\0");
    repaired
}

/// The rows that are missing, as ranges.
fn missing(sessions: &BTreeMap<i64, Session>) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for row in (1..=SESSIONS).filter(|row| !sessions.contains_key(row)) {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == row => last.1 = row,
            _ => ranges.push((row, row)),
        }
    }
    ranges
}

#[test]
fn a_sound_store_is_left_alone() {
    let (dir, path) = stored();
    assert_eq!(SqlStore::open(&path).unwrap().damages(Depth::Full).unwrap(), []);
    assert_eq!(SqlStore::rescue(&path, SqlOptions::default()).unwrap(), None);
    assert_eq!(std::fs::read(&path).unwrap(), *TEMPLATE);
    assert!(!dir.path().join("session.db.damaged-1").exists());
    let nowhere = SqlStore::rescue(dir.path().join("none.db"), SqlOptions::default());
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_leaf_costs_its_own_rows() {
    let (_dir, path) = stored();
    let leaves = pages(&path, "sessions", "leaf");
    let (first, last) = (&leaves[0], &leaves[leaves.len() - 1]);
    let (middle, other) = (&leaves[leaves.len() / 2], &leaves[leaves.len() / 3]);
    for lost in [
        vec![first],
        vec![middle],
        vec![last],
        vec![first, last],
        vec![middle, last],
        vec![first, other, middle, last],
    ] {
        let (_dir, path) = stored();
        let lost: Vec<Page> = lost.into_iter().cloned().collect();
        destroy(&path, &lost);
        let repaired = rescue(&path);
        let sessions = rescued(&path);
        let rows: i64 = lost.iter().map(|page| page.rows).sum();
        assert_eq!(sessions.len() as i64, SESSIONS - rows, "{lost:?}");
        let places: Vec<_> = repaired.damaged.into_iter().map(|damage| damage.place).collect();
        let expected: Vec<_> = missing(&sessions)
            .into_iter()
            .map(|range| match range {
                (low, SESSIONS) => format!("sessions rows from {low}"),
                (low, high) => format!("sessions rows {low} to {high}"),
            })
            .collect();
        assert_eq!(places, expected);
        assert_eq!(expected.len(), lost.len());
    }
}

#[test]
fn an_interior_page_costs_what_is_below_it() {
    let (_dir, path) = stored();
    let interior = pages(&path, "sessions", "internal");
    assert!(interior.len() >= 3, "{interior:?}");
    // The root comes first.
    for lost in &interior[1..] {
        let (_dir, path) = stored();
        destroy(&path, std::slice::from_ref(lost));
        let repaired = rescue(&path);
        assert_eq!(rescued(&path).len() as i64, SESSIONS - lost.rows);
        assert_eq!(repaired.damaged.len(), 1);
    }
    let (_dir, path) = stored();
    destroy(&path, &interior[..1]);
    let repaired = rescue(&path);
    assert!(rescued(&path).is_empty());
    assert_eq!(repaired.damaged[0].place, "sessions rows from 1");
}

#[test]
fn an_overflow_page_costs_its_own_row() {
    let (_dir, path) = stored();
    let overflow = pages(&path, "sessions", "overflow");
    assert!(overflow.len() >= 4, "{overflow:?}");
    let (_dir, path) = stored();
    destroy(&path, &overflow[..1]);
    let repaired = rescue(&path);
    assert_eq!(missing(&rescued(&path)), [(LARGE, LARGE)]);
    let [Damage { place, .. }] = repaired.damaged.as_slice() else { panic!("{repaired:?}") };
    assert_eq!(*place, format!("sessions row {LARGE}"));
}

#[test]
fn indexes_and_labels_come_anew() {
    for tree in ["sessions_by_updated", "sqlite_autoindex_sessions_1", "labels", "labels_by_pair"] {
        for kind in ["leaf", "internal"] {
            let (_dir, path) = stored();
            let lost = pages(&path, tree, kind);
            destroy(&path, &lost[lost.len() / 2..=lost.len() / 2]);
            let repaired = rescue(&path);
            assert_eq!(rescued(&path).len() as i64, SESSIONS);
            assert_eq!(repaired.damaged, []);
        }
    }
}

/// What SQLite itself cannot see is seen by whoever reads the record.
#[test]
fn a_flipped_bit_costs_its_page_at_most() {
    let (_dir, path) = stored();
    let leaf = pages(&path, "sessions", "leaf").swap_remove(100);
    for bit in (0..PAGE * 8).step_by(3_271) {
        let (_dir, path) = stored();
        let at = (leaf.number - 1) * PAGE + bit / 8;
        let flipped = TEMPLATE[at as usize] ^ (1 << (bit % 8));
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[flipped], at).unwrap();
        let found = SqlStore::open(&path).unwrap().damages(Depth::Full).unwrap();
        let repaired = SqlStore::rescue(&path, SqlOptions::default()).unwrap();
        let store = SqlStore::open(&path).unwrap();
        let left = store.damages(Depth::Full).unwrap();
        let mut query = Query::new(samples::observer(1));
        query.scope = Scope::All;
        let listed = store.list(&query).unwrap();
        let rows = listed.sessions.len() + listed.damaged.len();
        if repaired.is_none() {
            assert_eq!(left, found);
        }
        assert!(rows as i64 >= SESSIONS - leaf.rows, "bit {bit}: {rows}");
        let unharmed = listed.sessions.iter().filter(|found| {
            let mut expected = session(found.lifecycle.created_at.as_millis());
            expected.lifecycle.revision = found.lifecycle.revision;
            **found == expected
        });
        assert!(unharmed.count() as i64 >= SESSIONS - leaf.rows, "bit {bit}");
    }
}

#[test]
fn a_store_beyond_recognition_is_refused_and_left_alone() {
    for (bytes, kind) in [
        (vec![0xa5; 100], ErrorKind::Corrupt),
        (vec![0xa5; PAGE as usize], ErrorKind::Corrupt),
        (vec![0; PAGE as usize], ErrorKind::Corrupt),
    ] {
        let (dir, path) = stored();
        overwrite(&path, 1, &bytes);
        let before = std::fs::read(&path).unwrap();
        let refused = SqlStore::rescue(&path, SqlOptions::default()).unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(!dir.path().join("session.db.damaged-1").exists());
        assert!(!dir.path().join("session.db.rescued").exists());
    }
}

/// The log belongs to what is damaged: it is read with it, and kept with it.
#[test]
fn what_is_in_the_log_is_rescued() {
    let (dir, path) = stored();
    let lost = pages(&path, "sessions", "leaf").swap_remove(7);
    let writer = SqlStore::open(&path).unwrap();
    writer.create(samples::full(2)).unwrap();
    let copies = tempfile::tempdir().unwrap();
    for name in ["session.db", "session.db-wal"] {
        std::fs::copy(dir.path().join(name), copies.path().join(name)).unwrap();
    }
    let copy = copies.path().join("session.db");
    destroy(&copy, &[lost]);
    let log = std::fs::read(copies.path().join("session.db-wal")).unwrap();
    let repaired = rescue(&copy);
    let kept = copies.path().join("session.db.damaged-1-wal");
    assert_eq!(std::fs::read(kept).unwrap(), log);
    assert_eq!(
        repaired.original,
        std::fs::canonicalize(&copies).unwrap().join("session.db.damaged-1")
    );
    assert!(!copies.path().join("session.db-wal").exists());
    assert!(SqlStore::open(&copy).unwrap().get(samples::id(2)).is_ok());
}

#[test]
fn handles_and_cursors_of_what_was_there_are_stale() {
    let (_dir, path) = stored();
    let lost = pages(&path, "sessions", "leaf").swap_remove(7);
    destroy(&path, &[lost]);
    let store = SqlStore::open(&path).unwrap();
    let before = store.info().generation;
    let mut query = Query::new(samples::observer(1));
    query.cursor = Some(Cursor {
        generation: before,
        query: query.fingerprint(),
        value: Sort::Updated.value(&session(1)),
        id: session(1).id(),
    });
    assert!(matches!(query.cursor.as_ref().unwrap().value, SortValue::Time(_)));
    rescue(&path);
    let refused = store.create(samples::bare(1));
    assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
    let fresh = SqlStore::open(&path).unwrap();
    assert_eq!(fresh.info().generation, before + 1);
    assert!(matches!(fresh.list(&query), Err(StoreError::StaleCursor)));
}

/// Nothing says then which cursors are stale, so all are.
#[test]
fn a_lost_generation_is_another_one() {
    let (_dir, path) = stored();
    let lost = pages(&path, "meta", "leaf");
    destroy(&path, &lost);
    assert_eq!(SqlStore::open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    let repaired = SqlStore::rescue(&path, SqlOptions::default()).unwrap().unwrap();
    assert_eq!(repaired.damaged.len(), 1);
    assert_eq!(repaired.damaged[0].place, "meta");
    assert!(SqlStore::open(&path).unwrap().info().generation > 2);
    assert_eq!(rescued(&path).len() as i64, SESSIONS);
}

#[test]
fn a_second_rescue_keeps_the_first_original() {
    let (dir, path) = stored();
    let lost = pages(&path, "sessions", "leaf");
    destroy(&path, &lost[3..4]);
    let first = rescue(&path);
    let kept = std::fs::read(&first.original).unwrap();
    let lost = pages(&path, "sessions", "leaf");
    destroy(&path, &lost[9..10]);
    let second = rescue(&path);
    assert_ne!(first.original, second.original);
    assert_eq!(std::fs::read(&first.original).unwrap(), kept);
    assert!(!dir.path().join("session.db.rescued").exists());
}
