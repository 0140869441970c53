//! Making sessions of what is left of them: of their columns, and of their records.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Row};
use session_core::store::rules;
use session_core::{
    Binding, Expiry, Lease, RoleName, Seq, Session, SessionId, SessionName, Status, StoreError,
    Timestamp, record::Body,
};

use crate::error::SqlError;
use crate::key::{Key, SessionSeq};
use crate::row::{self, COLUMNS, Stored};
use crate::{find, history, index};

/// The id of a row, if it is one.
pub(super) fn id(connection: &Connection, seq: i64) -> Result<Option<SessionId>, SqlError> {
    let sql = "SELECT id FROM sessions WHERE seq = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([seq])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(row.get_ref(0)?.as_str().ok().and_then(|id| SessionId::parse(id).ok()))
}

/// Makes a session of the columns of a row whose record cannot be read, and of its records; a row without an id goes,
/// and its records with it.
pub(super) fn from_columns(
    connection: &Connection,
    number: i64,
    at: Timestamp,
) -> Result<(), SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE seq = ?1");
    let made = connection.query_row(&sql, [number], |row| Ok(of_columns(row)));
    let delete = "DELETE FROM sessions WHERE seq = ?1";
    let (made, seq) = match (made?, SessionSeq::new(number)) {
        (Some(made), Ok(seq)) => (made, seq),
        (_, seq) => {
            if let Ok(seq) = seq {
                index::remove(connection, seq)?;
                history::delete(connection, seq)?;
            }
            connection.execute(delete, [number])?;
            return Ok(());
        }
    };
    index::remove(connection, seq)?;
    connection.execute(delete, [number])?;
    let mut session = counted(connection, seq, made, at)?;
    session.lifecycle.revision = session.lifecycle.revision.next();
    session.lifecycle.updated_at = at;
    give_up_a_name_of_another(connection, seq, &mut session)?;
    let json = row::json(&session)?;
    row::insert_as(connection, seq, &session, json)?;
    Ok(())
}

/// What the columns of a row say of a session.
fn of_columns(row: &Row<'_>) -> Option<Session> {
    fn get<T: FromSql>(row: &Row<'_>, index: usize) -> Option<T> {
        row.get(index).ok()
    }
    let text = |index| get::<String>(row, index);
    let time = |index| get::<i64>(row, index).map(Timestamp::from_millis);
    let id = SessionId::parse(&text(2)?).ok()?;
    let mut session = Session::new(id, time(8)?);
    session.identity.name = text(5).and_then(|name| SessionName::parse(&name).ok());
    session.identity.parent =
        text(12).and_then(|parent| SessionId::parse(&parent).ok()).filter(|parent| *parent != id);
    session.lifecycle.revision.0 = get::<i64>(row, 4)?.unsigned_abs();
    session.lifecycle.status =
        text(7).and_then(|status| status.parse().ok()).unwrap_or(Status::Failed);
    session.lifecycle.updated_at = time(9)?;
    session.lifecycle.last_active_at = time(9)?;
    session.lifecycle.trashed_at = time(10);
    session.lifecycle.expiry = time(11).map_or(Expiry::Never, Expiry::At);
    let role = text(15).and_then(|role| RoleName::parse(&role).ok());
    let binding = text(16).map(|chat| Binding {
        chat,
        agent: text(17).unwrap_or_default(),
        project: text(18).unwrap_or_default(),
        ..Binding::default()
    });
    if role.is_some() || binding.is_some() {
        session.lease = Some(Lease { role, binding, ..Lease::default() });
    }
    // Whether the role was given back stands in the record alone. A name tells, as it was claimed or not.
    if get::<i64>(row, 6) == Some(0)
        && session.claims_name()
        && let Some(lease) = &mut session.lease
    {
        lease.ended_at = Some(session.lifecycle.updated_at);
    }
    let is_sound = rules::adopted(&session, session.totals().records).is_ok();
    if !is_sound {
        // A name that a role does not allow.
        session.identity.name = None;
    }
    Some(session)
}

/// A session whose totals count, after what they count already, the records that it has.
fn counted(
    connection: &Connection,
    seq: SessionSeq,
    session: Session,
    at: Timestamp,
) -> Result<Session, SqlError> {
    let lifecycle = session.lifecycle;
    let mut counted = Session::new(session.identity.id, lifecycle.created_at);
    counted.identity = session.identity;
    counted.conversation = session.conversation;
    let sql = "SELECT key, id, record FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let keys = seq.keys_after(counted.totals().records);
    let mut rows = statement.query([*keys.start(), *keys.end()])?;
    while let Some(row) = rows.next()? {
        let key = Key::new(row.get(0)?);
        // What is missing between them was found missing only now.
        for number in counted.totals().records + 1..key.number() {
            super::lose(connection, seq, number, "it is missing", at)?;
            let lost = Seq::new(number).map(|seq| session_core::Entry::lost(seq, at, ""));
            counted = appended(counted, lost.as_slice(), at)?;
        }
        let mut record = history::read_row(row, 0)??;
        // Only what it adds to the totals counts here, also of one that was adopted and covers what is not there.
        if let Body::Checkpoint(checkpoint) = &mut record.entry.body {
            checkpoint.covers = None;
        }
        counted = appended(counted, &[record.entry], at)?;
    }
    counted.lifecycle = lifecycle;
    counted.lease = session.lease;
    counted.launch = session.launch;
    counted.process = session.process;
    counted.exchange = session.exchange;
    counted.unknown = session.unknown;
    Ok(counted)
}

fn appended(
    session: Session,
    entries: &[session_core::Entry],
    at: Timestamp,
) -> Result<Session, StoreError> {
    let append = rules::appended(&session, entries, |_| Ok::<_, StoreError>(None), at)?;
    Ok(append.session.unwrap_or(session))
}

/// Writes the columns of a session anew that its record says.
pub(super) fn columns(
    connection: &Connection,
    seq: SessionSeq,
    at: Timestamp,
) -> Result<(), SqlError> {
    let Some(mut session) = of_record(connection, seq)? else { return Ok(()) };
    let name = session.identity.name.clone();
    give_up_a_name_of_another(connection, seq, &mut session)?;
    row::derive(connection, seq, &session)?;
    if name != session.identity.name {
        store(connection, seq, session, at)?;
    }
    Ok(())
}

/// Lets a session count a record that it has, and all others behind those that it counts.
pub(super) fn count(connection: &Connection, key: Key, at: Timestamp) -> Result<(), SqlError> {
    let seq = key.session();
    let Some(session) = of_record(connection, seq)? else { return Ok(()) };
    if session.totals().records >= key.number() {
        return Ok(());
    }
    let session = counted(connection, seq, session, at)?;
    store(connection, seq, session, at)
}

/// Makes the checkpoint before it the last one of a session whose last one is lost.
pub(super) fn checkpoint(
    connection: &Connection,
    seq: SessionSeq,
    lost: u64,
    at: Timestamp,
) -> Result<(), SqlError> {
    let Some(mut session) = of_record(connection, seq)? else { return Ok(()) };
    let last = session.conversation.as_ref().and_then(|part| part.totals.last_checkpoint);
    if last.map(Seq::get) != Some(lost) {
        return Ok(());
    }
    let sql = "SELECT key, id, record FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows =
        statement.query([*seq.keys().start(), *seq.keys().start() + lost.cast_signed()])?;
    let mut before = None;
    while let Some(row) = rows.next()? {
        let record = history::read_row(row, 0)?.ok();
        before = record.filter(|record| matches!(record.entry.body, Body::Checkpoint(_)));
        if before.is_some() {
            break;
        }
    }
    if let Some(part) = &mut session.conversation {
        part.totals.last_checkpoint = before.map(|record| record.seq);
    }
    store(connection, seq, session, at)
}

/// The session that the record of a row is.
fn of_record(connection: &Connection, seq: SessionSeq) -> Result<Option<Session>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE seq = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([seq.get()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(row::record(row)?.ok())
}

/// Stores a session, changed by the repair.
fn store(
    connection: &Connection,
    seq: SessionSeq,
    mut session: Session,
    at: Timestamp,
) -> Result<(), SqlError> {
    session.lifecycle.revision = session.lifecycle.revision.next();
    session.lifecycle.updated_at = at;
    match find::by_seq(connection, seq)? {
        Some(Ok(before)) => row::replace(connection, &before, &session),
        _ => {
            row::derive(connection, seq, &session)?;
            let before = Stored { seq, session: session.clone() };
            row::replace(connection, &before, &session)
        }
    }
}

/// Takes the name from a session that claims one which another claims.
fn give_up_a_name_of_another(
    connection: &Connection,
    seq: SessionSeq,
    session: &mut Session,
) -> Result<(), SqlError> {
    let Some(name) = session.name().filter(|_| session.claims_name()) else { return Ok(()) };
    let sql = "SELECT 1 FROM sessions WHERE claims_name = 1 AND name = ?1 AND seq <> ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let held = statement.query_row((name.as_str(), seq.get()), |_| Ok(())).optional()?;
    if held.is_some() {
        session.identity.name = None;
    }
    Ok(())
}
