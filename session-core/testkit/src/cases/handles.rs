//! Several handles on one store, and handles that were closed.

use std::fmt::Debug;
use std::path::Path;

use session_core::{Query, Reading, Removal, Selector, StoreError, Tombstone};

use crate::StoreFixture;
use crate::probe::{assert_refused, dump, everything, listed, search};
use crate::samples::{at, bare, full, id, name, named, observer, said, until};

/// STORE-21: what one handle creates, another one gets, lists and finds, and the other way round.
pub fn read_what_another_created(fixture: &dyn StoreFixture) {
    let (one, other) = (fixture.open(), fixture.open());
    let fragment = Selector::from(id(1)).as_fragment().unwrap();
    assert_eq!(listed(&*other, &everything()), [0; 0]);
    let first = one.create(full(1)).unwrap();
    assert_eq!(other.get(id(1)).unwrap(), first);
    assert_eq!(listed(&*other, &everything()), [1]);
    assert_eq!(other.named(&name("full-1")).unwrap(), std::slice::from_ref(&first));
    assert_eq!(other.matching(&fragment).unwrap(), [first]);
    let second = other.create(named(2, "two")).unwrap();
    assert_eq!(one.get(id(2)).unwrap(), second);
    assert_eq!(dump(&*one), dump(&*other));
    assert_eq!(dump(&*fixture.open()), dump(&*one));
}

/// STORE-21: handles write one session in turns.
pub fn read_what_another_changed(fixture: &dyn StoreFixture) {
    let handles = [fixture.open(), fixture.open(), fixture.open()];
    handles[0].create(named(1, "turn")).unwrap();
    for turn in 0..9_u32 {
        let writer = &handles[turn as usize % 3];
        let mut session = writer.get(id(1)).unwrap();
        session.identity.title = Some(turn.to_string());
        let stored = writer.update(session, at(turn.into())).unwrap();
        for reader in &handles {
            assert_eq!(reader.get(id(1)).unwrap(), stored);
        }
    }
}

/// STORE-21: what one handle removes is in the trash of all.
pub fn read_what_another_removed(fixture: &dyn StoreFixture) {
    let (one, other) = (fixture.open(), fixture.open());
    one.create(named(1, "gone")).unwrap();
    assert_eq!(listed(&*other, &everything()), [1]);
    let removed = other.remove(id(1), &observer(1)).unwrap();
    assert_eq!(one.get(id(1)).unwrap(), removed);
    assert_eq!(listed(&*one, &everything()), [0; 0]);
    assert_eq!(one.named(&name("gone")).unwrap(), []);
}

/// STORE-21: what one handle sweeps, or expires in passing, the other reads.
pub fn read_what_another_swept(fixture: &dyn StoreFixture) {
    let (one, other) = (fixture.open(), fixture.open());
    one.create(until(1, "swept", 10)).unwrap();
    one.create(until(2, "taken", 10)).unwrap();
    assert_eq!(dump(&*other).1.len(), 2);
    let mut taker = named(3, "taken");
    taker.lifecycle.created_at = at(20);
    one.create(taker).unwrap();
    let swept = one.sweep(&observer(20)).unwrap();
    assert_eq!(swept.len(), 1);
    assert_eq!(other.get(id(1)).unwrap(), swept[0]);
    assert_eq!(dump(&*other), dump(&*one));
    assert_eq!(other.sweep(&observer(20)).unwrap(), []);
}

/// STORE-21: a handle refuses by what is stored, not by what it read last.
pub fn refuse_by_what_another_wrote(fixture: &dyn StoreFixture) {
    let (one, other) = (fixture.open(), fixture.open());
    let session = one.create(named(1, "held")).unwrap();
    assert_eq!(other.get(id(1)).unwrap(), session);
    assert_refused!(&*other, |store| store.create(bare(1)), StoreError::IdExists { .. });
    assert_refused!(&*other, |store| store.create(named(2, "held")), StoreError::NameHeld { .. });
    one.update(session.clone(), at(1)).unwrap();
    assert_refused!(&*other, |store| store.update(session, at(2)), StoreError::Conflict { .. });
    one.remove(id(1), &observer(3)).unwrap();
    assert_refused!(&*other, |store| store.remove(id(1), &observer(4)), StoreError::Trashed { .. });
    other.create(named(2, "held")).unwrap();
}

fn closed<T: Debug>(call: &str, result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::StoreClosed)), "{call} gave {result:?}");
}

/// STORE-22: after `close`, every call but `close` is refused.
pub fn refuse_all_calls_when_closed(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let session = store.create(named(1, "one")).unwrap();
    let fragment = Selector::from(id(1)).as_fragment().unwrap();
    store.close().unwrap();
    closed("create", store.create(bare(2)));
    closed("get", store.get(id(1)));
    closed("named", store.named(&name("one")));
    closed("matching", store.matching(&fragment));
    closed("update", store.update(session.clone(), at(1)));
    closed("list", store.list(&Query::new(observer(0))));
    closed("remove", store.remove(id(1), &observer(1)));
    closed("sweep", store.sweep(&observer(1)));
    closed("remove_all", store.remove_all(&Removal::everything(observer(1))));
    closed("restore", store.restore(id(1), at(1)));
    closed("purge", store.purge(id(1), at(1)));
    closed("append", store.append(id(1), &[said(1, "late")], at(1)));
    closed("read", store.read(id(1), &Reading::ALL));
    closed("search", store.search(&search("late")));
    closed("stats", store.stats());
    closed("check", store.check());
    closed("repair", store.repair(at(1)));
    closed("reindex", store.reindex());
    closed("backup", store.backup(Path::new("nowhere")));
    closed("restore_backup", store.restore_backup(Path::new("nowhere"), None));
    closed("adopt", store.adopt(bare(2), &mut std::iter::empty()));
    closed("tombstones", store.tombstones());
    closed("bury", store.bury(&Tombstone::new(id(2), at(1))));
    closed("flush", store.flush());
    drop(store);
    assert_eq!(dump(&*fixture.open()).1, [session]);
}

/// STORE-22: closing again succeeds.
pub fn close_again(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for _ in 0..3 {
        store.close().unwrap();
    }
    closed("get", store.get(id(1)));
}

/// STORE-22: closing one handle closes no other.
pub fn close_alone(fixture: &dyn StoreFixture) {
    let (one, other) = (fixture.open(), fixture.open());
    one.create(bare(1)).unwrap();
    one.close().unwrap();
    assert_eq!(other.get(id(1)).unwrap(), bare(1));
    other.create(bare(2)).unwrap();
    assert_eq!(dump(&*fixture.open()).1, [bare(1), bare(2)]);
}
