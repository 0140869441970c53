//! `wait`, and what is recorded before it returns.

use std::thread;
use std::time::Duration;

use session_core::{ErrorKind, Exit, ProcessState, SessionStoreExt, Status, StoreError};

use super::super::live::{DEADLINE, Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::{at, id, name};

/// RUN-10: `None` when the time passes first.
pub fn gives_up_in_time(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Echo);
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        assert_eq!(live.runtime.wait(id(1), Some(timeout)).unwrap(), None);
    }
}

/// RUN-10: returns at once when the program has ended, as often as it is asked.
pub fn returns_at_once_after_the_end(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_eq!(live.run(1, Program::Exit(7)), Exit::Code(7));
    for timeout in [Some(Duration::ZERO), Some(DEADLINE), None] {
        assert_eq!(live.runtime.wait(id(1), timeout).unwrap(), Some(Exit::Code(7)));
    }
}

/// RUN-10: returns when the program ends, to everybody who waits.
pub fn returns_when_the_program_ends(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    thread::scope(|scope| {
        let runtime = &live.runtime;
        let waiting: Vec<_> =
            (0..3).map(|_| scope.spawn(|| runtime.wait(id(1), Some(DEADLINE)).unwrap())).collect();
        live.type_in(1, "\u{4}");
        for waiter in waiting {
            assert_eq!(waiter.join().unwrap(), Some(Exit::Code(0)));
        }
    });
}

/// RUN-06: waiting for an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.wait(id(1), Some(Duration::ZERO)), ErrorKind::NotFound);
}

fn assert_recorded(live: &Live<'_>, number: u32, exit: Exit, status: Status) {
    let session = live.stored(number);
    assert_eq!(session.status(), status);
    assert_eq!(session.process.unwrap().state, ProcessState::Exited(exit));
}

/// RUN-11: exit 0 is recorded as completed before `wait` returns.
pub fn records_success_first(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_eq!(live.run(1, Program::Exit(0)), Exit::Code(0));
    assert_recorded(&live, 1, Exit::Code(0), Status::Completed);
}

/// RUN-11: any other code is recorded as failed.
pub fn records_failure_first(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for (number, code) in [(1, 1), (2, 3), (3, 127), (4, 255)] {
        assert_eq!(live.run(number, Program::Exit(code)), Exit::Code(code));
        assert_recorded(&live, number, Exit::Code(code), Status::Failed);
    }
}

/// RUN-11: a signal is recorded as a signal, and as failed.
pub fn records_a_signal_first(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_eq!(live.run(1, Program::Signalled), Exit::Signal(9));
    assert_recorded(&live, 1, Exit::Signal(9), Status::Failed);
}

/// RUN-11: a watcher is told of the end after it is recorded.
pub fn records_before_watchers_know(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for number in 1..6 {
        let mut watcher = live.go(number, Program::Numbered(1));
        assert_eq!(watcher.until_end(), Exit::Code(0));
        assert_recorded(&live, number, Exit::Code(0), Status::Completed);
    }
}

/// RUN-11: recording the end keeps what others wrote meanwhile.
pub fn records_beside_what_others_wrote(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    let retitle = live.store.update_with(id(1), at(1), |session| {
        session.identity.title = Some("meanwhile".to_owned());
        Ok::<_, StoreError>(())
    });
    retitle.unwrap();
    live.type_in(1, "\u{4}");
    watcher.until_end();
    assert_recorded(&live, 1, Exit::Code(0), Status::Completed);
    assert_eq!(live.stored(1).identity.title.as_deref(), Some("meanwhile"));
}

/// RUN-11: with the end the name is free, so the next program can have it.
pub fn gives_the_name_back(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for number in 1..4 {
        let mut request = live.request(number, Program::Exit(0));
        request.session.identity.name = Some(name("again"));
        live.spawn(request).unwrap();
        live.ended(number);
    }
    assert_eq!(live.store.named(&name("again")).unwrap().len(), 3);
}
