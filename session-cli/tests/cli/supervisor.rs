//! The process that holds the terminals: begun when needed, one for each store, trusted only where it is safe.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use session_core::{ErrorKind, SessionId};
use session_pty::client::Typing;
use session_pty::{Client, Place};

use crate::home::{Home, PATIENCE};

/// Ends by nothing but a kill.
const STUBBORN: &str = "trap '' HUP TERM; echo ready; while :; do read go; done";

fn place(home: &Home) -> Place {
    Place::new(home.data(), home.path().join("run"), "sqlite")
}

fn client(home: &Home) -> Client {
    Client::connect(&place(home)).unwrap().unwrap()
}

fn id_of(home: &Home, name: &str) -> SessionId {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().parse().unwrap()
}

/// A frame as PROTOCOL.md has it.
fn frame(kind: u8, payload: &str) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[kind][..], &len, payload.as_bytes()].concat()
}

/// What comes next on the connection.
fn next_frame(stream: &mut UnixStream) -> (u8, String) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload).unwrap();
    (head[0], String::from_utf8(payload).unwrap())
}

/// A connection on which nothing was said yet.
fn raw(home: &Home) -> UnixStream {
    let stream = UnixStream::connect(home.path().join("run/supervisor.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection that has said hello.
fn greeted(home: &Home) -> UnixStream {
    let mut stream = raw(home);
    let store = serde_json::json!({"kind": "sqlite", "data_dir": home.data()});
    let hello = serde_json::json!({"protocol": 1, "version": "test", "store": store});
    stream.write_all(&frame(0x01, &hello.to_string())).unwrap();
    assert_eq!(next_frame(&mut stream).0, 0x01);
    stream
}

#[test]
fn what_a_killed_supervisor_held_is_lost_and_its_name_is_free() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        home.start("x", "read go");
        home.kill_supervisor_and_keeper();
        let shown = home.json("show x")["session"].clone();
        assert_eq!(
            (shown["process"]["state"].as_str(), shown["status"].as_str()),
            (Some("lost"), Some("failed"))
        );
        assert!(shown["live"].is_null());
        assert_eq!(home.json("list")["sessions"][0]["process"]["state"], "lost");
        assert!(home.ok("list").contains("\tlost\t"));
        assert_eq!(home.json("supervisor status")["running"], false);
        assert_eq!(home.run(["wait", "x"]).code, 1);
        assert_eq!(home.run(["send", "x", "text"]).code, 5);
        home.start("x", "read go");
        let sessions = home.json("list --all")["sessions"].as_array().unwrap().clone();
        assert_eq!(sessions.len(), 2, "{sessions:?}");

        // A writer that needs no supervisor records it as well.
        home.kill_supervisor_and_keeper();
        home.ok("create x");
        home.ok("rm x");
    }
}

#[test]
fn a_supervisor_says_what_it_is_and_ends_when_told() {
    let home = Home::new();
    let none = home.json("supervisor status");
    assert_eq!(none, serde_json::json!({"schema_version": 1, "running": false}));
    assert_eq!(home.run(["supervisor", "stop"]).code, 0, "none is as good as ended");
    home.start("x", "read go");
    let status = home.json("supervisor status");
    assert_eq!((status["running"].as_bool(), status["sessions"].as_i64()), (Some(true), Some(1)));
    assert_eq!(status["store"]["kind"], "sqlite");
    assert!(status["keeper_pid"].is_i64() && status["started_at"].is_string(), "{status}");
    let ran = home.run(["supervisor", "stop", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("still-running")));
    home.ok("supervisor stop --force");
    assert_eq!(home.json("supervisor status")["running"], false);
    let session = home.json("show x")["session"].clone();
    assert_eq!(
        session["process"]["state"], "exited",
        "its end was recorded before the stop returned"
    );
}

#[test]
fn a_supervisor_of_another_store_is_refused() {
    let mut home = Home::new();
    home.start("x", "read go");
    let first = home.data();
    home.set("SESSION_DATA_DIR", home.path().join("other").to_str().unwrap());
    let ran = home.run(["new", "y", "-d", "--json", "--", "sh"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("wrong-store")), "{ran:?}");
    let ran = home.run(["list"]);
    assert_eq!(ran.code, 0, "a listing needs no supervisor: {ran:?}");
    home.ok("create y");
    let ran = home.run(["supervisor", "stop", "--force", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("wrong-store")));
    home.set("SESSION_DATA_DIR", first.to_str().unwrap());
    assert_eq!(home.json("show x")["session"]["process"]["state"], "running");
}

#[test]
fn two_stores_without_a_given_runtime_directory_have_two_supervisors() {
    let mut home = Home::new();
    home.unset("SESSION_RUNTIME_DIR");
    home.set("TMPDIR", home.path().to_str().unwrap());
    home.start("x", "read go");
    let first = home.json("supervisor status");
    assert!(
        first["socket"].as_str().unwrap().starts_with(home.path().to_str().unwrap()),
        "{first}"
    );
    let other = home.path().join("other");
    let other = ["--store", "jsonl", "--data-dir", other.to_str().unwrap()].join(" ");
    home.ok(&format!("new x -d {other} -- cat"));
    let second = home.json(&format!("supervisor status {other}"));
    assert_ne!(first["socket"], second["socket"]);
    home.ok(&format!("supervisor stop --force {other}"));
    assert_eq!(home.json("show x")["session"]["process"]["state"], "running");
}

#[test]
fn a_runtime_directory_that_others_can_write_is_refused() {
    let home = Home::new();
    let run = home.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = home.run(["new", "x", "-d", "--json", "--", "sh"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (1, Some("refused")), "{ran:?}");
    assert!(ran.error()["hint"].as_str().unwrap().contains("chmod 700"), "{ran:?}");
    assert_eq!(home.run(["list"]).code, 0);
    assert_eq!(home.run(["doctor"]).code, 1);
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
    home.start("x", "read go");
}

#[test]
fn what_is_made_is_for_its_user_alone() {
    let home = Home::new();
    home.start("x", "echo out");
    home.run(["wait", "x"]);
    let mode =
        |path: &str| fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("run"), mode("data/output")), (0o700, 0o700, 0o700));
    assert_eq!(
        (mode("data/session.db"), mode("run/supervisor.sock"), mode("run/supervisor.log")),
        (0o600, 0o600, 0o600)
    );
}

#[test]
fn a_supervisor_that_listens_elsewhere_is_named() {
    let mut home = Home::new();
    home.start("x", "read go");
    let run = home.path().join("run").to_str().unwrap().to_owned();
    home.set("SESSION_RUNTIME_DIR", home.path().join("elsewhere").to_str().unwrap());
    let ran = home.run(["send", "x", "text", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (1, Some("gone")), "{ran:?}");
    assert!(ran.error()["hint"].as_str().unwrap().contains(&run), "{ran:?}");
    assert_eq!(home.json("show x")["session"]["process"]["state"], "running", "it is not lost");
    assert_eq!(home.run(["doctor"]).code, 1);
    home.set("SESSION_RUNTIME_DIR", &run);
}

#[test]
fn events_come_over_the_wire_as_documented() {
    let home = Home::new();
    home.start("x", "read go; exit 7");
    let x = id_of(&home, "x");
    let mut stream = greeted(&home);
    let mut call = |id: u32, session: &str, cursor: &str, follow: bool| {
        let call = format!(
            r#"{{"id":{id},"call":{{"events":{{"session":{session},"cursor":{cursor},"follow":{follow}}}}}}}"#
        );
        stream.write_all(&frame(0x02, &call)).unwrap();
        let (kind, reply) = next_frame(&mut stream);
        assert_eq!(kind, 0x03);
        serde_json::from_str::<serde_json::Value>(&reply).unwrap()
    };
    let kept = call(1, "null", "null", false)["ok"].clone();
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept}");
    assert_eq!((&kept[0]["type"], &kept[0]["data"]["name"]), (&"created".into(), &"x".into()));
    let refused = call(2, "null", r#""nonsense""#, false)["error"].clone();
    assert_eq!(refused["kind"], "usage");
    assert!(refused["message"].as_str().unwrap().contains("nonsense"), "{refused}");
    // From the last event on, nothing is to be told but the end.
    let (session, cursor) = (format!(r#""{x}""#), kept[0]["cursor"].to_string());
    assert_eq!(call(3, &session, &cursor, true)["ok"], kept[0]["cursor"]);
    home.ok("send x --enter");
    let (kind, event) = next_frame(&mut stream);
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    assert_eq!(
        (kind, &event["type"], &event["session"]),
        (0x27, &"exited".into(), &kept[0]["session"])
    );
    assert_eq!(next_frame(&mut stream), (0x27, String::new()));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "then it closes");
}

#[test]
fn calls_that_wait_long_keep_nobody_else_waiting() {
    let home = Home::new();
    home.start("x", STUBBORN);
    home.ok("wait x --text ready");
    let id = id_of(&home, "x");
    let stop =
        format!(r#"{{"id":1,"call":{{"stop":{{"session":"{id}","grace_ms":{}}}}}}}"#, u64::MAX);
    let stops: Vec<_> = (0..540)
        .map(|_| {
            let mut stream = greeted(&home);
            stream.write_all(&frame(0x02, &stop)).unwrap();
            stream
        })
        .collect();
    let mut client = client(&home);
    assert_eq!(client.live().unwrap().len(), 1);
    assert_eq!(client.status().unwrap().sessions, 1);
    client.screen(id, 10).unwrap();
    home.ok("supervisor stop --force");
    drop(stops);
}

#[test]
fn a_shutdown_returns_when_every_end_is_recorded() {
    let home = Home::new();
    for name in ["x", "y"] {
        home.start(name, STUBBORN);
        home.ok(&format!("wait {name} --text ready"));
    }
    // Somebody who waits for the end hears of it, too.
    let (waiting, id) = (client(&home), id_of(&home, "x"));
    let viewer = session_pty::ViewerSpec { feed: session_pty::Feed::Events, ..Default::default() };
    let mut watched = waiting.attach(id, viewer).unwrap();
    client(&home).shutdown(true).unwrap();
    for name in ["x", "y"] {
        let process = home.json(&format!("show {name}"))["session"]["process"].clone();
        assert_eq!(
            (process["state"].as_str(), process["exit"]["signal"].as_i64()),
            (Some("exited"), Some(9)),
            "{process}"
        );
    }
    while let Some(event) = watched.next(Some(PATIENCE)).unwrap() {
        assert_ne!(event, session_pty::client::StreamEvent::Closed);
        if matches!(event, session_pty::client::StreamEvent::Exited(_)) {
            break;
        }
    }
}

#[test]
fn a_supervisor_that_leaves_starts_nothing() {
    let home = Home::new();
    home.start("x", STUBBORN);
    home.ok("wait x --text ready");
    let session = home.json("show x")["session"].clone();
    let mut early = greeted(&home);
    let mut leaving = greeted(&home);
    leaving.write_all(&frame(0x02, r#"{"id":1,"call":{"shutdown":{"force":true}}}"#)).unwrap();
    assert_eq!(next_frame(&mut leaving).1, r#"{"id":1,"ok":null}"#);
    let call = serde_json::json!({"spawn": {"session": session, "umask": null, "viewer": null}});
    early.write_all(&frame(0x02, &serde_json::json!({"id": 1, "call": call}).to_string())).unwrap();
    let (kind, reply) = next_frame(&mut early);
    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    assert_eq!((kind, reply["error"]["kind"].as_str()), (0x03, Some("busy")), "{reply}");
}

#[test]
fn a_screen_larger_than_a_frame_arrives_whole() {
    let home = Home::new();
    // Each cell with two colours of its own: some forty bytes.
    let script = "awk 'BEGIN { for (y = 0; y < 2100; y++) for (x = 0; x < 300; x++) \
        printf \"\\033[38;2;%d;%d;1%d;48;2;2%d;%d;%dm#\", 100 + x % 99, 100 + y % 99, 10 + x % 80, \
        10 + x % 40, 100 + x % 55, 100 + y % 77 }'; echo; echo ready; read go";
    let words = ["new", "x", "-d", "--size", "300x50", "--", "sh", "-c", script];
    assert_eq!(home.run(words).code, 0);
    home.ok("wait x --text ready");
    let (_, screen) = client(&home).screen(id_of(&home, "x"), 2000).unwrap();
    assert!(screen.len() > 16 << 20, "{} bytes", screen.len());
    assert!(screen.windows(5).rev().take(1 << 20).any(|end| end == b"ready"));
}

#[test]
fn more_than_a_request_may_bring_is_refused() {
    let home = Home::new();
    home.start("x", "stty raw -echo; echo ready; exec cat >/dev/null");
    home.ok("wait x --text ready");
    let (mut client, id) = (client(&home), id_of(&home, "x"));
    client.write(id, &vec![b'x'; 3 << 20], Typing::Keys).unwrap();
    let refused = client.write(id, &vec![b'x'; 17 << 20], Typing::Keys).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    client.write(id, b"x", Typing::Keys).unwrap();
}

#[test]
fn a_client_of_another_protocol_is_told() {
    let home = Home::new();
    home.start("x", "read go");
    let mut stream = raw(&home);
    stream.write_all(&frame(0x01, r#"{"protocol":2,"who":"a client to come"}"#)).unwrap();
    let (kind, reply) = next_frame(&mut stream);
    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    assert_eq!((kind, reply["error"]["kind"].as_str()), (0x03, Some("newer-version")), "{reply}");
}

#[test]
fn a_socket_that_is_gone_is_made_again_and_a_living_one_is_left_alone() {
    let home = Home::new();
    home.start("x", "read go");
    let status = home.json("supervisor status");
    fs::remove_dir_all(home.path().join("run")).unwrap();
    home.start("y", "read go");
    let again = home.json("supervisor status");
    assert_eq!(
        (&again["supervisor_pid"], again["sessions"].as_i64()),
        (&status["supervisor_pid"], Some(2))
    );
}

/// As after a logout.
#[test]
fn every_command_finds_a_supervisor_whose_directory_is_gone() {
    let home = Home::new();
    home.start("x", "echo out; while read -r line; do echo heard:$line; done");
    let status = home.json("supervisor status");
    let run = home.path().join("run");
    for line in [
        "send x hello --enter",
        "screen x",
        "logs x",
        "wait x --text heard:hello --timeout 20s",
        "wait x --idle 1ms --timeout 20s",
        "resize x 90x30",
        "detach x --all",
        "events x",
        "supervisor status",
    ] {
        fs::remove_dir_all(&run).unwrap();
        home.ok(line);
    }
    fs::remove_dir_all(&run).unwrap();
    assert_eq!(home.json("show x")["session"]["live"]["viewers"], 0);
    fs::remove_dir_all(&run).unwrap();
    assert!(home.json("list")["sessions"][0]["live"].is_object());
    let again = home.json("supervisor status");
    assert_eq!(again["supervisor_pid"], status["supervisor_pid"]);
    assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o700);
    let log = fs::read_to_string(run.join("supervisor.log")).unwrap();
    assert!(log.contains("socket"), "it is written where it is found: {log}");
    fs::remove_dir_all(&run).unwrap();
    home.ok("stop x");
    fs::remove_dir_all(&run).unwrap();
    home.ok("supervisor stop");
}

/// The next supervisor does not take what somebody else put there for the socket that it has.
#[test]
fn a_socket_that_was_replaced_is_not_adopted() {
    let home = Home::new();
    home.start("x", "read go");
    let socket = home.path().join("run/supervisor.sock");
    let (supervisor, _) = home.processes();
    supervisor.signal(rustix::process::Signal::STOP);
    fs::rename(&socket, home.path().join("aside")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    supervisor.signal(rustix::process::Signal::KILL);
    supervisor.wait();
    let status = home.json("supervisor status");
    assert_eq!(status["sessions"], 1, "{status}");
    home.ok("stop x");
}
