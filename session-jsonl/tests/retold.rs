//! Laws of migration and rewriting that other programs' files had to keep; `RETOLD.md` of the testkit says which.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use session_core::{
    Query, Reading, RecordStore, Scope, SessionStore, Sort, StoreError, StoreUpkeep,
};
use session_jsonl::JsonlStore;
use session_testkit::samples;

/// A directory in which the store of version 1 stands, with this marker in place of its own.
fn old(marker: &str) -> tempfile::TempDir {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "jsonl") {
            fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
    }
    fs::write(directory.path().join("format.json"), marker).unwrap();
    directory
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names of all sessions outside the trash.
fn names(store: &JsonlStore) -> Vec<String> {
    let query = Query { scope: Scope::All, sort: Sort::Name, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    page.sessions.iter().map(|session| session.name().unwrap().to_string()).collect()
}

fn copies(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "backup")).collect()
}

#[test]
fn a_marker_without_a_version_gets_one_and_its_bytes_are_kept() {
    let marker = "{ \"mine\":[1.50],\n  \"format\" : \"session-jsonl\" }\n";
    let directory = old(marker);
    let sessions = names(&JsonlStore::open(directory.path()).unwrap());
    assert_eq!(sessions.len(), 5);
    let now = fs::read_to_string(directory.path().join("format.json")).unwrap();
    assert!(now.contains("\"version\":2") && now.contains("\"mine\":[1.50]"), "{now}");
    let copies = copies(directory.path());
    assert_eq!(copies.len(), 1);
    assert_eq!(fs::read_to_string(&copies[0]).unwrap(), marker);
    drop(JsonlStore::open(directory.path()).unwrap());
    assert_eq!(fs::read_to_string(directory.path().join("format.json")).unwrap(), now);
    assert_eq!(self::copies(directory.path()), copies, "nothing is copied a second time");
}

#[test]
fn a_marker_that_is_null_is_no_empty_store() {
    for marker in ["null", "null\n", " null "] {
        let directory = old(marker);
        for opened in
            [JsonlStore::open(directory.path()), JsonlStore::open_read_only(directory.path())]
        {
            let error = opened.unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        }
        assert_eq!(fs::read_to_string(directory.path().join("format.json")).unwrap(), marker);
        assert_eq!(copies(directory.path()).len(), 0);
    }
}

#[test]
fn a_migration_keeps_the_mode_of_the_marker_whatever_lies_about() {
    for kept in [0o640, 0o600, 0o644, 0o400] {
        let directory = old(r#"{"format":"session-jsonl","version":1}"#);
        let marker = directory.path().join("format.json");
        let draft = directory.path().join("format.json.draft");
        fs::set_permissions(&marker, Permissions::from_mode(kept)).unwrap();
        fs::write(&draft, "left by a crash").unwrap();
        fs::set_permissions(&draft, Permissions::from_mode(0o666)).unwrap();
        JsonlStore::open(directory.path()).unwrap();
        assert_eq!(mode(&marker), kept, "neither the leftover nor the mask changes it");
        assert_eq!(mode(&copies(directory.path())[0]), kept);
        assert!(!draft.exists());
    }
}

#[test]
fn a_store_of_no_sessions_is_empty_and_a_directory_is_no_session() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("format.json"), r#"{"format":"session-jsonl","version":2}"#)
        .unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    assert_eq!(names(&store), [""; 0]);
    assert_eq!(store.check().unwrap().damaged, []);

    let file = directory.path().join(format!("{}.jsonl", samples::id(1)));
    fs::create_dir(&file).unwrap();
    let error = store.get(samples::id(1)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let report = store.check().unwrap();
    assert_eq!((report.sessions, report.damaged.len()), (0, 1), "{:?}", report.damaged);
    assert!(file.is_dir());
}

#[test]
fn a_file_keeps_its_mode_when_written_and_when_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    store.create(samples::named(1, "shared")).unwrap();
    let file = directory.path().join(format!("{}.jsonl", samples::id(1)));
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    store.append(samples::id(1), &[samples::said(1, "one")], samples::at(1)).unwrap();
    let sound = fs::read(&file).unwrap();
    store.append(samples::id(1), &[samples::said(2, "two")], samples::at(2)).unwrap();
    assert_eq!(mode(&file), 0o640);

    let torn = [&sound[..], b"{\"type\":\"rec\n"].concat();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, [&torn[..], &whole[sound.len()..]].concat()).unwrap();
    assert_ne!(store.check().unwrap().damaged, []);
    store.repair(samples::at(3)).unwrap();
    assert_eq!(store.check().unwrap().damaged, []);
    assert_eq!(store.read(samples::id(1), &Reading::ALL).unwrap().records.len(), 2);
    assert_eq!(mode(&file), 0o640);

    // Those that were destroyed as well.
    let tombstones = directory.path().join("tombstones.jsonl");
    fs::write(&tombstones, "garbage\n").unwrap();
    fs::set_permissions(&tombstones, Permissions::from_mode(0o644)).unwrap();
    assert_ne!(store.repair(samples::at(4)).unwrap(), []);
    assert_eq!(mode(&tombstones), 0o644);
}

#[test]
fn several_who_migrate_at_once_lose_nothing() {
    for _ in 0..10 {
        let directory = old(r#"{"format":"session-jsonl","version":1}"#);
        let start = Barrier::new(6);
        thread::scope(|scope| {
            for number in 10..16 {
                let (start, path) = (&start, directory.path());
                scope.spawn(move || {
                    start.wait();
                    let store = JsonlStore::open(path).unwrap();
                    store.create(samples::named(number, &format!("new-{number}"))).unwrap();
                });
            }
        });
        let store = JsonlStore::open(directory.path()).unwrap();
        assert_eq!(names(&store).len(), 5 + 6);
        assert_eq!(store.check().unwrap().damaged, []);
        assert_eq!(copies(directory.path()).len(), 1);
    }
}
