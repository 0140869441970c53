//! Whether the suite notices: stores that are broken in one way each, and the cases that must say so.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use session_core::{
    IdFragment, MemoryStore, Observer, Page, Query, Scope, Session, SessionId, SessionName,
    SessionStore, StoreError, StoreInfo, Timestamp,
};
use session_testkit::{StoreFixture, cases, store_model};

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

impl SessionStore for Broken {
    fn info(&self) -> StoreInfo {
        self.store.info()
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

    fn matching(&self, fragment: &IdFragment) -> Result<Vec<Session>, StoreError> {
        self.store.matching(fragment)
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

    fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.fault == Fault::StaysOpen { Ok(()) } else { self.store.close() }
    }
}

struct Place {
    fault: Fault,
    store: Mutex<MemoryStore>,
    /// Dead when no handle is left.
    open: Mutex<std::sync::Weak<()>>,
}

impl Place {
    fn new(fault: Fault) -> Self {
        Self { fault, store: Mutex::default(), open: Mutex::default() }
    }
}

/// A handle that knows whether others live.
#[derive(Debug)]
struct Counted(Broken, #[expect(dead_code, reason = "held for its count")] Arc<()>);

macro_rules! delegate {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        impl SessionStore for Counted {
            $(fn $name(&self, $($argument: $kind),*) -> $result { self.0.$name($($argument),*) })*
        }
    };
}

delegate! {
    info() -> StoreInfo;
    create(session: Session) -> Result<Session, StoreError>;
    get(id: SessionId) -> Result<Session, StoreError>;
    named(name: &SessionName) -> Result<Vec<Session>, StoreError>;
    matching(fragment: &IdFragment) -> Result<Vec<Session>, StoreError>;
    update(changed: Session, at: Timestamp) -> Result<Session, StoreError>;
    list(query: &Query) -> Result<Page, StoreError>;
    remove(id: SessionId, observer: &Observer) -> Result<Session, StoreError>;
    sweep(observer: &Observer) -> Result<Vec<Session>, StoreError>;
    flush() -> Result<(), StoreError>;
    close() -> Result<(), StoreError>;
}

impl StoreFixture for Place {
    fn open(&self) -> Box<dyn SessionStore> {
        let mut store = self.store.lock().unwrap();
        let mut open = self.open.lock().unwrap();
        let handle = open.upgrade().unwrap_or_else(|| {
            if self.fault == Fault::ForgetsAtReopen {
                *store = MemoryStore::new();
            }
            Arc::default()
        });
        *open = Arc::downgrade(&handle);
        let broken = Broken { fault: self.fault, store: store.reopen(), cache: Mutex::default() };
        Box::new(Counted(broken, handle))
    }
}

/// The cases that fail with a store of this fault.
fn failing(fault: Fault) -> Vec<&'static str> {
    let fails = |case: cases::StoreCase| {
        catch_unwind(AssertUnwindSafe(|| case(&Place::new(fault)))).is_err()
    };
    cases::ALL.iter().filter(|(_, case)| fails(*case)).map(|(name, _)| *name).collect()
}

/// Whether the model disagrees with a store of this fault in one of a few runs, and keeps the sequence of operations
/// that shows it beside the source.
fn model_notices(fault: Fault) -> bool {
    (0..3).any(|_| {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("suite.rs").to_str().unwrap().to_owned();
        let run = || store_model(|| Place::new(fault), Box::leak(source.into_boxed_str()));
        let noticed = catch_unwind(AssertUnwindSafe(run)).is_err();
        assert_eq!(place.path().join("suite.proptest-regressions").exists(), noticed);
        noticed
    })
}

fn assert_noticed(fault: Fault, by: &[&str]) {
    let failing = failing(fault);
    for case in by {
        assert!(failing.contains(case), "{fault:?} must fail {case}, fails {failing:?}");
    }
}

#[test]
fn a_sound_store_passes() {
    assert_eq!(failing(Fault::None), [""; 0]);
    assert!(!model_notices(Fault::None));
}

#[test]
fn forgotten_deadlines_are_noticed() {
    assert_noticed(
        Fault::ForgetsDeadlines,
        &[
            "create::expires_an_overdue_holder",
            "update::expires_an_overdue_holder",
            "sweep::records_a_deadline",
        ],
    );
    assert!(model_notices(Fault::ForgetsDeadlines));
}

#[test]
fn early_deadlines_are_noticed() {
    assert_noticed(Fault::ExpiresTooEarly, &["sweep::records_a_deadline"]);
    assert!(model_notices(Fault::ExpiresTooEarly));
}

#[test]
fn writes_of_refused_calls_are_noticed() {
    assert_noticed(Fault::ExpiresBeforeItRefuses, &["create::expires_nobody_when_it_refuses"]);
    assert!(model_notices(Fault::ExpiresBeforeItRefuses));
}

#[test]
fn changed_numbers_are_noticed() {
    assert_noticed(
        Fault::ChangesNumbers,
        &["members::survive_create", "members::survive_reopening"],
    );
}

#[test]
fn dropped_members_are_noticed() {
    assert_noticed(Fault::DropsMembers, &["members::survive_create", "members::survive_update"]);
}

#[test]
fn ignored_revisions_are_noticed() {
    assert_noticed(
        Fault::IgnoresRevisions,
        &[
            "update::refuses_another_revision",
            "contention::one_writer_wins_a_revision",
            "reopen::keeps_revisions",
        ],
    );
    assert!(model_notices(Fault::IgnoresRevisions));
}

#[test]
fn ignored_generations_are_noticed() {
    assert_noticed(Fault::IgnoresGenerations, &["list::refuses_the_cursor_of_another_generation"]);
}

#[test]
fn listings_of_the_record_are_noticed() {
    assert_noticed(Fault::ListsAsRecorded, &["list::sees_overdue_as_expired"]);
    assert!(model_notices(Fault::ListsAsRecorded));
}

#[test]
fn lost_ties_are_noticed() {
    assert_noticed(Fault::LosesCursorTies, &["list::pages_join_to_the_whole"]);
}

#[test]
fn folded_names_are_noticed() {
    assert_noticed(Fault::FoldsNames, &["read::finds_a_name_by_every_byte"]);
}

#[test]
fn cached_reads_are_noticed() {
    assert_noticed(Fault::CachesReads, &["handles::read_what_another_changed"]);
    assert!(model_notices(Fault::CachesReads));
}

#[test]
fn destroyed_labels_are_noticed() {
    assert_noticed(Fault::DestroysLabels, &["remove::keeps_everything"]);
    assert!(model_notices(Fault::DestroysLabels));
}

#[test]
fn removed_programs_are_noticed() {
    assert_noticed(
        Fault::RemovesRunning,
        &["remove::refuses_a_running_program", "remove::refuses_running_children"],
    );
    assert!(model_notices(Fault::RemovesRunning));
}

#[test]
fn handles_that_stay_open_are_noticed() {
    assert_noticed(
        Fault::StaysOpen,
        &["handles::refuse_all_calls_when_closed", "handles::close_again"],
    );
}

#[test]
fn forgetting_is_noticed() {
    assert_noticed(
        Fault::ForgetsAtReopen,
        &[
            "reopen::keeps_all_that_was_closed",
            "reopen::keeps_all_that_was_dropped",
            "members::survive_reopening",
        ],
    );
    assert!(model_notices(Fault::ForgetsAtReopen));
}

#[test]
fn writing_readers_are_noticed() {
    assert_noticed(Fault::WritesOnReading, &["list::sees_overdue_as_expired"]);
    assert!(model_notices(Fault::WritesOnReading));
}
