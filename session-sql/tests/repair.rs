//! Rows that cannot be read, or contradict each other: what a check says of them, what a repair makes of them, and
//! where it leaves what it takes out.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use session_core::record::{Body, Summary};
use session_core::{
    ErrorKind, Expression, Lease, Query, Reading, RecordStore, Repair, Scope, Search, Seq,
    SessionStore, SessionStoreExt, Status, StoreError, StoreUpkeep,
};
use session_sql::SqlStore;
use session_testkit::{content, samples};
use tempfile::TempDir;

/// A store of the sessions 1 to 4 with five records each, the third of which is a checkpoint; 4 is in the trash, and 5
/// was destroyed. Closed.
fn stored() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    let store = SqlStore::open(&path).unwrap();
    for number in 1..=5 {
        let mut session = samples::named(number, &format!("name-{number}"));
        session.identity.labels = [(samples::label("team"), "a".to_owned())].into();
        store.create(session).unwrap();
        let entries: Vec<_> = (1..=5)
            .map(|record| match record {
                3 => samples::checkpoint(3, Summary::Text("so far".to_owned()), Some(2)),
                _ => samples::said(record, &format!("word w{record}")),
            })
            .collect();
        store.append(samples::id(number), &entries, samples::at(1)).unwrap();
    }
    for number in [4, 5] {
        store.remove(samples::id(number), &samples::observer(2)).unwrap();
    }
    store.purge(samples::id(5), samples::at(3)).unwrap();
    store.close().unwrap();
    (dir, path)
}

fn execute(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
}

fn key(session: i64, record: i64) -> i64 {
    (session << 40) + record
}

/// The places of what a check finds.
fn places(store: &SqlStore) -> Vec<String> {
    store.check().unwrap().damaged.into_iter().map(|damage| damage.place).collect()
}

/// Repairs a damaged store and asserts that it is sound then, that a second repair does nothing, and that what was
/// kept is in one file that only its owner can read.
fn repaired(path: &Path) -> (SqlStore, Vec<Repair>, Vec<serde_json::Value>) {
    let store = SqlStore::open(path).unwrap();
    let before = places(&store);
    let repairs = store.repair(samples::at(9)).unwrap();
    let places: Vec<_> = repairs.iter().map(|repair| repair.damage.place.clone()).collect();
    assert_eq!(places, before);
    assert_eq!(store.check().unwrap().damaged, []);
    assert_eq!(store.repair(samples::at(9)).unwrap(), []);
    assert_eq!(store.repair(samples::at(9)).unwrap(), []);
    let _ = content(&store);
    let mut kept: Vec<_> = repairs.iter().filter_map(|repair| repair.kept.clone()).collect();
    kept.dedup();
    let rows = kept.iter().flat_map(|file| {
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(file.parent().unwrap(), path.parent().unwrap().join("quarantine"));
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
    });
    let rows = rows.collect();
    (store, repairs, rows)
}

fn numbers(store: &SqlStore, session: u32) -> Vec<u64> {
    let page = store.read(samples::id(session), &Reading::ALL).unwrap();
    assert_eq!(page.damaged, []);
    page.records.iter().map(|record| record.seq.get()).collect()
}

fn kinds(store: &SqlStore, session: u32) -> Vec<String> {
    let page = store.read(samples::id(session), &Reading::ALL).unwrap();
    page.records.iter().map(|record| record.entry.body.kind().to_owned()).collect()
}

fn found(store: &SqlStore, query: &str) -> usize {
    store.search(&Search::new(Expression::parse(query).unwrap())).unwrap().hits.len()
}

#[test]
fn a_damaged_record_is_kept_and_stood_for() {
    for (sql, reason) in [
        ("UPDATE records SET record = substr(record, 1, 30) WHERE key = ", "cannot be read"),
        ("UPDATE records SET record = CAST(x'7b22ff' AS TEXT) WHERE key = ", "cannot be read"),
        (
            "UPDATE records SET record = replace(record, '\"seq\":2', '\"seq\":4') WHERE key = ",
            "number 4",
        ),
        ("UPDATE records SET id = 'other' WHERE key = ", "column id"),
    ] {
        let (_dir, path) = stored();
        execute(&path, &format!("{sql}{}", key(2, 2)));
        let store = SqlStore::open_read_only(&path).unwrap().unwrap();
        let place = format!("records row {} (session {}, record 2)", key(2, 2), samples::id(2));
        let damaged = store.check().unwrap().damaged;
        assert_eq!(damaged.len(), 1, "{sql}: {damaged:?}");
        assert!(damaged[0].reason.contains(reason), "{damaged:?}");
        let page = store.read(samples::id(2), &Reading::ALL).unwrap();
        assert_eq!((page.records.len(), page.damaged), (4, damaged));
        drop(store);

        let (store, repairs, rows) = repaired(&path);
        assert_eq!(repairs[0].damage.place, place);
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0]["table"], &rows[0]["key"]), (&"records".into(), &key(2, 2).into()));
        assert!(rows[0]["reason"].as_str().unwrap().contains(reason));
        assert!(
            rows[0]["columns"]["record"].is_string()
                || rows[0]["columns"]["record"]["hex"].is_string()
        );
        assert_eq!(numbers(&store, 2), [1, 2, 3, 4, 5]);
        assert_eq!(kinds(&store, 2)[1], "lost");
        assert_eq!((found(&store, "w2"), found(&store, "w4")), (2, 3));
        // What was lost may come again.
        let appended =
            store.append(samples::id(2), &[samples::said(2, "word w2")], samples::at(10));
        assert_eq!(appended.unwrap().seqs, [Seq::new(6).unwrap()]);
    }
}

#[test]
fn missing_records_are_stood_for() {
    let (_dir, path) = stored();
    let sql = format!(
        "DELETE FROM records WHERE key IN ({}, {}, {}); DELETE FROM docs WHERE key NOT IN (SELECT key FROM records)",
        key(1, 1),
        key(1, 2),
        key(3, 5)
    );
    execute(&path, &sql);
    let (store, repairs, rows) = repaired(&path);
    assert!(rows.is_empty());
    assert!(repairs.iter().all(|repair| repair.kept.is_none()));
    assert_eq!(kinds(&store, 1)[..3], ["lost", "lost", "checkpoint"]);
    assert_eq!(kinds(&store, 3)[4], "lost");
    assert_eq!(store.get(samples::id(1)).unwrap().totals().records, 5);
}

#[test]
fn the_checkpoint_before_a_lost_one_is_the_last() {
    let (_dir, path) = stored();
    let store = SqlStore::open(&path).unwrap();
    let last = samples::checkpoint(6, Summary::Text("later".to_owned()), Some(5));
    store.append(samples::id(1), &[last], samples::at(4)).unwrap();
    store.close().unwrap();
    execute(
        &path,
        &format!("UPDATE records SET record = '' WHERE key IN ({}, {})", key(1, 6), key(2, 3)),
    );
    let (store, ..) = repaired(&path);
    assert_eq!(store.get(samples::id(1)).unwrap().totals().last_checkpoint, Seq::new(3));
    assert_eq!(store.get(samples::id(2)).unwrap().totals().last_checkpoint, None);
    let context = store.context(samples::id(1)).unwrap();
    assert_eq!((context.checkpoint, context.messages.len()), (Seq::new(3), 3));
}

#[test]
fn a_damaged_session_keeps_its_history() {
    for sql in [
        "UPDATE sessions SET record = replace(record, '{', '[') WHERE seq = 2",
        "UPDATE sessions SET record = '' WHERE seq = 2",
        "UPDATE sessions SET record = (SELECT record FROM sessions WHERE seq = 1) WHERE seq = 2",
    ] {
        let (_dir, path) = stored();
        let before = SqlStore::open(&path).unwrap().get(samples::id(2)).unwrap();
        execute(&path, sql);
        let store = SqlStore::open(&path).unwrap();
        assert_eq!(store.get(samples::id(2)).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(numbers(&store, 2), [1, 2, 3, 4, 5], "a history needs no session record");
        drop(store);
        let (store, repairs, rows) = repaired(&path);
        assert_eq!((repairs.len(), rows.len()), (1, 1), "{repairs:?}");
        assert_eq!(rows[0]["table"], "sessions");
        assert_eq!(rows[0]["columns"]["id"], samples::id(2).to_string());
        let after = store.get(samples::id(2)).unwrap();
        assert_eq!((after.name(), after.status()), (before.name(), before.status()));
        assert_eq!(after.totals(), before.totals());
        assert_eq!(after.lifecycle.created_at, before.lifecycle.created_at);
        assert!(after.lifecycle.revision > before.lifecycle.revision);
        assert_eq!(numbers(&store, 2), [1, 2, 3, 4, 5]);
        assert_eq!(found(&store, "w2"), 3);
        let held = store.create(samples::named(7, "name-2"));
        assert!(matches!(held, Err(StoreError::NameHeld { .. })), "{held:?}");
    }
}

#[test]
fn columns_that_disagree_are_derived_anew() {
    for sql in [
        "UPDATE sessions SET updated_at = updated_at + 1 WHERE seq = 2",
        "UPDATE sessions SET name = CAST(x'ff' AS TEXT) WHERE seq = 2",
        "UPDATE sessions SET claims_name = 0, is_empty = 1, role = 'x' WHERE seq = 2",
        "UPDATE sessions SET records = 3 WHERE seq = 2",
        "UPDATE labels SET value = 'b' WHERE session = 2",
        "DELETE FROM labels WHERE session = 2",
        "INSERT INTO labels VALUES (2, 'more', 'x')",
        "INSERT INTO labels VALUES (77, 'team', 'a')",
    ] {
        let (_dir, path) = stored();
        let before = content(&SqlStore::open(&path).unwrap());
        execute(&path, sql);
        let (store, repairs, rows) = repaired(&path);
        assert_eq!((repairs.len(), rows.len()), (1, 0), "{sql}: {repairs:?}");
        assert_eq!(content(&store), before, "{sql}");
        let mut query = Query::new(samples::observer(10));
        query.scope = Scope::All;
        query.labels = vec![(samples::label("team"), "a".to_owned())];
        assert_eq!(store.list(&query).unwrap().sessions.len(), 3, "{sql}");
    }
}

/// The record is the truth, but for a name that another session claims.
#[test]
fn no_repair_makes_two_holders_of_a_name() {
    let (_dir, path) = stored();
    execute(
        &path,
        "UPDATE sessions SET record = replace(record, 'name-2', 'name-3') WHERE seq = 2;
         UPDATE sessions SET record = '', name = 'name-3' WHERE seq = 1",
    );
    let (store, ..) = repaired(&path);
    let named = store.named(&samples::name("name-3")).unwrap();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].id(), samples::id(3));
    assert_eq!(store.get(samples::id(2)).unwrap().name(), None);
}

#[test]
fn records_without_a_session_are_kept() {
    let (_dir, path) = stored();
    execute(&path, "DELETE FROM sessions WHERE seq = 2");
    let (store, _, rows) = repaired(&path);
    assert_eq!(rows.iter().filter(|row| row["table"] == "records").count(), 5);
    assert_eq!(store.get(samples::id(2)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(found(&store, "w1"), 2);
}

#[test]
fn a_session_that_nobody_can_name_goes_with_its_records() {
    let (_dir, path) = stored();
    execute(&path, "UPDATE sessions SET record = '', id = 'nothing' WHERE seq = 2");
    let (store, _, rows) = repaired(&path);
    assert_eq!(rows.len(), 6);
    assert_eq!(store.stats().unwrap().records, 15);
}

#[test]
fn records_that_nobody_counts_are_counted() {
    let (_dir, path) = stored();
    let json = samples::record_json(&samples::said(8, "uncounted").at(Seq::new(7).unwrap()));
    let sql = format!("INSERT INTO records VALUES ({}, 'r-8', '{json}')", key(1, 7));
    execute(&path, &sql);
    let store = SqlStore::open(&path).unwrap();
    assert_eq!(numbers(&store, 1), [1, 2, 3, 4, 5]);
    drop(store);
    let (store, _, rows) = repaired(&path);
    assert_eq!(rows.len(), 0);
    assert_eq!(kinds(&store, 1)[5..], ["lost", "message"]);
    assert_eq!(store.get(samples::id(1)).unwrap().totals().messages, 5);
    assert_eq!(found(&store, "uncounted"), 1);
}

#[test]
fn a_lease_is_rebuilt_as_its_columns_say() {
    let (_dir, path) = stored();
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::leased(8, "leased", "worker")).unwrap();
    let mut back = samples::leased(9, "back", "worker");
    back.lifecycle.status = Status::Completed;
    back.lease = back.lease.map(|lease| Lease { ended_at: Some(samples::at(1)), ..lease });
    store.create(back).unwrap();
    store.close().unwrap();
    execute(&path, "UPDATE sessions SET record = '' WHERE role IS NOT NULL");
    let (store, ..) = repaired(&path);
    assert!(store.get(samples::id(8)).unwrap().has_standing_lease());
    assert!(!store.get(samples::id(9)).unwrap().has_standing_lease());
    let mut query = Query::new(samples::observer(10));
    (query.scope, query.role) = (Scope::All, Some(samples::role("worker")));
    assert_eq!(store.list(&query).unwrap().sessions.len(), 2);
}

#[test]
fn tombstones_keep_what_they_are_for() {
    let (_dir, path) = stored();
    let sql = format!(
        "UPDATE tombstones SET tombstone = '['; INSERT INTO tombstones VALUES ('{}', '{}'), ('odd', '{{}}')",
        samples::id(1),
        format_args!(r#"{{"id":"{}","at":"2026-01-31T08:15:00.007Z"}}"#, samples::id(1)),
    );
    execute(&path, &sql);
    let store = SqlStore::open(&path).unwrap();
    let refused = store.create(samples::bare(5)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused:?}");
    drop(store);
    let (store, repairs, rows) = repaired(&path);
    assert_eq!((repairs.len(), rows.len()), (3, 3));
    let refused = store.create(samples::bare(5)).unwrap_err();
    assert!(matches!(refused, StoreError::Purged { .. }), "{refused:?}");
    assert!(store.get(samples::id(1)).is_ok());
}

#[test]
fn an_index_that_says_something_else_begins_anew() {
    for sql in [
        "DELETE FROM docs WHERE docid = (SELECT max(docid) FROM docs)",
        "DELETE FROM docs",
        "UPDATE docs SET key = key + 100 WHERE docid = (SELECT max(docid) FROM docs)",
        "DELETE FROM words WHERE rowid = (SELECT max(docid) FROM docs)",
        "INSERT INTO words (rowid, text) VALUES (5, 'word')",
        "UPDATE sessions SET indexed = 2 WHERE seq = 1",
        "UPDATE sessions SET indexed = 6 WHERE seq = 1",
        "UPDATE sessions SET indexed = -1 WHERE seq = 1",
        "DELETE FROM words_data WHERE id > 10",
    ] {
        let (_dir, path) = stored();
        execute(&path, sql);
        let (store, repairs, rows) = repaired(&path);
        assert_eq!(rows.len(), 0, "{sql}");
        assert!(!repairs.is_empty(), "{sql}");
        assert_eq!(found(&store, "word"), 12, "{sql}");
        assert_eq!(found(&store, "w2 OR w4"), 6, "{sql}");
    }
}

#[test]
fn earlier_files_in_quarantine_stay() {
    let (_dir, path) = stored();
    for record in 1..=3 {
        execute(&path, &format!("UPDATE records SET record = '' WHERE key = {}", key(1, record)));
        let (store, repairs, rows) = repaired(&path);
        assert_eq!(rows.len(), 1);
        let name = format!("session.db-{record}.jsonl");
        assert!(repairs[0].kept.as_ref().unwrap().ends_with(name));
        store.close().unwrap();
    }
}

/// Pages of records and sessions destroyed: this handle goes on with what could be rescued, and every number is there.
#[test]
fn damaged_pages_cost_what_was_on_them() {
    let (_dir, path) = stored();
    let store = SqlStore::open(&path).unwrap();
    let long: Vec<_> = (10..400).map(|number| samples::said(number, &"word ".repeat(40))).collect();
    store.append(samples::id(1), &long, samples::at(4)).unwrap();
    store.close().unwrap();
    let page: u32 = {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT pageno FROM dbstat WHERE name = 'records' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 9";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 4096], u64::from(page - 1) * 4096).unwrap();
    drop(file);

    let store = SqlStore::open(&path).unwrap();
    let repairs = store.repair(samples::at(9)).unwrap();
    assert!(repairs.iter().any(|repair| {
        repair.kept.as_ref().is_some_and(|kept| kept.ends_with("session.db.damaged-1"))
    }));
    assert_eq!(store.check().unwrap().damaged, []);
    let lost = kinds(&store, 1).iter().filter(|kind| *kind == "lost").count();
    assert!((1..40).contains(&lost), "{lost}");
    assert_eq!(numbers(&store, 1), (1..=395).collect::<Vec<_>>());
    for number in 2..=3 {
        assert_eq!(numbers(&store, number), [1, 2, 3, 4, 5]);
    }
    // Both ways to go on.
    store.append(samples::id(1), &[samples::said(999, "goes on")], samples::at(10)).unwrap();
    assert_eq!(found(&store, "goes"), 1);
    store.close().unwrap();
    let store = SqlStore::open(&path).unwrap();
    let last = store.read(samples::id(1), &Reading::backward()).unwrap().records.remove(0);
    assert!(matches!(last.entry.body, Body::Message(_)));
    assert_eq!(found(&store, "goes"), 1);
}
