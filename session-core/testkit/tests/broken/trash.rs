//! Stores that treat names, leases and the trash wrongly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use session_core::{
    MemoryStore, Observer, Page, Query, Reading, Record, RecordStore, Records, Removal, Scope,
    Session, SessionId, SessionStore, SessionStoreExt, StoreError, Timestamp, Tombstone,
};

use super::delegate::Faulty;
use super::{assert_noticed, model_notices, noticed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ForgetsLeases,
    IgnoresRoleNames,
    TakesTotals,
    HidesTheTrash,
    RestoresAnyName,
    RestoresLittle,
    PurgesAnything,
    LeavesRecords,
    AllowsIdsAgain,
    ForgetsWhen,
    RemovesRunning,
    RemovesSome,
    RemovesAnyStatus,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
    left: Arc<Mutex<BTreeMap<SessionId, Vec<Record>>>>,
}

impl Broken {
    fn observer(at: Timestamp) -> Observer {
        Observer { now: at, live_host: None }
    }

    /// Does what is refused for a name by taking it away from whoever holds it.
    fn evicting<T>(
        &self,
        at: Timestamp,
        only_ended: bool,
        act: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match act() {
            Err(StoreError::NameHeld { holder, .. })
                if !only_ended || !self.store.get(holder)?.status().is_open() =>
            {
                self.store.remove(holder, &Self::observer(at))?;
                act()
            }
            answer => answer,
        }
    }
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store, left: Arc::default() }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let at = session.lifecycle.created_at;
        match self.fault {
            Fault::ForgetsLeases => self.evicting(at, true, || self.store.create(session.clone())),
            Fault::IgnoresRoleNames => self.store.create(session.clone()).or_else(|error| {
                let mut bare = session;
                bare.lease = None;
                if matches!(error, StoreError::Invalid { .. }) {
                    self.store.create(bare)
                } else {
                    Err(error)
                }
            }),
            Fault::AllowsIdsAgain => match self.store.create(session.clone()) {
                Err(StoreError::Purged { .. }) => Ok(session),
                answer => answer,
            },
            _ => self.store.create(session),
        }
    }

    fn update(&self, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        let totals = changed.totals();
        let mut stored = self.store.update(changed, at)?;
        if let Some(conversation) = &mut stored.conversation
            && self.fault == Fault::TakesTotals
        {
            conversation.totals = totals;
        }
        Ok(stored)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        if self.fault == Fault::HidesTheTrash && query.scope == Scope::Trash {
            return self.store.flush().map(|()| Page::default());
        }
        self.store.list(query)
    }

    fn remove_all(&self, removal: &Removal) -> Result<Vec<Session>, StoreError> {
        let mut removal = removal.clone();
        match self.fault {
            Fault::RemovesRunning => removal.observer.live_host = None,
            Fault::RemovesAnyStatus => removal.statuses.clear(),
            Fault::RemovesSome => {
                let mut removed = self.store.removable(&removal)?.sessions;
                for session in removed.iter_mut().take(20) {
                    *session = self.store.remove(session.id(), &removal.observer)?;
                }
                return Ok(removed);
            }
            _ => {}
        }
        self.store.remove_all(&removal)
    }

    fn restore(&self, id: SessionId, at: Timestamp) -> Result<Session, StoreError> {
        match self.fault {
            Fault::RestoresAnyName => self.evicting(at, false, || self.store.restore(id, at)),
            Fault::RestoresLittle => {
                let mut session = self.store.restore(id, at)?;
                session.exchange = None;
                session.identity.labels.clear();
                session.identity.title = None;
                self.store.update(session, at)
            }
            _ => self.store.restore(id, at),
        }
    }

    fn purge(&self, id: SessionId, at: Timestamp) -> Result<Tombstone, StoreError> {
        if self.fault == Fault::PurgesAnything {
            self.store.remove(id, &Self::observer(at)).ok();
        }
        let records: Vec<_> = self.store.history(id, Reading::ALL).map_while(Result::ok).collect();
        let mut tombstone = self.store.purge(id, at)?;
        if self.fault == Fault::LeavesRecords {
            self.left.lock().unwrap().insert(id, records);
        }
        if self.fault == Fault::ForgetsWhen {
            tombstone.at = Timestamp::from_millis(0);
        }
        Ok(tombstone)
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        match (self.store.read(id, reading), self.left.lock().unwrap().get(&id)) {
            (Err(StoreError::NotFound { .. }), Some(left)) => {
                Ok(Records { records: left.clone(), ..Records::default() })
            }
            (answer, _) => answer,
        }
    }
}

noticed! {
    forgotten_leases_are_noticed: ForgetsLeases by [
        "lease::holds_a_name_after_the_work",
        "lease::expires_an_overdue_lease",
    ] and model_notices;
    ignored_names_of_roles_are_noticed: IgnoresRoleNames by [
        "lease::refuses_a_name_that_no_role_may_have",
    ] and model_notices;
    taken_totals_are_noticed: TakesTotals by [
        "totals::are_kept_by_an_update",
        "totals::appear_by_no_update",
    ];
    hidden_trash_is_noticed: HidesTheTrash by [
        "trash::is_listed_alone",
        "trash::is_listed_by_filters_and_pages",
        "trash::is_searched_by_selectors",
    ] and model_notices;
    evicted_holders_are_noticed: RestoresAnyName by ["trash::restores_no_held_name"] and model_notices;
    half_restored_sessions_are_noticed: RestoresLittle by [
        "trash::gives_everything_back",
    ] and model_notices;
    purged_sessions_are_noticed: PurgesAnything by ["trash::destroys_only_the_trash"] and model_notices;
    records_that_are_left_are_noticed: LeavesRecords by [
        "trash::leaves_nothing_to_read",
    ] and model_notices;
    ids_that_come_back_are_noticed: AllowsIdsAgain by [
        "trash::never_brings_back_what_was_destroyed",
        "upkeep::takes_over_a_tombstone",
    ] and model_notices;
    forgotten_times_are_noticed: ForgetsWhen by ["trash::leaves_nothing_to_read"] and model_notices;
    removals_of_what_runs_are_noticed: RemovesRunning by ["removal::leaves_what_runs"] and model_notices;
    half_removals_are_noticed: RemovesSome by ["removal::is_found_done"];
    removals_of_too_much_are_noticed: RemovesAnyStatus by [
        "removal::takes_what_is_seen_in_a_status",
    ] and model_notices;
}
