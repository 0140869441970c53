//! What a writer need not look at again because nobody can have changed it, and what it must.

use rustix::io::Errno;
use session_core::{RecordStore as _, Status, StoreUpkeep as _};

use super::*;
use crate::disk::faulty::{Call, Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Image, MemoryDisk};

/// The disk of a store with a session that has a history, and two whose deadlines pass.
fn start(place: &Place) -> Image {
    let disk = MemoryDisk::new(Image::empty(place.root()));
    let store = place.open(disk.clone()).unwrap();
    store.create(samples::named(1, "build")).unwrap();
    store.create(samples::until(2, "taken", 5)).unwrap();
    store.create(samples::until(3, "overdue", 5)).unwrap();
    disk.image()
}

fn say(store: &JsonlStore, number: u32, said: u32) -> Result<u64, StoreError> {
    let entry = samples::said(said, "said");
    let appended = store.append(samples::id(number), &[entry], samples::at(2))?;
    Ok(appended.revision.0)
}

/// Another start of the machine, or a copy: the index is not believed until somebody lists.
#[test]
fn a_writer_looks_at_little_that_it_left_itself() {
    let place = Place::for_lock();
    for is_believed in [false, true] {
        let faulty = FaultyDisk::new(MemoryDisk::new(start(&place)));
        let store = place.open(faulty.clone()).unwrap();
        if is_believed {
            store.create(samples::named(4, "believed")).unwrap();
        }
        say(&store, 1, 1).unwrap();
        // Of the marker, the directory twice, the index, and of the session's file once before and twice after.
        for (call, most) in [(Call::Open, 0), (Call::Read, 0), (Call::Stamp, 7)] {
            let fault = Fault::Before(Errno::IO);
            for said in 0..3 {
                faulty.fail(most + 1, Some(call), fault, Lasting::FromThenOn);
                say(&store, 1, 100 + 10 * call as u32 + said).unwrap();
                assert_eq!(faulty.heal(), [], "{call:?}, {is_believed}");
            }
        }
    }
}

/// An append of what is there already takes nothing from what is known of the end of the file.
#[test]
fn a_duplicate_costs_the_next_append_nothing() {
    let place = Place::for_lock();
    let faulty = FaultyDisk::new(MemoryDisk::new(start(&place)));
    let store = place.open(faulty.clone()).unwrap();
    say(&store, 1, 1).unwrap();
    let revision = say(&store, 1, 2).unwrap();
    assert_eq!(say(&store, 1, 2).unwrap(), revision);
    faulty.fail_among(
        1,
        vec![Call::Open, Call::Read],
        Fault::Before(Errno::IO),
        Lasting::FromThenOn,
    );
    say(&store, 1, 3).unwrap();
    assert_eq!(faulty.heal(), []);
}

/// With `Normal` durability nothing is said to be on the medium that could not be synced.
#[test]
fn a_flush_that_cannot_open_a_file_says_so_and_the_next_one_syncs_it() {
    let place = Place::for_lock();
    let faulty = FaultyDisk::new(MemoryDisk::new(start(&place)));
    let options = JsonlOptions::new().durability(session_core::Durability::Normal);
    let store = JsonlStore::open_on(faulty.clone(), &place.store(), options).unwrap();
    for number in [1, 2, 3] {
        say(&store, number, 1).unwrap();
    }
    for errno in [Errno::MFILE, Errno::ACCESS, Errno::IO] {
        faulty.fail(2, Some(Call::Open), Fault::Before(errno), Lasting::Once);
        store.flush().unwrap_err();
        assert_eq!(faulty.heal(), [Call::Open]);
        // The one that was not is synced now, and no other.
        faulty.fail(2, Some(Call::Sync), Fault::Before(Errno::IO), Lasting::Once);
        store.flush().unwrap();
        assert_eq!(faulty.heal(), []);
        faulty.fail(1, Some(Call::Sync), Fault::Before(Errno::IO), Lasting::Once);
        store.flush().unwrap();
        assert_eq!(faulty.heal(), []);
        for number in [1, 2, 3] {
            say(&store, number, 2 + errno.raw_os_error().cast_unsigned()).unwrap();
        }
    }
    // A session that is gone has nothing to sync.
    store.remove(samples::id(1), &samples::observer(3)).unwrap();
    store.purge(samples::id(1), samples::at(4)).unwrap();
    faulty.fail(1, Some(Call::Open), Fault::Before(Errno::IO), Lasting::Once);
    store.close().unwrap_err();
}

#[test]
fn a_writer_sees_what_another_one_did_meanwhile() {
    let place = Place::for_lock();
    let disk = MemoryDisk::new(start(&place));
    let [one, other] = [(); 2].map(|()| place.open(disk.clone()).unwrap());
    for number in 1..4 {
        say(&one, number, 1).unwrap();
    }
    other.remove(samples::id(1), &samples::observer(3)).unwrap();
    other.purge(samples::id(1), samples::at(4)).unwrap();
    assert!(matches!(say(&one, 1, 2), Err(StoreError::NotFound { .. })));
    let again = one.create(samples::named(1, "build"));
    assert!(matches!(again, Err(StoreError::Purged { .. })), "{again:?}");

    // Three files at once.
    say(&one, 2, 2).unwrap();
    other.sweep(&samples::observer(9)).unwrap();
    for number in [2, 3] {
        let refused = say(&one, number, 3);
        let status = Status::Expired;
        assert!(matches!(refused, Err(StoreError::Ended { status: known, .. }) if known == status));
    }
}

/// What another process comes to, wherever it dies, is what this handle builds upon.
#[test]
fn a_writer_sees_what_the_dead_left_behind() {
    let acts: [Act; 4] = [
        |store| store.sweep(&samples::observer(9)).map(drop),
        |store| store.create(late(5, "taken")).map(drop),
        |store| {
            store.remove(samples::id(3), &samples::observer(3))?;
            store.purge(samples::id(3), samples::at(4)).map(drop)
        },
        |store| store.reindex(),
    ];
    let place = Place::for_lock();
    for (act, is_believed) in acts.into_iter().flat_map(|act| [(act, false), (act, true)]) {
        for nth in 1.. {
            let disk = MemoryDisk::new(start(&place));
            let one = place.open(disk.clone()).unwrap();
            if is_believed {
                one.create(samples::named(4, "believed")).unwrap();
            }
            for number in 1..4 {
                say(&one, number, 1).unwrap();
            }
            let mortal = FaultyDisk::new(disk.clone());
            let other = place.open(mortal.clone()).unwrap();
            mortal.fail(nth, None, Fault::Before(Errno::IO), Lasting::FromThenOn);
            _ = act(&other);
            if mortal.heal().is_empty() {
                break;
            }
            let fresh = || place.read(disk.clone()).unwrap();
            for said in 2..4 {
                for number in 1..4 {
                    let known = fresh().get(samples::id(number));
                    match (known, say(&one, number, said)) {
                        (Ok(known), Ok(revision)) => {
                            assert_eq!(revision, known.lifecycle.revision.0 + 1);
                        }
                        (Ok(known), Err(StoreError::Ended { status, .. })) => {
                            assert_eq!(known.status(), status);
                        }
                        (Ok(known), Err(StoreError::Trashed { .. })) => assert!(known.is_trashed()),
                        (Err(StoreError::NotFound { .. }), Err(StoreError::NotFound { .. })) => {}
                        other => panic!("{other:?} after operation {nth}"),
                    }
                }
            }
            assert_eq!(fresh().check().unwrap().damaged, [], "after operation {nth}");
            assert_eq!(listed(&one), listed(&fresh()), "after operation {nth}");
        }
    }
}
