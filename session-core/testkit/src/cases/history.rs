//! `read`: which records, in which order, on which page.

use std::num::NonZeroU32;

use session_core::{
    Entry, Order, Reading, Record, Records, Seq, SessionStore, SessionStoreExt, StoreError,
};

use crate::StoreFixture;
use crate::probe::{append, assert_refused, history, placed, read, stretch};
use crate::samples::{bare, id, noted, observer, record_json, said};

/// A session with this many records.
fn filled(fixture: &dyn StoreFixture, records: u32) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    append(&*store, 1, &numbered(1..=records), 1);
    store
}

fn numbered(numbers: impl IntoIterator<Item = u32>) -> Vec<Entry> {
    numbers.into_iter().map(|number| said(number, &format!("number {number}"))).collect()
}

fn between(from: u64, to: u64, order: Order) -> Reading {
    Reading { from: Seq::new(from).unwrap(), to: Seq::new(to).unwrap(), order, limit: None }
}

/// What a stretch of a history is.
fn expected(all: &[Record], reading: &Reading) -> Vec<Record> {
    let mut inside: Vec<_> = (all.iter())
        .filter(|record| reading.from <= record.seq && record.seq <= reading.to)
        .cloned()
        .collect();
    if reading.order == Order::Backward {
        inside.reverse();
    }
    inside
}

const EDGES: [u64; 8] = [1, 2, 3, 6, 7, 8, 1 << 63, u64::MAX];

/// STORE-40: a stretch is the records from its first to its last number, both included, in its direction; what lies
/// beyond the end, or has no number between, is nothing.
pub fn gives_every_stretch(fixture: &dyn StoreFixture) {
    let store = filled(fixture, 7);
    let all = history(&*store, 1);
    assert_eq!(all, placed(&numbered(1..=7)));
    for from in EDGES {
        for to in EDGES {
            for order in [Order::Forward, Order::Backward] {
                let reading = between(from, to, order);
                let found = read(&*store, 1, &reading);
                let records = expected(&all, &reading);
                assert_eq!(found, Records { records, ..Records::default() }, "{reading:?}");
            }
        }
    }
}

/// STORE-40: a history without records is read like any other.
pub fn gives_an_empty_history(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    for reading in [Reading::ALL, Reading::backward(), Reading::NOTHING] {
        let limited = Reading { limit: NonZeroU32::new(1), ..reading };
        assert_eq!(read(&*store, 1, &reading), Records::default());
        assert_eq!(read(&*store, 1, &limited), Records::default());
    }
}

/// STORE-40: what one handle appends another one reads, also where it has read before.
pub fn gives_what_another_appended(fixture: &dyn StoreFixture) {
    let (store, other) = (filled(fixture, 2), fixture.open());
    assert_eq!(history(&*other, 1).len(), 2);
    append(&*store, 1, &numbered(3..=5), 2);
    assert_eq!(history(&*other, 1), placed(&numbered(1..=5)));
    append(&*other, 1, &numbered(6..=6), 2);
    assert_eq!(history(&*store, 1), placed(&numbered(1..=6)));
}

/// STORE-41: pages of any size join to the stretch, in both directions; the last one has no `next`, also when it is
/// full.
pub fn pages_join_to_the_stretch(fixture: &dyn StoreFixture) {
    let store = filled(fixture, 7);
    let all = history(&*store, 1);
    for (from, to) in [(1, u64::MAX), (1, 7), (2, 6), (5, 9), (7, 7), (8, 9), (5, 4)] {
        for order in [Order::Forward, Order::Backward] {
            for limit in [1, 2, 3, 6, 7, 8, u32::MAX] {
                let limit = NonZeroU32::new(limit);
                let reading = Reading { limit, ..between(from, to, order) };
                let joined = stretch(&*store, 1, &reading);
                assert_eq!(joined, expected(&all, &reading), "{reading:?}");
            }
        }
    }
    let full = Reading { limit: NonZeroU32::new(7), ..Reading::ALL };
    assert_eq!(read(&*store, 1, &full).next, None);
}

/// STORE-41: pages of large records are shorter than was asked for, and join to the stretch all the same.
pub fn pages_of_large_records_join(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    let sizes = [10, 700_000, 10, 700_000, 2 << 20, 10];
    let entries: Vec<_> = (1..).zip(sizes).map(|(n, size)| noted(n, &"x".repeat(size))).collect();
    append(&*store, 1, &entries, 1);
    let all = placed(&entries);
    for limit in [None, NonZeroU32::new(2), NonZeroU32::new(100)] {
        let mut reading = Reading { limit, ..Reading::ALL };
        assert!(stretch(&*store, 1, &reading) == all, "{reading:?}");
        reading.order = Order::Backward;
        assert!(stretch(&*store, 1, &reading).iter().eq(all.iter().rev()), "{reading:?}");
    }
}

/// STORE-54: a page without its last record has fewer bytes than end one, in either direction, however many records
/// were asked for.
pub fn pages_end_at_so_many_bytes(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    let entries: Vec<_> = (1..=24).map(|number| noted(number, &"\n".repeat(70_000))).collect();
    append(&*store, 1, &entries, 1);
    for limit in [None, NonZeroU32::new(1000)] {
        for order in [Order::Forward, Order::Backward] {
            let mut next = Some(Reading { order, limit, ..Reading::ALL });
            let mut count = 0;
            while let Some(reading) = next {
                let mut page = read(&*store, 1, &reading);
                count += page.records.len();
                assert!(page.records.pop().is_some(), "a page without records");
                let bytes: usize =
                    page.records.iter().map(|record| record_json(record).len()).sum();
                assert!(bytes < Reading::PAGE_BYTES, "{bytes} bytes before the last record");
                next = page.next;
            }
            assert_eq!(count, entries.len());
        }
    }
}

/// STORE-41: whoever pages forward while others append comes to their records; backward they are not there. No record
/// comes twice.
pub fn pages_go_on_while_others_append(fixture: &dyn StoreFixture) {
    let (store, other) = (filled(fixture, 3), fixture.open());
    for order in [Order::Forward, Order::Backward] {
        let before = history(&*store, 1);
        let most = u32::try_from(before.len()).unwrap() + 6;
        let mut next = Some(Reading { order, limit: NonZeroU32::new(1), ..Reading::ALL });
        let mut seen = Vec::new();
        while let Some(reading) = next {
            let page = read(&*store, 1, &reading);
            seen.extend(page.records);
            assert!(seen.len() <= most as usize + 1, "pages repeat themselves");
            next = page.next;
            let last = u32::try_from(history(&*other, 1).len()).unwrap();
            if last < most {
                append(&*other, 1, &numbered(last + 1..=last + 2), 2);
            }
        }
        let after = history(&*store, 1);
        assert!(after.len() > before.len(), "somebody appended meanwhile");
        match order {
            Order::Forward => assert_eq!(seen, after),
            Order::Backward => assert!(seen.iter().eq(before.iter().rev()), "{seen:?}"),
        }
    }
}

/// STORE-41: one after the other, records come page by page, up to the number that was asked for.
pub fn is_read_one_by_one(fixture: &dyn StoreFixture) {
    let store = filled(fixture, 5);
    let all = history(&*store, 1);
    for limit in [1, 2, 5, 6] {
        let reading =
            Reading { limit: NonZeroU32::new(limit), ..Reading::from(Seq::new(2).unwrap()) };
        let mut found = store.history(id(1), reading);
        let records: Vec<_> = found.by_ref().map(Result::unwrap).collect();
        let expected: Vec<_> = all[1..].iter().take(limit as usize).cloned().collect();
        assert_eq!(records, expected);
        assert_eq!(found.damaged(), []);
    }
    assert!(matches!(
        store.history(id(2), Reading::ALL).next(),
        Some(Err(StoreError::NotFound { .. }))
    ));
}

/// STORE-42: an unknown id is `NotFound`, whatever is asked for.
pub fn refuses_an_unknown_id(fixture: &dyn StoreFixture) {
    let store = filled(fixture, 1);
    for reading in [Reading::ALL, Reading::backward(), Reading::NOTHING] {
        assert_refused!(&*store, |store| store.read(id(2), &reading), StoreError::NotFound { selector } if *selector == id(2).to_string());
    }
}

/// STORE-42: the history of a session in the trash is read like any other.
pub fn is_read_from_the_trash(fixture: &dyn StoreFixture) {
    let store = filled(fixture, 4);
    let before = history(&*store, 1);
    store.remove(id(1), &observer(5)).unwrap();
    assert_eq!(history(&*store, 1), before);
    let backward = Reading { limit: NonZeroU32::new(3), ..Reading::backward() };
    assert_eq!(stretch(&*store, 1, &backward).len(), 4);
}
