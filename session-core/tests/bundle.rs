//! Bundles lose nothing: what is copied is the same to the byte, and every line says what it was made of.
#![expect(clippy::unwrap_used, reason = "test code")]

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::bundle::{self, Line, LineError};
use session_core::{
    Entry, MemoryStore, Observer, RecordStore, Session, SessionStore, StoreError, StoreUpkeep,
    Timestamp, Tombstone,
};
use session_testkit::{assert_same_content, content, strategies};

/// What becomes of a session.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stays,
    IsRemoved,
    IsDestroyed,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![3 => Just(Fate::Stays), 1 => Just(Fate::IsRemoved), 1 => Just(Fate::IsDestroyed)]
}

type Life = (Session, Vec<Entry>, Fate);

/// A store in which these sessions have lived; those that are refused have not.
fn store_of(lives: Vec<Life>) -> MemoryStore {
    let store = MemoryStore::new();
    for (session, entries, fate) in lives {
        let (id, at) = (session.id(), session.lifecycle.created_at);
        if store.create(session).is_err() {
            continue;
        }
        store.append(id, &entries, at).ok();
        if matches!(fate, Fate::IsRemoved | Fate::IsDestroyed) {
            let removed = store.remove(id, &Observer { now: at, live_host: None });
            if removed.is_ok() && matches!(fate, Fate::IsDestroyed) {
                store.purge(id, at).unwrap();
            }
        }
    }
    store
}

fn tombstone() -> impl Strategy<Value = Tombstone> {
    let parts = (strategies::session_id(), strategies::timestamp(), strategies::unknown());
    parts.prop_map(|(id, at, unknown)| Tombstone { unknown, ..Tombstone::new(id, at) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_copy_has_the_same_bundle(
        lives in vec((strategies::session(), strategies::entries(0..4), fate()), 0..5),
        tombstones in vec(tombstone(), 0..2),
    ) {
        let store = store_of(lives);
        for tombstone in &tombstones {
            store.bury(tombstone).ok();
        }
        let copy = MemoryStore::new();
        let (counts, damaged) = bundle::copy(&store, &copy, |_| {}).unwrap();
        prop_assert_eq!(damaged, []);
        assert_same_content(&copy, &store);
        prop_assert_eq!(content(&copy).pop(), Some(Line::End(counts).to_string()));
    }

    #[test]
    fn every_line_is_read_as_what_it_was(
        lives in vec((strategies::session(), strategies::entries(0..4), fate()), 0..5),
        tombstones in vec(tombstone(), 0..2),
    ) {
        let store = store_of(lives);
        for tombstone in &tombstones {
            store.bury(tombstone).ok();
        }
        let mut lines = Vec::new();
        let sink = |line| {
            lines.push(line);
            Ok::<_, StoreError>(())
        };
        bundle::dump(&store, sink).unwrap();
        for line in lines {
            let text = line.to_string();
            prop_assert!(!text.contains('\n'), "{}", text);
            let read: Line = text.parse().unwrap();
            prop_assert_eq!(&read, &line);
            prop_assert_eq!(read.to_string(), text);
        }
    }
}

#[test]
fn a_line_that_belongs_to_no_bundle_says_why() {
    let newer = r#"{"type":"bundle","version":2}"#.parse::<Line>();
    assert!(matches!(newer, Err(LineError::NewerVersion { version: 2 })), "{newer:?}");
    let other = r#"{"type":"footnote"}"#.parse::<Line>();
    assert!(matches!(&other, Err(LineError::Type { kind }) if kind == "footnote"), "{other:?}");
    for text in ["", "{}", r#"{"type":"session"}"#, r#"{"type":"end","sessions":1}"#, "[]", "null"]
    {
        let refused = text.parse::<Line>();
        assert!(matches!(refused, Err(LineError::Json(_))), "{text}: {refused:?}");
    }
}

#[test]
fn what_the_sink_refuses_ends_a_dump() {
    let store = MemoryStore::new();
    let (id, at) = (session_testkit::samples::id(1), Timestamp::from_millis(0));
    store.create(Session::new(id, at)).unwrap();
    let mut lines = 0;
    let refused = bundle::dump(&store, |_| {
        lines += 1;
        if lines < 2 { Ok(()) } else { Err(StoreError::Poisoned) }
    });
    assert!(matches!(refused, Err(StoreError::Poisoned)));
    assert_eq!(lines, 2);
}
