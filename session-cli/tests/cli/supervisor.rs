//! The process that holds the terminals: begun when needed, one for each store, trusted only where it is safe.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::home::Home;

#[test]
fn what_a_killed_supervisor_held_is_lost_and_its_name_is_free() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        home.start("x", "read go");
        home.kill_supervisor();
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
        home.kill_supervisor();
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
    assert!(status["keeper_pid"].is_null() && status["started_at"].is_string(), "{status}");
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
    assert_eq!(home.json("show x")["session"]["process"]["state"], "running", "it is not lost");
    assert_eq!(home.run(["doctor"]).code, 1);
    home.set("SESSION_RUNTIME_DIR", &run);
}
