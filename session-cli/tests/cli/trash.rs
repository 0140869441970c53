//! What was removed: seen, brought back, destroyed; alone, in numbers, and by age.

use serde_json::Value;

use crate::home::{Home, STORES, parsed};

/// Everything that is stored, without what a removal and its undoing leave behind.
fn exported(home: &Home) -> Vec<Value> {
    let line = |line: &str| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        if let Some(session) = object.get_mut("session").and_then(Value::as_object_mut) {
            session.remove("revision");
            session.remove("updated_at");
        }
        object
    };
    home.ok("export --all").lines().map(line).collect()
}

fn names(objects: &Value) -> Vec<&str> {
    objects.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap_or("-")).collect()
}

fn id(home: &Home, name: &str) -> String {
    home.json(&format!("show {name}"))["session"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_removed_is_listed_and_comes_back_with_one_command() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a --title First");
        home.ok("message add a --role user Hello");
        home.ok("create b");
        let before = exported(&home);
        let ran = home.run(["rm", "a"]);
        let (_, undo) = ran.err.split_once('`').unwrap();
        let (undo, _) = undo.split_once('`').unwrap();
        home.ok("rm b");

        let listed = home.json("trash list");
        assert_eq!(names(&listed["sessions"]), ["b", "a"], "the last removed first");
        let first = &listed["sessions"][1];
        assert_eq!(first["title"], "First");
        assert!(first["held_until"].as_str() > first["trashed_at"].as_str(), "{first}");
        let lines = home.ok("trash list");
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.lines().all(|line| line.split('\t').count() == 6), "{lines}");

        home.shell(undo);
        assert_eq!(names(&home.json("trash restore b")["restored"]), ["b"]);
        assert_eq!(exported(&home), before);
        assert_eq!(names(&home.json("trash list")["sessions"]), [""; 0]);
    }
}

#[test]
fn everything_is_removed_after_a_backup_and_comes_back_with_one_command() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create old");
        home.ok("rm old");
        for name in ["a", "b", "c"] {
            home.ok(&format!("create {name}"));
            home.ok(&format!("message add {name} --role user Hello"));
        }
        home.start("live", "read go");
        let before = exported(&home);

        let ran = home.run(["rm", "--all", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (2, Some("usage")), "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("--yes"));
        let dry = home.json("rm --all --dry-run");
        assert_eq!((dry["dry_run"].as_bool(), names(&dry["removed"]).len()), (Some(true), 3));
        assert_eq!(exported(&home), before, "nothing has happened yet");

        let done = home.json("rm --all --yes");
        assert_eq!(names(&done["removed"]), ["a", "b", "c"]);
        assert_eq!(names(&home.json("list --all")["sessions"]), ["live"], "what runs stays");
        let backup = std::path::Path::new(done["backup"].as_str().unwrap());
        assert!(backup.starts_with(home.data().join("backups")) && backup.exists());

        home.shell(done["undo"].as_str().unwrap());
        assert_eq!(exported(&home), before);
        assert_eq!(names(&home.json("trash list")["sessions"]), ["old"], "it was there before");

        home.ok("stop live");
        let other = home.run(["rm", "--all", "--yes"]);
        assert!(other.err.contains("trash restore --all --since"), "{other:?}");
        assert!(other.err.contains("backups"), "{other:?}");
        let nothing = home.json("rm --all --yes");
        assert!(nothing["backup"].is_null() && nothing["undo"].is_null(), "{nothing}");
    }
}

#[test]
fn what_cannot_come_back_is_told_and_the_rest_comes() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let first = id(&home, "a");
        home.ok("rm a");
        home.ok("create b");
        home.ok("rm b");
        home.ok("create a");
        let ran = home.run(["trash", "restore", "nobody", &first, "b", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (3, Some("not-found")), "{ran:?}");
        let report = parsed(&ran.out);
        assert_eq!(names(&report["restored"]), ["b"]);
        assert_eq!(report["failed"][1]["error"]["kind"], "exists");
        let hint = report["failed"][1]["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("session rename a"), "{hint}");

        home.ok("rename a c");
        home.ok(&format!("trash restore {}", &first[18..]));
        assert_eq!(id(&home, "a"), first);
        let ran = home.run(["trash", "restore", "a", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (3, Some("not-found")));
        for line in [
            "trash restore",
            "trash restore a --all",
            "trash restore a --since 2026-01-31T08:15:00Z",
            "trash",
        ] {
            assert_eq!(home.run(line.split(' ')).code, 2, "{line}");
        }
    }
}

#[test]
fn of_several_that_had_a_name_the_last_removed_gets_it() {
    for store in STORES {
        let home = Home::with_store(store);
        for _ in 0..2 {
            home.ok("create a");
            home.ok("rm a");
        }
        let last = home.json("trash list")["sessions"][0]["id"].as_str().unwrap().to_owned();
        let ran = home.run(["trash", "restore", "--all", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("exists")), "{ran:?}");
        assert_eq!(id(&home, "a"), last);
    }
}

#[test]
fn what_is_destroyed_stays_so() {
    for store in STORES {
        let home = Home::with_store(store);
        home.start("a", "echo kept; read go");
        let gone = id(&home, "a");
        home.ok("stop a");
        home.ok("create b");
        let kept = home.data().join("output").join(format!("{gone}.log"));
        assert!(kept.exists());
        home.ok("rm a b");
        let bundle = home.ok("export --all");

        assert_eq!(
            names(&home.json("trash empty")["destroyed"]),
            [""; 0],
            "it is held for 30 days"
        );
        let ran = home.run(["trash", "empty", "--older-than", "0s", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (2, Some("usage")));
        let dry = home.json("trash empty --older-than 0s --dry-run");
        assert_eq!(names(&dry["destroyed"]).len(), 2);
        assert!(kept.exists() && home.ok("export --all") == bundle);

        home.ok("trash restore b");
        let done = home.json("trash empty --older-than 0s --yes");
        assert_eq!(names(&done["destroyed"]), ["a"]);
        assert!(!kept.exists() && !kept.with_extension("screen").exists());
        for line in [format!("show {gone}"), format!("trash restore {gone}")] {
            assert_eq!(home.run(line.split(' ')).code, 3, "{line}");
        }
        let lines = home.ok("export --all");
        let stones: Vec<_> = lines.lines().filter(|line| line.contains("tombstone\"")).collect();
        assert!(stones.len() == 1 && stones[0].contains(&gone), "{lines}");
        assert_eq!(home.json("store info")["store"]["tombstones"], 1);
        home.ok("show b");
    }
}

#[test]
fn output_that_another_store_still_shows_is_not_destroyed() {
    let home = Home::new();
    home.start("a", "echo kept; read go");
    let gone = id(&home, "a");
    home.ok("stop a");
    home.ok("store convert --to jsonl");
    home.ok("rm a");
    let format = home.data().join("jsonl/format.json");
    let whole = std::fs::read(&format).unwrap();
    std::fs::write(&format, "unreadable").unwrap();
    let ran = home.run(["trash", "empty", "--older-than", "0s", "--yes"]);
    assert!(ran.code == 0 && ran.err.contains("kept output stays"), "{ran:?}");
    std::fs::write(&format, whole).unwrap();
    home.ok("create b");
    home.ok("rm b");
    home.ok("trash empty --older-than 0s --yes");
    assert!(home.data().join("output").join(format!("{gone}.log")).exists());
    assert!(home.ok("logs a --store jsonl").contains("kept"));
    home.ok("rm a --store jsonl");
    home.ok("trash empty --older-than 0s --yes --store jsonl");
    assert!(!home.data().join("output").join(format!("{gone}.log")).exists());
}

#[test]
fn what_is_old_and_done_is_pruned() {
    for store in STORES {
        let home = Home::with_store(store);
        home.start("done", "exit 0");
        home.start("failed", "exit 3");
        home.start("live", "read go");
        for name in ["done", "failed"] {
            home.run(["wait", name]);
        }
        home.ok("create open");
        home.ok("create brief --ttl 1ms");
        home.ok("create empty");
        home.ok("message add open --role user Hello");
        let before = exported(&home);

        assert_eq!(names(&home.json("prune --older-than 1h")["removed"]), [""; 0]);
        let dry = home.json("prune --older-than 0s --dry-run");
        let mut found = names(&dry["removed"]);
        found.sort_unstable();
        assert_eq!(found, ["brief", "done", "failed"], "{dry}");
        assert!(dry["at"].is_null() && dry["undo"].is_null(), "{dry}");
        assert_eq!(exported(&home).len(), before.len());

        let done = home.json("prune --older-than 0s --status failed");
        assert_eq!(names(&done["removed"]), ["failed"]);
        home.shell(done["undo"].as_str().unwrap());
        home.ok("show failed");
        let done = home.json("prune --older-than 0s --empty --status pending,running");
        assert_eq!(names(&done["removed"]), ["empty"]);
        let ran = home.run(["prune", "--older-than", "0s"]);
        assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
        assert!(ran.err.contains("trash restore --all --since"), "{ran:?}");
        let mut left = home.json("list --all");
        let left = left["sessions"].take();
        let mut left = names(&left);
        left.sort_unstable();
        assert_eq!(left, ["live", "open"]);
        for line in ["prune", "prune --older-than 5", "prune --older-than 1h --status odd"] {
            assert_eq!(home.run(line.split(' ')).code, 2, "{line}");
        }
    }
}

#[test]
fn nothing_is_made_where_there_is_nothing_to_remove() {
    for store in STORES {
        let home = Home::with_store(store);
        for line in [
            "rm --all --yes",
            "prune --older-than 0s",
            "trash list",
            "trash empty --yes",
            "store info",
            "store check",
        ] {
            home.json(line);
        }
        assert!(!home.data().exists());
    }
}

#[test]
fn names_in_the_trash_are_completed() {
    let home = Home::new();
    home.ok("create gone");
    home.ok("create there");
    home.ok("rm gone");
    let offered = crate::completing::offered(&home, &["session", "trash", "restore", ""]);
    assert!(offered.contains(&"gone".to_owned()) && !offered.contains(&"there".to_owned()));
}

#[test]
fn without_room_something_else_has_to_go_first_and_is_named() {
    let home = Home::with_store("jsonl");
    home.ok("create a");
    home.ok("rm a");
    let mut command = std::process::Command::new("sh");
    // No file may grow, which is told as it is of a full disk.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" trash empty --older-than 0s --yes";
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_session")])
        .env_clear()
        .envs(home.variables())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let ran = crate::home::finished(command, b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    let backups = home.data().join("backups");
    assert!(ran.err.contains("a little room first"), "{ran:?}");
    assert!(ran.err.contains(backups.to_str().unwrap()), "{ran:?}");
    assert_eq!(names(&home.json("trash list")["sessions"]), ["a"]);
}
