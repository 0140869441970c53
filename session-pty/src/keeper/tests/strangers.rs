//! What comes from those who are not expected.

use super::stage::Stage;

#[test]
fn noise_costs_the_keeper_nothing() {
    let mut stage = Stage::new();
    let (mut supervisor, _) = stage.ready_supervisor();
    supervisor.ask("listen");
    let open = |stage: &Stage| {
        std::fs::read_dir(format!("/proc/{}/fd", stage.keeper.id())).unwrap().count()
    };
    supervisor.ask("deposit 1");
    let before = open(&stage);
    supervisor.ask("noise");
    // Once this is answered, what was said before has been heard. It takes the place of the one before.
    assert_eq!(supervisor.ask("deposit 1"), "deposited");
    assert_eq!(open(&stage), before);
    supervisor.kill();
    let (mut next, inherited) = stage.ready_supervisor();
    assert!(inherited.listens);
    assert_eq!(inherited.held.len(), 1);
    next.ask("release 1");
    next.ask("leave");
    next.exit();
    stage.await_keeper();
}

#[test]
fn a_second_keeper_only_asks_the_first_to_be_reachable() {
    let mut stage = Stage::new();
    let mut supervisor = stage.supervisor();
    stage.inherit(&mut supervisor);
    // The signal would end a supervisor that does not expect it yet; here it would just be early.
    stage.start_another();
    // Signals are heard before packets.
    supervisor.ask("deposit 1");
    assert!(supervisor.has_no_notice());
    supervisor.ask("ready");
    assert_eq!(supervisor.notice(), "usr1");
    stage.start_another();
    assert_eq!(supervisor.notice(), "usr1");
}
