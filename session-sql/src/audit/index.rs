//! Looking at the text index: that it has the words of what it is said to have, and nothing else.

use rusqlite::Connection;
use session_core::Damage;
use session_core::search::tokens;

use super::{Audit, Fault};
use crate::error::SqlError;
use crate::history;
use crate::key::Key;

/// Every record with what the index has of it, and every entry of the index without a record.
const PAIRS: &str = "SELECT r.key, r.id, r.record, d.docid, coalesce(s.indexed, 0) FROM records AS r \
     LEFT JOIN sessions AS s ON s.seq = r.key >> 40 LEFT JOIN docs AS d ON d.key = r.key";
const STRAYS: &str = "SELECT count(*) FROM docs WHERE key NOT IN (SELECT key FROM records)";
const WORDLESS: &str =
    "SELECT count(*) FROM docs WHERE docid NOT IN (SELECT id FROM words_docsize)";
const UNKNOWN: &str = "SELECT count(*) FROM words_docsize WHERE id NOT IN (SELECT docid FROM docs)";

pub(super) fn look(snapshot: &Connection, audit: &mut Audit) -> Result<(), SqlError> {
    let count = |sql| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut wrong = Vec::new();
    let (mut missing, mut early) = (0, 0);
    let mut statement = snapshot.prepare(PAIRS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number = i64::try_from(Key::new(row.get(0)?).number()).unwrap_or(i64::MAX);
        let is_there = row.get::<_, Option<i64>>(3)?.is_some();
        if number > row.get(4)? {
            early += i64::from(is_there);
        } else if !is_there
            && let Ok(record) = history::read_row(row, 0)?
            && tokens(&record.entry.text()).next().is_some()
        {
            missing += 1;
        }
    }
    for (count, what) in [
        (missing, "records that should be in it are not"),
        (early, "records are in it that are not counted"),
        (count(STRAYS)?, "of its entries belong to no record"),
        (count(WORDLESS)?, "of its entries have no words"),
        (count(UNKNOWN)?, "of its words belong to no entry"),
    ] {
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    if !wrong.is_empty() {
        let damage = Damage { place: "the text index".to_owned(), reason: wrong.join(", ") };
        audit.add(Fault::Index, damage);
    }
    Ok(())
}
