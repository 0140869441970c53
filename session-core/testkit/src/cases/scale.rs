//! Thousands of sessions, tombstones and entries: what is all there has to be given, stored and taken away as a whole.
//!
//! Making them takes a real disk its time, so a case makes them once and asks everything of them.

use session_core::{
    Entry, Expiry, MemoryStore, Query, Removal, Revision, Scope, Seq, Session, SessionId,
    SessionStore, SessionStoreExt, Sort, Status, StoreUpkeep as _, Tombstone, bundle,
};

use crate::StoreFixture;
use crate::assert_same_content;
use crate::probe::{append, history, page, placed, query, selector};
use crate::samples::{at, bare, id, name, observer, record_id, said};

/// More than two pages of a bundle, and no multiple of anything.
const MANY: usize = 2_049;

/// More than a statement of SQL takes parameters, on many a system.
const ENTRIES: u32 = 5_000;

/// The ids of many, in their order.
fn ids() -> impl Iterator<Item = SessionId> {
    (0..MANY as u128).map(|number| SessionId::from_parts(at(1), number))
}

/// Sessions of one name, which none of them claims: their work is done. At the tenth second they are overdue.
fn many() -> Vec<Session> {
    let session = |id| {
        let mut session = Session::new(id, at(1));
        session.identity.name = Some(name("many"));
        session.lifecycle.status = Status::Completed;
        session.lifecycle.expiry = Expiry::At(at(10));
        session
    };
    ids().map(session).collect()
}

fn listed(store: &dyn SessionStore, query: &Query) -> Vec<SessionId> {
    let page = page(store, query);
    assert_eq!(page.next, None, "there was no limit");
    page.sessions.iter().map(Session::id).collect()
}

/// The ids of sessions that a call gave in any order.
fn sorted(sessions: &[Session]) -> Vec<SessionId> {
    let mut ids: Vec<_> = sessions.iter().map(Session::id).collect();
    ids.sort_unstable();
    ids
}

/// STORE-55: without a limit everything is listed, and nothing else has one either: what has a name, what a sweep
/// records, what a removal takes, what is in the trash, and what a bundle has.
pub fn thousands_of_sessions_are_all_there(fixture: &dyn StoreFixture) {
    let (store, source, copy) = (fixture.open(), MemoryStore::new(), MemoryStore::new());
    for session in many() {
        source.adopt(session, &mut std::iter::empty()).unwrap();
    }
    bundle::copy(&source, &*store, |_| {}).unwrap();
    bundle::copy(&*store, &copy, |_| {}).unwrap();
    assert_same_content(&copy, &source);
    assert_same_content(&*store, &source);

    let ids: Vec<_> = ids().collect();
    let newest: Vec<_> = ids.iter().rev().copied().collect();
    let all = query(observer(5), Scope::All, Sort::Created);
    assert!(listed(&*store, &all) == newest);
    let named = store.named(&name("many")).unwrap();
    assert!(named.iter().map(Session::id).eq(newest.iter().copied()));
    assert_eq!(store.check().unwrap().sessions, MANY as u64);

    let swept = store.sweep(&observer(11)).unwrap();
    assert!(swept.iter().all(|session| session.status() == Status::Expired));
    assert!(sorted(&swept) == ids);
    assert_eq!(store.sweep(&observer(12)).unwrap(), []);

    let removal = Removal::everything(observer(13));
    let removable = store.removable(&removal).unwrap();
    assert!(removable.sessions.iter().map(Session::id).eq(ids.iter().copied()));
    let removed = store.remove_all(&removal).unwrap();
    assert!(removed.iter().map(Session::id).eq(ids.iter().copied()));
    assert!(removed.iter().all(|session| session.lifecycle.revision == Revision(3)));
    assert_eq!(listed(&*store, &all), []);
    assert!(listed(&*store, &Query { scope: Scope::Trash, ..all }) == newest);
    assert_eq!(store.find_trashed(&selector(&ids[0].to_string())).unwrap(), removed[0]);
    assert_eq!(store.stats().unwrap().trashed, MANY as u64);
}

/// STORE-53: thousands of tombstones are all kept, and go with a copy.
pub fn thousands_of_tombstones_are_all_there(fixture: &dyn StoreFixture) {
    let (store, copy) = (fixture.open(), MemoryStore::new());
    let expected: Vec<_> = ids().map(|id| Tombstone::new(id, at(2))).collect();
    for tombstone in &expected {
        store.bury(tombstone).unwrap();
    }
    assert!(store.tombstones().unwrap() == expected);
    assert!(fixture.open().tombstones().unwrap() == expected);
    assert_eq!(store.stats().unwrap().tombstones, MANY as u64);
    let (counts, _) = bundle::copy(&*store, &copy, |_| {}).unwrap();
    assert_eq!(counts.tombstones, MANY as u64);
    assert_same_content(&copy, &*store);
}

/// STORE-33: a batch of thousands is appended like any other, and told from what is new when it comes again.
pub fn thousands_of_entries_are_one_batch(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    let text = |number| format!("{{\"n\":{number}}}");
    let entries: Vec<Entry> = (1..=ENTRIES)
        .map(|number| Entry { id: record_id(&text(number)), ..said(number, &text(number)) })
        .collect();
    let seqs: Vec<_> = (0..u64::from(ENTRIES)).map(Seq::after).collect();
    let answer = append(&*store, 1, &entries, 1);
    assert_eq!(answer.revision, Revision(2));
    assert!(answer.seqs == seqs);
    assert!(history(&*store, 1) == placed(&entries));
    // Those at the end are within the reach of every store.
    let last = entries.len() - 500;
    let again = append(&*store, 1, &entries[last..], 2);
    assert!(again.revision == Revision(2) && again.seqs == seqs[last..]);
    let totals = store.get(id(1)).unwrap().totals();
    assert_eq!((totals.records, totals.messages), (ENTRIES.into(), ENTRIES.into()));
}
