//! Whatever a store holds, converting it there and back with the real command changes nothing of it.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::Path;
use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::{Entry, Observer, Session, SessionStore, Timestamp};
use session_jsonl::JsonlStore;
use session_sql::SqlStore;
use session_testkit::{content, strategies};

/// What becomes of a session after it was filled.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stays,
    Removed,
    Destroyed,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![3 => Just(Fate::Stays), 1 => Just(Fate::Removed), 1 => Just(Fate::Destroyed)]
}

/// Fills a store; what it refuses is not in it.
fn fill(store: &dyn SessionStore, sessions: Vec<(Session, Vec<Entry>, Fate)>) {
    let now = Timestamp::from_millis(1_769_847_300_007);
    for (mut session, entries, fate) in sessions {
        // A program that nobody hosts counts as running, and while one runs nothing is converted.
        if session.has_live_process() {
            session.process = None;
        }
        let id = session.id();
        if store.create(session).is_err() {
            continue;
        }
        let _ended = store.append(id, &entries, now);
        if !matches!(fate, Fate::Stays) {
            store.remove(id, &Observer { now, live_host: None }).unwrap();
        }
        if matches!(fate, Fate::Destroyed) {
            store.purge(id, now).unwrap();
        }
    }
    store.close().unwrap();
}

#[track_caller]
fn convert(data: &Path, from: &str, to: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_session"))
        .args(["store", "convert", "--to", to, "--store", from])
        .env_clear()
        .env("HOME", data)
        .env("SESSION_DATA_DIR", data)
        .env("SESSION_RUNTIME_DIR", data.join("run"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn sqlite(data: &Path) -> Vec<String> {
    content(&SqlStore::open_read_only(data.join("session.db")).unwrap().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// STORE-51: sqlite to jsonl and back gives the same dump.
    #[test]
    fn there_and_back_is_the_same(
        sessions in vec((strategies::session(), strategies::entries(0..6), fate()), 0..6)
    ) {
        let directory = tempfile::Builder::new().prefix("s-").tempdir_in("/tmp").unwrap();
        let data = directory.path().canonicalize().unwrap();
        fill(&SqlStore::open(data.join("session.db")).unwrap(), sessions);
        let before = sqlite(&data);

        convert(&data, "sqlite", "jsonl");
        prop_assert_eq!(&sqlite(&data), &before);
        prop_assert_eq!(&content(&JsonlStore::open_read_only(data.join("jsonl")).unwrap()), &before);

        for file in ["session.db", "session.db-wal", "session.db-shm"] {
            let _not_there = std::fs::remove_file(data.join(file));
        }
        convert(&data, "jsonl", "sqlite");
        prop_assert_eq!(&sqlite(&data), &before);
    }
}
