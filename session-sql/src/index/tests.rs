//! Where the text index stands, and how it comes there.

use session_core::{
    Expression, Reading, Record, RecordStore as _, Search, Seq, SessionStore as _,
    StoreUpkeep as _, Timestamp,
};
use session_testkit::samples;

use super::*;
use crate::{SqlOptions, SqlStore};

fn store() -> (tempfile::TempDir, SqlStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path().join("session.db")).unwrap();
    (dir, store)
}

fn beside(store: &SqlStore) -> Connection {
    Connection::open(store.path()).unwrap()
}

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn found(store: &SqlStore, query: &str) -> usize {
    store.search(&Search::new(Expression::parse(query).unwrap())).unwrap().hits.len()
}

const BEHIND: &str = "SELECT coalesce(sum(records - indexed), 0) FROM sessions";

#[test]
fn what_trails_is_found_at_once_and_caught_up_with_in_bounded_steps() {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::migrations() {
        connection.execute_batch(migration.sql).unwrap();
    }
    connection.execute_batch("BEGIN").unwrap();
    for number in 1..=3 {
        let session = samples::bare(number);
        let json = crate::row::json(&session).unwrap();
        crate::row::insert(&connection, &session, json).unwrap();
        let entries: Vec<_> = (1..=200).map(|record| samples::said(record, "word")).collect();
        let batch = crate::history::Batch::of(&entries).unwrap();
        crate::history::append(&connection, session.id(), &batch, samples::at(1)).unwrap();
    }
    let mut behind = vec![count(&connection, BEHIND)];
    while step(&connection, Scale::default()).unwrap() {
        behind.push(count(&connection, BEHIND));
    }
    behind.push(count(&connection, BEHIND));
    assert_eq!(behind, [600, 344, 88, 0]);
    assert_eq!(count(&connection, "SELECT count(*) FROM words WHERE words MATCH 'word'"), 600);
    // With nothing left, nothing is read but an index that is empty.
    let mut statement = connection.prepare(UNINDEXED).unwrap();
    assert!(statement.query([-1]).unwrap().next().unwrap().is_none());
    assert!(statement.get_status(rusqlite::StatementStatus::VmStep) < 20);
}

#[test]
fn large_records_make_short_steps() {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::migrations() {
        connection.execute_batch(migration.sql).unwrap();
    }
    let session = samples::bare(1);
    let json = crate::row::json(&session).unwrap();
    crate::row::insert(&connection, &session, json).unwrap();
    let large = "word ".repeat(100_000);
    let entries: Vec<_> = (1..=5).map(|record| samples::said(record, &large)).collect();
    let batch = crate::history::Batch::of(&entries).unwrap();
    crate::history::append(&connection, session.id(), &batch, samples::at(1)).unwrap();
    assert!(step(&connection, Scale::default()).unwrap());
    assert_eq!(count(&connection, BEHIND), 2);
    assert!(!step(&connection, Scale::default()).unwrap());
}

#[test]
fn closing_leaves_nothing_behind() {
    let (dir, store) = store();
    store.create(samples::bare(1)).unwrap();
    for number in 1..=20 {
        let entry = samples::said(number, &format!("word w{number}"));
        store.append(samples::id(1), &[entry], samples::at(1)).unwrap();
        assert_eq!(found(&store, &format!("w{number}")), 1);
    }
    store.append(samples::id(1), &[samples::event(21, "k")], samples::at(1)).unwrap();
    store.close().unwrap();
    let connection = Connection::open(dir.path().join("session.db")).unwrap();
    assert_eq!(count(&connection, BEHIND), 0);
    // An event has no words: it is only counted.
    assert_eq!(count(&connection, "SELECT count(*) FROM docs"), 20);
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn an_index_of_nothing_and_one_of_half_give_the_same_answers() {
    let (_dir, store) = store();
    for number in 1..=3 {
        store.create(samples::bare(number)).unwrap();
        let entries: Vec<_> = (1..=9).map(|record| samples::said(record, "some word")).collect();
        store.append(samples::id(number), &entries, samples::at(1)).unwrap();
    }
    store.reindex().unwrap();
    let search = Search::new(Expression::parse("word -thing").unwrap());
    let answer = store.search(&search).unwrap();
    assert_eq!(answer.hits.len(), 27);
    let connection = beside(&store);
    for indexed in [0, 1, 5, 9] {
        // As if the process had died then: the marks and the entries go together.
        let sql = format!(
            "BEGIN; DELETE FROM words WHERE rowid IN \
             (SELECT docid FROM docs WHERE key & 0xffffffff > {indexed}); \
             DELETE FROM docs WHERE key & 0xffffffff > {indexed}; \
             UPDATE sessions SET indexed = {indexed}; COMMIT"
        );
        store.reindex().unwrap();
        connection.execute_batch(&sql).unwrap();
        assert_eq!(count(&connection, BEHIND), 3 * (9 - indexed));
        assert_eq!(store.search(&search).unwrap(), answer, "{indexed}");
        assert_eq!(store.check().unwrap().damaged, []);
    }
}

#[test]
fn numbers_go_on_in_the_next_millisecond_when_one_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqlOptions { scale: Scale::of_bits(2), ..SqlOptions::default() };
    let store = SqlStore::open_with(dir.path().join("session.db"), options).unwrap();
    store.create(samples::bare(1)).unwrap();
    let at = |millis: i64| Timestamp::from_millis(1_000 + millis);
    let said = |number, millis| {
        let mut entry = samples::said(number, "word");
        entry.at = at(millis);
        entry
    };
    // Ten records of one millisecond, where four have room; then some of the next ones; then more of the first.
    let mut entries: Vec<_> = (1..=10).map(|number| said(number, 0)).collect();
    entries.extend((11..=13).map(|number| said(number, 2)));
    entries.extend((14..=16).map(|number| said(number, 0)));
    store.append(samples::id(1), &entries, samples::at(1)).unwrap();
    store.reindex().unwrap();
    let connection = beside(&store);
    let sql = "SELECT docid - 4 * (62135596800000 + 1000) FROM docs ORDER BY key";
    let mut statement = connection.prepare(sql).unwrap();
    let docids: Vec<i64> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(docids, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(displacement(&connection).unwrap(), 3);
    let mut search = Search::new(Expression::parse("word").unwrap());
    let numbers = |search: &Search| -> Vec<u64> {
        store.search(search).unwrap().hits.iter().map(|hit| hit.seq.get()).collect()
    };
    let expected: Vec<u64> = [13, 12, 11, 16, 15, 14].into_iter().chain((1..=10).rev()).collect();
    assert_eq!(numbers(&search), expected);
    search.until = Some(at(1));
    assert_eq!(numbers(&search), expected[3..]);
    search.since = Some(at(1));
    assert_eq!(numbers(&search), [0; 0]);
    search.until = None;
    assert_eq!(numbers(&search), expected[..3]);
}

#[test]
fn a_destroyed_session_leaves_no_words() {
    let (_dir, store) = store();
    for number in [1, 2] {
        store.create(samples::bare(number)).unwrap();
        store.append(samples::id(number), &[samples::said(1, "word")], samples::at(1)).unwrap();
    }
    store.reindex().unwrap();
    store.remove(samples::id(1), &samples::observer(2)).unwrap();
    assert_eq!(found(&store, "word"), 1);
    store.purge(samples::id(1), samples::at(3)).unwrap();
    let connection = beside(&store);
    for sql in ["SELECT count(*) FROM docs", "SELECT count(*) FROM words WHERE words MATCH 'word'"]
    {
        assert_eq!(count(&connection, sql), 1);
    }
    assert_eq!(store.check().unwrap().damaged, []);
}

/// The number of a session that is gone is never that of another one while its records are there.
#[test]
fn numbers_of_sessions_are_not_used_again_while_records_have_them() {
    let (_dir, store) = store();
    for number in [1, 2] {
        store.create(samples::bare(number)).unwrap();
        store.append(samples::id(number), &[samples::said(1, "word")], samples::at(1)).unwrap();
    }
    beside(&store)
        .execute("DELETE FROM sessions WHERE id = ?1", [samples::id(2).to_string()])
        .unwrap();
    store.create(samples::bare(3)).unwrap();
    assert_eq!(store.read(samples::id(3), &Reading::ALL).unwrap().records, []);
    let record = Record { seq: Seq::FIRST, entry: samples::said(5, "other") };
    store.append(samples::id(3), std::slice::from_ref(&record.entry), samples::at(1)).unwrap();
    assert_eq!(store.read(samples::id(3), &Reading::ALL).unwrap().records, [record]);
}

/// SQLite keeps what it knows of the index between statements, and its check does not ask whether that is still so.
#[test]
fn a_check_sees_what_became_of_the_index_since_a_search() {
    let (_dir, store) = store();
    let other = SqlStore::open(store.path()).unwrap();
    store.create(samples::bare(1)).unwrap();
    for round in 0..40 {
        other.append(samples::id(1), &[samples::said(round, "word")], samples::at(1)).unwrap();
        other.on_writer("test", |connection| step(connection, Scale::default())).unwrap();
        if round % 4 == 0 {
            assert_eq!(found(&store, "word") as u32, round + 1);
        }
        assert_eq!(store.check().unwrap().damaged, [], "round {round}");
    }
}
