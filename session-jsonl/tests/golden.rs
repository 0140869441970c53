//! Stores as earlier versions wrote them, and the bytes that this version writes.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use session_core::{Query, Scope, SessionStore, Sort};
use session_jsonl::JsonlStore;
use session_testkit::samples;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// The files of a store, without the lock.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name != "lock")
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Makes those sessions of the fixture that have nothing but what every session has.
fn write(directory: &Path) {
    let store = JsonlStore::open(directory).unwrap();
    let mut build = store.create(samples::named(1, "build")).unwrap();
    build.identity.title = Some("Build it".to_owned());
    store.update(build, samples::at(60)).unwrap();
    store.create(samples::until(4, "taken", 5)).unwrap();
    let mut heir = samples::named(5, "taken");
    heir.lifecycle.created_at = samples::at(6);
    store.create(heir).unwrap();
}

#[test]
fn version_1_is_written_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    let written = files(directory.path());
    assert_eq!(written.len(), 4);
    for file in written {
        assert!(files(&fixture()).contains(&file), "{file:?}");
    }
}

#[test]
fn version_1_is_read() {
    let store = JsonlStore::open_read_only(fixture()).unwrap();
    let query = Query { scope: Scope::All, sort: Sort::Name, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    let shown: Vec<_> = (page.sessions.iter())
        .map(|session| {
            let number = session.id().short().trim_start_matches('0').to_owned();
            let revision = session.lifecycle.revision.0;
            format!("{number} {} {} {revision}", session.name().unwrap(), session.status())
        })
        .collect();
    let expected = [
        "1 build pending 2",
        "2 full-2 running 1",
        "3 future-3 running 1",
        "5 taken pending 1",
        "4 taken expired 2",
    ];
    assert_eq!((shown, page.damaged), (expected.map(str::to_owned).to_vec(), vec![]));
    let full = store.get(samples::id(2)).unwrap();
    assert_eq!(full.launch.unwrap().argv, ["claude", "--print", ""]);
    assert_eq!(full.process.unwrap().pid_start, Some(u64::MAX));
}

#[test]
fn members_of_a_newer_program_survive_in_version_1() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files(&fixture()) {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let store = JsonlStore::open(directory.path()).unwrap();
    let mut session = store.get(samples::id(3)).unwrap();
    session.identity.title = Some("changed".to_owned());
    store.update(session, samples::at(1)).unwrap();
    let path = directory.path().join(format!("{}.jsonl", samples::id(3)));
    let text = fs::read_to_string(path).unwrap();
    let last = text.lines().last().unwrap();
    for member in [
        r#""zeta":{ "b" : 1e400,"a":[0.10 , -0.0,12345678901234567890123 ],"#,
        r#""b":"\u0041\/\ud800" }"#,
        r#""alpha":1E+2"#,
        r#""pids":[1,2 , 3]"#,
        r#""Revision":"not the revision""#,
    ] {
        assert!(last.contains(member), "{member} is not in {last}");
    }
}

#[test]
fn the_format_document_shows_what_is_written() {
    let document = include_str!("../FORMAT.md");
    let files = files(&fixture());
    let (name, build) = &files[0];
    assert!(document.contains(name.as_str()), "{name}");
    for line in build.lines().chain(files.last().unwrap().1.lines()) {
        assert!(document.lines().any(|shown| shown == line), "not in FORMAT.md:\n{line}");
    }
}

#[test]
fn the_format_document_greps_what_it_says() {
    let document = include_str!("../FORMAT.md");
    let command = document.lines().find(|line| line.starts_with("grep ")).unwrap();
    let output = Command::new("sh").args(["-c", command]).current_dir(fixture()).output().unwrap();
    let expected = format!("{}.jsonl\n{}.jsonl\n", samples::id(4), samples::id(5));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
