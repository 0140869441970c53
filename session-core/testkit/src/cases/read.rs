//! `get`, `named` and `matching`: what is found and in which order.

use session_core::{IdFragment, Selector, SessionId, Status, StoreError};

use crate::StoreFixture;
use crate::probe::{assert_refused, numbers};
use crate::samples::{at, bare, id, name, named, observer, with_status};

fn fragment(text: &str) -> IdFragment {
    Selector::parse(text).unwrap().as_fragment().unwrap()
}

/// STORE-06: an unknown id is `NotFound`, which says what was looked for.
pub fn refuses_an_unknown_id(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    assert_refused!(&*store, |store| store.get(id(2)), StoreError::NotFound { selector } if *selector == id(2).to_string());
}

/// STORE-06: a session in the trash is returned.
pub fn gets_from_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "gone")).unwrap();
    let removed = store.remove(id(1), &observer(4)).unwrap();
    assert_eq!(removed.lifecycle.trashed_at, Some(at(4)));
    assert_eq!(store.get(id(1)).unwrap(), removed);
}

/// STORE-07: all sessions of a name outside the trash, the last created first, then the larger id.
pub fn finds_all_of_a_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, created) in [(1, 30), (2, 10), (3, 30), (4, 20), (5, 40)] {
        let mut session = with_status(number, "build", Status::Completed);
        session.lifecycle.created_at = at(created);
        store.create(session).unwrap();
    }
    store.create(named(6, "build")).unwrap();
    store.create(named(7, "other")).unwrap();
    store.create(bare(8)).unwrap();
    store.remove(id(5), &observer(50)).unwrap();
    let found = store.named(&name("build")).unwrap();
    assert_eq!(numbers(&found), [3, 1, 4, 2, 6]);
    assert_eq!(found[0], store.get(id(3)).unwrap());
    assert_eq!(store.named(&name("nobody")).unwrap(), []);
}

/// STORE-07: names are compared byte by byte.
pub fn finds_a_name_by_every_byte(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, text) in (1..).zip(["a_b", "A_b", "a-b", "aXb", "a_b_", "a"]) {
        store.create(named(number, text)).unwrap();
    }
    assert_eq!(numbers(&store.named(&name("a_b")).unwrap()), [1]);
    assert_eq!(numbers(&store.named(&name("A_b")).unwrap()), [2]);
}

/// STORE-07: a renamed session is found under its present name only.
pub fn forgets_a_former_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = store.create(named(1, "before")).unwrap();
    session.identity.name = Some(name("after"));
    store.update(session, at(1)).unwrap();
    assert_eq!(store.named(&name("before")).unwrap(), []);
    assert_eq!(numbers(&store.named(&name("after")).unwrap()), [1]);
}

/// STORE-08: an id is found by its first and by its last characters, in either case, and not by its middle.
pub fn matches_both_ends_of_an_id(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for text in
        ["01ABCDEFGH0000000000XYZ123", "7ZXYZ123AAAAAAAAAAABCDEFGH", "00000000ABCDEFGH0000000001"]
    {
        store.create(session_core::Session::new(SessionId::parse(text).unwrap(), at(0))).unwrap();
    }
    let found = |text: &str| -> Vec<String> {
        let found = store.matching(&fragment(text)).unwrap();
        found.iter().map(|session| session.id().to_string()[..3].to_owned()).collect()
    };
    assert_eq!(found("01ABCD"), ["01A"]);
    assert_eq!(found("xyz123"), ["01A"]);
    assert_eq!(found("abcdefgh"), ["7ZX"]);
    assert_eq!(found("7zxyz1"), ["7ZX"]);
    assert_eq!(found("01ABCDEFGH0000000000XYZ123"), ["01A"]);
    assert_eq!(found("999999"), [""; 0]);
}

/// STORE-08: at most ten, the last created first.
pub fn matches_ten_at_most(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 0..12 {
        let mut session = bare(number);
        session.lifecycle.created_at = at(i64::from(number % 2));
        store.create(session).unwrap();
    }
    let found = store.matching(&fragment(&id(0).to_string()[..10])).unwrap();
    assert_eq!(numbers(&found), [11, 9, 7, 5, 3, 1, 10, 8, 6, 4]);
}

/// STORE-08: what is in the trash is not found, and does not count among the ten.
pub fn matches_nothing_in_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 0..12 {
        store.create(bare(number)).unwrap();
    }
    for number in [11, 5] {
        store.remove(id(number), &observer(1)).unwrap();
    }
    let found = store.matching(&fragment(&id(0).to_string()[..10])).unwrap();
    assert_eq!(numbers(&found), [10, 9, 8, 7, 6, 4, 3, 2, 1, 0]);
    assert_eq!(store.matching(&fragment(&id(11).to_string())).unwrap(), []);
}
