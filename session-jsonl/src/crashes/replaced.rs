//! The power is lost at every point of a backup and of its restoration, in every way that POSIX allows.

use rustix::io::Errno;
use session_core::{RecordStore as _, StoreUpkeep as _, bundle};

use super::*;
use crate::disk::faulty::{Call, Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Image, MemoryDisk};
use crate::disk::power;
use crate::disk::recording::{RecordingDisk, Step};

/// The disk of a store, and of its backup from before the last changes.
struct Backed {
    place: Place,
    disk: Arc<MemoryDisk>,
    /// What the backup holds.
    older: Vec<String>,
    /// What the store holds.
    newer: Vec<String>,
}

impl Backed {
    fn new() -> Self {
        let place = Place::for_lock();
        let disk = MemoryDisk::new(Image::empty(place.root()));
        let store = place.open(disk.clone()).unwrap();
        store.create(samples::named(1, "build")).unwrap();
        store.append(samples::id(1), &[samples::said(1, "one")], samples::at(2)).unwrap();
        store.backup(&place.root().join("copy")).unwrap();
        let older = whole(&store);
        store.append(samples::id(1), &[samples::said(2, "two")], samples::at(3)).unwrap();
        store.create(samples::named(2, "later")).unwrap();
        let newer = whole(&store);
        drop(store);
        Self { place, disk, older, newer }
    }

    fn copy(&self) -> PathBuf {
        self.place.root().join("copy")
    }

    /// What stands beside the store once something took its place.
    fn replaced(&self) -> PathBuf {
        self.place.store().with_file_name("store.replaced-0")
    }
}

/// Everything that can be read of a store, as lines.
fn whole(store: &JsonlStore) -> Vec<String> {
    let mut lines = Vec::new();
    let push = |line: bundle::Line| {
        lines.push(line.to_string());
        Ok::<_, StoreError>(())
    };
    assert!(bundle::dump(store, push).unwrap().is_empty());
    lines
}

/// Restores the backup on a disk where directories can be exchanged or cannot, and loses the power at every point.
fn lose_power_while_restoring(can_exchange: bool) {
    let backed = Backed::new();
    let Backed { place, older, newer, .. } = &backed;
    let start = backed.disk.image();
    let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
    let faulty = FaultyDisk::new(disk.clone());
    let store = place.open(faulty.clone()).unwrap();
    if !can_exchange {
        let fault = Fault::Before(Errno::NOSYS);
        faulty.fail(1, Some(Call::Exchange), fault, Lasting::FromThenOn);
    }
    store.restore_backup(&backed.copy(), None).unwrap();
    disk.acknowledge();
    assert_eq!(whole(&store), *older);
    store.append(samples::id(1), &[samples::said(3, "three")], samples::at(4)).unwrap();
    let last = whole(&store);
    disk.acknowledge();

    let steps = disk.steps();
    let (mut before, mut after) = (0, 0);
    for cut in 0..=steps.len() {
        let steps = &steps[..cut];
        let acknowledged = steps.iter().filter(|step| **step == Step::Acknowledged).count();
        for image in power::images(&start, steps) {
            let found = MemoryDisk::new(image);
            let store = place.open(found.clone());
            let store = store.unwrap_or_else(|error| panic!("{error}, after {steps:#?}"));
            let content = whole(&store);
            let is_old = content == *newer && store.info().generation == 0;
            let is_new = (content == *older || content == last) && store.info().generation == 1;
            let is_expected = match acknowledged {
                0 => is_old || is_new,
                1 => is_new,
                _ => is_new && content == last,
            };
            assert!(is_expected, "{content:#?} after {steps:#?}");
            // It works on, and what it took the place of is still there.
            store.create(samples::named(3, "works-on")).unwrap();
            let stamp = |path: &Path| found.stamp(path).unwrap();
            let restoring = place.store().with_file_name("store.restoring");
            if is_new {
                let aside = if stamp(&backed.replaced()).is_some() {
                    backed.replaced()
                } else {
                    assert_eq!(acknowledged, 0);
                    restoring
                };
                let kept = JsonlStore::read_on(found.clone(), &aside).unwrap();
                assert_eq!(whole(&kept), *newer);
                after += 1;
            } else {
                // A second attempt is not kept by the first one's remains.
                store.restore_backup(&backed.copy(), None).unwrap();
                assert_eq!(whole(&store), *older);
                before += 1;
            }
        }
    }
    assert!(before > 50 && after > 5, "{before} and {after}");
}

#[test]
fn a_backup_is_restored_wholly_or_not_at_all_whenever_the_power_is_lost() {
    lose_power_while_restoring(true);
}

#[test]
fn so_it_is_where_directories_cannot_be_exchanged() {
    lose_power_while_restoring(false);
}

#[test]
fn a_backup_is_whole_or_not_there_whenever_the_power_is_lost() {
    let Backed { place, disk, newer, .. } = &Backed::new();
    let start = disk.image();
    let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
    let target = place.root().join("another");
    place.open(disk.clone()).unwrap().backup(&target).unwrap();
    disk.acknowledge();
    let steps = disk.steps();
    let mut whole_ones = 0;
    for cut in 0..=steps.len() {
        for image in power::images(&start, &steps[..cut]) {
            let found = MemoryDisk::new(image);
            assert_eq!(whole(&place.read(found.clone()).unwrap()), *newer);
            if found.stamp(&target).unwrap().is_some() {
                let copy = JsonlStore::read_on(found, &target).unwrap();
                assert_eq!(whole(&copy), *newer);
                whole_ones += 1;
            } else {
                assert!(cut < steps.len(), "it was acknowledged");
            }
        }
    }
    assert!(whole_ones > 0);
}

/// Killed after the exchange, a restoration leaves what it replaced beside the store, and that does not come back.
#[test]
fn what_was_replaced_does_not_come_back_when_the_store_is_moved_away() {
    for is_opened in [false, true] {
        let backed = Backed::new();
        let Backed { place, disk, older, newer, .. } = &backed;
        let faulty = FaultyDisk::new(disk.clone());
        let store = place.open(faulty.clone()).unwrap();
        // All renaming after the exchange.
        faulty.fail(1, Some(Call::Rename), Fault::Before(Errno::IO), Lasting::FromThenOn);
        store.restore_backup(&backed.copy(), None).unwrap_err();
        drop(store);
        let restoring = place.store().with_file_name("store.restoring");
        let is_there = |path: &Path| disk.stamp(path).unwrap().is_some();
        assert!(is_there(&restoring));
        if is_opened {
            assert_eq!(whole(&place.open(disk.clone()).unwrap()), *older);
            assert!(!is_there(&restoring));
            let kept = JsonlStore::read_on(disk.clone(), &backed.replaced()).unwrap();
            assert_eq!(whole(&kept), *newer);
        }
        disk.rename(&place.store(), &place.root().join("elsewhere")).unwrap();
        let store = place.open(disk.clone()).unwrap();
        assert_eq!(listed(&store).0, Content::new());
        let aside = if is_opened { backed.replaced() } else { restoring };
        assert_eq!(whole(&JsonlStore::read_on(disk.clone(), &aside).unwrap()), *newer);
    }
}

#[test]
fn a_store_is_neither_copied_into_itself_nor_restored_from_itself() {
    let place = Place::new();
    let store = JsonlStore::open(place.store()).unwrap();
    store.create(samples::named(1, "build")).unwrap();
    let before = whole(&store);
    let link = place.root().join("link");
    std::os::unix::fs::symlink(place.store(), &link).unwrap();
    std::fs::create_dir(place.store().join("sub")).unwrap();
    let refused = |outcome: Result<(), StoreError>| {
        assert!(matches!(outcome, Err(StoreError::Unsupported { .. })), "{outcome:?}");
    };
    for inside in [place.store(), link.clone(), place.store().join("sub"), link.join("sub")] {
        refused(store.backup(&inside.join("copy")));
        assert!(!inside.join("copy").exists());
    }
    refused(store.restore_backup(&place.store(), None));
    refused(store.restore_backup(&link, None));
    store.backup(&place.root().join("copy")).unwrap();
    refused(store.restore_backup(&place.root().join("copy"), Some(&link.join("kept"))));
    assert_eq!(whole(&store), before);
    assert_eq!(store.info().generation, 0);
}
