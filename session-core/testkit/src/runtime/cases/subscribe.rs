//! `subscribe`: every watcher gets everything, or is told what it did not get.

use session_core::{ErrorKind, Exit, RuntimeEvent};

use super::super::live::{Live, Watcher, assert_kind};
use super::super::{Program, RuntimeFixture};
use crate::samples::id;

fn numbered(count: u32) -> Vec<String> {
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

/// RUN-06: subscribing to an unknown session is `NotFound`.
pub fn refuses_an_unknown_session(fixture: &dyn RuntimeFixture) {
    let live = Live::new(fixture);
    assert_kind(live.runtime.subscribe(id(1)), ErrorKind::NotFound);
}
