//! Entries that a history has already are not appended again.

use session_core::{Appended, Deduplication, Entry, Revision, SessionStore};

use crate::StoreFixture;
use crate::content;
use crate::probe::{append, history, placed, seqs};
use crate::samples::{bare, id, noted, observer, of_other_tools, record_id, said, spent};

fn with_session(fixture: &dyn StoreFixture) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    store
}

/// STORE-35: a batch of nothing new changes nothing, and the answer has the numbers that there are.
pub fn change_nothing(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let batch = [said(1, "one"), spent(2, Some(5), None, Some(3)), noted(3, "three")];
    let first = append(&*store, 1, &batch, 5);
    let before = content(&*store);
    let again = append(&*store, 1, &batch, 9);
    assert_eq!(again, Appended { repeats: vec![0, 1, 2], ..first });
    let turned = [batch[2].clone(), batch[0].clone(), batch[2].clone()];
    assert_eq!(append(&*store, 1, &turned, 9).seqs, seqs([3, 1, 3]));
    assert_eq!(content(&*store), before);
}

/// STORE-35: of a mixed batch only what is new is appended, and counted.
pub fn let_the_new_pass(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    append(&*store, 1, &[said(1, "one"), spent(2, Some(5), None, None)], 1);
    let mixed = [
        said(3, "three"),
        said(1, "one"),
        spent(4, Some(1), None, None),
        spent(2, Some(5), None, None),
    ];
    let answer = append(&*store, 1, &mixed, 2);
    assert_eq!((answer.seqs, answer.revision), (seqs([3, 1, 4, 2]), Revision(3)));
    let expected = [
        said(1, "one"),
        spent(2, Some(5), None, None),
        said(3, "three"),
        spent(4, Some(1), None, None),
    ];
    assert_eq!(history(&*store, 1), placed(&expected));
    let totals = store.get(id(1)).unwrap().totals();
    assert_eq!((totals.records, totals.messages, totals.tokens.input), (4, 2, Some(6)));
}

/// STORE-35: an id that stands twice in a batch is appended once, as it stands first.
pub fn inside_a_batch_count_once(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let other = Entry { id: record_id("r-1"), ..noted(9, "the same id") };
    let answer = append(&*store, 1, &[said(1, "one"), other, said(2, "two"), said(1, "one")], 1);
    assert_eq!(answer.seqs, seqs([1, 1, 2, 1]));
    assert_eq!(history(&*store, 1), placed(&[said(1, "one"), said(2, "two")]));
    assert_eq!(store.get(id(1)).unwrap().totals().messages, 2);
}

/// STORE-35: what is there stays as it is, whatever comes under its id.
pub fn never_replace(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    append(&*store, 1, &[said(1, "first")], 1);
    let before = content(&*store);
    let other = Entry { id: record_id("r-1"), ..spent(7, Some(100), None, None) };
    assert_eq!(append(&*store, 1, &[other], 2).seqs, seqs([1]));
    assert_eq!(content(&*store), before);
}

/// STORE-35: ids are compared byte by byte.
pub fn are_told_by_every_byte(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let entries = of_other_tools();
    let numbers = seqs(1..=entries.len() as u64);
    assert_eq!(append(&*store, 1, &entries, 1).seqs, numbers);
    assert_eq!(append(&*store, 1, &entries, 2).seqs, numbers);
    assert_eq!(history(&*store, 1), placed(&entries));
}

/// STORE-35: the ids of one session mean nothing in another.
pub fn count_in_one_session_only(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    store.create(bare(2)).unwrap();
    for number in [1, 2] {
        assert_eq!(append(&*store, number, &[said(1, "one")], 1).seqs, seqs([1]));
    }
    assert_eq!(history(&*store, 2), history(&*store, 1));
}

/// STORE-35: also when another handle appended them, when the store was opened anew, and when the session was in the
/// trash meanwhile.
pub fn are_found_by_everybody(fixture: &dyn StoreFixture) {
    let (store, other) = (with_session(fixture), fixture.open());
    let first = append(&*store, 1, &[said(1, "one"), said(2, "two")], 1);
    assert_eq!(append(&*other, 1, &[said(2, "two"), said(1, "one")], 2).seqs, seqs([2, 1]));
    append(&*other, 1, &[said(3, "three")], 2);
    assert_eq!(append(&*store, 1, &[said(3, "three")], 3).seqs, seqs([3]));
    store.remove(id(1), &observer(4)).unwrap();
    store.restore(id(1), crate::samples::at(5)).unwrap();
    store.close().unwrap();
    other.close().unwrap();
    drop((store, other));
    let store = fixture.open();
    let again = append(&*store, 1, &[said(1, "one"), said(2, "two")], 6);
    let title = first.title.clone();
    assert_eq!(
        again,
        Appended { seqs: first.seqs, repeats: vec![0, 1], revision: Revision(5), title }
    );
    assert_eq!(history(&*store, 1).len(), 3);
}

/// STORE-57: the answer has the places of what was there, in the history or earlier in the batch, and of nothing else;
/// so whoever says another thing under an id that is taken is told.
pub fn are_told_from_what_is_new(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let repeats = |entries: &[Entry]| append(&*store, 1, entries, 1).repeats;
    assert_eq!(repeats(&[said(1, "one"), said(2, "two")]), [0; 0]);
    assert_eq!(repeats(&[said(2, "another")]), [0]);
    assert_eq!(repeats(&[said(3, "three"), said(1, "one"), said(4, "four"), said(3, "x")]), [1, 3]);
    assert_eq!(repeats(&[said(4, "four"), said(3, "three"), said(4, "four")]), [0, 1, 2]);
    assert_eq!(repeats(&[]), [0; 0]);
    assert_eq!(history(&*store, 1).len(), 4);
}

/// STORE-35: they are found as far back as the store says it looks: over the whole history, or over its last bytes.
pub fn are_found_within_the_reach(fixture: &dyn StoreFixture) {
    let store = with_session(fixture);
    let reach = match store.info().deduplication {
        Deduplication::History => 3 << 20,
        Deduplication::Recent { bytes } => bytes,
        other => panic!("nobody knows what {other:?} reaches"),
    };
    assert!(reach > 0);
    append(&*store, 1, &[said(1, "the first")], 1);
    // Well inside the reach, whatever a backend adds to a record.
    let part = usize::try_from(reach / 16).unwrap();
    for number in 2..10 {
        append(&*store, 1, &[noted(number, &"x".repeat(part))], 1);
    }
    let before = store.get(id(1)).unwrap();
    assert_eq!(append(&*store, 1, &[said(1, "the first"), noted(5, "")], 2).seqs, seqs([1, 5]));
    assert_eq!(store.get(id(1)).unwrap(), before);
    drop(store);
    let store = fixture.open();
    assert_eq!(append(&*store, 1, &[said(1, "the first")], 3).seqs, seqs([1]));
    assert_eq!(store.get(id(1)).unwrap(), before);
}
