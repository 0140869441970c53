//! `write`: what is typed arrives.

use session_core::ErrorKind;

use super::super::live::{Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::id;

/// RUN-05: what was written reaches the program.
pub fn reaches_the_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    live.type_in(1, "grüß Gott \u{1f9ea}\n");
    watcher.until_line("got:grüß Gott \u{1f9ea}");
    assert_eq!(watcher.printed(), ["ready", "got:grüß Gott \u{1f9ea}"]);
}

/// RUN-05: whole and in order, however it was cut, and also when it is more than a terminal holds.
pub fn reaches_the_program_whole(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    let lines: Vec<String> =
        (0..600).map(|number| format!("é{number}-{}", "x".repeat(40))).collect();
    let text = lines.join("\n") + "\n";
    for piece in text.as_bytes().chunks(777) {
        live.runtime.write(id(1), piece).unwrap();
    }
    live.runtime.write(id(1), b"").unwrap();
    watcher.until_line(&format!("got:{}", lines[599]));
    let expected: Vec<String> = lines.iter().map(|line| format!("got:{line}")).collect();
    assert_eq!(watcher.printed()[1..], expected);
    assert_eq!(watcher.missed, 0);
}

/// RUN-05: and nobody else's.
pub fn reaches_the_right_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut one = live.go(1, Program::Echo);
    let mut other = live.go(2, Program::Echo);
    one.until_line("ready");
    other.until_line("ready");
    live.type_in(1, "one\n");
    live.type_in(2, "other\n");
    one.until_line("got:one");
    other.until_line("got:other");
    assert_eq!(one.printed(), ["ready", "got:one"]);
    assert_eq!(other.printed(), ["ready", "got:other"]);
}

/// RUN-06: writing to an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.write(id(1), b"x"), ErrorKind::NotFound);
}

/// RUN-06: writing to a program that has ended is `NotRunning`.
pub fn refuses_an_ended_program(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.run(1, Program::Exit(0));
    assert_kind(live.runtime.write(id(1), b"x"), ErrorKind::NotRunning);
}
