//! Stores that are wrong only when there is much in them, or much at once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use session_core::{
    MemoryStore, Mode, Observer, Page, Query, Scope, Session, SessionId, SessionName, SessionStore,
    StoreError, Timestamp,
};

use super::delegate::Faulty;
use super::{assert_noticed, noticed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ListsNineAtMost,
    CutsLongNames,
    TakesOneMoreAway,
    RenamesToYolo,
    KeepsOldNames,
    KnowsBetterTools,
    DropsTheSixtieth,
    ListsWhatComesBackLate,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
    created: AtomicU32,
    former: Mutex<BTreeMap<SessionName, SessionId>>,
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store, created: AtomicU32::new(0), former: Mutex::default() }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn create(&self, mut session: Session) -> Result<Session, StoreError> {
        if self.fault == Fault::CutsLongNames {
            let cut = session.name().map(|name| name.as_str().chars().take(20).collect::<String>());
            session.identity.name = cut.map(|cut| SessionName::sanitised(&cut));
        }
        if let Some(launch) =
            session.launch.as_mut().filter(|_| self.fault == Fault::KnowsBetterTools)
        {
            launch.tool = launch.tool.take().map(|tool| match &*tool {
                "claude" => "codex".to_owned(),
                _ => tool,
            });
        }
        // Each of the eight handles of a crowd creates eight.
        if self.fault == Fault::DropsTheSixtieth
            && self.created.fetch_add(1, Ordering::Relaxed) == 7
        {
            return Ok(session);
        }
        self.store.create(session)
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        match self.former.lock().unwrap().get(name) {
            Some(id) => Ok(vec![self.store.get(*id)?]),
            None => self.store.named(name),
        }
    }

    fn update(&self, mut changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        let before = self.store.get(changed.id())?;
        if before.name() != changed.name() {
            match self.fault {
                Fault::RenamesToYolo => {
                    if let Some(launch) = &mut changed.launch {
                        launch.mode = Mode::Yolo;
                    }
                }
                Fault::KeepsOldNames => {
                    let former = before.name().map(|name| (name.clone(), before.id()));
                    self.former.lock().unwrap().extend(former);
                }
                _ => {}
            }
        }
        self.store.update(changed, at)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let mut page = self.store.list(query)?;
        match self.fault {
            Fault::ListsNineAtMost => page.sessions.truncate(9),
            // Whoever was restored is shown when it is changed again.
            Fault::ListsWhatComesBackLate => {
                let late = |session: &Session| session.lifecycle.revision.0 == 3;
                page.sessions.retain(|session| !late(session));
            }
            _ => {}
        }
        Ok(page)
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let removed = self.store.remove(id, observer)?;
        if self.fault == Fault::TakesOneMoreAway {
            let mut query = Query::new(observer.clone());
            query.scope = Scope::All;
            let left = self.store.list(&query)?.sessions;
            if let Some(other) = left.first().filter(|_| left.len() > 9) {
                self.store.remove(other.id(), observer)?;
            }
        }
        Ok(removed)
    }
}

noticed! {
    short_listings_are_noticed: ListsNineAtMost by ["retold::stored_names_are_listed_names"];
    cut_names_are_noticed: CutsLongNames by [
        "retold::stored_names_are_listed_names",
        "retold::every_name_means_its_own_session",
    ];
    greedy_removals_are_noticed: TakesOneMoreAway by ["retold::removals_take_one_at_a_time"];
    renamings_that_change_more_are_noticed: RenamesToYolo by ["retold::renamings_change_the_name_alone"];
    old_names_that_stay_are_noticed: KeepsOldNames by ["retold::renamings_change_the_name_alone"];
    made_up_tools_are_noticed: KnowsBetterTools by ["retold::tools_stay_as_they_were_given"];
    lost_creations_are_noticed: DropsTheSixtieth by ["retold::no_creation_of_a_crowd_is_lost"];
    listings_that_lag_are_noticed: ListsWhatComesBackLate by ["retold::a_crowd_never_breaks_a_listing"];
}
