//! What nobody should find in a store, and what it makes of it: a typed error or a sound answer, and no change.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use session_core::{
    Entry, ErrorKind, Expression, Query, Reading, RecordStore, Scope, Search, SessionName,
    SessionStore, SessionStoreExt, StoreError, StoreUpkeep, Timestamp,
};
use session_sql::SqlStore;
use session_testkit::{content, samples};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    (dir, path)
}

/// A store with some of everything in it, closed.
fn stored() -> (TempDir, PathBuf) {
    let (dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.append(samples::id(1), &samples::every_kind(), samples::at(1)).unwrap();
    for number in 2..12 {
        store.create(samples::named(number, &format!("name-{number}"))).unwrap();
        let entries: Vec<_> = (0..12).map(|each| samples::said(each, "said a word")).collect();
        store.append(samples::id(number), &entries, samples::at(2)).unwrap();
    }
    for number in [3, 4] {
        store.remove(samples::id(number), &samples::observer(3)).unwrap();
    }
    store.purge(samples::id(4), samples::at(4)).unwrap();
    store.close().unwrap();
    (dir, path)
}

fn everything(scope: Scope) -> Query {
    let mut query = Query::new(samples::observer(5));
    query.scope = scope;
    query
}

/// Everything that can be asked of a store: the kinds of the errors that came.
fn ask(store: &SqlStore) -> Vec<ErrorKind> {
    let word = Search::new(Expression::parse("word").unwrap());
    let fragment = samples::id(1).to_string();
    let fragment = session_core::Selector::parse(&fragment[20..]).unwrap().as_fragment().unwrap();
    let mut answers = vec![
        store.list(&everything(Scope::All)).map(drop),
        store.list(&everything(Scope::Trash)).map(drop),
        store.named(&samples::name("name-2")).map(drop),
        store.matching(&fragment).map(drop),
        store.search(&word).map(drop),
        store.stats().map(drop),
        store.tombstones().map(drop),
        store.check().map(drop),
    ];
    for number in 1..12 {
        let id = samples::id(number);
        answers.push(store.get(id).map(drop));
        answers.push(store.read(id, &Reading::ALL).map(drop));
        answers.push(store.context(id).map(drop));
    }
    answers.into_iter().filter_map(Result::err).map(|error| error.kind()).collect()
}

/// Numbers that look random, and are the same for each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Bytes of a database, changed.
type Harm = fn(&mut Vec<u8>, &mut Numbers);

/// Asks, writes and repairs many stores that were harmed so; what became of their opening, by kind.
fn harmed(seed: u64, rounds: u32, harm: Harm) -> BTreeMap<&'static str, u32> {
    let (_template, template) = stored();
    let template = std::fs::read(template).unwrap();
    let mut numbers = Numbers(seed);
    let mut outcomes = BTreeMap::new();
    // Damage, in the number of the version as well, and what a damaged record no longer says.
    let is_told = |kind: &ErrorKind| {
        use ErrorKind::{Corrupt, NewerVersion, NotFound, PermissionDenied};
        matches!(kind, Corrupt | NewerVersion | NotFound | PermissionDenied)
    };
    for round in 0..rounds {
        let (_dir, path) = place();
        let mut bytes = template.clone();
        harm(&mut bytes, &mut numbers);
        std::fs::write(&path, &bytes).unwrap();
        let outcome = match SqlStore::open_read_only(&path) {
            Ok(Some(reader)) => {
                let told = ask(&reader);
                assert!(told.iter().all(is_told), "round {round}: {told:?}");
                "opened"
            }
            Ok(None) => "none",
            Err(error) => {
                assert!(is_told(&error.kind()), "round {round}: {error:?}");
                error.kind().as_str()
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "round {round}");
        let Ok(store) = SqlStore::open(&path) else { continue };
        for wrote in [
            store.append(samples::id(2), &[samples::said(99, "late")], samples::at(6)).map(drop),
            store.create(samples::named(50, "late")).map(drop),
            store.remove(samples::id(5), &samples::observer(6)).map(drop),
            store.repair(samples::at(7)).map(drop),
            store.reindex(),
        ] {
            let known = |kind: &ErrorKind| {
                use ErrorKind::{Internal, Io};
                is_told(kind) || matches!(kind, Io | Internal)
            };
            assert!(wrote.as_ref().err().is_none_or(|error| known(&error.kind())), "{wrote:?}");
        }
        let told = ask(&store);
        assert!(told.iter().all(|kind| is_told(kind) || *kind == ErrorKind::Io), "{told:?}");
    }
    outcomes
}

/// Never a panic, never an error that means something else, and no byte is changed by who reads.
#[test]
fn flipped_bits_are_told_or_harmless() {
    let outcomes = harmed(0x5e55_1055, 150, |bytes, numbers| {
        for _ in 0..=numbers.next(12) {
            let at = numbers.next(bytes.len());
            bytes[at] ^= 1 << numbers.next(8);
        }
    });
    assert!(outcomes.contains_key("opened"), "{outcomes:?}");
    // The first page says what the rest is.
    let outcomes = harmed(0x0fac_ade5, 100, |bytes, numbers| {
        let at = numbers.next(200);
        bytes[at] ^= 1 << numbers.next(8);
    });
    assert!(outcomes.contains_key("corrupt"), "{outcomes:?}");
}

/// An index that listings are told to use.
#[test]
fn a_store_without_an_index_or_with_another_one_is_damaged() {
    for instead in ["", "CREATE INDEX sessions_by_updated ON sessions (role) WHERE role = 'x'"] {
        let (_dir, path) = stored();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("DROP INDEX sessions_by_updated").unwrap();
        connection.execute_batch(instead).unwrap();
        drop(connection);
        let store = SqlStore::open(&path).unwrap();
        let refused = store.list(&everything(Scope::All)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused:?}");
    }
}

#[test]
fn cut_and_overwritten_stores_are_told() {
    let outcomes = harmed(0x00c0_ffee, 40, |bytes, numbers| {
        let length = numbers.next(bytes.len());
        bytes.truncate(length);
    });
    assert!(outcomes.contains_key("corrupt"), "{outcomes:?}");
    let outcomes = harmed(0x0b5e_55ed, 40, |bytes, numbers| {
        let at = numbers.next(bytes.len());
        let end = bytes.len().min(at + numbers.next(9_000));
        bytes[at..end].fill_with(|| numbers.next(256) as u8);
    });
    assert!(outcomes.contains_key("opened"), "{outcomes:?}");
}

/// A text that is not UTF-8 costs its row, and is in quarantine after a repair.
#[test]
fn text_that_is_none_is_damage() {
    for (table, column, row) in [
        ("sessions", "record", "seq = 2"),
        ("sessions", "id", "seq = 2"),
        ("sessions", "name", "seq = 2"),
        ("sessions", "status", "seq = 2"),
        ("sessions", "workdir", "seq = 1"),
        ("records", "record", "key = 2 << 40 | 3"),
        ("records", "id", "key = 2 << 40 | 3"),
        ("tombstones", "tombstone", "1"),
        ("tombstones", "id", "1"),
        ("labels", "value", "session = 1"),
    ] {
        let (_dir, path) = stored();
        let other = rusqlite::Connection::open(&path).unwrap();
        let sql = format!("UPDATE {table} SET {column} = CAST(x'66ff00fe' AS TEXT) WHERE {row}");
        assert!(other.execute(&sql, []).unwrap() > 0);
        other.close().map_err(|(_, error)| error).unwrap();
        let before = std::fs::read(&path).unwrap();
        let reader = SqlStore::open_read_only(&path).unwrap().unwrap();
        let told = ask(&reader);
        let is_told = |kind: &ErrorKind| matches!(kind, ErrorKind::Corrupt | ErrorKind::NotFound);
        assert!(told.iter().all(is_told), "{table}.{column}: {told:?}");
        assert_ne!(reader.check().unwrap().damaged, [], "{table}.{column}");
        let listed = reader.list(&everything(Scope::All)).unwrap();
        assert_eq!(listed.sessions.len() + listed.damaged.len(), 9, "{table}.{column}");
        drop(reader);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let store = SqlStore::open(&path).unwrap();
        assert_ne!(store.repair(samples::at(9)).unwrap(), [], "{table}.{column}");
        assert_eq!(store.check().unwrap().damaged, [], "{table}.{column}");
        // Whatever was damaged of a tombstone, its session stays destroyed.
        let again = store.create(samples::named(4, "again")).unwrap_err();
        assert!(matches!(again, StoreError::Purged { .. }), "{table}.{column}: {again:?}");
    }
}

/// Whoever says when, the store keeps it and goes on.
#[test]
fn a_clock_of_any_year_is_believed() {
    let (_dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    let years = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-30T22:00:00Z"];
    for (number, time) in (1..).zip(years) {
        let at: Timestamp = time.parse().unwrap();
        let mut session = samples::bare(number);
        session.lifecycle.created_at = at;
        store.create(session).unwrap();
        let entry = Entry { at, ..samples::said(number, "long ago or later") };
        store.append(samples::id(number), &[entry], at).unwrap();
    }
    let before = content(&store);
    let search = Search::new(Expression::parse("ago").unwrap());
    let found = |store: &SqlStore| -> Vec<_> {
        store.search(&search).unwrap().hits.iter().map(|hit| hit.place().session).collect()
    };
    let newest_first = [3, 2, 1].map(samples::id);
    assert_eq!(found(&store), newest_first);
    store.close().unwrap();
    let store = SqlStore::open(&path).unwrap();
    assert_eq!(found(&store), newest_first);
    assert_eq!(content(&store), before);
    assert_eq!(store.check().unwrap().damaged, []);
}

/// Names never become paths: what is no name is refused before it comes to a store.
#[test]
fn a_path_is_no_name_and_no_store() {
    for name in ["../x", "/etc/passwd", "a/b", "..", "a\0b", ""] {
        assert!(SessionName::parse(name).is_err(), "{name:?}");
    }
    let (dir, path) = stored();
    let before = std::fs::read_dir(dir.path()).unwrap().count();
    let below = path.join("below");
    for path in [Path::new(""), Path::new("a\0b"), below.as_path(), dir.path()] {
        for error in [SqlStore::open(path).map(drop), SqlStore::open_read_only(path).map(drop)] {
            match error {
                // Where nothing can be, nothing is read.
                Ok(()) => assert!(!path.exists(), "{path:?}"),
                Err(error) => {
                    let expected = [ErrorKind::Io, ErrorKind::Corrupt];
                    assert!(expected.contains(&error.kind()), "{path:?}: {error:?}");
                }
            }
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), before);
}

/// There is no limit below the gigabyte of SQLite.
#[test]
fn an_entry_of_a_hundred_megabytes_is_kept() {
    const LENGTH: usize = 100_000_000;
    let (_dir, path) = place();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::bare(1)).unwrap();
    let entries = [samples::said(1, &"x".repeat(LENGTH)), samples::said(2, "after it")];
    store.append(samples::id(1), &entries, samples::at(1)).unwrap();
    let mut history = store.history(samples::id(1), Reading::ALL);
    let lengths = history.by_ref().map(|record| record.unwrap().entry.text().len());
    assert!(lengths.eq([LENGTH, "after it".len()]));
    let search = Search::new(Expression::parse("after").unwrap());
    assert_eq!(store.search(&search).unwrap().hits.len(), 1);
    store.close().unwrap();
    assert!(matches!(store.get(samples::id(1)), Err(StoreError::StoreClosed)));
}
