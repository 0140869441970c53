//! As many sessions as fit into the files that may be open, and no more than survive their supervisor.

use rustix::process::Signal;

use crate::home::Home;

#[test]
fn what_a_supervisor_starts_the_next_one_can_take_back() {
    let home = Home::new();
    let begin = "ulimit -n 100; for n in 1 2 3 4 5 6 7 8 9; do session new x$n -d -- sh -c 'read x' 2>&1; done";
    let said = home.shell(&format!("{begin}; true"));
    assert_eq!(said.lines().filter(|line| line.starts_with('x')).count(), 5, "{said}");
    assert!(said.contains("no more than 5 sessions fit into the 100 files"), "{said}");
    let running = || home.json("list --status running")["sessions"].as_array().unwrap().len();
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    for name in ["x1", "x2", "x3", "x4", "x5"] {
        home.ok(&format!("send {name} alive"));
    }
    assert_eq!(running(), 5);
    home.ok("stop x1");
    home.start("another", "read x");
    assert_eq!(running(), 5);
}
