//! When the index is believed: while nobody but its writers has touched the directory, and never where that cannot be
//! told.

use rustix::io::Errno;
use session_core::{RecordStore as _, StoreUpkeep as _};

use super::*;
use crate::disk::faulty::{Call, Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Image, MemoryDisk};
use crate::index::INDEX;

/// Times of a file system that keeps them less precisely than they can be said.
const COARSE: [i64; 6] = [100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000];

/// What every handle sees of a name that two of them want, and of a session that another one changes.
fn take_turns(one: &JsonlStore, other: &JsonlStore, reader: &JsonlStore) {
    let held = |store: &JsonlStore, number| {
        let refused = store.create(samples::named(number, "build")).unwrap_err();
        assert!(matches!(refused, StoreError::NameHeld { .. }), "{refused}");
    };
    one.create(samples::named(1, "build")).unwrap();
    held(other, 2);
    for round in 0..3 {
        for (store, beside) in [(one, other), (other, one)] {
            let number = 2 * round + if std::ptr::eq(store, one) { 3 } else { 4 };
            store.create(samples::named(number, &format!("name-{number}"))).unwrap();
            retitle(beside, 1, 10 + number as usize).unwrap();
            held(store, 20);
            held(beside, 20);
            let said = samples::said(number, "hello");
            store.append(samples::id(number), &[said], samples::at(8)).unwrap();
            let expected = listed(store);
            assert_eq!(listed(beside), expected);
            assert_eq!(listed(reader), expected);
            assert_eq!(reader.stats().unwrap().records, one.stats().unwrap().records);
            assert_eq!(reader.check().unwrap().damaged, []);
        }
    }
    // Another holds the name now.
    one.remove(samples::id(1), &samples::observer(9)).unwrap();
    other.create(samples::named(21, "build")).unwrap();
    held(one, 20);
    other.remove(samples::id(21), &samples::observer(9)).unwrap();
    other.purge(samples::id(21), samples::at(9)).unwrap();
    let again = one.create(samples::named(21, "build")).unwrap_err();
    assert!(matches!(again, StoreError::Purged { .. }), "{again}");
    assert_eq!(listed(one), listed(reader));
}

#[test]
fn a_name_has_one_holder_where_times_are_coarse() {
    for granularity in COARSE {
        let place = Place::for_lock();
        let disk = MemoryDisk::new(Image::empty(place.root()));
        let [one, other] = [(); 2].map(|()| place.open(disk.clone()).unwrap());
        let reader = place.read(disk.clone()).unwrap();
        disk.keep_times_to(granularity);
        take_turns(&one, &other, &reader);
        // The index is of use there.
        let index = disk.stamp(&place.store().join(INDEX)).unwrap();
        assert!(index.is_some(), "{granularity}");
        let faulty = FaultyDisk::new(disk.clone());
        let fresh = place.read(faulty.clone()).unwrap();
        faulty.fail(1, Some(Call::Names), Fault::Before(Errno::IO), Lasting::FromThenOn);
        listed(&fresh);
        assert_eq!(faulty.heal(), [], "{granularity}");
    }
}

#[test]
fn a_directory_that_keeps_no_time_has_no_index() {
    let place = Place::for_lock();
    let disk = MemoryDisk::new(Image::empty(place.root()));
    let [one, other] = [(); 2].map(|()| place.open(disk.clone()).unwrap());
    let reader = place.read(disk.clone()).unwrap();
    disk.keep_times_to(1_000_000_000_000);
    take_turns(&one, &other, &reader);
    assert_eq!(disk.stamp(&place.store().join(INDEX)).unwrap(), None);
}

/// One writer may set the time of the directory, and another one may not, in turns.
#[test]
fn who_may_not_set_a_time_writes_all_the_same() {
    for errno in [Errno::PERM, Errno::ROFS, Errno::NOSYS] {
        for may_one in [false, true] {
            let place = Place::for_lock();
            let disk = MemoryDisk::new(Image::empty(place.root()));
            let [mine, others] = [(); 2].map(|()| FaultyDisk::new(disk.clone()));
            let one = place.open(mine.clone()).unwrap();
            let other = place.open(others.clone()).unwrap();
            let reader = place.read(disk.clone()).unwrap();
            let refused = Fault::Before(errno);
            others.fail(1, Some(Call::SetModified), refused, Lasting::FromThenOn);
            if !may_one {
                mine.fail(1, Some(Call::SetModified), refused, Lasting::FromThenOn);
            }
            take_turns(&one, &other, &reader);
            other.create(samples::named(22, "last")).unwrap();
            assert_eq!(disk.stamp(&place.store().join(INDEX)).unwrap(), None);
            one.create(samples::named(23, "later")).unwrap();
            assert_eq!(disk.stamp(&place.store().join(INDEX)).unwrap().is_some(), may_one);
        }
    }
}
