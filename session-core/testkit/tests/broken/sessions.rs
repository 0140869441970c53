//! Stores that treat sessions wrongly.

use std::collections::BTreeMap;
use std::sync::Mutex;

use session_core::{
    MemoryStore, Observer, Page, Query, Scope, Session, SessionId, SessionName, SessionStore,
    StoreError, Timestamp,
};

use super::delegate::Faulty;
use super::{assert_noticed, failing, is_noticed_in, model_notices};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    ForgetsDeadlines,
    ExpiresTooEarly,
    ExpiresBeforeItRefuses,
    ChangesNumbers,
    DropsMembers,
    IgnoresRevisions,
    IgnoresGenerations,
    ListsAsRecorded,
    LosesCursorTies,
    FoldsNames,
    CachesReads,
    DestroysLabels,
    RemovesRunning,
    StaysOpen,
    ForgetsAtReopen,
    WritesOnReading,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
    cache: Mutex<BTreeMap<SessionId, Session>>,
}

impl Broken {
    /// What a store keeps that goes through a JSON value, or knows no unknown members.
    fn mangled(&self, mut session: Session) -> Session {
        match self.fault {
            Fault::ChangesNumbers => {
                let text = serde_json::to_string(&session).unwrap().replace("0.10", "0.1");
                serde_json::from_str(&text).unwrap()
            }
            Fault::DropsMembers => {
                if let Some(health) = session.process.as_mut().and_then(|it| it.health.as_mut()) {
                    health.unknown = session_core::Unknown::default();
                }
                session
            }
            _ => session,
        }
    }

    fn overdue_holder(&self, session: &Session, at: Timestamp) -> Result<(), StoreError> {
        let Some(name) = session.name().filter(|_| self.fault == Fault::ForgetsDeadlines) else {
            return Ok(());
        };
        let overdue = |it: &&Session| it.status().is_open() && it.is_overdue(at);
        match self.store.named(name)?.iter().find(overdue) {
            Some(holder) if holder.id() != session.id() => {
                Err(StoreError::NameHeld { name: name.clone(), holder: holder.id() })
            }
            _ => Ok(()),
        }
    }
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store, cache: Mutex::default() }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn left(fault: Fault, store: MemoryStore) -> MemoryStore {
        if fault == Fault::ForgetsAtReopen { MemoryStore::new() } else { store }
    }

    fn create(&self, session: Session) -> Result<Session, StoreError> {
        let at = session.lifecycle.created_at;
        self.overdue_holder(&session, at)?;
        if self.fault == Fault::ExpiresBeforeItRefuses {
            self.store.sweep(&Observer { now: at, live_host: Some("host-a".to_owned()) })?;
        }
        self.store.create(self.mangled(session))
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        if self.fault == Fault::CachesReads {
            self.store.flush()?;
            let mut cache = self.cache.lock().unwrap();
            if let Some(known) = cache.get(&id) {
                return Ok(known.clone());
            }
            let found = self.store.get(id)?;
            cache.insert(id, found.clone());
            return Ok(found);
        }
        self.store.get(id)
    }

    fn named(&self, name: &SessionName) -> Result<Vec<Session>, StoreError> {
        if self.fault != Fault::FoldsNames {
            return self.store.named(name);
        }
        let observer = Observer { now: Timestamp::from_millis(0), live_host: None };
        let mut query = Query::new(observer);
        query.scope = Scope::All;
        query.sort = session_core::Sort::Created;
        let mut found = self.store.list(&query)?.sessions;
        found.retain(|it| {
            it.name().is_some_and(|it| it.as_str().eq_ignore_ascii_case(name.as_str()))
        });
        Ok(found)
    }

    fn update(&self, mut changed: Session, at: Timestamp) -> Result<Session, StoreError> {
        self.overdue_holder(&changed, at)?;
        if self.fault == Fault::IgnoresRevisions {
            changed.lifecycle.revision = self.store.get(changed.id())?.lifecycle.revision;
        }
        let stored = self.store.update(self.mangled(changed), at)?;
        self.cache.lock().unwrap().remove(&stored.id());
        Ok(stored)
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let mut query = query.clone();
        match (self.fault, &mut query.cursor) {
            (Fault::IgnoresGenerations, Some(cursor)) => {
                cursor.generation = self.info().generation;
            }
            (Fault::LosesCursorTies, Some(cursor)) => {
                cursor.id = SessionId::from_parts(Timestamp::from_millis(0), 0);
            }
            (Fault::ListsAsRecorded, _) => query.observer.now = Timestamp::from_millis(0),
            (Fault::WritesOnReading, _) => {
                self.store.sweep(&query.observer)?;
            }
            _ => {}
        }
        self.store.list(&query)
    }

    fn remove(&self, id: SessionId, observer: &Observer) -> Result<Session, StoreError> {
        let mut observer = observer.clone();
        if self.fault == Fault::RemovesRunning {
            observer.live_host = None;
        }
        if self.fault == Fault::DestroysLabels
            && let Ok(mut session) = self.store.get(id)
            && !session.identity.labels.is_empty()
            && !session.is_trashed()
        {
            session.identity.labels.clear();
            self.store.update(session, observer.now)?;
        }
        self.store.remove(id, &observer)
    }

    fn sweep(&self, observer: &Observer) -> Result<Vec<Session>, StoreError> {
        let mut observer = observer.clone();
        match self.fault {
            Fault::ForgetsDeadlines => observer.now = Timestamp::from_millis(0),
            Fault::ExpiresTooEarly => {
                observer.now = Timestamp::from_millis(observer.now.as_millis() + 1);
            }
            _ => {}
        }
        self.store.sweep(&observer)
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.fault == Fault::StaysOpen { Ok(()) } else { self.store.close() }
    }
}

#[test]
fn a_sound_store_passes() {
    assert_eq!(failing::<Broken>(Fault::None), [""; 0]);
    assert!(!is_noticed_in::<Broken>(4, Fault::None));
}

#[test]
fn forgotten_deadlines_are_noticed() {
    assert_noticed::<Broken>(
        Fault::ForgetsDeadlines,
        &[
            "create::expires_an_overdue_holder",
            "update::expires_an_overdue_holder",
            "sweep::records_a_deadline",
        ],
    );
    assert!(model_notices::<Broken>(Fault::ForgetsDeadlines));
}

#[test]
fn early_deadlines_are_noticed() {
    assert_noticed::<Broken>(Fault::ExpiresTooEarly, &["sweep::records_a_deadline"]);
    assert!(model_notices::<Broken>(Fault::ExpiresTooEarly));
}

#[test]
fn writes_of_refused_calls_are_noticed() {
    assert_noticed::<Broken>(
        Fault::ExpiresBeforeItRefuses,
        &["create::expires_nobody_when_it_refuses"],
    );
    assert!(model_notices::<Broken>(Fault::ExpiresBeforeItRefuses));
}

#[test]
fn changed_numbers_are_noticed() {
    assert_noticed::<Broken>(
        Fault::ChangesNumbers,
        &["members::survive_create", "members::survive_reopening"],
    );
}

#[test]
fn dropped_members_are_noticed() {
    assert_noticed::<Broken>(
        Fault::DropsMembers,
        &["members::survive_create", "members::survive_update"],
    );
}

#[test]
fn ignored_revisions_are_noticed() {
    assert_noticed::<Broken>(
        Fault::IgnoresRevisions,
        &[
            "update::refuses_another_revision",
            "contention::one_writer_wins_a_revision",
            "reopen::keeps_revisions",
        ],
    );
    assert!(model_notices::<Broken>(Fault::IgnoresRevisions));
}

#[test]
fn ignored_generations_are_noticed() {
    assert_noticed::<Broken>(
        Fault::IgnoresGenerations,
        &["list::refuses_the_cursor_of_another_generation"],
    );
}

#[test]
fn listings_of_the_record_are_noticed() {
    assert_noticed::<Broken>(Fault::ListsAsRecorded, &["list::sees_overdue_as_expired"]);
    assert!(model_notices::<Broken>(Fault::ListsAsRecorded));
}

#[test]
fn lost_ties_are_noticed() {
    assert_noticed::<Broken>(Fault::LosesCursorTies, &["list::pages_join_to_the_whole"]);
}

#[test]
fn folded_names_are_noticed() {
    assert_noticed::<Broken>(Fault::FoldsNames, &["read::finds_a_name_by_every_byte"]);
}

#[test]
fn cached_reads_are_noticed() {
    assert_noticed::<Broken>(Fault::CachesReads, &["handles::read_what_another_changed"]);
    assert!(model_notices::<Broken>(Fault::CachesReads));
}

#[test]
fn destroyed_labels_are_noticed() {
    assert_noticed::<Broken>(Fault::DestroysLabels, &["remove::keeps_everything"]);
    assert!(model_notices::<Broken>(Fault::DestroysLabels));
}

#[test]
fn removed_programs_are_noticed() {
    assert_noticed::<Broken>(
        Fault::RemovesRunning,
        &["remove::refuses_a_running_program", "remove::refuses_running_children"],
    );
    assert!(model_notices::<Broken>(Fault::RemovesRunning));
}

#[test]
fn handles_that_stay_open_are_noticed() {
    assert_noticed::<Broken>(
        Fault::StaysOpen,
        &["handles::refuse_all_calls_when_closed", "handles::close_again"],
    );
}

#[test]
fn forgetting_is_noticed() {
    assert_noticed::<Broken>(
        Fault::ForgetsAtReopen,
        &[
            "reopen::keeps_all_that_was_closed",
            "reopen::keeps_all_that_was_dropped",
            "members::survive_reopening",
        ],
    );
    assert!(model_notices::<Broken>(Fault::ForgetsAtReopen));
}

#[test]
fn writing_readers_are_noticed() {
    assert_noticed::<Broken>(Fault::WritesOnReading, &["list::sees_overdue_as_expired"]);
    assert!(model_notices::<Broken>(Fault::WritesOnReading));
}
