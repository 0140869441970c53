//! Several threads with several handles at once: exactly one wins, and nothing is lost.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use session_core::{Revision, SessionStore, SessionStoreExt, Status, StoreError};

use crate::StoreFixture;
use crate::probe::dump;
use crate::samples::{at, bare, id, label, name, named, until};

const HANDLES: usize = 3;
const THREADS: u32 = 6;
const ROUNDS: u32 = 4;

fn handles(fixture: &dyn StoreFixture) -> Vec<Box<dyn SessionStore>> {
    (0..HANDLES).map(|_| fixture.open()).collect()
}

/// Runs `act` in all threads at the same time, each with its number and one of the handles.
fn race<T: Send>(
    handles: &[Box<dyn SessionStore>],
    act: impl Fn(u32, &dyn SessionStore) -> T + Sync,
) -> Vec<T> {
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let runners: Vec<_> = (0..THREADS)
            .map(|number| {
                let (start, act) = (&start, &act);
                let store = &*handles[number as usize % handles.len()];
                scope.spawn(move || {
                    start.wait();
                    act(number, store)
                })
            })
            .collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    })
}

/// Takes the one success out of the results, and checks every refusal.
fn only_winner<T: std::fmt::Debug>(
    results: Vec<Result<T, StoreError>>,
    is_refusal: impl Fn(&T, &StoreError) -> bool,
) -> T {
    let (mut won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "exactly one wins: {won:?}, {lost:?}");
    let winner = won.remove(0).unwrap();
    for refusal in lost.into_iter().map(Result::unwrap_err) {
        assert!(is_refusal(&winner, &refusal), "{refusal:?}");
    }
    winner
}

/// STORE-03: of several racing creators of one name exactly one wins; the others are told who.
pub fn one_creator_wins_a_name(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    for round in 0..ROUNDS {
        let text = format!("name-{round}");
        let results =
            race(&handles, |thread, store| store.create(named(round * THREADS + thread, &text)));
        let winner = only_winner(
            results,
            |winner, refusal| matches!(refusal, StoreError::NameHeld { holder, .. } if *holder == winner.id()),
        );
        assert_eq!(handles[0].named(&name(&text)).unwrap(), [winner]);
    }
}

/// STORE-02: of several racing creators of one id exactly one wins.
pub fn one_creator_wins_an_id(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    for round in 0..ROUNDS {
        let results = race(&handles, |thread, store| {
            store.create(named(round, &format!("by-{round}-{thread}")))
        });
        let winner =
            only_winner(results, |_, refusal| matches!(refusal, StoreError::IdExists { .. }));
        assert_eq!(handles[0].get(id(round)).unwrap(), winner);
    }
}

/// STORE-04: of several who take the name of a holder past its deadline one wins, and the expiry is recorded once.
pub fn one_creator_wins_an_overdue_name(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    handles[0].create(until(60, "lease", 10)).unwrap();
    let results = race(&handles, |thread, store| {
        let mut taker = named(thread, "lease");
        taker.lifecycle.created_at = at(20);
        store.create(taker)
    });
    only_winner(
        results,
        |winner, refusal| matches!(refusal, StoreError::NameHeld { holder, .. } if *holder == winner.id()),
    );
    let expired = handles[1].get(id(60)).unwrap();
    assert_eq!((expired.status(), expired.lifecycle.revision), (Status::Expired, Revision(2)));
}

/// STORE-13: of several who rename to one name exactly one wins.
pub fn one_renamer_wins_a_name(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    for thread in 0..THREADS {
        handles[0].create(named(thread, &format!("before-{thread}"))).unwrap();
    }
    let results = race(&handles, |thread, store| {
        let mut session = store.get(id(thread))?;
        session.identity.name = Some(name("after"));
        store.update(session, at(1))
    });
    only_winner(
        results,
        |winner, refusal| matches!(refusal, StoreError::NameHeld { holder, .. } if *holder == winner.id()),
    );
}

/// STORE-10: of several racing writers of one revision exactly one wins.
pub fn one_writer_wins_a_revision(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    let mut session = handles[0].create(bare(1)).unwrap();
    for round in 0..ROUNDS {
        let results = race(&handles, |thread, store| {
            let mut mine = session.clone();
            mine.identity.title = Some(format!("{round} by {thread}"));
            store.update(mine, at(i64::from(round)))
        });
        session = only_winner(
            results,
            |winner, refusal| matches!(refusal, StoreError::Conflict { found, .. } if *found == winner.lifecycle.revision),
        );
        assert_eq!(handles[0].get(id(1)).unwrap(), session);
    }
}

/// STORE-10: of racing writers that retry none loses its change.
pub fn no_update_is_lost(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    handles[0].create(bare(1)).unwrap();
    race(&handles, |thread, store| {
        for round in 0..ROUNDS {
            let key = label(&format!("label-{thread}-{round}"));
            let mut tries = 0;
            let written = store.update_with(id(1), at(1), |session| {
                tries += 1;
                assert!(tries < 10_000, "a writer that reads again must get through at last");
                session.identity.labels.insert(key.clone(), "kept".to_owned());
                Ok::<_, StoreError>(())
            });
            written.unwrap();
        }
    });
    let session = handles[0].get(id(1)).unwrap();
    assert_eq!(session.identity.labels.len(), (THREADS * ROUNDS) as usize);
    assert_eq!(session.lifecycle.revision, Revision(u64::from(1 + THREADS * ROUNDS)));
}

/// STORE-21: writers of different sessions do not disturb each other.
pub fn no_creation_is_lost(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    race(&handles, |thread, store| {
        for round in 0..ROUNDS {
            let number = thread * ROUNDS + round;
            store.create(named(number, &format!("n-{number}"))).unwrap();
        }
    });
    let expected: Vec<_> =
        (0..THREADS * ROUNDS).map(|number| named(number, &format!("n-{number}"))).collect();
    for store in &handles {
        assert_eq!(dump(&**store).1, expected);
    }
}

/// STORE-21: a reader sees each write whole, and never an older one after a newer.
pub fn no_reader_sees_half_a_write(fixture: &dyn StoreFixture) {
    let handles = handles(fixture);
    let mut session = handles[0].create(bare(1)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in &handles[1..] {
            let done = &done;
            scope.spawn(move || {
                let mut last = Revision(0);
                while !done.load(Ordering::Acquire) {
                    let seen = reader.get(id(1)).unwrap();
                    let expected = (seen.lifecycle.revision.0 > 1)
                        .then(|| seen.lifecycle.revision.0.to_string().repeat(500));
                    assert_eq!(seen.identity.title, expected);
                    assert!(seen.lifecycle.revision >= last, "older than {last}");
                    last = seen.lifecycle.revision;
                }
            });
        }
        // The readers must end also when the writer panics.
        let writer = scope.spawn(|| {
            for revision in 2..40_u64 {
                session.identity.title = Some(revision.to_string().repeat(500));
                session = handles[0].update(session.clone(), at(1)).unwrap();
            }
        });
        let written = writer.join();
        done.store(true, Ordering::Release);
        written.unwrap();
    });
}
