//! Programs in sessions: begun in the background, waited for, looked at, ended.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::home::{Home, finished, parsed};

#[test]
fn a_program_leaves_its_output_and_its_code_also_after_the_supervisor_is_gone() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        home.start("build", "read go; for i in 1 2 3; do echo line $i; done; exit 7");
        assert_eq!(home.json("show build")["session"]["process"]["state"], "running");
        home.ok("send build --enter");
        let waited = home.run(["wait", "build", "--exit"]);
        assert_eq!(waited.code, 7, "{waited:?}");
        assert_eq!(waited.out, "exit\tended with exit code 7\n");

        let look = || {
            let logs = home.ok("logs build");
            assert!(logs.contains("line 1\nline 2\nline 3\n"), "{logs}");
            assert_eq!(home.ok("logs build --lines 1"), "line 3\n");
            assert!(home.ok("screen build").contains("line 2"));
            let session = home.json("show build")["session"].clone();
            assert_eq!(session["process"]["exit"]["code"], 7);
            assert_eq!(session["status"], "failed");
            assert_eq!(session["live"], serde_json::Value::Null);
        };
        look();
        home.ok("supervisor stop");
        assert_eq!(home.json("supervisor status")["running"], false);
        look();
        home.start("other", "read go");
        look();
        assert_eq!(home.run(["wait", "build"]).code, 7);
    }
}

#[test]
fn new_in_the_background_prints_name_and_id() {
    let home = Home::new();
    let out = home.run(["new", "-d", "--", "sh", "-c", "read go"]).out;
    let (name, id) = out.trim_end().split_once('\t').unwrap();
    assert!(name.contains('-') && id.len() == 26, "{out}");
    let shown = home.json(&format!("show {id}"))["session"].clone();
    assert_eq!(shown["name"], name);
    assert_eq!(shown["live"]["viewers"], 0);
    assert_eq!(shown["live"]["activity"], "unknown");

    let ran = home
        .run(["new", "second", "-d", "--json", "--label", "team=web", "--", "sh", "-c", "read go"]);
    let session = parsed(&ran.out)["session"].clone();
    assert_eq!(session["labels"]["team"], "web");
    assert_eq!(session["launch"]["argv"][2], "read go");
    assert_eq!(session["process"]["state"], "running");
}

#[test]
fn a_held_name_is_refused_and_a_released_one_is_free() {
    let home = Home::new();
    home.start("x", "read go");
    let again = home.run(["new", "x", "-d", "--json", "--", "sh", "-c", "read go"]);
    assert_eq!((again.code, again.error()["kind"].as_str()), (4, Some("exists")), "{again:?}");
    let first = home.json("show x")["session"]["id"].clone();
    home.ok("stop x");
    home.start("x", "read go");
    assert_ne!(home.json("show x")["session"]["id"], first);
    assert_eq!(home.json(&format!("show {}", first.as_str().unwrap()))["session"]["name"], "x");
}

#[test]
fn a_program_that_is_not_found_leaves_nothing_behind() {
    let home = Home::new();
    for words in [
        &["new", "x", "-d", "--json", "--", "no-such-program"][..],
        &["new", "x", "--", "no-such-program"],
    ] {
        let ran = home.run(words);
        assert_eq!(ran.code, 127, "{ran:?}");
        assert!(ran.err.contains("no-such-program"), "{ran:?}");
    }
    assert_eq!(home.json("list --all")["sessions"].as_array().unwrap().len(), 0);
    home.start("x", "read go");
}

#[test]
fn stop_waits_for_the_end_and_tries_all() {
    let home = Home::new();
    home.start("a", "read go");
    home.start("b", "read go");
    let ran = home.run(["stop", "a", "nobody", "b", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (3, Some("not-found")));
    let report = parsed(&ran.out);
    let stopped: Vec<_> =
        report["stopped"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(stopped, ["a", "b"]);
    assert!(report["stopped"][0]["exit"]["signal"].is_i64(), "{report}");
    assert_eq!(report["failed"][0]["id"], "nobody");
    assert_eq!(report["failed"][0]["error"]["kind"], "not-found");
    assert_eq!(home.run(["stop", "a"]).code, 5);
    assert_eq!(home.json("stop --all")["stopped"].as_array().unwrap().len(), 0);
}

#[test]
fn a_program_that_ignores_everything_is_killed() {
    let home = Home::new();
    home.start("stubborn", "trap '' HUP TERM; echo ready; while :; do read go; done");
    home.ok("wait stubborn --text ready");
    let forced = home.json("stop stubborn --force");
    assert_eq!(forced["stopped"][0]["exit"]["signal"], 9);

    home.start("firm", "trap '' HUP TERM; echo ready; while :; do read go; done");
    home.ok("wait firm --text ready");
    assert_eq!(home.json("stop --all --timeout 100ms")["stopped"][0]["exit"]["signal"], 9);
}

#[test]
fn a_child_of_the_same_tool_is_used_again() {
    let mut home = Home::new();
    let tool = home.path().join("bin");
    std::fs::create_dir(&tool).unwrap();
    let script = tool.join("mytool");
    std::fs::write(&script, "#!/bin/sh\nread go\n").unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    home.set("PATH", &path);

    home.start("parent", "read go");
    let line = "new -d --parent parent --tool mytool --reuse";
    let first = home.json(line)["session"].clone();
    assert_eq!(first["launch"]["tool"], "mytool");
    assert_eq!(first["launch"]["argv"][0], "mytool");
    assert_eq!(home.json(line)["session"]["id"], first["id"]);
    let children = home.json("list --parent parent --tool mytool");
    assert_eq!(children["sessions"].as_array().unwrap().len(), 1);
    home.ok(&format!("stop {}", first["id"].as_str().unwrap()));
    assert_ne!(home.json(line)["session"]["id"], first["id"]);

    let ran = home.run(["new", "-d", "--tool", "not-a-tool", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (3, Some("tool-not-found")));
    assert_eq!(home.run(["new", "-d", "--reuse"]).code, 2);
}

#[test]
fn a_followed_log_ends_with_the_program() {
    let home = Home::new();
    home.start("x", "echo old; read go; echo new; printf unfinished");
    home.ok("wait x --text old");
    let command = home.command(["logs", "x", "--follow"]);
    let follow = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    let ran = follow.join().unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["old", "new", "unfinished"]);
    assert!(home.ok("logs x --raw").contains("old\r\n"));
    let kept = home.json("logs x --lines 2");
    assert_eq!(kept["lines"], serde_json::json!(["new", "unfinished"]));
    let followed = home.ok("logs x --follow --json");
    assert_eq!(
        followed.lines().count(),
        1,
        "it has ended, so there is nothing to follow: {followed}"
    );
}

#[test]
fn a_resized_terminal_tells_its_program() {
    let home = Home::new();
    let ran = home.run([
        "new",
        "x",
        "-d",
        "--size",
        "90x20",
        "--",
        "sh",
        "-c",
        "trap 'stty size' WINCH; stty size; while :; do read go; done",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    home.ok("wait x --text ^20.90$");
    assert_eq!(home.json("screen x --format json")["screen"]["cols"], 90);
    home.ok("resize x 100x30");
    // The shell runs its trap once the read is over.
    home.ok("send x --enter");
    home.ok("wait x --text ^30.100$");
    assert_eq!(home.json("screen x")["screen"]["rows"], 30);
}
