//! `create`: what is stored, and who gets a name.

use std::time::Duration;

use session_core::{Expiry, ProcessState, Revision, Status, StoreError};

use crate::StoreFixture;
use crate::probe::{assert_refused, is_named};
use crate::samples::{
    HOST, at, bare, from_the_future, full, id, launched, name, named, observer, raw, running,
    strays, unknown, until, with_status,
};

/// STORE-01: what was created is what `get` returns.
pub fn is_what_get_returns(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let given = full(1);
    let stored = store.create(given.clone()).unwrap();
    assert_eq!(stored, given);
    assert_eq!(store.get(id(1)).unwrap(), given);
}

/// STORE-01: the store sets the revision and the time of the last change, whatever was given.
pub fn sets_revision_and_time_itself(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut given = bare(1);
    given.lifecycle.revision = Revision(7);
    given.lifecycle.updated_at = at(99);
    let stored = store.create(given).unwrap();
    assert_eq!(stored, bare(1));
    assert_eq!(stored.lifecycle.revision, Revision(1));
    assert_eq!(store.get(id(1)).unwrap(), bare(1));
}

/// STORE-01: a cost of null is told from none.
pub fn keeps_a_cost_of_null(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, cost) in [(1, Some(raw("null"))), (2, None)] {
        let mut given = full(number);
        given.conversation.as_mut().unwrap().cost = cost;
        assert_eq!(store.create(given.clone()).unwrap(), given);
        assert_eq!(fixture.open().get(id(number)).unwrap(), given);
    }
}

/// STORE-01: a session without any part stays one.
pub fn keeps_the_smallest_session(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(0)).unwrap();
    assert_eq!(store.get(id(0)).unwrap(), bare(0));
}

/// STORE-02: a stored id is refused, under another name too.
pub fn refuses_a_stored_id(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "one")).unwrap();
    assert_refused!(&*store, |store| store.create(named(1, "other")), StoreError::IdExists { id: found } if *found == id(1));
    assert_refused!(&*store, |store| store.create(named(1, "one")), StoreError::IdExists { .. });
}

/// STORE-02: an id in the trash is refused.
pub fn refuses_an_id_in_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "one")).unwrap();
    store.remove(id(1), &observer(1)).unwrap();
    assert_refused!(&*store, |store| store.create(bare(1)), StoreError::IdExists { id: found } if *found == id(1));
}

/// STORE-03: a name that a pending or running session holds is refused, and the holder named.
pub fn refuses_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in [(1, Status::Pending), (2, Status::Running)] {
        let text = status.as_str();
        store.create(with_status(number, text, status)).unwrap();
        assert_refused!(
            &*store,
            |store| store.create(named(9, text)),
            StoreError::NameHeld { name: held, holder }
                if *held == name(text) && *holder == id(number)
        );
    }
}

/// STORE-03: a deadline has passed only after it, not at it.
pub fn holds_a_name_at_its_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(until(1, "lease", 10)).unwrap();
    let mut taker = named(2, "lease");
    taker.lifecycle.created_at = at(10);
    assert_refused!(&*store, |store| store.create(taker), StoreError::NameHeld { .. });
}

/// STORE-03: a session with a running program holds its name past its deadline, whoever hosts the program.
pub fn holds_a_name_while_a_program_runs(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, host) in [(1, Some(HOST)), (2, Some("gone")), (3, None)] {
        let text = format!("runs-{number}");
        let mut holder = running(number, host);
        holder.identity.name = Some(name(&text));
        holder.lifecycle.expiry = Expiry::At(at(10));
        store.create(holder).unwrap();
        let mut taker = named(9, &text);
        taker.lifecycle.created_at = at(20);
        assert_refused!(&*store, |store| store.create(taker), StoreError::NameHeld { holder, .. } if *holder == id(number));
    }
}

/// STORE-03: names are compared byte by byte.
pub fn tells_names_apart_by_every_byte(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let texts = ["build", "Build", "BUILD", "build-", "build_", "buil", "buildx", "b-uild"];
    for (number, text) in (1..).zip(texts) {
        store.create(named(number, text)).unwrap();
    }
    assert_refused!(&*store, |store| store.create(named(9, "Build")), StoreError::NameHeld { holder, .. } if *holder == id(2));
}

/// STORE-03: sessions without a name are in nobody's way.
pub fn lets_the_nameless_be(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..4 {
        store.create(launched(number)).unwrap();
    }
    assert_eq!(store.get(id(3)).unwrap(), launched(3));
}

/// STORE-04: a holder past its deadline is recorded as expired, at its deadline, and gives the name up.
pub fn expires_an_overdue_holder(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let holder = store.create(until(1, "lease", 10)).unwrap();
    let mut taker = named(2, "lease");
    taker.lifecycle.created_at = at(11);
    taker.lifecycle.updated_at = at(11);
    store.create(taker.clone()).unwrap();

    let mut expired = holder;
    expired.lifecycle.status = Status::Expired;
    expired.lifecycle.ended_at = Some(at(10));
    expired.lifecycle.updated_at = at(11);
    expired.lifecycle.revision = Revision(2);
    assert_eq!(store.get(id(1)).unwrap(), expired);
    assert_eq!(store.get(id(2)).unwrap(), taker);
}

/// STORE-04: the same for a holder that was idle for too long, its program having ended.
pub fn expires_an_idle_holder(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut holder = running(1, Some(HOST));
    holder.identity.name = Some(name("lease"));
    holder.lifecycle.last_active_at = at(5);
    holder.lifecycle.expiry = Expiry::Idle(Duration::from_secs(10));
    if let Some(process) = &mut holder.process {
        process.state = ProcessState::Lost;
    }
    store.create(holder).unwrap();
    let mut taker = named(2, "lease");
    taker.lifecycle.created_at = at(15);
    assert_refused!(&*store, |store| store.create(taker.clone()), StoreError::NameHeld { .. });
    taker.lifecycle.created_at = at(16);
    store.create(taker).unwrap();
    let expired = store.get(id(1)).unwrap();
    assert_eq!(expired.status(), Status::Expired);
    assert_eq!(expired.lifecycle.ended_at, Some(at(15)));
}

/// STORE-04: the expiry is recorded in the same transaction: a creation that is refused for its id expires nobody.
pub fn expires_nobody_when_it_refuses(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(until(1, "lease", 10)).unwrap();
    store.create(named(2, "other")).unwrap();
    let mut taker = named(2, "lease");
    taker.lifecycle.created_at = at(20);
    assert_refused!(&*store, |store| store.create(taker), StoreError::IdExists { .. });
}

/// STORE-05: the name of a session that has ended can be taken, and the session stays as it is.
pub fn takes_a_released_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in
        [(1, Status::Completed), (2, Status::Failed), (3, Status::Closed), (4, Status::Expired)]
    {
        let text = status.as_str();
        let before = store.create(with_status(number, text, status)).unwrap();
        let taker = store.create(named(number + 10, text)).unwrap();
        assert_eq!(store.get(id(number)).unwrap(), before);
        assert_eq!(store.get(id(number + 10)).unwrap(), taker);
    }
}

/// STORE-05: a session that has ended when it is created takes no name from its holder.
pub fn keeps_history_under_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let holder = store.create(named(1, "build")).unwrap();
    let ended = store.create(with_status(2, "build", Status::Completed)).unwrap();
    assert_eq!(store.get(id(1)).unwrap(), holder);
    assert_eq!(store.get(id(2)).unwrap(), ended);
    assert_refused!(&*store, |store| store.create(named(3, "build")), StoreError::NameHeld { holder, .. } if *holder == id(1));
}

/// STORE-23: a launch part without a program, and a session that is its own parent, are refused.
pub fn refuses_what_could_not_be_read_back(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut idle = launched(1);
    idle.launch.as_mut().unwrap().argv.clear();
    let mut own = bare(1);
    own.identity.parent = Some(id(1));
    for session in [idle, own] {
        assert_refused!(&*store, |store| store.create(session), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
}

/// STORE-23: a session with a member that its object knows among the unknown ones is refused, at every level, and the
/// member named.
pub fn refuses_stray_members(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (session, member) in strays(1) {
        assert_refused!(&*store, |store| store.create(session), StoreError::Invalid { id: found, reason } if *found == id(1) && is_named(member, reason));
    }
    let mut future = from_the_future(1);
    future.unknown = unknown(r#"{"argv":["x"],"Status":"y","records":1,"lease.role":"z"}"#);
    assert_eq!(store.create(future.clone()).unwrap(), future, "these belong nowhere here");
}

/// STORE-23: an idle time is cut to whole milliseconds, in what is returned and in what is stored.
pub fn keeps_deadlines_in_milliseconds(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = bare(1);
    session.lifecycle.expiry = Expiry::Idle(Duration::from_micros(1999));
    let stored = store.create(session).unwrap();
    assert_eq!(stored.lifecycle.expiry, Expiry::Idle(Duration::from_millis(1)));
    assert_eq!(store.get(id(1)).unwrap(), stored);
}

/// STORE-23: only a removal puts a session into the trash.
pub fn refuses_a_session_in_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut trashed = named(1, "gone");
    trashed.lifecycle.trashed_at = Some(at(5));
    assert_refused!(&*store, |store| store.create(trashed), StoreError::Invalid { id: found, .. } if *found == id(1));
}

/// STORE-03: a session that is past its own deadline from the start takes no held name either.
pub fn refuses_a_held_name_past_its_own_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "held")).unwrap();
    let mut overdue = until(2, "held", 10);
    overdue.lifecycle.created_at = at(20);
    assert_refused!(&*store, |store| store.create(overdue), StoreError::NameHeld { holder, .. } if *holder == id(1));
}
