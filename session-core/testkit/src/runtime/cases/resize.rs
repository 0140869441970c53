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

fn size(cols: u16, rows: u16) -> TerminalSize {
    TerminalSize::new(cols, rows).unwrap()
}

/// RUN-07: whatever is a size at all; there are none with 0 columns or more than 9999.
pub fn takes_any_size(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::ReportSize);
    watcher.until_line("size 80x24");
    for (cols, rows) in [(0, 24), (80, 0), (10_000, 24), (80, u16::MAX)] {
        assert_eq!(TerminalSize::new(cols, rows), None);
    }
    for size in [size(1, 1), size(TerminalSize::MAX, 1), size(1, TerminalSize::MAX)] {
        live.runtime.resize(id(1), size).unwrap();
        watcher.until_line(&format!("size {size}"));
    }
}

/// RUN-13: each watcher is told the new size.
pub fn tells_every_watcher(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Echo);
    let mut watchers = [live.watch(1), live.watch(1), live.replay(1)];
    live.runtime.resize(id(1), size(132, 43)).unwrap();
    for watcher in &mut watchers {
        watcher.until("new size", |watcher| !watcher.sizes.is_empty());
        assert_eq!(watcher.sizes, [size(132, 43)]);
    }
}

/// RUN-13: a size that the terminal has already is told to nobody, neither program nor watcher.
pub fn tells_nobody_of_the_same_size(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::ReportSize);
    watcher.until_line("size 80x24");
    live.runtime.resize(id(1), size(80, 24)).unwrap();
    live.runtime.resize(id(1), size(100, 30)).unwrap();
    watcher.until_line("size 100x30");
    for size in [size(100, 30), size(100, 30), size(90, 20)] {
        live.runtime.resize(id(1), size).unwrap();
    }
    watcher.until_line("size 90x20");
    assert_eq!(watcher.printed(), ["size 80x24", "size 100x30", "size 90x20"]);
    assert_eq!(watcher.sizes, [size(100, 30), size(90, 20)]);
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
