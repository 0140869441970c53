//! `remove_all`: which sessions go to the trash together, and which stay.

use std::collections::BTreeSet;

use session_core::{
    Observer, ProcessState, Removal, Revision, Scope, Session, SessionStore, SessionStoreExt, Sort,
    Status,
};

use crate::StoreFixture;
use crate::content;
use crate::probe::{append, history, listed, numbers, placed, query};
use crate::samples::{
    HOST, at, bare, id, launched, named, observer, running, said, until, with_status,
};

/// Moves to the trash what the removal takes, checks that it is what was announced and that what is returned is what
/// is stored, and gives the numbers.
fn removed(store: &dyn SessionStore, removal: &Removal) -> Vec<u32> {
    let announced = store.removable(removal).unwrap();
    assert_eq!((announced.next, announced.damaged), (None, Vec::new()));
    let removed = store.remove_all(removal).unwrap();
    assert_eq!(
        numbers(&removed),
        numbers(&announced.sessions),
        "what `removable` says is what goes"
    );
    for session in &removed {
        assert_eq!(session.lifecycle.trashed_at, Some(removal.observer.now));
        assert_eq!(store.get(session.id()).unwrap(), *session);
    }
    numbers(&removed)
}

/// STORE-27: without a condition everything goes that does not run, in the order of its ids.
pub fn takes_everything(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in [6, 2, 4, 1, 5, 3].into_iter().zip(Status::ALL) {
        store.create(with_status(number, status.as_str(), status)).unwrap();
    }
    store.create(running(7, Some(HOST))).unwrap();
    assert_eq!(removed(&*store, &Removal::everything(observer(9))), [1, 2, 3, 4, 5, 6]);
    assert_eq!(listed(&*store, &query(observer(9), Scope::All, Sort::Created)), [7]);
    assert_eq!(removed(&*store, &Removal::everything(observer(10))), [0; 0]);
}

/// STORE-27: statuses are those that the observer sees.
pub fn takes_what_is_seen_in_a_status(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in (1..).zip(Status::ALL) {
        store.create(with_status(number, status.as_str(), status)).unwrap();
    }
    store.create(until(7, "overdue", 10)).unwrap();
    store.create(running(8, Some("gone"))).unwrap();
    let mut removal = Removal::everything(observer(10));
    removal.statuses = BTreeSet::from([Status::Expired, Status::Closed]);
    assert_eq!(removed(&*store, &removal), [5, 6]);
    removal.observer = observer(11);
    assert_eq!(removed(&*store, &removal), [7]);
    removal.statuses = BTreeSet::from([Status::Failed]);
    assert_eq!(removed(&*store, &removal), [4, 8]);
}

/// STORE-27: a session with activity at the given time or later stays.
pub fn takes_what_was_long_inactive(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, active) in [(1, 10), (2, 9), (3, 11), (4, -1000)] {
        let mut session = bare(number);
        session.lifecycle.last_active_at = at(active);
        store.create(session).unwrap();
    }
    // What is appended counts as activity.
    store.create(bare(5)).unwrap();
    append(&*store, 5, &[said(1, "still here")], 20);
    let mut removal = Removal::everything(observer(30));
    removal.inactive_since = Some(at(10));
    assert_eq!(removed(&*store, &removal), [2, 4]);
}

/// STORE-27: an empty session is one without a program, a lease, a title and records of any kind.
pub fn takes_what_is_empty(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store.create(launched(2)).unwrap();
    store.create(crate::samples::leased(3, "leased", "reviewer")).unwrap();
    store.create(named(4, "said")).unwrap();
    append(&*store, 4, &[said(1, "something")], 1);
    store.create(named(5, "noted")).unwrap();
    append(&*store, 5, &[crate::samples::noted(1, "no message")], 1);
    let mut titled = bare(6);
    titled.identity.title = Some(String::new());
    store.create(titled).unwrap();
    store.create(named(7, "empty")).unwrap();
    let mut removal = Removal::everything(observer(2));
    removal.only_empty = true;
    assert_eq!(removed(&*store, &removal), [1, 7]);
}

fn child(number: u32, parent: u32, host: &str) -> Session {
    let mut child = running(number, Some(host));
    child.identity.parent = Some(id(parent));
    child
}

/// STORE-27: nothing that `remove` would refuse goes: what runs stays, and so does its parent. What the observer sees
/// as lost runs no more.
pub fn leaves_what_runs(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..4 {
        store.create(bare(number)).unwrap();
    }
    store.create(running(4, Some(HOST))).unwrap();
    store.create(running(5, None)).unwrap();
    store.create(child(6, 1, HOST)).unwrap();
    store.create(child(7, 2, "gone")).unwrap();
    // The child of a child holds nobody back but its own parent.
    let mut between = bare(8);
    between.identity.parent = Some(id(3));
    store.create(between).unwrap();
    store.create(child(9, 8, HOST)).unwrap();
    assert_eq!(removed(&*store, &Removal::everything(observer(5))), [2, 3, 7]);
    let nobody = Observer { now: at(6), live_host: None };
    assert_eq!(removed(&*store, &Removal::everything(nobody)), [1, 4, 6, 8, 9]);
    assert_eq!(listed(&*store, &query(observer(9), Scope::All, Sort::Created)), [5]);
}

/// STORE-27: each is removed as `remove` does it: recorded as seen, its name released, its history kept.
pub fn removes_as_one_removal_does(fixture: &dyn StoreFixture) {
    let (one, many) = (fixture.open(), fixture.other());
    let entries = [said(1, "first"), said(2, "second")];
    for store in [&one, &many] {
        store.create(running(1, Some("gone"))).unwrap();
        store.create(until(2, "lease", 3)).unwrap();
        store.create(named(3, "talk")).unwrap();
        append(&**store, 3, &entries, 1);
    }
    for number in [1, 2, 3] {
        one.remove(id(number), &observer(5)).unwrap();
    }
    assert_eq!(many.remove_all(&Removal::everything(observer(5))).unwrap().len(), 3);
    crate::assert_same_content(&*many, &*one);
    assert_eq!(history(&*many, 3), placed(&entries));
    let lost = many.get(id(1)).unwrap();
    assert_eq!(lost.process.unwrap().state, ProcessState::Lost);
    many.create(named(4, "lease")).unwrap();
    many.create(named(5, "talk")).unwrap();
}

/// STORE-27: what is in the trash stays as it is.
pub fn leaves_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "one")).unwrap();
    let before = store.remove(id(1), &observer(1)).unwrap();
    store.create(named(2, "two")).unwrap();
    assert_eq!(removed(&*store, &Removal::everything(observer(9))), [2]);
    assert_eq!(store.get(id(1)).unwrap(), before);
}

/// STORE-28: all of it is one step that another handle, and whoever opens the store anew, finds done.
pub fn is_found_done(fixture: &dyn StoreFixture) {
    let (store, other) = (fixture.open(), fixture.open());
    for number in 0..40 {
        store.create(bare(number)).unwrap();
    }
    let removed = store.remove_all(&Removal::everything(observer(5))).unwrap();
    assert_eq!(numbers(&removed), (0..40).collect::<Vec<_>>());
    assert!(removed.iter().all(|session| session.lifecycle.revision == Revision(2)));
    let after = content(&*store);
    assert_eq!(content(&*other), after);
    store.close().unwrap();
    drop((store, other));
    let store = fixture.open();
    assert_eq!(content(&*store), after);
    assert_eq!(numbers(&store.remove_all(&Removal::everything(observer(6))).unwrap()), [0; 0]);
}
