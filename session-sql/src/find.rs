//! The statements that look sessions up, each along an index.

use rusqlite::{Connection, Params};
use session_core::{IdFragment, Observer, Session, SessionId, SessionName, StoreError};

use crate::error::SqlError;
use crate::key::SessionSeq;
use crate::row::{self, COLUMNS, Found, Stored};

// What follows FROM. Conditions of partial indexes are repeated word for word: SQLite uses such an index only where
// it finds its condition again. Where it would rather use another one, it is told.

const BY_ID: &str = "sessions WHERE id = ?1";
const BY_SEQ: &str = "sessions WHERE seq = ?1";
const NAMED: &str =
    "sessions WHERE trashed_at IS NULL AND name = ?1 ORDER BY created_at DESC, id DESC";
const MAY_HOLD: &str =
    "sessions INDEXED BY sessions_claiming WHERE claims_name = 1 AND name = ?1 ORDER BY id";
const MATCHING: &str = "sessions WHERE trashed_at IS NULL AND seq IN (\
     SELECT seq FROM sessions WHERE id >= ?1 AND id < ?2 \
     UNION SELECT seq FROM sessions WHERE id_reversed >= ?3 AND id_reversed < ?4) \
     ORDER BY created_at DESC, id DESC LIMIT 10";
const LIVE_CHILDREN: &str = "sessions WHERE trashed_at IS NULL AND parent = ?1 \
     AND process_state IN ('starting', 'running') ORDER BY id";
const PRESENT: &str = "sessions WHERE trashed_at IS NULL";
const TO_SWEEP: &str = "sessions WHERE seq IN (\
     SELECT seq FROM sessions INDEXED BY sessions_by_deadline \
     WHERE trashed_at IS NULL AND deadline IS NOT NULL \
     AND status NOT IN ('closed', 'expired') AND deadline < ?1 \
     UNION ALL SELECT seq FROM sessions INDEXED BY sessions_by_host \
     WHERE trashed_at IS NULL AND process_state IN ('starting', 'running') \
     AND process_host IS NOT NULL AND process_host IS NOT ?2) ORDER BY id";

/// The session with this id, in the trash or not.
///
/// # Errors
/// `NotFound`; `Corrupt`, for it was asked for by id.
pub(crate) fn by_id(connection: &Connection, id: SessionId) -> Result<Stored, SqlError> {
    match all(connection, BY_ID, [id.to_string()])?.pop() {
        Some(found) => Ok(found?),
        None => Err(StoreError::NotFound { selector: id.to_string() }.into()),
    }
}

/// The session of this number, unless there is none.
pub(crate) fn by_seq(connection: &Connection, seq: SessionSeq) -> Result<Option<Found>, SqlError> {
    Ok(all(connection, BY_SEQ, [seq.get()])?.pop())
}

/// The session in this row, which is there.
pub(crate) fn at(connection: &Connection, seq: i64) -> Result<Found, SqlError> {
    let mut statement = connection.prepare_cached(&select(BY_SEQ))?;
    let mut rows = statement.query([seq])?;
    match rows.next()? {
        Some(row) => row::read(row),
        None => Err(rusqlite::Error::QueryReturnedNoRows.into()),
    }
}

/// Whether there is a row with this id, readable or not.
pub(crate) fn exists(connection: &Connection, id: SessionId) -> Result<bool, SqlError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1")?;
    Ok(statement.exists([id.to_string()])?)
}

/// Sessions outside the trash that have this name, the last created first.
///
/// A damaged one is an error where leaving it out could make the name mean another session: when it may hold the
/// name, or nothing readable of that name is newer.
pub(crate) fn named(connection: &Connection, name: &SessionName) -> Result<Vec<Session>, SqlError> {
    let mut statement = connection.prepare_cached(&select(NAMED))?;
    let mut rows = statement.query([name.as_str()])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        match row::read(row)? {
            Ok(stored) => sessions.push(stored.session),
            Err(damage) if sessions.is_empty() || row::says_it_claims_its_name(row)? => {
                return Err(damage.into());
            }
            Err(_) => {}
        }
    }
    Ok(sessions)
}

/// Sessions that claim this name; damage is an error, for it may hold the name.
pub(crate) fn may_hold(connection: &Connection, name: &str) -> Result<Vec<Stored>, SqlError> {
    sound(all(connection, MAY_HOLD, [name])?)
}

/// Sessions outside the trash whose id begins or ends so, the last created first, ten at most.
pub(crate) fn matching(
    connection: &Connection,
    fragment: &IdFragment,
) -> Result<Vec<Session>, SqlError> {
    // Ids have no character above 'Z'.
    let range = |start: String| (start.clone(), start + "~");
    let (from, to) = range(fragment.as_str().to_owned());
    let (reversed_from, reversed_to) = range(fragment.as_str().chars().rev().collect());
    let found = sound(all(connection, MATCHING, [from, to, reversed_from, reversed_to])?)?;
    Ok(found.into_iter().map(|stored| stored.session).collect())
}

/// Children outside the trash with a program that is recorded as live; damage is an error, for a program may be
/// running.
pub(crate) fn live_children(
    connection: &Connection,
    parent: SessionId,
) -> Result<Vec<Session>, SqlError> {
    let found = sound(all(connection, LIVE_CHILDREN, [parent.to_string()])?)?;
    Ok(found.into_iter().map(|stored| stored.session).collect())
}

/// Sessions that the observer may see otherwise than they are recorded, by id. Damaged ones are left out: there
/// is no record to bring up to date.
pub(crate) fn to_sweep(
    connection: &Connection,
    observer: &Observer,
) -> Result<Vec<Stored>, SqlError> {
    let values = (observer.now.as_millis(), observer.live_host.as_ref());
    Ok(all(connection, TO_SWEEP, values)?.into_iter().flatten().collect())
}

/// Hands every session outside the trash to `visit`, in no order. Damaged ones are left out, but one with a program
/// that is recorded as live is an error: it may be running, and nobody can say whose child it is.
pub(crate) fn each_present(
    connection: &Connection,
    mut visit: impl FnMut(Stored),
) -> Result<(), SqlError> {
    let mut statement = connection.prepare_cached(&select(PRESENT))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match row::read(row)? {
            Ok(stored) => visit(stored),
            Err(damage) if row::says_it_runs(row)? => return Err(damage.into()),
            Err(_) => {}
        }
    }
    Ok(())
}

fn all(connection: &Connection, from: &str, values: impl Params) -> Result<Vec<Found>, SqlError> {
    let mut statement = connection.prepare_cached(&select(from))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::read(row)?);
    }
    Ok(found)
}

fn sound(found: Vec<Found>) -> Result<Vec<Stored>, SqlError> {
    Ok(found.into_iter().collect::<Result<_, _>>()?)
}

pub(crate) fn select(from: &str) -> String {
    format!("SELECT {COLUMNS} FROM {from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite does for a statement, one step a line.
    fn plan(from: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::migrations() {
            connection.execute_batch(step.sql).unwrap();
        }
        let sql = format!("EXPLAIN QUERY PLAN {}", select(from));
        let mut statement = connection.prepare(&sql).unwrap();
        for index in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(index, "x").unwrap();
        }
        let (mut rows, mut lines) = (statement.raw_query(), String::new());
        while let Some(row) = rows.next().unwrap() {
            lines += &(row.get::<_, String>(3).unwrap() + "\n");
        }
        lines
    }

    #[test]
    fn every_look_up_goes_along_its_index() {
        let cases: [(&str, &[&str]); 7] = [
            (BY_ID, &["sqlite_autoindex_sessions_1 (id=?)"]),
            (BY_SEQ, &["USING INTEGER PRIMARY KEY (rowid=?)"]),
            (NAMED, &["sessions_by_name (name=?)"]),
            (MAY_HOLD, &["sessions_claiming (name=?)"]),
            (
                MATCHING,
                &[
                    "sqlite_autoindex_sessions_1 (id>? AND id<?)",
                    "sessions_by_suffix (id_reversed>?",
                ],
            ),
            (LIVE_CHILDREN, &["sessions_by_parent (parent=? AND trashed_at=?)"]),
            (TO_SWEEP, &["sessions_by_deadline (deadline", "sessions_by_host"]),
        ];
        for (from, indexes) in cases {
            let plan = plan(from);
            for index in indexes {
                assert!(plan.contains(index), "{from}\n{plan}");
            }
            let table_scan = plan.lines().any(|line| line.trim() == "SCAN sessions");
            assert!(!table_scan, "{from}\n{plan}");
        }
    }
}
