//! What cannot be done: the kind, the exit code, one line, a hint, and nothing left behind.

use crate::home::{Home, Ran, STORES};

#[track_caller]
fn refused(ran: &Ran, code: i32, kind: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.error()["kind"], kind, "{ran:?}");
    assert!(ran.out.is_empty(), "{ran:?}");
}

#[test]
fn a_bad_name_is_refused_with_a_reason_and_a_suggestion() {
    let home = Home::new();
    for command in
        [&["new", "my build!", "-d"][..], &["create", "my build!"], &["attach", "my build!"]]
    {
        let ran = home.run(command);
        assert_eq!(ran.code, 2, "{ran:?}");
        let lines: Vec<_> = ran.err.lines().collect();
        assert!(lines[0].starts_with("error: ") && lines[0].contains("' '"), "{ran:?}");
        assert!(lines[1].starts_with("hint: ") && lines[1].contains("my-build"), "{ran:?}");
        assert_eq!(lines.len(), 2, "{ran:?}");
    }
    refused(&home.run(["new", "my build!", "-d", "--json"]), 2, "invalid-name");
    refused(&home.run(["create", "", "--json"]), 2, "invalid-name");
    refused(&home.run(["create", "01JD0000000000000000000000", "--json"]), 2, "invalid-name");
    assert_eq!(home.json("list --all")["sessions"].as_array().unwrap().len(), 0);
}

#[test]
fn a_name_cannot_reach_the_terminal_raw() {
    let home = Home::new();
    let ran = home.run(["new", "a\x1b]0;title\x07b", "-d"]);
    assert_eq!(ran.code, 2);
    assert!(!ran.err.contains('\x1b') && !ran.err.contains('\x07'), "{ran:?}");
    home.ok("create x");
    assert_eq!(home.run(["edit", "x", "--title", "a\x1b[2Jb"]).code, 0);
    for line in ["show x", "list --all"] {
        assert!(!home.ok(line).contains('\x1b'), "{line}");
    }
    assert_eq!(home.json("show x")["session"]["title"], "a\x1b[2Jb");
}

#[test]
fn a_directory_that_is_not_there_is_refused() {
    let home = Home::new();
    let words = ["new", "x", "-d", "--json", "--workdir", "/no/such/directory", "--", "sh"];
    refused(&home.run(words), 2, "invalid-workdir");
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let words = ["new", "x", "-d", "--json", "--workdir", file.to_str().unwrap(), "--", "sh"];
    refused(&home.run(words), 2, "invalid-workdir");
    assert_eq!(home.json("list --all")["sessions"].as_array().unwrap().len(), 0);
}

#[test]
fn nothing_to_act_on_is_told_apart() {
    let mut home = Home::new();
    refused(&home.run(["show", "--json"]), 3, "no-session");
    refused(&home.run(["show", "nobody", "--json"]), 3, "not-found");
    home.ok("create one");
    home.ok("create two");
    let id = home.json("show one")["session"]["id"].as_str().unwrap().to_owned();
    home.set("SESSION_ID", &id);
    assert_eq!(home.json("show")["session"]["name"], "one");
    assert_eq!(home.json("show -S two")["session"]["name"], "two");
    refused(&home.run(["show", "nobody", "--json"]), 3, "not-found");
    refused(&home.run(["show", "-S", "nobody", "--json"]), 3, "not-found");
    refused(&home.run(["show", "one", "-S", "two", "--json"]), 2, "usage");
    home.set("SESSION_ID", "01JD0000000000000000000000");
    let ran = home.run(["show", "--json"]);
    refused(&ran, 3, "not-found");
    assert!(ran.error()["hint"].as_str().unwrap().contains("SESSION_ID"), "{ran:?}");
}

#[test]
fn several_candidates_are_listed() {
    let home = Home::new();
    home.ok("create one");
    home.ok("create two");
    let id = home.json("show one")["session"]["id"].as_str().unwrap().to_owned();
    // Ids of the same hour begin alike.
    let ran = home.run(["show", &id[..6], "--json"]);
    refused(&ran, 4, "ambiguous");
    assert!(ran.error()["message"].as_str().unwrap().contains("two"), "{ran:?}");
    assert_eq!(home.json(&format!("show {}", &id[18..]))["session"]["name"], "one");
}

#[test]
fn what_makes_no_sense_is_usage() {
    let home = Home::new();
    for line in [
        "nonsense",
        "new --nonsense",
        "wait x --idle 5",
        "wait x --text (",
        "resize x 0x0",
        "list --status odd",
        "list --sort odd",
        "label x",
        "label x =",
        "stop",
        "rm",
        "rm x --yes",
        "rm x --dry-run",
        "rm x --all",
        "attach x --json -- sh",
        "new x --json -- sh",
        "list --limit 0",
        "list --cursor odd",
        "send x",
        "new x -d --env =v",
        "supervisor",
        "list -q -v",
        "attach -- sh",
        "logs x --raw",
        "create --ttl 0s",
        "man nonsense",
    ] {
        let mut words: Vec<_> = line.split(' ').collect();
        if !words.contains(&"--json") {
            words.insert(0, "--json");
        }
        refused(&home.run(words), 2, "usage");
    }
}

#[test]
fn an_expired_session_is_a_wrong_state_and_gives_its_name_up() {
    let home = Home::new();
    home.ok("create brief --ttl 1ms");
    let shown = home.json("show brief")["session"].clone();
    assert_eq!(shown["status"], "expired");
    refused(&home.run(["send", "brief", "text", "--json"]), 5, "expired");
    refused(
        &home.run(["attach", "brief", "--no-create"].into_iter().chain(["--quiet"])).quiet(),
        5,
        "expired",
    );
    home.ok("create brief");
    let first = shown["id"].as_str().unwrap();
    assert_eq!(home.json(&format!("show {first}"))["session"]["status"], "expired");
}

impl Ran {
    /// As if the error had been asked for as JSON, for commands that have no JSON form.
    fn quiet(self) -> Self {
        let kind = if self.err.contains("has expired") { "expired" } else { "other" };
        let object = serde_json::json!({"schema_version": 1, "error": {"kind": kind}});
        Self { err: object.to_string(), ..self }
    }
}

#[test]
fn a_full_disk_is_told_and_what_was_stored_stays() {
    let home = Home::with_store("jsonl");
    home.ok("create before");
    // A limit on the size of files is as near as one comes to a full disk without privileges.
    let program = env!("CARGO_BIN_EXE_session");
    let script = format!("trap '' XFSZ; ulimit -f 0; exec {program} create after --json");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).env_clear().envs(home.variables());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    refused(&crate::home::finished(command, b""), 1, "disk-full");
    let names = home.json("list --all")["sessions"].as_array().unwrap().len();
    assert_eq!((names, home.run(["show", "after"]).code), (1, 3));
    home.ok("create after");
}

#[test]
fn nobody_who_reads_is_no_failure() {
    let home = Home::new();
    home.ok("create x");
    let mut child = home.command(["list", "--all"]).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn words_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = Home::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    let words = ["new", "x", "-d", "--json", "--", "echo"].map(std::ffi::OsStr::new);
    refused(&home.run(words.into_iter().chain([odd])), 2, "usage");
    let words = ["new", "x", "-d", "--json", "--workdir"].map(std::ffi::OsStr::new);
    let directory = home.path().join(odd);
    std::fs::create_dir(&directory).unwrap();
    refused(&home.run(words.into_iter().chain([directory.as_os_str()])), 2, "invalid-workdir");
}

#[test]
fn a_store_that_is_none_is_refused_untouched() {
    let home = Home::new();
    std::fs::create_dir(home.data()).unwrap();
    let file = home.data().join("session.db");
    std::fs::write(&file, "this is no database, and somebody may want to keep it\n".repeat(50))
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    refused(&home.run(["list", "--json"]), 6, "corrupt");
    refused(&home.run(["create", "x", "--json"]), 6, "corrupt");
    refused(&home.run(["new", "x", "-d", "--json", "--", "sh"]), 6, "corrupt");
    assert_eq!(home.run(["doctor"]).code, 1);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_broken_configuration_is_told_by_line_and_column() {
    let mut home = Home::new();
    let config = home.path().join("config.toml");
    std::fs::write(&config, "store = 'sqlite'\ndetach_key = \n").unwrap();
    home.set("SESSION_CONFIG", config.to_str().unwrap());
    let ran = home.run(["list", "--json"]);
    refused(&ran, 2, "usage");
    assert!(ran.error()["message"].as_str().unwrap().contains("config.toml:2:14"), "{ran:?}");
    std::fs::write(&config, "detach_key = 'Enter'\n").unwrap();
    assert!(home.run(["list"]).err.contains("detach_key"));
}

#[test]
fn every_refusal_names_the_thing_and_what_to_do() {
    for store in STORES {
        let mut home = Home::with_store(store);
        home.ok("create a");
        home.ok("create b");
        home.ok("rm b");
        let told = |words: &[&str], code: i32, message: &str, hint: &str| {
            let ran = home.run(words.iter().copied().chain(["--json"]));
            let error = ran.error();
            assert_eq!(ran.code, code, "{words:?}: {ran:?}");
            assert!(error["message"].as_str().unwrap().contains(message), "{words:?}: {ran:?}");
            let advice = error["hint"].as_str().unwrap_or_default();
            assert!(advice.contains(hint), "{words:?}: {ran:?}");
        };
        told(&["show", "b"], 3, "no session b", "session trash restore 01");
        told(&["rm", "b"], 3, "no session b", "session trash restore 01");
        told(&["export", "a", "-o", "no/such/x"], 1, "no/such/x", "check the path");
        told(&["export", "a", "-o", ".", "--force"], 4, "is a directory", "choose a file");
        told(&["store", "backup", "no/such/x"], 1, "/no/such", "make it first");
        told(&["message", "add", "a", "--role", "user"], 3, "no session is named", "one word is");
        told(&["trash"], 2, "session trash does nothing", "list, restore, empty");
        told(&["list", "--limit", "0"], 2, "'0'", "`session list --help`");
        let ran = home.run(["trash", "restore", "nobody"]);
        assert!(ran.code == 3 && !ran.err.contains("restored"), "{ran:?}");
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        home.ok("store backup copy");
        home.set("SESSION_STORE", other);
        let ran = home.run(["store", "restore", "copy", "--yes", "--json"]);
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("--store"), "{ran:?}");
    }
}

#[test]
fn what_the_system_forbids_is_named_with_what_to_do() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let set = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        // Nothing is forbidden to the superuser, who becomes somebody else for this, and the build may lie where
        // nobody else can reach it.
        let is_root = std::fs::metadata(home.data()).unwrap().uid() == 0;
        let program = home.path().join("session");
        // By a process of its own: a program that another test starts meanwhile would have the file open for writing
        // for a moment, and such a one cannot be executed.
        let mut copying = std::process::Command::new("cp");
        copying.arg(env!("CARGO_BIN_EXE_session")).arg(&program);
        assert!(copying.status().unwrap().success());
        set(&home.path(), 0o755);
        set(&home.data(), 0o000);
        let run = |line: &str| {
            let mut command = std::process::Command::new(&program);
            command
                .args(line.split(' '))
                .env_clear()
                .envs(home.variables())
                .current_dir("/")
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            if is_root {
                command.uid(65534).gid(65534);
            }
            crate::home::finished(command, b"")
        };
        for line in [
            "list",
            "show a",
            "create b",
            "rm a",
            "rm --all --yes",
            "prune --older-than 1d",
            "message add a --role user x",
            "transcript a",
            "export a",
            "trash list",
            "store info",
            "store check --repair",
            "store backup",
        ] {
            let ran = run(&format!("{line} --json"));
            let error = ran.error();
            let kind = error["kind"].as_str();
            assert_eq!((ran.code, kind), (1, Some("permission-denied")), "{line}: {ran:?}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(home.data().to_str().unwrap()), "{line}: {ran:?}");
            assert!(error["hint"].as_str().unwrap().contains("doctor"), "{line}: {ran:?}");
        }
        let ran = run("doctor");
        assert!(ran.code == 1 && ran.out.contains("fail  store"), "{ran:?}");
        assert!(!ran.out.contains("session doctor"), "it does not send anybody to itself: {ran:?}");
        set(&home.data(), 0o700);
        home.ok("show a");
    }
}
