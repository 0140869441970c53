//! Who may read and write a store, and what others are told.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use session_core::{Query, Scope, SessionStore};
use session_sql::SqlStore;
use session_testkit::processes::child;
use session_testkit::samples;
use tempfile::TempDir;

#[test]
fn a_new_store_belongs_to_its_owner_alone_whatever_the_umask() {
    for umask in ["000", "022", "777"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.db");
        let mut creator = child::playing_after(&format!("umask {umask}"), "create", &path);
        assert_eq!(child::answers(&creator.output().unwrap()), ["done"]);
        let mode = std::fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600, "umask {umask}");
    }
}

#[test]
fn what_the_system_forbids_is_typed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.db");
    let store = SqlStore::open(&path).unwrap();
    store.create(samples::full(1)).unwrap();
    store.close().unwrap();
    let somebody = Unprivileged::new();
    let run = |role: &str, path: &Path| somebody.answers(role, path);
    let set = set_mode;

    // A directory that anybody may enter and nobody may change.
    set(dir.path(), 0o555);
    set(&path, 0o600);
    assert_eq!(run("open", &dir.path().join("new.db")), ["permission-denied"]);
    assert_eq!(run("open read-only", &dir.path().join("new.db")), ["none"]);
    if run("open read-only", &path) == ["permission-denied"] {
        // Not our own file, so the test runs as somebody else: let them read it.
        set(&path, 0o444);
    }
    assert_eq!(run("open read-only", &path), ["1 session"]);
    assert_eq!(run("create", &path), ["permission-denied"]);
    set(&path, 0o000);
    assert_eq!(run("open read-only", &path), ["permission-denied"]);
    assert_eq!(run("open", &path), ["permission-denied"]);

    // A directory that anybody may change, and in it a store that nobody may.
    set(dir.path(), 0o777);
    set(&path, 0o444);
    assert_eq!(run("open", &path), ["permission-denied"]);
    assert_eq!(run("open read-only", &path), ["1 session"]);

    // A directory that nobody may enter.
    set(dir.path(), 0o000);
    assert_eq!(run("open", &path), ["permission-denied"]);
    assert_eq!(run("open read-only", &path), ["permission-denied"]);
    set(dir.path(), 0o700);
    set(&path, 0o600);
    assert!(!dir.path().join("new.db").exists());
    SqlStore::open(&path).unwrap().get(samples::id(1)).unwrap();
}

/// Starts processes without the rights of the superuser, who is forbidden nothing.
struct Unprivileged {
    is_root: bool,
    /// Holds a copy of this binary: the build may lie where nobody else can reach it.
    programs: TempDir,
}

impl Unprivileged {
    fn new() -> Self {
        let programs = tempfile::tempdir().unwrap();
        set_mode(programs.path(), 0o755);
        let copy = programs.path().join("child");
        // Not by this process: a child that another test starts meanwhile would keep the copy open for writing,
        // and what is open for writing cannot be executed.
        let copied = Command::new("cp").arg(child::itself()).arg(&copy).status();
        assert!(copied.unwrap().success());
        set_mode(&copy, 0o755);
        Self { is_root: std::fs::metadata(programs.path()).unwrap().uid() == 0, programs }
    }

    fn answers(&self, role: &str, path: &Path) -> Vec<String> {
        let mut command =
            child::started_by(Command::new(self.programs.path().join("child")), role, path);
        if self.is_root {
            command.uid(65_534).gid(65_534);
        }
        child::answers(&command.output().unwrap())
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The roles of child processes.
#[test]
fn child() {
    let Some((role, path)) = child::role() else { return };
    let outcome = match role.as_str() {
        "open" => SqlStore::open(&path).map(|_| "opened".to_owned()),
        "create" => SqlStore::open(&path)
            .and_then(|store| store.create(samples::bare(7)))
            .map(|_| "done".to_owned()),
        "open read-only" => SqlStore::open_read_only(&path).and_then(|store| {
            let Some(store) = store else { return Ok("none".to_owned()) };
            let mut query = Query::new(samples::observer(1));
            query.scope = Scope::All;
            Ok(format!("{} session", store.list(&query)?.sessions.len()))
        }),
        other => panic!("no role {other}"),
    };
    child::answer(outcome.unwrap_or_else(|error| error.kind().as_str().to_owned()));
}
