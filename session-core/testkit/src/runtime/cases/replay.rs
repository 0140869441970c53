//! `replay`: what was, then what comes.

use session_core::{ErrorKind, Exit};

use super::super::live::{Live, assert_kind};
use super::super::{Program, RuntimeFixture};
use super::subscribe::numbered;
use crate::samples::id;

/// RUN-14: first the output so far, then what comes, to the end.
pub fn gives_what_was_and_what_comes(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut first = live.go(1, Program::Echo);
    first.until_line("ready");
    live.type_in(1, "before\n");
    first.until_line("got:before");
    let mut late = live.replay(1);
    live.type_in(1, "after\n\u{4}");
    assert_eq!((first.until_end(), late.until_end()), (Exit::Code(0), Exit::Code(0)));
    assert_eq!(late.printed(), ["ready", "got:before", "got:after"]);
    assert_eq!(late.output, first.output);
}

/// RUN-14: nothing is left out or doubled where the two meet, though the program writes all the time.
pub fn meets_the_stream_without_a_seam(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    // Little enough for nobody to be too slow, and for all of it to be kept.
    let lines = 4_000;
    let mut first = live.go(1, Program::Numbered(lines));
    first.until("output", |first| !first.output.is_empty());
    let mut others: Vec<_> = (0..5).map(|_| live.replay(1)).collect();
    assert_eq!(first.until_end(), Exit::Code(0));
    assert_eq!((first.printed(), first.missed), (numbered(lines), 0));
    for other in &mut others {
        assert_eq!(other.until_end(), Exit::Code(0));
        assert_eq!((other.missed, &other.output), (0, &first.output));
    }
}

/// RUN-14: it is a copy: taking it takes nothing away.
pub fn gives_the_same_again(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut first = live.go(1, Program::Burst(200));
    first.until_line("line 200");
    for _ in 0..3 {
        let mut again = live.replay(1);
        again.until_line("line 200");
        assert_eq!(again.output, first.output);
    }
    live.type_in(1, "\u{4}");
    first.until_end();
    assert_eq!(first.printed(), numbered(200));
    for _ in 0..2 {
        let mut again = live.replay(1);
        assert_eq!(again.until_end(), Exit::Code(0));
        assert_eq!(again.output, first.output);
    }
}

/// RUN-14: of a program that has ended, the output comes before the end.
pub fn gives_the_output_of_what_has_ended(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for number in 1..5 {
        let mut watcher = live.go(number, Program::Numbered(30));
        // Told of the end, one finds all that was written.
        live.ended(number);
        let mut late = live.replay(number);
        assert_eq!((late.until_end(), watcher.until_end()), (Exit::Code(0), Exit::Code(0)));
        assert_eq!((late.printed(), late.missed), (numbered(30), 0));
    }
}

/// RUN-14: of more output than is kept, the last part is there, and how much came before it.
pub fn begins_with_a_gap_where_it_begins_late(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let lines = u32::try_from(fixture.kept() / 9).unwrap();
    let mut watcher = live.go(1, Program::Burst(lines));
    let all = numbered(lines);
    // Most lines and their ends are more than nine bytes, so this is more than is kept.
    let total = all.iter().map(|line| line.len() as u64 + 2).sum::<u64>();
    watcher.until("the burst", |it| it.output.len() as u64 + it.missed >= total);
    live.type_in(1, "last\n");
    let (mut running, gone) = (live.replay(1), total.saturating_sub(fixture.kept() as u64));
    // Cheaper than looking for a line among so many.
    running.until("the last line", |it| it.output.ends_with(b"got:last\r\n"));
    live.type_in(1, "\u{4}");
    assert_eq!(running.until_end(), Exit::Code(0));
    let mut ended = live.replay(1);
    assert_eq!(ended.until_end(), Exit::Code(0));
    for replayed in [running, ended] {
        assert!(replayed.missed >= gone, "{} of {total}", replayed.missed);
        // It may begin with a whole line.
        let least = fixture.kept() - "line 12345678\r\n".len();
        assert!(replayed.output.len() >= least, "{} are kept", replayed.output.len());
        assert_eq!(replayed.screen, b"", "it repaints nothing");
        assert_eq!(
            replayed.missed + replayed.output.len() as u64,
            watcher.missed + watcher.output.len() as u64 + "got:last\r\n".len() as u64,
        );
        // The first line may be the end of one.
        let printed = replayed.printed();
        let expected = all.iter().map(String::as_str).chain(["got:last"]);
        let expected: Vec<_> = expected.rev().take(printed.len() - 1).collect();
        assert!(printed.iter().rev().take(printed.len() - 1).eq(expected));
    }
}

/// RUN-14: one that is not taken holds up nobody.
pub fn is_in_nobodys_way(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Burst(20_000));
    let lazy = live.replay(1);
    watcher.until("the burst", |it| it.output.len() as u64 + it.missed > 200_000);
    live.type_in(1, "\u{4}");
    assert_eq!(watcher.until_end(), Exit::Code(0));
    drop(lazy);
}

/// RUN-06: replaying an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.replay(id(1)), ErrorKind::NotFound);
}
