//! Programs outlive the supervisor, whatever ends it, and lose nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::SessionId;
use session_pty::client::StreamEvent;
use session_pty::{Client, Feed, Place, ViewerSpec};

use crate::home::{Home, PATIENCE, Process, STORES};

fn place(home: &Home) -> Place {
    Place::new(home.data(), home.path().join("run"), "sqlite")
}

fn id_of(home: &Home, name: &str) -> SessionId {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().parse().unwrap()
}

/// The process that runs in a session.
fn program(home: &Home, name: &str) -> Process {
    let shown = home.json(&format!("show {name}"));
    assert_eq!(shown["session"]["process"]["state"], "running", "{shown}");
    Process::held(shown["session"]["process"]["pid"].as_i64().unwrap())
}

/// The program that outlived its supervisor does what is typed, and its end is recorded.
#[track_caller]
fn goes_on(home: &Home, name: &str) {
    home.ok(&format!("send {name} once more --enter"));
    home.ok(&format!("wait {name} --text heard:once --timeout 20s"));
    let ran = home.run(["send", name, "exit 7", "--enter"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(home.run(["wait", name, "--timeout", "20s"]).code, 7);
    let shown = home.json(&format!("show {name}"))["session"].clone();
    assert_eq!(shown["process"]["exit"]["code"], 7, "{shown}");
    assert!(home.ok(&format!("logs {name}")).contains("heard:once more"));
}

/// Repeats what it reads, or ends when told.
const ECHO: &str =
    "while read -r line; do case $line in exit*) exit 7;; *) echo \"heard:$line\";; esac; done";

#[test]
fn a_killed_supervisor_ends_no_program() {
    for store in STORES {
        let home = Home::with_store(store);
        home.start("x", ECHO);
        let program = program(&home, "x");
        home.ok("send x first --enter");
        home.ok("wait x --text heard:first --timeout 20s");
        let (supervisor, keeper) = home.processes();
        supervisor.signal(Signal::KILL);
        supervisor.wait();
        let (next, same) = home.processes();
        assert_ne!(next.pid, supervisor.pid);
        assert_eq!(same.pid, keeper.pid);
        assert!(program.is_alive());
        assert!(home.ok("screen x").contains("heard:first"));
        goes_on(&home, "x");
    }
}

#[test]
fn a_killed_keeper_is_replaced_by_the_supervisor() {
    let home = Home::new();
    home.start("x", ECHO);
    home.start("y", ECHO);
    // One whose parent is the keeper, and one whose parent is the supervisor.
    let (first, _) = home.processes();
    first.signal(Signal::KILL);
    first.wait();
    home.start("z", ECHO);
    let (supervisor, keeper) = home.processes();
    keeper.signal(Signal::KILL);
    keeper.wait();
    let deadline = Instant::now() + PATIENCE;
    let (next, heir) = loop {
        let (next, heir) = home.processes();
        if next.pid != supervisor.pid {
            break (next, heir);
        }
        assert!(Instant::now() < deadline, "no other supervisor comes");
    };
    assert_eq!(heir.pid, supervisor.pid, "it has become the keeper");
    assert_ne!(next.pid, first.pid);
    goes_on(&home, "z");
    // Those that the dead keeper had adopted go on as well; how they end, nobody can know any more.
    home.ok("send x once more --enter");
    home.ok("wait x --text heard:once --timeout 20s");
    let ran = home.run(["send", "x", "exit", "--enter"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    home.run(["wait", "x", "--timeout", "20s"]);
    let shown = home.json("show x")["session"].clone();
    assert_eq!(shown["process"]["state"], "exited", "{shown}");
    assert!(shown["process"]["exit"].is_null(), "{shown}");
}

#[test]
fn signals_leave_the_programs_to_the_next() {
    let home = Home::new();
    home.start("x", ECHO);
    for signal in [Signal::TERM, Signal::INT] {
        let (supervisor, _) = home.processes();
        supervisor.signal(signal);
        supervisor.wait();
        assert_ne!(home.processes().0.pid, supervisor.pid);
    }
    goes_on(&home, "x");
}

#[test]
fn a_keeper_that_is_told_to_end_ends_everything() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        home.start("x", ECHO);
        let (_, keeper) = home.processes();
        keeper.signal(signal);
        keeper.wait();
        assert_eq!(home.json("supervisor status")["running"], false);
        let shown = home.json("show x")["session"].clone();
        assert_eq!(shown["process"]["exit"]["signal"], 1, "{shown}");
    }
}

#[test]
fn how_a_program_ended_meanwhile_is_recorded() {
    let home = Home::new();
    home.start("x", "echo early; read go; echo late; exit 9");
    home.ok("wait x --text early --timeout 20s");
    let program = program(&home, "x");
    let (supervisor, _) = home.processes();
    home.ok("send x --key Enter");
    // It is asleep from here on, so whatever it has not done by now it does not do.
    supervisor.signal(Signal::STOP);
    program.wait();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    assert_eq!(home.run(["wait", "x", "--timeout", "20s"]).code, 9);
    assert_eq!(home.ok("logs x"), "early\n\nlate\n");
}

#[test]
fn an_upgrade_ends_nothing() {
    let home = Home::new();
    assert_eq!(home.run(["supervisor", "upgrade"]).code, 5, "there is nothing to upgrade");
    home.start("x", ECHO);
    let (before, keeper) = home.processes();
    let upgraded = home.json("supervisor upgrade");
    assert_eq!(upgraded["sessions"], 1, "{upgraded}");
    let (after, same) = home.processes();
    assert_eq!(upgraded["supervisor_pid"].as_i64(), Some(after.pid));
    assert_ne!(after.pid, before.pid);
    assert_eq!(same.pid, keeper.pid);
    goes_on(&home, "x");
}

#[test]
fn a_store_that_cannot_be_read_ends_nothing() {
    let home = Home::new();
    home.start("x", ECHO);
    let program = program(&home, "x");
    let database = home.data().join("session.db");
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::STOP);
    let sound = fs::read(&database).unwrap();
    fs::write(&database, "no database").unwrap();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    let ran = home.run(["supervisor", "status", "--json"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(program.is_alive());
    assert_eq!(fs::read(&database).unwrap(), b"no database", "nothing is overwritten");
    fs::write(&database, sound).unwrap();
    goes_on(&home, "x");
}

/// Twenty sessions print numbered lines, five viewers watch, and the supervisor is killed again and again.
#[test]
fn many_kills_lose_and_double_nothing() {
    const SESSIONS: usize = 20;
    const VIEWERS: usize = 5;
    const KILLS: usize = 12;
    let home = Home::new();
    let script =
        "i=0; while [ ! -e stop ]; do i=$((i+1)); echo line $i; sleep 0.005; done; echo end $i";
    for number in 0..SESSIONS {
        home.start(&format!("s{number}"), script);
    }
    let place = place(&home);
    let watchers: Vec<_> = (0..VIEWERS)
        .map(|number| {
            let id = id_of(&home, &format!("s{number}"));
            let client = Client::connect(&place).unwrap().unwrap();
            let viewer = ViewerSpec { read_only: true, feed: Feed::Log, ..ViewerSpec::default() };
            let mut stream = client.attach(id, viewer).unwrap();
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                loop {
                    match stream.next(Some(PATIENCE)).unwrap().expect("something comes in time") {
                        StreamEvent::Output(bytes) => seen.extend_from_slice(&bytes),
                        StreamEvent::Gap { missed, .. } => panic!("{missed} bytes are missing"),
                        StreamEvent::Exited(_) => return seen,
                        StreamEvent::Closed | StreamEvent::Detached => panic!("cut off"),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for _ in 0..KILLS {
        let (supervisor, _) = home.processes();
        supervisor.signal(Signal::KILL);
        supervisor.wait();
    }
    fs::write(home.path().join("home/stop"), "").unwrap();
    let mut logs = BTreeMap::new();
    for number in 0..SESSIONS {
        let name = format!("s{number}");
        assert_eq!(home.run(["wait", &name, "--timeout", "20s"]).code, 0, "{name}");
        logs.insert(number, home.ok(&format!("logs {name}")));
    }
    let whole = |log: &str| {
        let lines: Vec<_> = log.lines().collect();
        let last = lines.len() - 1;
        for (at, line) in lines[..last].iter().enumerate() {
            assert_eq!(*line, format!("line {}", at + 1));
        }
        assert_eq!(lines[last], format!("end {last}"));
    };
    logs.values().for_each(|log| whole(log));
    for (number, watcher) in watchers.into_iter().enumerate() {
        let seen = String::from_utf8(watcher.join().unwrap()).unwrap().replace('\r', "");
        assert!(seen == logs[&number], "viewer {number} saw something else");
    }
}

/// A person's terminal is painted again, and what is typed meanwhile arrives.
#[test]
fn a_viewer_is_back_soon() {
    let home = Home::new();
    home.start("x", ECHO);
    let id = id_of(&home, "x");
    let client = Client::connect(&place(&home)).unwrap().unwrap();
    let viewer = ViewerSpec { feed: Feed::Screen, ..ViewerSpec::default() };
    let mut stream = client.attach(id, viewer).unwrap();
    stream.input(b"before\n").unwrap();
    let until = |stream: &mut session_pty::client::ViewerStream, text: &str| {
        let mut seen = String::new();
        while !seen.contains(text) {
            match stream.next(Some(PATIENCE)).unwrap().expect("it comes in time") {
                StreamEvent::Output(bytes) | StreamEvent::Screen(bytes) => {
                    seen.push_str(&String::from_utf8_lossy(&bytes));
                }
                StreamEvent::Closed => panic!("cut off"),
                _ => {}
            }
        }
    };
    until(&mut stream, "heard:before");
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    // The screen as it was comes by itself.
    until(&mut stream, "heard:before");
    stream.input(b"after\n").unwrap();
    until(&mut stream, "heard:after");
    assert_eq!(stream.next(Some(Duration::ZERO)).unwrap(), None);
}
