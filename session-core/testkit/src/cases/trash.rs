//! The trash: what is in it, how it is taken out, and how it is destroyed.

use std::collections::BTreeSet;

use session_core::{
    Expiry, Query, Reading, Revision, Scope, Session, SessionStore, SessionStoreExt, Sort, Status,
    StoreError, Tombstone,
};

use crate::StoreFixture;
use crate::content;
use crate::probe::{
    append, assert_refused, found, history, listed, page, placed, query, search, selector,
};
use crate::samples::{
    at, bare, full, id, launched, leased, name, named, observer, running, said, until,
};

fn trash(sort: Sort) -> Query {
    query(observer(0), Scope::Trash, sort)
}

fn trashed(store: &dyn SessionStore, session: Session, seconds: i64) -> Session {
    let id = store.create(session).unwrap().id();
    store.remove(id, &observer(seconds)).unwrap()
}

/// STORE-26: the trash is listed by itself, internal, closed and empty sessions too, in every order.
pub fn is_listed_alone(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(launched(1)).unwrap();
    assert_eq!(listed(&*store, &trash(Sort::Created)), [0; 0]);
    for (number, text) in [(2, "b"), (3, "c"), (4, "a")] {
        trashed(&*store, named(number, text), i64::from(9 - number));
    }
    let mut closed = launched(5);
    closed.lifecycle.status = Status::Closed;
    closed.launch.as_mut().unwrap().internal = true;
    trashed(&*store, closed, 0);
    assert_eq!(listed(&*store, &trash(Sort::Created)), [5, 4, 3, 2]);
    assert_eq!(listed(&*store, &trash(Sort::Updated)), [2, 3, 4, 5]);
    assert_eq!(listed(&*store, &trash(Sort::Name)), [5, 4, 2, 3]);
    assert_eq!(listed(&*store, &query(observer(0), Scope::All, Sort::Created)), [1]);
}

/// STORE-26: filters and pages work in the trash as anywhere.
pub fn is_listed_by_filters_and_pages(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..6 {
        let mut session = launched(number);
        session.lifecycle.status = if number % 2 == 0 { Status::Failed } else { Status::Pending };
        trashed(&*store, session, i64::from(number));
    }
    let mut failed = trash(Sort::Created);
    failed.statuses = BTreeSet::from([Status::Failed]);
    assert_eq!(listed(&*store, &failed), [4, 2]);
    failed.limit = std::num::NonZeroU32::new(1);
    let first = page(&*store, &failed);
    failed.cursor = first.next;
    assert!(failed.cursor.is_some());
    assert_eq!(listed(&*store, &failed), [2]);
    failed.scope = Scope::All;
    assert_refused!(&*store, |store| store.list(&failed), StoreError::StaleCursor);
}

/// STORE-26: a session in the trash is found there by its id, by its name (the last removed one), and by a part of
/// its id that no other one has; one outside is not.
pub fn is_searched_by_selectors(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let found = |text: &str| store.find_trashed(&selector(text));
    trashed(&*store, named(1, "twice"), 20);
    trashed(&*store, named(2, "twice"), 10);
    store.create(named(3, "present")).unwrap();
    assert_eq!(found("twice").unwrap().id(), id(1));
    assert_eq!(found(&id(2).to_string()).unwrap(), store.get(id(2)).unwrap());
    assert_eq!(found(&id(2).short()).unwrap().id(), id(2));
    let ambiguous = found(&id(0).to_string()[..12]).unwrap_err();
    assert!(matches!(ambiguous, StoreError::Ambiguous { .. }), "{ambiguous:?}");
    for text in ["present", &id(3).to_string(), &id(3).short(), "nobody"] {
        let error = found(text).unwrap_err();
        assert!(
            matches!(&error, StoreError::NotFound { selector } if selector == text),
            "{error:?}"
        );
    }
}

/// STORE-29: a restored session is as it was removed, but for `trashed_at`, its revision and `updated_at`, and has
/// its history; everything works again.
pub fn gives_everything_back(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = full(1);
    session.lifecycle.status = Status::Completed;
    session.process = None;
    store.create(session).unwrap();
    let entries = [said(1, "first"), said(2, "second")];
    append(&*store, 1, &entries, 3);
    let removed = store.remove(id(1), &observer(5)).unwrap();
    let restored = store.restore(id(1), at(9)).unwrap();

    let mut expected = removed;
    expected.lifecycle.trashed_at = None;
    expected.lifecycle.updated_at = at(9);
    expected.lifecycle.revision = Revision(4);
    assert_eq!(restored, expected);
    assert_eq!(store.get(id(1)).unwrap(), expected);
    assert_eq!(history(&*store, 1), placed(&entries));
    assert_eq!(listed(&*store, &trash(Sort::Created)), [0; 0]);
    assert_eq!(store.named(&name("full-1")).unwrap(), [expected]);
    assert_eq!(found(&*store, &search("second")), [(1, 2)]);
    append(&*store, 1, &[said(3, "third")], 10);
    store.remove(id(1), &observer(11)).unwrap();
}

/// STORE-29: what the observer of the removal saw stays recorded: a lost program is not running again.
pub fn gives_back_what_was_recorded(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = running(1, Some("gone"));
    session.lifecycle.expiry = Expiry::Idle(std::time::Duration::from_secs(100));
    let before = store.create(session).unwrap();
    let seen = before.observed_by(&observer(5)).into_owned();
    assert_eq!(seen.status(), Status::Failed);
    store.remove(id(1), &observer(5)).unwrap();
    let restored = store.restore(id(1), at(9)).unwrap();
    let mut expected = seen;
    expected.lifecycle.updated_at = at(9);
    expected.lifecycle.revision = Revision(3);
    assert_eq!(restored, expected);
    assert_eq!(store.get(id(1)).unwrap(), expected);
}

/// STORE-29: a restored session takes its name by the rules of `create`: whoever holds it keeps it.
pub fn restores_no_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    trashed(&*store, named(1, "name"), 1);
    let mut working = leased(2, "name", "reviewer");
    working.lifecycle.status = Status::Failed;
    trashed(&*store, working, 2);
    store.create(named(3, "name")).unwrap();
    for number in [1, 2] {
        assert_refused!(&*store, |store| store.restore(id(number), at(5)), StoreError::NameHeld { name: held, holder } if *held == name("name") && *holder == id(3));
    }
    store.remove(id(3), &observer(6)).unwrap();
    store.restore(id(2), at(7)).unwrap();
    assert_refused!(&*store, |store| store.restore(id(1), at(8)), StoreError::NameHeld { holder, .. } if *holder == id(2));
}

/// STORE-29: a holder whose deadline has passed gives the name up to a restored session, and is recorded as expired.
pub fn restores_an_overdue_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    trashed(&*store, named(1, "name"), 1);
    store.create(until(2, "name", 10)).unwrap();
    assert_refused!(&*store, |store| store.restore(id(1), at(10)), StoreError::NameHeld { .. });
    store.restore(id(1), at(11)).unwrap();
    let expired = store.get(id(2)).unwrap();
    assert_eq!(expired.status(), Status::Expired);
    assert_eq!(expired.lifecycle.ended_at, Some(at(10)));
    assert_eq!(expired.lifecycle.revision, Revision(2));
}

/// STORE-29: a session that claims no name is restored beside the holder of it.
pub fn restores_history_under_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in [(1, Status::Completed), (2, Status::Closed)] {
        let mut session = named(number, "name");
        session.lifecycle.status = status;
        trashed(&*store, session, 1);
    }
    let mut overdue = until(3, "name", 5);
    overdue.lifecycle.expiry = Expiry::At(at(5));
    trashed(&*store, overdue, 9);
    let holder = store.create(named(4, "name")).unwrap();
    for number in [1, 2, 3] {
        let restored = store.restore(id(number), at(20)).unwrap();
        assert!(!restored.is_trashed());
    }
    assert_eq!(store.get(id(3)).unwrap().status(), Status::Expired, "as the remover saw it");
    assert_eq!(store.get(id(4)).unwrap(), holder);
}

/// STORE-30: an unknown id is `NotFound`, a session outside the trash `NotTrashed`.
pub fn restores_nothing_else(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "name")).unwrap();
    assert_refused!(&*store, |store| store.restore(id(2), at(1)), StoreError::NotFound { selector } if *selector == id(2).to_string());
    assert_refused!(&*store, |store| store.restore(id(1), at(1)), StoreError::NotTrashed { id: found } if *found == id(1));
    store.remove(id(1), &observer(2)).unwrap();
    store.restore(id(1), at(3)).unwrap();
    assert_refused!(&*store, |store| store.restore(id(1), at(4)), StoreError::NotTrashed { .. });
}

/// STORE-31: nothing of a destroyed session can be had any more, by any call.
pub fn leaves_nothing_to_read(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let gone = store.create(named(1, "gone")).unwrap();
    append(&*store, 1, &[said(1, "unique")], 1);
    store.create(bare(2)).unwrap();
    append(&*store, 2, &[said(1, "other")], 1);
    store.remove(id(1), &observer(5)).unwrap();
    let tombstone = store.purge(id(1), at(6)).unwrap();
    assert_eq!(tombstone, Tombstone::new(id(1), at(6)));

    assert_refused!(&*store, |store| store.get(id(1)), StoreError::NotFound { selector } if *selector == id(1).to_string());
    assert_refused!(&*store, |store| store.update(gone, at(7)), StoreError::NotFound { .. });
    assert_refused!(
        &*store,
        |store| store.append(id(1), &[said(2, "late")], at(7)),
        StoreError::NotFound { .. }
    );
    assert_refused!(&*store, |store| store.read(id(1), &Reading::ALL), StoreError::NotFound { .. });
    assert_refused!(
        &*store,
        |store| store.remove(id(1), &observer(7)),
        StoreError::NotFound { .. }
    );
    assert_refused!(&*store, |store| store.restore(id(1), at(7)), StoreError::NotFound { .. });
    assert_refused!(&*store, |store| store.purge(id(1), at(7)), StoreError::NotFound { .. });
    let by_id = selector(&id(1).to_string());
    assert_refused!(&*store, |store| store.find(&by_id), StoreError::NotFound { .. });
    assert_refused!(&*store, |store| store.find_trashed(&by_id), StoreError::NotFound { .. });
    assert_eq!(listed(&*store, &trash(Sort::Created)), [0; 0]);
    assert_eq!(found(&*store, &search("unique")), []);
    assert_eq!(found(&*store, &search("other")), [(2, 1)]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.trashed, stats.records, stats.tombstones), (0, 1, 1));
}

/// STORE-31: a destroyed session does not come back, by creating or adopting it, also after the store was opened anew.
pub fn never_brings_back_what_was_destroyed(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let before = trashed(&*store, named(1, "gone"), 5);
    store.purge(id(1), at(6)).unwrap();
    store.close().unwrap();
    let store = fixture.open();
    assert_refused!(&*store, |store| store.create(bare(1)), StoreError::Purged { id: found, at: when } if *found == id(1) && *when == at(6));
    assert_refused!(&*store, |store| store.adopt(before, &mut std::iter::empty()), StoreError::Purged { id: found, at: when } if *found == id(1) && *when == at(6));
    assert_eq!(store.tombstones().unwrap(), [Tombstone::new(id(1), at(6))]);
    store.create(named(2, "gone")).unwrap();
}

/// STORE-31: tombstones are listed by id, each with the time of its own destruction.
pub fn keeps_a_tombstone_of_each(fixture: &dyn StoreFixture) {
    let (store, other) = (fixture.open(), fixture.open());
    assert_eq!(store.tombstones().unwrap(), []);
    for (number, seconds) in [(3, 30), (1, -10), (2, 20)] {
        trashed(&*store, bare(number), 1);
        other.purge(id(number), at(seconds)).unwrap();
    }
    let expected = [(1, -10), (2, 20), (3, 30)]
        .map(|(number, seconds)| Tombstone::new(id(number), at(seconds)));
    assert_eq!(store.tombstones().unwrap(), expected);
    assert_eq!(fixture.open().tombstones().unwrap(), expected);
    assert_eq!(content(&*store).len(), 5);
}

/// STORE-31: children of a destroyed session stay as they are.
pub fn leaves_children_alone(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    let mut child = launched(2);
    child.identity.parent = Some(id(1));
    let child = store.create(child).unwrap();
    store.remove(id(1), &observer(1)).unwrap();
    store.purge(id(1), at(2)).unwrap();
    assert_eq!(store.get(id(2)).unwrap(), child);
}

/// STORE-32: an unknown id is `NotFound`; what is not in the trash is `NotTrashed`, and is destroyed by nothing.
pub fn destroys_only_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "name")).unwrap();
    append(&*store, 1, &[said(1, "kept")], 1);
    assert_refused!(&*store, |store| store.purge(id(2), at(1)), StoreError::NotFound { selector } if *selector == id(2).to_string());
    assert_refused!(&*store, |store| store.purge(id(1), at(1)), StoreError::NotTrashed { id: found } if *found == id(1));
    store.remove(id(1), &observer(2)).unwrap();
    store.restore(id(1), at(3)).unwrap();
    assert_refused!(&*store, |store| store.purge(id(1), at(4)), StoreError::NotTrashed { .. });
}
