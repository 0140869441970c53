//! What survives a supervisor.

use rustix::process::Signal;

use super::super::UNKNOWN_END;
use super::stage::{Session, Stage, await_end, process, read_to_end, running};

#[test]
fn a_program_and_its_terminal_outlive_their_supervisor() {
    let mut stage = Stage::new();
    let (mut first, inherited) = stage.ready_supervisor();
    assert_eq!((inherited.keeper, inherited.listens), (stage.keeper.id(), false));
    assert_eq!(inherited.held, []);
    let gate = stage.gate("gate");
    let script = "read x <gate; echo meanwhile $x; read y; echo got $y; exit 7";
    let pid = first.begin(1, script);
    first.ask("listen");
    assert_eq!(stage.instance().supervisor, Some(first.pid));
    first.kill();
    gate.open("news");

    let (mut second, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held, [running(1, pid)]);
    assert!(inherited.listens);
    let instance = stage.instance();
    assert_eq!((instance.pid, instance.supervisor), (stage.keeper.id(), Some(second.pid)));
    // Only the first one had the launcher's pipe.
    read_to_end(stage.keeper.stdout.take().unwrap());
    second.ask("taking 1");
    second.ask("read 1 meanwhile news");
    second.ask("taken 1");
    second.ask("type 1 hello");
    second.ask("read 1 got hello");
    assert_eq!(second.notice(), format!("ended 1 {pid} {}", 7 << 8));
    second.ask("release 1");
    second.ask("leave");
    second.exit();
    stage.await_keeper();
}

#[test]
fn the_status_of_a_program_that_ended_meanwhile_is_kept() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let gate = stage.gate("gate");
    let early = first.begin(1, "read x <gate; exit 3");
    let (program, supervisor) = (process(early), process(first.pid));
    // All of this comes to the keeper at once.
    stage.signal_keeper(Signal::STOP);
    super::stage::signal(&supervisor, Signal::KILL);
    await_end(&supervisor);
    gate.open("go");
    await_end(&program);
    stage.signal_keeper(Signal::CONT);
    let (mut second, inherited) = stage.ready_supervisor();
    let ended = Session { ended: Some(3 << 8), ..running(1, early) };
    assert_eq!(inherited.held, [ended]);
    second.ask("release 1");
}

#[test]
fn a_program_may_end_before_anybody_knows_its_number() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let gate = stage.gate("gate");
    first.ask("deposit 1");
    let pid: u32 = first.ask("spawn 1 read x <gate; exit 4").parse().unwrap();
    let (program, supervisor) = (process(pid), process(first.pid));
    stage.signal_keeper(Signal::STOP);
    super::stage::signal(&supervisor, Signal::KILL);
    await_end(&supervisor);
    gate.open("go");
    await_end(&program);
    stage.signal_keeper(Signal::CONT);
    let (mut second, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held, [Session { pid: None, ..running(1, pid) }]);
    second.ask(&format!("started 1 {pid}"));
    assert_eq!(second.notice(), format!("ended 1 {pid} {}", 4 << 8));
}

#[test]
fn an_end_that_only_a_dead_supervisor_saw_is_unknown() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let pid = first.begin(1, "exit 5");
    first.ask("reap");
    first.kill();
    let (_second, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held, [Session { ended: Some(UNKNOWN_END), ..running(1, pid) }]);
}

#[test]
fn a_session_that_is_deadly_to_take_back_comes_with_a_warning() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    let pid = supervisor.begin(1, "read x");
    for skip in [false, false, true] {
        supervisor.kill();
        let (next, inherited) = stage.ready_supervisor();
        assert_eq!(inherited.held, [Session { skip, ..running(1, pid) }]);
        supervisor = next;
        supervisor.ask("taking 1");
    }
}

#[test]
fn more_sessions_than_the_socket_has_room_for_are_handed_on() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    for number in 1..=300 {
        assert_eq!(first.ask(&format!("deposit {number}")), "deposited");
    }
    first.kill();
    let mut second = stage.supervisor();
    // The keeper has not waited for it meanwhile.
    stage.start_another();
    assert_eq!(stage.inherit(&mut second).held.len(), 300);
    second.ask("ready");
    assert_eq!(second.notice(), "usr1");
}

#[test]
fn one_that_leaves_with_programs_is_replaced() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let pid = first.begin(1, "read x");
    first.ask("leave");
    first.exit();
    let (mut second, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held, [running(1, pid)]);
    second.ask("release 1");
    second.ask("leave");
    second.exit();
    stage.await_keeper();
}

#[test]
fn with_nothing_to_keep_the_first_failure_is_the_end() {
    let mut stage = Stage::new();
    stage.supervisor().kill();
    stage.await_keeper();
}

#[test]
fn another_program_takes_over_and_three_failures_bring_back_the_own() {
    let mut stage = Stage::new();
    let other = stage.directory.path().join("other");
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &other).unwrap();
    let other = other.to_str().unwrap();
    let (mut supervisor, _) = stage.ready_supervisor();
    let pid = supervisor.begin(1, "read x");
    supervisor.ask(&format!("restart {other}"));
    supervisor.exit();
    for _ in 0..3 {
        let supervisor = stage.supervisor();
        assert_eq!(supervisor.program, other);
        supervisor.kill();
    }
    let (supervisor, inherited) = stage.ready_supervisor();
    assert_ne!(supervisor.program, other);
    assert_eq!(inherited.held, [running(1, pid)]);
}

#[test]
fn after_ten_failures_it_waits_until_somebody_asks() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    let pid = supervisor.begin(1, "read x");
    // What cannot be started at all fails as well.
    supervisor.ask("restart /nowhere/session");
    supervisor.exit();
    for _ in 3..10 {
        stage.supervisor().kill();
    }
    let given_up = loop {
        // The keeper sees the last one's end in a moment.
        if let Some(given_up) = stage.instance().given_up {
            break given_up;
        }
        std::thread::yield_now();
    };
    assert!(given_up.contains("10 times") && given_up.contains("signal: 9"), "{given_up}");
    assert_eq!(stage.instance().supervisor, None);

    stage.start_another();
    let mut supervisor = stage.supervisor();
    assert_eq!(stage.instance().given_up.as_deref(), Some(&*given_up), "it is not ready yet");
    assert_eq!(stage.inherit(&mut supervisor).held, [running(1, pid)]);
    supervisor.ask("ready");
    supervisor.ask("deposit 2");
    assert_eq!(stage.instance().given_up, None);
}
