//! The format: its version, the steps that lead to it, and how a database says that it is ours.

use std::path::Path;

use rusqlite::Connection;
use session_core::StoreError;

use crate::error::SqlError;

/// The version of the format that this crate reads and writes, kept in `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 2;

/// Marks a database as a session store: `SESS` in ASCII, kept in `PRAGMA application_id`.
pub const APPLICATION_ID: i32 = 0x5345_5353;

/// A table without which a database of the present version is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) contents: Contents,
}

/// How what stands in a table is rescued when the database is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contents {
    /// Row by row along the rowids, which are positive.
    Rows,
    /// From both ends of its key: few rows of a table without rowids.
    Keyed(&'static str),
    /// Not at all: this statement computes it from tables that come before it.
    Derived(&'static str),
}

/// All tables, those first from which others are computed.
pub(crate) const TABLES: [Table; 7] = [
    Table { name: "meta", contents: Contents::Keyed("key") },
    Table { name: "sessions", contents: Contents::Rows },
    Table {
        name: "labels",
        contents: Contents::Derived(
            "INSERT OR IGNORE INTO labels (session, key, value) SELECT s.seq, l.key, l.value \
             FROM sessions s, json_each(iif(json_valid(s.record), s.record, '{}'), '$.labels') l \
             WHERE l.type = 'text'",
        ),
    },
    Table { name: "records", contents: Contents::Rows },
    Table { name: "tombstones", contents: Contents::Keyed("id") },
    // The text index begins anew: the next writers put into it what is rescued.
    Table {
        name: "docs",
        contents: Contents::Derived("UPDATE sessions SET indexed = 0 WHERE indexed <> 0"),
    },
    Table {
        name: "words",
        contents: Contents::Derived("DELETE FROM meta WHERE key = 'displacement'"),
    },
];

/// One step from a version of the format to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version that the step leads to, from the one before it.
    pub version: i64,
    /// What the step is about.
    pub name: &'static str,
    /// What it executes, in one transaction with all other steps that are needed.
    pub sql: &'static str,
}

/// The ordered steps from an empty database, which is version 0, to [`SCHEMA_VERSION`].
#[must_use]
pub const fn migrations() -> &'static [Migration] {
    const PLAN: &[Migration] = &[
        Migration {
            version: 1,
            name: "sessions",
            sql: include_str!("migrations/0001_sessions.sql"),
        },
        Migration { version: 2, name: "records", sql: include_str!("migrations/0002_records.sql") },
    ];
    PLAN
}

/// What stands in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing at all: version 0.
    Blank,
    /// A store of this version.
    Store(i64),
}

impl Standing {
    /// Reads it, changing nothing.
    ///
    /// # Errors
    /// `NotAStore` for a database of another program, `Corrupt` for a version that none of ours ever was.
    pub(crate) fn read(connection: &Connection, path: &Path) -> Result<Self, SqlError> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let ours = application == i64::from(APPLICATION_ID);
        match (ours, version) {
            (true, 1..) => Ok(Self::Store(version)),
            (_, 0) if objects == 0 && (ours || application == 0) => Ok(Self::Blank),
            (true, _) => Err(corrupt(path, format!("its format version is {version}"))),
            (false, _) => Err(StoreError::NotAStore {
                path: path.to_owned(),
                reason: "it is the database of another program".to_owned(),
            }
            .into()),
        }
    }

    pub(crate) const fn version(self) -> i64 {
        match self {
            Self::Blank => 0,
            Self::Store(version) => version,
        }
    }

    /// Refuses what a newer program wrote.
    pub(crate) fn check_supported(self, supported: i64, path: &Path) -> Result<(), StoreError> {
        match self.version() {
            found if found > supported => {
                Err(StoreError::NewerVersion { path: path.to_owned(), found, supported })
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a store of the present version has its tables.
///
/// # Errors
/// `Corrupt` when it has not.
pub(crate) fn check_tables(connection: &Connection, path: &Path) -> Result<(), SqlError> {
    for Table { name, .. } in TABLES {
        if !has_table(connection, name)? {
            return Err(corrupt(path, format!("it has no table {name}")));
        }
    }
    Ok(())
}

/// Whether there is a table of this name.
pub(crate) fn has_table(connection: &Connection, name: &str) -> Result<bool, SqlError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    Ok(connection.prepare(sql)?.exists([name])?)
}

/// The number that changes when the content of the store is replaced.
///
/// # Errors
/// `Corrupt` when there is none.
pub(crate) fn generation(connection: &Connection, path: &Path) -> Result<u64, SqlError> {
    let mut statement =
        connection.prepare_cached("SELECT value FROM meta WHERE key = 'generation'")?;
    let mut rows = statement.query([])?;
    let value = rows.next()?.and_then(|row| row.get_ref(0).ok()?.as_i64().ok());
    value
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| corrupt(path, "it has no generation".to_owned()))
}

fn corrupt(path: &Path, reason: String) -> SqlError {
    StoreError::Corrupt { place: path.display().to_string(), reason }.into()
}
