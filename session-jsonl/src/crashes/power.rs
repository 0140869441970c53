//! The power is lost at every point of a store's life, in every way that POSIX allows.

use std::collections::HashSet;

use rustix::io::Errno;
use session_core::{Reading, RecordStore as _, Removal, Seq, StoreUpkeep as _, bundle};

use super::*;
use crate::disk::faulty::{Fault, FaultyDisk, Lasting};
use crate::disk::memory::{Entry, Image, MemoryDisk};
use crate::disk::power;
use crate::disk::recording::{RecordingDisk, Step};

/// The life of a store after it was made. Session 3 takes the name of session 2.
const LIFE: &[Act] = &[
    |store| store.create(samples::named(1, "build")).map(drop),
    |store| store.create(long(2, "taken")).map(drop),
    |store| retitle(store, 1, 1),
    |store| retitle(store, 1, 9_000),
    |store| store.create(samples::until(4, "overdue", 5)).map(drop),
    |store| store.create(late(3, "taken")).map(drop),
    |store| store.remove(samples::id(1), &samples::observer(8)).map(drop),
    |store| store.create(samples::until(5, "overdue-too", 5)).map(drop),
    |store| store.sweep(&samples::observer(9)).map(drop),
];

/// The life of histories, after that of the store was made: sessions that are appended to, taken over, thrown away and
/// brought back, alone and several at once.
const HISTORIES: &[Act] = &[
    |store| store.create(samples::named(1, "build")).map(drop),
    |store| say(store, 1, 1..4, "short"),
    |store| say(store, 1, 4..6, &"long ".repeat(1_000)),
    |store| {
        let mut session = samples::named(2, "adopted");
        session.conversation.get_or_insert_default().totals.records = 3;
        let entries = (1..4).map(|number| samples::said(number, "adopted"));
        let records = (0..).map(Seq::after).zip(entries).map(|(seq, entry)| Ok(entry.at(seq)));
        store.adopt(session, &mut records.collect::<Vec<_>>().into_iter())
    },
    |store| store.remove(samples::id(2), &samples::observer(8)).map(drop),
    |store| store.restore(samples::id(2), samples::at(9)).map(drop),
    |store| store.create(long(3, "overdue")).map(drop),
    |store| store.create(samples::until(4, "overdue-too", 5)).map(drop),
    |store| store.create(late(5, "overdue")).map(drop),
    |store| store.remove_all(&Removal::everything(samples::observer(9))).map(drop),
    |store| store.purge(samples::id(2), samples::at(10)).map(drop),
    |store| store.purge(samples::id(3), samples::at(11)).map(drop),
    |store| store.restore(samples::id(1), samples::at(12)).map(drop),
    |store| say(store, 1, 7..9, "after all"),
];

/// Adds some messages to a history, in one batch.
fn say(
    store: &JsonlStore,
    number: u32,
    said: std::ops::Range<u32>,
    words: &str,
) -> Result<(), StoreError> {
    let entries: Vec<_> = said.map(|said| samples::said(said, words)).collect();
    store.append(samples::id(number), &entries, samples::at(2)).map(drop)
}

/// What was recorded, and what the store held before it and each time that it said that something was done.
#[derive(Clone)]
struct Recording {
    start: Image,
    is_made: bool,
    steps: Vec<Step>,
    contents: Vec<Content>,
    /// The same with all histories and tombstones.
    wholes: Vec<Vec<String>>,
}

/// Opens or makes the store, and then lets it live.
fn live(place: &Place, start: Image, life: &[Act]) -> Recording {
    let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
    let is_made = place.read(disk.clone()).is_ok();
    let store = place.open(disk.clone()).unwrap();
    disk.acknowledge();
    let found = listed(&store).0;
    let mut contents = vec![found.clone(), found];
    let mut wholes = vec![whole(&store); 2];
    for act in life {
        act(&store).unwrap();
        disk.acknowledge();
        contents.push(listed(&store).0);
        wholes.push(whole(&store));
    }
    Recording { start, is_made, steps: disk.steps(), contents, wholes }
}

#[test]
fn what_was_acknowledged_is_there_whenever_the_power_is_lost() {
    let place = Place::for_lock();
    let recording = live(&place, Image::empty(place.root()), LIFE);
    let images = lose_power(&place, &recording).unwrap();
    assert!(images > 500, "{images} states are not what this is for");
}

#[test]
fn what_was_acknowledged_of_histories_is_there_whenever_the_power_is_lost() {
    let place = Place::for_lock();
    let recording = live(&place, Image::empty(place.root()), HISTORIES);
    let images = lose_power(&place, &recording).unwrap();
    assert!(images > 500, "{images} states are not what this is for");
}

/// The disk of a store with a history of five records.
fn with_history(place: &Place) -> Image {
    let disk = MemoryDisk::new(Image::empty(place.root()));
    let store = place.open(disk.clone()).unwrap();
    HISTORIES[..3].iter().for_each(|act| act(&store).unwrap());
    disk.image()
}

/// The bytes of a file.
fn bytes_of<'a>(image: &'a mut Image, path: &Path) -> &'a mut Vec<u8> {
    let (directory, name) = image.place(path).unwrap();
    let Entry::File(inode) = directory[name] else { panic!("{name:?} is a directory") };
    image.files.get_mut(&inode).unwrap()
}

#[test]
fn a_repair_is_made_wholly_or_not_at_all_whenever_the_power_is_lost() {
    let place = Place::for_lock();
    let mut start = with_history(&place);
    let bytes = bytes_of(&mut start, &first_file(&place));
    let at = memchr::memmem::find(bytes, b"\"seq\":2").unwrap();
    bytes[at] = b'?';
    let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
    let store = place.open(disk.clone()).unwrap();
    let found = |image: &Image| {
        let store = place.read(MemoryDisk::new(image.clone())).unwrap();
        let page = store.read(samples::id(1), &Reading::ALL).unwrap();
        (page.records.len(), page.damaged.len())
    };
    assert_eq!(found(&start), (4, 1));
    store.repair(samples::at(20)).unwrap();
    disk.acknowledge();
    let steps = disk.steps();
    let (mut before, mut after) = (0, 0);
    for cut in 0..=steps.len() {
        for image in power::images(&start, &steps[..cut]) {
            match found(&image) {
                (4, 1) => before += 1,
                (5, 0) => {
                    let copies = &image.directories[&place.store().join("quarantine")];
                    assert_eq!(copies.len(), 2, "{:#?}", shown(&steps[..cut]));
                    after += 1;
                }
                other => panic!("{other:?} after {:#?}", shown(&steps[..cut])),
            }
        }
    }
    assert!(before > 10 && after > 0, "{before} and {after}");
    let last = power::worst(&start, &steps);
    assert_eq!(found(&last), (5, 0));
}

#[test]
fn a_store_that_is_migrated_is_of_one_version_whenever_the_power_is_lost() {
    let place = Place::for_lock();
    let mut start = with_history(&place);
    let marker = bytes_of(&mut start, &place.store().join("format.json"));
    *marker = String::from_utf8(marker.clone()).unwrap().replace(":2,", ":1,").into_bytes();
    let images = lose_power(&place, &live(&place, start, &[HISTORIES[2]])).unwrap();
    assert!(images > 10, "{images}");
}

#[test]
fn a_store_that_did_not_sync_would_be_found_out() {
    let place = Place::for_lock();
    let whole = live(&place, Image::empty(place.root()), &LIFE[..3]);
    for (at, step) in whole.steps.iter().enumerate() {
        let is_needed = match step {
            Step::Sync { .. } => true,
            // Whether what was there before is on the medium is not known to the store.
            Step::SyncDirectory { path } => path.starts_with(place.root()),
            _ => false,
        };
        if is_needed {
            let mut steps = whole.steps.clone();
            steps.remove(at);
            let negligent = Recording { steps, ..whole.clone() };
            assert!(lose_power(&place, &negligent).is_err(), "{at}: {step:?} is not needed");
        }
    }
}

/// The disk of a store whose session 1 has this behind its last whole batch.
fn with_tail(place: &Place, tail: &[u8]) -> Image {
    let disk = MemoryDisk::new(Image::empty(place.root()));
    LIFE[0](&place.open(disk.clone()).unwrap()).unwrap();
    let mut image = disk.image();
    image.append(&first_file(place), tail);
    image
}

fn first_file(place: &Place) -> PathBuf {
    place.store().join(format!("{}.jsonl", samples::id(1)))
}

/// The update that a crash tore is made again, as it was or otherwise, and torn again.
#[test]
fn what_is_written_in_place_of_a_torn_end_is_never_mixed_with_it() {
    let place = Place::for_lock();
    let whole = live(&place, Image::empty(place.root()), &LIFE[..4]);
    let mut appended = whole.steps.iter().filter_map(|step| match step {
        Step::Append { bytes, .. } => Some(bytes),
        _ => None,
    });
    let long = appended.next_back().unwrap();
    // As long as the other, so that half of each would make a whole one.
    let other: Act = |store| {
        let mut session = store.get(samples::id(1))?;
        session.identity.title = Some("u".repeat(9_000));
        store.update(session, samples::at(7)).map(drop)
    };
    let (end, begin) = (long.len(), 0..9);
    for (length, holes) in [(end - 1, 0..0), (end, 0..end), (end, begin.clone()), (300, begin)] {
        let mut tail = long[..length].to_vec();
        tail[holes].fill(0);
        let start = with_tail(&place, &tail);
        for act in [LIFE[2], LIFE[3], other] {
            let images = lose_power(&place, &live(&place, start.clone(), &[act, LIFE[3]]));
            assert!(images.unwrap() > 50);
        }
    }
}

#[test]
fn what_is_strange_is_in_its_place_or_in_quarantine_whenever_the_power_is_lost() {
    let place = Place::for_lock();
    let strange = &b"garbage\n{\"type\":\"sess"[..];
    let start = with_tail(&place, strange);
    let Recording { steps, .. } = live(&place, start.clone(), &[LIFE[2]]);
    for cut in 0..=steps.len() {
        for image in power::images(&start, &steps[..cut]) {
            let copies = image.directories.get(&place.store().join("quarantine"));
            let is_there = image.files.values().any(|bytes| bytes.ends_with(strange));
            assert!(is_there, "after {:#?}: {copies:?}", shown(&steps[..cut]));
        }
    }
}

/// Everything that can be read of a store, as lines.
fn whole(store: &JsonlStore) -> Vec<String> {
    let mut lines = Vec::new();
    let push = |line: bundle::Line| {
        lines.push(line.to_string());
        Ok::<_, StoreError>(())
    };
    bundle::dump(store, push).unwrap();
    lines
}

/// Loses the power at every point of what was recorded; returns how many states of the disk were looked at.
fn lose_power(place: &Place, recording: &Recording) -> Result<usize, String> {
    let Recording { start, is_made, steps, contents, wholes } = recording;
    let mut seen = HashSet::new();
    for cut in 0..=steps.len() {
        let steps = &steps[..cut];
        let acknowledged = steps.iter().filter(|step| **step == Step::Acknowledged).count();
        let before = &contents[acknowledged];
        let after = contents.get(acknowledged + 1).unwrap_or(before);
        for image in power::images(start, steps) {
            if seen.insert((acknowledged, image.clone())) {
                let last = wholes.len().min(acknowledged + 2);
                found_whole(place, image, *is_made || acknowledged > 0, [before, after])
                    .and_then(|found| match wholes[acknowledged..last].contains(&found) {
                        true => Ok(()),
                        false => Err(format!("neither before nor after: {found:#?}")),
                    })
                    .map_err(|error| format!("{error}, after {:#?}", shown(steps)))?;
            }
        }
    }
    Ok(seen.len())
}

/// The end of what was recorded, for people.
fn shown(steps: &[Step]) -> Vec<String> {
    let begin = steps.len().saturating_sub(5);
    steps[begin..].iter().map(|step| format!("{step:?}").chars().take(160).collect()).collect()
}

/// Checks a disk that was found after a loss of power: of the change from one content to the next each session has
/// all or nothing, and the store works on.
fn found_whole(
    place: &Place,
    image: Image,
    is_made: bool,
    [before, after]: [&Content; 2],
) -> Result<Vec<String>, String> {
    let disk = RecordingDisk::new(MemoryDisk::new(image.clone()));
    if is_made {
        place.read(disk.clone()).map_err(|error| error.to_string())?;
    }
    let store = place.open(disk.clone()).map_err(|error| error.to_string())?;
    let found = sound(&store)?;
    let whole = whole(&store);
    for id in before.keys().chain(found.keys()) {
        let found = found.get(id);
        if found != before.get(id) && found != after.get(id) {
            return Err(format!(
                "{id} is {found:?}, neither {:?} nor {:?}",
                before.get(id),
                after.get(id)
            ));
        }
    }
    change_all(&store).and_then(|()| take_names(&store)).map_err(|error| error.to_string())?;
    let content = sound(&store)?;
    let worst = power::worst(&image, &disk.steps());
    for disk in [disk, RecordingDisk::new(MemoryDisk::new(worst))] {
        let anew = place.read(disk.clone()).map_err(|error| error.to_string())?;
        if sound(&anew)? != content {
            return Err("what was written after it is not there".to_owned());
        }
    }
    Ok(whole)
}

/// What a store holds, of which nothing may be damaged and no name held twice.
fn sound(store: &JsonlStore) -> Result<Content, String> {
    let (content, damage) = listed(store);
    let mut names = HashSet::new();
    let twice = (content.values().filter(|session| session.claims_name()))
        .find(|session| !names.insert(session.name()));
    match (&damage[..], twice) {
        ([], None) => Ok(content),
        ([], Some(twice)) => Err(format!("two have the name of {twice:?}")),
        (damage, _) => Err(format!("{damage:?}")),
    }
}

/// Changes every session that is not in the trash.
fn change_all(store: &JsonlStore) -> Result<(), StoreError> {
    for mut session in listed(store).0.into_values().filter(|session| !session.is_trashed()) {
        session.identity.title = Some("found".to_owned());
        store.update(session, samples::at(20))?;
    }
    Ok(())
}

/// Makes a session with each name that is free.
fn take_names(store: &JsonlStore) -> Result<(), StoreError> {
    for (number, name) in (60..).zip(["build", "taken", "overdue"]) {
        match store.create(late(number, name)) {
            Ok(_) | Err(StoreError::NameHeld { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A process dies at any point of making a store, and another one makes it in its stead.
#[test]
fn a_store_made_by_two_is_there_after_a_loss_of_power() {
    let place = Place::for_lock();
    let start = Image::empty(place.root());
    for nth in 1.. {
        let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
        let mortal = FaultyDisk::new(disk.clone());
        mortal.fail(nth, None, Fault::Before(Errno::IO), Lasting::FromThenOn);
        if place.open(mortal.clone()).is_ok() {
            break;
        }
        let store = place.open(disk.clone()).unwrap();
        store.create(samples::named(1, "build")).unwrap();
        let image = power::worst(&start, &disk.steps());
        let worst = place.read(RecordingDisk::new(MemoryDisk::new(image)));
        let worst = worst.unwrap_or_else(|error| panic!("after operation {nth}: {error}"));
        assert_eq!(sound(&worst), sound(&store), "after operation {nth}");
    }
}

/// A process dies at any point of an append, and others go on with other sessions: what it said in the index and did
/// not do is never believed.
#[test]
fn what_the_dead_said_and_did_not_do_is_not_believed() {
    let place = Place::for_lock();
    for nth in 1.. {
        let disk = MemoryDisk::new(with_history(&place));
        place.open(disk.clone()).unwrap().create(long(2, "taken")).unwrap();
        let mortal = FaultyDisk::new(disk.clone());
        let store = place.open(mortal.clone()).unwrap();
        mortal.fail(nth, None, Fault::Before(Errno::IO), Lasting::FromThenOn);
        _ = say(&store, 1, 30..32, "last words");
        if mortal.heal().is_empty() {
            break;
        }
        let other = place.open(disk.clone()).unwrap();
        for length in [1, 2] {
            retitle(&other, 2, length).unwrap();
        }
        for store in [&other, &place.read(disk.clone()).unwrap()] {
            assert_eq!(store.check().unwrap().damaged, [], "after operation {nth}");
        }
    }
}

/// A process dies at any point of a change, another one works on, and then the power is lost: what the first left
/// unsynced, and the second saw, must not take back what the second acknowledged.
#[test]
fn what_is_built_on_the_work_of_the_dead_is_there_after_a_loss_of_power() {
    let place = Place::for_lock();
    let start = Image::empty(place.root());
    for last in 0..LIFE.len() {
        for nth in 1.. {
            let disk = RecordingDisk::new(MemoryDisk::new(start.clone()));
            let mortal = FaultyDisk::new(disk.clone());
            let store = place.open(mortal.clone()).unwrap();
            LIFE[..last].iter().for_each(|act| act(&store).unwrap());
            mortal.fail(nth, None, Fault::Before(Errno::IO), Lasting::FromThenOn);
            _ = LIFE[last](&store);
            if mortal.heal().is_empty() {
                break;
            }
            let store = place.open(disk.clone()).unwrap();
            let seen = sound(&store).unwrap();
            for (what, act) in [("change", change_all as Act), ("take names", take_names as Act)] {
                act(&store).unwrap();
                let content = sound(&store).unwrap();
                let image = power::worst(&start, &disk.steps());
                let worst = place.read(RecordingDisk::new(MemoryDisk::new(image))).unwrap();
                let what = format!("{what} after operation {nth} of change {last}");
                let worst = sound(&worst).unwrap_or_else(|error| panic!("{what}: {error}"));
                for (id, session) in &content {
                    // What is in the trash is not touched any more.
                    let is_acknowledged = seen.get(id) != Some(session);
                    assert!(!is_acknowledged || worst.get(id) == Some(session), "{what}: {id}");
                }
            }
        }
    }
}
