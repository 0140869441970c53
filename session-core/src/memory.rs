//! A store in memory: the reference that every other backend is compared with.

mod records;
mod upkeep;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::rules;
use crate::{
    IdFragment, Observer, Page, Query, Record, RecordId, Removal, Seq, Session, SessionId,
    SessionName, SessionStore, StoreError, StoreInfo, Timestamp, Tombstone,
};

/// A store that lives as long as its last handle. Clones are handles on the same store.
///
/// Its `Debug` form counts what is stored and shows none of it.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Content>>,
    closed: Arc<AtomicBool>,
}

/// Everything that is stored.
#[derive(Default)]
struct Content {
    sessions: BTreeMap<SessionId, Session>,
    histories: BTreeMap<SessionId, Kept>,
    tombstones: BTreeMap<SessionId, Tombstone>,
}

/// The history of one session.
#[derive(Default)]
struct Kept {
    /// By number, from 1 on without a gap.
    records: Vec<Record>,
    /// How many bytes the canonical JSON of each has.
    sizes: Vec<usize>,
    numbers: BTreeMap<RecordId, Seq>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another handle on the same store, open even when this one was closed.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), closed: Arc::default() }
    }

    fn content(&self) -> Result<MutexGuard<'_, Content>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::StoreClosed);
        }
        // Every call decides before it changes anything, so a panic elsewhere leaves no half of a change behind.
        Ok(self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn push(&mut self, record: Record) {
        let json = Record::json_of(record.seq, &record.entry);
        self.sizes.push(json.map_or(0, |json| json.as_str().len()));
        self.records.push(record);
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("MemoryStore");
        form.field("closed", &self.closed);
        // Whoever is inside may be the one who prints this.
        if let Ok(content) = self.shared.try_lock() {
            form.field("sessions", &content.sessions.len())
                .field(
                    "records",
                    &content.histories.values().map(|it| it.records.len()).sum::<usize>(),
                )
                .field("tombstones", &content.tombstones.len());
        }
        form.finish_non_exhaustive()
    }
}

impl Content {
    /// How many records there are.
    fn records(&self) -> u64 {
        self.histories.values().map(|history| history.records.len() as u64).sum()
    }

    fn stored(&self, id: SessionId) -> Result<&Session, StoreError> {
        self.sessions.get(&id).ok_or_else(|| StoreError::NotFound { selector: id.to_string() })
    }

    /// Whether a session of this id may be stored.
    fn check_free(&self, id: SessionId) -> Result<(), StoreError> {
        match self.tombstones.get(&id) {
            Some(tombstone) => Err(StoreError::Purged { id, at: tombstone.at }),
            None if self.sessions.contains_key(&id) => Err(StoreError::IdExists { id }),
            None => Ok(()),
        }
    }

    /// Takes the name of `taker` from whoever has it, or says who holds it.
    fn take_name(&mut self, taker: &Session, at: Timestamp) -> Result<(), StoreError> {
        let mut expired = Vec::new();
        for other in self.sessions.values().filter(|other| other.name() == taker.name()) {
            expired.extend(rules::contest(taker.id(), other, at)?);
        }
        self.put_all(&expired);
        Ok(())
    }

    fn put(&mut self, session: &Session) {
        self.sessions.insert(session.id(), session.clone());
    }

    fn put_all(&mut self, sessions: &[Session]) {
        sessions.iter().for_each(|session| self.put(session));
    }
}

impl SessionStore for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo { has_backups: false, ..StoreInfo::new("memory", None, 1, 0) }
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let mut content = self.content()?;
        let session = rules::created(session)?;
        content.check_free(session.id())?;
        if session.claims_name() {
            content.take_name(&session, session.lifecycle.created_at)?;
        }
        content.put(&session);
        Ok(session)
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        self.content()?.stored(id).cloned()
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        let mut found: Vec<_> = (self.content()?.sessions.values())
            .filter(|session| session.name() == Some(name) && !session.is_trashed())
            .cloned()
            .collect();
        newest_first(&mut found);
        Ok(found)
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        let mut found: Vec<_> = (self.content()?.sessions.values())
            .filter(|session| fragment.matches(session.id()) && !session.is_trashed())
            .cloned()
            .collect();
        newest_first(&mut found);
        found.truncate(10);
        Ok(found)
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        let mut content = self.content()?;
        let before = content.stored(changed.id())?.clone();
        let after = rules::updated(&before, changed, at)?;
        if rules::takes_name(&before, &after) {
            content.take_name(&after, at)?;
        }
        content.put(&after);
        Ok(after)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let generation = self.info().generation;
        query.check_cursor(generation)?;
        Ok(query.page_of(self.content()?.sessions.values(), generation))
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let mut content = self.content()?;
        let children = content.sessions.values().filter(|child| child.identity.parent == Some(id));
        let removed = rules::removed(content.stored(id)?, children, observer)?;
        content.put(&removed);
        Ok(removed)
    }

    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError> {
        let mut content = self.content()?;
        let present: Vec<_> =
            content.sessions.values().filter(|session| !session.is_trashed()).cloned().collect();
        let removed = rules::removable(&present, removal)
            .into_iter()
            .map(|session| rules::removed(session, [], &removal.observer))
            .collect::<Result<Vec<_>, _>>()?;
        content.put_all(&removed);
        Ok(removed)
    }

    fn restore(&self, id: SessionId, at: Timestamp) -> Result<Session, StoreError> {
        let mut content = self.content()?;
        let restored = rules::restored(content.stored(id)?, at)?;
        if restored.claims_name() {
            content.take_name(&restored, at)?;
        }
        content.put(&restored);
        Ok(restored)
    }

    fn purge(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError> {
        let mut content = self.content()?;
        if !content.stored(id)?.is_trashed() {
            return Err(StoreError::NotTrashed { id });
        }
        let tombstone = Tombstone::new(id, at);
        content.sessions.remove(&id);
        content.histories.remove(&id);
        content.tombstones.insert(id, tombstone.clone());
        Ok(tombstone)
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let mut content = self.content()?;
        let changed: Vec<_> = (content.sessions.values())
            .filter_map(|session| rules::swept(session, observer))
            .collect();
        content.put_all(&changed);
        Ok(changed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.content().map(drop)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

fn newest_first(sessions: &mut [Session]) {
    sessions.sort_by_key(|session| std::cmp::Reverse((session.lifecycle.created_at, session.id())));
}
