//! Waiting for things to happen.

use crate::home::{Home, finished, parsed};

#[test]
fn text_that_is_there_counts_and_text_to_come_is_waited_for() {
    let home = Home::new();
    home.start("x", "echo first; read go; echo second; read go");
    let there = home.json("wait x --text fi.st");
    assert_eq!(
        (there["condition"].as_str(), there["match"].as_str()),
        (Some("text"), Some("first"))
    );
    let command = home.command(["wait", "x", "--text", "second", "--json"]);
    let waiting = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    let ran = waiting.join().unwrap();
    assert_eq!((ran.code, parsed(&ran.out)["match"].as_str()), (0, Some("second")));
}

#[test]
fn text_on_a_full_screen_is_seen_although_it_is_no_line() {
    let home = Home::new();
    home.start(
        "x",
        r"printf '\033[?1049h\033[5;5HR-A-Y'; read go; printf '\033[5;6HE\033[5;8HD'; read go",
    );
    home.ok("wait x --text R-A-Y");
    let command = home.command(["wait", "x", "--text", "READY"]);
    let waiting = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    assert_eq!(waiting.join().unwrap().code, 0);
}

#[test]
fn text_that_scrolls_by_is_not_missed() {
    let home = Home::new();
    home.start(
        "x",
        "read go; echo needle; i=0; while [ $i -lt 5000 ]; do echo hay; i=$((i+1)); done; read go",
    );
    let command = home.command(["wait", "x", "--text", "^needle$"]);
    let waiting = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    assert_eq!(waiting.join().unwrap().code, 0);
}

#[test]
fn a_program_that_ends_before_the_text_comes_is_a_wrong_state() {
    let home = Home::new();
    home.start("x", "read go; echo something; exit 3");
    let command = home.command(["wait", "x", "--text", "never", "--json"]);
    let waiting = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    let ran = waiting.join().unwrap();
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("not-running")), "{ran:?}");
    assert_eq!(home.run(["wait", "x", "--text", "never"]).code, 5);
    assert_eq!(home.run(["wait", "x", "--text", "something"]).code, 0);
    let ran = home.run(["wait", "x", "--text", "never", "--exit", "--json"]);
    assert_eq!((ran.code, parsed(&ran.out)["exit"]["code"].as_i64()), (3, Some(3)));
}

#[test]
fn a_wait_has_a_limit() {
    let home = Home::new();
    home.start("x", "read go");
    for condition in ["--exit", "--text=never", "--idle=1h", "--status=failed"] {
        let ran = home.run(["wait", "x", condition, "--timeout", "50ms", "--json"]);
        assert_eq!(
            (ran.code, ran.error()["kind"].as_str()),
            (124, Some("timeout")),
            "{condition} {ran:?}"
        );
        assert_eq!(ran.error()["retryable"], true);
    }
}

#[test]
fn a_limit_holds_for_a_program_that_never_pauses() {
    let home = Home::new();
    home.start("x", "while :; do echo flood; done");
    let ran = home.run(["wait", "x", "--text", "never", "--timeout", "200ms"]);
    assert_eq!(ran.code, 124, "{ran:?}");
    let ran = home.run(["wait", "x", "--idle", "10s", "--timeout", "200ms"]);
    assert_eq!(ran.code, 124, "{ran:?}");
    home.ok("stop x --force");
}

#[test]
fn quiet_is_a_condition() {
    let home = Home::new();
    home.start("x", "echo out; read go");
    let idle = home.json("wait x --idle 50ms");
    assert_eq!(idle["condition"], "idle");
    assert_eq!(idle["exit"], serde_json::Value::Null);
}

#[test]
fn a_status_is_a_condition() {
    let home = Home::new();
    home.start("x", "read go");
    assert_eq!(home.json("wait x --status running")["condition"], "status");
    let command = home.command(["wait", "x", "--status", "completed,failed", "--json"]);
    let waiting = std::thread::spawn(move || finished(command, b""));
    home.ok("send x --enter");
    let ran = waiting.join().unwrap();
    assert_eq!((ran.code, parsed(&ran.out)["match"].as_str()), (0, Some("completed")));

    home.ok("create plain");
    assert_eq!(home.run(["wait", "plain"]).code, 5);
    assert_eq!(home.run(["wait", "plain", "--status", "pending"]).code, 0);
    assert_eq!(home.run(["wait", "plain", "--status", "closed", "--timeout", "10ms"]).code, 124);
}

#[test]
fn a_killed_program_ends_the_wait_as_a_shell_would() {
    let home = Home::new();
    home.start("x", "kill -9 $$");
    let ran = home.run(["wait", "x", "--json"]);
    assert_eq!((ran.code, parsed(&ran.out)["exit"]["signal"].as_i64()), (137, Some(9)));
}
