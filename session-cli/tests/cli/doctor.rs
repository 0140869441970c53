//! States from which nothing gets out by itself: each is found, with what helps, and nothing is done about it unasked.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;
use session_core::{
    Exit, Host, Observer, Process, ProcessState, Session, SessionId, SessionStore,
    SessionStoreExt as _, Status, StoreError, Timestamp, Unknown,
};
use session_pty::{Instance, Place};
use session_sql::SqlStore;

use crate::home::{self, Home, parsed};

/// What the doctor says under this name, its state, message and hint as one text; and whether all is well.
fn finding(home: &Home, name: &str) -> (String, i32) {
    let ran = home.run(["doctor", "--json"]);
    let said = |check: &Value| {
        let field = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        [field("state"), field("message"), field("hint")].join(": ")
    };
    let checks = parsed(&ran.out)["checks"].as_array().unwrap().clone();
    let found: Vec<_> = checks.iter().filter(|check| check["name"] == name).map(said).collect();
    (found.join("\n"), ran.code)
}

fn store(home: &Home) -> Arc<dyn SessionStore> {
    Arc::new(SqlStore::open(home.data().join("session.db")).unwrap())
}

fn id_of(home: &Home, name: &str) -> SessionId {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().parse().unwrap()
}

/// Records a session as running in this process, by the living supervisor.
fn record_as_running(home: &Home, pid: u32, pid_start: u64) -> SessionId {
    let place = Place::new(home.data(), home.path().join("run"), "sqlite");
    let instance = Instance::alive(&place.instance_lock()).unwrap().unwrap();
    let at = instance.started_at;
    let id = SessionId::from_parts(at, u128::from(pid));
    let mut session = Session::new(id, at);
    let host =
        Host { instance: instance.instance, boot: instance.boot, unknown: Unknown::default() };
    let mut process = Process::starting(at, Some(host));
    (process.state, process.pid) = (ProcessState::Running, Some(pid));
    process.pid_start = Some(pid_start);
    session.process = Some(process);
    session.set_status(Status::Running).unwrap();
    store(home).create(session).unwrap();
    id
}

/// When a process started, in clock ticks since boot.
fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.to_owned();
    fields.split_ascii_whitespace().nth(19).unwrap().parse().unwrap()
}

/// Whether a process runs, sleeps or is stopped, as the letter that the system has for it.
fn state_of(pid: i64) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn a_stopped_keeper_or_supervisor_is_named() {
    let home = Home::new();
    home.start("x", "read go");
    let (supervisor, keeper) = home.processes();
    for (process, name) in [(&supervisor, "supervisor"), (&keeper, "keeper")] {
        process.signal(Signal::STOP);
        while state_of(process.pid) != 'T' {
            std::thread::yield_now();
        }
        let (said, code) = finding(&home, "supervisor");
        process.signal(Signal::CONT);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("the {name} ")), "{said}");
        assert!(said.contains(&format!("`kill -CONT {}`", process.pid)), "{said}");
    }
    assert!(finding(&home, "supervisor").0.starts_with("ok"));
}

#[test]
fn a_socket_that_clients_do_not_find_is_named_and_left_alone() {
    let home = Home::new();
    home.start("x", "read go");
    let run = home.path().join("run");
    fs::remove_dir_all(&run).unwrap();
    let (said, code) = finding(&home, "socket");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("was removed") && said.contains("`session list`"), "{said}");
    assert!(!run.exists(), "it was not asked to repair anything");
    home.ok("list");
    assert_eq!(finding(&home, "socket"), (String::new(), 0));

    let socket = run.join("supervisor.sock");
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    let (said, code) = finding(&home, "socket");
    // A file system may give the new file the number of the old one: then it is found out by greeting it.
    if !said.is_empty() {
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("not the supervisor's") && said.contains("rm "), "{said}");
    }
    drop(other);
    fs::remove_file(&socket).unwrap();
    home.ok("list");
}

#[test]
fn what_a_dead_supervisor_left_is_named() {
    let home = Home::new();
    home.start("gone", "read go");
    home.start("deaf", "trap '' HUP; echo ready; while :; do sleep 1000; done");
    home.ok("wait deaf --text ready");
    let pid = home.json("show deaf")["session"]["process"]["pid"].as_i64().unwrap();
    let deaf = home::Process::held(pid);
    home.kill_supervisor_and_keeper();
    let before = fs::read(home.data().join("session.db")).unwrap();
    let (said, code) = finding(&home, "session");
    assert_eq!((said.lines().count(), code), (2, 0), "{said}");
    assert!(said.contains("gone is recorded as running, and was lost"), "{said}");
    assert!(said.contains("`session new`"), "{said}");
    let still = format!("deaf was lost with its supervisor, and its process {pid} is still there");
    assert!(said.contains(&still) && said.contains(&format!("kill {pid}")), "{said}");
    assert!(deaf.is_alive());
    assert_eq!(fs::read(home.data().join("session.db")).unwrap(), before);
    // What the hint says is so.
    deaf.signal(Signal::KILL);
    deaf.wait();
    home.ok("create another");
    assert_eq!(finding(&home, "session"), (String::new(), 0));
}

#[test]
fn a_record_without_a_program_and_a_program_without_a_record_are_named() {
    let home = Home::new();
    home.start("x", "read go");
    assert_eq!(finding(&home, "session"), (String::new(), 0));

    let mut child =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let untaken = record_as_running(&home, child.id(), start_of(child.id()));
    let (said, code) = finding(&home, "session");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("could not take it back") && said.contains(&untaken.short()), "{said}");
    assert!(said.contains("`session supervisor upgrade`"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    let (said, code) = finding(&home, "session");
    assert_eq!((said.lines().count(), code), (1, 1), "{said}");
    assert!(said.contains("its process is gone"), "{said}");
    home.ok("supervisor upgrade");
    assert_eq!(finding(&home, "session"), (String::new(), 0), "what the hint says helps");

    let (x, at) = (id_of(&home, "x"), Timestamp::from_millis(4_000_000_000_000));
    let end = |session: &mut Session| {
        session.process.as_mut().unwrap().state = ProcessState::Exited(Exit::Code(0));
        session.lifecycle.ended_at = Some(at);
        session.set_status(Status::Completed)?;
        Ok::<_, StoreError>(())
    };
    store(&home).update_with(x, at, end).unwrap();
    let (said, code) = finding(&home, "session");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("x runs, and is recorded as completed"), "{said}");
    store(&home).remove(x, &Observer { now: at, live_host: None }).unwrap();
    store(&home).purge(x, at).unwrap();
    let (said, code) = finding(&home, "session");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("{x} runs, and is not in the store")), "{said}");
    home.ok("supervisor stop --force");
    assert_eq!(finding(&home, "session"), (String::new(), 0), "what the hint says helps");
}

#[test]
fn output_of_nobody_is_named() {
    let home = Home::new();
    home.start("x", "echo out");
    home.run(["wait", "x"]);
    assert_eq!(finding(&home, "kept output").0, "");
    let stray = home.data().join("output").join("01KB0000000000000000000ABC.log");
    fs::write(&stray, "out").unwrap();
    let (said, code) = finding(&home, "kept output");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("1 file of 1 session"), "{said}");
    assert!(said.contains(&format!("rm {}", stray.display())), "{said}");
    assert!(stray.exists());
}
