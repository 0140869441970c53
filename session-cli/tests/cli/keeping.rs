//! Programs outlive the supervisor, whatever ends it, and lose nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::SessionId;
use session_pty::{Client, Feed, Place, ViewerSpec};

use crate::home::{Home, PATIENCE, Process, STORES};
use crate::typists::until_shown;

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
fn an_upgrade_to_what_does_not_come_up_is_none() {
    let home = Home::new();
    let program = home.path().join("session");
    // A new file under the name of the old one, as by an installation.
    let install = |contents: &[u8]| {
        let beside = home.path().join("beside");
        fs::write(&beside, contents).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&beside, &program).unwrap();
    };
    let sound = fs::read(env!("CARGO_BIN_EXE_session")).unwrap();
    install(&sound);
    let mut installed = std::process::Command::new(&program);
    installed.args(["new", "x", "-d", "--", "sh", "-c", ECHO]);
    installed.env_clear().envs(home.variables()).current_dir(home.path());
    installed.stdout(std::process::Stdio::null());
    assert!(installed.status().unwrap().success());
    let (before, _) = home.processes();

    install(b"#!/bin/sh\necho it is broken >&2; exit 1\n");
    let ran = home.run(["supervisor", "upgrade", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (1, Some("start-failed")), "{ran:?}");
    let (after, _) = home.processes();
    assert_ne!(after.pid, before.pid);
    let message = ran.error()["message"].as_str().unwrap().to_owned();
    let (path, process) = (program.to_str().unwrap(), format!("process {}", after.pid));
    assert!(message.contains(path) && message.contains(&process), "{message}");
    let log = home.path().join("run/supervisor.log");
    assert!(ran.error()["hint"].as_str().unwrap().contains(log.to_str().unwrap()), "{ran:?}");
    assert!(fs::read_to_string(&log).unwrap().contains("it is broken"));

    install(&sound);
    assert_eq!(home.json("supervisor upgrade")["sessions"], 1);
    let serves = fs::metadata(format!("/proc/{}/exe", home.processes().0.pid)).unwrap().ino();
    assert_eq!(serves, fs::metadata(&program).unwrap().ino());
    goes_on(&home, "x");
}

/// Whether keeper or supervisor hears first, or both at once.
#[test]
fn everything_told_to_end_at_once_is_recorded_truthfully() {
    type Told = fn(&Process, &Process);
    let supervisor_first: Told = |supervisor, keeper| {
        keeper.signal(Signal::STOP);
        supervisor.signal(Signal::TERM);
        supervisor.wait();
        keeper.signal(Signal::TERM);
        keeper.signal(Signal::CONT);
    };
    let both_before_it_looks: Told = |supervisor, keeper| {
        supervisor.signal(Signal::STOP);
        keeper.signal(Signal::TERM);
        supervisor.signal(Signal::TERM);
        supervisor.signal(Signal::CONT);
    };
    let at_once: Told = |supervisor, keeper| {
        supervisor.signal(Signal::TERM);
        keeper.signal(Signal::TERM);
    };
    for (tell, store) in
        [supervisor_first, both_before_it_looks, at_once].into_iter().zip(STORES.iter().cycle())
    {
        let home = Home::with_store(store);
        home.start("plain", ECHO);
        home.start(
            "polite",
            "trap 'exit 4' TERM; trap '' HUP; echo ready; while :; do read go; done",
        );
        home.start("stubborn", "trap '' HUP TERM; echo ready; while :; do read go; done");
        for name in ["polite", "stubborn"] {
            home.ok(&format!("wait {name} --text ready --timeout 20s"));
        }
        let (supervisor, keeper) = home.processes();
        tell(&supervisor, &keeper);
        keeper.wait();
        for (name, how, value) in
            [("plain", "signal", 1), ("polite", "code", 4), ("stubborn", "signal", 9)]
        {
            let process = home.json(&format!("show {name}"))["session"]["process"].clone();
            assert_eq!(process["state"], "exited", "{name}: {process}");
            assert_eq!(process["exit"][how], value, "{name}: {process}");
        }
        assert!(home.ok("logs plain").is_empty());
        assert_eq!(home.ok("logs polite"), "ready\n");
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
fn a_store_that_cannot_be_read_ends_cleans_and_overwrites_nothing() {
    for (store, name) in STORES.into_iter().zip(["session.db", "jsonl"]) {
        let home = Home::with_store(store);
        home.start("before", "echo kept");
        home.run(["wait", "before"]);
        let ran = home.run(["new", "x", "-d", "--record", "--", "sh", "-c", ECHO]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let program = program(&home, "x");
        let (place, aside) = (home.data().join(name), home.data().join("aside"));
        let (supervisor, _) = home.processes();
        supervisor.signal(Signal::STOP);
        fs::rename(&place, &aside).unwrap();
        fs::write(&place, "no store").unwrap();
        // What was there, and what goes on to be written anyway.
        let files = || {
            let mut files = home.files();
            files.retain(|file| !["/run/", ".lock ", "/run "].iter().any(|it| file.contains(it)));
            files
        };
        let before = files();
        assert!(before.iter().any(|file| file.contains(".cast.at")), "{before:?}");
        supervisor.signal(Signal::KILL);
        supervisor.wait();
        for _ in 0..2 {
            let ran = home.run(["supervisor", "status", "--json"]);
            assert_ne!(ran.code, 0, "{ran:?}");
        }
        assert!(program.is_alive());
        assert_eq!(files(), before);
        assert_eq!(fs::read(&place).unwrap(), b"no store");
        fs::remove_file(&place).unwrap();
        fs::rename(&aside, &place).unwrap();
        goes_on(&home, "x");
        assert_eq!(home.ok("logs before"), "kept\n");
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
    until_shown(&mut stream, "heard:before");
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    // The screen as it was comes by itself.
    until_shown(&mut stream, "heard:before");
    stream.input(b"after\n").unwrap();
    until_shown(&mut stream, "heard:after");
    assert_eq!(stream.next(Some(Duration::ZERO)).unwrap(), None);
}
