//! What is no store, or cannot be reached, is refused by name, and nothing on the disk changes.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use session_core::{
    Query, Reading, RecordStore, Scope, Session, SessionName, SessionStore, StoreError,
    StoreUpkeep, Timestamp,
};
use session_jsonl::JsonlStore;
use session_testkit::processes::child;
use session_testkit::samples;

/// A store of two sessions, of which the first has a history.
fn store() -> (tempfile::TempDir, JsonlStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    for number in [1, 2] {
        store.create(samples::bare(number)).unwrap();
    }
    let said: Vec<_> = (1..9).map(|n| samples::said(n, "some words")).collect();
    store.append(samples::id(1), &said[..5], samples::at(9)).unwrap();
    store.append(samples::id(1), &said[5..], samples::at(9)).unwrap();
    (directory, store)
}

fn file(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{}.jsonl", samples::id(number)))
}

/// Everything in a directory, by name.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let bytes = |path: &Path| path.is_file().then(|| fs::read(path).unwrap());
    entries
        .filter(|path| !path.ends_with("lock"))
        .map(|path| (path.clone(), bytes(&path)))
        .collect()
}

#[test]
fn a_directory_in_the_place_of_the_marker_is_no_store() {
    let (directory, _) = store();
    let marker = directory.path().join("format.json");
    fs::remove_file(&marker).unwrap();
    fs::create_dir(&marker).unwrap();
    let before = snapshot(directory.path());
    for opened in [JsonlStore::open(directory.path()), JsonlStore::open_read_only(directory.path())]
    {
        assert!(matches!(opened, Err(StoreError::NotAStore { .. })), "{opened:?}");
    }
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn a_directory_in_the_place_of_a_session_is_corrupt_and_set_aside_by_a_repair() {
    let (directory, store) = store();
    fs::remove_file(file(directory.path(), 1)).unwrap();
    fs::create_dir(file(directory.path(), 1)).unwrap();
    let before = snapshot(directory.path());
    let refused = [
        store.get(samples::id(1)).map(drop),
        store.create(samples::bare(1)).map(drop),
        store.append(samples::id(1), &[samples::said(1, "x")], samples::at(10)).map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    }
    assert_eq!(snapshot(directory.path()), before);
    store.repair(samples::at(20)).unwrap();
    assert!(!file(directory.path(), 1).exists());
    assert!(directory.path().join("quarantine").read_dir().unwrap().count() > 0);
    assert_eq!(store.check().unwrap().damaged, []);
}

#[test]
fn a_file_that_lost_its_end_is_what_it_was_before_its_last_batch() {
    let (directory, _) = store();
    let path = file(directory.path(), 1);
    let whole = fs::read(&path).unwrap();
    let last = whole.windows(16).rposition(|window| window == b"\"batch\":[1,4],\"r").unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let before = snapshot(directory.path());
    let store = JsonlStore::open(directory.path()).unwrap();
    assert_eq!(store.get(samples::id(1)).unwrap().totals().records, 5);
    assert_eq!(store.check().unwrap().damaged, []);
    assert_eq!(snapshot(directory.path()), before);
    store.append(samples::id(1), &[samples::said(20, "next")], samples::at(20)).unwrap();
    assert_eq!(fs::read(&path).unwrap()[..last], whole[..last]);
}

/// The clock of a machine without a battery, and one before any of ours.
#[test]
fn any_time_that_a_clock_shows_is_stored() {
    let (directory, store) = store();
    for (number, millis) in [(10, 0), (11, 1), (12, -1)] {
        let at = Timestamp::from_millis(millis);
        let mut session = samples::bare(number);
        session.lifecycle = Session::new(session.id(), at).lifecycle;
        let stored = store.create(session).unwrap();
        store.append(stored.id(), &[samples::said(1, "early")], at).unwrap();
        let changed = store.update(store.get(stored.id()).unwrap(), at).unwrap();
        assert_eq!(changed.lifecycle.updated_at, at);
    }
    let anew = JsonlStore::open_read_only(directory.path()).unwrap();
    assert_eq!(anew.check().unwrap().damaged, []);
    assert_eq!(anew.get(samples::id(12)).unwrap().lifecycle.created_at, Timestamp::from_millis(-1));
}

#[test]
fn a_name_that_is_a_path_never_reaches_the_disk() {
    let (directory, _) = store();
    let before = snapshot(directory.path());
    for name in ["../up", "/etc/passwd", "a/b", ".", "..", "~", "a\0b"] {
        assert!(SessionName::parse(name).is_err(), "{name}");
        let line = fs::read_to_string(file(directory.path(), 2)).unwrap();
        let forged = line.replace("\"name\":null", &format!("\"name\":{name:?}"));
        fs::write(file(directory.path(), 2), forged).unwrap();
        let store = JsonlStore::open(directory.path()).unwrap();
        let refused = store.get(samples::id(2));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        fs::write(file(directory.path(), 2), line).unwrap();
    }
    assert_eq!(snapshot(directory.path()), before);
}

/// Root may do everything, so another user has to try.
#[test]
fn what_may_not_be_read_or_written_is_denied() {
    let (directory, _) = store();
    let path = directory.path();
    for (mode, file_mode) in [(0o755, 0o600), (0o000, 0o600), (0o755, 0o644)] {
        for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_file() {
                fs::set_permissions(entry, fs::Permissions::from_mode(file_mode)).unwrap();
            }
        }
        let before = snapshot(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = child::playing("denied", path);
        // Where this is not root already, the test runs as a user for whom the modes count.
        if fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0)
        {
            command.uid(65_534).gid(65_534);
        }
        let answers = child::answers(&command.output().unwrap());
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(answers, ["denied"]);
        assert_eq!(snapshot(path), before);
    }
}

/// Tries to write, and to read where that is denied.
#[test]
fn child() {
    let Some((_, path)) = child::role() else { return };
    let is_denied = |error: &StoreError| matches!(error, StoreError::PermissionDenied { .. });
    let written = JsonlStore::open(&path).and_then(|store| store.create(samples::bare(9)));
    let error = written.unwrap_err();
    assert!(is_denied(&error), "{error:?}");
    if let Err(error) =
        JsonlStore::open_read_only(&path).and_then(|store| store.get(samples::id(1)))
    {
        assert!(is_denied(&error), "{error:?}");
    }
    child::answer("denied");
}

/// What a line says of its batch, if it can be read.
fn batch_of(line: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice::<serde_json::Value>(line).ok()?.get("batch").cloned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Nothing panics, what is damaged is said to be, and what stands on other lines is there.
    #[test]
    fn flipped_bits_cost_the_lines_that_they_are_in(
        flips in prop::collection::vec((0_usize..10_000, 0_u8..8), 1..6),
    ) {
        let (directory, store) = store();
        drop(store);
        let path = file(directory.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let length = bytes.len();
        let before_flips: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let mut lines = Vec::new();
        for (at, bit) in flips {
            let at = at % length;
            // What tells one line from the next is another matter.
            let flipped = bytes[at] ^ (1 << bit);
            if bytes[at] != b'\n' && flipped != b'\n' {
                lines.push(bytes[..at].iter().filter(|byte| **byte == b'\n').count());
                bytes[at] = flipped;
            }
        }
        fs::write(&path, &bytes).unwrap();
        let before = snapshot(directory.path());
        let store = JsonlStore::open(directory.path()).unwrap();
        let query = Query { scope: Scope::All, ..Query::new(samples::observer(0)) };
        let listed = store.list(&query).unwrap();
        prop_assert!(listed.sessions.iter().any(|session| session.id() == samples::id(2)));
        let page = match store.read(samples::id(1), &Reading::ALL) {
            Ok(page) => page,
            Err(error) => {
                let is_typed = matches!(
                    error,
                    StoreError::Corrupt { .. } | StoreError::NewerVersion { .. } | StoreError::NotFound { .. }
                );
                prop_assert!(is_typed, "{:?}", error);
                return Ok(());
            }
        };
        _ = store.check().unwrap();
        prop_assert_eq!(snapshot(directory.path()), before);
        // The first batch stands on lines 2 to 7, and counts when the last one does. A line that can be read and says
        // that it is of another batch costs both.
        let is_torn = bytes.split(|byte| *byte == b'\n').zip(&before_flips).any(|(now, before)| {
            batch_of(now).is_some_and(|now| Some(now) != batch_of(before))
        });
        if !is_torn && lines.iter().all(|line| (2..8).contains(line)) {
            for seq in (1..=8).filter(|seq| !lines.contains(&(seq + 1)) || *seq > 5) {
                let is_there = page.records.iter().any(|record| record.seq.get() == seq as u64);
                prop_assert!(is_there, "{} is gone: {:?}", seq, lines);
            }
        }
    }
}
