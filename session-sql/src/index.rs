//! The text index: the tokens of records in an FTS5 table without content, found by numbers that grow with their time.
//!
//! It trails: appending never touches it. Each session knows how many of its records are in it, and whoever searches
//! reads the rest. So it may be behind, and the answer is the same.

mod docid;
mod step;

use rusqlite::Connection;

use crate::error::SqlError;
use crate::key::SessionSeq;
use crate::writer::Trail;

pub(crate) use docid::{Scale, displacement};
pub(crate) use step::{UNINDEXED, step};

/// The text index as something that trails behind the writes.
#[derive(Debug)]
pub(crate) struct TextIndex {
    pub(crate) scale: Scale,
}

impl Trail for TextIndex {
    fn step(&mut self, connection: &Connection) -> Result<bool, SqlError> {
        step(connection, self.scale)
    }
}

/// Takes the records of a session out, before they are destroyed.
pub(crate) fn remove(connection: &Connection, session: SessionSeq) -> Result<(), SqlError> {
    let keys = session.keys();
    remove_keys(connection, *keys.start(), *keys.end())
}

/// Takes the records of these keys out, both included.
pub(crate) fn remove_keys(connection: &Connection, first: i64, last: i64) -> Result<(), SqlError> {
    for sql in [
        "DELETE FROM words WHERE rowid IN (SELECT docid FROM docs WHERE key BETWEEN ?1 AND ?2)",
        "DELETE FROM docs WHERE key BETWEEN ?1 AND ?2",
    ] {
        connection.prepare_cached(sql)?.execute([first, last])?;
    }
    Ok(())
}

/// Begins anew: an index without entries, which every record is behind.
pub(crate) fn clear(connection: &Connection) -> Result<(), SqlError> {
    connection.execute_batch(
        "DROP TABLE IF EXISTS words;
         CREATE VIRTUAL TABLE words USING fts5 (
             text, content = '', contentless_delete = 1, tokenize = 'ascii', detail = full
         );
         DELETE FROM docs;
         DELETE FROM meta WHERE key = 'displacement';
         UPDATE sessions SET indexed = 0 WHERE indexed <> 0;",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
