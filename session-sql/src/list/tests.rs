//! What is read for a listing, whatever is answered.

use std::num::NonZeroU32;

use rusqlite::StatementStatus;
use session_core::{Launch, Observer, Session, SessionId, Timestamp};

use super::*;

/// An empty database.
pub(super) fn empty() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for step in crate::migrations() {
        connection.execute_batch(step.sql).unwrap();
    }
    connection
}

/// The session of this number, with a program.
pub(super) fn launched(number: i64) -> Session {
    let at = Timestamp::from_millis(number);
    let mut session = Session::new(SessionId::from_parts(at, 7), at);
    session.launch = Some(Launch {
        argv: vec!["true".to_owned()],
        workdir: "/".to_owned(),
        ..Launch::default()
    });
    session
}

pub(super) fn insert(connection: &Connection, session: &Session) {
    row::insert(connection, session, row::json(session).unwrap()).unwrap();
}

pub(super) fn observer(now: i64) -> Observer {
    Observer { now: Timestamp::from_millis(now), live_host: None }
}

/// A database of `count` sessions, every second of them closed.
fn database(count: i64) -> Connection {
    let connection = empty();
    connection.execute_batch("BEGIN").unwrap();
    for number in 0..count {
        let mut session = launched(number);
        if number % 2 == 0 {
            session.lifecycle.status = Status::Closed;
        }
        insert(&connection, &session);
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

/// Steps that SQLite's machine takes for one page, which is what the page costs whatever the clock says.
fn steps(connection: &Connection, query: &Query) -> i32 {
    let candidates = Candidates::of(query).unwrap();
    let Way::Ordered(sql) = Way::of(connection, query, &candidates).unwrap() else { panic!() };
    let mut statement = connection.prepare(&sql).unwrap();
    bind(&mut statement, &candidates.values).unwrap();
    {
        let mut rows = statement.raw_query();
        for _ in 0..50 {
            assert!(rows.next().unwrap().is_some());
        }
    }
    assert_eq!(statement.get_status(StatementStatus::Sort), 0);
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn a_page_of_many_sessions_costs_what_a_page_of_few_costs() {
    let (few, many) = (database(400), database(4_000));
    for (sort, scope) in [
        (Sort::Updated, Scope::Current),
        (Sort::Created, Scope::Current),
        (Sort::Updated, Scope::All),
        (Sort::Created, Scope::All),
        (Sort::Name, Scope::All),
    ] {
        let mut query = Query::new(observer(0));
        (query.sort, query.scope, query.limit) = (sort, scope, NonZeroU32::new(40));
        let first = steps(&few, &query);
        assert_eq!(steps(&many, &query), first, "{sort:?} {scope:?}");
        // The second page, which begins in the middle, costs no more than a seek.
        query.cursor = page(&many, &query, 1).unwrap().next;
        assert!(query.cursor.is_some());
        assert!(steps(&many, &query) < 2 * first, "{sort:?} {scope:?}");
    }
}

/// A session is a candidate for a status that it is only seen in when its columns say that it may be.
#[test]
fn what_cannot_be_seen_otherwise_is_not_read() {
    let connection = database(200);
    let mut late = launched(1_000);
    late.lifecycle.expiry = session_core::Expiry::At(Timestamp::from_millis(50));
    insert(&connection, &late);
    let candidates = |now: i64, status: Status| {
        let mut query = Query::new(observer(now));
        (query.scope, query.statuses) = (Scope::All, BTreeSet::from([status]));
        let candidates = Candidates::of(&query).unwrap();
        let (Way::Ordered(sql) | Way::Sorted(sql)) =
            Way::of(&connection, &query, &candidates).unwrap();
        let mut statement = connection.prepare(&sql).unwrap();
        bind(&mut statement, &candidates.values).unwrap();
        statement.raw_query().mapped(|_| Ok(())).count()
    };
    assert_eq!(candidates(60, Status::Closed), 100);
    assert_eq!(candidates(60, Status::Failed), 1);
    assert_eq!(candidates(60, Status::Expired), 1);
    assert_eq!(candidates(40, Status::Expired), 0);
}
