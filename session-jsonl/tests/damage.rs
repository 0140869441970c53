//! Damage inside of files: each line that cannot be read costs itself, and is reported where it stands.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use session_core::{Damage, Query, Scope, Session, SessionStore, StoreError, StoreUpkeep};
use session_jsonl::JsonlStore;
use session_testkit::samples;

/// A store with one session in three revisions and another one beside it.
struct Fixture {
    directory: tempfile::TempDir,
    lines: Vec<Vec<u8>>,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = JsonlStore::open(directory.path()).unwrap();
        let mut session = store.create(samples::named(1, "damaged")).unwrap();
        for title in ["two", "three"] {
            session.identity.title = Some(title.to_owned());
            session = store.update(session, samples::at(1)).unwrap();
        }
        store.create(samples::named(2, "other")).unwrap();
        let bytes = fs::read(file(directory.path(), 1)).unwrap();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        Self { directory, lines }
    }

    /// Puts this in place of line `index`, and opens the store.
    fn with(&self, index: usize, bytes: &[u8]) -> JsonlStore {
        let mut lines = self.lines.clone();
        lines[index] = bytes.to_vec();
        fs::write(file(self.directory.path(), 1), lines.concat()).unwrap();
        JsonlStore::open(self.directory.path()).unwrap()
    }

    /// Where line `index` of the file is said to stand.
    fn place(&self, index: usize) -> String {
        let offset: usize = self.lines[..index].iter().map(Vec::len).sum();
        format!("{}: byte {offset}", file(self.directory.path(), 1).display())
    }
}

fn file(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{}.jsonl", samples::id(number)))
}

fn list(store: &JsonlStore) -> (Vec<Session>, Vec<Damage>) {
    let query = Query { scope: Scope::All, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    (page.sessions, page.damaged)
}

#[test]
fn a_line_that_cannot_be_read_costs_itself() {
    let fixture = Fixture::new();
    let (two, three) = (fixture.lines[2].clone(), fixture.lines[3].clone());
    let mut flipped = two.clone();
    flipped[20] ^= 0x80;
    let strange = String::from_utf8(two.clone()).unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"what is this\n".to_vec()),
        ("nothing", b"\n".to_vec()),
        ("NUL", vec![0; 4096].into_iter().chain(*b"\n").collect()),
        ("invalid UTF-8", flipped),
        ("two glued lines", [&two[..two.len() - 1], &three[..]].concat()),
        ("a torn line glued to a whole one", [&two[..30], &three[..]].concat()),
        ("another session's", strange.replace("00000001", "00000002").into_bytes()),
        ("an impossible batch", strange.replace("[1,1]", "[2,1]").into_bytes()),
        ("no batch", strange.replace("\"batch\":[1,1],", "").into_bytes()),
        ("no session", strange.replace("\"session\":{", "\"sesssion\":{").into_bytes()),
        ("an unknown status", strange.replace("\"pending\"", "\"pensive\"").into_bytes()),
        ("a line of 100 MB", vec![b'x'; 100_000_000].into_iter().chain(*b"\n").collect()),
        ("deep nesting", vec![b'['; 1_000_000].into_iter().chain(*b"\n").collect()),
    ];
    for (what, bytes) in cases {
        assert_ne!(bytes, two, "{what}: nothing was damaged");
        let store = fixture.with(2, &bytes);
        let (sessions, damage) = list(&store);
        assert_eq!(sessions.len(), 2, "{what}");
        assert_eq!(store.get(samples::id(1)).unwrap().lifecycle.revision.0, 3, "{what}");
        let places = |damage: &[Damage]| -> Vec<_> {
            damage.iter().map(|damage| damage.place.clone()).collect()
        };
        let checked = store.check().unwrap().damaged;
        assert_eq!(places(&checked), [fixture.place(2)], "{what}: {checked:?}");
        // A listing reads no more than the ends of files.
        if bytes.len() < 10_000 {
            assert_eq!(places(&damage), [fixture.place(2)], "{what}: {damage:?}");
        }
    }
}

/// The copies of what was cut off, by name.
fn quarantine(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory.join("quarantine")) else { return Vec::new() };
    let mut copies: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    copies.sort();
    copies
}

#[test]
fn a_damaged_last_line_leaves_the_state_before_it_and_is_kept() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    let store = fixture.with(3, b"garbage\n");
    let session = store.get(samples::id(1)).unwrap();
    assert_eq!(session.lifecycle.revision.0, 2);
    assert_eq!(list(&store).1[0].place, fixture.place(3));
    assert!(!directory.join("quarantine").exists(), "reading changes nothing");

    assert_eq!(store.update(session, samples::at(9)).unwrap().lifecycle.revision.0, 3);
    assert_eq!(list(&store).1, []);
    let offset: usize = fixture.lines[..3].iter().map(Vec::len).sum();
    let name = format!("{}-{offset}.bad", samples::id(1));
    assert_eq!(quarantine(directory), [(name.clone(), b"garbage\n".to_vec())]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = directory.join("quarantine");
    assert_eq!((mode(&path), mode(&path.join(name))), (0o700, 0o600));
    let bytes = fs::read(file(directory, 1)).unwrap();
    assert!(bytes.starts_with(&fixture.lines[..3].concat()), "what counts is not touched");
    JsonlStore::open(directory).unwrap().get(samples::id(1)).unwrap();
}

#[test]
fn copies_of_what_is_cut_off_are_never_written_over() {
    let fixture = Fixture::new();
    let offset: usize = fixture.lines[..3].iter().map(Vec::len).sum();
    let id = samples::id(1);
    let cut = |bytes: &[u8]| {
        let store = fixture.with(3, bytes);
        store.update(store.get(id).unwrap(), samples::at(9)).unwrap();
    };
    // The last is longer than what is held in memory at once, and goes over several batches.
    let large = [&b"x".repeat(200_000)[..], b"\ny\n{\"ty"].concat();
    let others = [b"one\n".to_vec(), b"other\n".to_vec(), large];
    for bytes in &others {
        cut(bytes);
        cut(bytes);
    }
    let names = ["-2.bad", "-3.bad", ".bad"].map(|end| format!("{id}-{offset}{end}"));
    let [one, other, large] = others;
    let expected: Vec<_> = names.into_iter().zip([other, large, one]).collect();
    assert_eq!(quarantine(fixture.directory.path()), expected);
}

#[test]
fn what_a_crash_leaves_is_copied_only_when_data_stands_behind_a_hole() {
    let fixture = Fixture::new();
    let three = String::from_utf8(fixture.lines[3].clone()).unwrap();
    let [a, b] = ["[1,2]", "[2,2]"].map(|batch| three.replace("[1,1]", batch).into_bytes());
    let batch = [a, b].concat();
    let zeros = |range: std::ops::Range<usize>| {
        let mut bytes = batch.clone();
        bytes[range].fill(0);
        bytes
    };
    let (half, end) = (batch.len() / 2, batch.len());
    for (bytes, copies) in [
        (batch[..half].to_vec(), 0),
        (batch[..end - 1].to_vec(), 0),
        (zeros(0..end), 0),
        (zeros(half..end), 0),
        (zeros(half + 9..end), 0),
        (zeros(0..9), 1),
        (zeros(half - 9..half + 9), 2),
        (zeros(0..end - 1), 3),
    ] {
        let store = fixture.with(3, &bytes);
        let session = store.get(samples::id(1)).unwrap();
        assert_eq!((session.lifecycle.revision.0, list(&store).1), (2, vec![]));
        store.update(session, samples::at(9)).unwrap();
        assert_eq!(quarantine(fixture.directory.path()).len(), copies);
    }
}

#[test]
fn what_is_strange_stays_where_it_is_when_no_copy_can_be_kept() {
    let fixture = Fixture::new();
    let copies = fixture.directory.path().join("quarantine");
    let outside = tempfile::tempdir().unwrap();
    let refused = || {
        let store = fixture.with(3, b"garbage\n");
        let session = store.get(samples::id(1)).unwrap();
        let before = fs::read(file(fixture.directory.path(), 1)).unwrap();
        let error = store.update(session, samples::at(9)).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert_eq!(fs::read(file(fixture.directory.path(), 1)).unwrap(), before);
        assert!(store.get(samples::id(2)).is_ok());
    };
    fs::write(&copies, "a file").unwrap();
    refused();
    fs::remove_file(&copies).unwrap();
    std::os::unix::fs::symlink(outside.path(), &copies).unwrap();
    refused();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_header_costs_itself() {
    let fixture = Fixture::new();
    let header = String::from_utf8(fixture.lines[0].clone()).unwrap();
    for bytes in [
        "garbage\n".to_owned(),
        header.replace("\"version\":2", "\"version\":-1"),
        header.replace("\"version\":2", "\"version\":2.0"),
        header.replace("\"version\":2,", ""),
        header.replace("session-jsonl", "session-json"),
        header.replace("00000001", "00000002"),
    ] {
        let store = fixture.with(0, bytes.as_bytes());
        assert_eq!(store.get(samples::id(1)).unwrap().lifecycle.revision.0, 3, "{bytes}");
        let damage = list(&store).1;
        assert_eq!((damage.len(), &damage[0].place), (1, &fixture.place(0)), "{bytes}");
    }
}

#[test]
fn a_file_without_a_readable_record_is_corrupt_and_left_alone() {
    let fixture = Fixture::new();
    let path = file(fixture.directory.path(), 1);
    let unknown = [&fixture.lines[0][..], b"{\"type\":\"new\",\"batch\":[1,1]}\n"].concat();
    let binary = b"\x7fELF\0\0\0";
    for bytes in [&b"#!/bin/sh\necho another program's\n"[..], b"no line feed", binary, &unknown] {
        fs::write(&path, bytes).unwrap();
        let store = JsonlStore::open(fixture.directory.path()).unwrap();
        let id = samples::id(1);
        assert!(matches!(store.get(id), Err(StoreError::Corrupt { .. })));
        let (sessions, damage) = list(&store);
        assert_eq!(sessions, [store.get(samples::id(2)).unwrap()]);
        assert_eq!(damage[0].place, fixture.place(0));
        let created = store.create(samples::bare(1));
        assert!(matches!(created, Err(StoreError::Corrupt { .. })), "{created:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_newer_file_in_an_older_store_is_refused_and_left_alone() {
    let fixture = Fixture::new();
    let header = String::from_utf8(fixture.lines[0].clone()).unwrap();
    let newer = header.replace("\"version\":2", "\"version\":3");
    let store = fixture.with(0, newer.as_bytes());
    let path = file(fixture.directory.path(), 1);
    let before = fs::read(&path).unwrap();
    let id = samples::id(1);
    let is_newer = |error: &StoreError| matches!(error, StoreError::NewerVersion { found: 3, .. });
    assert!(is_newer(&store.get(id).unwrap_err()));
    assert!(is_newer(&store.update(samples::bare(1), samples::at(1)).unwrap_err()));
    assert!(is_newer(&store.create(samples::bare(1)).unwrap_err()));
    assert_eq!(list(&store).1.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn unknown_lines_are_kept_and_skipped() {
    let fixture = Fixture::new();
    let line = b"{\"type\":\"message\",\"batch\":[1,1],\"cost\":0.10,\"text\":\"\\ud800\"}\n";
    let store = fixture.with(2, line);
    let session = store.get(samples::id(1)).unwrap();
    store.update(session, samples::at(9)).unwrap();
    assert_eq!(list(&store).1, []);
    let bytes = fs::read(file(fixture.directory.path(), 1)).unwrap();
    assert!(bytes.windows(line.len()).any(|window| window == line));
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target.jsonl");
    fs::copy(file(directory, 1), &target).unwrap();
    let before = fs::read(&target).unwrap();
    fs::remove_file(file(directory, 1)).unwrap();
    std::os::unix::fs::symlink(&target, file(directory, 1)).unwrap();
    fs::create_dir(file(directory, 3)).unwrap();
    std::os::unix::fs::symlink("nowhere", file(directory, 4)).unwrap();
    assert!(Command::new("mkfifo").arg(file(directory, 5)).status().unwrap().success());

    let store = JsonlStore::open(directory).unwrap();
    for number in [1, 3, 4, 5] {
        let place = file(directory, number).display().to_string();
        let got = store.get(samples::id(number));
        assert!(matches!(got, Err(StoreError::Corrupt { place: p, .. }) if p == place));
        assert!(store.create(samples::bare(number)).is_err());
        assert!(list(&store).1.iter().any(|damage| damage.place == place));
    }
    assert_eq!(list(&store).0.len(), 1);
    assert_eq!(fs::read(&target).unwrap(), before);
    assert!(!directory.join("nowhere").exists());
}

#[test]
fn other_names_are_not_ours() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    let id = samples::id(5).to_string();
    let names =
        ["notes.jsonl".to_owned(), format!("{}.jsonl", id.to_lowercase()), format!("{id}.json")];
    for name in &names {
        fs::write(directory.join(name), "not ours\n").unwrap();
    }
    fs::create_dir(directory.join("trash")).unwrap();
    let store = JsonlStore::open(directory).unwrap();
    assert_eq!((list(&store).0.len(), list(&store).1), (2, vec![]));
}

#[test]
fn an_open_handle_notices_damage_that_others_do() {
    let fixture = Fixture::new();
    let store = JsonlStore::open(fixture.directory.path()).unwrap();
    assert_eq!(list(&store).1, []);
    let path = file(fixture.directory.path(), 1);
    let whole = fs::read(&path).unwrap();
    // Longer than what is known, so that only the end would be read if the beginning were trusted.
    let garbage = b"garbage that somebody's editor put here\n";
    let at = fixture.lines[0].len();
    fs::write(&path, [&whole[..at], &garbage[..], &whole[at..]].concat()).unwrap();
    assert_eq!(list(&store).1[0].place, fixture.place(1));
}
