//! A property of every store: the nastiest legal session comes back as it was.

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use session_core::{Session, StoreError};

use crate::samples::json;
use crate::{StoreFixture, strategies};

/// How many stores are filled; each takes several sessions.
const CASES: u32 = 16;

/// STORE-20: whatever legal values a session has, it comes back equal, through `get` and after opening anew, and
/// so does what an update makes of it. `source` is the caller's `file!()`.
///
/// # Panics
/// When it does not, with the simplest sessions that were found to show it.
pub fn store_values<F: StoreFixture>(fixture: impl Fn() -> F, source: &'static str) {
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        source_file: Some(source),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "values.proptest-regressions",
        ))),
        ..Config::default()
    });
    let sessions = vec((strategies::session(), strategies::session()), 1..6);
    let result = runner.run(&sessions, |sessions| {
        round_trip(&fixture(), sessions);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn round_trip(fixture: &dyn StoreFixture, sessions: Vec<(Session, Session)>) {
    let store = fixture.open();
    let mut stored: Vec<Session> = Vec::new();
    for (first, second) in sessions {
        match store.create(first.clone()) {
            Ok(created) => assert_eq!(created, first),
            // Nasty names are few, so they meet.
            Err(StoreError::NameHeld { .. } | StoreError::IdExists { .. }) => continue,
            Err(error) => panic!("{first:?} was refused: {error:?}"),
        }
        assert_eq!(store.get(first.id()).unwrap(), first);
        let mut changed = replacement(&first, second);
        let at = changed.lifecycle.updated_at;
        stored.push(match store.update(changed.clone(), at) {
            Ok(updated) => {
                changed.lifecycle.revision = changed.lifecycle.revision.next();
                assert_eq!(updated, changed);
                updated
            }
            // With another deadline it may have to take its name anew.
            Err(StoreError::NameHeld { .. }) => first,
            Err(error) => panic!("{changed:?} was refused: {error:?}"),
        });
    }
    store.close().unwrap();
    let store = fixture.open();
    for session in stored {
        let found = store.get(session.id()).unwrap();
        // A later session may have expired an earlier one by taking its name.
        if found.lifecycle.revision == session.lifecycle.revision {
            assert_eq!(found, session);
            assert_eq!(json(&found), json(&session));
        }
    }
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
    second
}
