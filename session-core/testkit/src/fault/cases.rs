//! The cases of failing disks.
//!
//! In each, one call of the disk fails after the other, each in every way that it may. What a store is asked for is
//! then done or not done as a whole, what was acknowledged before is there, and the store takes further changes: the
//! same handle, or, when that is poisoned, as it must be after a failed sync, a new one.

use session_core::{
    Conversation, ErrorKind, Expiry, Query, Reading, Record, Removal, Scope, Session, SessionStore,
    SessionStoreExt, StoreError, Tombstone, Totals,
};

use super::trial::{Act, Trial, id_of, session_of};
use super::{Call, Failure, Fault, Lasting, Places};
use crate::content;
use crate::content::assert_same_lines;
use crate::probe::{placed, search, selector};
use crate::samples::{at, every_kind, name, noted, observer, said};

/// A case: it panics when a store breaks the promise.
pub type FaultCase = fn(Places<'_>);

/// Every case with its name, as [`crate::store_fault_conformance`] stamps them.
pub const ALL: &[(&str, FaultCase)] = crate::__fault_cases! { __table_of_fault_cases };

const NOTHING: Act = |_, _| Ok(());

/// Stores a session with a history.
fn present(store: &dyn SessionStore, attempt: u32) -> Result<(), StoreError> {
    store.create(session_of(attempt, 1))?;
    store.append(id_of(attempt, 1), &[said(1, "first"), noted(2, "second")], at(1)).map(drop)
}

/// The same in the trash.
fn trashed(store: &dyn SessionStore, attempt: u32) -> Result<(), StoreError> {
    present(store, attempt)?;
    store.remove(id_of(attempt, 1), &observer(2)).map(drop)
}

fn until(attempt: u32, number: u32) -> Session {
    let mut session = session_of(attempt, number);
    session.lifecycle.expiry = Expiry::At(at(5));
    session
}

/// STORE-01: a session is created as a whole or not at all.
pub fn create_is_whole(places: Places<'_>) {
    Trial { prepare: NOTHING, act: |store, n| store.create(session_of(n, 1)).map(drop) }
        .run(places);
}

/// STORE-04: whoever takes a name and whoever gives it up are recorded both or not at all.
pub fn takeover_is_whole(places: Places<'_>) {
    let prepare = |store: &dyn SessionStore, n| store.create(until(n, 1)).map(drop);
    let act = |store: &dyn SessionStore, n| {
        let mut taker = session_of(n, 2);
        taker.identity.name = session_of(n, 1).identity.name;
        taker.lifecycle.created_at = at(9);
        store.create(taker).map(drop)
    };
    Trial { prepare, act }.run(places);
}

/// STORE-09: a session is updated as a whole or not at all.
pub fn update_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| {
        let mut session = store.get(id_of(n, 1))?;
        session.identity.title = Some("long ".repeat(1000));
        session.identity.name = Some(name(&format!("renamed-{n}")));
        store.update(session, at(3)).map(drop)
    };
    Trial { prepare: present, act }.run(places);
}

/// STORE-34: a batch is appended as a whole, with what it does to its session, or not at all.
pub fn append_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| {
        let batch =
            [said(3, "third"), said(1, "known"), noted(4, &"long ".repeat(1000)), said(5, "last")];
        store.append(id_of(n, 1), &batch, at(3)).map(drop)
    };
    Trial { prepare: present, act }.run(places);
}

/// STORE-17: a session is removed or not.
pub fn remove_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| store.remove(id_of(n, 1), &observer(3)).map(drop);
    Trial { prepare: present, act }.run(places);
}

/// STORE-28: all sessions that a removal takes are removed, or none.
pub fn remove_all_is_whole(places: Places<'_>) {
    let prepare = |store: &dyn SessionStore, n| {
        store.create(session_of(n, 2))?;
        store.create(session_of(n, 3))?;
        present(store, n)
    };
    let act =
        |store: &dyn SessionStore, _| store.remove_all(&Removal::everything(observer(3))).map(drop);
    Trial { prepare, act }.run(places);
}

/// STORE-29: a session is restored or not.
pub fn restore_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| store.restore(id_of(n, 1), at(3)).map(drop);
    Trial { prepare: trashed, act }.run(places);
}

/// STORE-31: a session is destroyed with its history and leaves its tombstone, or stays in the trash.
pub fn purge_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| store.purge(id_of(n, 1), at(3)).map(drop);
    Trial { prepare: trashed, act }.run(places);
}

/// STORE-19: what a sweep records of a session is recorded as a whole or not at all.
pub fn sweep_is_whole(places: Places<'_>) {
    let prepare = |store: &dyn SessionStore, n| store.create(until(n, 1)).map(drop);
    let act = |store: &dyn SessionStore, _| store.sweep(&observer(9)).map(drop);
    Trial { prepare, act }.run(places);
}

fn grown(attempt: u32) -> (Session, Vec<Record>) {
    let mut entries = every_kind();
    entries.push(noted(20, &"long ".repeat(1000)));
    let records = entries.len() as u64;
    let mut session = session_of(attempt, 1);
    let totals = Totals { records, ..Totals::default() };
    session.conversation = Some(Conversation { totals, ..Conversation::default() });
    (session, placed(&entries))
}

/// STORE-52: a session of another store is stored with all of its history or not at all.
pub fn adopt_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| {
        let (session, records) = grown(n);
        store.adopt(session, &mut records.into_iter().map(Ok))
    };
    Trial { prepare: NOTHING, act }.run(places);
}

/// STORE-53: a tombstone of another store is taken over or not.
pub fn bury_is_whole(places: Places<'_>) {
    let act = |store: &dyn SessionStore, n| store.bury(&Tombstone::new(id_of(n, 1), at(3)));
    Trial { prepare: NOTHING, act }.run(places);
}

/// Some of everything.
fn fill(store: &dyn SessionStore) {
    for number in 1..4 {
        present(store, number).unwrap();
    }
    trashed(store, 4).unwrap();
    trashed(store, 5).unwrap();
    store.purge(id_of(5, 1), at(3)).unwrap();
}

fn assert_io(error: &StoreError, fault: Fault) {
    let expected = if fault.failure == Failure::Io { ErrorKind::Io } else { ErrorKind::DiskFull };
    assert_eq!(error.kind(), expected, "{error:?} of {fault:?}");
}

/// STORE-20: a store that cannot be opened or made because a call fails is neither damaged nor lost: it is opened when
/// it is tried again.
pub fn opening_is_tried_again(places: Places<'_>) {
    let troubles = [
        (None, Failure::Io),
        (Some(Call::Write), Failure::NoRoom),
        (Some(Call::Write), Failure::Short),
    ];
    for (call, failure) in troubles {
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            for is_new in [true, false] {
                let mut place = places();
                let mut before = Vec::new();
                if !is_new {
                    let store = place.open();
                    fill(&*store);
                    before = content(&*store);
                }
                for nth in 1.. {
                    if is_new {
                        place = places();
                    }
                    let fault = Fault { call, nth, failure, lasting };
                    place.arm(fault);
                    let opened = place.try_open();
                    let failed = place.disarm();
                    if let Err(error) = opened {
                        assert!(!failed.is_empty(), "{error:?} by nothing");
                        assert_io(&error, fault);
                    }
                    let store = place
                        .try_open()
                        .unwrap_or_else(|error| panic!("{error:?} after {fault:?}"));
                    if is_new {
                        fill(&*store);
                    } else {
                        assert_same_lines(&content(&*store), &before, "opening changed something");
                    }
                    if failed.is_empty() {
                        break;
                    }
                }
            }
        }
    }
}

/// A way of reading: its answer as text.
type Reader = fn(&dyn SessionStore) -> Result<String, StoreError>;

fn everything(store: &dyn SessionStore, scope: Scope) -> Result<String, StoreError> {
    let mut query = Query::new(observer(0));
    query.scope = scope;
    store.list(&query).map(|page| format!("{page:?}"))
}

const READERS: [(&str, Reader); 11] = [
    ("get", |store| store.get(id_of(1, 1)).map(|found| format!("{found:?}"))),
    ("named", |store| store.named(&name("s-2-1")).map(|found| format!("{found:?}"))),
    ("matching", |store| {
        let fragment = selector(&id_of(3, 1).to_string()).as_fragment().unwrap();
        store.matching(&fragment).map(|found| format!("{found:?}"))
    }),
    ("list", |store| everything(store, Scope::All)),
    ("list of the trash", |store| everything(store, Scope::Trash)),
    ("read", |store| {
        store.read(id_of(4, 1), &Reading::backward()).map(|found| format!("{found:?}"))
    }),
    ("context", |store| store.context(id_of(1, 1)).map(|found| format!("{found:?}"))),
    ("search", |store| store.search(&search("first OR second")).map(|found| format!("{found:?}"))),
    ("stats", |store| store.stats().map(|found| format!("{found:?}"))),
    ("tombstones", |store| store.tombstones().map(|found| format!("{found:?}"))),
    ("check", |store| store.check().map(|found| format!("{found:?}"))),
];

/// STORE-46: what cannot be read because a call fails is an error and no damage, nothing is missing from an answer that
/// comes all the same, and the same handle reads it when it is asked again.
pub fn reading_finds_no_damage(places: Places<'_>) {
    let place = places();
    fill(&*place.open());
    let mut failures = 0;
    for (what, reader) in READERS {
        let expected = reader(&*place.open()).unwrap();
        for nth in 1.. {
            let store = place.open();
            let fault =
                Fault { call: Some(Call::Read), nth, failure: Failure::Io, lasting: Lasting::Once };
            place.arm(fault);
            let answer = reader(&*store);
            let failed = place.disarm();
            match answer {
                Ok(answer) => assert_eq!(answer, expected, "{what}, {fault:?}"),
                Err(error) => assert_io(&error, fault),
            }
            assert_eq!(reader(&*store).unwrap(), expected, "{what} again, {fault:?}");
            if failed.is_empty() {
                break;
            }
            failures += failed.len();
        }
    }
    assert!(failures > 0, "reading reads");
}

/// STORE-47: a call that fails is no damage to `repair` and loses nothing in `reindex`.
pub fn upkeep_takes_nothing_for_damage(places: Places<'_>) {
    let repair: Act =
        |store, _| store.repair(at(9)).map(|repairs| assert_eq!(repairs, [], "nothing is damaged"));
    let reindex: Act = |store, _| store.reindex();
    for act in [repair, reindex] {
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            let place = places();
            fill(&*place.open());
            let before = content(&*place.open());
            for nth in 1.. {
                let fault = Fault { call: None, nth, failure: Failure::Io, lasting };
                let store = place.open();
                place.arm(fault);
                let result = act(&*store, nth);
                let failed = place.disarm();
                if let Err(error) = result {
                    assert_io(&error, fault);
                }
                let fresh = place.open();
                assert_same_lines(&content(&*fresh), &before, "upkeep lost something");
                assert_eq!(fresh.check().unwrap().damaged, [], "{fault:?}");
                act(&*fresh, nth).unwrap();
                if failed.is_empty() {
                    break;
                }
            }
        }
    }
}
