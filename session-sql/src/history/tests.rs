//! What appending and reading cost, and what they make of damage.

use rusqlite::StatementStatus;
use session_core::record::Summary;
use session_core::{Order, Reading};
use session_testkit::samples;

use super::*;
use crate::row;

/// A database with one session of so many records, the last but two of which is a checkpoint.
fn database(records: u32) -> (Connection, SessionId) {
    let connection = Connection::open_in_memory().unwrap();
    for step in crate::migrations() {
        connection.execute_batch(step.sql).unwrap();
    }
    let session = samples::bare(7);
    row::insert(&connection, &session, row::json(&session).unwrap()).unwrap();
    let entries = (1..=records).map(|number| match records - number {
        2 => samples::checkpoint(number, Summary::Text("so far".to_owned()), None),
        _ => samples::said(number, "said"),
    });
    put(&connection, session.id(), &entries.collect::<Vec<_>>());
    (connection, session.id())
}

fn put(connection: &Connection, id: SessionId, entries: &[Entry]) -> Vec<u64> {
    let batch = Batch::of(entries).unwrap();
    let appended = append(connection, id, &batch, samples::at(1)).unwrap();
    appended.seqs.into_iter().map(Seq::get).collect()
}

/// What SQLite does for a statement, one step a line.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let (mut rows, mut lines) = (statement.raw_query(), String::new());
    while let Some(row) = rows.next().unwrap() {
        lines += &(row.get::<_, String>(3).unwrap() + "\n");
    }
    lines
}

#[test]
fn every_statement_goes_along_its_keys() {
    let (connection, _) = database(10);
    for order in [Order::Forward, Order::Backward] {
        let plan = plan(&connection, &read::sql_of_page(order));
        assert!(plan.contains("SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id=?)"), "{plan}");
        assert!(
            plan.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            "{plan}"
        );
        let scans = |line: &str| line.contains("SCAN") && !line.contains("SCAN CONSTANT ROW");
        assert!(!plan.contains("TEMP B-TREE") && !plan.lines().any(scans), "{plan}");
    }
    let plan = plan(&connection, BY_ID);
    assert!(plan.contains("USING COVERING INDEX records_by_id (<expr>=? AND id=?)"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

/// Steps that SQLite's machine has taken for all statements of the connection that are known by their texts, which is
/// what an operation costs whatever the clock says.
fn steps(connection: &Connection, sqls: &[&str]) -> i32 {
    let step =
        |sql: &&str| connection.prepare_cached(sql).unwrap().get_status(StatementStatus::VmStep);
    sqls.iter().map(step).sum()
}

#[test]
fn a_long_history_costs_what_a_short_one_costs() {
    let costs = [20, 5_000].map(|records| {
        let (connection, id) = database(records);
        let appending = || {
            let session = crate::find::select("sessions WHERE id = ?1");
            let insert = "INSERT INTO records (key, id, record) VALUES (?1, ?2, ?3)";
            steps(&connection, &[&session, BY_ID, insert])
        };
        let before = appending();
        let fresh = [samples::said(0, "new"), samples::said(0, "new")];
        assert_eq!(put(&connection, id, &fresh), [u64::from(records) + 1; 2]);
        let append = appending() - before;
        let last = Seq::new(u64::from(records) - 2).unwrap();
        let page = |reading: Reading| {
            let page = page(&connection, id, &reading).unwrap();
            assert_eq!(page.damaged, []);
            page.records
        };
        let limit = std::num::NonZeroU32::new(5);
        assert_eq!(page(Reading { from: last, to: last, ..Reading::ALL }).len(), 1);
        assert_eq!(page(Reading::from(last)).len(), 4);
        assert_eq!(page(Reading { limit, ..Reading::ALL }).len(), 5);
        assert_eq!(page(Reading { limit, ..Reading::backward() }).len(), 5);
        let read = [Order::Forward, Order::Backward].map(read::sql_of_page);
        (append, steps(&connection, &[&read[0], &read[1]]))
    });
    assert!(costs[0].0 > 50 && costs[0].1 > 50, "{costs:?}");
    assert_eq!(costs[0], costs[1]);
}

/// What is done for every append, get and page is prepared once.
#[test]
fn no_statement_is_prepared_again() {
    let (connection, id) = database(10);
    let limit = std::num::NonZeroU32::new(2);
    for number in 100..110 {
        put(&connection, id, &[samples::said(number, "new"), samples::noted(number, "new")]);
        page(&connection, id, &Reading { limit, ..Reading::backward() }).unwrap();
        page(&connection, id, &Reading::from(Seq::new(u64::from(number) - 95).unwrap())).unwrap();
    }
    let session = crate::find::select("sessions WHERE id = ?1");
    let insert = "INSERT INTO records (key, id, record) VALUES (?1, ?2, ?3)";
    let [forward, backward] = [Order::Forward, Order::Backward].map(read::sql_of_page);
    for sql in [&session, BY_ID, insert, &forward, &backward] {
        let statement = connection.prepare_cached(sql).unwrap();
        assert!(statement.get_status(StatementStatus::Run) >= 10, "{sql}");
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}

#[test]
fn a_damaged_row_ends_no_page_and_every_page_goes_on() {
    let (connection, id) = database(12);
    connection
        .execute_batch(
            "UPDATE records SET record = '{' WHERE key & 0xff IN (1, 5, 6, 12);
             DELETE FROM records WHERE key & 0xff IN (3, 8, 9);
             UPDATE records SET id = 'other' WHERE key & 0xff = 7;",
        )
        .unwrap();
    for order in [Order::Forward, Order::Backward] {
        for limit in [None, Some(1), Some(2), Some(3), Some(100)] {
            let limit = limit.and_then(std::num::NonZeroU32::new);
            let mut reading = Some(Reading { order, limit, ..Reading::ALL });
            let (mut numbers, mut places) = (Vec::new(), Vec::new());
            while let Some(next) = reading {
                let page = page(&connection, id, &next).unwrap();
                let is_empty = page.records.is_empty() && page.damaged.is_empty();
                assert!(!is_empty || page.next.is_none(), "an empty page that goes on");
                numbers.extend(page.records.iter().map(|record| record.seq.get()));
                places.extend(page.damaged.into_iter().map(|damage| damage.place));
                reading = page.next;
            }
            if order == Order::Backward {
                numbers.reverse();
                places.reverse();
            }
            assert_eq!(numbers, [2, 4, 10, 11], "{order:?} {limit:?}");
            let expected = [(1, 1), (3, 3), (5, 5), (6, 6), (7, 7), (8, 9), (12, 12)];
            let expected = expected.map(|(from, to)| {
                let (key, last) = ((1_i64 << 40) + from, (1_i64 << 40) + to);
                if from == to {
                    format!("records row {key} (session {id}, record {from})")
                } else {
                    format!("records rows {key} to {last} (session {id}, records {from} to {to})")
                }
            });
            assert_eq!(places, expected, "{order:?} {limit:?}");
        }
    }
}

#[test]
fn a_page_ends_where_it_has_enough_bytes() {
    let (connection, id) = database(4);
    let large = "x".repeat(Reading::PAGE_BYTES / 2);
    let entries: Vec<_> = (11..=15).map(|number| samples::said(number, &large)).collect();
    put(&connection, id, &entries);
    let mut reading = Some(Reading::ALL);
    let mut pages = Vec::new();
    while let Some(next) = reading {
        let page = page(&connection, id, &next).unwrap();
        pages.push(page.records.len());
        reading = page.next;
    }
    assert_eq!(pages, [6, 2, 1]);
}
