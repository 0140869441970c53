//! Programs that the keeper holds for sessions of which the store knows nothing: it was removed or replaced meanwhile.

use std::fs;
use std::time::Instant;

use rustix::process::Signal;

use crate::home::{Home, PATIENCE, Process, STORES, parsed};

/// The id of a session, and its program.
fn started(home: &Home, name: &str, script: &str) -> (String, Process) {
    home.start(name, script);
    let session = home.json(&format!("show {name}"))["session"].clone();
    let program = Process::held(session["process"]["pid"].as_i64().unwrap());
    (session["id"].as_str().unwrap().to_owned(), program)
}

#[test]
fn only_what_still_runs_is_kept() {
    let by_itself = |_: &Home, program: &Process| program.signal(Signal::KILL);
    let with_everything = |home: &Home, _: &Process| drop(home.ok("supervisor stop --force"));
    let ends: [fn(&Home, &Process); 2] = [by_itself, with_everything];
    for (store, end) in STORES.into_iter().zip(ends) {
        let home = Home::with_store(store);
        let (over_id, over) = started(&home, "over", "echo early; read go");
        let (runs_id, runs) = started(&home, "runs", "read go");
        home.ok("wait over --text early --timeout 20s");
        let (supervisor, keeper) = home.processes();
        supervisor.signal(Signal::STOP);
        for entry in fs::read_dir(home.data()).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name == "jsonl" {
                fs::remove_dir_all(entry.path()).unwrap();
            } else if name.starts_with("session.db") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        over.signal(Signal::KILL);
        over.wait();
        supervisor.signal(Signal::KILL);
        supervisor.wait();

        assert_eq!(home.processes().1.pid, keeper.pid);
        let log = home.data().join("output").join(format!("{over_id}.log"));
        let deadline = Instant::now() + PATIENCE;
        while !log.exists() {
            assert!(Instant::now() < deadline, "what has ended is not let go");
            std::thread::yield_now();
        }
        assert_eq!(fs::read_to_string(log).unwrap(), "early\r\n");
        assert!(runs.is_alive());
        let ran = home.run(["doctor", "--json"]);
        let checks = parsed(&ran.out)["checks"].to_string();
        assert!(ran.code == 1 && checks.contains(&format!("{runs_id} runs")), "{checks}");
        let ran = home.run(["supervisor", "stop", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("still-running")));
        assert!(runs.is_alive());
        end(&home, &runs);
        runs.wait();
        keeper.wait();
    }
}
