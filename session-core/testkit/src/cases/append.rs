//! `append`: what becomes part of a history, what it does to the session, and what is refused.

use std::time::Duration;

use session_core::record::{Block, Body, Event, Message, Summary, Tokens, ToolUse, Usage};
use session_core::{
    Appended, Entry, Expiry, MicroUsd, Revision, Role, Seq, Session, SessionStore, Status,
    StoreError, Timestamp, Totals, Unknown,
};

use crate::StoreFixture;
use crate::probe::{append, assert_refused, history, is_named, placed, seqs};
use crate::samples::{
    HOST, at, bare, by, checkpoint, entry_of, every_kind, full, id, launched, named, noted,
    observer, of_other_tools, raw, record_json, running, said, spent, stray, stray_entries,
    unheard_of, until, with_status,
};

fn with_session(fixture: &dyn StoreFixture) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store
}

/// Appends all of them in two batches, and checks that they are read back as they were, byte for byte in JSON, by
/// another handle and after opening anew too.
fn assert_kept(fixture: &dyn StoreFixture, entries: &[Entry]) {
    let store = with_session(fixture);
    let (first, second) = entries.split_at(entries.len() / 2);
    append(&*store, 1, first, 1);
    append(&*store, 1, second, 2);
    let expected = placed(entries);
    let check = |store: &dyn SessionStore| {
        let found = history(store, 1);
        assert_eq!(found, expected);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(record_json(found), record_json(expected));
        }
    };
    check(&*store);
    check(&*fixture.open());
    store.close().unwrap();
    drop(store);
    check(&*fixture.open());
}

/// STORE-33: entries get the next numbers in the order given, batch after batch, each session from 1 on.
pub fn numbers_in_the_order_given(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    store.create(named(2, "two")).unwrap();
    assert_eq!(append(&*store, 1, &[said(9, "a"), said(3, "b")], 1).seqs, seqs([1, 2]));
    assert_eq!(append(&*store, 2, &[said(3, "x")], 1).seqs, seqs([1]));
    assert_eq!(append(&*store, 1, &[said(5, "c")], 0).seqs, seqs([3]));
    assert_eq!(history(&*store, 1), placed(&[said(9, "a"), said(3, "b"), said(5, "c")]));
    assert_eq!(history(&*store, 2), placed(&[said(3, "x")]));
}

/// STORE-33: every kind of record comes back as it was, with all fields and with none.
pub fn keeps_every_kind(fixture: &dyn StoreFixture) {
    assert_kept(fixture, &every_kind());
}

/// STORE-33: kinds, blocks, roles and members that this version does not know come back byte for byte.
pub fn keeps_what_is_unheard_of(fixture: &dyn StoreFixture) {
    assert_kept(fixture, &unheard_of());
}

/// STORE-33: where a value is opaque, null is one, and is told from none.
pub fn keeps_null_where_values_are_opaque(fixture: &dyn StoreFixture) {
    let values = || [Some(raw("null")), None];
    let happened = values().map(|data| {
        Body::Event(Event { kind: "k".to_owned(), stream: None, data, unknown: Unknown::default() })
    });
    let called = values().map(|input| {
        let (id, name) = ("t".to_owned(), "read".to_owned());
        let call = Block::ToolUse(ToolUse { id, name, input, unknown: Unknown::default() });
        let silent = Message::text(Role::Assistant, "");
        Body::Message(Message { content: vec![call], ..silent })
    });
    let spent = values().map(|cost| Body::Usage(Usage { cost, ..Usage::default() }));
    let bodies = happened.into_iter().chain(called).chain(spent);
    let entries: Vec<_> = (1..).zip(bodies).map(|(number, body)| entry_of(number, body)).collect();
    assert_kept(fixture, &entries);
}

/// STORE-33: ids are kept as other tools write them.
pub fn keeps_ids_of_other_tools(fixture: &dyn StoreFixture) {
    assert_kept(fixture, &of_other_tools());
}

/// STORE-33: records happened when they say, however far from when they were appended, and in whatever order.
pub fn keeps_times_far_away(fixture: &dyn StoreFixture) {
    let times = [0, i64::MAX, -1, i64::MIN, 1, 1_750_000_000_000];
    let entries: Vec<_> = (1..)
        .zip(times)
        .map(|(number, time)| Entry { at: Timestamp::from_millis(time), ..said(number, "when") })
        .collect();
    assert_kept(fixture, &entries);
}

/// STORE-33: a record of two megabytes, one that needs escaping all over, and empty ones.
pub fn keeps_large_and_empty_contents(fixture: &dyn StoreFixture) {
    let silent = Message { content: Vec::new(), ..Message::text(Role::User, "") };
    let entries = [
        said(1, &"word \u{1f9ea} ".repeat(200_000)),
        said(2, ""),
        entry_of(3, Body::Message(silent)),
        noted(4, &"\u{1}\"\\\n".repeat(20_000)),
        noted(5, ""),
    ];
    assert_kept(fixture, &entries);
}

/// STORE-33: a batch of nothing is appended to whatever takes records, and changes nothing.
pub fn takes_an_empty_batch(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let answer = append(&*store, 1, &[], 5);
    assert_eq!(
        answer,
        Appended { seqs: vec![], repeats: vec![], revision: Revision(1), title: None }
    );
    assert_eq!(store.get(id(1)).unwrap(), bare(1));
    assert_refused!(&*store, |store| store.append(id(2), &[], at(5)), StoreError::NotFound { .. });
}

/// STORE-34: a batch with one entry that is refused leaves nothing of itself, wherever the entry stands.
pub fn leaves_nothing_of_a_refused_batch(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    append(&*store, 1, &[said(1, "before")], 1);
    for place in 0..3 {
        let mut batch = vec![said(2, "a"), spent(3, Some(1), None, None), noted(4, "b")];
        batch.insert(place, stray(5));
        assert_refused!(&*store, |store| store.append(id(1), &batch, at(2)), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    assert_eq!(append(&*store, 1, &[said(2, "a")], 3).seqs, seqs([2]));
    assert_eq!(history(&*store, 1), placed(&[said(1, "before"), said(2, "a")]));
}

/// STORE-36: revision, `updated_at`, `last_active_at` and totals change in the same step, nothing else does, and the
/// answer says so.
pub fn changes_the_session_too(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut expected = store.create(full(1)).unwrap();
    let answer = append(&*store, 1, &[noted(1, "a"), said(2, "b")], 7);
    expected.lifecycle.revision = Revision(2);
    expected.lifecycle.updated_at = at(7);
    expected.lifecycle.last_active_at = at(7);
    let totals = &mut expected.conversation.as_mut().unwrap().totals;
    (totals.records, totals.messages) = (2, 1);
    let title = expected.identity.title.clone();
    assert_eq!(
        answer,
        Appended { seqs: seqs([1, 2]), repeats: vec![], revision: Revision(2), title }
    );
    assert_eq!(store.get(id(1)).unwrap(), expected);
    assert_eq!(fixture.open().get(id(1)).unwrap(), expected);
}

/// STORE-36: whoever read the session before cannot write it afterwards without reading it again.
pub fn makes_earlier_readers_conflict(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let stale = store.get(id(1)).unwrap();
    let answer = append(&*store, 1, &[said(1, "meanwhile")], 1);
    assert_refused!(
        &*store,
        |store| store.update(stale, at(2)),
        StoreError::Conflict { expected: Revision(1), found: Revision(2), .. }
    );
    let mut fresh = store.get(id(1)).unwrap();
    assert_eq!(fresh.lifecycle.revision, answer.revision);
    fresh.identity.title = Some("renamed".to_owned());
    store.update(fresh, at(2)).unwrap();
    let answer = append(&*store, 1, &[said(2, "later")], 3);
    assert_eq!((answer.revision, answer.title.as_deref()), (Revision(4), Some("renamed")));
}

/// STORE-36: with a clock that goes back the last activity stays, and the time of the change follows.
pub fn never_makes_activity_earlier(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    for (number, (seconds, active)) in (1..).zip([(50, 50), (20, 50), (-5, 50), (51, 51)]) {
        append(&*store, 1, &[noted(number, "tick")], seconds);
        let lifecycle = store.get(id(1)).unwrap().lifecycle;
        assert_eq!((lifecycle.updated_at, lifecycle.last_active_at), (at(seconds), at(active)));
    }
}

/// STORE-36: an append keeps a session alive that expires when idle.
pub fn moves_an_idle_deadline(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut session = bare(1);
    session.lifecycle.expiry = Expiry::Idle(Duration::from_secs(10));
    store.create(session).unwrap();
    append(&*store, 1, &[noted(1, "at the deadline")], 10);
    assert_eq!(store.sweep(&observer(20)).unwrap(), []);
    append(&*store, 1, &[noted(2, "again")], 20);
    assert_refused!(
        &*store,
        |store| store.append(id(1), &[noted(3, "too late")], at(31)),
        StoreError::Ended { status: Status::Expired, .. }
    );
}

/// STORE-36: totals count records, messages, tokens, costs and the last checkpoint; what nobody told adds nothing,
/// and too large a sum stays at the limit.
pub fn counts_what_was_appended(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let totals = |store: &dyn SessionStore| store.get(id(1)).unwrap().totals();
    let mut expected = Totals { records: 1, ..Totals::default() };
    append(&*store, 1, &[spent(1, None, None, None)], 1);
    assert_eq!(totals(&*store), expected);

    let batch = [
        said(2, "hello"),
        spent(3, Some(0), Some(7), None),
        by(4, Role::from("critic"), "no"),
        spent(5, Some(5), None, Some(0)),
        checkpoint(6, Summary::Text("so far".to_owned()), Some(2)),
    ];
    append(&*store, 1, &batch, 1);
    let tokens = Tokens { input: Some(5), output: Some(7), ..Tokens::default() };
    expected = Totals {
        records: 6,
        messages: 2,
        last_checkpoint: Seq::new(6),
        tokens,
        cost_micros: Some(MicroUsd(0)),
        ..expected
    };
    assert_eq!(totals(&*store), expected);

    let batch = [
        checkpoint(7, Summary::Messages(Vec::new()), None),
        spent(8, Some(u64::MAX), None, Some(u64::MAX)),
        spent(9, Some(1), Some(1), Some(1)),
    ];
    append(&*store, 1, &batch, 1);
    (expected.records, expected.last_checkpoint) = (9, Seq::new(7));
    expected.tokens = Tokens { input: Some(u64::MAX), output: Some(8), ..Tokens::default() };
    expected.cost_micros = Some(MicroUsd(u64::MAX));
    assert_eq!(totals(&*store), expected);
    store.close().unwrap();
    assert_eq!(totals(&*fixture.open()), expected);
}

/// STORE-36: a session with a record of any kind is no longer empty, so listings show it.
pub fn makes_a_session_current(fixture: &dyn StoreFixture) {
    use crate::probe::{listed, query};
    let store = with_session(fixture);
    let current = query(observer(0), session_core::Scope::Current, session_core::Sort::Updated);
    assert_eq!(listed(&*store, &current), [0; 0]);
    append(&*store, 1, &[noted(1, "now")], 1);
    assert_eq!(listed(&*store, &current), [1]);
    store.create(launched(2)).unwrap();
    append(&*store, 1, &[said(2, "still")], 2);
    assert_eq!(listed(&*store, &current), [1, 2]);
}

/// STORE-37: a session without a title is called after the first text of a user that shows something.
pub fn names_an_untitled_session(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let silent =
        [by(1, Role::Assistant, "I"), by(2, Role::System, "you"), noted(3, "we"), said(4, " \n")];
    assert_eq!(append(&*store, 1, &silent, 1).title, None);
    assert_eq!(store.get(id(1)).unwrap().identity.title, None);
    let batch = [by(5, Role::Tool, "tool"), said(6, "\n Fix the\tbuild \n"), said(7, "second")];
    assert_eq!(append(&*store, 1, &batch, 2).title.as_deref(), Some("Fix the build"));
    assert_eq!(store.get(id(1)).unwrap().identity.title.as_deref(), Some("Fix the build"));
    assert_eq!(append(&*store, 1, &[said(8, "third")], 3).title.as_deref(), Some("Fix the build"));
}

/// STORE-37: a title that somebody gave stays, and so does none when everything is known already.
pub fn keeps_a_title(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, title) in [(1, ""), (2, "given")] {
        let mut session = bare(number);
        session.identity.title = Some(title.to_owned());
        store.create(session).unwrap();
        assert_eq!(append(&*store, number, &[said(1, "said")], 1).title.as_deref(), Some(title));
        assert_eq!(store.get(id(number)).unwrap().identity.title.as_deref(), Some(title));
    }
    store.create(bare(3)).unwrap();
    append(&*store, 3, &[said(1, "derived")], 1);
    let mut untitled = store.get(id(3)).unwrap();
    untitled.identity.title = None;
    store.update(untitled, at(2)).unwrap();
    assert_eq!(append(&*store, 3, &[said(1, "derived")], 3).title, None);
    assert_eq!(append(&*store, 3, &[said(2, "anew")], 3).title.as_deref(), Some("anew"));
}

/// STORE-38: an unknown id is `NotFound`, a session in the trash `Trashed`.
pub fn refuses_the_absent_and_the_trashed(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let entries = [said(1, "late")];
    assert_refused!(&*store, |store| store.append(id(2), &entries, at(1)), StoreError::NotFound { selector } if *selector == id(2).to_string());
    store.remove(id(1), &observer(2)).unwrap();
    assert_refused!(&*store, |store| store.append(id(1), &entries, at(3)), StoreError::Trashed { id: found } if *found == id(1));
    store.restore(id(1), at(4)).unwrap();
    append(&*store, 1, &entries, 5);
}

fn takes_records(store: &dyn SessionStore, session: Session, seconds: i64) {
    let id = store.create(session).unwrap().id();
    store.append(id, &[said(1, "goes on")], at(seconds)).unwrap();
}

/// STORE-38: what is closed, expired or overdue takes nothing, not even what it has; what is completed or failed does,
/// and so does what has a running program.
pub fn refuses_what_has_ended(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (number, ended) in [(1, Status::Closed), (2, Status::Expired)] {
        let mut session = store.create(bare(number)).unwrap();
        session.lifecycle.revision = append(&*store, number, &[noted(1, "before")], 1).revision;
        session.lifecycle.status = ended;
        store.update(session, at(2)).unwrap();
        for entries in [vec![noted(1, "before")], vec![noted(2, "after")], vec![]] {
            assert_refused!(&*store, |store| store.append(id(number), &entries, at(3)), StoreError::Ended { id: found, status } if *found == id(number) && *status == ended);
        }
    }
    store.create(until(3, "overdue", 10)).unwrap();
    append(&*store, 3, &[noted(1, "at the deadline")], 10);
    let late = [noted(2, "after it")];
    assert_refused!(&*store, |store| store.append(id(3), &late, at(11)), StoreError::Ended { id: found, status: Status::Expired } if *found == id(3));
    takes_records(&*store, with_status(4, "completed", Status::Completed), 5);
    takes_records(&*store, with_status(5, "failed", Status::Failed), 5);
    let mut alive = running(6, Some(HOST));
    alive.lifecycle.expiry = Expiry::At(at(1));
    takes_records(&*store, alive, 5);
}

/// STORE-38: an entry with a member that its object knows among the unknown ones is `Invalid`, in a part of it too, and
/// the member named.
pub fn refuses_what_could_not_be_read_back(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    for (entry, member) in stray_entries(1) {
        assert_refused!(&*store, |store| store.append(id(1), &[entry], at(1)), StoreError::Invalid { id: found, reason } if *found == id(1) && is_named(member, reason));
    }
}
