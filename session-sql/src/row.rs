//! Rows of `sessions` and the sessions in them: the only place that knows the columns and their order.

use std::fmt::Write as _;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use session_core::{Damage, ProcessState, Session, StoreError};

use crate::error::SqlError;
use crate::key::SessionSeq;

/// The columns that are taken from the record, in the order of [`extracted`].
const EXTRACTED: [&str; 22] = [
    "id",
    "id_reversed",
    "revision",
    "name",
    "claims_name",
    "status",
    "created_at",
    "updated_at",
    "trashed_at",
    "deadline",
    "parent",
    "tool",
    "workdir",
    "role",
    "chat",
    "agent",
    "project",
    "process_state",
    "process_host",
    "internal",
    "is_empty",
    "records",
];

/// What every statement selects that reads sessions: `seq`, the record, and [`EXTRACTED`].
pub(crate) const COLUMNS: &str = "seq, record, id, id_reversed, revision, name, claims_name, status, created_at, \
     updated_at, trashed_at, deadline, parent, tool, workdir, role, chat, agent, project, process_state, \
     process_host, internal, is_empty, records";

/// A session and the number of its row.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) seq: SessionSeq,
    pub(crate) session: Session,
}

/// A session, or why its row cannot be read.
pub(crate) type Found = Result<Stored, Damage>;

/// Reads a row of [`COLUMNS`]. A row whose record does not parse, or whose columns say something else than its
/// record, is damaged: it would be found where it does not belong.
pub(crate) fn read(row: &Row<'_>) -> Result<Found, SqlError> {
    let session = match record(row)? {
        Ok(session) => session,
        Err(reason) => return Ok(Err(damage(row, reason))),
    };
    if let Some(name) = disagreeing(row, &session)?.first() {
        return Ok(Err(damage(row, format!("its column {name} disagrees with its record"))));
    }
    match SessionSeq::new(row.get(0)?) {
        Ok(seq) => Ok(Ok(Stored { seq, session })),
        Err(_) => Ok(Err(damage(row, "its number is none of ours".to_owned()))),
    }
}

/// The session in a row of [`COLUMNS`], whatever its other columns say, or why it cannot be read.
pub(crate) fn record(row: &Row<'_>) -> Result<Result<Session, String>, SqlError> {
    Ok(match row.get_ref(1)? {
        ValueRef::Text(record) => serde_json::from_slice::<Session>(record)
            .map_err(|error| format!("its record cannot be read: {error}")),
        _ => Err("its record is no text".to_owned()),
    })
}

/// The columns of a row of [`COLUMNS`] that say something else than the session of its record.
pub(crate) fn disagreeing(row: &Row<'_>, session: &Session) -> Result<Vec<&'static str>, SqlError> {
    let mut names = Vec::new();
    for (index, (name, value)) in EXTRACTED.iter().zip(extracted(session)).enumerate() {
        if row.get_ref(index + 2)? != ValueRef::from(&value) {
            names.push(*name);
        }
    }
    Ok(names)
}

/// Whether the columns of a row of [`COLUMNS`] say that it claims its name, whatever its record says.
pub(crate) fn says_it_claims_its_name(row: &Row<'_>) -> Result<bool, SqlError> {
    Ok(!matches!(row.get_ref(6)?, ValueRef::Integer(0)))
}

/// Whether the columns of a row of [`COLUMNS`] say that its program runs, whatever its record says.
pub(crate) fn says_it_runs(row: &Row<'_>) -> Result<bool, SqlError> {
    Ok(match row.get_ref(19)? {
        ValueRef::Null => false,
        ValueRef::Text(state) => matches!(state, b"starting" | b"running"),
        _ => true,
    })
}

/// The canonical JSON of a session that was read, or that the rules let be stored: only such a one can be read back.
pub(crate) fn json(session: &Session) -> Result<String, StoreError> {
    serde_json::to_string(session)
        .map_err(|error| StoreError::backend("write a session as a record", error))
}

/// Stores a session that is not there yet, whose canonical JSON is `json`, under a number that no record has.
pub(crate) fn insert(
    connection: &Connection,
    session: &Session,
    json: String,
) -> Result<SessionSeq, SqlError> {
    let next = "SELECT 1 + max((SELECT coalesce(max(seq), 0) FROM sessions), \
         (SELECT coalesce(max(key), 0) >> 40 FROM records))";
    let seq = connection.prepare_cached(next)?.query_row([], |row| row.get(0))?;
    insert_as(connection, SessionSeq::new(seq)?, session, json)
}

/// Stores a session that is not there yet under a number that no other has.
pub(crate) fn insert_as(
    connection: &Connection,
    seq: SessionSeq,
    session: &Session,
    json: String,
) -> Result<SessionSeq, SqlError> {
    let columns = EXTRACTED.join(", ");
    let places = (0..EXTRACTED.len()).fold(String::new(), |mut places, index| {
        // Writing to a string cannot fail.
        let _ = write!(places, ", ?{}", index + 3);
        places
    });
    let sql = format!("INSERT INTO sessions (seq, record, {columns}) VALUES (?1, ?2{places})");
    let values = [Value::Integer(seq.get()), Value::Text(json)].into_iter();
    connection.prepare_cached(&sql)?.execute(params_from_iter(values.chain(extracted(session))))?;
    insert_labels(connection, seq, session)?;
    Ok(seq)
}

/// Stores `after` in place of `before`, touching no index whose columns stay as they are.
pub(crate) fn replace(
    connection: &Connection,
    before: &Stored,
    after: &Session,
) -> Result<(), SqlError> {
    let (old, new) = (extracted(&before.session), extracted(after));
    let changed = EXTRACTED.into_iter().zip(old).zip(new);
    let changed = changed.filter_map(|((name, old), new)| (old != new).then_some((name, new)));
    set(connection, before.seq, changed, Some(json(after)?))?;
    if before.session.identity.labels != after.identity.labels {
        replace_labels(connection, before.seq, after)?;
    }
    Ok(())
}

/// Writes all columns anew that are taken from the record.
pub(crate) fn derive(
    connection: &Connection,
    seq: SessionSeq,
    session: &Session,
) -> Result<(), SqlError> {
    set(connection, seq, EXTRACTED.into_iter().zip(extracted(session)), None)
}

fn set(
    connection: &Connection,
    seq: SessionSeq,
    columns: impl Iterator<Item = (&'static str, Value)>,
    json: Option<String>,
) -> Result<(), SqlError> {
    let mut sql = String::from("UPDATE sessions SET ");
    let mut values = vec![Value::Integer(seq.get())];
    for (name, value) in columns.chain(json.map(|json| ("record", Value::Text(json)))) {
        let comma = if values.len() == 1 { "" } else { ", " };
        values.push(value);
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}{name} = ?{}", values.len());
    }
    sql.push_str(" WHERE seq = ?1");
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Writes the labels of a session anew.
pub(crate) fn replace_labels(
    connection: &Connection,
    seq: SessionSeq,
    session: &Session,
) -> Result<(), SqlError> {
    let sql = "DELETE FROM labels WHERE session = ?1";
    connection.prepare_cached(sql)?.execute([seq.get()])?;
    insert_labels(connection, seq, session)
}

fn insert_labels(
    connection: &Connection,
    seq: SessionSeq,
    session: &Session,
) -> Result<(), SqlError> {
    let sql = "INSERT INTO labels (session, key, value) VALUES (?1, ?2, ?3)";
    for (key, value) in &session.identity.labels {
        connection.prepare_cached(sql)?.execute((seq.get(), key.as_str(), value))?;
    }
    Ok(())
}

/// The values of [`EXTRACTED`] for a session.
fn extracted(session: &Session) -> [Value; EXTRACTED.len()] {
    let (identity, lifecycle) = (&session.identity, &session.lifecycle);
    let (launch, process) = (session.launch.as_ref(), session.process.as_ref());
    let lease = session.lease.as_ref();
    let binding = lease.and_then(|lease| lease.binding.as_ref());
    let records = session.conversation.as_ref().map_or(0, |part| part.totals.records);
    let id = identity.id.to_string();
    let time = |time: session_core::Timestamp| Value::Integer(time.as_millis());
    let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    [
        Value::Text(id.clone()),
        Value::Text(id.chars().rev().collect()),
        integer(lifecycle.revision.0),
        Value::Text(session.name().map(ToString::to_string).unwrap_or_default()),
        Value::Integer(session.claims_name().into()),
        Value::Text(lifecycle.status.as_str().to_owned()),
        time(lifecycle.created_at),
        time(lifecycle.updated_at),
        lifecycle.trashed_at.map_or(Value::Null, time),
        lifecycle.deadline().map_or(Value::Null, time),
        text(identity.parent.map(|parent| parent.to_string())),
        text(launch.and_then(|launch| launch.tool.clone())),
        text(launch.map(|launch| launch.workdir.clone())),
        text(lease.and_then(|lease| Some(lease.role.as_ref()?.to_string()))),
        text(binding.map(|binding| binding.chat.clone())),
        text(binding.map(|binding| binding.agent.clone())),
        text(binding.map(|binding| binding.project.clone())),
        text(process.map(|process| ProcessState::as_str(process.state).to_owned())),
        text(process.and_then(|process| Some(process.host.as_ref()?.instance.clone()))),
        Value::Integer(launch.is_some_and(|launch| launch.internal).into()),
        Value::Integer(session.is_empty().into()),
        integer(records),
    ]
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Damage in a row of [`COLUMNS`].
pub(crate) fn damage(row: &Row<'_>, reason: String) -> Damage {
    let text = |index| row.get_ref(index).ok().and_then(|value| value.as_str().ok());
    let seq = row.get_ref(0).ok().and_then(|value| value.as_i64().ok()).unwrap_or_default();
    let id = text(2).map(|id| format!(" (session {})", id.chars().take(40).collect::<String>()));
    Damage { place: format!("sessions row {seq}{}", id.unwrap_or_default()), reason }
}
