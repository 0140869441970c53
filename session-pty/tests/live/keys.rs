//! What is typed: the end of it, who may, and what waits.

use session_core::Exit;
use session_pty::ViewerSpec;

use crate::stage::{Stage, Watcher, person, reader};

#[test]
fn everything_kept_is_told_however_much_comes_meanwhile() {
    let stage = Stage::new();
    let handle =
        stage.run("stty -echo; seq 1 300000; echo marker; while read x; do echo told $x; done");
    let mut first = Watcher::new(&handle, reader());
    // It may have been left behind for a while, which is not what this is about.
    first.until("the marker", |_| handle.log().ends_with(b"marker\r\n"));
    let mut later = Watcher::new(&handle, reader());
    // Nobody reads the later one while more is written.
    for line in 0..50 {
        handle.write(format!("{line}\n").as_bytes()).unwrap();
        let told = format!("told {line}\r\n").into_bytes();
        first.until("the line", |_| handle.log().ends_with(&told));
    }
    later
        .until("the last line", |later| later.output.ends_with(b"told 49\r\n") || later.missed > 0);
    assert_eq!(later.missed, 0);
    assert!(later.output == handle.log(), "{} bytes", later.output.len());
}

#[test]
fn an_unfinished_last_line_reaches_the_program_and_so_does_its_end() {
    let stage = Stage::new();
    let handle = stage.run("cat");
    let mut pipe = Watcher::new(&handle, ViewerSpec { read_only: false, ..reader() });
    pipe.stream.input(b"abc").unwrap();
    pipe.stream.end_of_input().unwrap();
    assert_eq!(pipe.until_exit(), Exit::Code(0));
    assert_eq!(pipe.output, b"abcabc");
}

#[test]
fn a_guest_sends_nobody_away() {
    let stage = Stage::new();
    let handle = stage.run("read x; echo got $x; read y");
    let mut owner = Watcher::new(&handle, person(40, 10));
    owner.until("size", |owner| owner.size.is_some());
    let guest = ViewerSpec { read_only: true, detach_others: true, ..person(40, 10) };
    let mut guest = Watcher::new(&handle, guest);
    guest.until("size", |guest| guest.size.is_some());
    owner.stream.input(b"on\n").unwrap();
    owner.until_text("got on");
    assert!(!owner.detached);
}
