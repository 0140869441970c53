//! `write`: what is typed arrives.

use session_core::{ErrorKind, MAX_INPUT};

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

/// RUN-05: the same in one piece and byte by byte.
pub fn is_the_same_in_many_pieces(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let text: String = (0..20).map(|number| format!("é {number}\n")).collect();
    let printed = [1, 2].map(|number| {
        let mut watcher = live.go(number, Program::Echo);
        watcher.until_line("ready");
        let length = if number == 1 { text.len() } else { 1 };
        for piece in text.as_bytes().chunks(length) {
            live.runtime.write(id(number), piece).unwrap();
        }
        watcher.until_line("got:é 19");
        watcher.printed()
    });
    assert_eq!(printed[0].len(), 21);
    assert_eq!(printed[0], printed[1]);
}

/// RUN-12: more than is taken at once is refused, and nothing of it arrives; what comes next does.
pub fn refuses_too_much_at_once(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    let much = b"much\n".repeat(MAX_INPUT / 5 + 1);
    assert!(much.len() > MAX_INPUT);
    assert_kind(live.runtime.write(id(1), &much), ErrorKind::Refused);
    live.type_in(1, "next\n");
    watcher.until_line("got:next");
    assert_eq!(watcher.printed(), ["ready", "got:next"]);
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
