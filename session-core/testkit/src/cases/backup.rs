//! Backups: made while others write, put back in one step, and refused when they are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use session_core::{ErrorKind, SessionStore, StoreError};

use crate::StoreFixture;
use crate::content;
use crate::probe::{append, assert_refused, everything, found, history, hits, page, search};
use crate::samples::{
    at, bare, every_kind, from_the_future, full, id, named, observer, record_id, said, unheard_of,
};
use crate::{assert_same_content, probe};

fn fill(store: &dyn SessionStore) {
    store.create(full(1)).unwrap();
    store.create(from_the_future(2)).unwrap();
    append(store, 1, &every_kind(), 1);
    append(store, 2, &unheard_of(), 1);
    for number in 3..6 {
        store.create(named(number, &format!("n-{number}"))).unwrap();
        append(store, number, &[said(1, "word"), said(2, "word again")], 1);
    }
    store.remove(id(4), &observer(2)).unwrap();
    store.remove(id(5), &observer(2)).unwrap();
    store.purge(id(5), at(3)).unwrap();
}

/// Runs a case where there are backups; checks elsewhere that their absence is declared and both calls are refused.
fn with_scratch(fixture: &dyn StoreFixture, case: impl FnOnce(&dyn SessionStore, &Path)) {
    let store = fixture.open();
    let scratch = fixture.scratch();
    assert_eq!(store.info().has_backups, scratch.is_some(), "what is declared is what is tested");
    fill(&*store);
    match scratch {
        Some(scratch) => case(&*store, &scratch),
        None => {
            let nowhere = Path::new("nowhere");
            assert_refused!(&*store, |store| store.backup(nowhere), StoreError::Unsupported { .. });
            assert_refused!(
                &*store,
                |store| store.restore_backup(nowhere, None),
                StoreError::Unsupported { .. }
            );
        }
    }
}

/// STORE-49: a backup is a store of the same kind with the same content, and the original goes on apart from it.
pub fn is_a_store_of_its_own(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        let target = scratch.join("copy of 'it' %");
        let before = content(store);
        store.backup(&target).unwrap();
        assert_eq!(content(store), before);
        append(store, 3, &[said(3, "later")], 5);

        let copy = fixture.open_copy(&target);
        assert_eq!(content(&*copy), before);
        assert_eq!(copy.info().kind, store.info().kind);
        assert_eq!(copy.check().unwrap().damaged, []);
        append(&*copy, 3, &[said(9, "elsewhere")], 6);
        assert_eq!(found(store, &search("later OR elsewhere")), [(3, 3)]);
        assert_eq!(found(&*copy, &search("later OR elsewhere")), [(3, 3)]);
        assert_eq!(history(store, 3)[2].entry.id, record_id("r-3"));
    });
}

/// STORE-49: nothing that stands at the target is touched, be it a file, a directory or an earlier backup.
pub fn overwrites_nothing(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        let (file, directory, copy) =
            (scratch.join("file"), scratch.join("directory"), scratch.join("copy"));
        fs::write(&file, "precious").unwrap();
        fs::create_dir(&directory).unwrap();
        store.backup(&copy).unwrap();
        let before = files(&copy);
        append(store, 3, &[said(3, "later")], 5);
        for target in [&file, &directory, &copy] {
            assert_refused!(store, |store| store.backup(target), StoreError::TargetExists { path } if path == target);
        }
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        assert_eq!(files(&copy), before);
    });
}

/// STORE-49: a backup made while others write is whole: every session in it has all the records that it counts.
pub fn is_whole_whatever_others_write(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        store.create(bare(9)).unwrap();
        let done = AtomicBool::new(false);
        let writer = fixture.open();
        thread::scope(|scope| {
            let (done, writer) = (&done, &*writer);
            scope.spawn(move || {
                let mut count = 0;
                while !done.load(Ordering::Acquire) && count < 3000 {
                    append(writer, 9, &[said(count, "a"), said(count + 1, "b")], 1);
                    count += 2;
                }
            });
            let copies = (0..3).map(|count| {
                let target = scratch.join(format!("copy-{count}"));
                store.backup(&target).map(|()| target)
            });
            let copies: Vec<_> = copies.collect();
            done.store(true, Ordering::Release);
            for target in copies {
                let copy = fixture.open_copy(&target.unwrap());
                assert_eq!(copy.check().unwrap().damaged, []);
                let session = copy.get(id(9)).unwrap();
                let records = history(&*copy, 9);
                assert_eq!(session.totals().records, records.len() as u64);
                assert_eq!(records.len() % 2, 0, "half a batch was copied");
                let mut searching = search("a OR b");
                searching.session = Some(id(9));
                assert_eq!(found(&*copy, &searching).len(), records.len());
            }
        });
    });
}

/// STORE-50: every handle reads the copy's content afterwards, in another generation, and goes on from it.
pub fn is_put_back_for_everybody(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        let (other, target) = (fixture.open(), scratch.join("copy"));
        store.backup(&target).unwrap();
        let (before, generation) = (content(store), store.info().generation);
        append(&*other, 3, &[said(3, "later")], 5);
        other.create(named(10, "later")).unwrap();
        other.restore(id(4), at(6)).unwrap();
        let mut listing = everything();
        listing.limit = std::num::NonZeroU32::new(1);
        listing.cursor = page(store, &listing).next;
        let mut searching = search("word");
        searching.limit = std::num::NonZeroU32::new(1);
        searching.cursor = hits(store, &searching).next;
        assert!(listing.cursor.is_some() && searching.cursor.is_some());

        store.restore_backup(&target, None).unwrap();
        let now = store.info().generation;
        assert_ne!(now, generation);
        for handle in [store, &*other, &*fixture.open()] {
            assert_eq!(content(handle), before);
            assert_eq!(handle.info().generation, now);
            assert_refused!(handle, |store| store.list(&listing), StoreError::StaleCursor);
            assert_refused!(handle, |store| store.search(&searching), StoreError::StaleCursor);
            assert_eq!(found(handle, &search("later")), []);
        }
        assert_eq!(append(&*other, 3, &[said(9, "anew")], 7).seqs, probe::seqs([3]));
        assert_eq!(history(store, 3)[2].entry, said(9, "anew"));
        store.create(named(10, "later")).unwrap();
        assert_eq!(content(&*fixture.open_copy(&target)), before, "the copy is not used up");
    });
}

/// STORE-58: what was there before is put where the caller wants it; a copy that is refused puts nothing there, and
/// what stands there already is refused and changes nothing.
pub fn keeps_what_was_there_before(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        let (target, kept) = (scratch.join("copy"), scratch.join("kept"));
        store.backup(&target).unwrap();
        store.create(named(10, "later")).unwrap();
        let before = content(store);
        let nowhere = scratch.join("nowhere");
        assert!(store.restore_backup(&nowhere, Some(&kept)).is_err());
        assert!(kept.symlink_metadata().is_err(), "a copy that is none was taken for one");
        let taken = probe::refused(store, |store| store.restore_backup(&target, Some(&target)));
        assert!(matches!(taken, StoreError::TargetExists { .. }), "{taken:?}");
        store.restore_backup(&target, Some(&kept)).unwrap();
        assert_ne!(content(store), before);
        assert_eq!(content(&*fixture.open_copy(&kept)), before);
        store.restore_backup(&kept, None).unwrap();
        assert_eq!(content(store), before);
    });
}

/// STORE-50: the backup of one store can be put into another one of the same kind, again and again, each time another
/// generation.
pub fn is_put_into_another_store(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        let target = scratch.join("copy");
        store.backup(&target).unwrap();
        let other = fixture.other();
        other.create(named(20, "replaced")).unwrap();
        let mut generations = vec![other.info().generation];
        for _ in 0..3 {
            other.restore_backup(&target, None).unwrap();
            assert_same_content(&*other, store);
            let generation = other.info().generation;
            assert!(!generations.contains(&generation), "{generation} was there before");
            generations.push(generation);
        }
    });
}

/// STORE-50: what is damaged, or no backup at all, is refused as corrupt and changes nothing; so is what is absent, if
/// not for what the disk says.
pub fn is_refused_when_damaged(fixture: &dyn StoreFixture) {
    with_scratch(fixture, |store, scratch| {
        // Enough to damage.
        let long: Vec<_> = (1..200).map(|number| said(number, &"word ".repeat(100))).collect();
        store.create(bare(9)).unwrap();
        append(store, 9, &long, 1);
        let (text, empty) = (scratch.join("text"), scratch.join("empty"));
        fs::write(&text, "no store at all\n".repeat(1000)).unwrap();
        fs::create_dir(&empty).unwrap();
        let garbled = scratch.join("garbled");
        store.backup(&garbled).unwrap();
        damage(&garbled, |bytes| bytes.fill(0xa5));
        let torn = scratch.join("torn");
        store.backup(&torn).unwrap();
        damage(&torn, |bytes| {
            let third = bytes.len() / 3;
            bytes[third..2 * third].fill(0xa5);
        });
        let generation = store.info().generation;
        for copy in [scratch.join("absent"), text, empty, garbled, torn] {
            let error = probe::refused(store, |store| store.restore_backup(&copy, None));
            let is_told = match error.kind() {
                ErrorKind::Corrupt => true,
                ErrorKind::Io => !copy.exists(),
                _ => false,
            };
            assert!(is_told, "{}: {error:?}", copy.display());
            assert_eq!(store.info().generation, generation);
        }
        append(store, 3, &[said(3, "goes on")], 9);
    });
}

/// Every file under a path, or the path itself when it is one.
fn paths(place: &Path) -> Vec<PathBuf> {
    if !place.is_dir() {
        return vec![place.to_owned()];
    }
    let mut found: Vec<_> =
        fs::read_dir(place).unwrap().flat_map(|entry| paths(&entry.unwrap().path())).collect();
    found.sort();
    found
}

fn files(place: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    paths(place).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn damage(copy: &Path, edit: impl Fn(&mut Vec<u8>)) {
    for (path, mut bytes) in files(copy) {
        edit(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}
