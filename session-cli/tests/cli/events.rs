//! What happens to sessions: told once, in order, with nothing missed between two calls.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

use crate::home::{Home, PATIENCE, finished, parsed};

/// A command that follows, and the lines that it prints.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn begin(home: &Home, line: &str) -> Self {
        let mut child = home.command(line.split(' ')).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().try_for_each(|line| sender.send(line.unwrap())));
        Self { child, lines }
    }

    /// The next line, which must come.
    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// What else it prints; it must end well.
    #[track_caller]
    fn rest(mut self) -> Vec<String> {
        let begun = Instant::now();
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end: {rest:?}");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

/// The events that a line prints, which must succeed.
#[track_caller]
fn events(home: &Home, line: &str) -> Vec<Value> {
    home.ok(&format!("{line} --json")).lines().map(parsed).collect()
}

/// Types, and of which session.
fn types(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| {
            (event["type"].as_str().unwrap(), event["session"].as_str().unwrap_or_default())
        })
        .collect()
}

fn id(home: &Home, name: &str) -> String {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_program_that_starts_and_ends_is_told_with_its_exit() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        home.start("holds", "read go");
        home.start("build", "exit 7");
        home.run(["wait", "build"]);
        let events = events(&home, "events build");
        let build = id(&home, "build");
        assert_eq!(types(&events), [("created", &*build), ("exited", &*build)]);
        assert_eq!(events[0]["data"], json!({"name": "build"}));
        assert_eq!(events[1]["data"], json!({"exit": {"code": 7}}));
        for event in &events {
            let members: Vec<_> = event.as_object().unwrap().keys().collect();
            let expected = ["cursor", "data", "schema_version", "session", "time", "type"];
            assert_eq!(members, expected, "{event}");
            assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        }
        let lines = home.ok("events build");
        let fields: Vec<_> =
            lines.lines().map(|line| line.split('\t').collect::<Vec<_>>()).collect();
        assert_eq!(fields[0][1..], ["build", "created", "build"], "{lines}");
        assert_eq!(fields[1][1..], ["build", "exited", "ended with exit code 7"], "{lines}");
        assert_eq!(home.ok("events").lines().count(), 3, "of all, with the one that holds");
    }
}

#[test]
fn nothing_is_missed_between_two_calls() {
    let home = Home::new();
    home.start("holds", "read go");
    let mut cursor = events(&home, "events")[0]["cursor"].as_str().unwrap().to_owned();
    let workers: Vec<_> = (0..3)
        .map(|worker| {
            let commands: Vec<_> = (0..4)
                .map(|round| {
                    let name = format!("w{worker}-{round}");
                    home.command(["new", &*name, "-d", "--", "true"])
                })
                .collect();
            std::thread::spawn(move || {
                for command in commands {
                    assert_eq!(finished(command, b"").code, 0);
                }
            })
        })
        .collect();
    // Call after call while programs start and end, and until each end was told.
    let (mut told, begun) = (Vec::new(), Instant::now());
    while told.len() < 24 {
        assert!(begun.elapsed() < PATIENCE, "{told:?}");
        let fresh = events(&home, &format!("events --cursor {cursor}"));
        if let Some(last) = fresh.last() {
            cursor = last["cursor"].as_str().unwrap().to_owned();
        }
        told.extend(fresh);
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(events(&home, &format!("events --cursor {cursor}")), [] as [Value; 0]);
    let sessions: Vec<_> = types(&told).into_iter().filter(|told| told.0 == "created").collect();
    assert_eq!(sessions.len(), 12, "{told:?}");
    for (_, session) in sessions {
        let of_it: Vec<_> = types(&told).into_iter().filter(|told| told.1 == session).collect();
        assert_eq!(of_it, [("created", session), ("exited", session)]);
    }
    // The whole story is the same as its parts.
    assert_eq!(events(&home, "events")[1..], told);
}

#[test]
fn a_cursor_of_another_supervisor_is_a_gap() {
    let home = Home::new();
    home.start("x", "read go");
    let old = events(&home, "events x")[0]["cursor"].as_str().unwrap().to_owned();
    home.ok("supervisor stop --force");
    home.start("y", "read go");
    let told = events(&home, &format!("events --cursor {old}"));
    assert_eq!(types(&told), [("gap", ""), ("created", &*id(&home, "y"))]);
    assert_eq!((&told[0]["data"], &told[0]["session"]), (&json!({"missed": null}), &Value::Null));
    // From the gap on, nothing is missed.
    let cursor = told[0]["cursor"].as_str().unwrap();
    assert_eq!(events(&home, &format!("events --cursor {cursor}")), told[1..]);
    let of_x = events(&home, &format!("events x --cursor {old}"));
    assert_eq!(types(&of_x), [("gap", &*id(&home, "x"))]);
    assert!(
        home.ok(&format!("events --cursor {old}")).contains("\t-\tgap\tevents may be left out\n")
    );
}

#[test]
fn following_one_ends_with_it() {
    let home = Home::new();
    home.start("x", "read go; exit 3");
    let follow = Following::begin(&home, "events x --follow --json");
    let created = parsed(&follow.line());
    assert_eq!(created["type"], "created");
    home.start("other", "read go");
    home.ok("send x --enter");
    let exited = parsed(&follow.line());
    assert_eq!(
        (&exited["type"], &exited["data"], &exited["session"]),
        (&json!("exited"), &json!({"exit": {"code": 3}}), &created["session"])
    );
    assert_eq!(follow.rest(), [""; 0]);

    // It has ended: there is nothing to wait for, whether its end is still to be told or not.
    assert_eq!(events(&home, "events x --follow"), [created, exited.clone()]);
    let cursor = exited["cursor"].as_str().unwrap();
    assert_eq!(home.ok(&format!("events x --follow --cursor {cursor}")), "");
}

#[test]
fn who_follows_all_hears_the_end_of_everything() {
    let home = Home::new();
    home.start("x", "read go");
    let follow = Following::begin(&home, "events -f");
    assert!(follow.line().ends_with("\tx\tcreated\tx"));
    home.start("y", "read go");
    assert!(follow.line().ends_with("\ty\tcreated\ty"));
    home.ok("supervisor stop --force");
    let rest = follow.rest();
    let ends = |name| {
        let end = format!("\t{name}\texited\twas killed by signal ");
        rest.iter().filter(|line| line.contains(&end)).count()
    };
    assert_eq!((rest.len(), ends("x"), ends("y")), (2, 1, 1), "{rest:?}");
}

#[test]
fn a_cursor_that_is_none_is_named() {
    let home = Home::new();
    for line in ["events --cursor nonsense", "events -f --cursor nonsense"] {
        let ran = home.run(line.split(' ').chain(["--json"]));
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (2, Some("usage")), "{ran:?}");
        assert!(ran.error()["message"].as_str().unwrap().contains("nonsense"), "{ran:?}");
    }
    home.start("x", "read go");
    let cursor = events(&home, "events")[0]["cursor"].as_str().unwrap().to_owned();
    let (epoch, _) = cursor.split_once('.').unwrap();
    let ahead = format!("{epoch}.99");
    for how in ["--quiet", "-f"] {
        let ran = home.run(["events", "--json", "--cursor", &ahead, how]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (2, Some("usage")), "{ran:?}");
        assert!(ran.error()["message"].as_str().unwrap().contains(&ahead), "{ran:?}");
    }
}

#[test]
fn without_a_supervisor_nothing_happens_and_none_is_started() {
    let home = Home::new();
    let before = home.files();
    assert_eq!(home.ok("events"), "");
    let ran = home.run(["events", "-f", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("not-running")), "{ran:?}");
    assert!(ran.error()["hint"].as_str().unwrap().contains("session new"), "{ran:?}");
    assert_eq!(home.files(), before);
    home.ok("create plain");
    assert_eq!(home.ok("events plain"), "");
    assert_eq!(home.run(["events", "plain", "-f"]).code, 5);
    assert_eq!(home.run(["events", "nobody"]).code, 3);
    assert_eq!(home.json("supervisor status")["running"], false);
}

#[test]
fn inside_a_session_it_is_the_one_that_is_meant() {
    let mut home = Home::new();
    home.start("x", "read go");
    home.start("y", "read go");
    let x = id(&home, "x");
    home.set("SESSION_ID", &x);
    assert_eq!(types(&events(&home, "events")), [("created", &*x)]);
    assert_eq!(types(&events(&home, "events y")), [("created", &*id(&home, "y"))]);
    assert_eq!(events(&home, "events --all").len(), 2);
    assert_eq!(home.run(["events", "--all", "-S", "x"]).code, 2);
    assert_eq!(home.run(["events", "--all", "x"]).code, 2);
}
