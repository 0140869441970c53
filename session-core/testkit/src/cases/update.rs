//! `update`: what a writer may change, and what stops it.

use std::time::Duration;

use session_core::{
    Expiry, Revision, Session, SessionStore, Status, StoreError, Timestamp, TransitionError,
};

use crate::StoreFixture;
use crate::probe::{assert_refused, is_named};
use crate::samples::{
    HOST, at, bare, full, id, launched, name, named, observer, running, strays, until, with_status,
};

fn renamed(store: &dyn SessionStore, number: u32, text: &str) -> Session {
    let mut session = store.get(id(number)).unwrap();
    session.identity.name = Some(name(text));
    session
}

fn to_status(store: &dyn SessionStore, number: u32, status: Status) -> Session {
    let mut session = store.get(id(number)).unwrap();
    session.lifecycle.status = status;
    session
}

/// STORE-09: revision and time of the last change are the store's, everything else is as given.
pub fn replaces_everything(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "before")).unwrap();
    let mut changed = full(1);
    changed.lifecycle.updated_at = at(-77);
    let stored = store.update(changed.clone(), at(50)).unwrap();
    changed.lifecycle.revision = Revision(2);
    changed.lifecycle.updated_at = at(50);
    assert_eq!(stored, changed);
    assert_eq!(store.get(id(1)).unwrap(), changed);
}

/// STORE-09: what is absent in the new state is absent afterwards.
pub fn takes_parts_away(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(full(1)).unwrap();
    let mut changed = bare(1);
    changed.lifecycle.status = Status::Running;
    changed.identity.title = None;
    let stored = store.update(changed.clone(), at(1)).unwrap();
    changed.lifecycle.revision = Revision(2);
    changed.lifecycle.updated_at = at(1);
    assert_eq!(stored, changed);
    assert_eq!(store.get(id(1)).unwrap(), changed);
}

/// STORE-09: each write counts, also one that changes nothing.
pub fn counts_every_write(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = store.create(named(1, "same")).unwrap();
    for revision in 2..6 {
        session = store.update(session, at(1)).unwrap();
        assert_eq!(session.lifecycle.revision, Revision(revision));
        assert_eq!(store.get(id(1)).unwrap(), session);
    }
}

/// STORE-09: the time of a write is what the writer says, also when clocks go back.
pub fn follows_a_clock_that_goes_back(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = store.create(bare(1)).unwrap();
    for time in [at(100), at(-100), Timestamp::from_millis(-1), Timestamp::from_millis(i64::MAX)] {
        session = store.update(session, time).unwrap();
        assert_eq!(store.get(id(1)).unwrap().lifecycle.updated_at, time);
    }
}

/// STORE-10: another revision than the stored one is refused, older or newer, and both are told.
pub fn refuses_another_revision(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let first = store.create(named(1, "one")).unwrap();
    let second = store.update(first.clone(), at(1)).unwrap();
    for wrong in [0, 1, 3, u64::MAX] {
        let mut stale = second.clone();
        stale.lifecycle.revision = Revision(wrong);
        stale.identity.title = Some("lost".to_owned());
        assert_refused!(
            &*store,
            |store| store.update(stale, at(2)),
            StoreError::Conflict { id: found, expected, found: Revision(2) }
                if *found == id(1) && *expected == Revision(wrong)
        );
    }
    store.update(second, at(2)).unwrap();
}

/// STORE-11: every change of status is allowed or refused as the table of statuses says.
pub fn follows_the_table_of_statuses(fixture: &dyn StoreFixture) {
    use Status::{Closed, Completed, Expired, Failed, Pending, Running};
    let legal: [(Status, &[Status]); 6] = [
        (Pending, &[Pending, Running, Completed, Failed, Closed, Expired]),
        (Running, &[Running, Completed, Failed, Closed, Expired]),
        (Completed, &[Running, Completed, Closed, Expired]),
        (Failed, &[Running, Failed, Closed, Expired]),
        (Closed, &[Closed]),
        (Expired, &[Expired]),
    ];
    let store = fixture.open();
    let pairs = legal.iter().flat_map(|row| Status::ALL.map(|to| (row, to)));
    for (number, ((from, allowed), to)) in (0..).zip(pairs) {
        store.create(with_status(number, &format!("n-{number}"), *from)).unwrap();
        let changed = to_status(&*store, number, to);
        if allowed.contains(&to) {
            store.update(changed, at(1)).unwrap();
            assert_eq!(store.get(id(number)).unwrap().status(), to, "{from} to {to}");
        } else {
            let refusal = TransitionError { from: *from, to };
            assert_refused!(&*store, |store| store.update(changed, at(1)), StoreError::Transition { source, .. } if *source == refusal);
        }
    }
}

/// STORE-12: an unknown id is `NotFound`.
pub fn refuses_an_unknown_id(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    assert_refused!(&*store, |store| store.update(bare(2), at(1)), StoreError::NotFound { selector } if *selector == id(2).to_string());
}

/// STORE-12: what is in the trash cannot be changed.
pub fn refuses_what_is_in_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "one")).unwrap();
    let removed = store.remove(id(1), &observer(1)).unwrap();
    let mut restored = removed.clone();
    restored.lifecycle.trashed_at = None;
    for changed in [removed, restored] {
        assert_refused!(&*store, |store| store.update(changed, at(2)), StoreError::Trashed { id: found } if *found == id(1));
    }
}

/// STORE-12: the time of creation never changes.
pub fn refuses_another_creation_time(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut changed = store.create(bare(1)).unwrap();
    changed.lifecycle.created_at = at(1);
    assert_refused!(
        &*store,
        |store| store.update(changed, at(2)),
        StoreError::Immutable { id: found, field: "created_at" } if *found == id(1)
    );
}

/// STORE-12: only `remove` moves a session to the trash.
pub fn refuses_to_fill_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut changed = store.create(bare(1)).unwrap();
    changed.lifecycle.trashed_at = Some(at(1));
    assert_refused!(
        &*store,
        |store| store.update(changed, at(2)),
        StoreError::Immutable { field: "trashed_at", .. }
    );
}

/// STORE-13: a name that another session holds cannot be taken by renaming.
pub fn refuses_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "held")).unwrap();
    store.create(named(2, "mine")).unwrap();
    store.create(bare(3)).unwrap();
    for number in [2, 3] {
        let changed = renamed(&*store, number, "held");
        assert_refused!(
            &*store,
            |store| store.update(changed, at(1)),
            StoreError::NameHeld { name: held, holder } if *held == name("held") && *holder == id(1)
        );
    }
    // One that has ended takes nothing by a name.
    store.create(with_status(4, "past", Status::Completed)).unwrap();
    store.update(renamed(&*store, 4, "held"), at(1)).unwrap();
}

/// STORE-13: a session cannot run again under a name that another one holds by now.
pub fn refuses_to_run_under_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, status) in [(1, Status::Completed), (2, Status::Failed)] {
        store.create(with_status(number, "build", status)).unwrap();
    }
    store.create(named(3, "build")).unwrap();
    for number in [1, 2] {
        let again = to_status(&*store, number, Status::Running);
        assert_refused!(&*store, |store| store.update(again, at(1)), StoreError::NameHeld { holder, .. } if *holder == id(3));
    }
    store.update(to_status(&*store, 3, Status::Closed), at(2)).unwrap();
    store.update(to_status(&*store, 1, Status::Running), at(3)).unwrap();
    let again = to_status(&*store, 2, Status::Running);
    assert_refused!(&*store, |store| store.update(again, at(4)), StoreError::NameHeld { holder, .. } if *holder == id(1));
}

/// STORE-13: taking the name of a holder past its deadline records the expiry of the holder.
pub fn expires_an_overdue_holder(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(until(1, "lease", 10)).unwrap();
    store.create(named(2, "mine")).unwrap();
    let early = renamed(&*store, 2, "lease");
    assert_refused!(&*store, |store| store.update(early, at(10)), StoreError::NameHeld { .. });
    store.update(renamed(&*store, 2, "lease"), at(11)).unwrap();

    let mut expired = until(1, "lease", 10);
    expired.lifecycle.status = Status::Expired;
    expired.lifecycle.ended_at = Some(at(10));
    expired.lifecycle.updated_at = at(11);
    expired.lifecycle.revision = Revision(2);
    assert_eq!(store.get(id(1)).unwrap(), expired);
    assert_eq!(store.get(id(2)).unwrap().name(), Some(&name("lease")));
}

/// STORE-13: an update that is refused for another reason expires nobody.
pub fn expires_nobody_when_it_refuses(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(until(1, "lease", 10)).unwrap();
    store.create(with_status(2, "mine", Status::Running)).unwrap();
    let mut illegal = renamed(&*store, 2, "lease");
    illegal.lifecycle.status = Status::Pending;
    assert_refused!(&*store, |store| store.update(illegal, at(20)), StoreError::Transition { .. });
    let mut stale = renamed(&*store, 2, "lease");
    stale.lifecycle.revision = Revision(9);
    assert_refused!(&*store, |store| store.update(stale, at(20)), StoreError::Conflict { .. });
}

/// STORE-13: a session keeps the name that it holds, past its deadline too as long as nobody took it.
pub fn keeps_its_own_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(until(1, "lease", 10)).unwrap();
    store.update(to_status(&*store, 1, Status::Running), at(5)).unwrap();
    let mut extended = store.get(id(1)).unwrap();
    extended.lifecycle.expiry = Expiry::At(at(100));
    store.update(extended, at(20)).unwrap();
    assert_refused!(&*store, |store| store.create(named(2, "lease")), StoreError::NameHeld { holder, .. } if *holder == id(1));
}

/// STORE-13: renaming, ending and losing the name all give it up.
pub fn gives_a_name_up(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..4 {
        store.create(named(number, &format!("n-{number}"))).unwrap();
    }
    store.update(renamed(&*store, 1, "elsewhere"), at(1)).unwrap();
    store.update(to_status(&*store, 2, Status::Failed), at(1)).unwrap();
    let mut nameless = store.get(id(3)).unwrap();
    nameless.identity.name = None;
    store.update(nameless, at(1)).unwrap();
    for number in 1..4 {
        let mut taker = running(number + 10, Some(HOST));
        taker.identity.name = Some(name(&format!("n-{number}")));
        store.create(taker).unwrap();
    }
}

/// STORE-23: a launch part without a program, and a session that becomes its own parent, are refused.
pub fn refuses_what_could_not_be_read_back(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let stored = store.create(launched(1)).unwrap();
    let mut idle = stored.clone();
    idle.launch.as_mut().unwrap().argv.clear();
    let mut own = stored;
    own.identity.parent = Some(id(1));
    for changed in [idle, own] {
        assert_refused!(&*store, |store| store.update(changed, at(1)), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
}

/// STORE-23: a change that puts a member that its object knows among the unknown ones is refused, and the member named.
pub fn refuses_stray_members(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(full(1)).unwrap();
    for (changed, member) in strays(1) {
        assert_refused!(&*store, |store| store.update(changed, at(1)), StoreError::Invalid { id: found, reason } if *found == id(1) && is_named(member, reason));
    }
}

/// STORE-23: an idle time is cut to whole milliseconds, in what is returned and in what is stored.
pub fn keeps_deadlines_in_milliseconds(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut changed = store.create(bare(1)).unwrap();
    changed.lifecycle.expiry = Expiry::Idle(Duration::MAX);
    let stored = store.update(changed, at(1)).unwrap();
    assert_eq!(stored.lifecycle.expiry, Expiry::Idle(Duration::from_millis(u64::MAX)));
    assert_eq!(store.get(id(1)).unwrap(), stored);
}

/// STORE-13: a session that is past its own deadline takes no held name, so no later change makes two holders.
pub fn refuses_a_held_name_past_its_own_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "held")).unwrap();
    store.create(until(2, "lease", 10)).unwrap();
    let changed = renamed(&*store, 2, "held");
    assert_refused!(&*store, |store| store.update(changed, at(20)), StoreError::NameHeld { holder, .. } if *holder == id(1));
}
