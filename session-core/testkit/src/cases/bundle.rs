//! Whole stores in lines, and copied to another store.

use session_core::bundle::{self, Counts, Line};
use session_core::{SessionStore, Status, StoreError};

use crate::StoreFixture;
use crate::probe::{append, found, search};
use crate::samples::{
    at, bare, every_kind, from_the_future, full, id, named, noted, observer, said, unheard_of,
    until,
};
use crate::{assert_same_content, content};

fn fill(store: &dyn SessionStore) {
    store.create(full(7)).unwrap();
    store.create(from_the_future(2)).unwrap();
    store.create(until(5, "overdue", 1)).unwrap();
    append(store, 7, &every_kind(), 1);
    append(store, 2, &unheard_of(), 1);
    for number in [3, 4, 6] {
        store.create(named(number, "name")).unwrap();
        append(store, number, &[said(1, "word")], 1);
        store.remove(id(number), &observer(2)).unwrap();
    }
    store.purge(id(4), at(3)).unwrap();
    let mut closed = bare(1);
    closed.lifecycle.status = Status::Closed;
    store.create(closed).unwrap();
}

const COUNTS: Counts = Counts { sessions: 6, records: 26, tombstones: 1 };

fn lines(store: &dyn SessionStore) -> Vec<Line> {
    content(store).iter().map(|line| line.parse().unwrap()).collect()
}

/// STORE-40: a bundle has the sessions by id, those in the trash too, each followed by its history, then tombstones.
pub fn has_everything_in_order(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    fill(&*store);
    let lines = lines(&*store);
    assert_eq!(lines[0], Line::Bundle { version: bundle::VERSION });
    let mut ids = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if let Line::Session(session) = line {
            ids.push(session.id());
            assert_eq!(**session, store.get(session.id()).unwrap());
            let records = session.totals().records as usize;
            let following =
                lines[index + 1..].iter().take_while(|line| matches!(line, Line::Record(_)));
            assert_eq!(following.count(), records);
        }
    }
    assert_eq!(ids, [1, 2, 3, 5, 6, 7].map(id));
    let tombstone = store.tombstones().unwrap().remove(0);
    assert_eq!(lines[lines.len() - 2..], [Line::Tombstone(tombstone), Line::End(COUNTS)]);
}

/// STORE-31: a session that is destroyed while a bundle is made is in it with all of its history, or only as its
/// tombstone, or the bundle comes to no end; half of it is never passed off as whole.
pub fn has_no_half_of_what_is_destroyed(fixture: &dyn StoreFixture) {
    let entries: Vec<_> = (1..5).map(|number| noted(number, &"x".repeat(700_000))).collect();
    for destroyed_at in [1, 2, 3, 4, 7] {
        let (store, other) = (fixture.open(), fixture.open());
        let number = 10 + destroyed_at;
        store.create(bare(number)).unwrap();
        append(&*store, number, &entries, 1);
        let (mut records, mut is_there, mut is_buried, mut end) = (0, false, false, None);
        let mut count = 0;
        let outcome = bundle::dump(&*store, |line| {
            count += 1;
            match line {
                Line::Session(session) => is_there |= session.id() == id(number),
                Line::Record(_) if is_there => records += 1,
                Line::Tombstone(tombstone) => is_buried |= tombstone.id == id(number),
                Line::End(counts) => end = Some(counts),
                Line::Bundle { .. } | Line::Record(_) => {}
            }
            if count == destroyed_at {
                other.remove(id(number), &observer(2))?;
                other.purge(id(number), at(3))?;
            }
            Ok::<_, StoreError>(())
        });
        match outcome {
            Ok(damaged) => {
                assert_eq!(damaged, []);
                assert!(end.is_some());
                assert_ne!(is_there, is_buried, "destroyed at line {destroyed_at}");
                assert_eq!(records, if is_there { entries.len() } else { 0 });
            }
            Err(StoreError::Purged { id: found, at: when }) => {
                assert_eq!((found, when, end), (id(number), at(3), None));
                assert!(is_there);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// STORE-51: a copy of a whole store is the same to the byte, and so is a copy of the copy.
pub fn copies_to_another_store(fixture: &dyn StoreFixture) {
    let (store, other, third) = (fixture.open(), fixture.other(), fixture.other());
    fill(&*store);
    let before = content(&*store);
    let mut progress = Vec::new();
    let (counts, damaged) = bundle::copy(&*store, &*other, |counts| progress.push(counts)).unwrap();
    assert_eq!((counts, damaged), (COUNTS, Vec::new()));
    let last = Counts { tombstones: 0, ..COUNTS };
    assert_eq!((progress.len(), progress.last()), (6, Some(&last)));
    assert_eq!(content(&*store), before);
    assert_same_content(&*other, &*store);
    assert_eq!(found(&*other, &search("t OR said")), found(&*store, &search("t OR said")));
    bundle::copy(&*other, &*third, |_| {}).unwrap();
    assert_same_content(&*third, &*store);
}

/// STORE-52: what is there already is copied neither twice nor over it.
pub fn copies_nothing_twice(fixture: &dyn StoreFixture) {
    let (store, other) = (fixture.open(), fixture.other());
    fill(&*store);
    bundle::copy(&*store, &*other, |_| {}).unwrap();
    append(&*other, 7, &[said(99, "own")], 5);
    let before = content(&*other);
    let again = bundle::copy(&*store, &*other, |_| {});
    assert!(
        matches!(again, Err(StoreError::IdExists { id: found }) if found == id(1)),
        "{again:?}"
    );
    assert_eq!(content(&*other), before);
}

/// STORE-53: what was destroyed in one store does not come back in a copy.
pub fn copies_tombstones(fixture: &dyn StoreFixture) {
    let (store, other) = (fixture.open(), fixture.other());
    fill(&*store);
    bundle::copy(&*store, &*other, |_| {}).unwrap();
    assert_eq!(other.tombstones().unwrap(), store.tombstones().unwrap());
    let refused = other.create(bare(4)).unwrap_err();
    assert!(matches!(refused, StoreError::Purged { at: when, .. } if when == at(3)), "{refused:?}");
}
