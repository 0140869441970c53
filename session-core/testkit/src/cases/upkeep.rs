//! The whole of a store: counted, checked, put in order, and what was destroyed elsewhere.

use std::collections::BTreeMap;

use session_core::{
    Appended, CheckReport, Revision, SessionStore, Status, StoreError, StoreStats, Tombstone,
    Unknown,
};

use crate::StoreFixture;
use crate::content;
use crate::probe::{append, assert_refused, dump, everything, found, is_named, page, search, seqs};
use crate::samples::{
    HOST, at, bare, every_kind, from_the_future, full, id, named, observer, running, said,
    unheard_of, unknown, until, with_status,
};

/// Some of everything: 8 sessions, 2 of them in the trash, 26 records, 1 tombstone.
fn fill(store: &dyn SessionStore) {
    store.create(full(1)).unwrap();
    store.create(from_the_future(2)).unwrap();
    for number in [3, 4] {
        store.create(with_status(number, "done", Status::Completed)).unwrap();
    }
    store.create(until(5, "overdue", 1)).unwrap();
    store.create(running(6, Some("gone"))).unwrap();
    append(store, 1, &every_kind(), 1);
    append(store, 2, &unheard_of(), 1);
    for number in 7..10 {
        store.create(named(number, &format!("n-{number}"))).unwrap();
        append(store, number, &[said(1, "word")], 1);
        store.remove(id(number), &observer(2)).unwrap();
    }
    store.purge(id(8), at(3)).unwrap();
}

/// STORE-45: sessions by status as recorded, the trash and tombstones apart, and all records.
pub fn is_counted(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let empty = StoreStats { bytes: store.stats().unwrap().bytes, ..StoreStats::default() };
    assert_eq!(store.stats().unwrap(), empty);
    assert_eq!(empty.bytes.is_some(), store.info().location.is_some());
    fill(&*store);
    let stats = store.stats().unwrap();
    let sessions = [(Status::Pending, 1), (Status::Running, 3), (Status::Completed, 2)];
    let expected = StoreStats {
        sessions: BTreeMap::from(sessions),
        trashed: 2,
        tombstones: 1,
        records: 26,
        bytes: stats.bytes,
    };
    assert_eq!(stats, expected);
    assert!(stats.bytes.is_none_or(|bytes| bytes > 0));
    // How many bytes that takes may depend on how many handles there are.
    let again = fixture.open().stats().unwrap();
    assert_eq!(again, StoreStats { bytes: again.bytes, ..expected });
}

fn sound() -> CheckReport {
    CheckReport { sessions: 8, records: 26, damaged: Vec::new() }
}

/// STORE-46: a sound store is reported sound, with its numbers, and stays as it is.
pub fn is_checked(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    assert_eq!(store.check().unwrap(), CheckReport::default());
    fill(&*store);
    let (before, info) = (content(&*store), store.info());
    assert_eq!(store.check().unwrap(), sound());
    assert_eq!((content(&*store), store.info()), (before, info));
    store.close().unwrap();
    assert_eq!(fixture.open().check().unwrap(), sound());
}

/// Whether writers and readers go on as before: with cursors, numbers and revisions that they have.
fn assert_goes_on(fixture: &dyn StoreFixture, act: impl FnOnce(&dyn SessionStore)) {
    let (store, other) = (fixture.open(), fixture.open());
    fill(&*store);
    let mut query = everything();
    query.limit = std::num::NonZeroU32::new(2);
    query.cursor = page(&*store, &query).next;
    let before = (
        content(&*store),
        dump(&*store),
        page(&*store, &query).sessions,
        found(&*store, &search("said OR t")),
    );
    assert_eq!(before.3.len(), 2);
    act(&*store);
    for store in [&store, &other, &fixture.open()] {
        let after = (
            content(&**store),
            dump(&**store),
            page(&**store, &query).sessions,
            found(&**store, &search("said OR t")),
        );
        assert_eq!(after, before);
    }
    let answer = append(&*other, 1, &[said(1, "again"), said(99, "new")], 5);
    let title = full(1).identity.title;
    assert_eq!(
        answer,
        Appended { seqs: seqs([1, 16]), repeats: vec![0], revision: Revision(3), title }
    );
    assert_refused!(&*store, |store| store.create(bare(8)), StoreError::Purged { .. });
    assert_refused!(&*store, |store| store.create(named(9, "full-1")), StoreError::IdExists { .. });
}

/// STORE-47: a sound store has nothing to repair, stays as it is, and goes on.
pub fn is_repaired(fixture: &dyn StoreFixture) {
    assert_goes_on(fixture, |store| {
        assert_eq!(store.repair(at(4)).unwrap(), []);
        assert_eq!(store.check().unwrap(), sound());
    });
    assert_eq!(fixture.other().repair(at(4)).unwrap(), []);
}

/// STORE-48: no answer changes when everything derived is derived anew.
pub fn is_reindexed(fixture: &dyn StoreFixture) {
    assert_goes_on(fixture, |store| store.reindex().unwrap());
    fixture.other().reindex().unwrap();
}

/// STORE-53: a tombstone of another store keeps its id from being stored, here and after opening anew; members of
/// newer versions are kept.
pub fn takes_over_a_tombstone(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut given = Tombstone::new(id(5), at(-9));
    given.unknown = serde_json::from_str::<Unknown>(r#"{"by":{"n":0.10},"why":"x"}"#).unwrap();
    for tombstone in [&given, &Tombstone::new(id(3), at(1))] {
        store.bury(tombstone).unwrap();
    }
    let expected = [Tombstone::new(id(3), at(1)), given];
    assert_eq!(store.tombstones().unwrap(), expected);
    assert_refused!(&*store, |store| store.create(bare(5)), StoreError::Purged { id: found, at: when } if *found == id(5) && *when == at(-9));
    assert_refused!(
        &*store,
        |store| store.adopt(bare(3), &mut std::iter::empty()),
        StoreError::Purged { .. }
    );
    assert_refused!(&*store, |store| store.get(id(5)), StoreError::NotFound { .. });
    store.close().unwrap();
    let store = fixture.open();
    assert_eq!(store.tombstones().unwrap(), expected);
    assert_refused!(&*store, |store| store.create(bare(5)), StoreError::Purged { .. });
    assert_eq!(store.stats().unwrap().tombstones, 2);
}

/// STORE-53: a tombstone that is there stays as it is.
pub fn keeps_its_own_tombstone(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store.remove(id(1), &observer(1)).unwrap();
    let own = store.purge(id(1), at(2)).unwrap();
    store.bury(&Tombstone::new(id(1), at(9))).unwrap();
    store.bury(&own).unwrap();
    assert_eq!(store.tombstones().unwrap(), [own]);
}

/// STORE-53: a session that is stored, in the trash or not, is not destroyed by the tombstone of another store.
pub fn buries_nothing_that_is_stored(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(running(1, Some(HOST))).unwrap();
    store.create(bare(2)).unwrap();
    append(&*store, 2, &[said(1, "kept")], 1);
    store.remove(id(2), &observer(2)).unwrap();
    for number in [1, 2] {
        let tombstone = Tombstone::new(id(number), at(3));
        assert_refused!(&*store, |store| store.bury(&tombstone), StoreError::IdExists { id: found } if *found == id(number));
    }
}

/// STORE-53: a tombstone with a member that it knows among the unknown ones is `Invalid`, and the member named.
pub fn buries_nothing_stray(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for member in ["id", "at"] {
        let mut tombstone = Tombstone::new(id(5), at(1));
        tombstone.unknown = unknown(&format!(r#"{{"by":1,"{member}":"x"}}"#));
        assert_refused!(&*store, |store| store.bury(&tombstone), StoreError::Invalid { id: found, reason } if *found == id(5) && is_named(member, reason));
    }
    store.create(bare(5)).unwrap();
}
