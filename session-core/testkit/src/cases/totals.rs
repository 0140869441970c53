//! Totals of histories: the store counts them, and nobody else.

use session_core::record::Tokens;
use session_core::{Conversation, MicroUsd, Totals};

use crate::StoreFixture;
use crate::probe::append;
use crate::samples::{at, bare, full, id, noted, said, spent};

fn made_up() -> Totals {
    Totals {
        records: 99,
        messages: 98,
        tokens: Tokens { input: Some(1), ..Tokens::default() },
        cost_micros: Some(MicroUsd(5)),
        ..Totals::default()
    }
}

/// STORE-24: a new session has no totals, whatever was given.
pub fn begin_at_nothing(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut given = full(1);
    given.conversation.as_mut().unwrap().totals = made_up();
    assert_eq!(store.create(given).unwrap(), full(1));
    assert_eq!(store.get(id(1)).unwrap(), full(1));
    append(&*store, 1, &[noted(1, "one")], 1);
    assert_eq!(store.get(id(1)).unwrap().totals(), Totals { records: 1, ..Totals::default() });
}

/// STORE-24: an update keeps them, whatever was given, and takes everything else.
pub fn are_kept_by_an_update(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    append(&*store, 1, &[said(1, "one"), spent(2, Some(3), None, Some(4))], 1);
    let before = store.get(id(1)).unwrap();
    let kept = before.totals();
    assert_eq!((kept.records, kept.messages), (2, 1));
    for totals in [made_up(), Totals::default(), kept.clone()] {
        let mut changed = store.get(id(1)).unwrap();
        let model = Some(totals.records.to_string());
        changed.conversation =
            Some(Conversation { model: model.clone(), totals, ..Conversation::default() });
        let stored = store.update(changed, at(2)).unwrap();
        assert_eq!(stored.totals(), kept);
        assert_eq!(stored.conversation.as_ref().unwrap().model, model);
        assert_eq!(store.get(id(1)).unwrap(), stored);
    }
}

/// STORE-24: a conversation part that is taken away leaves the totals there.
pub fn outlive_the_conversation(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(full(1)).unwrap();
    append(&*store, 1, &[said(1, "one")], 1);
    let mut changed = store.get(id(1)).unwrap();
    let totals = changed.totals();
    changed.conversation = None;
    let stored = store.update(changed, at(2)).unwrap();
    assert_eq!(stored.conversation, Some(Conversation { totals, ..Conversation::default() }));
    assert_eq!(store.get(id(1)).unwrap(), stored);
    append(&*store, 1, &[said(2, "two")], 3);
    assert_eq!(store.get(id(1)).unwrap().totals().messages, 2);
}

/// STORE-24: a session without a history gets none by an update.
pub fn appear_by_no_update(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut changed = store.create(bare(1)).unwrap();
    changed.conversation = Some(Conversation { totals: made_up(), ..Conversation::default() });
    let stored = store.update(changed, at(1)).unwrap();
    assert_eq!(stored.conversation, Some(Conversation::default()));
    let mut changed = stored;
    changed.conversation = None;
    assert_eq!(store.update(changed, at(2)).unwrap().conversation, None);
    assert_eq!(store.get(id(1)).unwrap().conversation, None);
}
