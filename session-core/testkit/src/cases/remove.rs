//! `remove`: what goes to the trash, and what may not.

use session_core::{
    Exit, Expiry, Observer, ProcessState, Revision, Scope, Selector, Session, SessionStoreExt,
    Sort, Status, StoreError,
};

use crate::StoreFixture;
use crate::probe::{assert_refused, dump, listed, query};
use crate::samples::{HOST, at, bare, full, id, launched, name, named, observer, running};

/// STORE-17: everything is kept; only the time of removal, of the change and the revision are new.
pub fn keeps_everything(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = full(1);
    if let Some(process) = &mut session.process {
        process.state = ProcessState::Exited(Exit::Signal(9));
    }
    store.create(session.clone()).unwrap();
    let removed = store.remove(id(1), &observer(7)).unwrap();
    session.lifecycle.trashed_at = Some(at(7));
    session.lifecycle.updated_at = at(7);
    session.lifecycle.revision = Revision(2);
    assert_eq!(removed, session);
    assert_eq!(store.get(id(1)).unwrap(), session);
}

/// STORE-17: it is listed, found and named no more.
pub fn hides_from_every_search(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = launched(1);
    session.identity.name = Some(name("gone"));
    store.create(session).unwrap();
    store.create(launched(2)).unwrap();
    store.remove(id(1), &observer(1)).unwrap();
    for scope in [Scope::Current, Scope::All] {
        assert_eq!(listed(&*store, &query(observer(2), scope, Sort::Updated)), [2]);
    }
    assert_eq!(store.named(&name("gone")).unwrap(), []);
    let by_name = Selector::parse("gone").unwrap();
    assert_refused!(&*store, |store| store.find(&by_name), StoreError::NotFound { selector } if selector == "gone");
    let by_end = Selector::parse(&id(1).short()).unwrap();
    assert_refused!(&*store, |store| store.find(&by_end), StoreError::NotFound { .. });
    assert_refused!(&*store, |store| store.find(&Selector::from(id(1))), StoreError::Trashed { id: found } if *found == id(1));
}

/// STORE-17: its name is free again.
pub fn releases_the_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "build")).unwrap();
    let removed = store.remove(id(1), &observer(1)).unwrap();
    let taker = store.create(named(2, "build")).unwrap();
    assert_eq!(store.get(id(1)).unwrap(), removed);
    assert_eq!(store.get(id(2)).unwrap(), taker);
}

/// STORE-17: a second removal is `Trashed`.
pub fn refuses_a_second_removal(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "build")).unwrap();
    store.remove(id(1), &observer(1)).unwrap();
    assert_refused!(&*store, |store| store.remove(id(1), &observer(2)), StoreError::Trashed { id: found } if *found == id(1));
}

/// STORE-17: an unknown id is `NotFound`.
pub fn refuses_an_unknown_id(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    assert_refused!(&*store, |store| store.remove(id(1), &observer(1)), StoreError::NotFound { selector } if *selector == id(1).to_string());
}

/// STORE-18: a session whose program starts or runs is refused, its deadline notwithstanding.
pub fn refuses_a_running_program(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, state) in [(1, ProcessState::Starting), (2, ProcessState::Running)] {
        let mut session = running(number, Some(HOST));
        session.lifecycle.expiry = Expiry::At(at(1));
        if let Some(process) = &mut session.process {
            process.state = state;
        }
        store.create(session).unwrap();
        assert_refused!(&*store, |store| store.remove(id(number), &observer(5)), StoreError::StillRunning { id: found } if *found == id(number));
    }
}

/// STORE-18: a program whose host nobody recorded cannot be seen as lost.
pub fn refuses_a_program_of_no_host(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(running(1, None)).unwrap();
    let nobody = Observer { now: at(5), live_host: None };
    for observer in [observer(5), nobody] {
        assert_refused!(
            &*store,
            |store| store.remove(id(1), &observer),
            StoreError::StillRunning { .. }
        );
    }
}

fn child(number: u32, parent: u32, host: &str) -> Session {
    let mut child = running(number, Some(host));
    child.identity.parent = Some(id(parent));
    child
}

/// STORE-18: a session whose children have running programs is refused, and the children are named.
pub fn refuses_running_children(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store.create(bare(2)).unwrap();
    store.create(child(3, 1, HOST)).unwrap();
    store.create(child(4, 1, HOST)).unwrap();
    store.create(child(5, 1, "gone")).unwrap();
    store.create(child(6, 2, HOST)).unwrap();
    assert_refused!(&*store, |store| store.remove(id(1), &observer(1)), StoreError::RunningChildren { id: found, children }
    if *found == id(1) && {
        let mut children = children.clone();
        children.sort();
        children == [id(3), id(4)]
    });
}

/// STORE-18: children that have ended, are lost or are in the trash hold nobody back, and stay as they are.
pub fn ignores_children_that_run_no_more(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    let mut ended = child(2, 1, HOST);
    ended.lifecycle.status = Status::Completed;
    if let Some(process) = &mut ended.process {
        process.state = ProcessState::Exited(Exit::Code(0));
    }
    store.create(ended).unwrap();
    store.create(child(3, 1, "gone")).unwrap();
    store.create(child(4, 1, "gone")).unwrap();
    store.remove(id(4), &observer(1)).unwrap();
    let before = dump(&*store).1;
    store.remove(id(1), &observer(2)).unwrap();
    assert_eq!(dump(&*store).1[1..], before[1..]);
}

/// STORE-18: a program that the observer sees as lost is recorded as lost and goes to the trash.
pub fn records_a_lost_program(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = running(1, Some(HOST));
    store.create(session.clone()).unwrap();
    let nobody = Observer { now: at(3), live_host: None };
    store.remove(id(1), &nobody).unwrap();

    session.lifecycle.status = Status::Failed;
    session.lifecycle.trashed_at = Some(at(3));
    session.lifecycle.updated_at = at(3);
    session.lifecycle.revision = Revision(2);
    if let Some(process) = &mut session.process {
        process.state = ProcessState::Lost;
    }
    assert_eq!(store.get(id(1)).unwrap(), session);
}
