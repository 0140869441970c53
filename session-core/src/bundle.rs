//! Bundles: sessions with their histories as lines of JSON, which lose nothing; and the copying of whole stores.
//!
//! A bundle is the canonical JSON of sessions and records in plain lines, so that equal bundles mean equal content.
//! Its first line says what it is, its last line how much it holds, so that one that was cut short is noticed.
//!
//! ```
//! use session_core::bundle::{self, Line};
//! use session_core::{MemoryStore, Session, SessionId, SessionStore as _, StoreError, Timestamp};
//!
//! let store = MemoryStore::new();
//! let now = Timestamp::from_millis(1_769_847_300_007);
//! store.create(Session::new(SessionId::from_parts(now, 1), now))?;
//!
//! let mut lines = Vec::new();
//! bundle::dump(&store, |line| Ok::<_, StoreError>(lines.push(line.to_string())))?;
//! assert_eq!(lines[0], r#"{"type":"bundle","version":1}"#);
//! assert_eq!(lines.last().unwrap(), r#"{"type":"end","sessions":1,"records":0,"tombstones":0}"#);
//! assert!(matches!(lines[1].parse()?, Line::Session(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod line;

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::{
    Damage, Observer, Query, Reading, Scope, Seq, Session, SessionId, SessionStore,
    SessionStoreExt, Sort, StoreError, Timestamp, Tombstone,
};

pub use line::{Counts, Line, LineError, VERSION};

/// Gives all of a store to `sink`, line by line: sessions by id, those in the trash included, each with its history,
/// then tombstones.
///
/// What others write meanwhile may be in it or not; each session is as it was at one moment, with the records that it
/// had then. One that is destroyed meanwhile is there with all of its history, or only its tombstone is. Damaged
/// sessions and records are left out and returned.
///
/// # Errors
/// `Purged` when a session is destroyed after its first records were given and before its last ones were read:
/// what `sink` has then ends without [`Line::End`], as does what was cut short in any other way. A second dump does
/// without that session. `Corrupt` when a history ends too early though nothing in it is damaged, as when the store is
/// replaced by a backup meanwhile. What else the store reports and what `sink` returns.
pub fn dump<E: From<StoreError>>(
    store: &dyn SessionStore,
    mut sink: impl FnMut(Line) -> Result<(), E>,
) -> Result<Vec<Damage>, E> {
    sink(Line::Bundle { version: VERSION })?;
    let (ids, mut damaged) = ids(store)?;
    let mut counts = Counts::default();
    let mut given = BTreeSet::new();
    for id in ids {
        if let Some(more) = still_there(give(store, id, &mut counts, &mut sink))? {
            damaged.extend(more);
            given.insert(id);
        }
    }
    for tombstone in buried(store, &given)? {
        counts.tombstones += 1;
        sink(Line::Tombstone(tombstone))?;
    }
    sink(Line::End(counts))?;
    Ok(damaged)
}

/// Gives these sessions to `sink` as [`dump`] gives all of them, by id and each once, without tombstones.
///
/// # Errors
/// `NotFound` for one that is not there; otherwise as [`dump`].
pub fn dump_sessions<E: From<StoreError>>(
    store: &dyn SessionStore,
    ids: impl IntoIterator<Item = SessionId>,
    mut sink: impl FnMut(Line) -> Result<(), E>,
) -> Result<Vec<Damage>, E> {
    sink(Line::Bundle { version: VERSION })?;
    let mut damaged = Vec::new();
    let mut counts = Counts::default();
    for id in ids.into_iter().collect::<BTreeSet<_>>() {
        damaged.extend(give(store, id, &mut counts, &mut sink).map_err(Halt::into_error)?);
    }
    sink(Line::End(counts))?;
    Ok(damaged)
}

/// Why a session was not given.
enum Halt<E> {
    /// It is not there, and the sink knows nothing of it.
    Absent(StoreError),
    Failed(E),
}

impl<E: From<StoreError>> Halt<E> {
    fn into_error(self) -> E {
        match self {
            Self::Absent(error) => error.into(),
            Self::Failed(error) => error,
        }
    }
}

impl<E: From<StoreError>> From<StoreError> for Halt<E> {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::Absent(error),
            error => Self::Failed(error.into()),
        }
    }
}

/// Gives a session and the records that it has to `sink`, and returns the damage that was met.
fn give<E: From<StoreError>>(
    store: &dyn SessionStore,
    id: SessionId,
    counts: &mut Counts,
    sink: &mut impl FnMut(Line) -> Result<(), E>,
) -> Result<Vec<Damage>, Halt<E>> {
    let session = store.get(id)?;
    let records = session.totals().records;
    let mut history = store.history(id, up_to(records));
    // Once some of its records are here, the session is given; before that, nobody was told of it.
    history.begin()?;
    counts.sessions += 1;
    sink(Line::Session(Box::new(session))).map_err(Halt::Failed)?;
    let mut given = 0;
    for record in history.by_ref() {
        let record = record.map_err(|error| Halt::Failed(purged(store, id, error).into()))?;
        given += 1;
        sink(Line::Record(Box::new(record))).map_err(Halt::Failed)?;
    }
    counts.records += given;
    if given < records && history.damaged().is_empty() {
        let place = format!("the history of session {id}");
        let reason = format!("it ends after {given} of {records} records");
        return Err(StoreError::Corrupt { place, reason }.into());
    }
    Ok(history.damaged().to_vec())
}

/// What became of a session that was there before.
fn purged(store: &dyn SessionStore, id: SessionId, error: StoreError) -> StoreError {
    if !matches!(error, StoreError::NotFound { .. }) {
        return error;
    }
    match store.tombstones() {
        Ok(tombstones) => match tombstones.into_iter().find(|it| it.id == id) {
            Some(tombstone) => StoreError::Purged { id, at: tombstone.at },
            None => error,
        },
        Err(error) => error,
    }
}

/// Copies all sessions, histories and tombstones of one store to another, which gets them as they are.
///
/// A session with damage in its history is left out as well, and returned with its damage: half of it would not be
/// what it was. Of one that is destroyed meanwhile either all is copied or its tombstone.
///
/// # Errors
/// What either store reports; then some may have been copied.
pub fn copy(
    from: &dyn SessionStore,
    to: &dyn SessionStore,
    mut progress: impl FnMut(Counts),
) -> Result<(Counts, Vec<Damage>), StoreError> {
    let (ids, mut damaged) = ids(from)?;
    let mut counts = Counts::default();
    let mut copied = BTreeSet::new();
    for id in ids {
        let session = match from.get(id) {
            Err(StoreError::NotFound { .. }) => continue,
            found => found?,
        };
        let records = session.totals().records;
        let mut history = from.history(id, up_to(records));
        match to.adopt(session, &mut history) {
            Err(StoreError::Invalid { .. }) if !history.damaged().is_empty() => {
                damaged.extend_from_slice(history.damaged());
                continue;
            }
            // Nothing of it was stored, since its history came to no end.
            Err(error @ StoreError::NotFound { .. }) => match purged(from, id, error) {
                StoreError::Purged { .. } => continue,
                error => return Err(error),
            },
            adopted => adopted?,
        }
        copied.insert(id);
        counts.sessions += 1;
        counts.records += records;
        progress(counts);
    }
    for tombstone in buried(from, &copied)? {
        to.bury(&tombstone)?;
        counts.tombstones += 1;
    }
    Ok((counts, damaged))
}

/// The tombstones of a store, but for those of sessions that were there a moment ago.
fn buried(
    store: &dyn SessionStore,
    seen: &BTreeSet<SessionId>,
) -> Result<Vec<Tombstone>, StoreError> {
    let mut tombstones = store.tombstones()?;
    tombstones.retain(|tombstone| !seen.contains(&tombstone.id));
    Ok(tombstones)
}

/// The ids of all sessions, in order, and the damage that was met.
fn ids(store: &dyn SessionStore) -> Result<(Vec<SessionId>, Vec<Damage>), StoreError> {
    const PAGE: NonZeroU32 = NonZeroU32::new(1000).expect("is not zero");
    let (mut ids, mut damaged) = (Vec::new(), Vec::new());
    for scope in [Scope::All, Scope::Trash] {
        let now = Timestamp::from_millis(0);
        let mut query = Query::new(Observer { now, live_host: None });
        (query.scope, query.sort, query.limit) = (scope, Sort::Created, Some(PAGE));
        loop {
            let page = store.list(&query)?;
            ids.extend(page.sessions.iter().map(Session::id));
            damaged.extend(page.damaged);
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
    }
    // One that was removed in between is in both listings.
    ids.sort_unstable();
    ids.dedup();
    damaged.dedup();
    Ok((ids, damaged))
}

/// A session that was destroyed since it was listed is no error.
fn still_there<T, E>(given: Result<T, Halt<E>>) -> Result<Option<T>, E> {
    match given {
        Ok(given) => Ok(Some(given)),
        Err(Halt::Absent(_)) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// The first so many records.
fn up_to(records: u64) -> Reading {
    Seq::new(records).map_or(Reading::NOTHING, |to| Reading { to, ..Reading::ALL })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, MemoryStore, RecordId, RecordStore as _};

    #[test]
    fn chosen_sessions_come_by_id_each_once_without_tombstones() {
        let store = MemoryStore::new();
        let now = Timestamp::from_millis(5);
        let id = |number| SessionId::from_parts(now, number);
        for number in 1..=4 {
            store.create(Session::new(id(number), now)).unwrap();
        }
        let observer = Observer { now, live_host: None };
        for number in [2, 4] {
            store.remove(id(number), &observer).unwrap();
        }
        store.purge(id(4), now).unwrap();
        let entry = Entry::note(RecordId::parse("n-1").unwrap(), now, "a");
        store.append(id(1), &[entry], now).unwrap();

        let mut lines = Vec::new();
        let damaged = dump_sessions(&store, [2, 1, 2].map(id), |line| {
            lines.push(line);
            Ok::<_, StoreError>(())
        });
        assert_eq!(damaged.unwrap(), []);
        assert!(
            matches!(
                &lines[..],
                [Line::Bundle { .. }, Line::Session(one), Line::Record(_), Line::Session(two), Line::End(counts)]
                if one.id() == id(1)
                    && two.id() == id(2)
                    && *counts == Counts { sessions: 2, records: 1, tombstones: 0 }
            ),
            "{lines:?}"
        );
        let mut all = Vec::new();
        let dumped = dump(&store, |line| {
            all.push(line.to_string());
            Ok::<_, StoreError>(())
        });
        assert_eq!(dumped.unwrap(), []);
        assert!(lines[1..4].iter().all(|line| all.contains(&line.to_string())), "{all:?}");

        let missing = dump_sessions(&store, [id(9)], |_| Ok::<_, StoreError>(()));
        assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    }
}
