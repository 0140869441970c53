//! `stop`: every program ends, and it is said how.

use std::time::Duration;

use session_core::{ErrorKind, Exit, ProcessState, Status};

use super::super::live::{DEADLINE, Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::id;

const GRACE: Duration = Duration::from_millis(100);

/// RUN-09: returns how the program ended, as everybody else is told.
pub fn ends_a_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    let exit = live.runtime.stop(id(1), DEADLINE).unwrap();
    assert!(matches!(exit, Exit::Signal(_)), "the program does not end by itself: {exit:?}");
    assert_eq!(live.stored(1).process.unwrap().state, ProcessState::Exited(exit));
    assert_eq!(live.stored(1).lifecycle.status, Status::Failed);
    assert_eq!(live.ended(1), exit);
    assert_eq!(watcher.until_end(), exit);
}

/// RUN-09: one that ignores every signal that can be ignored is killed.
pub fn ends_a_stubborn_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Stubborn);
    watcher.until_line("ready");
    assert_eq!(live.runtime.stop(id(1), GRACE).unwrap(), Exit::Signal(9));
    assert_eq!(watcher.until_end(), Exit::Signal(9));
}

/// RUN-09: it is asked first, so it may end in its own way; then more firmly; and killed only after that.
pub fn asks_before_it_kills(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for (number, program, grace, exit, last) in [
        (1, Program::Polite, DEADLINE, Exit::Code(5), "bye"),
        (2, Program::Lingering, GRACE, Exit::Signal(15), "ready"),
    ] {
        let mut watcher = live.go(number, program);
        watcher.until_line("ready");
        assert_eq!(live.runtime.stop(id(number), grace).unwrap(), exit);
        assert_eq!(watcher.until_end(), exit);
        assert_eq!(watcher.printed().last().map(String::as_str), Some(last));
        assert_eq!(live.stored(number).process.unwrap().state, ProcessState::Exited(exit));
    }
}

/// RUN-06: stopping an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.stop(id(1), GRACE), ErrorKind::NotFound);
}

/// RUN-06: stopping a program that has ended is `NotRunning`.
pub fn refuses_an_ended_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.run(1, Program::Exit(0));
    assert_kind(live.runtime.stop(id(1), GRACE), ErrorKind::NotRunning);
    assert_eq!(live.stored(1).lifecycle.status, Status::Completed);
}
