//! What a program finds inside a session: the surroundings of whoever started it, and of nobody before.

use crate::home::Home;

#[test]
fn environment_directory_and_mask_are_the_callers_own() {
    let mut home = Home::new();
    home.set("WHO", "first");
    home.set("GONE", "still there");
    home.start("keeps-the-supervisor", "read go");

    home.set("WHO", "second");
    home.unset("GONE");
    let directory = home.path().join("elsewhere");
    std::fs::create_dir(&directory).unwrap();
    let script = "echo who=$WHO gone=${GONE-none} added=$ADDED mask=$(umask); pwd; echo $SESSION_NAME $SESSION_ID; cat /proc/self/environ | tr '\\0' '\\n' | grep -c ^SESSION_ID=";
    let program = env!("CARGO_BIN_EXE_session");
    let line = format!("umask 027; exec {program} new x -d --env ADDED=1 -- sh -c \"$SCRIPT\"");
    let mut command = home.command(["unused"]);
    let mut shell = std::process::Command::new("sh");
    shell
        .arg("-c")
        .arg(line)
        .env_clear()
        .envs(home.variables())
        .env("SCRIPT", script)
        .env("SESSION_ID", "outer");
    shell
        .current_dir(&directory)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    std::mem::swap(&mut command, &mut shell);
    let ran = crate::home::finished(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(home.run(["wait", "x"]).code, 0);

    let logs = home.ok("logs x");
    let id = home.json("show x")["session"]["id"].as_str().unwrap().to_owned();
    let lines: Vec<_> = logs.lines().collect();
    assert_eq!(lines[0], "who=second gone=none added=1 mask=0027");
    assert_eq!(lines[1], directory.to_str().unwrap());
    assert_eq!(lines[2], format!("x {id}"));
    assert_eq!(lines[3], "1");

    let session = home.json("show x")["session"].clone();
    assert_eq!(session["launch"]["workdir"], directory.to_str().unwrap());
    assert_eq!(session["launch"]["env"], serde_json::json!({"ADDED": null}), "names only");
    assert!(session["parent"].is_null());
    assert!(!home.ok("show x").contains("ADDED=1"));
}

#[test]
fn the_shell_is_the_default() {
    let mut home = Home::new();
    home.ok("new a -d");
    assert_eq!(home.json("show a")["session"]["launch"]["argv"], serde_json::json!(["/bin/sh"]));
    home.unset("SHELL");
    home.ok("new b -d");
    assert_eq!(home.json("show b")["session"]["launch"]["argv"], serde_json::json!(["/bin/sh"]));
}

#[test]
fn a_session_is_not_shown_inside_itself() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_session");
    home.start("x", &format!("{program} attach x; echo code=$?; {program} show --json; read go"));
    home.ok("wait x --text code=1");
    home.ok("wait x --text schema_version");
    assert!(home.ok("logs x").contains("cannot be shown inside itself"));
}

#[test]
fn signals_that_the_first_caller_ignores_end_programs_all_the_same() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_session");
    let line = format!(
        "trap '' HUP INT QUIT TSTP TTOU USR1 USR2 CHLD; exec {program} new x -d -- grep SigIgn /proc/self/status"
    );
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(line).env_clear().envs(home.variables());
    shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ran = crate::home::finished(shell, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(home.run(["wait", "x"]).code, 0);
    let line = home.ok("logs x");
    let ignored = u64::from_str_radix(line.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    // Above the first 31 are those that the C library keeps for itself.
    assert_eq!(ignored & 0x7fff_ffff, 0, "{line}");
}
