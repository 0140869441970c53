//! How everything ends when the keeper is asked to end.

use rustix::process::Signal;

use super::stage::{Stage, await_end, process, running};

#[test]
fn the_supervisor_ends_everything() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    let pid = supervisor.begin(1, "read x");
    stage.signal_keeper(Signal::TERM);
    assert_eq!(supervisor.notice(), "end-all");
    super::stage::signal(&process(pid), Signal::KILL);
    supervisor.ask("reap");
    supervisor.ask("release 1");
    supervisor.ask("leave");
    supervisor.exit();
    stage.await_keeper();
}

#[test]
fn without_a_supervisor_the_keeper_does() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    let polite = supervisor.begin(1, "read x");
    let deaf = supervisor.begin(2, "trap '' HUP; echo deaf; read x; read x; sleep 1000");
    supervisor.ask("read 2 deaf");
    let stubborn =
        supervisor.begin(3, "trap '' HUP TERM; echo deaf; while :; do read x <never; done");
    let _never = stage.gate("never");
    supervisor.ask("read 3 deaf");
    let programs = [polite, deaf, stubborn].map(process);
    stage.signal_keeper(Signal::INT);
    assert_eq!(supervisor.notice(), "end-all");
    supervisor.kill();
    for _ in 0..3 {
        stage.supervisor().kill();
    }
    stage.await_keeper();
    programs.iter().for_each(await_end);
    let log = stage.log();
    for signal in ["signal: 1 ", "signal: 15 ", "signal: 9 "] {
        assert!(
            log.lines().any(|line| line.starts_with("session ") && line.contains(signal)),
            "{log}"
        );
    }
}

#[test]
fn the_next_supervisor_ends_everything_when_the_first_leaves_it() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let pid = first.begin(1, "read x");
    stage.signal_keeper(Signal::TERM);
    assert_eq!(first.notice(), "end-all");
    first.exit();
    // Whoever signals every process at once may meet the next one as well.
    stage.supervisor().kill();
    let (mut last, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held, [running(1, pid)]);
    assert_eq!(last.notice(), "end-all");
    super::stage::signal(&process(pid), Signal::KILL);
    assert_eq!(last.notice(), format!("ended 1 {pid} 9"));
    last.ask("release 1");
    last.ask("leave");
    last.exit();
    stage.await_keeper();
}

#[test]
fn a_supervisor_is_started_to_end_everything_when_there_is_none() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    first.begin(1, "read x");
    let gone = process(first.pid);
    // The keeper sees the end and its own signal together.
    stage.signal_keeper(Signal::STOP);
    super::stage::signal(&gone, Signal::KILL);
    await_end(&gone);
    stage.signal_keeper(Signal::TERM);
    stage.signal_keeper(Signal::CONT);
    let (mut next, _) = stage.ready_supervisor();
    assert_eq!(next.notice(), "end-all");
    next.ask("release 1");
    next.exit();
    stage.await_keeper();
}

#[test]
fn with_nothing_to_end_it_ends() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    stage.signal_keeper(Signal::TERM);
    assert_eq!(supervisor.notice(), "end-all");
    supervisor.exit();
    stage.await_keeper();
}
