//! Every single operation of the disk fails, in every way that it may.

use rustix::io::Errno;
use session_core::{ErrorKind, StoreUpkeep as _};

use super::*;
use crate::disk::RealDisk;
use crate::disk::faulty::{Call, Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Image, MemoryDisk};

/// A change, and the store in which it is made.
struct Case {
    what: &'static str,
    before: &'static [Act],
    /// What stands behind the last whole batch of session 1, if anything.
    tail: Option<&'static [u8]>,
    act: Act,
}

const BUILD: Act = |store| store.create(samples::named(1, "build")).map(drop);
const TAKEN: Act = |store| store.create(samples::until(2, "taken", 5)).map(drop);
const OVERDUE: Act = |store| store.create(long(3, "overdue")).map(drop);

const CASES: &[Case] = &[
    Case { what: "a creation", before: &[TAKEN], tail: None, act: BUILD },
    Case {
        what: "a creation that was begun",
        before: &[TAKEN],
        tail: Some(b"{\"form"),
        act: BUILD,
    },
    Case {
        what: "a takeover",
        before: &[BUILD, TAKEN],
        tail: None,
        act: |store| store.create(late(4, "taken")).map(drop),
    },
    Case {
        what: "taking a name that was given back",
        before: &[BUILD, |store| store.remove(samples::id(1), &samples::observer(1)).map(drop)],
        tail: None,
        act: |store| store.create(late(4, "build")).map(drop),
    },
    Case {
        what: "an update",
        before: &[BUILD, TAKEN],
        tail: None,
        act: |store| retitle(store, 1, 5),
    },
    Case {
        what: "an update behind a torn one",
        before: &[BUILD, TAKEN],
        tail: Some(b"{\"type\":\"sess\0\0\0\0\0\0"),
        act: |store| retitle(store, 1, 9_000),
    },
    Case {
        what: "an update behind something strange",
        before: &[BUILD, TAKEN],
        tail: Some(b"garbage\n{\"type\":\"sess"),
        act: |store| retitle(store, 1, 5),
    },
    Case {
        what: "a removal",
        before: &[BUILD, TAKEN],
        tail: None,
        act: |store| store.remove(samples::id(1), &samples::observer(1)).map(drop),
    },
    Case {
        what: "a sweep",
        before: &[BUILD, TAKEN, OVERDUE],
        tail: None,
        act: |store| store.sweep(&samples::observer(9)).map(drop),
    },
];

/// A fault at a place that counts operations of one kind, or all.
struct Trouble {
    only: Option<Call>,
    fault: Fault,
    lasting: Lasting,
}

const fn trouble(only: Option<Call>, fault: Fault, lasting: Lasting) -> Trouble {
    Trouble { only, fault, lasting }
}

/// Where a change is made.
#[derive(Clone, Copy)]
enum Medium<'a> {
    /// On disks in memory, all of them as this one was.
    Memory(&'a Setting),
    Real,
}

/// A disk before a change, and what its store holds before and after it.
struct Setting {
    place: Place,
    image: Image,
    before: Content,
    after: Content,
}

impl Case {
    fn prepare(&self) -> Setting {
        let place = Place::for_lock();
        let disk = MemoryDisk::new(Image::empty(place.root()));
        let store = place.open(disk.clone()).unwrap();
        self.before.iter().for_each(|act| act(&store).unwrap());
        let before = listed(&store).0;
        let mut image = disk.image();
        if let Some(tail) = self.tail {
            image.append(&place.store().join(format!("{}.jsonl", samples::id(1))), tail);
        }
        let store = place.open(MemoryDisk::new(image.clone())).unwrap();
        (self.act)(&store).unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let after = listed(&store).0;
        Setting { place, image, before, after }
    }

    /// Makes the change in many stores, in each with the next operation that fails, until none does; returns how
    /// many did.
    fn meets(&self, trouble: &Trouble, medium: Medium<'_>) -> u32 {
        let Trouble { only, fault, lasting } = *trouble;
        for nth in 1.. {
            let new;
            let (setting, disk): (_, Arc<dyn Disk>) = match medium {
                Medium::Memory(setting) => (setting, MemoryDisk::new(setting.image.clone())),
                Medium::Real => {
                    new = self.prepare();
                    new.image.write_below(new.place.root());
                    (&new, Arc::new(RealDisk))
                }
            };
            let Setting { place, before, after, .. } = setting;
            let faulty = FaultyDisk::new(disk.clone());
            let store = place.open(faulty.clone()).unwrap();
            faulty.fail(nth, only, fault, lasting);
            let result = (self.act)(&store);
            let failed = faulty.heal();
            let what = format!("{}, {nth} of {only:?}: {fault:?}, {result:?}", self.what);

            let is_poisoned = is_poisoned(&store, &what);
            let syncs = failed.iter().any(|call| matches!(call, Call::Sync | Call::SyncDirectory));
            assert!(is_poisoned || !syncs, "{what}: goes on after {failed:?}");
            let found = listed(&place.read(disk.clone()).unwrap()).0;
            for id in after.keys().chain(found.keys()) {
                let found = found.get(id);
                assert!(found == before.get(id) || found == after.get(id), "{what}: {found:?}");
            }
            match result {
                Ok(()) => assert!(found == *after && !is_poisoned, "{what}"),
                Err(error) => {
                    let expected = if is_full(fault) { ErrorKind::DiskFull } else { ErrorKind::Io };
                    assert_eq!(error.kind(), expected, "{what}");
                    let is_cut_back = failed == [Call::Append];
                    assert!(!(is_cut_back && is_poisoned), "{what}: is of no use any more");
                    assert!(found != *after || is_poisoned, "{what}: is done all the same");
                }
            }
            if failed.is_empty() {
                return nth - 1;
            }
            // It can be done after all, by the same handle if that may go on.
            let other = place.open(disk.clone()).unwrap();
            let worker = if is_poisoned { &other } else { &store };
            if found != *after {
                (self.act)(worker).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            for store in [worker, &place.read(disk.clone()).unwrap()] {
                assert_eq!(listed(store), (after.clone(), vec![]), "{what}");
            }
        }
        0
    }
}

const fn is_full(fault: Fault) -> bool {
    let (Fault::Before(errno) | Fault::After(errno) | Fault::Short(_, errno) | Fault::Half(errno)) =
        fault;
    matches!(errno, Errno::NOSPC | Errno::DQUOT)
}

/// Whether a store refuses everything, as it must when it refuses anything.
fn is_poisoned(store: &JsonlStore, what: &str) -> bool {
    let observer = samples::observer(0);
    let answers = [
        store.flush(),
        store.get(samples::id(63)).map(drop),
        store.named(&samples::name("x")).map(drop),
        store.list(&Query::new(observer.clone())).map(drop),
    ];
    let is_poisoned = |answer: &Result<(), StoreError>| matches!(answer, Err(StoreError::Poisoned));
    let poisoned = answers.iter().filter(|answer| is_poisoned(answer)).count();
    assert!(poisoned == 0 || poisoned == answers.len(), "{what}: {answers:?}");
    if poisoned > 0 {
        let writes = [
            store.create(samples::bare(63)).map(drop),
            store.update(samples::bare(1), samples::at(9)).map(drop),
            store.remove(samples::id(1), &observer).map(drop),
            store.sweep(&observer).map(drop),
        ];
        assert!(writes.iter().all(is_poisoned), "{what}: {writes:?}");
    }
    poisoned > 0
}

#[test]
fn whichever_operation_fails_a_change_is_made_or_not() {
    let faults = [Fault::Before(Errno::IO), Fault::After(Errno::IO), Fault::Before(Errno::NOSPC)];
    for case in CASES {
        let setting = case.prepare();
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            for fault in faults {
                let trouble = trouble(None, fault, lasting);
                let failed = case.meets(&trouble, Medium::Memory(&setting));
                assert!(failed > 5, "{} has more than {failed} operations", case.what);
            }
        }
    }
}

#[test]
fn whichever_operation_on_the_real_disk_fails_a_change_is_made_or_not() {
    for case in CASES {
        case.meets(
            &trouble(Some(Call::Sync), Fault::After(Errno::IO), Lasting::Once),
            Medium::Real,
        );
        let short = Fault::Short(100, Errno::NOSPC);
        case.meets(&trouble(Some(Call::Append), short, Lasting::Once), Medium::Real);
    }
    // Syncing takes its time there, so not every change meets everything.
    for case in CASES.iter().filter(|case| case.tail.is_some()) {
        case.meets(&trouble(None, Fault::Before(Errno::IO), Lasting::Once), Medium::Real);
    }
}

#[test]
fn a_write_of_any_length_is_taken_back() {
    let once = [Errno::NOSPC, Errno::DQUOT, Errno::IO].map(|errno| (errno, Lasting::Once));
    for case in CASES {
        let setting = case.prepare();
        for kept in [0, 1, 61, 62, 63, 100, 4096, usize::MAX] {
            for (errno, lasting) in once.into_iter().chain([(Errno::IO, Lasting::FromThenOn)]) {
                let short = trouble(Some(Call::Append), Fault::Short(kept, errno), lasting);
                let failed = case.meets(&short, Medium::Memory(&setting));
                assert!(failed > 0, "{} writes", case.what);
            }
        }
    }
}

#[test]
fn reading_that_is_interrupted_goes_on() {
    for case in CASES {
        let Setting { place, image, after, .. } = case.prepare();
        for nth in 1.. {
            let faulty = FaultyDisk::new(MemoryDisk::new(image.clone()));
            let store = place.open(faulty.clone()).unwrap();
            faulty.fail(nth, Some(Call::Read), Fault::Before(Errno::INTR), Lasting::Once);
            (case.act)(&store).unwrap_or_else(|error| panic!("{}, {nth}: {error}", case.what));
            assert_eq!(listed(&store), (after.clone(), vec![]));
            if faulty.heal().is_empty() {
                break;
            }
        }
    }
}

#[test]
fn whichever_operation_fails_a_store_is_made_or_can_be() {
    for fault in [Fault::Before(Errno::IO), Fault::After(Errno::NOSPC), Fault::Short(9, Errno::IO)]
    {
        for lasting in [Lasting::Once, Lasting::FromThenOn] {
            for nth in 1.. {
                let place = Place::for_lock();
                let disk = MemoryDisk::new(Image::empty(place.root()));
                let faulty = FaultyDisk::new(disk.clone());
                faulty.fail(nth, None, fault, lasting);
                let opened = place.open(faulty.clone());
                let failed = faulty.heal();
                let what = format!("{nth}: {fault:?} {opened:?}");
                assert!(opened.is_ok() || !failed.is_empty(), "{what}");
                if let Err(error) = opened {
                    assert!([ErrorKind::Io, ErrorKind::DiskFull].contains(&error.kind()), "{what}");
                }
                let store =
                    place.open(disk.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
                BUILD(&store).unwrap();
                assert_eq!(listed(&place.read(disk.clone()).unwrap()), listed(&store), "{what}");
                if failed.is_empty() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_copy_for_which_there_is_no_room_is_not_left_behind() {
    let strange = CASES.iter().find(|case| case.what.ends_with("strange")).unwrap();
    let Setting { place, image, .. } = strange.prepare();
    let disk = MemoryDisk::new(image);
    let faulty = FaultyDisk::new(disk.clone());
    let store = place.open(faulty.clone()).unwrap();
    faulty.fail(1, Some(Call::Append), Fault::Short(5, Errno::NOSPC), Lasting::Once);
    assert_eq!((strange.act)(&store).unwrap_err().kind(), ErrorKind::DiskFull);
    assert_eq!(disk.names(&place.store().join("quarantine")).unwrap(), [""; 0]);
}

#[test]
fn closing_tells_once_that_what_is_on_the_disk_is_uncertain() {
    let place = Place::for_lock();
    let faulty = FaultyDisk::new(MemoryDisk::new(Image::empty(place.root())));
    let store = place.open(faulty.clone()).unwrap();
    faulty.fail(1, Some(Call::Sync), Fault::Before(Errno::IO), Lasting::Once);
    BUILD(&store).unwrap_err();
    assert!(matches!(store.close(), Err(StoreError::Poisoned)));
    assert!(store.close().is_ok());
    assert!(place.open(faulty.clone()).unwrap().close().is_ok());
}

/// A dead writer's change of several files, of which one is not what it was: all that can be done is done.
#[test]
fn a_pending_change_that_has_lost_a_file_does_not_stop_the_store() {
    let place = Place::new();
    let create = |store: &JsonlStore| {
        store.create(samples::until(1, "build", 5)).unwrap();
        store.create(samples::until(2, "other", 5)).unwrap();
    };
    for is_missing in [false, true] {
        let faulty = FaultyDisk::new(Arc::new(RealDisk));
        create(&place.open(faulty.clone()).unwrap());
        let [lost, kept] =
            [1, 2].map(|number| place.store().join(format!("{}.jsonl", samples::id(number))));
        // The whole change is written down; nothing of it is done.
        let pending = place.store().join("pending.jsonl");
        for nth in 1.. {
            let store = place.open(faulty.clone()).unwrap();
            faulty.fail(nth, None, Fault::Before(Errno::IO), Lasting::FromThenOn);
            _ = store.sweep(&samples::observer(9));
            faulty.heal();
            let is_whole = std::fs::read_to_string(&pending)
                .is_ok_and(|text| text.contains("\"type\":\"end\""));
            if is_whole {
                break;
            }
        }
        if is_missing {
            std::fs::remove_file(&lost).unwrap();
        } else {
            std::fs::write(&lost, &std::fs::read(&lost).unwrap()[..100]).unwrap();
        }
        let reader = JsonlStore::open_read_only(place.store()).unwrap();
        let damaged = reader.check().unwrap().damaged;
        assert!(
            damaged.iter().any(|damage| damage.place.ends_with("pending.jsonl")
                && damage.reason.contains(&samples::id(1).to_string())),
            "{damaged:?}"
        );
        assert_eq!(reader.get(samples::id(2)).unwrap().status(), session_core::Status::Expired);

        let store = JsonlStore::open(place.store()).unwrap();
        store.create(samples::named(3, "works-on")).unwrap();
        assert!(!pending.exists());
        assert_eq!(store.get(samples::id(2)).unwrap().status(), session_core::Status::Expired);
        assert!(std::fs::read_to_string(&kept).unwrap().contains("expired"));
        let aside: Vec<_> = std::fs::read_dir(place.store().join("quarantine"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(aside.len(), 2, "{aside:?}");
        for path in aside {
            let text = std::fs::read_to_string(&path).unwrap();
            if path.extension().is_some_and(|end| end == "json") {
                assert!(text.contains("it was to be appended"), "{text}");
            } else {
                assert!(text.contains("\"status\":\"expired\""), "{text}");
            }
        }
        drop((store, reader));
        std::fs::remove_dir_all(place.store()).unwrap();
    }
}
