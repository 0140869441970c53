//! `subscribe`: every watcher gets everything, or is told what it did not get.

use session_core::{ErrorKind, Exit, RuntimeEvent};

use super::super::live::{Live, Watcher, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::id;

pub(super) fn numbered(count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("line {number}")).collect()
}

/// RUN-08: all output, once and in order, then how the program ended.
pub fn gives_all_output_and_the_end(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut watcher = live.go(1, Program::Numbered(500));
    assert_eq!(watcher.until_end(), Exit::Code(0));
    assert_eq!((watcher.printed(), watcher.missed), (numbered(500), 0));
}

/// RUN-08: every subscriber, however many there are.
pub fn gives_everything_to_everyone(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Numbered(50));
    let mut watchers: Vec<Watcher> = (0..5).map(|_| live.watch(1)).collect();
    live.type_in(1, "go\n");
    for watcher in &mut watchers {
        assert_eq!(watcher.until_end(), Exit::Code(0));
        assert_eq!((watcher.printed(), watcher.missed), (numbered(50), 0));
    }
}

/// RUN-08: from the subscription on; what was before is not repeated.
pub fn begins_at_the_subscription(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut first = live.go(1, Program::Echo);
    first.until_line("ready");
    live.type_in(1, "early\n");
    first.until_line("got:early");
    let mut late = live.watch(1);
    live.type_in(1, "late\n");
    late.until_line("got:late");
    assert_eq!(late.printed(), ["got:late"]);
    first.until_line("got:late");
    assert_eq!(first.printed(), ["ready", "got:early", "got:late"]);
}

/// RUN-08: after the end, a subscription begins and ends with how the program ended.
pub fn ends_at_once_after_the_end(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.run(1, Program::Exit(3));
    let mut watcher = live.watch(1);
    assert_eq!(watcher.next(), RuntimeEvent::Exited(Exit::Code(3)));
}

/// RUN-08: a watcher that goes away takes nothing from the others.
pub fn is_in_nobodys_way_when_dropped(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    let mut stays = live.go(1, Program::Echo);
    let leaves = live.watch(1);
    stays.until_line("ready");
    drop(leaves);
    live.type_in(1, "alone\n");
    stays.until_line("got:alone");
    live.type_in(1, "\u{4}");
    assert_eq!(stays.until_end(), Exit::Code(0));
}

/// RUN-08: what is written right before the end comes before the end.
pub fn gives_the_last_words_before_the_end(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    for number in 1..12 {
        let (mut first, mut second) = (live.go(number, Program::Numbered(40)), live.watch(number));
        assert_eq!((first.until_end(), second.until_end()), (Exit::Code(0), Exit::Code(0)));
        assert_eq!((first.printed(), first.missed), (numbered(40), 0));
        // It came while the program wrote, or after the end.
        assert!(first.output.ends_with(&second.output), "{:?}", second.printed());
    }
}

/// RUN-08: who takes nothing while the program runs neither stops it nor misses anything unsaid.
pub fn counts_what_a_slow_watcher_misses(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Numbered(200_000));
    let (mut slow, mut quick) = (live.watch(1), live.watch(1));
    live.type_in(1, "go\n");
    assert_eq!(quick.until_end(), Exit::Code(0));
    assert_eq!(live.ended(1), Exit::Code(0));
    assert_eq!(slow.until_end(), Exit::Code(0));
    // A busy machine may make the quick one slow too, so both count what they missed.
    let total = |watcher: &Watcher| watcher.output.len() as u64 + watcher.missed;
    assert_eq!(total(&slow), total(&quick));
    for watcher in [&slow, &quick] {
        if watcher.missed == 0 {
            assert_eq!(watcher.printed(), numbered(200_000));
        }
    }
}

/// RUN-08: after its gap, a slow watcher has the screen as it is, and everything that comes next.
pub fn shows_a_slow_watcher_where_it_is(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Burst(600_000));
    let (mut slow, mut quick) = (live.watch(1), live.watch(1));
    live.type_in(1, "go\n");
    let came = |it: &Watcher| it.output.len() as u64 + it.missed;
    quick.until("output", |it| came(it) > 0);
    // The terminal may have echoed what was typed before the program could tell it not to.
    let echoed = if quick.output.starts_with(b"go") { 4 } else { 0 };
    let total = numbered(600_000).iter().map(|line| line.len() as u64 + 2).sum::<u64>() + echoed;
    quick.until("the last line", |it| came(it) >= total);
    slow.until("as much", |it| came(it) >= total);
    assert!(slow.missed > 0, "it was slow");
    // What came last was a gap with the screen that it led to, or else the last line itself.
    let screen = String::from_utf8_lossy(&slow.screen);
    let is_there = screen.contains("600000") || slow.output.ends_with(b"line 600000\r\n");
    assert!(is_there, "after the gap: {screen:?}");
    live.type_in(1, "next\n");
    for watcher in [&mut slow, &mut quick] {
        watcher.until("what comes next", |it| it.output.ends_with(b"got:next\r\n"));
    }
    live.type_in(1, "\u{4}");
    assert_eq!((slow.until_end(), quick.until_end()), (Exit::Code(0), Exit::Code(0)));
    assert_eq!(came(&slow), came(&quick));
}

/// RUN-08: one that leaves with much before it holds up neither the program nor anybody else.
pub fn forgets_a_slow_watcher_that_leaves(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    live.start(1, Program::Burst(600_000));
    let (slow, mut quick) = (live.watch(1), live.watch(1));
    live.type_in(1, "go\n");
    quick.until("much", |quick| quick.output.len() as u64 + quick.missed > 600_000);
    drop(slow);
    live.type_in(1, "next\n\u{4}");
    assert_eq!(quick.until_end(), Exit::Code(0));
}

/// RUN-06: subscribing to an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.subscribe(id(1)), ErrorKind::NotFound);
}
