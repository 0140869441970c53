//! Supervisors that take the place of their keeper.

use super::super::UNKNOWN_END;
use super::stage::{Stage, await_end, process, running};

#[test]
fn a_supervisor_takes_the_place_of_a_dead_keeper() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.ready_supervisor();
    let adopted_gate = stage.gate("adopted");
    let own_gate = stage.gate("own");
    let adopted = first.begin(1, "read x <adopted; exit 6");
    first.ask("listen");
    first.kill();
    let (mut second, _) = stage.ready_supervisor();
    let own = second.begin(2, "read x <own; echo survived; exit 7");
    let ended = second.begin(3, "exit 8");
    await_end(&process(ended));
    let before = stage.instance();
    stage.keeper.kill().unwrap();
    assert_eq!(second.notice(), "gone");
    assert!(second.ask("deposit 4").starts_with("refused"), "nobody answers");

    // A program that is not there changes nothing.
    assert!(second.ask("succeed /nowhere/session").starts_with("failed"));
    let successor = second.pid;
    second.tell("succeed");
    second.await_end();

    let (mut third, inherited) = stage.ready_supervisor();
    assert_eq!((inherited.keeper, inherited.listens), (successor, true));
    let mut expected = [running(1, adopted), running(2, own), running(3, ended)];
    // That one left a status, which the successor has collected before it started anybody.
    expected[2].ended = Some(8 << 8);
    assert_eq!(inherited.held, expected);
    let after = stage.instance();
    assert_eq!((after.instance, after.pid), (before.instance, successor));
    assert_ne!(after.pid_start, None);
    own_gate.open("go");
    third.ask("read 2 survived");
    assert_eq!(third.notice(), format!("ended 2 {own} {}", 7 << 8));
    // The dead keeper was that one's parent.
    adopted_gate.open("go");
    assert_eq!(third.notice(), format!("ended 1 {adopted} {UNKNOWN_END}"));

    // It is a keeper as any other.
    third.kill();
    let (mut fourth, inherited) = stage.ready_supervisor();
    assert_eq!(inherited.held.len(), 3);
    for number in 1..=3 {
        fourth.ask(&format!("release {number}"));
    }
    let keeper = process(successor);
    fourth.ask("leave");
    fourth.exit();
    await_end(&keeper);
}

#[test]
fn more_descriptors_than_the_limit_of_programs_are_no_obstacle() {
    let mut stage = Stage::after("ulimit -Sn 40; ulimit -Hn 160");
    let (mut first, _) = stage.ready_supervisor();
    assert_eq!(first.files, 40);
    for number in 1..=32 {
        assert_eq!(first.ask(&format!("deposit {number}")), "deposited");
    }
    assert_eq!(first.ask("deposit 33"), "refused 24");
    first.kill();
    let (mut second, inherited) = stage.ready_supervisor();
    assert_eq!((second.files, inherited.held.len()), (40, 32));

    stage.keeper.kill().unwrap();
    assert_eq!(second.notice(), "gone");
    second.tell("succeed");
    second.await_end();
    let (third, inherited) = stage.ready_supervisor();
    assert_eq!((third.files, inherited.held.len()), (40, 32));
}
