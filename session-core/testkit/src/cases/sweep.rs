//! `sweep`: what is recorded, and what is let be.

use std::time::Duration;

use session_core::{Exit, Expiry, Observer, ProcessState, Revision, Session, Status};

use crate::StoreFixture;
use crate::probe::{dump, numbers};
use crate::samples::{HOST, at, bare, full, id, observer, running, until, with_status};

fn swept(mut session: Session, seconds: i64) -> Session {
    session.lifecycle.updated_at = at(seconds);
    session.lifecycle.revision = Revision(2);
    session
}

fn expired(mut session: Session, seconds: i64) -> Session {
    session.lifecycle.status = Status::Expired;
    session.lifecycle.ended_at = Some(at(seconds));
    session
}

fn lost(mut session: Session) -> Session {
    session.lifecycle.status = Status::Failed;
    if let Some(process) = &mut session.process {
        process.state = ProcessState::Lost;
    }
    session
}

/// STORE-19: a passed deadline is recorded, as of the deadline, for every status that is not final.
pub fn records_a_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let open = [Status::Pending, Status::Running, Status::Completed, Status::Failed];
    let before: Vec<_> = (1..)
        .zip(open)
        .map(|(number, status)| {
            let mut session = until(number, status.as_str(), 10);
            session.lifecycle.status = status;
            store.create(session).unwrap()
        })
        .collect();
    assert_eq!(store.sweep(&observer(10)).unwrap(), [], "the deadline has not passed yet");
    let mut changed = store.sweep(&observer(11)).unwrap();
    changed.sort_by_key(Session::id);
    let after: Vec<_> = before.into_iter().map(|it| swept(expired(it, 10), 11)).collect();
    assert_eq!(changed, after);
    assert_eq!(dump(&*store).1, after);
}

/// STORE-19: an idle deadline counts from the last activity.
pub fn records_an_idle_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = bare(1);
    session.lifecycle.last_active_at = at(100);
    session.lifecycle.expiry = Expiry::Idle(Duration::from_millis(1));
    store.create(session.clone()).unwrap();
    assert_eq!(store.sweep(&observer(100)).unwrap(), []);
    session.lifecycle.ended_at = Some(at(100).plus(Duration::from_millis(1)));
    session.lifecycle.status = Status::Expired;
    assert_eq!(store.sweep(&observer(101)).unwrap(), [swept(session.clone(), 101)]);
    assert_eq!(store.get(id(1)).unwrap(), swept(session, 101));
}

/// STORE-19: a program whose host is not the living one is recorded as lost, its session as failed.
pub fn records_a_lost_program(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut completed = running(2, Some("gone"));
    completed.lifecycle.status = Status::Closed;
    for session in [running(1, Some("gone")), completed.clone(), running(3, Some(HOST))] {
        store.create(session).unwrap();
    }
    let mut changed = store.sweep(&observer(5)).unwrap();
    changed.sort_by_key(Session::id);
    let mut closed = lost(completed);
    closed.lifecycle.status = Status::Closed;
    assert_eq!(changed, [swept(lost(running(1, Some("gone"))), 5), swept(closed, 5)]);
    assert_eq!(store.get(id(1)).unwrap(), changed[0]);
    assert_eq!(store.get(id(2)).unwrap(), changed[1]);

    let nobody = Observer { now: at(6), live_host: None };
    assert_eq!(numbers(&store.sweep(&nobody).unwrap()), [3]);
}

/// STORE-19: a lost program keeps no session alive: past its deadline it is expired.
pub fn records_lost_before_overdue(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = running(1, Some("gone"));
    session.lifecycle.expiry = Expiry::At(at(10));
    store.create(session.clone()).unwrap();
    store.sweep(&observer(20)).unwrap();
    assert_eq!(store.get(id(1)).unwrap(), swept(expired(lost(session), 10), 20));
}

/// STORE-19: whatever the observer sees as it is recorded stays untouched.
pub fn leaves_everything_else(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut alive = running(1, Some(HOST));
    alive.lifecycle.expiry = Expiry::At(at(1));
    let mut closed = until(2, "closed", 1);
    closed.lifecycle.status = Status::Closed;
    let mut done = until(3, "done", 1000);
    done.lifecycle.status = Status::Completed;
    for session in [alive, closed, done, full(4), with_status(5, "x", Status::Pending)] {
        store.create(session).unwrap();
    }
    let before = dump(&*store);
    assert_eq!(store.sweep(&observer(50)).unwrap(), []);
    assert_eq!(dump(&*store), before);
}

/// STORE-19: what is in the trash is let be.
pub fn leaves_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut ended = running(1, Some(HOST));
    ended.lifecycle.expiry = Expiry::At(at(10));
    if let Some(process) = &mut ended.process {
        process.state = ProcessState::Exited(Exit::Unknown);
    }
    store.create(ended).unwrap();
    store.remove(id(1), &observer(5)).unwrap();
    let before = dump(&*store);
    assert_eq!(store.sweep(&observer(20)).unwrap(), []);
    assert_eq!(dump(&*store), before);
}

/// STORE-19: afterwards every record is what the observer sees, and a second sweep changes nothing.
pub fn changes_nothing_twice(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for session in [until(1, "a", 10), running(2, Some("gone")), full(3), bare(4)] {
        store.create(session).unwrap();
    }
    assert_eq!(store.sweep(&observer(20)).unwrap().len(), 2);
    let (listed, stored) = dump(&*store);
    for session in &listed {
        assert_eq!(&*session.observed_by(&observer(20)), session);
    }
    assert_eq!(store.sweep(&observer(20)).unwrap(), []);
    assert_eq!(dump(&*store), (listed, stored));
}
