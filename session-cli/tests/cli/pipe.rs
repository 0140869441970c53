//! Without a terminal: a session as a pipe, which never hangs and never fails for want of a terminal.

use crate::home::Home;

#[test]
fn new_types_its_input_and_ends_with_the_program() {
    let home = Home::new();
    let ran = home.typed(["new", "x", "--", "sh"], b"echo one-$((1+1))\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("one-2"), "{ran:?}");
    assert_eq!(home.json("show x")["session"]["status"], "completed");
    let ran = home.typed(["new", "y", "--", "sh"], b"exit 9\n");
    assert_eq!(ran.code, 9, "{ran:?}");
    assert!(ran.err.contains("[y ended with exit code 9]"), "{ran:?}");
}

#[test]
fn new_with_nothing_to_type_prints_the_output() {
    let home = Home::new();
    let ran = home.run(["new", "x", "--", "sh", "-c", "echo out; exit 3"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "out\r\n"), "{ran:?}");
    let ran = home.run(["new", "y", "-q", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!((ran.code, ran.err.as_str()), (137, ""), "{ran:?}");
}

#[test]
fn attach_types_its_input_and_leaves() {
    let home = Home::new();
    let ran = home.typed(["attach", "x", "--", "sh"], b"echo one-$((1+1))\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("one-2"), "{ran:?}");
    assert!(ran.err.contains("session attach x"), "it says how to come back: {ran:?}");
    assert_eq!(home.json("show x")["session"]["status"], "running");

    let ran = home.typed(["attach", "x"], b"exit 5\n");
    assert_eq!(ran.code, 5, "{ran:?}");
    let ran = home.typed(["attach", "x", "--", "sh"], b"exit\n");
    assert!(ran.err.contains("x has ended (exit 5)"), "{ran:?}");
}

#[test]
fn attach_without_a_name_takes_the_one_that_runs() {
    let home = Home::new();
    let ran = home.run(["attach"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("session attach NAME"), "{ran:?}");
    home.start("only", "read line; exit 6");
    let ran = home.typed(["attach"], b"\n");
    assert_eq!(ran.code, 6, "{ran:?}");
}

#[test]
fn a_viewer_that_only_reads_types_nothing() {
    let home = Home::new();
    home.start("x", "echo here; read line; exit 6");
    let ran = home.typed(["attach", "x", "--read-only"], b"\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("here"), "{ran:?}");
    assert_eq!(home.json("show x")["session"]["status"], "running");
}

#[test]
fn no_create_tells_an_ended_one_from_none() {
    let home = Home::new();
    home.start("x", "read line");
    home.ok("stop x");
    assert_eq!(home.run(["attach", "x", "--no-create"]).code, 5);
    assert_eq!(home.run(["attach", "nobody", "--no-create"]).code, 3);
    let id = home.json("show x")["session"]["id"].as_str().unwrap().to_owned();
    assert_eq!(home.run(["attach", &id]).code, 5, "an id means that very session");
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let home = Home::new();
    let mut command = home.command([
        "new",
        "x",
        "--",
        "sh",
        "-c",
        "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done",
    ]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn a_pipe_that_is_sent_away_says_so() {
    use std::io::{BufRead as _, BufReader};
    let home = Home::new();
    home.start("x", "echo here; read go");
    let mut command = home.command(["attach", "x"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let still_open = child.stdin.take();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "here\r\n");
    home.ok("detach x");
    let ended = child.wait_with_output().unwrap();
    drop(still_open);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success() && said.contains("by somebody else"), "{said}");
}
