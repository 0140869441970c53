//! Laws that other programs' stores had to keep, over many drawn names at once; `RETOLD.md` says which each is.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use session_core::{
    Mode, Scope, Selector, Session, SessionName, SessionStore, SessionStoreExt, Sort, StoreError,
};

use crate::StoreFixture;
use crate::probe::{listed, page, query};
use crate::samples::{at, id, launched, name, named, observer, said};

/// How many stores are filled with names.
const ROUNDS: u64 = 12;

/// How many write at once, and how much each does.
const CROWD: u32 = 12;
const TURNS: u32 = 10;

/// Numbers that look drawn, and are the same on every run: a xorshift generator (Marsaglia 2003).
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// A name of any legal length and alphabet.
    fn name(&mut self) -> SessionName {
        const FIRST: &[u8] = b"abcxyzABCXYZ0189";
        const LATER: &[u8] = b"abcxyzABCXYZ0189-_";
        let longest = [3, 12, 100][self.below(3)];
        let mut text = String::from(char::from(FIRST[self.below(FIRST.len())]));
        for _ in 0..self.below(longest) {
            text.push(char::from(LATER[self.below(LATER.len())]));
        }
        name(&text)
    }

    /// So many names, no two alike.
    fn names(&mut self, count: usize) -> Vec<SessionName> {
        let mut names = BTreeSet::new();
        while names.len() < count {
            names.insert(self.name());
        }
        let mut names: Vec<_> = names.into_iter().collect();
        self.shuffle(&mut names);
        names
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A launched session of this number and name, with a directory and a mode of its own.
fn furnished(number: u32, name: &SessionName) -> Session {
    let mut session = launched(number);
    session.identity.name = Some(name.clone());
    let launch = session.launch.as_mut().unwrap();
    launch.workdir = format!("/srv/{number}");
    launch.mode = if number.is_multiple_of(2) { Mode::Safe } else { Mode::Yolo };
    session
}

/// Fills a store with so many sessions of drawn names.
fn fill(store: &dyn SessionStore, draw: &mut Draw, count: usize) -> Vec<Session> {
    let names = draw.names(count);
    let given: Vec<_> = (1..).zip(&names).map(|(number, name)| furnished(number, name)).collect();
    for session in &given {
        assert_eq!(store.create(session.clone()).unwrap(), *session);
    }
    given
}

fn found(store: &dyn SessionStore, name: &SessionName) -> Result<Session, StoreError> {
    store.find(&Selector::parse(name.as_str()).unwrap())
}

fn names_of(store: &dyn SessionStore) -> Vec<SessionName> {
    let sessions = page(store, &query(observer(0), Scope::All, Sort::Name)).sessions;
    sessions.iter().filter_map(|session| session.name().cloned()).collect()
}

/// STORE-14: whatever names are stored are the names that are listed, in their order, and none where nothing is.
pub fn stored_names_are_listed_names(fixture: &dyn StoreFixture) {
    for round in 0..ROUNDS {
        let store = fixture.other();
        assert_eq!(names_of(&*store), []);
        let mut draw = Draw::new(round);
        let count = 1 + draw.below(12);
        let sessions = fill(&*store, &mut draw, count);
        let mut expected: Vec<_> =
            sessions.iter().filter_map(|session| session.name().cloned()).collect();
        expected.sort();
        assert_eq!(names_of(&*store), expected, "round {round}");
    }
}

/// STORE-01: each of many names means the session that was stored under it, with its id, mode and directory.
pub fn every_name_means_its_own_session(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for session in fill(&*store, &mut Draw::new(30), 30) {
        let name = session.name().unwrap();
        assert_eq!(found(&*store, name).unwrap(), session);
        assert_eq!(store.get(session.id()).unwrap().launch, session.launch);
    }
}

/// STORE-17: of many sessions that are removed in any order each removal takes one, and its name means nothing then.
pub fn removals_take_one_at_a_time(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut draw = Draw::new(20);
    let mut sessions = fill(&*store, &mut draw, 20);
    draw.shuffle(&mut sessions);
    while let Some(session) = sessions.pop() {
        store.remove(session.id(), &observer(1)).unwrap();
        let gone = found(&*store, session.name().unwrap());
        assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
        let left = listed(&*store, &query(observer(1), Scope::All, Sort::Created));
        assert_eq!(left.len(), sessions.len());
        for kept in &sessions {
            assert_eq!(found(&*store, kept.name().unwrap()).unwrap(), *kept);
        }
    }
}

/// STORE-09: another name changes the name alone: id, mode, directory and time of creation stay, the old name is gone.
pub fn renamings_change_the_name_alone(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut draw = Draw::new(15);
    let sessions = fill(&*store, &mut draw, 15);
    let taken: BTreeSet<_> = sessions.iter().filter_map(|one| one.name().cloned()).collect();
    let fresh = draw.names(40).into_iter().filter(|name| !taken.contains(name));
    for (session, fresh) in sessions.iter().zip(fresh) {
        let mut renamed = session.clone();
        renamed.identity.name = Some(fresh.clone());
        let renamed = store.update(renamed, at(5)).unwrap();
        let by_name = found(&*store, &fresh).unwrap();
        assert_eq!(by_name, renamed);
        assert_eq!((by_name.id(), &by_name.launch), (session.id(), &session.launch));
        assert_eq!(by_name.lifecycle.created_at, session.lifecycle.created_at);
        let gone = found(&*store, session.name().unwrap());
        assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    }
    assert_eq!(names_of(&*store).len(), 15);
}

/// STORE-01: the word for a tool is kept as it was given: none is made up, and none is taken for another.
pub fn tools_stay_as_they_were_given(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let words = [None, Some(""), Some("claude"), Some("codex"), Some("hermes"), Some("un known")];
    for (number, word) in (1..).zip(words) {
        let mut session = launched(number);
        session.launch.as_mut().unwrap().tool = word.map(str::to_owned);
        store.create(session).unwrap();
        let updated = store.update(store.get(id(number)).unwrap(), at(1)).unwrap();
        for stored in [updated, store.get(id(number)).unwrap()] {
            assert_eq!(stored.launch.unwrap().tool.as_deref(), word);
        }
    }
}

/// STORE-21: of sixty-four who each create a session at the same time none is lost.
pub fn no_creation_of_a_crowd_is_lost(fixture: &dyn StoreFixture) {
    let handles: Vec<_> = (0..8).map(|_| fixture.open()).collect();
    let start = Barrier::new(64);
    thread::scope(|scope| {
        for number in 0..64 {
            let (start, store) = (&start, &*handles[number as usize % handles.len()]);
            scope.spawn(move || {
                start.wait();
                store.create(named(number, &format!("n-{number}"))).unwrap();
            });
        }
    });
    let all = listed(&*fixture.open(), &query(observer(0), Scope::All, Sort::Created));
    assert_eq!(all, (0..64).rev().collect::<Vec<_>>());
}

/// STORE-21: while many create, change, append, remove and restore, every listing succeeds and is whole, and
/// nothing is damaged afterwards.
pub fn a_crowd_never_breaks_a_listing(fixture: &dyn StoreFixture) {
    let handles: Vec<_> = (0..4).map(|_| fixture.open()).collect();
    let start = Barrier::new(CROWD as usize);
    thread::scope(|scope| {
        for number in 0..CROWD {
            let (start, store) = (&start, &*handles[number as usize % handles.len()]);
            scope.spawn(move || {
                start.wait();
                store.create(named(number, &format!("crowd-{number}"))).unwrap();
                let mut draw = Draw::new(u64::from(number));
                for turn in 0..TURNS {
                    act(store, number, turn, draw.below(4));
                    let all = page(store, &query(observer(1), Scope::All, Sort::Name));
                    assert!(all.sessions.len() <= CROWD as usize);
                    assert!(all.sessions.iter().any(|session| session.id() == id(number)));
                }
            });
        }
    });
    let store = fixture.open();
    let report = store.check().unwrap();
    assert_eq!((report.sessions, report.damaged), (u64::from(CROWD), Vec::new()));
}

/// One piece of work on the session of this number, which is there before and after.
fn act(store: &dyn SessionStore, number: u32, turn: u32, kind: usize) {
    match kind {
        0 => {
            let mut session = store.get(id(number)).unwrap();
            session.identity.title = Some(format!("turn {turn}"));
            store.update(session, at(1)).unwrap();
        }
        1 => {
            let entry = said(number * TURNS + turn, "work");
            store.append(id(number), &[entry], at(1)).unwrap();
        }
        2 => {
            store.remove(id(number), &observer(1)).unwrap();
            store.restore(id(number), at(1)).unwrap();
        }
        _ => _ = store.named(&name(&format!("crowd-{number}"))).unwrap(),
    }
}
