//! Histories: rows of `records`, how they are appended, read and destroyed.

mod append;
mod read;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use session_core::{Damage, Entry, Record, RecordId, Seq, SessionId, StoreError};

use crate::error::SqlError;
use crate::key::{Key, SessionSeq};

pub(crate) use append::{Batch, append};
pub(crate) use read::page;

/// The records of a session that have this id: one, unless another store had several.
///
/// SQLite prepares a statement anew with each value when it has to know one to see that the rows come in order, or how
/// many are wanted. That would cost an append a tenth more.
const BY_ID: &str = "SELECT key FROM records WHERE key >> 40 = ?1 AND id = ?2";

/// Reads a row of key, id and record, which begin at column `first`. A row whose record does not parse, or is another one
/// than its columns say, is damaged.
pub(crate) fn read_row(row: &Row<'_>, first: usize) -> Result<Result<Record, Damage>, SqlError> {
    let key = Key::new(row.get(first)?);
    let reason = match row.get_ref(first + 2)? {
        ValueRef::Text(json) => match serde_json::from_slice::<Record>(json) {
            Ok(record) if record.seq.get() != key.number() => {
                format!("its record has the number {}", record.seq)
            }
            Ok(record) if row.get_ref(first + 1)? != text(&record.entry.id) => {
                "its column id disagrees with its record".to_owned()
            }
            Ok(record) => return Ok(Ok(record)),
            Err(error) => format!("its record cannot be read: {error}"),
        },
        _ => "its record is no text".to_owned(),
    };
    Ok(Err(damage(key, None, reason)))
}

/// Damage in the row of a record. The session is named where it is known.
pub(crate) fn damage(key: Key, session: Option<SessionId>, reason: String) -> Damage {
    let number = key.number();
    let of = match session {
        Some(id) => format!("session {id}, record {number}"),
        None => format!("sessions row {}, record {number}", key.session().get()),
    };
    Damage { place: format!("records row {key} ({of})"), reason }
}

/// A stretch of numbers without records.
pub(crate) fn gap(session: SessionSeq, id: SessionId, from: u64, to: u64) -> Damage {
    let key = |number| Seq::new(number).and_then(|seq| session.key(seq).ok());
    let keys = |number| key(number).map(|key| key.to_string()).unwrap_or_default();
    if from == to {
        let place = format!("records row {} (session {id}, record {from})", keys(from));
        return Damage { place, reason: "it is missing".to_owned() };
    }
    let place = format!(
        "records rows {} to {} (session {id}, records {from} to {to})",
        keys(from),
        keys(to)
    );
    Damage { place, reason: "they are missing".to_owned() }
}

/// The number that the record of this id has; the first, if several have it.
pub(crate) fn number_of(
    connection: &Connection,
    session: SessionSeq,
    id: &RecordId,
) -> Result<Option<Seq>, SqlError> {
    let mut statement = connection.prepare_cached(BY_ID)?;
    let mut rows = statement.query((session.get(), id.as_str()))?;
    let mut first: Option<i64> = None;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        first = Some(first.map_or(key, |first| first.min(key)));
    }
    Ok(first.and_then(|key| Key::new(key).seq()))
}

/// Stores a record whose canonical JSON is `json`.
pub(crate) fn insert(
    connection: &Connection,
    key: Key,
    id: &RecordId,
    json: &str,
) -> Result<(), SqlError> {
    let sql = "INSERT INTO records (key, id, record) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute((key.get(), id.as_str(), json))?;
    Ok(())
}

/// Destroys the history of a session.
pub(crate) fn delete(connection: &Connection, session: SessionSeq) -> Result<(), SqlError> {
    let keys = session.keys();
    delete_keys(connection, *keys.start(), *keys.end())
}

/// Takes the rows of these keys out, both included.
pub(crate) fn delete_keys(connection: &Connection, first: i64, last: i64) -> Result<(), SqlError> {
    let sql = "DELETE FROM records WHERE key BETWEEN ?1 AND ?2";
    connection.prepare_cached(sql)?.execute([first, last])?;
    Ok(())
}

/// The canonical JSON of the record of an entry.
pub(crate) fn json(seq: Seq, entry: &Entry) -> Result<String, StoreError> {
    let json = Record::json_of(seq, entry)
        .map_err(|error| StoreError::backend("write a record", error))?;
    Ok(json.as_str().to_owned())
}

fn text(id: &RecordId) -> ValueRef<'_> {
    ValueRef::Text(id.as_str().as_bytes())
}

#[cfg(test)]
mod tests;
