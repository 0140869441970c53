//! FORMAT.md says what the code does.

use session_core::SessionStore;
use session_sql::{APPLICATION_ID, SCHEMA_VERSION, SqlStore, migrations};

const DOCUMENT: &str = include_str!("../FORMAT.md");

#[test]
fn the_document_names_every_object_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    SqlStore::open(&path).unwrap().close().unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT s.name FROM sqlite_schema s WHERE s.name NOT LIKE 'sqlite_%'
        UNION SELECT c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'";
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.len() > 25);
    for name in names {
        assert!(DOCUMENT.contains(&format!("`{name}`")), "FORMAT.md does not name {name}");
    }
}

#[test]
fn the_document_has_the_constants_and_the_history() {
    assert!(DOCUMENT.contains(&format!("`0x{APPLICATION_ID:08x}`")));
    assert!(DOCUMENT.contains(&format!("`user_version` {SCHEMA_VERSION}")));
    for step in migrations() {
        assert!(DOCUMENT.contains(&format!("| {} | `{}` |", step.version, step.name)));
    }
}

/// What people are told to type works, and finds something.
#[test]
fn the_examples_run() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v2.db");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    std::fs::copy(fixture, &path).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let blocks = DOCUMENT.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut statements = 0;
    for sql in blocks.flat_map(|block| block.split_terminator(";\n")) {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query([]).unwrap().mapped(|_| Ok(())).count();
        assert!(rows > 0, "{sql}");
        statements += 1;
    }
    assert_eq!(statements, 7);
}
