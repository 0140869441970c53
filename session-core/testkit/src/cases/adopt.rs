//! `adopt`: sessions of other stores, as they are.

use std::time::Duration;

use session_core::record::Tokens;
use session_core::{
    Conversation, Entry, Expiry, MicroUsd, Record, Revision, Seq, Session, SessionStore,
    SessionStoreExt, Status, StoreError, Totals,
};

use crate::StoreFixture;
use crate::probe::{
    append, assert_refused, found, history, is_named, listed, placed, query, search, selector, seqs,
};
use crate::samples::{
    at, bare, every_kind, from_the_future, full, id, json, leased, name, named, observer,
    record_json, said, spent, stray_entries, strays, unheard_of, until,
};

/// A session as it may stand in another store, and its history.
fn grown(mut session: Session, entries: &[Entry]) -> (Session, Vec<Record>) {
    session.lifecycle.revision = Revision(41);
    session.lifecycle.updated_at = at(-100);
    let conversation = session.conversation.get_or_insert_default();
    conversation.totals = Totals {
        records: entries.len() as u64,
        messages: entries.len() as u64,
        last_checkpoint: Seq::new(entries.len().min(2) as u64),
        tokens: Tokens { input: Some(7), ..Tokens::default() },
        cost_micros: Some(MicroUsd(9)),
        unknown: serde_json::from_str(r#"{"counted":0.10,"by":{ "b" : 1e400 }}"#).unwrap(),
    };
    (session, placed(entries))
}

fn adopt(
    store: &dyn SessionStore,
    session: &Session,
    records: &[Record],
) -> Result<(), StoreError> {
    store.adopt(session.clone(), &mut records.iter().cloned().map(Ok))
}

fn assert_adopted(fixture: &dyn StoreFixture, session: &Session, records: &[Record]) {
    let store = fixture.open();
    adopt(&*store, session, records).unwrap();
    let check = |store: &dyn SessionStore| {
        let number = crate::probe::number(session.id());
        let stored = store.get(session.id()).unwrap();
        assert_eq!((&stored, json(&stored)), (session, json(session)));
        let found = history(store, number);
        assert_eq!(found, records);
        assert!(found.iter().map(record_json).eq(records.iter().map(record_json)));
    };
    check(&*store);
    check(&*fixture.open());
    store.close().unwrap();
    check(&*fixture.open());
}

/// STORE-51: what was adopted is what `get` and `read` return: revision, times, totals and all records.
pub fn keeps_everything(fixture: &dyn StoreFixture) {
    let (session, records) = grown(full(1), &every_kind());
    assert_adopted(fixture, &session, &records);
}

/// STORE-51: members and kinds of newer versions too.
pub fn keeps_what_is_unheard_of(fixture: &dyn StoreFixture) {
    let (session, records) = grown(from_the_future(1), &unheard_of());
    assert_adopted(fixture, &session, &records);
}

/// STORE-51: sessions in the trash, ended ones, overdue ones and empty ones stay what they are.
pub fn keeps_every_state(fixture: &dyn StoreFixture) {
    let mut trashed = named(1, "name");
    trashed.lifecycle.trashed_at = Some(at(5));
    let mut closed = named(2, "name");
    closed.lifecycle.status = Status::Closed;
    let sessions = [trashed, closed, until(3, "overdue", -50), bare(4)];
    for session in &sessions {
        assert_adopted(fixture, session, &[]);
    }
    let store = fixture.open();
    assert_eq!(
        listed(
            &*store,
            &query(observer(9), session_core::Scope::Trash, session_core::Sort::Created)
        ),
        [1]
    );
    assert_eq!(store.find(&selector("name")).unwrap(), sessions[1]);
    store.restore(id(1), at(10)).unwrap();
    assert_eq!(store.find(&selector("name")).unwrap().id(), id(1));
}

/// STORE-51: what was adopted goes on as if it had been made here: updates, appends, searches, names.
pub fn goes_on(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let (session, records) = grown(named(1, "name"), &[said(1, "one"), said(2, "two")]);
    adopt(&*store, &session, &records).unwrap();
    assert_refused!(&*store, |store| store.create(named(2, "name")), StoreError::NameHeld { holder, .. } if *holder == id(1));
    assert_eq!(found(&*store, &search("one OR two")), [(1, 2), (1, 1)]);
    assert_eq!(store.named(&name("name")).unwrap(), std::slice::from_ref(&session));
    let answer =
        append(&*store, 1, &[said(2, "two"), said(3, "three"), spent(4, Some(1), None, None)], 5);
    assert_eq!((answer.seqs, answer.revision), (seqs([2, 3, 4]), Revision(42)));
    let mut totals = session.totals();
    (totals.records, totals.messages, totals.tokens.input) = (4, 3, Some(8));
    let mut after = store.get(id(1)).unwrap();
    assert_eq!(after.totals(), totals);
    after.conversation.as_mut().unwrap().totals = Totals::default();
    let updated = store.update(after, at(6)).unwrap();
    assert_eq!((updated.lifecycle.revision, updated.totals()), (Revision(43), totals));
}

/// STORE-51: a history in which an id stands twice, as a store that looks back less far may have it, is kept so.
pub fn keeps_repeated_ids(fixture: &dyn StoreFixture) {
    let (session, records) =
        grown(bare(1), &[said(1, "one"), said(2, "two"), said(1, "one again")]);
    assert_adopted(fixture, &session, &records);
    let store = fixture.open();
    let seqs = append(&*store, 1, &[said(1, "one")], 5).seqs;
    assert!(seqs == [Seq::FIRST] || seqs == [Seq::after(2)], "{seqs:?}");
    assert_eq!(history(&*store, 1), records);
}

/// STORE-51: a long history is taken record by record.
pub fn keeps_a_long_history(fixture: &dyn StoreFixture) {
    let entries: Vec<_> =
        (1..=3000).map(|number| said(number, &format!("number {number}"))).collect();
    let (session, records) = grown(bare(1), &entries);
    assert_adopted(fixture, &session, &records);
    assert_eq!(found(&*fixture.open(), &search("\"number 2999\"")), [(1, 2999)]);
}

/// STORE-52: a stored id is `IdExists`, also in the trash, and a destroyed one `Purged`.
pub fn refuses_an_id_that_was_used(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..4 {
        store.create(named(number, &format!("n-{number}"))).unwrap();
        append(&*store, number, &[said(1, "here")], 1);
    }
    store.remove(id(2), &observer(1)).unwrap();
    store.remove(id(3), &observer(1)).unwrap();
    store.purge(id(3), at(2)).unwrap();
    let given = |number| grown(bare(number), &[said(1, "there"), said(2, "more")]);
    for number in [1, 2] {
        let (session, records) = given(number);
        assert_refused!(&*store, |store| adopt(store, &session, &records), StoreError::IdExists { id: found } if *found == id(number));
    }
    let (session, records) = given(3);
    assert_refused!(&*store, |store| adopt(store, &session, &records), StoreError::Purged { id: found, at: when } if *found == id(3) && *when == at(2));
    assert_eq!(found(&*store, &search("there")), []);
}

/// STORE-52: a held name is `NameHeld`, however overdue its holder; nobody loses a name to an adopted session, and what
/// claims no name is adopted beside.
pub fn refuses_a_held_name(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut holder = until(1, "name", 5);
    holder.lifecycle.expiry = Expiry::At(at(-1000));
    store.create(holder).unwrap();
    let mut working = leased(3, "name", "reviewer");
    working.lifecycle.status = Status::Completed;
    for session in [named(2, "name"), working] {
        let (session, records) = grown(session, &[said(1, "there")]);
        assert_refused!(&*store, |store| adopt(store, &session, &records), StoreError::NameHeld { name: held, holder } if *held == name("name") && *holder == id(1));
    }
    let mut ended = named(2, "name");
    ended.lifecycle.status = Status::Completed;
    adopt(&*store, &ended, &[]).unwrap();
    assert_eq!(store.named(&name("name")).unwrap().len(), 2);
}

/// STORE-52: totals that do not count the records are `Invalid`.
pub fn refuses_another_number_of_records(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let (session, records) = grown(bare(1), &[said(1, "one"), said(2, "two")]);
    for given in [&records[..0], &records[..1]] {
        assert_refused!(&*store, |store| adopt(store, &session, given), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    assert_refused!(&*store, |store| adopt(store, &bare(1), &records), StoreError::Invalid { .. });
    let mut silent = bare(1);
    silent.conversation = Some(Conversation {
        totals: Totals { records: 3, ..Totals::default() },
        ..Conversation::default()
    });
    assert_refused!(&*store, |store| adopt(store, &silent, &records), StoreError::Invalid { .. });
    adopt(&*store, &session, &records).unwrap();
}

/// STORE-52: totals that no history has, and revisions that no store gives, are `Invalid`; the largest legal ones go on.
pub fn refuses_numbers_that_cannot_be(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let (session, records) = grown(bare(1), &[said(1, "one"), said(2, "two")]);
    let edits: [fn(&mut Session); 7] = [
        |it| it.conversation.as_mut().unwrap().totals.messages = 3,
        |it| it.conversation.as_mut().unwrap().totals.messages = u64::MAX,
        |it| it.conversation.as_mut().unwrap().totals.last_checkpoint = Seq::new(3),
        |it| it.conversation.as_mut().unwrap().totals.last_checkpoint = Some(Seq::LAST),
        |it| it.lifecycle.revision = Revision(0),
        |it| it.lifecycle.revision = Revision(Revision::LARGEST.0 + 1),
        |it| it.lifecycle.revision = Revision(u64::MAX),
    ];
    for edit in edits {
        let mut wrong = session.clone();
        edit(&mut wrong);
        assert_refused!(&*store, |store| adopt(store, &wrong, &records), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    let mut largest = session;
    largest.lifecycle.revision = Revision(Revision::LARGEST.0 - 1);
    largest.conversation.as_mut().unwrap().totals.cost_micros = Some(MicroUsd(u64::MAX));
    adopt(&*store, &largest, &records).unwrap();
    let answer = append(&*store, 1, &[said(3, "three"), spent(4, Some(1), None, Some(1))], 5);
    assert_eq!(answer.revision, Revision::LARGEST);
    assert_eq!(store.get(id(1)).unwrap().totals().messages, 3);
}

/// STORE-52: records that are not numbered from 1 on without a gap are `Invalid`.
pub fn refuses_records_out_of_order(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let (session, records) = grown(bare(1), &[said(1, "one"), said(2, "two"), said(3, "three")]);
    for order in [[0, 2, 1], [1, 2, 0], [0, 0, 1], [0, 1, 1], [2, 1, 0]] {
        let shuffled: Vec<_> =
            order.into_iter().map(|index: usize| records[index].clone()).collect();
        assert_refused!(&*store, |store| adopt(store, &session, &shuffled), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    let later: Vec<_> = (5..)
        .zip(&records)
        .map(|(seq, record)| record.entry.clone().at(Seq::new(seq).unwrap()))
        .collect();
    assert_refused!(&*store, |store| adopt(store, &session, &later), StoreError::Invalid { .. });
    assert_eq!(found(&*store, &search("one OR two OR three")), []);
}

/// STORE-52: an error among the records is returned, and nothing of the session is stored, however much came before.
pub fn stops_at_an_error(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let entries: Vec<_> = (1..=500).map(|number| said(number, &"x".repeat(4000))).collect();
    let (session, records) = grown(named(1, "name"), &entries);
    for good in [0, 1, 499, 500] {
        let failure =
            || StoreError::Corrupt { place: "there".to_owned(), reason: "torn".to_owned() };
        let mut given = records[..good].iter().cloned().map(Ok).chain([Err(failure())]);
        assert_refused!(&*store, |store| store.adopt(session.clone(), &mut given), StoreError::Corrupt { place, .. } if place == "there");
    }
    assert_refused!(&*store, |store| store.get(id(1)), StoreError::NotFound { .. });
    store.create(named(1, "name")).unwrap();
    append(&*store, 1, &[said(9, "own")], 1);
    assert_eq!(history(&*store, 1), placed(&[said(9, "own")]));
}

/// STORE-52: a session that could not be read back is `Invalid`; a stray member is named.
pub fn refuses_what_could_not_be_read_back(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    let mut own = bare(1);
    own.identity.parent = Some(id(1));
    for session in [own, leased(1, "No_slug", "reviewer")] {
        assert_refused!(&*store, |store| adopt(store, &session, &[]), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
    for (session, member) in strays(1) {
        assert_refused!(&*store, |store| adopt(store, &session, &[]), StoreError::Invalid { id: found, reason } if *found == id(1) && is_named(member, reason));
    }
}

/// STORE-52: an entry that could not be read back is `Invalid`, wherever it stands, and nothing of the session is stored.
pub fn refuses_stray_entries(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for (entry, member) in stray_entries(1) {
        for place in [0, 1] {
            let mut entries = vec![said(2, "there")];
            entries.insert(place, entry.clone());
            let (session, records) = grown(bare(1), &entries);
            assert_refused!(&*store, |store| adopt(store, &session, &records), StoreError::Invalid { id: found, reason } if *found == id(1) && is_named(member, reason));
        }
    }
    assert_eq!(found(&*store, &search("there")), []);
}

/// STORE-52: nothing is put right: an idle time that is not in whole milliseconds, which `create` would cut, is
/// `Invalid`.
pub fn refuses_an_idle_time_between_milliseconds(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for idle in [Duration::from_micros(1999), Duration::MAX] {
        let (mut session, records) = grown(bare(1), &[said(1, "there")]);
        session.lifecycle.expiry = Expiry::Idle(idle);
        assert_refused!(&*store, |store| adopt(store, &session, &records), StoreError::Invalid { id: found, .. } if *found == id(1));
    }
}
