//! Recordings that players of terminal recordings play.

use std::fs;
use std::time::Instant;

use rustix::process::Signal;

use crate::home::{Home, PATIENCE};

/// The lines of a recording that has come to its end.
fn finished(home: &Home, name: &str) -> Vec<serde_json::Value> {
    let id = home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().to_owned();
    let path = home.data().join(format!("output/{id}.cast"));
    let deadline = Instant::now() + PATIENCE;
    while home.data().join(format!("output/{id}.cast.at")).exists() {
        assert!(Instant::now() < deadline, "the recording does not end");
        // Takes a moment of its own.
        home.ok(&format!("show {name}"));
    }
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a player would write on the terminal.
fn played(lines: &[serde_json::Value]) -> String {
    let output = lines[1..].iter().filter(|event| event[1] == "o");
    output.map(|event| event[2].as_str().unwrap()).collect()
}

#[test]
fn everything_is_recorded_whoever_serves() {
    let home = Home::new();
    let script = "printf 'h\\303\\251llo\\n'; read go; stty size; i=0; \
        while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done";
    let words = ["new", "x", "-d", "--record", "--size", "90x30", "--", "sh", "-c", script];
    let ran = home.run(words);
    assert!(ran.code == 0 && ran.err.contains(".cast"), "{ran:?}");
    home.ok("wait x --text llo --timeout 20s");
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    home.ok("resize x 100x40");
    home.ok("send x --key Enter");
    assert_eq!(home.run(["wait", "x", "--timeout", "20s"]).code, 0);
    let lines = finished(&home, "x");
    let number = |name: &str| lines[0][name].as_u64().unwrap();
    assert_eq!((number("version"), number("width"), number("height")), (2, 90, 30));
    let raw = home.ok("logs x --raw");
    assert_eq!(played(&lines), raw);
    assert!(raw.contains("40 100\r\n") && raw.contains("line 2000\r\n"), "{raw}");
    assert!(lines[1..].iter().any(|event| event[1] == "r" && event[2] == "100x40"), "{lines:?}");
    let times: Vec<f64> = lines[1..].iter().map(|event| event[0].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    // A recorder is no viewer.
    assert!(!home.ok("events --all").contains("attached"));
}

#[test]
fn a_recording_goes_with_its_session() {
    let home = Home::new();
    let ran = home.run(["new", "x", "--record", "-q", "--", "echo", "hi"]);
    assert_eq!((ran.code, &*ran.out), (0, "hi\r\n"), "{ran:?}");
    assert_eq!(played(&finished(&home, "x")), "hi\r\n");
    // Of a supervisor that died in between.
    let id = home.json("show x")["session"]["id"].as_str().unwrap().to_owned();
    fs::write(home.data().join(format!("output/{id}.cast.at")), "").unwrap();
    home.ok("rm x");
    home.ok("trash empty --older-than 0s --yes");
    assert_eq!(fs::read_dir(home.data().join("output")).unwrap().count(), 0);
}

#[test]
fn nobody_goes_on_with_the_recording_of_a_lost_session() {
    let home = Home::new();
    let marks = || {
        let entries = fs::read_dir(home.data().join("output")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".cast.at")).collect::<Vec<_>>()
    };
    home.ok("new lost -d --record -- cat");
    home.kill_supervisor_and_keeper();
    assert_eq!(marks().len(), 1);
    // One that runs is gone on with.
    home.ok("new x -d --record -- cat");
    let deadline = Instant::now() + PATIENCE;
    let id = home.json("show x")["session"]["id"].as_str().unwrap().to_owned();
    let own = format!("{id}.cast.at");
    while marks() != [own.as_str()] {
        assert!(Instant::now() < deadline, "{:?}", marks());
    }
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    home.ok("send x hello --enter");
    home.ok("wait x --text hello");
    assert_eq!(marks(), [own.as_str()]);
}
