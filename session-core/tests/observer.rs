//! What an observer sees: deadlines, lost programs, and which session a selector means.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::time::Duration;

use session_core::{
    ErrorKind, Exit, Expiry, MemoryStore, Observer, ProcessState, Selector, Session, SessionId,
    SessionStore, SessionStoreExt, Status, StoreError, Timestamp,
};
use session_testkit::samples::{
    HOST, at, bare, id, name, named, observer, running, until, with_status,
};

fn millisecond_after(time: Timestamp) -> Observer {
    Observer { now: time.plus(Duration::from_millis(1)), live_host: Some(HOST.to_owned()) }
}

#[test]
fn a_fixed_deadline_passes_after_it_not_at_it() {
    let session = until(1, "lease", 10);
    assert_eq!(session.observed_by(&observer(10)).status(), Status::Pending);
    let expired = session.observed_by(&millisecond_after(at(10))).into_owned();
    assert_eq!((expired.status(), expired.lifecycle.ended_at), (Status::Expired, Some(at(10))));
    assert_eq!(session.status(), Status::Pending, "looking changes nothing");
}

#[test]
fn an_idle_deadline_slides_with_the_last_activity() {
    let mut session = bare(1);
    session.lifecycle.expiry = Expiry::Idle(Duration::from_secs(5));
    for active in [0, 100, -100] {
        session.lifecycle.last_active_at = at(active);
        assert_eq!(session.lifecycle.deadline(), Some(at(active + 5)));
        assert!(!session.is_overdue(at(active + 5)));
        assert!(session.is_overdue(millisecond_after(at(active + 5)).now));
    }
}

#[test]
fn without_a_deadline_nothing_ever_expires() {
    let session = bare(1);
    let end_of_time = Observer { now: Timestamp::from_millis(i64::MAX), live_host: None };
    assert_eq!(session.observed_by(&end_of_time).status(), Status::Pending);
}

#[test]
fn an_endless_idle_time_never_ends() {
    let mut session = bare(1);
    session.lifecycle.expiry = Expiry::Idle(Duration::MAX);
    assert!(!session.is_overdue(Timestamp::from_millis(i64::MAX)));
}

#[test]
fn a_running_program_keeps_its_session_alive() {
    for state in [ProcessState::Starting, ProcessState::Running] {
        let mut session = running(1, Some(HOST));
        session.lifecycle.expiry = Expiry::At(at(10));
        session.process.as_mut().unwrap().state = state;
        assert_eq!(session.observed_by(&observer(1000)).status(), Status::Running);
    }
    for state in [ProcessState::Exited(Exit::Code(0)), ProcessState::Lost] {
        let mut session = running(1, Some(HOST));
        session.lifecycle.expiry = Expiry::At(at(10));
        session.process.as_mut().unwrap().state = state;
        assert_eq!(session.observed_by(&observer(1000)).status(), Status::Expired);
    }
}

#[test]
fn only_what_has_not_ended_for_good_expires() {
    let expected = [
        (Status::Pending, Status::Expired),
        (Status::Running, Status::Expired),
        (Status::Completed, Status::Expired),
        (Status::Failed, Status::Expired),
        (Status::Closed, Status::Closed),
        (Status::Expired, Status::Expired),
    ];
    for (status, seen) in expected {
        let mut session = with_status(1, "x", status);
        session.lifecycle.expiry = Expiry::At(at(10));
        assert_eq!(session.observed_by(&observer(11)).status(), seen);
    }
}

#[test]
fn a_program_of_another_instance_is_lost() {
    let nobody = Observer { now: at(1), live_host: None };
    let cases = [
        (Some(HOST), observer(1), false),
        (Some("gone"), observer(1), true),
        (Some(HOST), nobody.clone(), true),
        (None, observer(1), false),
        (None, nobody, false),
    ];
    for (host, observer, lost) in cases {
        let session = running(1, host);
        let seen = session.observed_by(&observer);
        assert_eq!(session.is_lost(&observer), lost, "{host:?} {observer:?}");
        let (state, status) = if lost {
            (ProcessState::Lost, Status::Failed)
        } else {
            (ProcessState::Running, Status::Running)
        };
        assert_eq!(seen.process.as_ref().unwrap().state, state);
        assert_eq!(seen.status(), status);
        assert_eq!(seen.lifecycle.ended_at, None, "nobody knows when it ended");
    }
}

#[test]
fn an_ended_program_is_not_lost() {
    let mut session = running(1, Some("gone"));
    session.process.as_mut().unwrap().state = ProcessState::Exited(Exit::Signal(9));
    assert!(!session.is_lost(&observer(1)));
}

#[test]
fn a_lost_program_keeps_nothing_alive() {
    let mut session = running(1, Some("gone"));
    session.lifecycle.expiry = Expiry::At(at(10));
    let seen = session.observed_by(&observer(11)).into_owned();
    assert_eq!(seen.status(), Status::Expired);
    assert_eq!(seen.process.unwrap().state, ProcessState::Lost);
}

fn find(store: &MemoryStore, text: &str) -> Result<SessionId, StoreError> {
    store.find(&Selector::parse(text).unwrap()).map(|session| session.id())
}

fn store_of(sessions: impl IntoIterator<Item = Session>) -> MemoryStore {
    let store = MemoryStore::new();
    for session in sessions {
        store.create(session).unwrap();
    }
    store
}

#[test]
fn an_id_in_either_case_is_that_session() {
    let store = store_of([bare(1), bare(2)]);
    assert_eq!(find(&store, &id(2).to_string()).unwrap(), id(2));
    assert_eq!(find(&store, &id(2).to_string().to_lowercase()).unwrap(), id(2));
    let unknown = find(&store, &id(3).to_string()).unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { selector } if selector == id(3).to_string()));
}

#[test]
fn a_name_means_its_holder_before_newer_history() {
    let mut newer = with_status(2, "build", Status::Completed);
    newer.lifecycle.created_at = at(100);
    let store = store_of([named(1, "build"), newer]);
    assert_eq!(find(&store, "build").unwrap(), id(1));
}

#[test]
fn a_released_name_means_the_newest_of_that_name() {
    let mut newest = with_status(1, "build", Status::Closed);
    newest.lifecycle.created_at = at(100);
    let store = store_of([newest, with_status(2, "build", Status::Failed)]);
    assert_eq!(find(&store, "build").unwrap(), id(1));
    store.remove(id(1), &observer(1)).unwrap();
    assert_eq!(find(&store, "build").unwrap(), id(2));
}

#[test]
fn a_name_comes_before_an_end_of_an_id() {
    let short = id(2).short();
    let store = store_of([bare(2)]);
    assert_eq!(find(&store, &short).unwrap(), id(2));
    store.create(named(1, &short)).unwrap();
    assert_eq!(find(&store, &short).unwrap(), id(1));
    store.remove(id(1), &observer(1)).unwrap();
    assert_eq!(find(&store, &short).unwrap(), id(2));
}

#[test]
fn six_characters_of_an_end_are_enough_and_five_are_not() {
    let store = store_of([bare(1), bare(2)]);
    let text = id(2).to_string();
    assert_eq!(find(&store, &text[20..]).unwrap(), id(2));
    // Five could be a name still, but no session has it.
    assert_eq!(find(&store, &text[21..]).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn an_ambiguous_beginning_lists_its_candidates_newest_first() {
    let mut newest = named(1, "one");
    newest.lifecycle.created_at = at(5);
    let store = store_of([newest, bare(2), bare(3)]);
    store.remove(id(3), &observer(1)).unwrap();
    let error = find(&store, &id(0).to_string()[..8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
    let StoreError::Ambiguous { candidates, .. } = error else { panic!("{error:?}") };
    assert_eq!(candidates, [(id(1), Some(name("one"))), (id(2), None)]);
}

#[test]
fn the_trash_is_named_only_by_the_whole_id() {
    let store = store_of([named(1, "gone")]);
    store.remove(id(1), &observer(1)).unwrap();
    let by_id = find(&store, &id(1).to_string()).unwrap_err();
    assert!(matches!(by_id, StoreError::Trashed { id: found } if found == id(1)));
    for text in ["gone", id(1).short().as_str()] {
        let error = find(&store, text).unwrap_err();
        assert!(matches!(error, StoreError::NotFound { selector } if selector == text));
    }
}
