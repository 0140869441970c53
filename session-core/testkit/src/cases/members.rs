//! Members that this version does not know: kept byte for byte, whatever happens to the session.

use session_core::{Observer, Session, SessionStore};

use crate::StoreFixture;
use crate::samples::{at, from_the_future, id, json, name, named, observer};

/// Checks that a session has the unknown members of [`from_the_future`], by comparing the text of everything but
/// what the store and this test may have changed.
fn assert_kept(mut found: Session, edit: impl FnOnce(&mut Session)) {
    let mut expected = from_the_future(1);
    edit(&mut expected);
    expected.lifecycle.revision = found.lifecycle.revision;
    expected.lifecycle.updated_at = found.lifecycle.updated_at;
    assert_eq!(json(&found), json(&expected));
    found.unknown = session_core::Unknown::default();
    assert!(json(&found).len() < json(&expected).len(), "the sample has members to lose");
}

fn stored(fixture: &dyn StoreFixture) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(from_the_future(1)).unwrap();
    store
}

/// STORE-01: unknown members are part of what was created.
pub fn survive_create(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let created = store.create(from_the_future(1)).unwrap();
    assert_eq!(json(&created), json(&from_the_future(1)));
    assert_kept(store.get(id(1)).unwrap(), |_| {});
    assert_kept(store.named(&name("future-1")).unwrap().remove(0), |_| {});
}

/// STORE-09: an update of something else keeps them.
pub fn survive_update(fixture: &dyn StoreFixture) {
    let store = stored(fixture);
    let mut changed = store.get(id(1)).unwrap();
    changed.identity.title = Some("new".to_owned());
    assert_kept(store.update(changed, at(1)).unwrap(), |it| {
        it.identity.title = Some("new".to_owned());
    });
    assert_kept(store.get(id(1)).unwrap(), |it| it.identity.title = Some("new".to_owned()));
}

fn nobody(seconds: i64) -> Observer {
    Observer { now: at(seconds), live_host: None }
}

fn as_lost(session: &mut Session) {
    *session = session.observed_by(&nobody(0)).into_owned();
}

/// STORE-17: the trash keeps them.
pub fn survive_removal(fixture: &dyn StoreFixture) {
    let store = stored(fixture);
    store.remove(id(1), &nobody(3)).unwrap();
    assert_kept(store.get(id(1)).unwrap(), |session| {
        as_lost(session);
        session.lifecycle.trashed_at = Some(at(3));
    });
}

/// STORE-19: a sweep keeps them.
pub fn survive_sweep(fixture: &dyn StoreFixture) {
    let store = stored(fixture);
    assert_eq!(store.sweep(&nobody(3)).unwrap().len(), 1);
    assert_kept(store.get(id(1)).unwrap(), as_lost);
}

/// STORE-04: losing the name to another session keeps them.
pub fn survive_expiry(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let overdue = |session: &mut Session| {
        as_lost(session);
        session.lifecycle.status = session_core::Status::Pending;
        session.lifecycle.expiry = session_core::Expiry::At(at(5));
    };
    let mut holder = from_the_future(1);
    overdue(&mut holder);
    store.create(holder).unwrap();
    let mut taker = named(2, "future-1");
    taker.lifecycle.created_at = at(9);
    store.create(taker).unwrap();
    assert_kept(store.get(id(1)).unwrap(), |session| {
        overdue(session);
        *session = session.observed_by(&observer(9)).into_owned();
    });
}

/// STORE-20: they are there byte for byte when the store is opened anew.
pub fn survive_reopening(fixture: &dyn StoreFixture) {
    stored(fixture).close().unwrap();
    for _ in 0..2 {
        let store = fixture.open();
        let session = store.get(id(1)).unwrap();
        assert_kept(session.clone(), |_| {});
        assert_kept(store.update(session, at(1)).unwrap(), |_| {});
        store.close().unwrap();
    }
}
