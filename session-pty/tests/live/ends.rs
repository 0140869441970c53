//! How programs are ended, and what is left behind.

use std::time::Duration;

use crate::stage::{DEADLINE, Stage, Watcher, now, person, reader};
use session_core::{
    Exit, ProcessState, SessionRuntime as _, SessionStore as _, Spawn, Status, TerminalSize,
};
use session_pty::{Limits, Runtime, RuntimeOptions, ViewerSpec};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_program_that_ignores_hang_up_and_termination_is_killed() {
    let stage = Stage::new();
    let handle = stage.run("trap '' HUP TERM; echo ready; while :; do read x || sleep 100; done");
    let mut watcher = Watcher::new(&handle, reader());
    watcher.until_text("ready");
    assert_eq!(handle.stop(SHORT).unwrap(), Exit::Signal(9));
    assert_eq!(watcher.until_exit(), Exit::Signal(9));
    assert_eq!(stage.store.get(handle.id()).unwrap().status(), Status::Failed);
}

#[test]
fn a_stopped_program_is_ended_too() {
    let stage = Stage::new();
    let handle = stage.run("echo ready; kill -STOP $$");
    Watcher::new(&handle, reader()).until_text("ready");
    assert!(matches!(handle.stop(SHORT).unwrap(), Exit::Signal(_)));
}

#[test]
fn a_job_in_the_foreground_is_asked_too() {
    let stage = Stage::new();
    let handle = stage.run(
        "trap : HUP TERM; set -m; sh -c 'trap \"echo asked twice; exit\" TERM; trap : HUP; echo up; while :; do read x; done'; while :; do read x; done",
    );
    let mut watcher = Watcher::new(&handle, reader());
    watcher.until_text("up");
    handle.stop(SHORT).unwrap();
    watcher.until_exit();
    assert!(String::from_utf8_lossy(&watcher.output).contains("asked twice"));
}

#[test]
fn background_jobs_go_with_their_session() {
    let stage = Stage::new();
    // An interactive shell gives each job a group of its own, which a signal to the shell's group misses.
    let handle = stage.run("sh -i -c 'trap \"\" HUP; set -m; sleep 1000 & echo job $!; wait'");
    let mut watcher = Watcher::new(&handle, reader());
    watcher.until("the job's number", |watcher| {
        let text = String::from_utf8_lossy(&watcher.output).into_owned();
        text.lines().any(|line| line.starts_with("job ") && text.contains('\n'))
    });
    let text = String::from_utf8(watcher.output.clone()).unwrap();
    let line = text.lines().find(|line| line.starts_with("job ")).unwrap();
    let job: u32 = line["job ".len()..].trim().parse().unwrap();
    handle.stop(SHORT).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{job}/stat")).unwrap_or_default();
    let gone = state.is_empty() || state.rsplit_once(')').unwrap().1.starts_with(" Z");
    assert!(gone, "{state}");
}

#[test]
fn the_end_of_input_ends_what_reads_until_there_is_no_more() {
    for script in ["cat", "exec sh", "stty raw; exec sh -c 'stty sane; cat'"] {
        let stage = Stage::new();
        let handle = stage.run(script);
        let mut watcher = Watcher::new(&handle, ViewerSpec { read_only: false, ..reader() });
        watcher.stream.input(b"echo hi\n").unwrap();
        watcher.stream.end_of_input().unwrap();
        assert_eq!(watcher.until_exit(), Exit::Code(0), "{script}");
        assert!(String::from_utf8_lossy(&watcher.output).contains("hi"));
    }
}

#[test]
fn everything_written_before_the_end_is_told_before_it() {
    let stage = Stage::new();
    for _ in 0..20 {
        let handle = stage.run("read x; printf '%s' last-words");
        let mut watcher = Watcher::new(&handle, reader());
        watcher.until("size", |watcher| watcher.size.is_some());
        handle.write(b"\n").unwrap();
        watcher.until_exit();
        assert!(watcher.output.ends_with(b"last-words"));
    }
}

#[test]
fn a_program_that_closes_its_terminal_goes_on_and_costs_nothing() {
    let stage = Stage::new();
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("gate");
    let script = format!(
        "mkfifo {0}; echo ready; exec </dev/null >/dev/null 2>&1; read x <{0}; exit 3",
        path.display()
    );
    let handle = stage.run(&script);
    Watcher::new(&handle, reader()).until_text("ready");
    std::fs::write(&path, b"go\n").unwrap();
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(3)));
}

#[test]
fn log_and_screen_are_kept_after_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let stage = Stage::new();
    let options = RuntimeOptions { output_dir: Some(output.clone()), ..RuntimeOptions::default() };
    let runtime = Runtime::new(stage.store.clone(), now, options).unwrap();
    let session = stage.script(r"printf '\033[31mone\033[0m\ntwo\n'; exit 7");
    let id = session.id();
    runtime.spawn(Spawn { session, environment: Vec::new(), umask: None }).unwrap();
    assert_eq!(runtime.wait(id, Some(DEADLINE)).unwrap(), Some(Exit::Code(7)));

    let stored = stage.store.get(id).unwrap();
    assert_eq!(stored.process.unwrap().state, ProcessState::Exited(Exit::Code(7)));
    let log = session_pty::read_log(&output, id).unwrap().unwrap();
    assert_eq!(log, b"\x1b[31mone\x1b[0m\r\ntwo\r\n");
    let (size, screen) = session_pty::read_screen(&output, id).unwrap().unwrap();
    assert_eq!(size, TerminalSize::nearest(40, 10));
    let mut shown = session_pty::screen::Screen::new(size, 10);
    shown.feed(&screen);
    assert_eq!(shown.text(None), "one\ntwo\n");
}

#[test]
fn the_log_is_bounded() {
    let stage = Stage::with_limits(Limits { journal_bytes: 1000, ..Limits::default() });
    let handle = stage.run("seq 1 5000; echo end; read x");
    let mut watcher = Watcher::new(&handle, person(40, 10));
    watcher.until_text("end");
    let log = handle.log();
    let text = String::from_utf8(log.clone()).unwrap();
    assert!(log.len() <= 1000 && text.contains("4999\r\n5000\r\nend"), "{text}");
    assert_eq!(log.first().map(u8::is_ascii_digit), Some(true));
}

#[test]
fn the_caller_s_file_creation_mask_reaches_the_program() {
    let stage = Stage::new();
    let session = stage.script("umask; read x");
    let id = session.id();
    let environment = std::env::vars_os().collect();
    stage.runtime.spawn(Spawn { session, environment, umask: Some(0o027) }).unwrap();
    Watcher::new(&stage.runtime.handle(id).unwrap(), reader()).until_text("0027");
}
