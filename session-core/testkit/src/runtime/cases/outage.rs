//! A runtime that dies while its programs run on. There is nothing to see of one whose programs end with it.

use std::thread;

use session_core::{Exit, ProcessState, Status, TerminalSize};

use super::super::live::{DEADLINE, Live};
use super::super::{Program, RuntimeFixture};
use super::subscribe::numbered;
use crate::samples::id;

fn pid(live: &Live<'_>, number: u32) -> u32 {
    live.stored(number).process.unwrap().pid.expect("it runs")
}

/// RUN-15: the program is the same and does what is typed, as often as the runtime dies.
pub fn ends_no_program(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    live.go(1, Program::Echo).until_line("ready");
    let before = live.stored(1);
    for round in 0..3 {
        outage.begin();
        outage.end();
        let mut watcher = live.watch(1);
        live.type_in(1, &format!("round {round}\n"));
        watcher.until_line(&format!("got:round {round}"));
        assert_eq!(live.stored(1), before);
    }
    live.type_in(1, "\u{4}");
    assert_eq!(live.ended(1), Exit::Code(0));
    assert_eq!(live.stored(1).status(), Status::Completed);
}

/// RUN-15: who watched goes on watching, and the whole output is kept.
pub fn loses_and_doubles_no_output(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut watchers = [live.go(1, Program::Burst(300)), live.replay(1)];
    watchers[0].until("output", |watcher| !watcher.output.is_empty());
    let mut expected = numbered(300);
    for round in 0..3 {
        outage.begin();
        outage.end();
        live.type_in(1, &format!("{round}\n"));
        expected.push(format!("got:{round}"));
    }
    live.type_in(1, "\u{4}");
    for watcher in &mut watchers {
        assert_eq!(watcher.until_end(), Exit::Code(0));
        assert_eq!((watcher.printed(), watcher.missed), (expected.clone(), 0));
    }
    let mut late = live.replay(1);
    assert_eq!(late.until_end(), Exit::Code(0));
    assert_eq!(late.printed(), expected);
}

/// RUN-15: who waited goes on waiting.
pub fn is_waited_through(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    thread::scope(|scope| {
        let runtime = &live.runtime;
        let waiter = scope.spawn(|| runtime.wait(id(1), Some(DEADLINE)).unwrap());
        // Meanwhile it has most likely begun to wait, which nobody can see.
        live.type_in(1, "still here\n");
        watcher.until_line("got:still here");
        outage.begin();
        outage.end();
        live.type_in(1, "\u{4}");
        assert_eq!(waiter.join().unwrap(), Some(Exit::Code(0)));
    });
}

/// RUN-16: of a program that ended meanwhile, the exit is recorded and the last output kept.
pub fn keeps_the_last_words(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut stays = live.go(1, Program::Echo);
    let mut ends = live.go(2, Program::Polite);
    stays.until_line("ready");
    ends.until_line("ready");
    let pid = pid(&live, 2);
    outage.begin();
    outage.terminate(pid);
    outage.end();
    assert_eq!(live.ended(2), Exit::Code(5));
    let session = live.stored(2);
    assert_eq!(session.status(), Status::Failed);
    assert_eq!(session.process.unwrap().state, ProcessState::Exited(Exit::Code(5)));
    let mut late = live.replay(2);
    assert_eq!((ends.until_end(), late.until_end()), (Exit::Code(5), Exit::Code(5)));
    assert_eq!(
        (ends.printed(), late.printed()),
        (vec!["ready".into(), "bye".into()], ends.printed())
    );
    live.type_in(1, "still here\n");
    stays.until_line("got:still here");
}

/// RUN-15: the terminal has the size that it had.
pub fn keeps_the_screen_size(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::ReportSize);
    watcher.until_line("size 80x24");
    let [large, small] = [TerminalSize::nearest(132, 43), TerminalSize::nearest(20, 5)];
    live.runtime.resize(id(1), large).unwrap();
    watcher.until_line("size 132x43");
    outage.begin();
    outage.end();
    // The same as before is no change.
    live.runtime.resize(id(1), large).unwrap();
    live.runtime.resize(id(1), small).unwrap();
    watcher.until_line("size 20x5");
    assert_eq!(watcher.printed(), ["size 80x24", "size 132x43", "size 20x5"]);
    assert_eq!(watcher.sizes, [large, small]);
}

/// RUN-15: what is typed while the runtime is gone arrives, once.
pub fn takes_what_is_typed_meanwhile(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Echo);
    watcher.until_line("ready");
    outage.begin();
    thread::scope(|scope| {
        let runtime = &live.runtime;
        let typing = scope.spawn(|| runtime.write(id(1), b"meanwhile\n").unwrap());
        outage.end();
        typing.join().unwrap();
    });
    live.type_in(1, "afterwards\n");
    watcher.until_line("got:afterwards");
    assert_eq!(watcher.printed(), ["ready", "got:meanwhile", "got:afterwards"]);
}

/// RUN-17: a store that cannot be read for a while costs nothing.
pub fn survives_without_a_store(fixture: &dyn RuntimeFixture) {
    let Some(outage) = fixture.outage() else { return };
    let live = Live::new(fixture);
    let mut stays = live.go(1, Program::Echo);
    let mut ends = live.go(2, Program::Polite);
    stays.until_line("ready");
    ends.until_line("ready");
    let (before, pid) = (live.stored(1), pid(&live, 2));
    outage.begin();
    outage.terminate(pid);
    outage.end_without_a_store();
    live.type_in(1, "still here\n");
    stays.until_line("got:still here");
    assert_eq!(live.stored(1), before);
    assert_eq!(live.ended(2), Exit::Code(5));
    assert_eq!(ends.until_end(), Exit::Code(5));
    assert_eq!(ends.printed(), ["ready", "bye"]);
}
