//! Following a session: through gaps, and when nobody is left to tell.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::SessionId;
use session_pty::client::StreamEvent;
use session_pty::{Client, Feed, Instance, Place, ViewerSpec};

use crate::home::{Home, PATIENCE, Process, Ran, finished, parsed};

fn place(home: &Home) -> Place {
    Place::new(home.data(), home.path().join("run"), "sqlite")
}

fn id_of(home: &Home, name: &str) -> SessionId {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().parse().unwrap()
}

/// A session that is watched by so many.
fn until_watched(home: &Home, name: &str, viewers: u64) {
    let deadline = Instant::now() + PATIENCE;
    while home.json(&format!("show {name}"))["session"]["live"]["viewers"] != viewers {
        assert!(Instant::now() < deadline, "nobody comes to watch");
    }
}

/// A command that goes on, with its output as JSON.
struct Follower {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Follower {
    fn begin(home: &Home, line: &str) -> Self {
        let mut child = home.command(line.split(' ').chain(["--json"])).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// What it prints until its end. There is no limit: a keeper takes its time until it gives up.
    fn rest(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { code: self.child.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

#[test]
fn a_gap_breaks_the_line_and_is_said() {
    let home = Home::new();
    // A line without an end, and then something else.
    let script = "stty -echo; echo ready; read go; head -c 20000000 /dev/zero | tr '\\0' x; \
        printf '<end>'; read go; echo after; read go";
    home.start("x", script);
    home.ok("wait x --text ready");
    let mut follower = Follower::begin(&home, "logs x -f");
    until_watched(&home, "x", 1);
    home.ok("send x --enter");
    home.ok("wait x --text <end> --timeout 30s");
    // Only now it reads, and has missed much.
    let (mut lines, mut missed) = (Vec::new(), 0);
    while missed < 15_000_000 {
        let mut line = String::new();
        assert!(follower.out.read_line(&mut line).unwrap() > 0, "{lines:?}");
        missed += parsed(&line)["missed"].as_u64().unwrap_or_default();
        lines.push(line);
    }
    home.ok("send x --enter");
    home.ok("wait x --text after --timeout 30s");
    home.ok("send x --enter");
    lines.extend(follower.rest().out.lines().map(str::to_owned));
    let after: Vec<_> = lines.iter().filter(|line| line.contains("after")).collect();
    assert_eq!(after.len(), 1);
    let line = parsed(after[0])["line"].as_str().unwrap().to_owned();
    assert!(line == "after" || line == "<end>after", "it is joined to what was before the gap");
}

/// The keeper has given up, and every program goes on: nobody who followed one may take that for its end.
#[test]
fn a_stream_that_nobody_goes_on_with_is_no_success() {
    let home = Home::new();
    home.start("x", "echo out; read go; exit 3");
    home.ok("wait x --text out");
    let program = home.json("show x")["session"]["process"]["pid"].as_i64().unwrap();
    let program = Process::held(program);
    let viewers = ["logs x -f", "wait x --text never", "wait x --exit --idle 1h"];
    let mut followers = Vec::from(viewers.map(|line| (line, Follower::begin(&home, line))));
    // A text has two.
    until_watched(&home, "x", 4);
    for line in ["events x -f", "events --all -f"] {
        let mut follower = Follower::begin(&home, line);
        follower.out.read_line(&mut String::new()).unwrap();
        followers.push((line, follower));
    }
    let database = home.data().join("session.db");
    let (supervisor, _) = home.processes();
    supervisor.signal(Signal::STOP);
    let sound = fs::read(&database).unwrap();
    fs::write(&database, "no database").unwrap();
    fs::remove_dir_all(home.path().join("run")).unwrap();
    supervisor.signal(Signal::KILL);
    let doctor = |home: &Home| {
        let ran = home.run(["doctor", "--json"]);
        let found = parsed(&ran.out)["checks"].as_array().unwrap().clone();
        // While one is starting, it is the socket that is amiss.
        found.into_iter().find(|check| check["name"] == "supervisor").unwrap_or_default()
    };
    let deadline = Instant::now() + PATIENCE;
    let pausing = loop {
        let found = doctor(&home);
        if found["message"].as_str().is_some_and(|said| said.contains("about to start")) {
            break found;
        }
        assert!(Instant::now() < deadline, "the keeper never pauses: {found}");
    };
    assert_eq!(pausing["state"], "warn", "{pausing}");
    for (line, follower) in followers {
        let ran = follower.rest();
        assert_eq!(
            (ran.code, ran.error()["kind"].as_str()),
            (1, Some("start-failed")),
            "{line}: {ran:?}"
        );
    }
    assert!(program.is_alive());
    let instance = Instance::alive(&place(&home).instance_lock()).unwrap().unwrap();
    assert!(instance.given_up.is_some(), "{instance:?}");
    assert_eq!(fs::read(&database).unwrap(), b"no database", "nothing is overwritten");
    let given_up = loop {
        // One that somebody asked for has to fail first.
        let found = doctor(&home);
        if found["state"] == "fail" {
            break found;
        }
    };
    assert!(given_up["message"].as_str().unwrap().contains("10 times"), "{given_up}");
    assert!(given_up["hint"].as_str().unwrap().contains("supervisor.log"), "{given_up}");
    fs::write(&database, sound).unwrap();
    home.ok("send x --enter");
    assert_eq!(home.run(["wait", "x", "--timeout", "20s"]).code, 3);
}

#[test]
fn the_status_of_what_runs_is_told_and_not_looked_up() {
    let home = Home::new();
    home.start("x", "read go; exit 3");
    let id = id_of(&home, "x");
    // With another condition, its viewer can be seen from here.
    let words = ["wait", "x", "--status", "failed", "--idle", "1h", "--json"];
    let command = home.command(words);
    let waiting = std::thread::spawn(move || finished(command, b""));
    until_watched(&home, "x", 1);
    // Whoever looks into the store meanwhile fails.
    let (database, aside) = (home.data().join("session.db"), home.data().join("aside"));
    fs::rename(&database, &aside).unwrap();
    let client = Client::connect(&place(&home)).unwrap().unwrap();
    let viewer = ViewerSpec { read_only: true, feed: Feed::Events, ..ViewerSpec::default() };
    let mut stream = client.attach(id, viewer).unwrap();
    let beyond_a_poll = Duration::from_millis(1200);
    let until = Instant::now() + beyond_a_poll;
    while let Some(event) =
        stream.next(Some(until.saturating_duration_since(Instant::now()))).unwrap()
    {
        assert!(matches!(event, StreamEvent::Resized(_)), "{event:?}");
    }
    assert!(!waiting.is_finished());
    fs::rename(&aside, &database).unwrap();
    home.ok("send x --enter");
    let ran = waiting.join().unwrap();
    assert_eq!((ran.code, parsed(&ran.out)["match"].as_str()), (0, Some("failed")), "{ran:?}");
}
