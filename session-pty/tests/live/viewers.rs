//! Several viewers of one session: what each sees, who leads, who is left behind.

use crate::stage::{DEADLINE, Stage, Watcher, person, reader};
use session_core::{Exit, TerminalSize};
use session_pty::client::StreamEvent;
use session_pty::{Feed, Limits, SessionHandle, ViewerSpec};

const SMALL: TerminalSize = TerminalSize::nearest(40, 10);
const LARGE: TerminalSize = TerminalSize::nearest(60, 20);

/// A program after its flood, somebody who has read nothing of that, and somebody who has: the program ends its flood
/// although nobody reads the first one's stream.
fn flooded(stage: &Stage, script: &str) -> (SessionHandle, Watcher, Watcher) {
    let handle = stage.run(&format!("read x; {script}"));
    let mut slow = Watcher::new(&handle, person(40, 10));
    slow.until("size", |slow| slow.size.is_some());
    let mut healthy = Watcher::new(&handle, ViewerSpec { feed: Feed::Output, ..reader() });
    healthy.until("size", |healthy| healthy.size.is_some());
    handle.write(b"go\n").unwrap();
    healthy.until_text("finished");
    (handle, slow, healthy)
}

#[test]
fn a_later_viewer_sees_the_screen_as_it_is() {
    let stage = Stage::new();
    let handle = stage.run(
        r"printf 'main\n'; printf '\033[?1049h\033[3;5H\033[1;31mred\033[0m\033]2;a title\007'; read x",
    );
    let mut first = Watcher::new(&handle, person(40, 10));
    // What the program writes last.
    first.until("the title", |first| first.screen.title().is_some());
    let mut second = Watcher::new(&handle, person(40, 10));
    second.until_text("red");
    assert_eq!(second.screen.snapshot(), first.screen.snapshot());
    assert_eq!(second.screen.title(), Some("a title"));
    assert!(second.screen.alternate());
    assert_eq!(handle.live().viewers, 2);
}

#[test]
fn two_viewers_both_see_everything() {
    let stage = Stage::new();
    let handle = stage.run("read x; seq 1 20000; echo done");
    let mut viewers = [Watcher::new(&handle, reader()), Watcher::new(&handle, reader())];
    handle.write(b"go\n").unwrap();
    let expected: String =
        (1..=20000).map(|number| format!("{number}\r\n")).chain(["done\r\n".into()]).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.until_exit(), Exit::Code(0));
        let output = String::from_utf8(viewer.output.clone()).unwrap();
        assert!(viewer.missed == 0 && output.ends_with(&expected), "{} bytes", output.len());
    }
}

#[test]
fn a_viewer_that_does_not_read_harms_nobody_and_gets_a_gap() {
    let limits = Limits { viewer_bytes: 64 << 10, ..Limits::default() };
    let stage = Stage::with_limits(limits);
    let (handle, mut slow, _) = flooded(&stage, "seq 1 400000; echo finished; read y");
    slow.until("a gap", |slow| slow.missed > 0);
    slow.until_text("finished");
    assert_eq!(slow.screen.rows_text(), {
        let mut fresh = Watcher::new(&handle, person(40, 10));
        fresh.until_text("finished");
        fresh.screen.rows_text()
    });
}

#[test]
fn a_viewer_that_is_behind_is_sent_away_all_the_same() {
    let stage = Stage::new();
    let (handle, mut slow, _) = flooded(&stage, "seq 1 200000; echo finished; read y");
    handle.detach(true).unwrap();
    // It has read nothing of a megabyte, and is told before the rest of it.
    while let Some(event) = slow.stream.next(Some(DEADLINE)).unwrap() {
        match event {
            StreamEvent::Detached => break,
            StreamEvent::Closed => panic!("it was not told"),
            StreamEvent::Output(bytes) => slow.output.extend(bytes),
            _ => {}
        }
    }
    assert!(!String::from_utf8_lossy(&slow.output).contains("finished"));
    assert_eq!(handle.live().viewers, 0);
}

#[test]
fn whoever_types_while_behind_sees_at_once_what_comes_of_it() {
    let stage = Stage::new();
    let script = "seq 1 200000; echo finished; read y; echo got $y; read z";
    let (_handle, mut slow, mut healthy) = flooded(&stage, script);
    slow.stream.input(b"now\n").unwrap();
    healthy.until_text("got now");
    slow.until_text("got now");
    assert!(slow.missed > 0, "the megabyte before it was not in the way");
}

#[test]
fn the_viewer_that_typed_last_decides_the_size() {
    let stage = Stage::new();
    let handle = stage.run("trap 'stty size' WINCH; while :; do read x && echo got $x; done");
    let mut small = Watcher::new(&handle, person(40, 10));
    small.until("size", |small| small.size == Some(SMALL));
    let mut large = Watcher::new(&handle, person(60, 20));
    large.until("size", |large| large.size == Some(SMALL));

    // The mouse and the focus are no typing.
    large.stream.report(b"\x1b[I\x1b[<0;3;4M").unwrap();
    small.stream.input(b"one\n").unwrap();
    large.until_text("got one");
    assert_eq!(handle.live().size, SMALL);

    large.stream.input(b"two\n").unwrap();
    small.until("the larger size", |small| small.size == Some(LARGE));
    small.stream.input(b"three\n").unwrap();
    large.until("the smaller size", |large| large.size == Some(SMALL));
    large.until_text("got three");
}

#[test]
fn a_viewer_of_another_size_is_shown_the_screen_in_its_own() {
    let stage = Stage::new();
    let handle = stage
        .run(r"printf '\033[10;1Hbottom line\033[1;1Htop'; read x; printf '\033[2;1Hmore'; read y");
    let mut leader = Watcher::new(&handle, person(40, 10));
    leader.until_text("top");
    let mut other = Watcher::new(&handle, person(60, 20));
    other.until_text("bottom line");
    leader.stream.input(b"\n").unwrap();
    other.until_text("more");
    assert_eq!(handle.live().size, SMALL);
}

#[test]
fn when_the_leader_leaves_the_next_one_leads() {
    let stage = Stage::new();
    let handle = stage.run("read x");
    let mut first = Watcher::new(&handle, person(40, 10));
    first.until("size", |first| first.size == Some(SMALL));
    let mut second = Watcher::new(&handle, person(60, 20));
    second.until("size", |second| second.size == Some(SMALL));
    first.stream.detach().unwrap();
    second.until("its own size", |second| second.size == Some(LARGE));
}

#[test]
fn a_read_only_viewer_neither_types_nor_leads() {
    let stage = Stage::new();
    let handle = stage.run("read x; echo got $x");
    let mut guest = Watcher::new(&handle, ViewerSpec { read_only: true, ..person(60, 20) });
    guest.until("size", |guest| guest.size.is_some());
    guest.stream.input(b"bad\n").unwrap();
    guest.stream.end_of_input().unwrap();
    let mut owner = Watcher::new(&handle, person(40, 10));
    owner.stream.input(b"good\n").unwrap();
    owner.until_text("got good");
    assert_eq!(owner.until_exit(), Exit::Code(0));
    assert_eq!(handle.live().size, SMALL);
}

#[test]
fn others_can_be_sent_away() {
    let stage = Stage::new();
    let handle = stage.run("read x");
    let mut first = Watcher::new(&handle, person(40, 10));
    first.until("size", |first| first.size.is_some());
    let mut second = Watcher::new(&handle, ViewerSpec { detach_others: true, ..person(40, 10) });
    first.until("being sent away", |first| first.detached);
    second.until("size", |second| second.size.is_some());
    handle.detach(false).unwrap();
    second.until("being sent away", |second| second.detached);
}

#[test]
fn queries_are_answered_while_nobody_watches() {
    let stage = Stage::new();
    // The answer to a query for the cursor's place, six bytes long here.
    let handle = stage.run(
        r#"stty raw -echo; printf 'ab\033[6n'; x=$(dd bs=1 count=6 2>/dev/null); stty sane; printf "$x" | od -c; read y"#,
    );
    let mut later = Watcher::new(&handle, reader());
    later.until_text("033   [   1   ;   3   R");
}

#[test]
fn answers_of_a_watching_terminal_are_the_only_ones() {
    let stage = Stage::new();
    let handle = stage.run(
        r#"read x; stty raw -echo; printf '\033[c'; x=$(dd bs=1 count=7 2>/dev/null); stty sane; echo; printf "$x" | od -c; read y; echo rest $y"#,
    );
    let mut person = Watcher::new(&handle, person(60, 20));
    person.stream.input(b"\n").unwrap();
    person.until("the query", |person| person.output.ends_with(b"\x1b[c"));
    person.stream.report(b"\x1b[?1;2c").unwrap();
    person.until_text("033   [   ?   1   ;   2   c");
    person.stream.input(b"nothing\n").unwrap();
    person.until_text("rest nothing");
}
