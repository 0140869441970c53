//! Looking at sessions and their labels.

use std::collections::BTreeMap;

use rusqlite::Connection;
use session_core::{Damage, Session, SessionId};

use super::{Audit, Fault};
use crate::error::SqlError;
use crate::key::SessionSeq;
use crate::row::{self, COLUMNS};

/// What is known of a row of `sessions`.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: Option<SessionId>,
    pub(crate) records: u64,
}

pub(super) fn look(
    snapshot: &Connection,
    audit: &mut Audit,
) -> Result<BTreeMap<SessionSeq, Seen>, SqlError> {
    let mut seen = BTreeMap::new();
    let sql = format!("SELECT {COLUMNS}, indexed FROM sessions NOT INDEXED ORDER BY seq");
    let mut statement = snapshot.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        // What stands in a damaged row may be anything.
        let integer = |index| row.get_ref(index).ok().and_then(|value| value.as_i64().ok());
        let (records, indexed) = (integer(23).unwrap_or(0), integer(24).unwrap_or(-1));
        let id = row.get_ref(2)?.as_str().ok().and_then(|id| SessionId::parse(id).ok());
        let read = match row::record(row)? {
            Ok(session) if Some(session.id()) == id => Ok(session),
            Ok(session) => Err(format!("its record is that of session {}", session.id())),
            Err(reason) => Err(reason),
        };
        let Ok(seq) = SessionSeq::new(number) else {
            let damage = row::damage(row, "its number is none of ours".to_owned());
            audit.add(Fault::Session(number), damage);
            continue;
        };
        let mut records = u64::try_from(records).unwrap_or(0);
        match read {
            Err(reason) => audit.add(Fault::Session(number), row::damage(row, reason)),
            Ok(session) => {
                records = session.totals().records;
                let disagreeing = row::disagreeing(row, &session)?;
                if disagreeing.is_empty() {
                    audit.sessions += 1;
                } else {
                    let columns = disagreeing.join(", ");
                    let reason = format!("what it says disagrees with its record: {columns}");
                    audit.add(Fault::Columns(seq), row::damage(row, reason));
                }
                labels(snapshot, seq, &session, audit)?;
                if !(0..=records).contains(&u64::try_from(indexed).unwrap_or(u64::MAX)) {
                    let reason = format!("{indexed} of {records} records are said to be indexed");
                    audit.add(Fault::Index, row::damage(row, reason));
                }
            }
        }
        seen.insert(seq, Seen { id, records });
    }
    let sql = "SELECT DISTINCT session FROM labels WHERE session NOT IN (SELECT seq FROM sessions)";
    let mut statement = snapshot.prepare(sql)?;
    let strays = statement.query_map([], |row| row.get::<_, i64>(0))?;
    for stray in strays {
        let stray = stray?;
        let (place, reason) = (format!("labels of row {stray}"), "there is no such session");
        let damage = Damage { place, reason: reason.to_owned() };
        audit.add(Fault::StrayLabels(stray), damage);
    }
    Ok(seen)
}

fn labels(
    snapshot: &Connection,
    seq: SessionSeq,
    session: &Session,
    audit: &mut Audit,
) -> Result<(), SqlError> {
    let sql = "SELECT key, value FROM labels WHERE session = ?1 ORDER BY key";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query([seq.get()])?;
    let mut expected = session.identity.labels.iter();
    let is_same = loop {
        match (rows.next()?, expected.next()) {
            (None, None) => break true,
            (Some(row), Some((key, value)))
                if row.get_ref(0)?.as_bytes().ok() == Some(key.as_str().as_bytes())
                    && row.get_ref(1)?.as_bytes().ok() == Some(value.as_bytes()) => {}
            _ => break false,
        }
    };
    if !is_same {
        let place = format!("labels of row {} (session {})", seq.get(), session.id());
        let reason = "they are not those of its record".to_owned();
        audit.add(Fault::Labels(seq), Damage { place, reason });
    }
    Ok(())
}
