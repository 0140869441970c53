//! `resize`: the program knows its size.

use session_core::{ErrorKind, TerminalSize};

use super::super::live::{Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::id;

/// RUN-07: the first size is that of the launch.
pub fn starts_in_the_size_of_the_launch(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut request = live.request(1, Program::ReportSize);
    request.session.launch.as_mut().unwrap().size = Some(TerminalSize::nearest(101, 31));
    live.spawn(request).unwrap();
    let mut watcher = live.watch(1);
    live.type_in(1, "go\n");
    watcher.until_line("size 101x31");
    assert_eq!(watcher.printed(), ["size 101x31"]);
}

/// RUN-07: the program is told each new size.
pub fn tells_the_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::ReportSize);
    watcher.until_line("size 80x24");
    for (cols, rows) in [(132, 43), (20, 5), (300, 100)] {
        live.runtime.resize(id(1), TerminalSize::nearest(cols, rows)).unwrap();
        watcher.until_line(&format!("size {cols}x{rows}"));
    }
}

/// RUN-06: resizing an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.resize(id(1), TerminalSize::DEFAULT), ErrorKind::NotFound);
}

/// RUN-06: resizing a program that has ended is `NotRunning`.
pub fn refuses_an_ended_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.run(1, Program::Exit(0));
    assert_kind(live.runtime.resize(id(1), TerminalSize::DEFAULT), ErrorKind::NotRunning);
}
