//! Sessions: every write is one transaction, every read one snapshot.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use session_core::store::rules;
use session_core::{
    IdFragment, Observer, Page, Query, Removal, Session, SessionId, SessionName, SessionStore,
    StoreError, StoreInfo, Timestamp, Tombstone,
};

use super::SqlStore;
use crate::error::SqlError;
use crate::row::Stored;
use crate::schema::{self, SCHEMA_VERSION};
use crate::{find, history, index, list, row, tombstone};

impl SessionStore for SqlStore {
    fn info(&self) -> StoreInfo {
        let read =
            self.on_reader("look", |connection| schema::generation(connection, &self.place.path));
        let generation = read.unwrap_or_else(|_| self.generation.load(Ordering::Relaxed));
        let location = Some(self.place.path.clone());
        let mut info = StoreInfo::new("sqlite", location, SCHEMA_VERSION, generation);
        info.durability = self.place.options.durability;
        info
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let session = rules::created(session)?;
        let json = row::json(&session)?;
        self.on_writer("create", move |connection| {
            tombstone::check_free(connection, session.id())?;
            if session.claims_name() {
                take_name(connection, &session, session.lifecycle.created_at)?;
            }
            row::insert(connection, &session, json)?;
            Ok(session)
        })
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        self.on_reader("get", |connection| Ok(find::by_id(connection, id)?.session))
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        self.on_reader("find by name", |connection| find::named(connection, name))
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        self.on_reader("find by id", |connection| find::matching(connection, fragment))
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        self.on_writer("update", move |connection| {
            let before = find::by_id(connection, changed.id())?;
            let after = rules::updated(&before.session, changed, at)?;
            if rules::takes_name(&before.session, &after) {
                take_name(connection, &after, at)?;
            }
            row::replace(connection, &before, &after)?;
            Ok(after)
        })
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        self.on_snapshot("list", |snapshot, generation| list::page(snapshot, query, generation))
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let observer = observer.clone();
        self.on_writer("remove", move |connection| {
            let before = find::by_id(connection, id)?;
            let children = find::live_children(connection, id)?;
            let removed = rules::removed(&before.session, &children, &observer)?;
            row::replace(connection, &before, &removed)?;
            Ok(removed)
        })
    }

    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError> {
        let removal = removal.clone();
        self.on_writer("remove", move |connection| {
            // Those that may go, and those whose programs may keep others.
            let mut concerned: BTreeMap<SessionId, Stored> = BTreeMap::new();
            find::each_present(connection, |stored| {
                if removal.takes(&stored.session) || stored.session.has_live_process() {
                    concerned.insert(stored.session.id(), stored);
                }
            })?;
            let sessions: Vec<_> =
                concerned.values().map(|stored| stored.session.clone()).collect();
            let mut gone = Vec::new();
            for session in rules::removable(&sessions, &removal) {
                let removed = rules::removed(session, [], &removal.observer)?;
                if let Some(before) = concerned.get(&session.id()) {
                    row::replace(connection, before, &removed)?;
                }
                gone.push(removed);
            }
            Ok(gone)
        })
    }

    fn restore(&self, id: SessionId, at: Timestamp) -> Result<Session, StoreError> {
        self.on_writer("restore", move |connection| {
            let before = find::by_id(connection, id)?;
            let restored = rules::restored(&before.session, at)?;
            if restored.claims_name() {
                take_name(connection, &restored, at)?;
            }
            row::replace(connection, &before, &restored)?;
            Ok(restored)
        })
    }

    fn purge(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError> {
        self.on_writer("purge", move |connection| {
            let Stored { seq, session } = find::by_id(connection, id)?;
            if !session.is_trashed() {
                return Err(StoreError::NotTrashed { id }.into());
            }
            index::remove(connection, seq)?;
            history::delete(connection, seq)?;
            // Its labels go with it.
            let sql = "DELETE FROM sessions WHERE seq = ?1";
            connection.prepare_cached(sql)?.execute([seq.get()])?;
            let tombstone = Tombstone::new(id, at);
            tombstone::insert(connection, &tombstone)?;
            Ok(tombstone)
        })
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let due = self.on_reader("sweep", |connection| find::to_sweep(connection, observer))?;
        if !due.iter().any(|stored| rules::swept(&stored.session, observer).is_some()) {
            // Nobody has to wait for a turn to record nothing.
            return Ok(Vec::new());
        }
        let observer = observer.clone();
        self.on_writer("sweep", move |connection| {
            let mut changed = Vec::new();
            for before in find::to_sweep(connection, &observer)? {
                if let Some(after) = rules::swept(&before.session, &observer) {
                    row::replace(connection, &before, &after)?;
                    changed.push(after);
                }
            }
            Ok(changed)
        })
    }

    fn flush(&self) -> Result<(), StoreError> {
        if self.readers.is_closed() {
            return Err(StoreError::StoreClosed);
        }
        let flushed = self.any_writer().map_or(Ok(()), |writer| writer.flush(&self.place));
        flushed.map_err(|error| error.told("flush", &self.place.path))
    }

    fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        let closed = self.any_writer().map_or(Ok(()), |writer| writer.close());
        closed.map_err(|error| error.told("close", &self.place.path))
    }
}

/// Takes the name of `taker` from whoever has it, or says who holds it.
fn take_name(connection: &Connection, taker: &Session, at: Timestamp) -> Result<(), SqlError> {
    let Some(name) = taker.name() else { return Ok(()) };
    for other in find::may_hold(connection, name.as_str())? {
        if let Some(expired) = rules::contest(taker.id(), &other.session, at)? {
            row::replace(connection, &other, &expired)?;
        }
    }
    Ok(())
}
