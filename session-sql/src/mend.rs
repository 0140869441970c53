//! Putting rows in order: what cannot be read goes into quarantine, what can be derived is derived anew.
//!
//! Everything that leaves the database is written down and on the medium before it does. If the transaction then
//! fails, the same rows are written down twice, and nothing is lost.

mod rebuild;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Params};
use serde_json::Value;
use session_core::{Entry, Repair, Seq, StoreError, Timestamp};

use crate::audit::{Audit, Fault, Finding};
use crate::error::SqlError;
use crate::key::{Key, SessionSeq};
use crate::quarantine::Quarantine;
use crate::{find, history, index, row, tombstone};

/// For how many missing records in a row one of the kind `lost` is made each.
const MOST_LOST: u64 = 1_000_000;

/// Puts everything in order that an audit finds, in the transaction that is under way, and says what was done.
///
/// # Errors
/// Whatever SQLite or the operating system reports; `Corrupt` when more records are missing than can be stood for.
pub(crate) fn mend(
    connection: &Connection,
    database: &Path,
    at: Timestamp,
) -> Result<Vec<Repair>, SqlError> {
    let mut audit = Audit::default();
    audit.look(connection)?;
    let findings = audit.findings;
    let mut quarantine = Quarantine::beside(database);
    let mut repairs = Vec::new();
    for Finding { damage, fault } in &findings {
        let kept = write_down(connection, fault, &damage.reason, &mut quarantine)?;
        repairs.push(Repair { damage: damage.clone(), kept });
    }
    quarantine.finish()?;
    // Records come before the sessions that count them, and those before what is derived of them.
    for Finding { damage, fault } in &findings {
        records(connection, fault, &damage.reason, at)?;
    }
    for Finding { fault, .. } in &findings {
        sessions(connection, fault, at)?;
    }
    for Finding { fault, .. } in &findings {
        derived(connection, fault, at)?;
    }
    Ok(repairs)
}

/// Writes down what a fault takes out of the database.
fn write_down(
    connection: &Connection,
    fault: &Fault,
    reason: &str,
    quarantine: &mut Quarantine,
) -> Result<Option<PathBuf>, SqlError> {
    let mut all = |table, sql, values: &[i64]| {
        take(connection, quarantine, table, reason, sql, rusqlite::params_from_iter(values))
    };
    match fault {
        Fault::Session(seq) => {
            let mut kept = all("sessions", "SELECT * FROM sessions WHERE seq = ?1", &[*seq])?;
            if rebuild::id(connection, *seq)?.is_none()
                && let Ok(seq) = SessionSeq::new(*seq)
            {
                let keys = seq.keys();
                let sql = "SELECT * FROM records WHERE key BETWEEN ?1 AND ?2";
                kept = all("records", sql, &[*keys.start(), *keys.end()])?.or(kept);
            }
            Ok(kept)
        }
        Fault::Record(key) => all("records", "SELECT * FROM records WHERE key = ?1", &[key.get()]),
        Fault::Stray(key) => {
            let (first, last) = strays(*key);
            let sql = "SELECT * FROM records WHERE key BETWEEN ?1 AND ?2";
            all("records", sql, &[first, last])
        }
        Fault::Tombstone(id) => {
            let sql = "SELECT * FROM tombstones WHERE id = CAST(?1 AS TEXT)";
            take(connection, quarantine, "tombstones", reason, sql, [id])
        }
        Fault::Columns(_)
        | Fault::Labels(_)
        | Fault::StrayLabels(_)
        | Fault::Gap(..)
        | Fault::Uncounted(_)
        | Fault::Index => Ok(None),
    }
}

fn take(
    connection: &Connection,
    quarantine: &mut Quarantine,
    table: &str,
    reason: &str,
    sql: &str,
    values: impl Params,
) -> Result<Option<PathBuf>, SqlError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut kept = None;
    while let Some(row) = rows.next()? {
        let key = match row.get_ref(0)?.as_i64() {
            Ok(number) => number.into(),
            Err(_) => {
                Value::from(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()))
            }
        };
        kept = Some(quarantine.take(table, key, reason, row)?);
    }
    Ok(kept)
}

/// The keys of rows that belong to no session, of which this is the first.
fn strays(first: Key) -> (i64, i64) {
    match first.number() {
        0 => (first.get(), first.get()),
        _ => (*first.session().keys().start(), *first.session().keys().end()),
    }
}

/// Takes records out that were written down, and lets others stand for those that are lost.
fn records(
    connection: &Connection,
    fault: &Fault,
    reason: &str,
    at: Timestamp,
) -> Result<(), SqlError> {
    match fault {
        Fault::Record(key) => {
            index::remove_keys(connection, key.get(), key.get())?;
            history::delete_keys(connection, key.get(), key.get())?;
            lose(connection, key.session(), key.number(), reason, at)
        }
        Fault::Gap(session, from, to) => {
            if to - from >= MOST_LOST {
                let place = format!("records of sessions row {}", session.get());
                let reason = format!("records {from} to {to} are missing");
                return Err(StoreError::Corrupt { place, reason }.into());
            }
            (*from..=*to).try_for_each(|number| lose(connection, *session, number, reason, at))
        }
        Fault::Stray(key) => {
            let (first, last) = strays(*key);
            index::remove_keys(connection, first, last)?;
            history::delete_keys(connection, first, last)
        }
        _ => Ok(()),
    }
}

fn lose(
    connection: &Connection,
    session: SessionSeq,
    number: u64,
    reason: &str,
    at: Timestamp,
) -> Result<(), SqlError> {
    let Some(seq) = Seq::new(number) else { return Ok(()) };
    let lost = Entry::lost(seq, at, reason);
    let json = history::json(seq, &lost)?;
    history::insert(connection, session.key(seq)?, &lost.id, &json)
}

/// Puts sessions in order, whose records are.
fn sessions(connection: &Connection, fault: &Fault, at: Timestamp) -> Result<(), SqlError> {
    match fault {
        Fault::Session(seq) => rebuild::from_columns(connection, *seq, at),
        Fault::Columns(seq) => rebuild::columns(connection, *seq, at),
        Fault::Uncounted(key) => rebuild::count(connection, *key, at),
        Fault::Record(key) => rebuild::checkpoint(connection, key.session(), key.number(), at),
        Fault::Gap(session, from, to) => {
            (*from..=*to).try_for_each(|lost| rebuild::checkpoint(connection, *session, lost, at))
        }
        _ => Ok(()),
    }
}

/// Derives anew what is derived of sessions and records.
fn derived(connection: &Connection, fault: &Fault, at: Timestamp) -> Result<(), SqlError> {
    match fault {
        Fault::Labels(seq) => match find::by_seq(connection, *seq)? {
            Some(Ok(stored)) => row::replace_labels(connection, *seq, &stored.session),
            _ => Ok(()),
        },
        Fault::StrayLabels(seq) => {
            connection.execute("DELETE FROM labels WHERE session = ?1", [seq])?;
            Ok(())
        }
        Fault::Tombstone(id) => tombstone::renew(connection, id, at),
        Fault::Index => index::clear(connection),
        _ => Ok(()),
    }
}
