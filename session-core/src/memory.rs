//! A store in memory: the reference that every other backend is compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::rules;
use crate::{
    IdFragment, Observer, Page, Query, Session, SessionId, SessionName, SessionStore, StoreError,
    StoreInfo, Timestamp,
};

/// A store that lives as long as its last handle. Clones are handles on the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Sessions>>,
    closed: Arc<std::sync::atomic::AtomicBool>,
}

type Sessions = BTreeMap<SessionId, Session>;

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

    fn sessions(&self) -> Result<MutexGuard<'_, Sessions>, StoreError> {
        if self.closed.load(std::sync::atomic::Ordering::Acquire) {
            return Err(StoreError::StoreClosed);
        }
        // Every change below is one insertion, so a panic elsewhere leaves no half of one behind.
        Ok(self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn stored(sessions: &Sessions, id: SessionId) -> Result<&Session, StoreError> {
    sessions.get(&id).ok_or_else(|| StoreError::NotFound { selector: id.to_string() })
}

/// Takes the name of `taker` from whoever has it, or says who holds it.
fn take_name(sessions: &mut Sessions, taker: &Session, at: Timestamp) -> Result<(), StoreError> {
    let mut expired = Vec::new();
    for other in sessions.values().filter(|other| other.name() == taker.name()) {
        expired.extend(rules::contest(taker.id(), other, at)?);
    }
    sessions.extend(expired.into_iter().map(|session| (session.id(), session)));
    Ok(())
}

impl SessionStore for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo::new("memory", None, 1, 0)
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let mut sessions = self.sessions()?;
        let session = rules::created(session)?;
        let (id, at) = (session.id(), session.lifecycle.created_at);
        if sessions.contains_key(&id) {
            return Err(StoreError::IdExists { id });
        }
        if rules::claims_name(&session) {
            take_name(&mut sessions, &session, at)?;
        }
        sessions.insert(id, session.clone());
        Ok(session)
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        stored(&*self.sessions()?, id).cloned()
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        let mut found: Vec<_> = (self.sessions()?.values())
            .filter(|session| session.name() == Some(name) && !session.is_trashed())
            .cloned()
            .collect();
        newest_first(&mut found);
        Ok(found)
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        let mut found: Vec<_> = (self.sessions()?.values())
            .filter(|session| fragment.matches(session.id()) && !session.is_trashed())
            .cloned()
            .collect();
        newest_first(&mut found);
        found.truncate(10);
        Ok(found)
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        let mut sessions = self.sessions()?;
        let before = stored(&sessions, changed.id())?.clone();
        let after = rules::updated(&before, changed, at)?;
        if rules::takes_name(&before, &after) {
            take_name(&mut sessions, &after, at)?;
        }
        sessions.insert(after.id(), after.clone());
        Ok(after)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let generation = self.info().generation;
        query.check_cursor(generation)?;
        Ok(query.page_of(self.sessions()?.values(), generation))
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let mut sessions = self.sessions()?;
        let children = sessions.values().filter(|child| child.identity.parent == Some(id));
        let removed = rules::removed(stored(&sessions, id)?, children, observer)?;
        sessions.insert(id, removed.clone());
        Ok(removed)
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.sessions()?;
        let changed: Vec<_> =
            sessions.values().filter_map(|session| rules::swept(session, observer)).collect();
        sessions.extend(changed.iter().map(|session| (session.id(), session.clone())));
        Ok(changed)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.sessions().map(drop)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        Ok(())
    }
}

fn newest_first(sessions: &mut [Session]) {
    sessions.sort_by_key(|session| std::cmp::Reverse((session.lifecycle.created_at, session.id())));
}
