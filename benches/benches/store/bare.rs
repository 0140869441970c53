//! The limits: SQLite and a file with nothing of ours on top.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use rusqlite::Connection;
use session_benches::sessions::observer;
use session_core::{Query, Session};
use tempfile::TempDir;

/// As durable as the store: a commit is on the medium when it returns.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

/// The least that answers what is measured: one table, the record as text, an index for each question.
const SCHEMA: &str = "
    CREATE TABLE sessions (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        open INTEGER NOT NULL,
        listed INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX by_name ON sessions (name);
    CREATE INDEX by_updated ON sessions (updated_at DESC, id DESC) WHERE listed = 1;";

const INSERT: &str = "INSERT INTO sessions (id, name, updated_at, open, listed, record) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// A SQLite database with a table of sessions.
#[derive(Debug)]
pub(crate) struct BareSql(Connection);

/// A session as the table has it.
#[derive(Debug)]
pub(crate) struct Row {
    id: String,
    name: String,
    updated_at: i64,
    open: bool,
    listed: bool,
    record: String,
}

impl BareSql {
    /// The database at `path`, which is made when it is missing.
    pub(crate) fn open(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(PRAGMAS).unwrap();
        Self(connection)
    }

    /// Makes the table and fills it, all in one transaction.
    pub(crate) fn fill(&self, sessions: impl Iterator<Item = Session>) {
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        self.0.execute_batch(SCHEMA).unwrap();
        for session in sessions {
            self.insert(&Self::row(&session));
        }
        self.0.execute_batch("COMMIT").unwrap();
    }

    /// A session as the table has it.
    pub(crate) fn row(session: &Session) -> Row {
        Row {
            id: session.id().to_string(),
            name: session.name().map(ToString::to_string).unwrap_or_default(),
            updated_at: session.lifecycle.updated_at.as_millis(),
            open: session.status().is_open(),
            listed: Query::new(observer()).matches(session),
            record: serde_json::to_string(session).unwrap(),
        }
    }

    /// The record with this id.
    pub(crate) fn get(&self, id: &str) -> String {
        self.record("SELECT record FROM sessions WHERE id = ?1", id)
    }

    /// The record with this name.
    pub(crate) fn find(&self, name: &str) -> String {
        self.record("SELECT record FROM sessions WHERE name = ?1", name)
    }

    /// The records that changed last.
    pub(crate) fn list(&self, limit: u32) -> Vec<String> {
        let sql = "SELECT record FROM sessions WHERE listed = 1 \
            ORDER BY updated_at DESC, id DESC LIMIT ?1";
        let mut statement = self.0.prepare_cached(sql).unwrap();
        let records = statement.query_map([limit], |row| row.get(0)).unwrap();
        records.map(Result::unwrap).collect()
    }

    /// Stores a row durably, once it is sure that neither its id nor its name is taken.
    pub(crate) fn create(&self, row: &Row) {
        let execute = |sql| self.0.prepare_cached(sql).unwrap().execute([]).unwrap();
        let exists = |sql, text: &str| self.0.prepare_cached(sql).unwrap().exists([text]).unwrap();
        execute("BEGIN IMMEDIATE");
        assert!(!exists("SELECT 1 FROM sessions WHERE id = ?1", &row.id));
        assert!(!exists("SELECT 1 FROM sessions WHERE name = ?1 AND open = 1", &row.name));
        self.insert(row);
        execute("COMMIT");
    }

    fn insert(&self, row: &Row) {
        let Row { id, name, updated_at, open, listed, record } = row;
        let mut statement = self.0.prepare_cached(INSERT).unwrap();
        statement.execute((id, name, updated_at, open, listed, record)).unwrap();
    }

    fn record(&self, sql: &str, key: &str) -> String {
        self.0.prepare_cached(sql).unwrap().query_row([key], |row| row.get(0)).unwrap()
    }
}

/// A file that lines are appended to.
#[derive(Debug)]
pub(crate) struct BareFile {
    file: File,
    _directory: TempDir,
}

impl BareFile {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let directory = crate::backend::directory();
        let path = directory.path().join("lines");
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Self { file, _directory: directory }
    }

    /// Appends a line; it is on the medium when this returns.
    pub(crate) fn append(&self, line: &str) {
        (&self.file).write_all(line.as_bytes()).unwrap();
        self.file.sync_data().unwrap();
    }
}
