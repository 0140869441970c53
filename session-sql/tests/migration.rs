//! The plan of migrations, and the fixtures of released formats.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};

use session_core::{
    Binding, Expression, LabelKey, Lease, Observer, Query, Reading, RecordStore, Records, Scope,
    Search, Selector, Session, SessionStore, SessionStoreExt, Status, StoreError, StoreUpkeep,
    Timestamp,
};
use session_sql::{APPLICATION_ID, SCHEMA_VERSION, SqlStore, migrations};
use session_testkit::{content, samples};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Every object of a database with the SQL that made it.
fn schema(connection: &rusqlite::Connection) -> Vec<(String, Option<String>)> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn the_plan_leads_to_the_present_version_step_by_step() {
    let versions: Vec<_> = migrations().iter().map(|step| step.version).collect();
    assert_eq!(versions, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
}

#[test]
fn a_new_store_is_what_the_plan_makes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    SqlStore::open(&path).unwrap().close().unwrap();
    let stored = rusqlite::Connection::open(&path).unwrap();
    let planned = rusqlite::Connection::open_in_memory().unwrap();
    for step in migrations() {
        planned.execute_batch(step.sql).unwrap();
    }
    assert_eq!(schema(&stored), schema(&planned));
    let pragma = |name| stored.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("user_version"), SCHEMA_VERSION);
    assert_eq!(pragma("application_id"), i64::from(APPLICATION_ID));
}

#[test]
fn a_present_store_is_opened_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    SqlStore::open(&path).unwrap().close().unwrap();
    let before = std::fs::read(&path).unwrap();
    SqlStore::open(&path).unwrap().close().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// A copy of a fixture, to be opened and migrated.
fn copied(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    std::fs::copy(fixture(name), &path).unwrap();
    (dir, path)
}

/// The records of all sessions, as they stand in the rows.
fn records(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT record FROM sessions ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn everything() -> Query {
    let mut query = Query::new(Observer { now: Timestamp::default(), live_host: None });
    query.scope = Scope::All;
    query
}

/// `v1.db` was written by the first version; `v1.jsonl` holds its records, which must forever be read.
#[test]
fn the_store_of_version_1_is_read_as_it_was_written() {
    let (_dir, path) = copied("v1.db");
    let golden = std::fs::read_to_string(fixture("v1.jsonl")).unwrap();
    let golden: Vec<(&str, Session)> =
        golden.lines().map(|line| (line, serde_json::from_str(line).unwrap())).collect();
    assert_eq!(golden.len(), 8);

    let refused = SqlStore::open_read_only(&path).unwrap_err();
    assert!(matches!(refused, StoreError::Unsupported { .. }), "{refused:?}");
    let before = std::fs::read(&path).unwrap();
    let store = SqlStore::open(&path).unwrap();
    assert_eq!(std::fs::read(path.with_extension("db.v1.backup")).unwrap().len(), before.len());
    for (_, session) in &golden {
        assert_eq!(store.get(session.id()).unwrap(), *session);
        assert_eq!(store.read(session.id(), &Reading::ALL).unwrap(), Records::default());
    }
    let page = store.list(&everything()).unwrap();
    assert_eq!(page.damaged, []);
    let mut listed = page.sessions;
    listed.sort_by_key(Session::id);
    let current: Vec<_> =
        golden.iter().map(|(_, session)| session).filter(|s| !s.is_trashed()).cloned().collect();
    assert_eq!(listed, current);
    let team = (LabelKey::parse("team").unwrap(), "core".to_owned());
    let labels = vec![team];
    assert_eq!(store.list(&Query { labels, ..everything() }).unwrap().sessions.len(), 2);
    assert!(store.find(&Selector::parse("full-1").unwrap()).is_ok());
    // Columns that the migration has computed are those that the record says.
    let report = store.check().unwrap();
    assert_eq!((report.sessions, report.damaged), (8, Vec::new()));
    assert_eq!(records(&path), golden.iter().map(|(line, _)| *line).collect::<Vec<_>>());

    // What came with version 2 works in it.
    let id = current[0].id();
    store.append(id, &[samples::said(1, "hello")], samples::at(1)).unwrap();
    let search = Search::new(Expression::parse("hello").unwrap());
    assert_eq!(store.search(&search).unwrap().hits.len(), 1);
    assert_eq!(store.check().unwrap().damaged, []);
}

/// Whatever a newer version had put into a store of version 1 becomes what this version knows.
#[test]
fn members_that_version_1_did_not_know_become_columns() {
    let (_dir, path) = copied("v1.db");
    let base = &samples::json(&samples::full(20));
    let mut leased = samples::full(21);
    leased.lifecycle.status = Status::Completed;
    let mut given_back = leased.clone();
    given_back.identity.id = samples::id(22);
    if let Some(lease) = &mut leased.lease {
        lease.ended_at = None;
        lease.binding = None;
    }
    let mut bound = samples::named(23, "bound");
    let binding = Binding { agent: "a".to_owned(), ..Binding::default() };
    bound.lease = Some(Lease { binding: Some(binding), ..Lease::default() });
    let sessions = [serde_json::from_str(base).unwrap(), leased, given_back, bound];
    let connection = rusqlite::Connection::open(&path).unwrap();
    for session in &sessions {
        insert_as_version_1(&connection, session);
    }
    let broken = "INSERT INTO sessions SELECT 1000, 'x', 'x', revision, 'broken', 'pending', created_at, updated_at, \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 1, '{' FROM sessions LIMIT 1";
    assert_eq!(connection.execute(broken, []).unwrap(), 1);
    drop(connection);

    let store = SqlStore::open(&path).unwrap();
    for session in &sessions {
        assert_eq!(store.get(session.id()).unwrap(), *session);
    }
    let query = Query { role: Some(samples::role("implementer")), ..everything() };
    assert_eq!(store.list(&query).unwrap().sessions.len(), 3);
    let query = Query { chat: Some(String::new()), ..everything() };
    assert_eq!(store.list(&query).unwrap().sessions.len(), 1);
    // The one that was damaged before still is, and nothing else.
    let damaged = store.check().unwrap().damaged;
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].place.starts_with("sessions row 1000"));
    // A lease that stands holds its name, one that was given back does not.
    let taken = store.create(samples::named(30, "full-21"));
    assert!(matches!(taken, Err(StoreError::NameHeld { .. })), "{taken:?}");
}

/// Stores a session as version 1 did, which knew no leases.
fn insert_as_version_1(connection: &rusqlite::Connection, session: &Session) {
    let id = session.id().to_string();
    let (lifecycle, launch) = (&session.lifecycle, session.launch.as_ref());
    let process = session.process.as_ref();
    let sql = "INSERT INTO sessions (id, id_reversed, revision, name, status, created_at, updated_at, deadline, \
        parent, tool, workdir, process_state, process_host, internal, is_empty, record) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    let values = rusqlite::params![
        id,
        id.chars().rev().collect::<String>(),
        1,
        session.name().map(ToString::to_string),
        lifecycle.status.as_str(),
        lifecycle.created_at.as_millis(),
        lifecycle.updated_at.as_millis(),
        lifecycle.deadline().map(Timestamp::as_millis),
        session.identity.parent.map(|parent| parent.to_string()),
        launch.and_then(|launch| launch.tool.clone()),
        launch.map(|launch| launch.workdir.clone()),
        process.map(|process| process.state.as_str()),
        process.and_then(|process| Some(process.host.as_ref()?.instance.clone())),
        launch.is_some_and(|launch| launch.internal),
        launch.is_none() && process.is_none(),
        samples::json(session),
    ];
    connection.execute(sql, values).unwrap();
    for (key, value) in &session.identity.labels {
        let sql = "INSERT INTO labels SELECT seq, ?2, ?3 FROM sessions WHERE id = ?1";
        connection.execute(sql, (&id, key.as_str(), value)).unwrap();
    }
}

/// `v2.db` was written by the second version; `v2.jsonl` is what it holds, as a bundle.
#[test]
fn the_store_of_version_2_is_read_as_it_was_written() {
    let (_dir, path) = copied("v2.db");
    let golden = std::fs::read_to_string(fixture("v2.jsonl")).unwrap();
    let store = SqlStore::open(&path).unwrap();
    assert_eq!(content(&store), golden.lines().collect::<Vec<_>>());
    assert_eq!(store.check().unwrap().damaged, []);
    let search = Search::new(Expression::parse("said").unwrap());
    assert!(!store.search(&search).unwrap().hits.is_empty());
}
