//! Opening anew: what was acknowledged is still there.

use std::num::NonZeroU32;

use session_core::{Exit, ProcessState, Revision, Scope, SessionStore, Sort, Status, StoreError};

use crate::StoreFixture;
use crate::probe::{assert_refused, dump, numbers, page, query};
use crate::samples::{HOST, at, bare, full, id, named, observer, running, until};

/// Writes through every method.
fn fill(store: &dyn SessionStore) {
    store.create(full(1)).unwrap();
    store.create(bare(2)).unwrap();
    store.create(until(3, "overdue", 10)).unwrap();
    let mut changed = store.create(running(4, Some(HOST))).unwrap();
    changed.lifecycle.status = Status::Failed;
    if let Some(process) = &mut changed.process {
        process.state = ProcessState::Exited(Exit::Code(-1));
    }
    store.update(changed, at(5)).unwrap();
    store.create(running(5, Some("gone"))).unwrap();
    store.create(named(6, "removed")).unwrap();
    store.remove(id(6), &observer(6)).unwrap();
    assert_eq!(store.sweep(&observer(20)).unwrap().len(), 2);
}

/// STORE-20: all that was acknowledged is there after the store was closed.
pub fn keeps_all_that_was_closed(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    fill(&*store);
    let before = dump(&*store);
    assert_eq!(before.1.len(), 6);
    let info = store.info();
    store.close().unwrap();
    drop(store);
    let store = fixture.open();
    assert_eq!(dump(&*store), before);
    assert_eq!(store.info(), info);
}

/// STORE-20: also when the store was only flushed, or not even that.
pub fn keeps_all_that_was_dropped(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    fill(&*store);
    store.flush().unwrap();
    let before = dump(&*store);
    drop(store);
    let store = fixture.open();
    assert_eq!(dump(&*store), before);
    store.create(bare(7)).unwrap();
    drop(store);
    assert_eq!(fixture.open().get(id(7)).unwrap(), bare(7));
}

/// STORE-20: a writer goes on from the revision that it read before.
pub fn keeps_revisions(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let first = store.create(named(1, "one")).unwrap();
    let second = store.update(first.clone(), at(1)).unwrap();
    store.close().unwrap();
    let store = fixture.open();
    assert_refused!(
        &*store,
        |store| store.update(first, at(2)),
        StoreError::Conflict { expected: Revision(1), found: Revision(2), .. }
    );
    assert_eq!(store.update(second, at(2)).unwrap().lifecycle.revision, Revision(3));
}

/// STORE-20: names and ids stay taken.
pub fn keeps_held_names(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "held")).unwrap();
    store.create(named(2, "released")).unwrap();
    store.remove(id(2), &observer(1)).unwrap();
    store.close().unwrap();
    let store = fixture.open();
    assert_refused!(&*store, |store| store.create(named(3, "held")), StoreError::NameHeld { holder, .. } if *holder == id(1));
    assert_refused!(&*store, |store| store.create(bare(2)), StoreError::IdExists { .. });
    store.create(named(3, "released")).unwrap();
}

/// STORE-16: opening anew replaces no content, so cursors stay good.
pub fn keeps_cursors(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..6 {
        store.create(bare(number)).unwrap();
    }
    let mut query = query(observer(0), Scope::All, Sort::Created);
    query.limit = NonZeroU32::new(2);
    query.cursor = page(&*store, &query).next;
    assert!(query.cursor.is_some());
    store.close().unwrap();
    let store = fixture.open();
    assert_eq!(numbers(&page(&*store, &query).sessions), [3, 2]);
}
