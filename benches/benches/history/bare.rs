//! The limits: SQLite, a file and a parser with nothing of ours on top.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;
use session_benches::{records, sessions};
use session_core::{Entry, Record, Seq, Session};
use tempfile::TempDir;

use crate::backend::directory;

/// As durable as the store: a commit is on the medium when it returns.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

/// The least that an append needs: the session, its records by number, and their ids.
const SCHEMA: &str = "
    CREATE TABLE sessions (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, updated_at INTEGER NOT NULL, record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX by_updated ON sessions (updated_at DESC, id DESC);
    CREATE TABLE records (key INTEGER PRIMARY KEY, id TEXT NOT NULL, record TEXT NOT NULL) STRICT;
    CREATE INDEX by_id ON records (key >> 40, id);";

/// A SQLite database with a session and its records.
#[derive(Debug)]
pub(crate) struct BareSql {
    connection: Connection,
    _directory: TempDir,
}

/// A record as the table has it, and the session as it is afterwards.
#[derive(Debug)]
pub(crate) struct Row {
    id: String,
    record: String,
    session: String,
}

impl BareSql {
    /// A database with so many records.
    pub(crate) fn new(count: u64) -> Self {
        let directory = directory();
        let connection = Connection::open(directory.path().join("bare.db")).unwrap();
        connection.execute_batch(PRAGMAS).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let bare = Self { connection, _directory: directory };
        bare.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let session = session();
        let insert = "INSERT INTO sessions (seq, id, updated_at, record) VALUES (1, ?1, 0, ?2)";
        bare.connection.execute(insert, (sessions::id(0).to_string(), &session)).unwrap();
        for number in 0..count {
            bare.insert(&bare.row(&records::entry(number).unwrap()));
        }
        bare.connection.execute_batch("COMMIT").unwrap();
        bare
    }

    /// The same with the words of all records in an index.
    pub(crate) fn with_words(count: u64) -> Self {
        let bare = Self::new(count);
        let schema =
            "CREATE VIRTUAL TABLE words USING fts5 (text, content = '', detail = full); BEGIN";
        bare.connection.execute_batch(schema).unwrap();
        let sql = "INSERT INTO words (rowid, text) VALUES (?1, ?2)";
        for number in 0..count {
            let entry = records::entry(number).unwrap();
            let text = entry.text();
            bare.connection
                .prepare_cached(sql)
                .unwrap()
                .execute((number.cast_signed(), text))
                .unwrap();
        }
        bare.connection.execute_batch("COMMIT").unwrap();
        bare
    }

    /// The session, parsed.
    pub(crate) fn get(&self) -> Session {
        let sql = "SELECT record FROM sessions WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let text: String =
            statement.query_row([sessions::id(0).to_string()], |row| row.get(0)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The last records, parsed.
    pub(crate) fn last(&self, count: u32) -> Vec<Record> {
        let sql = "SELECT record FROM records ORDER BY key DESC LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let texts = statement.query_map([count], |row| row.get::<_, String>(0)).unwrap();
        texts.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    }

    /// The numbers of the last records with these words.
    pub(crate) fn find(&self, words: &str, count: u32) -> Vec<i64> {
        let sql = "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let found = statement.query_map((words, count), |row| row.get(0)).unwrap();
        found.map(Result::unwrap).collect()
    }

    /// A record and its session as the tables have them.
    pub(crate) fn row(&self, entry: &Entry) -> Row {
        let record = Record::json_of(Seq::LAST, entry).unwrap().as_str().to_owned();
        Row { id: entry.id.to_string(), record, session: session() }
    }

    /// Appends a row durably, once it is sure that its id is new.
    pub(crate) fn append(&self, row: &Row) {
        let execute = |sql| self.connection.prepare_cached(sql).unwrap().execute([]).unwrap();
        execute("BEGIN IMMEDIATE");
        let sql = "SELECT record FROM sessions WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let id = sessions::id(0).to_string();
        let _stored: String = statement.query_row([&id], |row| row.get(0)).unwrap();
        let sql = "SELECT key FROM records WHERE key >> 40 = 1 AND id = ?1";
        assert!(!self.connection.prepare_cached(sql).unwrap().exists([&row.id]).unwrap());
        self.insert(row);
        let sql = "UPDATE sessions SET updated_at = updated_at + 1, record = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql).unwrap().execute((&id, &row.session)).unwrap();
        execute("COMMIT");
    }

    fn insert(&self, row: &Row) {
        let sql = "INSERT INTO records (key, id, record) \
            VALUES (1 + (SELECT coalesce(max(key), 1 << 40) FROM records), ?1, ?2)";
        self.connection.prepare_cached(sql).unwrap().execute((&row.id, &row.record)).unwrap();
    }
}

fn session() -> String {
    serde_json::to_string(&sessions::session(0).unwrap()).unwrap()
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
        let directory = directory();
        let path = directory.path().join("lines");
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Self { file, _directory: directory }
    }

    /// The bytes that say the same as an append to a JSONL store.
    pub(crate) fn lines(entry: &Entry) -> String {
        let record = Record::json_of(Seq::LAST, entry).unwrap();
        format!(
            "{{\"type\":\"record\",\"batch\":[1,2],\"record\":{record}}}\n{{\"type\":\"session\",\"batch\":[2,2],\"session\":{}}}\n",
            session()
        )
    }

    /// Appends lines; they are on the medium when this returns.
    pub(crate) fn append(&self, lines: &str) {
        (&self.file).write_all(lines.as_bytes()).unwrap();
        self.file.sync_data().unwrap();
    }
}

/// The lines of a file as plain derived types: every text is copied, nothing is checked.
pub(crate) fn parse(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let mut parsed = 0;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line = serde_json::from_slice(line).unwrap();
        parsed += u64::from(std::hint::black_box(line).record.is_some());
    }
    parsed
}

/// How many lines of a file hold both words, each line looked at once.
pub(crate) fn scan(path: &Path, words: [&str; 2]) -> usize {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is the work, not what is done with it")]
struct Line {
    r#type: Option<String>,
    batch: Option<(u32, u32)>,
    record: Option<Fields>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is the work, not what is done with it")]
struct Fields {
    seq: u64,
    id: String,
    at: String,
    r#type: String,
    message: Option<Message>,
    usage: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is the work, not what is done with it")]
struct Message {
    role: String,
    content: Vec<Block>,
    summary: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is the work, not what is done with it")]
struct Block {
    r#type: String,
    text: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
    output: Option<String>,
    is_error: Option<bool>,
}
