//! What a model is handed: the last checkpoint and what it does not cover.

use session_core::record::{Message, Summary};
use session_core::{Context, Role, Seq, SessionStore, SessionStoreExt, StoreError, Totals};

use crate::StoreFixture;
use crate::probe::{append, assert_refused, history, placed};
use crate::samples::{at, bare, by, checkpoint, event, id, noted, observer, said, spent};

fn with_session(fixture: &dyn StoreFixture) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store
}

fn user(text: &str) -> Message {
    Message::text(Role::User, text)
}

/// Checks the context: its checkpoint, its messages with their numbers, and that it goes through to the last record.
fn assert_context(store: &dyn SessionStore, checkpoint: Option<u64>, messages: &[(u64, Message)]) {
    let seq = |number| Seq::new(number).unwrap();
    let expected = Context {
        checkpoint: checkpoint.map(seq),
        through: Seq::new(store.get(id(1)).unwrap().totals().records),
        messages: messages.iter().map(|(number, it)| (seq(*number), it.clone())).collect(),
        damaged: Vec::new(),
    };
    assert_eq!(store.context(id(1)).unwrap(), expected);
}

/// STORE-40: without a checkpoint it is all messages, in order, and nothing else.
pub fn is_every_message(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    assert_context(&*store, None, &[]);
    let batch = [
        said(1, "one"),
        event(2, "tick"),
        by(3, Role::Assistant, "two"),
        noted(4, "aside"),
        spent(5, Some(1), None, None),
        by(6, Role::from("critic"), "three"),
    ];
    append(&*store, 1, &batch, 1);
    let messages = [
        (1, user("one")),
        (3, Message::text(Role::Assistant, "two")),
        (6, Message::text(Role::from("critic"), "three")),
    ];
    assert_context(&*store, None, &messages);
    store.remove(id(1), &observer(2)).unwrap();
    assert_context(&*store, None, &messages);
    assert_refused!(&*store, |store| store.context(id(2)), StoreError::NotFound { .. });
}

/// STORE-40: a checkpoint stands for what it covers; what was said between that and the checkpoint itself is there,
/// as is what came later.
pub fn begins_at_what_a_checkpoint_covers(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let summary = Summary::Text("so far".to_owned());
    let batch = [
        said(1, "covered"),
        said(2, "covered too"),
        said(3, "late"),
        checkpoint(4, summary, Some(2)),
        said(5, "after"),
    ];
    append(&*store, 1, &batch, 1);
    let so_far = Message::text(Role::System, "so far");
    assert_context(&*store, Some(4), &[(4, so_far), (3, user("late")), (5, user("after"))]);
    assert_eq!(history(&*store, 1).len(), 5, "the history is whole");
}

/// STORE-40: the messages of a checkpoint are handed on as they are; without any, the context begins anew.
pub fn hands_on_the_messages_of_a_checkpoint(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let kept = vec![user("kept"), Message::text(Role::Assistant, "kept too")];
    append(
        &*store,
        1,
        &[said(1, "old"), checkpoint(2, Summary::Messages(kept.clone()), Some(1))],
        1,
    );
    let kept: Vec<_> = kept.into_iter().map(|message| (2, message)).collect();
    assert_context(&*store, Some(2), &kept);
    append(&*store, 1, &[checkpoint(3, Summary::Messages(Vec::new()), Some(2)), said(4, "new")], 2);
    assert_context(&*store, Some(3), &[(4, user("new"))]);
}

/// STORE-40: of several checkpoints the last one counts, wherever it begins; one that covers nothing is followed by
/// every message.
pub fn follows_the_last_checkpoint(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let text = |text: &str| Summary::Text(text.to_owned());
    let batch = [
        said(1, "one"),
        said(2, "two"),
        checkpoint(3, text("first"), Some(2)),
        said(4, "three"),
        checkpoint(5, text("second"), Some(1)),
    ];
    append(&*store, 1, &batch, 1);
    let second = Message::text(Role::System, "second");
    assert_context(&*store, Some(5), &[(5, second), (2, user("two")), (4, user("three"))]);
    append(&*store, 1, &[checkpoint(6, text("third"), None)], 2);
    let third = Message::text(Role::System, "third");
    let later = [(6, third), (1, user("one")), (2, user("two")), (4, user("three"))];
    assert_context(&*store, Some(6), &later);
}

/// STORE-56: a checkpoint that covers its own number, or one that no record has yet, is `Invalid`, and hides nothing that
/// is said later; one that covers all before it is taken.
pub fn refuses_to_cover_what_is_not_there(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let text = || Summary::Text("so far".to_owned());
    for covers in [1, 2, u64::MAX] {
        assert_refused!(&*store, |store| store.append(id(1), &[checkpoint(1, text(), Some(covers))], at(1)), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    append(&*store, 1, &[said(1, "one")], 1);
    for covers in [3, 4, u64::MAX] {
        let batch = [said(2, "two"), checkpoint(3, text(), Some(covers)), said(4, "three")];
        assert_refused!(&*store, |store| store.append(id(1), &batch, at(2)), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    // What is there already takes no number, and is not looked at again.
    let batch = [said(1, "one"), said(2, "two"), checkpoint(3, text(), Some(2)), said(4, "three")];
    append(&*store, 1, &batch, 3);
    let again = checkpoint(3, text(), Some(9));
    assert_eq!(append(&*store, 1, &[again], 4).repeats, [0]);
    let so_far = Message::text(Role::System, "so far");
    assert_context(&*store, Some(3), &[(3, so_far), (4, user("three"))]);
}

/// STORE-56: what covers too much in another store is adopted as it is, and hides nothing either.
pub fn clamps_what_was_adopted(fixture: &dyn StoreFixture) {
    let text = || Summary::Text("so far".to_owned());
    for covers in [2, 3, u64::MAX] {
        let store = fixture.other();
        let mut session = bare(1);
        session.conversation.get_or_insert_default().totals =
            Totals { records: 3, messages: 2, last_checkpoint: Seq::new(2), ..Totals::default() };
        let records =
            placed(&[said(1, "one"), checkpoint(2, text(), Some(covers)), said(3, "two")]);
        store.adopt(session, &mut records.into_iter().map(Ok)).unwrap();
        append(&*store, 1, &[said(4, "three")], 5);
        let so_far = Message::text(Role::System, "so far");
        let messages = [(2, so_far), (3, user("two")), (4, user("three"))];
        assert_context(&*store, Some(2), &messages);
    }
}
