//! Rows of `sessions` and the sessions in them: the only place that knows the columns and their order.

use std::fmt::Write as _;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use session_core::{Damage, ProcessState, Session, StoreError};

use crate::error::SqlError;

/// The columns that are taken from the record, in the order of [`extracted`].
const EXTRACTED: [&str; 16] = [
    "id",
    "id_reversed",
    "revision",
    "name",
    "status",
    "created_at",
    "updated_at",
    "trashed_at",
    "deadline",
    "parent",
    "tool",
    "workdir",
    "process_state",
    "process_host",
    "internal",
    "is_empty",
];

/// What every statement selects that reads sessions: `seq`, the record, and [`EXTRACTED`].
pub(crate) const COLUMNS: &str = "seq, record, id, id_reversed, revision, name, status, created_at, updated_at, \
     trashed_at, deadline, parent, tool, workdir, process_state, process_host, internal, is_empty";

/// A session, or why its row cannot be read.
pub(crate) type Found = Result<Session, Damage>;

/// Reads a row of [`COLUMNS`]. A row whose record does not parse, or whose columns say something else than its
/// record, is damaged: it would be found where it does not belong.
pub(crate) fn read(row: &Row<'_>) -> Result<Found, SqlError> {
    let session = match row.get_ref(1)? {
        ValueRef::Text(record) => serde_json::from_slice::<Session>(record),
        _ => return Ok(Err(damage(row, "its record is no text".to_owned()))),
    };
    let session = match session {
        Ok(session) => session,
        Err(error) => return Ok(Err(damage(row, format!("its record cannot be read: {error}")))),
    };
    for (index, (name, value)) in EXTRACTED.iter().zip(extracted(&session)).enumerate() {
        if row.get_ref(index + 2)? != ValueRef::from(&value) {
            return Ok(Err(damage(row, format!("its column {name} disagrees with its record"))));
        }
    }
    Ok(Ok(session))
}

/// Whether the columns of a row of [`COLUMNS`] say that its work is open, whatever its record says.
pub(crate) fn says_open(row: &Row<'_>) -> Result<bool, SqlError> {
    Ok(match row.get_ref(6)? {
        ValueRef::Text(status) => matches!(status, b"pending" | b"running"),
        _ => true,
    })
}

/// Stores a session that is not there yet.
pub(crate) fn insert(connection: &Connection, session: &Session) -> Result<(), SqlError> {
    let columns = EXTRACTED.join(", ");
    let places = (0..EXTRACTED.len()).fold(String::new(), |mut places, index| {
        // Writing to a string cannot fail.
        let _ = write!(places, ", ?{}", index + 2);
        places
    });
    let sql = format!("INSERT INTO sessions (record, {columns}) VALUES (?1{places})");
    let values = std::iter::once(record(session)?).chain(extracted(session));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    insert_labels(connection, session)
}

/// Stores `after` in place of `before`, touching no index whose columns stay as they are.
pub(crate) fn replace(
    connection: &Connection,
    before: &Session,
    after: &Session,
) -> Result<(), SqlError> {
    let (old, new) = (extracted(before), extracted(after));
    let mut sql = "UPDATE sessions SET record = ?1".to_owned();
    let mut values = vec![record(after)?];
    for ((name, old), new) in EXTRACTED.iter().zip(&old).zip(new) {
        if *old != new {
            values.push(new);
            // Writing to a string cannot fail.
            let _ = write!(sql, ", {name} = ?{}", values.len());
        }
    }
    values.push(Value::Text(after.id().to_string()));
    let _ = write!(sql, " WHERE id = ?{}", values.len());
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    if before.identity.labels == after.identity.labels {
        return Ok(());
    }
    let sql = "DELETE FROM labels WHERE session = (SELECT seq FROM sessions WHERE id = ?1)";
    connection.prepare_cached(sql)?.execute([after.id().to_string()])?;
    insert_labels(connection, after)
}

fn insert_labels(connection: &Connection, session: &Session) -> Result<(), SqlError> {
    let sql =
        "INSERT INTO labels (session, key, value) SELECT seq, ?2, ?3 FROM sessions WHERE id = ?1";
    let id = session.id().to_string();
    for (key, value) in &session.identity.labels {
        connection.prepare_cached(sql)?.execute((&id, key.as_str(), value))?;
    }
    Ok(())
}

/// The values of [`EXTRACTED`] for a session.
fn extracted(session: &Session) -> [Value; EXTRACTED.len()] {
    let (identity, lifecycle) = (&session.identity, &session.lifecycle);
    let (launch, process) = (session.launch.as_ref(), session.process.as_ref());
    let id = identity.id.to_string();
    let time = |time: session_core::Timestamp| Value::Integer(time.as_millis());
    let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    [
        Value::Text(id.clone()),
        Value::Text(id.chars().rev().collect()),
        Value::Integer(i64::try_from(lifecycle.revision.0).unwrap_or(i64::MAX)),
        Value::Text(session.name().map(ToString::to_string).unwrap_or_default()),
        Value::Text(lifecycle.status.as_str().to_owned()),
        time(lifecycle.created_at),
        time(lifecycle.updated_at),
        lifecycle.trashed_at.map_or(Value::Null, time),
        lifecycle.deadline().map_or(Value::Null, time),
        text(identity.parent.map(|parent| parent.to_string())),
        text(launch.and_then(|launch| launch.tool.clone())),
        text(launch.map(|launch| launch.workdir.clone())),
        text(process.map(|process| ProcessState::as_str(process.state).to_owned())),
        text(process.and_then(|process| Some(process.host.as_ref()?.instance.clone()))),
        Value::Integer(launch.is_some_and(|launch| launch.internal).into()),
        Value::Integer(session.is_empty().into()),
    ]
}

/// The record of a session, once it is sure that it can be read: a part that was put together by hand may break a
/// rule that only reading checks, and would be found as damage later.
fn record(session: &Session) -> Result<Value, SqlError> {
    let refused = |error| StoreError::backend("write a session as a record", error);
    let text = serde_json::to_string(session).map_err(refused)?;
    let _: Session = serde_json::from_str(&text).map_err(refused)?;
    Ok(Value::Text(text))
}

fn damage(row: &Row<'_>, reason: String) -> Damage {
    let text = |index| row.get_ref(index).ok().and_then(|value| value.as_str().ok());
    let seq = row.get_ref(0).ok().and_then(|value| value.as_i64().ok()).unwrap_or_default();
    let id = text(2).map(|id| format!(" (session {})", id.chars().take(40).collect::<String>()));
    Damage { place: format!("sessions row {seq}{}", id.unwrap_or_default()), reason }
}
