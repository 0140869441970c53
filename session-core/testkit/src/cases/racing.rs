//! Several threads that append, read, search and remove at once.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use session_core::{
    Entry, Order, Reading, Record, Removal, Revision, SessionStore, SessionStoreExt, StoreError,
};

use crate::StoreFixture;
use crate::probe::{append, found, history, search, stretch};
use crate::samples::{at, bare, id, observer, record_id, said};

const THREADS: u32 = 8;
const BATCHES: u32 = 6;
const BATCH: u32 = 3;

/// The entries of one batch of one thread, told from all others by their ids.
fn batch(thread: u32, batch: u32) -> Vec<Entry> {
    let entry = |count| {
        let text = format!("t{thread} b{batch} e{count}");
        Entry { id: record_id(&text), ..said(count, &text) }
    };
    (0..BATCH).map(entry).collect()
}

/// Runs `act` in all threads at once, each with a handle that it shares with one other thread.
fn race(fixture: &dyn StoreFixture, act: impl Fn(u32, &dyn SessionStore) + Sync) {
    let handles: Vec<_> = (0..THREADS / 2).map(|_| fixture.open()).collect();
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, act) = (&start, &act);
            let store = &*handles[number as usize % handles.len()];
            scope.spawn(move || {
                start.wait();
                act(number, store);
            });
        }
    });
}

/// Checks that a history is numbered from 1 on and consists of whole batches, each in one piece, those of one thread
/// in order, and gives the number of its batches.
fn whole_batches(history: &[Record]) -> usize {
    for (place, record) in (1..).zip(history) {
        assert_eq!(record.seq.get(), place, "numbers have no gap");
    }
    let ids: Vec<_> = history.iter().map(|record| record.entry.id.as_str()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no record is there twice");
    let mut last = [None; THREADS as usize];
    for chunk in history.chunks(BATCH as usize) {
        let number = |part: usize| -> u32 {
            let text = chunk[0].entry.id.as_str();
            text.split(' ').nth(part).unwrap()[1..].parse().unwrap()
        };
        let (thread, count) = (number(0), number(1));
        let entries: Vec<_> = chunk.iter().map(|record| record.entry.clone()).collect();
        assert_eq!(entries, batch(thread, count), "a batch is in one piece");
        assert!(last[thread as usize] < Some(count), "batches of one thread are in its order");
        last[thread as usize] = Some(count);
    }
    history.len() / BATCH as usize
}

/// STORE-39: of many appends to one session none is lost, each is whole, and no number is given twice.
pub fn appends_to_one_session_line_up(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    race(fixture, |thread, store| {
        for count in 0..BATCHES {
            let entries = batch(thread, count);
            let answer = append(store, 1, &entries, 1);
            let first = answer.seqs[0].get();
            assert!(answer.seqs.iter().map(|seq| seq.get()).eq(first..first + u64::from(BATCH)));
            let reading = Reading { from: answer.seqs[0], to: answer.seqs[2], ..Reading::ALL };
            let read: Vec<_> = stretch(store, 1, &reading).into_iter().map(|it| it.entry).collect();
            assert_eq!(read, entries, "what was just acknowledged is read under its numbers");
        }
    });
    let batches = whole_batches(&history(&*store, 1));
    assert_eq!(batches, (THREADS * BATCHES) as usize);
    let session = store.get(id(1)).unwrap();
    assert_eq!(session.totals().messages, u64::from(THREADS * BATCHES * BATCH));
    assert_eq!(session.lifecycle.revision, Revision(u64::from(1 + THREADS * BATCHES)));
}

/// STORE-39: the same for several sessions that all threads write in turns.
pub fn appends_to_several_sessions_line_up(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 0..3 {
        store.create(bare(number)).unwrap();
    }
    race(fixture, |thread, store| {
        for count in 0..BATCHES {
            append(store, (thread + count) % 3, &batch(thread, count), 1);
        }
    });
    let batches: usize = (0..3).map(|number| whole_batches(&history(&*store, number))).sum();
    assert_eq!(batches, (THREADS * BATCHES) as usize);
}

/// STORE-39: of threads that append the same entries each is told the same numbers, and they are there once.
pub fn appends_of_the_same_are_one(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    race(fixture, |_, store| {
        for count in 0..BATCHES {
            let answer = append(store, 1, &batch(0, count), 1);
            let first = u64::from(count * BATCH) + 1;
            assert!(answer.seqs.iter().map(|seq| seq.get()).eq(first..first + u64::from(BATCH)));
        }
    });
    assert_eq!(whole_batches(&history(&*store, 1)), BATCHES as usize);
    assert_eq!(store.get(id(1)).unwrap().lifecycle.revision, Revision(u64::from(1 + BATCHES)));
}

/// STORE-39: updates and appends of one session do not undo each other.
pub fn appends_and_updates_both_count(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    race(fixture, |thread, store| {
        for count in 0..BATCHES {
            if thread % 2 == 0 {
                append(store, 1, &batch(thread, count), 1);
            } else {
                let key = crate::samples::label(&format!("l{thread}-{count}"));
                let mut tries = 0;
                let labelled = store.update_with(id(1), at(1), |session| {
                    tries += 1;
                    assert!(tries < 10_000, "a writer that reads again must get through at last");
                    session.identity.labels.insert(key.clone(), String::new());
                    Ok::<_, StoreError>(())
                });
                labelled.unwrap();
            }
        }
    });
    let half = (THREADS / 2 * BATCHES) as usize;
    assert_eq!(whole_batches(&history(&*store, 1)), half);
    let session = store.get(id(1)).unwrap();
    assert_eq!(session.identity.labels.len(), half);
    assert_eq!(session.totals().records, half as u64 * u64::from(BATCH));
    assert_eq!(session.lifecycle.revision, Revision(1 + 2 * half as u64));
}

/// Lets `write` write in one thread, and `read` read in another one over and over, and once more at the end.
fn while_written(write: impl FnOnce() + Send, read: impl Fn() + Sync) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                read();
            }
            read();
        });
        // The reader must end also when the writer panics.
        let written = scope.spawn(write).join();
        done.store(true, Ordering::Release);
        reader.join().unwrap();
        written.unwrap();
    });
}

/// STORE-41: whoever pages through a history while others append sees each record once, whole batches of it, in order.
pub fn readers_see_each_record_once(fixture: &dyn StoreFixture) {
    let (store, reader) = (fixture.open(), fixture.open());
    store.create(bare(1)).unwrap();
    append(&*store, 1, &batch(0, 0), 1);
    let write = || {
        for count in 1..20 {
            append(&*store, 1, &batch(0, count), 1);
        }
    };
    while_written(write, || {
        for (order, limit) in [(Order::Forward, 2), (Order::Backward, 2), (Order::Forward, 100)] {
            let reading = Reading { order, limit: NonZeroU32::new(limit), ..Reading::ALL };
            let mut seen = stretch(&*reader, 1, &reading);
            if order == Order::Backward {
                seen.reverse();
            }
            let whole = seen.len() - seen.len() % BATCH as usize;
            assert_eq!(whole, seen.len(), "half a batch was read");
            whole_batches(&seen);
        }
        let session = reader.get(id(1)).unwrap();
        let records = history(&*reader, 1).len() as u64;
        assert!(session.totals().records <= records, "a session counts what cannot be read yet");
        assert_eq!(session.lifecycle.revision.0, 1 + session.totals().records / u64::from(BATCH));
    });
}

/// STORE-43: while others append, a search finds everything that was acknowledged before it began.
pub fn searchers_find_what_was_acknowledged(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 0..THREADS {
        store.create(bare(number)).unwrap();
    }
    race(fixture, |thread, store| {
        for count in 0..BATCHES {
            append(store, thread, &batch(thread, count), 1);
            let mine = found(store, &search(&format!("t{thread}")));
            let expected =
                (0..=count).map(|count| count * BATCH).flat_map(|first| first..first + BATCH);
            let numbers: BTreeSet<_> = mine.iter().map(|(_, seq)| *seq).collect();
            assert!(
                numbers.into_iter().eq(expected.map(|number| u64::from(number) + 1)),
                "{mine:?}"
            );
        }
    });
    let all = found(&*store, &search("b0 OR b1 OR b2 OR b3 OR b4 OR b5"));
    assert_eq!(all.len(), (THREADS * BATCHES * BATCH) as usize);
}

/// STORE-28: while others append, each session goes to the trash with all that was acknowledged, and takes nothing
/// afterwards.
pub fn removal_of_many_cuts_between_appends(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 0..THREADS {
        store.create(bare(number)).unwrap();
    }
    race(fixture, |thread, store| {
        if thread == 0 {
            let removed = store.remove_all(&Removal::everything(observer(5))).unwrap();
            assert_eq!(removed.len(), THREADS as usize);
            return;
        }
        for count in 0..BATCHES {
            let before = history(store, thread).len();
            match store.append(id(thread), &batch(thread, count), at(1)) {
                Ok(answer) => assert_eq!(answer.seqs[0].get() as usize, before + 1),
                Err(StoreError::Trashed { .. }) => {
                    assert_eq!(history(store, thread).len(), before);
                    return;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    for number in 0..THREADS {
        let session = store.get(id(number)).unwrap();
        assert_eq!(session.lifecycle.trashed_at, Some(at(5)));
        let records = history(&*store, number);
        assert_eq!(session.totals().records, records.len() as u64);
        assert_eq!(session.lifecycle.revision.0, 2 + whole_batches(&records) as u64);
    }
}

/// STORE-31: while others append and restore, a purge destroys all of a session or nothing.
pub fn purge_leaves_no_half(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for round in 0..4 {
        store.create(bare(round)).unwrap();
        append(&*store, round, &batch(0, 0), 1);
        store.remove(id(round), &observer(2)).unwrap();
        race(fixture, |thread, store| {
            let outcome = match thread % 3 {
                0 => store.purge(id(round), at(3)).map(drop),
                1 => store.restore(id(round), at(3)).map(drop),
                _ => store.append(id(round), &batch(thread, 1), at(3)).map(drop),
            };
            match outcome {
                Ok(())
                | Err(
                    StoreError::NotFound { .. }
                    | StoreError::Trashed { .. }
                    | StoreError::NotTrashed { .. },
                ) => {}
                Err(error) => panic!("{error:?}"),
            }
        });
        let is_buried = store.tombstones().unwrap().iter().any(|it| it.id == id(round));
        match store.get(id(round)) {
            Ok(session) => {
                assert!(!is_buried && !session.is_trashed());
                assert_eq!(session.totals().records, history(&*store, round).len() as u64);
                whole_batches(&history(&*store, round));
            }
            Err(StoreError::NotFound { .. }) => {
                assert!(is_buried);
                assert!(matches!(
                    store.read(id(round), &Reading::ALL),
                    Err(StoreError::NotFound { .. })
                ));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    let left: BTreeSet<_> =
        found(&*store, &search("b0 OR b1")).into_iter().map(|(number, _)| number).collect();
    assert!(left.into_iter().all(|number| store.get(id(number)).is_ok()));
}
