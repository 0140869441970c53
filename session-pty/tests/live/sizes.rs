//! Viewers of several sizes: whoever is painted stays up to date, however that came about.

use session_core::TerminalSize;
use session_pty::ViewerSpec;
use session_pty::screen::Screen;

use crate::stage::{Stage, Watcher, person, reader};

const ECHO: &str = "echo ready; while :; do read x && echo got $x; done";
const LARGE: TerminalSize = TerminalSize::nearest(60, 20);

#[test]
fn a_viewer_whose_window_is_resized_is_painted_on() {
    let stage = Stage::new();
    let handle = stage.run(ECHO);
    let mut guest = Watcher::new(&handle, ViewerSpec { read_only: true, ..person(40, 10) });
    guest.until_text("ready");
    guest.stream.resize(LARGE).unwrap();
    guest.screen = Screen::new(LARGE, 10);
    guest.until_text("ready");
    handle.write(b"one\n").unwrap();
    guest.until_text("got one");
}

#[test]
fn a_viewer_that_no_longer_fits_is_painted_on() {
    let stage = Stage::new();
    let handle = stage.run(ECHO);
    let mut leader = Watcher::new(&handle, person(40, 10));
    leader.until_text("ready");
    let mut other = Watcher::new(&handle, person(40, 10));
    other.until_text("ready");
    leader.stream.resize(LARGE).unwrap();
    other.until("the new size", |other| other.size == Some(LARGE));
    handle.write(b"one\n").unwrap();
    other.until_text("got one");
}

#[test]
fn a_leader_whose_session_is_resized_is_painted_on_until_it_types() {
    let stage = Stage::new();
    let handle = stage.run(ECHO);
    let mut leader = Watcher::new(&handle, person(40, 10));
    leader.until_text("ready");
    handle.resize(LARGE).unwrap();
    leader.until("the new size", |leader| leader.size == Some(LARGE));
    handle.write(b"one\n").unwrap();
    leader.until_text("got one");
    leader.stream.input(b"two\n").unwrap();
    leader.until("its own size", |leader| leader.size == leader.screen_size());
    leader.until_text("got two");
}

#[test]
fn a_leader_that_is_painted_leaves_queries_to_the_emulator() {
    let stage = Stage::new();
    let handle = stage.run(
        r"stty raw -echo; echo ready; head -c1 >/dev/null; printf '\033[c'; a=$(head -c 3 | od -An -tx1); echo answer $a; read y",
    );
    let mut log = Watcher::new(&handle, reader());
    log.until_text("ready");
    let mut leader = Watcher::new(&handle, person(40, 10));
    leader.until_text("ready");
    handle.resize(LARGE).unwrap();
    leader.until("the new size", |leader| leader.size == Some(LARGE));
    handle.write(b"x").unwrap();
    log.until_text("answer 1b 5b 3f");
}

#[test]
fn a_painted_viewer_that_stalled_catches_up() {
    let stage = Stage::new();
    let handle = stage.run(
        "while read x; do i=0; while [ $i -lt 18 ]; do echo $x-$i-$x-$x-$x-$x; i=$((i+1)); done; echo end $x; done",
    );
    let mut leader = Watcher::new(&handle, person(60, 20));
    leader.until("size", |leader| leader.size == Some(LARGE));
    let mut slow = Watcher::new(&handle, ViewerSpec { read_only: true, ..person(59, 19) });
    slow.until("size", |slow| slow.size == Some(LARGE));
    // Nobody reads the slow one until far more was painted than its socket holds.
    for round in 0..400 {
        leader.stream.input(format!("{round}\n").as_bytes()).unwrap();
        leader.until_text(&format!("end {round}"));
    }
    slow.until_text("end 399");
}

#[test]
fn a_viewer_is_not_taken_at_its_word_about_its_size() {
    let stage = Stage::new();
    let handle = stage.run(ECHO);
    let claim = TerminalSize::nearest(u16::MAX, u16::MAX);
    let mut boaster =
        Watcher::new(&handle, ViewerSpec { size: Some(claim), read_only: true, ..person(40, 10) });
    boaster.until("size", |boaster| boaster.size.is_some());
    handle.write(b"one\n").unwrap();
    boaster.until_text("got one");
}

#[test]
fn a_log_that_is_resized_is_not_told_again() {
    let stage = Stage::new();
    let handle = stage.run("echo once; read x; echo end");
    let size = Some(TerminalSize::nearest(40, 10));
    let mut log = Watcher::new(&handle, ViewerSpec { size, ..reader() });
    log.until_text("once");
    for cols in 41..60 {
        log.stream.resize(TerminalSize::nearest(cols, 10)).unwrap();
    }
    handle.write(b"\n").unwrap();
    log.until_exit();
    assert_eq!(log.output, b"once\r\n\r\nend\r\n");
}
