//! Sessions: created, found, changed, moved to the trash and destroyed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use session_core::store::rules;
use session_core::{
    IdFragment, Observer, Page, Query, Removal, Session, SessionId, SessionName, SessionStore,
    StoreError, StoreInfo, Timestamp, Tombstone,
};

use super::JsonlStore;
use crate::directory::View;
use crate::error::ReadError;
use crate::file;
use crate::index::Listing;
use crate::writer::{Change, Concerns, Writer};

/// How often a listing begins anew when somebody changes what it shows.
const ATTEMPTS: u32 = 8;

impl SessionStore for JsonlStore {
    fn info(&self) -> StoreInfo {
        self.describe()
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let session = rules::created(session)?;
        let (id, at) = (session.id(), session.lifecycle.created_at);
        self.check_free(&writer, id)?;
        let before = writer.view.load(id)?;
        let mut changes = Vec::new();
        if session.claims_name() {
            changes = self.contest(&writer, &session, at)?;
        } else {
            self.index.ensure(&writer.view)?;
        }
        changes.push(Change::of(session, before)?);
        writer.commit(&changes)?;
        last(changes)
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        let (_, session) = self.reading()?.stored(id)?;
        Ok(Session::clone(&session))
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        self.newest_first(|listing| listing.named(name), |session| session.name() == Some(name))
    }

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        let matching = |listing: &Listing<'_>| {
            listing.rows().map(|(id, _)| id).filter(|id| fragment.matches(*id)).collect()
        };
        let mut found = self.newest_first(matching, |_| true)?;
        found.truncate(10);
        Ok(found)
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        // Whether it takes a name shows only when its record is read.
        let is_lone = changed.name().is_none();
        let writer = self.writing(if is_lone { Concerns::One } else { Concerns::Others })?;
        let (before, stored) = writer.view.stored(changed.id())?;
        let after = rules::updated(&stored, changed, at)?;
        if !rules::takes_name(&stored, &after) {
            let gives_up = stored.claims_name() && !rules::takes_name(&after, &stored);
            let change = Change::of(after, Some(before))?;
            if gives_up && is_lone {
                self.commit_alone(&writer, &change)?;
            } else {
                writer.commit(std::slice::from_ref(&change))?;
            }
            return Ok(change.into_session());
        }
        let mut changes = self.contest(&writer, &after, at)?;
        changes.push(Change::of(after, Some(before))?);
        writer.commit(&changes)?;
        last(changes)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let mut attempt = 1;
        loop {
            let view = self.reading()?;
            let generation = self.generation();
            query.check_cursor(generation)?;
            let listing = self.index.listing(&view, &self.lock)?;
            let mut page = query.page_of(listing.rows().map(|(_, row)| &*row.session), generation);
            let found = full(&view, &listing, &mut page, query)?;
            drop(listing);
            if found.is_empty() || attempt == ATTEMPTS {
                return Ok(page);
            }
            // Somebody wrote in between, or a file was changed behind the index's back.
            found.into_iter().for_each(|id| self.index.doubt(id));
            attempt += 1;
        }
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let (before, stored) = writer.view.stored(id)?;
        let mut children = Vec::new();
        for child in self.index.listing_to_write(&writer.view)?.known()?.children(id) {
            children.extend(writer.view.load(child)?.and_then(|child| child.readable().cloned()));
        }
        let children = children.iter().map(|child| &**child);
        let removed = rules::removed(&stored, children, observer)?;
        let change = Change::of(removed, Some(before))?;
        writer.commit(std::slice::from_ref(&change))?;
        Ok(change.into_session())
    }

    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let listing = self.index.listing_to_write(&writer.view)?.known()?;
        let present: Vec<_> = (listing.rows())
            .map(|(_, row)| &*row.session)
            .filter(|session| !session.is_trashed())
            .cloned()
            .collect();
        let ids = rules::removable(&present, removal).into_iter().map(Session::id);
        let ids: Vec<_> = ids.collect();
        drop((present, listing));
        self.change_all(&writer, ids, |stored| {
            rules::removed(stored, [], &removal.observer).map(Some)
        })
    }

    fn restore(&self, id: SessionId, at: Timestamp) -> Result<Session, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let (before, stored) = writer.view.stored(id)?;
        let restored = rules::restored(&stored, at)?;
        let mut changes = Vec::new();
        if restored.claims_name() {
            changes = self.contest(&writer, &restored, at)?;
        }
        changes.push(Change::of(restored, Some(before))?);
        writer.commit(&changes)?;
        last(changes)
    }

    fn purge(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let (_, stored) = writer.view.stored(id)?;
        if !stored.is_trashed() {
            return Err(StoreError::NotTrashed { id });
        }
        self.index.ensure(&writer.view)?;
        writer.destroy(id, at)
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        let listing = self.index.listing_to_write(&writer.view)?.known()?;
        let ids: Vec<_> = (listing.rows())
            .filter(|(_, row)| rules::swept(&row.session, observer).is_some())
            .map(|(id, _)| id)
            .collect();
        drop(listing);
        self.change_all(&writer, ids, |stored| Ok(rules::swept(stored, observer)))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.usable()?;
        self.sync_written()
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let synced = if self.poisoned.load(Ordering::Acquire) {
            Err(StoreError::Poisoned)
        } else {
            self.sync_written()
        };
        self.closed.store(true, Ordering::Release);
        self.directory.forget_all();
        self.index.forget();
        synced
    }
}

impl JsonlStore {
    /// Whether a session of this id may be stored.
    pub(super) fn check_free(&self, writer: &Writer<'_>, id: SessionId) -> Result<(), StoreError> {
        if let Some(tombstone) = writer.view.tombs.by_id.get(&id) {
            return Err(StoreError::Purged { id, at: tombstone.at });
        }
        match writer.view.load(id)? {
            Some(loaded) if loaded.session()?.is_some() => Err(StoreError::IdExists { id }),
            _ => Ok(()),
        }
    }

    /// Makes a change that concerns one session, as durably as this handle was asked to.
    pub(super) fn commit_alone(
        &self,
        writer: &Writer<'_>,
        change: &Change,
    ) -> Result<(), StoreError> {
        writer.commit_alone(change)?;
        // Whoever flushes after this call finds it. Said before the bytes are there, it might be struck out before.
        if self.durability() == session_core::Durability::Normal {
            *self.unsynced().entry(change.id()).or_default() += 1;
        }
        Ok(())
    }

    fn unsynced(&self) -> MutexGuard<'_, BTreeMap<SessionId, u64>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure of what this handle wrote and did not sync.
    fn sync_written(&self) -> Result<(), StoreError> {
        let unsynced = self.unsynced().clone();
        let mut first_failure = None;
        for (id, changes) in unsynced {
            let path = self.directory.file_of(id);
            match file::sync(self.directory.disk(), &path) {
                Ok(()) => {
                    let mut unsynced = self.unsynced();
                    // What was changed again meanwhile is for the next time.
                    if unsynced.get(&id) == Some(&changes) {
                        unsynced.remove(&id);
                    }
                }
                Err(failed) => {
                    self.poisoned.fetch_or(failed.touched, Ordering::AcqRel);
                    first_failure.get_or_insert(failed.error);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Those that have the name that `taker` wants at `at` and whose deadline has passed, as they are to be stored.
    ///
    /// # Errors
    /// `NameHeld` when one of them holds the name.
    fn contest(
        &self,
        writer: &Writer<'_>,
        taker: &Session,
        at: Timestamp,
    ) -> Result<Vec<Change>, StoreError> {
        let Some(name) = taker.name() else { return Ok(Vec::new()) };
        let named = self.index.listing_to_write(&writer.view)?.known()?.named(name);
        let mut changes = Vec::new();
        for id in named {
            let Some(loaded) = writer.view.load(id)? else { continue };
            let Some(other) = loaded.readable().filter(|other| other.name() == Some(name)) else {
                continue;
            };
            if let Some(expired) = rules::contest(taker.id(), other, at)? {
                changes.push(Change::of(expired, Some(loaded))?);
            }
        }
        Ok(changes)
    }

    /// Stores what `change` makes of these sessions, all in one step.
    fn change_all(
        &self,
        writer: &Writer<'_>,
        ids: Vec<SessionId>,
        change: impl Fn(&Session) -> Result<Option<Session>, StoreError>,
    ) -> Result<Vec<Session>, StoreError> {
        let mut changes = Vec::new();
        for id in ids {
            let (before, stored) = writer.view.stored(id)?;
            if let Some(changed) = change(&stored)? {
                changes.push(Change::of(changed, Some(before))?);
            }
        }
        writer.commit(&changes)?;
        Ok(changes.into_iter().map(Change::into_session).collect())
    }

    /// The sessions outside the trash among those that `candidates` names and `wanted` accepts, the last created
    /// first.
    fn newest_first(
        &self,
        candidates: impl Fn(&Listing<'_>) -> Vec<SessionId>,
        wanted: impl Fn(&Session) -> bool,
    ) -> Result<Vec<Session>, StoreError> {
        let view = self.reading()?;
        let listing = self.index.listing(&view, &self.lock)?.known()?;
        let mut found = Vec::new();
        for id in candidates(&listing) {
            let Some(loaded) = view.load(id)? else { continue };
            if let Some(session) = loaded.readable()
                && !session.is_trashed()
                && wanted(session)
            {
                found.push(Arc::clone(session));
            }
        }
        found
            .sort_by_key(|session| std::cmp::Reverse((session.lifecycle.created_at, session.id())));
        Ok(found.iter().map(|session| Session::clone(session)).collect())
    }
}

/// Puts the sessions of a page as they are in their files in place of what the index knows of them, adds what is
/// known not to be readable, and returns those that are not as the index says; they stay only if they still match.
fn full(
    view: &View<'_>,
    listing: &Listing<'_>,
    page: &mut Page,
    query: &Query,
) -> Result<Vec<SessionId>, StoreError> {
    let mut others = Vec::new();
    let mut seen = BTreeSet::new();
    let mut sessions = Vec::new();
    page.damaged.clone_from(&listing.damaged);
    page.damaged.extend(listing.unreadable.iter().map(ReadError::to_damage));
    for session in &page.sessions {
        let id = session.id();
        seen.insert(id);
        let loaded = view.load(id)?;
        let now = loaded.as_ref().and_then(|loaded| loaded.readable());
        let is_same = now.is_some()
            && listing.row(id).is_some_and(|row| loaded.as_ref().is_some_and(|it| row.is_of(it)));
        if !is_same {
            others.push(id);
        }
        if let Some(now) = now.filter(|now| is_same || query.matches(now)) {
            sessions.push(Session::clone(now));
        }
        page.damaged.extend(loaded.iter().flat_map(|loaded| loaded.damage()));
    }
    page.sessions = sessions;
    for (id, row) in listing.rows() {
        if !row.spots.is_empty() && !seen.contains(&id) {
            let path = view.directory.file_of(id);
            page.damaged.extend(row.spots.iter().map(|spot| spot.in_file(&path)));
        }
    }
    Ok(others)
}

fn last(changes: Vec<Change>) -> Result<Session, StoreError> {
    let last = changes.into_iter().next_back().map(Change::into_session);
    last.ok_or_else(|| StoreError::backend("storing a session", "nothing was to be stored"))
}
