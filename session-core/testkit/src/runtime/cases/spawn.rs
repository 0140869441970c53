//! `spawn`: what is recorded, what is refused, and what the program gets.

use std::ffi::OsString;

use session_core::{ErrorKind, ProcessState, Spawn, Status};

use super::super::live::{Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::{id, name};

/// RUN-01: the session is returned, and stored, as running with a pid, and is otherwise as it was asked for.
pub fn stores_a_running_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut request = live.request(1, Program::Echo);
    request.session.identity.title = Some("title".to_owned());
    let asked = request.session.clone();
    let session = live.spawn(request).unwrap();
    let process = session.process.as_ref().expect("a process is recorded");
    assert_eq!((session.status(), process.state), (Status::Running, ProcessState::Running));
    assert!(process.pid.is_some());
    assert_eq!((&session.identity, &session.launch), (&asked.identity, &asked.launch));
    assert_eq!(live.stored(1), session);
}

fn assert_nothing_open(live: &Live<'_>) {
    for session in live.listed() {
        assert!(!session.status().is_open(), "left behind: {session:?}");
        assert!(!session.has_live_process(), "left behind: {session:?}");
    }
}

/// RUN-02: a program that is not found is `CommandNotFound`, and leaves nothing open and its name free.
pub fn refuses_a_missing_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.spawn(live.request(1, Program::Missing)), ErrorKind::CommandNotFound);
    assert_nothing_open(&live);
    let mut again = live.request(2, Program::Echo);
    again.session.identity.name = Some(name("program-1"));
    live.spawn(again).unwrap();
}

/// RUN-02: a directory that is not there is `InvalidWorkdir`, and leaves nothing open.
pub fn refuses_a_missing_directory(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut request = live.request(1, Program::Echo);
    request.session.launch.as_mut().unwrap().workdir = "/missing/directory".to_owned();
    assert_kind(live.spawn(request), ErrorKind::InvalidWorkdir);
    assert_nothing_open(&live);
}

/// RUN-03: a held name is `Exists`; nothing is stored or started, and the holder runs on.
pub fn refuses_a_held_name(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    let mut request = live.request(2, Program::Echo);
    request.session.identity.name = Some(name("program-1"));
    assert_kind(live.spawn(request), ErrorKind::Exists);
    assert_eq!(live.listed(), [live.stored(1)]);
    assert_kind(live.runtime.write(id(2), b"go\n"), ErrorKind::NotFound);
    live.type_in(1, "still here\n");
    watcher.until_line("got:still here");
}

/// RUN-04: the program starts in the session's directory.
pub fn starts_in_the_directory(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let here = std::fs::canonicalize(env!("CARGO_MANIFEST_DIR")).unwrap();
    for (number, workdir) in [(1, "/"), (2, here.to_str().unwrap())] {
        let mut request = live.request(number, Program::ReportDirectory);
        request.session.launch.as_mut().unwrap().workdir = workdir.to_owned();
        live.spawn(request).unwrap();
        let mut watcher = live.watch(number);
        live.type_in(number, "go\n");
        watcher.until_end();
        assert_eq!(watcher.printed(), [format!("directory:{workdir}")]);
    }
}

/// What a program is told about a variable.
fn reported(
    live: &Live<'_>,
    number: u32,
    variable: &str,
    edit: impl FnOnce(&mut Spawn),
) -> Vec<String> {
    let mut request = live.request(number, Program::ReportEnvironment(variable.to_owned()));
    edit(&mut request);
    live.spawn(request).unwrap();
    let mut watcher = live.watch(number);
    live.type_in(number, "go\n");
    watcher.until_end();
    watcher.printed()
}

fn give(request: &mut Spawn, variable: &str, value: &str) {
    request.environment.push((OsString::from(variable), OsString::from(value)));
}

fn add(request: &mut Spawn, variable: &str, value: &str) {
    let launch = request.session.launch.as_mut().unwrap();
    launch.env.insert(variable.to_owned(), value.to_owned());
}

/// RUN-04: the program gets the given environment, of which nothing is stored.
pub fn hands_the_environment_over(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let printed = reported(&live, 1, "GIVEN", |request| give(request, "GIVEN", "a b=c"));
    assert_eq!(printed, ["value:a b=c"]);
    assert!(live.stored(1).launch.unwrap().env.is_empty());
}

/// RUN-04: the session's additions are added, and win over what was given.
pub fn adds_to_the_environment(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_eq!(reported(&live, 1, "ADDED", |request| add(request, "ADDED", "1")), ["value:1"]);
    let printed = reported(&live, 2, "BOTH", |request| {
        give(request, "BOTH", "given");
        add(request, "BOTH", "added");
    });
    assert_eq!(printed, ["value:added"]);
}

/// RUN-04: the program can read its session's id and name, whatever session it was started from.
pub fn tells_the_program_who_it_is(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let outer = |request: &mut Spawn| {
        give(request, "SESSION_ID", "outer");
        give(request, "SESSION_NAME", "outer");
    };
    assert_eq!(reported(&live, 1, "SESSION_ID", outer), [format!("value:{}", id(1))]);
    assert_eq!(reported(&live, 2, "SESSION_NAME", outer), ["value:program-2"]);
}

/// RUN-04: what is in neither is not there, also when the runtime's own environment has it.
pub fn inherits_nothing(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    // Cargo sets it for every test.
    let variable = "CARGO_PKG_NAME";
    let printed = reported(&live, 1, variable, |request| {
        request.environment.retain(|(name, _)| name != variable);
    });
    assert_eq!(printed, ["unset"]);
}
