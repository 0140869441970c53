//! Searching: candidates out of the text index, newest first, and what is not in it yet.
//!
//! What belongs to the answer is decided by [`Search::matches`] alone. The index only says where to look. The number of a document is never before the time of its record, so a page is whole once
//! the next number is before its last hit.

mod page;
mod render;

use rusqlite::Connection;
use session_core::{Hits, Search};

use crate::error::SqlError;
use crate::index::{Scale, UNINDEXED};
use crate::key::SessionSeq;
use crate::search::page::Gathering;

/// The candidates of a search in the text index, newest first. `?4` and `?5` are the keys that may be found.
const CANDIDATES: &str = "SELECT r.key, r.id, r.record, d.docid, d.key FROM words AS w \
     CROSS JOIN docs AS d ON d.docid = w.rowid LEFT JOIN records AS r ON r.key = d.key \
     WHERE words MATCH ?1 AND w.rowid >= ?2 AND w.rowid < ?3 AND d.key BETWEEN ?4 AND ?5 \
     ORDER BY w.rowid DESC";

/// A stretch of a history.
const STRETCH: &str =
    "SELECT key, id, record FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key";

/// Up to so many records the history of the one session that is searched is read, whatever the index has: a common
/// word stands in many more records of others.
const SHORT: i64 = 4096;

/// One page of what is found, in one snapshot, of a store in this generation.
///
/// # Errors
/// `StaleCursor`; whatever SQLite reports.
pub(crate) fn page(
    snapshot: &Connection,
    search: &Search,
    generation: u64,
    scale: Scale,
) -> Result<Hits, SqlError> {
    search.check_cursor(generation)?;
    let mut gathering = Gathering::new(snapshot, search);
    match search.session {
        Some(id) => {
            let found = snapshot
                .prepare_cached("SELECT seq, indexed, records FROM sessions WHERE id = ?1")?
                .query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            let (seq, indexed, records): (i64, i64, i64) = match found {
                Err(rusqlite::Error::QueryReturnedNoRows) => {
                    return Ok(gathering.finish(generation));
                }
                found => found?,
            };
            let session = SessionSeq::new(seq)?;
            if records > SHORT {
                gathering.unindexed(session, indexed, records)?;
                gathering.indexed(scale, session.keys())?;
            } else {
                gathering.unindexed(session, 0, records)?;
            }
        }
        None => {
            let mut statement = snapshot.prepare_cached(UNINDEXED)?;
            let mut rows = statement.query([-1])?;
            while let Some(row) = rows.next()? {
                let session = SessionSeq::new(row.get(0)?)?;
                gathering.unindexed(session, row.get(1)?, row.get(2)?)?;
            }
            gathering.indexed(scale, 0..=i64::MAX)?;
        }
    }
    Ok(gathering.finish(generation))
}

#[cfg(test)]
mod tests;
