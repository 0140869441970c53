//! What may stand at the place of a store, and what opening it changes.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use session_core::{Query, SessionStore, StoreError, StoreUpkeep as _};
use session_jsonl::{JsonlOptions, JsonlStore, SCHEMA_VERSION, migrations};
use session_testkit::samples;

/// Everything below a directory: names, modes, times of change, bytes.
type Snapshot = BTreeMap<PathBuf, (u32, i64, i64, Option<Vec<u8>>)>;

fn snapshot(directory: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut paths = vec![directory.to_owned()];
    while let Some(path) = paths.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let bytes = metadata.is_file().then(|| fs::read(&path).unwrap());
        found.insert(path, (metadata.mode(), metadata.ctime(), metadata.ctime_nsec(), bytes));
    }
    found
}

/// A directory with this marker, and nothing else.
fn marked(marker: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("format.json"), marker).unwrap();
    directory
}

/// Opens it in both ways, sees both refused alike and nothing changed.
fn refused(directory: &Path) -> StoreError {
    let before = snapshot(directory);
    let read_only = JsonlStore::open_read_only(directory).unwrap_err();
    let error = JsonlStore::open(directory).unwrap_err();
    assert_eq!(read_only.to_string(), error.to_string());
    assert_eq!(snapshot(directory), before);
    error
}

#[test]
fn a_missing_directory_is_made_for_this_user_only() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("a/b");
    let store = JsonlStore::open(&directory).unwrap();
    store.create(samples::bare(1)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&outer.path().join("a")), mode(&directory)), (0o700, 0o700));
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    let file = format!("{}.jsonl", samples::id(1));
    assert_eq!(names, [&file, "drafts", "format.json", "index.jsonl", "lock"]);
    let info = store.info();
    assert_eq!((info.kind, info.schema_version, info.generation), ("jsonl", SCHEMA_VERSION, 0));
    assert_eq!(info.location, Some(directory));
}

#[test]
fn opening_a_store_again_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    JsonlStore::open(directory.path()).unwrap().create(samples::bare(1)).unwrap();
    let before = snapshot(directory.path());
    let store = JsonlStore::open(directory.path()).unwrap();
    store.get(samples::id(1)).unwrap();
    store.close().unwrap();
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn read_only_changes_nothing_and_refuses_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let writer = JsonlStore::open(path).unwrap();
    let session = writer.create(samples::until(1, "overdue", 5)).unwrap();
    let file = path.join(format!("{}.jsonl", session.id()));
    let torn = [&fs::read(&file).unwrap()[..], b"garbage\n{\"type\":\"sess"].concat();
    fs::write(&file, torn).unwrap();
    fs::remove_file(path.join("lock")).unwrap();
    let before = snapshot(path);

    let reader = JsonlStore::open_read_only(path).unwrap();
    let late = samples::observer(100);
    assert_eq!(reader.get(session.id()).unwrap(), session);
    assert_eq!(reader.named(&samples::name("overdue")).unwrap(), std::slice::from_ref(&session));
    let query = Query { scope: session_core::Scope::All, ..Query::new(late.clone()) };
    assert_eq!(reader.list(&query).unwrap().sessions, std::slice::from_ref(&session));
    let read_only = |error: StoreError| matches!(error, StoreError::ReadOnly { .. });
    assert!(read_only(reader.create(samples::bare(2)).unwrap_err()));
    assert!(read_only(reader.update(session.clone(), samples::at(1)).unwrap_err()));
    assert!(read_only(reader.remove(session.id(), &late).unwrap_err()));
    assert!(read_only(reader.sweep(&late).unwrap_err()));
    reader.flush().unwrap();
    reader.close().unwrap();
    assert_eq!(snapshot(path), before);
}

#[test]
fn read_only_makes_no_store_of_nothing() {
    let outer = tempfile::tempdir().unwrap();
    for place in [outer.path().join("missing"), outer.path().to_owned()] {
        let error = JsonlStore::open_read_only(&place).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
    assert_eq!(snapshot(outer.path()).len(), 1);
}

#[test]
fn the_directory_may_be_reached_by_a_link() {
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir(outer.path().join("store")).unwrap();
    let link = outer.path().join("link");
    std::os::unix::fs::symlink("store", &link).unwrap();
    JsonlStore::open(&link).unwrap().create(samples::bare(1)).unwrap();
    assert!(JsonlStore::open_read_only(&link).unwrap().get(samples::id(1)).is_ok());
    assert!(outer.path().join("store/format.json").exists());
}

#[test]
fn what_is_no_store_is_left_alone() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path();
    fs::write(path.join("file"), "x").unwrap();
    fs::create_dir(path.join("foreign")).unwrap();
    fs::write(path.join("foreign/notes.txt"), "x").unwrap();
    fs::create_dir(path.join("unmarked")).unwrap();
    fs::write(path.join(format!("unmarked/{}.jsonl", samples::id(1))), "x").unwrap();
    fs::create_dir_all(path.join("odd/format.json")).unwrap();
    fs::create_dir(path.join("linked")).unwrap();
    std::os::unix::fs::symlink("../file", path.join("linked/format.json")).unwrap();
    for place in ["file", "file/below", "foreign", "unmarked", "odd", "linked"] {
        let before = snapshot(path);
        let place = path.join(place);
        for opened in [JsonlStore::open(&place), JsonlStore::open_read_only(&place)] {
            let error = opened.unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{}: {error}", place.display());
        }
        assert_eq!(snapshot(path), before);
    }
    for marker in ["", "{", "[]", "{}", r#"{"format":"other","version":1}"#, r#"{"version":1}"#] {
        let error = refused(marked(marker).path());
        assert!(matches!(error, StoreError::NotAStore { .. }), "{marker}: {error}");
    }
}

#[test]
fn a_newer_store_is_left_alone() {
    let newer = r#"{"format":"session-jsonl","version":3,"generation":"a word","new":{}}"#;
    let error = refused(marked(newer).path());
    assert!(matches!(error, StoreError::NewerVersion { found: 3, supported: 2, .. }), "{error}");
}

#[test]
fn a_version_that_makes_no_sense_is_corrupt() {
    for version in ["-1", "1.0", "1e0", "\"1\"", "[]", "99999999999999999999"] {
        let marker = format!("{{\"format\":\"session-jsonl\",\"version\":{version}}}");
        let error = refused(marked(&marker).path());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{version}: {error}");
    }
    let error = refused(marked(r#"{"format":"session-jsonl","version":1,"generation":-1}"#).path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn a_store_that_a_newer_program_takes_over_is_not_written_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    store.create(samples::bare(1)).unwrap();
    let marker = directory.path().join("format.json");
    fs::write(&marker, r#"{"format":"session-jsonl","version":3}"#).unwrap();
    let before = snapshot(directory.path());
    let newer = |error: StoreError| matches!(error, StoreError::NewerVersion { found: 3, .. });
    assert!(newer(store.create(samples::bare(2)).unwrap_err()));
    assert!(newer(store.get(samples::id(1)).unwrap_err()));
    assert_eq!(snapshot(directory.path()), before);
    fs::remove_file(&marker).unwrap();
    let gone = store.create(samples::bare(2));
    assert!(matches!(gone, Err(StoreError::NotAStore { .. })), "{gone:?}");
}

#[test]
fn what_an_unfinished_creation_left_becomes_a_store() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("lock"), "pid 1\n").unwrap();
    fs::write(directory.path().join("format.json.draft"), "{\"form").unwrap();
    JsonlStore::open(directory.path()).unwrap().create(samples::bare(1)).unwrap();
    assert!(!directory.path().join("format.json.draft").exists());
}

#[test]
fn a_restored_store_makes_cursors_stale() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    for number in 1..=3 {
        store.create(samples::launched(number)).unwrap();
    }
    let mut query =
        Query { limit: std::num::NonZeroU32::new(1), ..Query::new(samples::observer(0)) };
    query.cursor = store.list(&query).unwrap().next;
    assert!(query.cursor.is_some());
    let marker = r#"{"format":"session-jsonl","version":2,"generation":1}"#;
    fs::write(directory.path().join("format.json"), marker).unwrap();
    assert!(matches!(store.list(&query), Err(StoreError::StaleCursor)));
    assert_eq!(store.info().generation, 1);
}

#[test]
fn a_lock_is_refused_with_its_holder_and_comes_free() {
    let directory = tempfile::tempdir().unwrap();
    let options = JsonlOptions::new().lock_timeout(Duration::from_millis(20));
    let store = JsonlStore::open_with(directory.path(), options).unwrap();
    store.create(samples::bare(1)).unwrap();
    let lock = fs::File::options().write(true).open(directory.path().join("lock")).unwrap();
    lock.lock().unwrap();
    for _ in 0..3 {
        let error = store.create(samples::bare(2)).unwrap_err();
        let holder = format!("process {}", std::process::id());
        assert!(
            matches!(&error, StoreError::Locked { holder: Some(h), .. } if *h == holder),
            "{error}"
        );
    }
    assert!(store.get(samples::id(1)).is_ok(), "readers wait for nobody");
    drop(lock);
    let patient = JsonlStore::open(directory.path()).unwrap();
    patient.create(samples::bare(2)).unwrap();
    // The wait that was given up may still be on its way back.
    let created = (0..1000).find_map(|_| store.create(samples::bare(3)).ok());
    assert!(created.is_some());
}

#[test]
fn a_lock_that_is_a_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    let target = directory.path().join("target");
    fs::write(&target, "precious").unwrap();
    fs::remove_file(directory.path().join("lock")).unwrap();
    std::os::unix::fs::symlink(&target, directory.path().join("lock")).unwrap();
    assert!(store.create(samples::bare(1)).is_err());
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[test]
fn migrations_lead_from_nothing_to_the_present_version() {
    let mut version = 0;
    for step in migrations() {
        assert_eq!(step.from, version);
        version = step.to;
    }
    assert_eq!(version, SCHEMA_VERSION);
}

/// What dead processes left of files and copies goes, and what living ones are writing stays.
#[test]
fn what_the_dead_left_half_written_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let [path, target] = ["store", "copy"].map(|name| directory.path().join(name));
    let store = JsonlStore::open(&path).unwrap();
    store.create(samples::named(1, "one")).unwrap();
    let drafts = path.join("drafts");
    let leave = || {
        let [dead, live] = ["dead", "live"].map(|name| drafts.join(name));
        fs::write(&dead, "half").unwrap();
        fs::write(&live, "half").unwrap();
        let held = fs::File::open(&live).unwrap();
        held.lock().unwrap();
        (dead, live, held)
    };
    let (dead, live, held) = leave();
    store.repair(samples::at(2)).unwrap();
    assert!(!dead.exists() && live.exists());
    drop(held);
    let (dead, live, held) = leave();
    fs::write(path.join("lock"), "pid 1 busy\n").unwrap();
    store.create(samples::named(2, "two")).unwrap();
    assert!(!dead.exists() && live.exists());
    drop(held);

    let [dead, live, other] =
        ["copy.0123456789abcdef.draft", "copy.0123456789abcdee.draft", "copy.mine.draft"]
            .map(|name| directory.path().join(name));
    for path in [&dead, &live, &other] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("tombstones.jsonl"), "").unwrap();
    }
    let held = fs::File::open(&live).unwrap();
    held.lock().unwrap();
    store.backup(&target).unwrap();
    assert!(!dead.exists() && live.exists() && other.exists() && target.exists());
}
