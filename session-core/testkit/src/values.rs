//! A property of every store: the nastiest legal sessions and histories come back as they were.

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use session_core::{
    Entry, Reading, Record, Session, SessionStore, SessionStoreExt, StoreError, Timestamp, bundle,
};

use crate::samples::{json, record_json};
use crate::{StoreFixture, assert_same_content, strategies};

/// How many stores are filled; each takes several sessions.
const CASES: u32 = 16;

/// A session, what it is changed into, and what is appended to it.
type Life = (Session, Session, Vec<Entry>);

/// STORE-20: whatever legal values a session and its records have, they come back equal, through `get` and `read`,
/// after opening anew, and in another store that they are copied to; and so does what an update makes of a session.
/// `source` is the caller's `file!()`.
///
/// # Panics
/// When they do not, with the simplest sessions that were found to show it.
pub fn store_values<F: StoreFixture>(fixture: impl Fn() -> F, source: &'static str) {
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        source_file: Some(source),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "values.proptest-regressions",
        ))),
        ..Config::default()
    });
    let entries = strategies::entries(0..5);
    let lives = vec((strategies::session(), strategies::session(), entries), 1..6);
    let result = runner.run(&lives, |lives| {
        round_trip(&fixture(), lives);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn round_trip(fixture: &dyn StoreFixture, lives: Vec<Life>) {
    let store = fixture.open();
    let mut stored: Vec<(Session, Vec<Record>)> = Vec::new();
    for (first, second, entries) in lives {
        match store.create(first.clone()) {
            Ok(created) => assert_eq!(created, first),
            // Nasty names are few, so they meet.
            Err(StoreError::NameHeld { .. } | StoreError::IdExists { .. }) => continue,
            Err(error) => panic!("{first:?} was refused: {error:?}"),
        }
        assert_eq!(store.get(first.id()).unwrap(), first);
        let mut changed = replacement(&first, second);
        let at = changed.lifecycle.updated_at;
        let now = match store.update(changed.clone(), at) {
            Ok(updated) => {
                changed.lifecycle.revision = changed.lifecycle.revision.next();
                assert_eq!(updated, changed);
                updated
            }
            // With another deadline it may have to take its name anew.
            Err(StoreError::NameHeld { .. }) => first,
            Err(error) => panic!("{changed:?} was refused: {error:?}"),
        };
        stored.push(told(&*store, now, &entries, at));
    }
    let copy = fixture.other();
    bundle::copy(&*store, &*copy, |_| {}).unwrap();
    store.close().unwrap();
    let store = fixture.open();
    assert_same_content(&*copy, &*store);
    for (session, records) in stored {
        let found = store.get(session.id()).unwrap();
        // A later session may have expired an earlier one by taking its name.
        if found.lifecycle.revision == session.lifecycle.revision {
            assert_eq!(found, session);
            assert_eq!(json(&found), json(&session));
        }
        let found = history(&*store, &session);
        assert_eq!(found, records);
        assert!(found.iter().map(record_json).eq(records.iter().map(record_json)));
    }
}

/// The session once the entries were appended, and the records that it has then.
fn told(
    store: &dyn SessionStore,
    session: Session,
    entries: &[Entry],
    at: Timestamp,
) -> (Session, Vec<Record>) {
    let answer = match store.append(session.id(), entries, at) {
        Ok(answer) => answer,
        Err(StoreError::Ended { .. }) => return (session, Vec::new()),
        Err(error) => panic!("{entries:?} were refused: {error:?}"),
    };
    let mut records: Vec<Record> = Vec::new();
    for (entry, seq) in entries.iter().zip(answer.seqs) {
        // Nasty ids are few as well, and of two only the first is kept.
        if records.iter().all(|record| record.entry.id != entry.id) {
            records.push(entry.clone().at(seq));
        }
    }
    let now = store.get(session.id()).unwrap();
    assert_eq!(now.totals().records, records.len() as u64);
    assert_eq!(now.identity.title, answer.title);
    assert_eq!(history(store, &session), records);
    (now, records)
}

fn history(store: &dyn SessionStore, session: &Session) -> Vec<Record> {
    store.history(session.id(), Reading::ALL).map(Result::unwrap).collect()
}

/// `second` as a change of `first`, with a name that nobody else has.
fn replacement(first: &Session, mut second: Session) -> Session {
    second.identity.id = first.id();
    second.identity.name = first.identity.name.clone();
    if second.identity.parent == Some(first.id()) {
        second.identity.parent = None;
    }
    second.lifecycle.created_at = first.lifecycle.created_at;
    second.lifecycle.status = first.lifecycle.status;
    strategies::without_illegal_role(&mut second);
    second
}
