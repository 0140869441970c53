//! One change, made again and again, each time with the next call of the disk that fails.

use session_core::{
    ErrorKind, MemoryStore, Query, Reading, Scope, Session, SessionId, SessionStore, StoreError,
    bundle,
};

use super::{Call, Failure, Fault, FaultFixture, Lasting, Places};
use crate::content;
use crate::content::assert_same_lines;
use crate::probe::{search, selector};
use crate::samples::{at, name, observer, said};

/// More calls than any change makes.
const MOST: u32 = 2000;

/// Something that is done to a store in the try of this number.
pub(super) type Act = fn(&dyn SessionStore, u32) -> Result<(), StoreError>;

/// A change that a store makes as a whole or not at all.
pub(super) struct Trial {
    /// What has to be there before.
    pub(super) prepare: Act,
    /// The change.
    pub(super) act: Act,
}

/// Everything that may happen to a change, the number of the call left open.
const TROUBLES: [(Option<Call>, Failure, Lasting); 7] = [
    (None, Failure::Io, Lasting::Once),
    (None, Failure::Io, Lasting::FromThenOn),
    (Some(Call::Write), Failure::NoRoom, Lasting::Once),
    (Some(Call::Write), Failure::NoRoom, Lasting::FromThenOn),
    (Some(Call::Write), Failure::Short, Lasting::Once),
    (Some(Call::Sync), Failure::Io, Lasting::Once),
    (Some(Call::Sync), Failure::Io, Lasting::FromThenOn),
];

/// The id of the session with this number of a try.
pub(super) fn id_of(attempt: u32, number: u32) -> SessionId {
    SessionId::from_parts(at(0), u128::from(attempt * 8 + number))
}

/// A session of a try, with a name of its own.
pub(super) fn session_of(attempt: u32, number: u32) -> Session {
    let mut session = Session::new(id_of(attempt, number), at(0));
    session.identity.name = Some(name(&format!("s-{attempt}-{number}")));
    session
}

impl Trial {
    /// Makes the change in everything that may happen to it, and checks what becomes of it.
    pub(super) fn run(&self, places: Places<'_>) {
        for (call, failure, lasting) in TROUBLES {
            let place = places();
            let mut run = Run::new(&*place);
            let mut nth = 1;
            while run.attempt(self, Fault { call, nth, failure, lasting }) {
                nth += 1;
                assert!(nth < MOST, "there is always another call that fails");
            }
            assert!(nth > 1, "the change makes a call that counts: {call:?}");
        }
    }
}

/// A store under test, and a store in memory that has made the same changes.
struct Run<'a> {
    place: &'a dyn FaultFixture,
    store: Box<dyn SessionStore>,
    model: MemoryStore,
}

impl<'a> Run<'a> {
    fn new(place: &'a dyn FaultFixture) -> Self {
        Self { place, store: place.open(), model: MemoryStore::new() }
    }

    /// Makes the change with this fault; returns whether any call failed.
    fn attempt(&mut self, trial: &Trial, fault: Fault) -> bool {
        let number = fault.nth;
        (trial.prepare)(&*self.store, number).unwrap();
        (trial.prepare)(&self.model, number).unwrap();
        let before = content(&self.model);
        let changed = MemoryStore::new();
        bundle::copy(&self.model, &changed, |_| {}).unwrap();
        (trial.act)(&changed, number).unwrap();
        let after = content(&changed);
        assert_ne!(before, after, "the change changes something");

        self.place.arm(fault);
        let result = (trial.act)(&*self.store, number);
        let failed = self.place.disarm();
        let what = format!("{fault:?}, {failed:?} failed, {result:?}");

        let is_poisoned = is_poisoned(&*self.store, &what);
        assert!(
            is_poisoned || !failed.contains(&Call::Sync),
            "goes on after a failed sync: {what}"
        );
        assert!(!is_poisoned || !failed.is_empty(), "is poisoned by nothing: {what}");
        if let Err(error) = &result {
            let expected =
                if fault.failure == Failure::Io { ErrorKind::Io } else { ErrorKind::DiskFull };
            assert!(!failed.is_empty(), "fails by nothing: {what}");
            assert_eq!(error.kind(), expected, "{what}");
        }
        let fresh = self.place.try_open().unwrap_or_else(|error| panic!("{error}: {what}"));
        let found = content(&*fresh);
        assert_eq!(fresh.check().unwrap().damaged, [], "{what}");
        let is_done = found == after;
        if result.is_ok() {
            assert_same_lines(&found, &after, &format!("acknowledged is not kept: {what}"));
        } else if !is_done {
            assert_same_lines(&found, &before, &format!("neither made nor not made: {what}"));
        }
        assert!(!is_done || result.is_ok() || is_poisoned, "is refused and made: {what}");
        if is_poisoned {
            // What it says is what went wrong; closing again says nothing.
            self.store.close().ok();
            self.store.close().unwrap();
            self.store = fresh;
        }
        if !is_done {
            let again = (trial.act)(&*self.store, number);
            again.unwrap_or_else(|error| panic!("cannot be made any more, {error}: {what}"));
        }
        assert_same_lines(&content(&*self.store), &after, &what);
        assert_same_lines(&content(&*self.place.open()), &after, &what);
        self.model = changed;
        !failed.is_empty()
    }
}

/// Whether a store refuses everything as poisoned, as it must when it refuses anything so.
fn is_poisoned(store: &dyn SessionStore, what: &str) -> bool {
    let (id, observer) = (id_of(0, 7), observer(0));
    let fragment = selector(&id.to_string()).as_fragment().unwrap();
    let mut all = Query::new(observer.clone());
    all.scope = Scope::All;
    let mut answers = vec![
        store.get(id).map(drop),
        store.named(&name("x")).map(drop),
        store.matching(&fragment).map(drop),
        store.list(&all).map(drop),
        store.read(id, &Reading::ALL).map(drop),
        store.search(&search("word")).map(drop),
        store.stats().map(drop),
        store.check().map(drop),
        store.tombstones().map(drop),
        store.flush(),
    ];
    let is_refused = |answer: &Result<(), StoreError>| matches!(answer, Err(StoreError::Poisoned));
    let poisoned = answers.iter().filter(|answer| is_refused(answer)).count();
    if poisoned == 0 {
        return false;
    }
    answers.extend([
        store.create(session_of(0, 7)).map(drop),
        store.update(session_of(0, 7), at(1)).map(drop),
        store.append(id, &[said(1, "late")], at(1)).map(drop),
        store.remove(id, &observer).map(drop),
        store.restore(id, at(1)).map(drop),
        store.purge(id, at(1)).map(drop),
        store.sweep(&observer).map(drop),
        store.adopt(session_of(0, 7), &mut std::iter::empty()),
        store.repair(at(1)).map(drop),
        store.reindex(),
    ]);
    assert!(answers.iter().all(is_refused), "refuses some calls as poisoned: {answers:?}, {what}");
    true
}
