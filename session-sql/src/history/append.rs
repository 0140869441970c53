//! Appending: what can be done before the turn is done before it, and only what is new is written.

use rusqlite::Connection;
use session_core::store::rules::{self, Append};
use session_core::{Appended, Entry, Seq, SessionId, StoreError, Timestamp};

use crate::error::SqlError;
use crate::{find, history, row};

/// How the canonical JSON of a first record begins.
const FIRST: &str = "{\"seq\":1,";

/// Entries and their canonical JSON, which is made before the turn to write.
#[derive(Debug)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    /// As if each were the first record.
    jsons: Vec<String>,
}

impl Batch {
    /// # Errors
    /// `Backend` when an entry has no JSON, which none has that was read or made by the core.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self, StoreError> {
        let jsons = entries.iter().map(|entry| history::json(Seq::FIRST, entry));
        Ok(Self { jsons: jsons.collect::<Result<_, _>>()?, entries: entries.to_vec() })
    }

    /// The canonical JSON of the record that an entry becomes.
    fn json(&self, index: usize, seq: Seq) -> Result<String, StoreError> {
        match self.jsons[index].strip_prefix(FIRST) {
            Some(rest) => Ok(format!("{{\"seq\":{seq},{rest}")),
            None => history::json(seq, &self.entries[index]),
        }
    }
}

/// Appends entries to the history of a session.
///
/// # Errors
/// As the contract says; `Unsupported` beyond 2^40 - 1 records.
pub(crate) fn append(
    connection: &Connection,
    id: SessionId,
    batch: &Batch,
    at: Timestamp,
) -> Result<Appended, SqlError> {
    let stored = find::by_id(connection, id)?;
    let known = |id: &_| history::number_of(connection, stored.seq, id);
    let Append { session, fresh, seqs, repeats } =
        rules::appended(&stored.session, &batch.entries, known, at)?;
    for (index, seq) in fresh {
        let key = stored.seq.key(seq)?;
        history::insert(connection, key, &batch.entries[index].id, &batch.json(index, seq)?)?;
    }
    if let Some(session) = &session {
        row::replace(connection, &stored, session)?;
    }
    let session = session.unwrap_or(stored.session);
    let revision = session.lifecycle.revision;
    Ok(Appended { seqs, repeats, revision, title: session.identity.title })
}
