//! Leases: a role holds the name of its session for as long as it stands, and bindings are found.

use session_core::{
    Binding, Expiry, Lease, Revision, Scope, Session, SessionStore, Sort, Status, StoreError,
};

use crate::StoreFixture;
use crate::probe::{assert_refused, listed, numbers, query};
use crate::samples::{at, bare, id, leased, name, named, observer, role, with_status};

fn ended(mut session: Session, status: Status) -> Session {
    session.lifecycle.status = status;
    session
}

/// STORE-25: a session whose work has ended holds its name while its lease stands.
pub fn holds_a_name_after_the_work(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in [(1, Status::Completed), (2, Status::Failed)] {
        let text = status.as_str();
        store.create(ended(leased(number, text, "reviewer"), status)).unwrap();
        assert_refused!(&*store, |store| store.create(named(9, text)), StoreError::NameHeld { holder, .. } if *holder == id(number));
        let mut renamed = store.create(named(number + 10, &format!("n-{number}"))).unwrap();
        renamed.identity.name = Some(name(text));
        assert_refused!(&*store, |store| store.update(renamed, at(1)), StoreError::NameHeld { holder, .. } if *holder == id(number));
    }
}

/// STORE-25: a lease that was given back, has no role, or belongs to a session that was ended for good holds nothing.
pub fn holds_no_name_without_standing(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut back = leased(1, "name", "reviewer");
    back.lease.as_mut().unwrap().ended_at = Some(at(1));
    let mut bound = with_status(2, "name", Status::Completed);
    bound.lease = Some(Lease { binding: Some(Binding::default()), ..Lease::default() });
    let closed = ended(leased(3, "name", "reviewer"), Status::Closed);
    let expired = ended(leased(4, "name", "reviewer"), Status::Expired);
    for session in [ended(back, Status::Failed), bound, closed, expired] {
        let number = numbers(&[store.create(session.clone()).unwrap()])[0] + 10;
        store.create(named(number, "name")).unwrap();
        assert_eq!(store.get(session.id()).unwrap(), session);
        store.remove(id(number), &observer(2)).unwrap();
    }
}

/// STORE-25: giving the lease back gives the name up.
pub fn gives_a_name_up_with_the_lease(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let holder = store.create(ended(leased(1, "name", "reviewer"), Status::Completed)).unwrap();
    assert_refused!(&*store, |store| store.create(named(2, "name")), StoreError::NameHeld { .. });
    let mut changed = holder;
    changed.lease.as_mut().unwrap().ended_at = Some(at(5));
    let back = store.update(changed, at(5)).unwrap();
    store.create(named(2, "name")).unwrap();
    let mut again = back;
    again.lease.as_mut().unwrap().ended_at = None;
    assert_refused!(&*store, |store| store.update(again, at(6)), StoreError::NameHeld { holder, .. } if *holder == id(2));
}

/// STORE-25: a name that is held by a lease alone is free with the write that closes or expires the session.
pub fn gives_a_name_up_at_the_end(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, end) in [(1, Status::Closed), (2, Status::Expired)] {
        let text = end.as_str();
        let held = ended(leased(number, text, "reviewer"), Status::Failed);
        let mut holder = store.create(held).unwrap();
        let taker = named(number + 10, text);
        assert_refused!(&*store, |store| store.create(taker.clone()), StoreError::NameHeld { holder, .. } if *holder == id(number));
        holder.lifecycle.status = end;
        let left = store.update(holder, at(5)).unwrap();
        store.create(taker).unwrap();
        assert_eq!(store.get(id(number)).unwrap(), left, "the role stays on record");
    }
}

/// STORE-25: a holder by its lease alone gives the name up when its deadline has passed, and is recorded as expired.
pub fn expires_an_overdue_lease(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut holder = ended(leased(1, "name", "reviewer"), Status::Completed);
    holder.lifecycle.expiry = Expiry::At(at(10));
    let holder = store.create(holder).unwrap();
    let mut taker = named(2, "name");
    taker.lifecycle.created_at = at(10);
    assert_refused!(&*store, |store| store.create(taker.clone()), StoreError::NameHeld { .. });
    taker.lifecycle.created_at = at(11);
    store.create(taker).unwrap();

    let mut expired = ended(holder, Status::Expired);
    expired.lifecycle.ended_at = Some(at(10));
    expired.lifecycle.updated_at = at(11);
    expired.lifecycle.revision = Revision(2);
    assert_eq!(store.get(id(1)).unwrap(), expired);
}

/// STORE-13: a session that has ended takes its name anew when it gets a role.
pub fn takes_the_name_with_a_role(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let first = store.create(with_status(1, "name", Status::Completed)).unwrap();
    store.create(named(2, "name")).unwrap();
    let mut working = first.clone();
    working.lease = Some(Lease { role: Some(role("reviewer")), ..Lease::default() });
    assert_refused!(&*store, |store| store.update(working.clone(), at(1)), StoreError::NameHeld { holder, .. } if *holder == id(2));
    store.remove(id(2), &observer(2)).unwrap();
    store.update(working, at(3)).unwrap();
    assert_refused!(&*store, |store| store.create(named(3, "name")), StoreError::NameHeld { holder, .. } if *holder == id(1));
}

/// STORE-23: under a role, a name has to keep the rules of roles.
pub fn refuses_a_name_that_no_role_may_have(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for text in ["Name", "a_b", "a--b", "a-", "abcdefghijklmnopqrstuvwxyz0123456789"] {
        assert_refused!(&*store, |store| store.create(leased(1, text, "reviewer")), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    let mut bound = named(1, "A_b");
    bound.lease = Some(Lease { binding: Some(Binding::default()), ..Lease::default() });
    let mut changed = store.create(bound).unwrap();
    changed.lease.as_mut().unwrap().role = Some(role("reviewer"));
    assert_refused!(&*store, |store| store.update(changed, at(1)), StoreError::Invalid { id: found, .. } if *found == id(1));
    // A role that was given back is still there to be read.
    let mut back = leased(3, "A_c", "reviewer");
    back.lease.as_mut().unwrap().ended_at = Some(at(1));
    assert_refused!(&*store, |store| store.create(back), StoreError::Invalid { id: found, .. } if *found == id(3));
    let mut nameless = bare(2);
    nameless.lease = Some(Lease { role: Some(role("reviewer")), ..Lease::default() });
    store.create(nameless).unwrap();
}

fn bind(store: &dyn SessionStore, number: u32, work: Option<&str>, to: Option<[&str; 3]>) {
    let mut session = bare(number);
    let binding = to.map(|[chat, agent, project]| Binding {
        chat: chat.to_owned(),
        agent: agent.to_owned(),
        project: project.to_owned(),
        ..Binding::default()
    });
    session.lease = Some(Lease { role: work.map(role), binding, ..Lease::default() });
    store.create(session).unwrap();
}

/// STORE-14: roles and each part of a binding are compared byte by byte; what is absent is the empty text, and
/// a session without a binding has none.
pub fn is_found_by_its_parts(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    bind(&*store, 1, Some("reviewer"), None);
    bind(&*store, 2, Some("reviewer"), Some(["c", "a", "p"]));
    bind(&*store, 3, None, Some(["c", "A", ""]));
    bind(&*store, 4, Some("review"), Some(["c%", "a", "p"]));
    bind(&*store, 5, None, Some(["", "", "p"]));
    store.create(bare(6)).unwrap();
    let all = query(observer(0), Scope::All, Sort::Created);
    let asked =
        |work: Option<&str>, chat: Option<&str>, agent: Option<&str>, project: Option<&str>| {
            let mut query = all.clone();
            query.role = work.map(role);
            (query.chat, query.agent) = (chat.map(str::to_owned), agent.map(str::to_owned));
            query.project = project.map(str::to_owned);
            listed(&*store, &query)
        };
    assert_eq!(asked(Some("reviewer"), None, None, None), [2, 1]);
    assert_eq!(asked(Some("review"), None, None, None), [4]);
    assert_eq!(asked(None, Some("c"), None, None), [3, 2]);
    assert_eq!(asked(None, Some(""), None, None), [5]);
    assert_eq!(asked(None, None, Some("a"), None), [4, 2]);
    assert_eq!(asked(None, None, None, Some("")), [3]);
    assert_eq!(asked(None, Some("c"), Some("A"), Some("")), [3]);
    assert_eq!(asked(Some("reviewer"), Some("c"), Some("a"), Some("p")), [2]);
    assert_eq!(asked(Some("reviewer"), Some("c"), Some("a"), Some("q")), [0; 0]);
    // A session with a lease is not empty, so that it is current.
    let mut current = query(observer(0), Scope::Current, Sort::Created);
    current.project = Some("p".to_owned());
    assert_eq!(listed(&*store, &current), [5, 4, 2]);
}
