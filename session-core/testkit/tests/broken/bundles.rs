//! What bundles and copies are when sessions are destroyed meanwhile: whole, without them, or cut short and said to be.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use session_core::bundle::{self, Counts, Line};
use session_core::{
    MemoryStore, Reading, RecordStore, Records, SessionId, SessionStore, StoreError, StoreUpkeep,
};
use session_testkit::samples::{at, bare, id, observer, said};
use session_testkit::{StoreFixture, content};

use super::delegate::{Faulty, Moment, Place};

/// Destroys session 2 just before this call of a method.
#[derive(Clone, Copy, Debug)]
struct Meddling {
    call: &'static str,
    nth: u32,
}

/// A store of pages of one record, with somebody who destroys a session.
#[derive(Debug)]
struct Meddled {
    meddling: Meddling,
    calls: AtomicU32,
    store: MemoryStore,
}

impl Faulty for Meddled {
    type Fault = Meddling;

    fn new(meddling: Meddling, store: MemoryStore) -> Self {
        Self { meddling, calls: AtomicU32::new(0), store }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn around(&self, call: &str, moment: Moment) -> Result<(), StoreError> {
        let is_counted = call == self.meddling.call && moment == Moment::Before;
        if is_counted && self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.meddling.nth {
            self.store.remove(id(2), &observer(3))?;
            self.store.purge(id(2), at(4))?;
        }
        Ok(())
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        let page = self.store.read(id, &Reading { limit: NonZeroU32::new(1), ..*reading })?;
        // Nobody knows why there is no more.
        let next = page.next.filter(|_| self.meddling.call != "nothing");
        Ok(Records { next, ..page })
    }
}

/// A store with three sessions of three records each, and the meddler.
fn meddled(call: &'static str, nth: u32) -> Box<dyn SessionStore> {
    let place = Place::<Meddled>::new(Meddling { call, nth });
    let store = place.open();
    for number in 1..=3 {
        store.create(bare(number)).unwrap();
        let entries: Vec<_> = (1..=3).map(|count| said(count, "word")).collect();
        store.append(id(number), &entries, at(1)).unwrap();
    }
    store
}

fn dumped(store: &dyn SessionStore) -> (Vec<Line>, Result<(), StoreError>) {
    let mut lines = Vec::new();
    let outcome = bundle::dump(store, |line| {
        lines.push(line);
        Ok::<_, StoreError>(())
    });
    (lines, outcome.map(|damaged| assert_eq!(damaged, [])))
}

const WITHOUT: Counts = Counts { sessions: 2, records: 6, tombstones: 1 };
const WHOLE: Counts = Counts { sessions: 3, records: 9, tombstones: 0 };

#[test]
fn a_session_destroyed_before_it_is_read_is_not_there() {
    // Before it is looked up, and between that and its first records: the fourth read, the third one of session 1
    // being its last.
    for (call, nth) in [("get", 2), ("read", 4)] {
        let store = meddled(call, nth);
        let (lines, outcome) = dumped(&*store);
        outcome.unwrap();
        assert_eq!(lines.last(), Some(&Line::End(WITHOUT)), "{call}");
        assert_eq!(lines.len(), 1 + 2 + 6 + 1 + 1, "{call}");
        // The line of one that is not there is not among them.
        let is_it = |line: &Line| matches!(line, Line::Session(session) if session.id() == id(2));
        assert!(!lines.iter().any(is_it), "{call}");

        let store = meddled(call, nth);
        let one = bundle::dump_sessions(&*store, [1, 2].map(id), |_| Ok::<_, StoreError>(()));
        assert!(matches!(one, Err(StoreError::NotFound { .. })), "{call}: {one:?}");
    }
}

#[test]
fn a_session_destroyed_while_it_is_read_cuts_a_bundle_short() {
    for nth in [5, 6] {
        let (lines, outcome) = dumped(&*meddled("read", nth));
        assert!(
            matches!(outcome, Err(StoreError::Purged { id: found, at: when }) if found == id(2) && when == at(4)),
            "{outcome:?}"
        );
        assert!(!lines.iter().any(|line| matches!(line, Line::End(_))), "{lines:?}");
    }
}

#[test]
fn a_session_destroyed_after_it_was_read_has_no_tombstone_beside_it() {
    for (call, nth) in [("read", 7), ("tombstones", 1)] {
        let (lines, outcome) = dumped(&*meddled(call, nth));
        outcome.unwrap();
        assert_eq!(lines.last(), Some(&Line::End(WHOLE)), "{call}");
    }
}

#[test]
fn a_history_that_ends_too_early_is_no_whole_one() {
    let (lines, outcome) = dumped(&*meddled("nothing", 0));
    assert!(
        matches!(&outcome, Err(StoreError::Corrupt { place, reason })
            if place.contains(&id(1).to_string()) && reason == "it ends after 1 of 3 records"),
        "{outcome:?}"
    );
    assert!(!lines.iter().any(|line| matches!(line, Line::End(_))), "{lines:?}");
    let copied = bundle::copy(&*meddled("nothing", 0), &MemoryStore::new(), |_| {});
    assert!(matches!(copied, Err(StoreError::Invalid { .. })), "{copied:?}");
}

#[test]
fn a_copy_has_all_of_a_session_or_its_tombstone() {
    let cases = [
        ("get", 2, WITHOUT),
        ("read", 4, WITHOUT),
        ("read", 5, WITHOUT),
        ("read", 6, WITHOUT),
        ("read", 7, WHOLE),
        ("tombstones", 1, WHOLE),
    ];
    for (call, nth, expected) in cases {
        let (store, copy) = (meddled(call, nth), MemoryStore::new());
        let (counts, damaged) = bundle::copy(&*store, &copy, |_| {}).unwrap();
        assert_eq!((counts, damaged), (expected, vec![]), "{call} {nth}");
        assert_eq!(content(&copy).pop(), Some(Line::End(expected).to_string()), "{call} {nth}");
        let is_buried = copy.tombstones().unwrap().iter().any(|it| it.id == id(2));
        assert_ne!(is_buried, copy.get(id(2)).is_ok(), "{call} {nth}");
    }
}
