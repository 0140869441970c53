//! The plan of migrations, and the fixtures of released formats.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::path::{Path, PathBuf};

use session_core::{
    LabelKey, Observer, Query, Scope, Selector, Session, SessionStore, SessionStoreExt, Timestamp,
};
use session_sql::{APPLICATION_ID, SCHEMA_VERSION, SqlStore, migrations};

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

/// `v1.db` was written by the first version; `v1.jsonl` holds its records, which must forever be read.
#[test]
fn the_store_of_version_1_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    std::fs::copy(fixture("v1.db"), &path).unwrap();
    let golden = std::fs::read_to_string(fixture("v1.jsonl")).unwrap();
    let golden: Vec<(&str, Session)> =
        golden.lines().map(|line| (line, serde_json::from_str(line).unwrap())).collect();
    assert_eq!(golden.len(), 8);

    let store = SqlStore::open_read_only(&path).unwrap().unwrap();
    for (_, session) in &golden {
        assert_eq!(store.get(session.id()).unwrap(), *session);
    }
    let mut query = Query::new(Observer { now: Timestamp::default(), live_host: None });
    query.scope = Scope::All;
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    let mut listed = page.sessions;
    listed.sort_by_key(Session::id);
    let current: Vec<_> =
        golden.iter().map(|(_, session)| session).filter(|s| !s.is_trashed()).cloned().collect();
    assert_eq!(listed, current);
    let team = (LabelKey::parse("team").unwrap(), "core".to_owned());
    query.labels = vec![team];
    assert_eq!(store.list(&query).unwrap().sessions.len(), 2);
    assert!(store.find(&Selector::parse("full-1").unwrap()).is_ok());
    drop(store);

    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut statement = connection.prepare("SELECT record FROM sessions ORDER BY id").unwrap();
    let records: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(records, golden.iter().map(|(line, _)| *line).collect::<Vec<_>>());
}
