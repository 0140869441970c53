//! Catching up: records that are not in the text index yet are put into it, a bounded number at a time.

use rusqlite::Connection;
use session_core::search::tokens;

use crate::error::SqlError;
use crate::history;
use crate::index::Scale;
use crate::index::docid::Numbering;
use crate::key::{Key, SessionSeq};

/// How many records one step takes at most.
const RECORDS: usize = 256;

/// How many bytes of records one step reads at most, but for the last record.
const BYTES: usize = 1 << 20;

/// Sessions with records that are not in the index: number, how many are, and how many there are.
pub(crate) const UNINDEXED: &str = "SELECT seq, indexed, records FROM sessions \
     INDEXED BY sessions_unindexed WHERE indexed < records AND seq > ?1 ORDER BY seq";

/// How much a step may still do.
struct Left {
    records: usize,
    bytes: usize,
}

/// Does a part of what is left, and says whether something is left after it.
///
/// Records without words are only counted. So are damaged ones: whoever reads or checks is told of them.
pub(crate) fn step(connection: &Connection, scale: Scale) -> Result<bool, SqlError> {
    let mut left = Left { records: RECORDS, bytes: BYTES };
    let mut numbering = Numbering::new(connection, scale)?;
    let mut last = -1;
    let is_left = loop {
        let Some((session, indexed, records)) = next_session(connection, last)? else {
            break false;
        };
        if left.records == 0 || left.bytes == 0 {
            break true;
        }
        let reached =
            session_step(connection, session, indexed, records, &mut numbering, &mut left)?;
        let sql = "UPDATE sessions SET indexed = ?2 WHERE seq = ?1";
        connection.prepare_cached(sql)?.execute([session.get(), reached])?;
        if reached < records {
            break true;
        }
        last = session.get();
    };
    numbering.keep(connection)?;
    Ok(is_left)
}

fn next_session(
    connection: &Connection,
    last: i64,
) -> Result<Option<(SessionSeq, i64, i64)>, SqlError> {
    let mut statement = connection.prepare_cached(UNINDEXED)?;
    let mut rows = statement.query([last])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((SessionSeq::new(row.get(0)?)?, row.get(1)?, row.get(2)?)))
}

/// Puts records of one session into the index, and returns the number of the last that was.
fn session_step(
    connection: &Connection,
    session: SessionSeq,
    indexed: i64,
    records: i64,
    numbering: &mut Numbering,
    left: &mut Left,
) -> Result<i64, SqlError> {
    let sql = "SELECT key, id, record FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let first = *session.keys_after(u64::try_from(indexed).unwrap_or(0)).start();
    let last = session.keys().start().saturating_add(records).min(*session.keys().end());
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let key = Key::new(row.get(0)?);
        left.records -= 1;
        left.bytes =
            left.bytes.saturating_sub(row.get_ref(2)?.as_bytes().unwrap_or_default().len());
        if let Ok(record) = history::read_row(row, 0)? {
            let words = joined(&record.entry.text());
            if !words.is_empty() {
                let docid = numbering.take(connection, record.entry.at)?;
                insert(connection, docid, key, &words)?;
            }
        }
        if left.records == 0 || left.bytes == 0 {
            return Ok(i64::try_from(key.number()).unwrap_or(records));
        }
    }
    // What is missing at the end will never be there.
    Ok(records)
}

fn insert(connection: &Connection, docid: i64, key: Key, words: &str) -> Result<(), SqlError> {
    // One that is there already stays: somebody has put the mark of its session back.
    let sql = "INSERT OR IGNORE INTO docs (docid, key) VALUES (?1, ?2)";
    if connection.prepare_cached(sql)?.execute([docid, key.get()])? == 1 {
        let sql = "INSERT INTO words (rowid, text) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute((docid, words))?;
    }
    Ok(())
}

/// The words of a text as the index gets them.
pub(crate) fn joined(text: &str) -> String {
    let mut words = String::new();
    for token in tokens(text) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&token.text);
    }
    words
}
