//! Several processes on one store, some of which die in the middle of their work.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use session_core::{
    Durability, Query, Scope, Session, SessionId, SessionName, SessionStore, StoreError, Timestamp,
};
use session_sql::{SqlOptions, SqlStore};
use session_testkit::processes::child;
use session_testkit::samples;
use tempfile::TempDir;

const CRASHES: usize = 5;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    (dir, path)
}

fn all(path: &Path) -> Vec<Session> {
    let store = SqlStore::open_read_only(path).unwrap().unwrap();
    let mut query = Query::new(samples::observer(1));
    query.scope = Scope::All;
    let page = store.list(&query).unwrap();
    assert_eq!(page.damaged, []);
    page.sessions
}

#[test]
fn what_was_acknowledged_survives_a_kill_without_a_sync() {
    let (dir, path) = place();
    let mut acknowledged = BTreeSet::new();
    for round in 0..CRASHES {
        let mut writer =
            child::playing(&format!("forever-unsynced {round}"), &path).spawn().unwrap();
        let mut answers = child::answers_in(writer.stdout.take().unwrap());
        // Another number of writes each time, and then wherever the next ones happen to be.
        acknowledged.extend(answers.by_ref().take(1 + round * 7));
        writer.kill().unwrap();
        acknowledged.extend(answers);
        writer.wait().unwrap();
        // Nobody waits for the dead: its lock went with it.
        SqlStore::open(&path).unwrap().flush().unwrap();
        let stored: BTreeSet<_> =
            all(&path).iter().map(|session| session.id().to_string()).collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        // A write that was made but not acknowledged may be there: one a round at most.
        assert!(stored.len() <= acknowledged.len() + round + 1);
    }
    let verdict: String = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    assert!(!dir.path().join("session.db.new").exists());
}

#[test]
fn a_full_store_says_so_and_is_still_read() {
    let (_dir, path) = place();
    let store = SqlStore::open_with(&path, SqlOptions::default().max_pages(48)).unwrap();
    let mut kept = Vec::new();
    let error = loop {
        match store.create(large(kept.len() as u32)) {
            Ok(session) => kept.push(session),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(!kept.is_empty());
    store.flush().unwrap();
    for session in &kept {
        assert_eq!(store.get(session.id()).unwrap(), *session);
    }
    assert_eq!(all(&path).len(), kept.len());
    // Where there is room again, writing goes on.
    let roomy = SqlStore::open(&path).unwrap();
    roomy.create(large(kept.len() as u32)).unwrap();
}

/// A limit on the size of files hits the log in the middle of a commit.
#[test]
fn a_commit_without_room_is_undone() {
    let (_dir, path) = place();
    SqlStore::open(&path).unwrap().close().unwrap();
    // 512 blocks of 512 bytes; the signal that comes with the limit would end the process.
    let mut writer = child::playing_after("trap '' XFSZ; ulimit -f 512", "fill", &path);
    let answers = child::answers(&writer.output().unwrap());
    let (kept, outcome) = answers.split_at(answers.len() - 3);
    assert_eq!(outcome, ["disk-full", "disk-full", "read all"]);
    assert!(!kept.is_empty());
    let stored: BTreeSet<_> = all(&path).iter().map(|session| session.id().to_string()).collect();
    assert_eq!(stored, kept.iter().cloned().collect());
    SqlStore::open(&path).unwrap().create(large(1_000)).unwrap();
}

fn large(number: u32) -> Session {
    let at = Timestamp::from_millis(i64::from(number));
    let mut session = Session::new(SessionId::from_parts(at, u128::from(number)), at);
    session.identity.title = Some("x".repeat(4_000));
    session
}

/// A session that no other process makes.
fn of_process(process: u32, number: u32) -> Session {
    let random = (u128::from(process) << 32) + u128::from(number);
    let mut session = Session::new(SessionId::from_parts(samples::at(0), random), samples::at(0));
    session.identity.name = SessionName::parse(&format!("process-{process}-{number}")).ok();
    session
}

/// The roles of child processes.
#[test]
fn child() {
    let Some((role, path)) = child::role() else { return };
    let (role, number) = role.split_once(' ').unwrap_or((&role, "0"));
    let number: u32 = number.parse().unwrap();
    let durability = if role == "forever-unsynced" { Durability::Normal } else { Durability::Full };
    let options = SqlOptions::default().durability(durability);
    let store = SqlStore::open_with(&path, options).unwrap();
    match role {
        "forever-unsynced" => {
            for each in 0.. {
                child::answer(store.create(of_process(number, each)).unwrap().id());
            }
        }
        "fill" => {
            let mut kept = Vec::new();
            let error = loop {
                match store.create(large(kept.len() as u32)) {
                    Ok(session) => {
                        child::answer(session.id());
                        kept.push(session);
                    }
                    Err(error) => break error,
                }
            };
            child::answer(error.kind().as_str());
            // It is known what is on the disk, so that it may be tried again.
            let next = store.create(large(1_000)).unwrap_err();
            assert!(matches!(next, StoreError::DiskFull { .. }), "{next:?}");
            child::answer(next.kind().as_str());
            assert!(kept.iter().all(|session| store.get(session.id()).unwrap() == *session));
            child::answer("read all");
        }
        other => panic!("no role {other}"),
    }
}
