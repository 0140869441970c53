//! Stores as earlier versions wrote them, and the bytes that this version writes.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use session_core::record::Summary;
use session_core::{
    Order, Query, Reading, RecordStore, Scope, SessionStore, SessionStoreExt, Sort, StoreError,
    StoreUpkeep,
};
use session_jsonl::{JsonlStore, SCHEMA_VERSION};
use session_testkit::samples;

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

/// The files of a store that it is made of, without the lock and the index.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name != "lock" && name != "index.jsonl")
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A copy of a fixture that can be written to.
fn copy(version: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files(&fixture(version)) {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// Makes a session with a history, one that loses its name to another, one in the trash, and one that is destroyed.
fn write(directory: &Path) {
    let store = JsonlStore::open(directory).unwrap();
    let mut build = store.create(samples::named(1, "build")).unwrap();
    build.identity.title = Some("Build it".to_owned());
    store.update(build, samples::at(60)).unwrap();
    let said = [samples::said(1, "Is it built?"), samples::noted(2, "flaky on Mondays")];
    store.append(samples::id(1), &said, samples::at(61)).unwrap();
    store
        .append(
            samples::id(1),
            &[samples::checkpoint(3, Summary::Text("It is built.".to_owned()), Some(2))],
            samples::at(62),
        )
        .unwrap();
    store.create(samples::until(4, "taken", 5)).unwrap();
    let mut heir = samples::named(5, "taken");
    heir.lifecycle.created_at = samples::at(6);
    store.create(heir).unwrap();
    for number in [6, 7] {
        store.create(samples::bare(number)).unwrap();
        store.remove(samples::id(number), &samples::observer(70)).unwrap();
    }
    store.purge(samples::id(7), samples::at(80)).unwrap();
}

#[test]
fn version_2_is_written_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    assert_eq!(files(directory.path()), files(&fixture("v2")));
}

#[test]
fn version_2_is_read() {
    let store = JsonlStore::open_read_only(fixture("v2")).unwrap();
    assert_eq!(store.check().unwrap().damaged, []);
    let page = store.read(samples::id(1), &Reading::ALL).unwrap();
    let kinds: Vec<_> = page.records.iter().map(|record| record.entry.body.kind()).collect();
    assert_eq!((kinds, page.next), (vec!["message", "note", "checkpoint"], None));
    assert_eq!(store.context(samples::id(1)).unwrap().messages.len(), 1);
    assert!(store.get(samples::id(6)).unwrap().is_trashed());
    assert_eq!(store.tombstones().unwrap().len(), 1);
}

/// What every version of the fixture with the sessions of version 1 says.
fn shown(store: &JsonlStore) -> Vec<String> {
    let query = Query { scope: Scope::All, sort: Sort::Name, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    let shown = page.sessions.iter().map(|session| {
        let number = session.id().short().trim_start_matches('0').to_owned();
        let revision = session.lifecycle.revision.0;
        format!("{number} {} {} {revision}", session.name().unwrap(), session.status())
    });
    shown.collect()
}

const SHOWN: [&str; 5] = [
    "1 build pending 2",
    "2 full-2 running 1",
    "3 future-3 running 1",
    "5 taken pending 1",
    "4 taken expired 2",
];

#[test]
fn version_1_is_read() {
    let store = JsonlStore::open_read_only(fixture("v1")).unwrap();
    assert_eq!(shown(&store), SHOWN);
    let full = store.get(samples::id(2)).unwrap();
    assert_eq!(full.launch.unwrap().argv, ["claude", "--print", ""]);
    assert_eq!(full.process.unwrap().pid_start, Some(u64::MAX));
}

#[test]
fn version_1_becomes_version_2_and_nothing_but_its_marker_changes() {
    let directory = copy("v1");
    let path = |name: &str| directory.path().join(name);
    let marker =
        "{ \"format\" : \"session-jsonl\",\"version\":1,\"new\" : 1e400, \"generation\":7}";
    fs::write(path("format.json"), marker).unwrap();
    fs::set_permissions(path("format.json"), fs::Permissions::from_mode(0o640)).unwrap();
    let store = JsonlStore::open(directory.path()).unwrap();
    assert_eq!(shown(&store), SHOWN);
    let info = store.info();
    assert_eq!((info.schema_version, info.generation), (SCHEMA_VERSION, 7));
    let backup = path("format.json.v1.backup");
    assert_eq!(fs::read_to_string(&backup).unwrap(), marker);
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o640);
    let expected = "{\"format\":\"session-jsonl\",\"version\":2,\"new\":1e400,\"generation\":7}\n";
    assert_eq!(fs::read_to_string(path("format.json")).unwrap(), expected);
    for (name, text) in files(&fixture("v1")).iter().filter(|(name, _)| name != "format.json") {
        assert_eq!(&fs::read_to_string(path(name)).unwrap(), text, "{name}");
    }
    let before = files(directory.path());
    drop(JsonlStore::open(directory.path()).unwrap());
    assert_eq!(files(directory.path()), before, "a second time changes nothing");
    // Lines of this version go into files of the older one.
    store.append(samples::id(1), &[samples::said(1, "new")], samples::at(61)).unwrap();
    let text = fs::read_to_string(path(&format!("{}.jsonl", samples::id(1)))).unwrap();
    assert!(text.starts_with("{\"format\":\"session-jsonl\",\"version\":1,"), "{text}");
    let anew = JsonlStore::open_read_only(directory.path()).unwrap();
    assert_eq!(anew.read(samples::id(1), &Reading::backward()).unwrap().records.len(), 1);
    assert_eq!(anew.check().unwrap().damaged, []);
}

#[test]
fn a_store_without_a_version_is_of_version_0() {
    for version in ["", "\"version\":null,", "\"version\":0,"] {
        let directory = copy("v1");
        let path = directory.path().join("format.json");
        fs::write(&path, format!("{{{version}\"format\":\"session-jsonl\"}}")).unwrap();
        assert_eq!(shown(&JsonlStore::open_read_only(directory.path()).unwrap()), SHOWN);
        assert_eq!(shown(&JsonlStore::open(directory.path()).unwrap()), SHOWN);
        assert!(fs::read_to_string(&path).unwrap().contains("\"version\":2"));
        assert!(directory.path().join("format.json.v0.backup").exists());
    }
}

#[test]
fn a_backup_of_the_marker_is_never_overwritten() {
    let directory = copy("v1");
    let backup = directory.path().join("format.json.v1.backup");
    fs::write(&backup, "an earlier one").unwrap();
    let marker = fs::read_to_string(directory.path().join("format.json")).unwrap();
    JsonlStore::open(directory.path()).unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), "an earlier one");
    let second = directory.path().join("format.json.v1-2.backup");
    assert_eq!(fs::read_to_string(second).unwrap(), marker);
}

#[test]
fn a_migration_that_cannot_be_made_changes_nothing() {
    let directory = copy("v1");
    let before = files(directory.path());
    // The name of the draft is taken by what cannot be removed as a file.
    fs::create_dir(directory.path().join("format.json.draft")).unwrap();
    let refused = JsonlStore::open(directory.path());
    assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
    let kept = |(name, _): &(String, String)| name != "format.json.v1.backup";
    let after: Vec<_> = files(directory.path()).into_iter().filter(kept).collect();
    assert_eq!(after, before);
    fs::remove_dir(directory.path().join("format.json.draft")).unwrap();
    assert_eq!(shown(&JsonlStore::open(directory.path()).unwrap()), SHOWN);
    assert!(!directory.path().join("format.json.v1-2.backup").exists());
}

#[test]
fn members_of_a_newer_program_survive_in_files_of_version_1() {
    let directory = copy("v1");
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
fn the_last_checkpoint_is_found_from_the_end() {
    let store = JsonlStore::open_read_only(fixture("v2")).unwrap();
    let last = store.get(samples::id(1)).unwrap().totals().last_checkpoint.unwrap();
    let reading = Reading { from: last, to: last, order: Order::Backward, limit: None };
    let page = store.read(samples::id(1), &reading).unwrap();
    assert_eq!(page.records[0].entry.body.kind(), "checkpoint");
}

#[test]
fn the_format_document_shows_what_is_written() {
    let document = include_str!("../FORMAT.md");
    for (name, text) in files(&fixture("v2")) {
        if name == "format.json" || name == "tombstones.jsonl" || document.contains(&name) {
            for line in text.lines() {
                let is_shown = document.lines().any(|shown| shown == line);
                assert!(is_shown, "not in FORMAT.md, of {name}:\n{line}");
            }
        }
    }
    assert!(document.contains(&samples::id(1).to_string()));
}

/// The lines of the document from this one to the end of its example.
fn example(begin: &str) -> Vec<&'static str> {
    let document = include_str!("../FORMAT.md");
    let lines = document.lines().skip_while(|line| *line != begin);
    lines.take_while(|line| !line.starts_with("```")).collect()
}

/// FNV-1a, as the document says.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[test]
fn the_pending_change_of_the_format_document_is_made() {
    let lines = example(r#"{"format":"session-jsonl","version":2,"file":"pending"}"#);
    let body: String = lines[..3].iter().map(|line| format!("{line}\n")).collect();
    let sum = format!("\"sum\":\"{:016x}\"", fnv_1a(body.as_bytes()));
    assert!(lines.len() == 4 && lines[3].contains(&sum), "{sum}");

    // Before it is made, the one session holds the name, and the other is not there.
    let directory = copy("v2");
    let [holder, heir] =
        [4, 5].map(|number| directory.path().join(format!("{}.jsonl", samples::id(number))));
    let whole = [&holder, &heir].map(|path| fs::read_to_string(path).unwrap());
    let held: String = whole[0].lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write(&holder, held).unwrap();
    fs::remove_file(&heir).unwrap();
    fs::write(directory.path().join("pending.jsonl"), lines.join("\n") + "\n").unwrap();
    let store = JsonlStore::open_read_only(directory.path()).unwrap();
    assert_eq!(store.get(samples::id(5)).unwrap().name(), Some(&samples::name("taken")));
    // The next writer does it.
    let store = JsonlStore::open(directory.path()).unwrap();
    store.append(samples::id(1), &[samples::said(9, "next")], samples::at(90)).unwrap();
    assert_eq!([&holder, &heir].map(|path| fs::read_to_string(path).unwrap()), whole);
    assert!(!directory.path().join("pending.jsonl").exists());
}

/// The sum of a line of the index, as the document says.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.chain(rest.iter().map(|byte| u64::from(*byte))).fold(bytes.len() as u64, |sum, word| {
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}

#[test]
fn the_index_of_the_format_document_is_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("{}.jsonl", samples::id(1));
    for name in ["format.json", &name] {
        fs::copy(fixture("v2").join(name), directory.path().join(name)).unwrap();
    }
    JsonlStore::open(directory.path()).unwrap().reindex().unwrap();
    let written = fs::read_to_string(directory.path().join("index.jsonl")).unwrap();
    let written: Vec<_> = written.lines().collect();
    let shown = example(r#"{"format":"session-jsonl","version":2,"file":"index"}"#);
    assert_eq!((shown.len(), shown[0]), (written.len(), written[0]));

    let (mut prev, mut end) = ("0000000000000000".to_owned(), shown[0].len() as u64 + 1);
    for (shown, written) in shown.iter().zip(&written).skip(1) {
        let (_, rest) = shown.split_once(',').unwrap();
        let value: serde_json::Value = serde_json::from_str(shown).unwrap();
        assert_eq!(
            value["sum"].as_str(),
            Some(&*format!("{:016x}", sum(rest.as_bytes()))),
            "{shown}"
        );
        assert_eq!((value["prev"].as_str(), value["base"].as_u64()), (Some(&*prev), Some(end)));
        prev = value["sum"].as_str().unwrap().to_owned();
        end += shown.len() as u64 + 1;
        // What is not of this machine and this moment is the same.
        let entries = |line: &str| line.split_once("\"entries\":").unwrap().1.to_owned();
        assert_eq!(entries(shown), entries(written));
        let members = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(members(shown), members(written));
    }
    let file = fs::read(fixture("v2").join(name)).unwrap();
    let value: serde_json::Value = serde_json::from_str(shown[1]).unwrap();
    let member = |name: &str| value["entries"][0][name].as_u64().unwrap();
    let line = usize::try_from(member("line")).unwrap();
    assert_eq!(member("whole"), file.len() as u64);
    assert_eq!(member("hash"), fnv_1a(&file[line..file.len() - 1]));
}

/// The commands of the document that need no other program than a shell and what is on every system.
#[test]
fn the_commands_of_the_format_document_do_what_they_say() {
    let document = include_str!("../FORMAT.md");
    let run = |begin: &str| {
        let command = document.lines().find(|line| line.starts_with(begin)).unwrap();
        let shell = Command::new("sh").args(["-c", command]).current_dir(fixture("v2")).output();
        String::from_utf8(shell.unwrap().stdout).unwrap()
    };
    let expected = format!("{}.jsonl\n{}.jsonl\n", samples::id(4), samples::id(5));
    assert_eq!(run("grep -l "), expected);
    assert!(run("tail -n 1 ").starts_with("{\"type\":\"session\",\"batch\":[2,2],"));
    assert_eq!(run("grep -h ").lines().count(), 3);
}

/// What `jq` is told to look for in the document stands where it looks.
#[test]
fn every_line_is_json_with_the_members_that_the_format_document_asks_for() {
    for (name, text) in files(&fixture("v2")) {
        for (index, line) in text.lines().enumerate() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            if name == "tombstones.jsonl" {
                assert!(value["tombstone"]["id"].is_string());
            } else if index > 0 {
                let kind = value["type"].as_str().unwrap();
                assert!(value[kind].is_object(), "{line}");
                assert_eq!(value["batch"].as_array().unwrap().len(), 2);
            }
        }
    }
}
