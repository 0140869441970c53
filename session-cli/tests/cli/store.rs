//! The store as a whole: what it says of itself, its copies, its other form.

use std::fs;

use serde_json::json;

use crate::home::{Home, Ran, STORES};

#[track_caller]
fn refused(ran: &Ran, code: i32, kind: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.error()["kind"], kind, "{ran:?}");
}

/// Something of everything: a history, a trash, a tombstone.
fn furnish(home: &Home) {
    home.ok("create destroyed");
    home.ok("rm destroyed");
    home.ok("trash empty --older-than 0s --yes");
    home.ok("create a --title T --model m --chat c --ttl 30d");
    for text in ["one", "two", "three"] {
        home.ok(&format!("message add a --role user {text}"));
    }
    let blocks = br#"[{"type":"tool_use","id":"t","name":"n","input":{"a":1.0}},{"type":"hologram","beams":3.0}]"#;
    let ran = home.typed(["message", "add", "a", "--role", "assistant", "--json-blocks"], blocks);
    assert_eq!((ran.code, ran.out.as_str()), (0, "4\n"), "{ran:?}");
    home.ok("label a team=web");
    home.ok("create removed");
    home.ok("message add removed --role user gone");
    home.ok("rm removed");
}

#[test]
fn it_says_what_it_is_and_how_much_it_holds() {
    for store in STORES {
        let home = Home::with_store(store);
        let empty = home.json("store info")["store"].clone();
        assert_eq!((&empty["kind"], &empty["exists"]), (&json!(store), &json!(false)), "{empty}");
        assert!(empty["sessions"].is_null() && empty["bytes"].is_null(), "{empty}");
        assert!(home.ok("store info").contains("nothing stored yet"));
        assert!(!home.data().exists());

        furnish(&home);
        let info = home.json("store info")["store"].clone();
        assert_eq!(info["sessions"], json!({"pending": 1}));
        assert_eq!(
            (&info["trashed"], &info["tombstones"], &info["records"]),
            (&json!(1), &json!(1), &json!(5)),
            "{info}"
        );
        assert_eq!(info["durability"], "full");
        assert!(info["bytes"].as_u64() > Some(0) && info["format_version"].is_u64(), "{info}");
        assert!(info["location"].as_str().unwrap().starts_with(home.data().to_str().unwrap()));
        let text = home.ok("store info");
        assert!(text.contains("1 (1 pending)") && text.contains("full"), "{text}");
        let sound = home.json("store check");
        assert_eq!((&sound["sessions"], &sound["records"]), (&json!(2), &json!(5)), "{sound}");
        assert_eq!(sound["damaged"], json!([]));
        let repaired = home.json("store check --repair");
        assert_eq!(repaired["repaired"], json!([]));
        assert_eq!(home.json("store reindex")["reindexed"], true);
    }
}

#[test]
fn a_backup_brings_everything_back_and_can_be_undone() {
    for store in STORES {
        let home = Home::with_store(store);
        furnish(&home);
        let first = home.ok("export --all");
        let printed = home.ok("store backup");
        let backup = printed.trim_end();
        let name = backup.rsplit('/').next().unwrap();
        let suffix = if store == "sqlite" { "Z-sqlite.db" } else { "Z-jsonl" };
        assert!(name.ends_with(suffix) && name.as_bytes()[8] == b'T', "{name}");
        assert!(backup.starts_with(home.data().join("backups").to_str().unwrap()));

        home.ok("message add a --role user later");
        home.ok("create b");
        let second = home.ok("export --all");
        let elsewhere = Home::with_store(store);
        let ran = elsewhere.run(["store", "restore", backup, "--yes", "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(elsewhere.ok("export --all"), first, "where there was nothing, too");
        assert!(crate::home::parsed(&ran.out)["before"].is_null(), "{ran:?}");

        let cursor = home.json("list --all --limit 1")["next_cursor"].as_str().unwrap().to_owned();
        refused(&home.run(["store", "restore", backup, "--json"]), 2, "usage");
        assert_eq!(home.ok("export --all"), second);

        let done = home.json(&format!("store restore {backup} --yes"));
        assert_eq!(home.ok("export --all"), first);
        let ran = home.run(["list", "--all", "--limit", "1", "--cursor", &cursor, "--json"]);
        refused(&ran, 4, "stale-cursor");
        home.shell(done["undo"].as_str().unwrap());
        assert_eq!(home.ok("export --all"), second);
        assert_eq!(home.json("store check")["damaged"], json!([]));
    }
}

#[test]
fn a_backup_goes_where_it_is_told_and_replaces_nothing() {
    for store in STORES {
        let home = Home::with_store(store);
        refused(&home.run(["store", "backup", "--json"]), 3, "not-found");
        home.ok("create a");
        let target = home.path().join("home/copy");
        assert_eq!(home.json("store backup copy")["path"], target.to_str().unwrap());
        let ran = home.run(["store", "backup", "copy", "--json"]);
        refused(&ran, 4, "exists");
        assert!(ran.error()["hint"].as_str().unwrap().contains("another file"), "{ran:?}");
        let before = home.files();
        assert_ne!(home.run(["store", "backup", "no/such/place"]).code, 0);
        assert_eq!(home.files(), before);
    }
}

#[test]
fn what_is_no_backup_changes_nothing() {
    for store in STORES {
        let home = Home::with_store(store);
        let empty = Home::with_store(store);
        fs::write(empty.path().join("home/junk"), "somebody's notes").unwrap();
        refused(&empty.run(["store", "restore", "junk", "--yes", "--json"]), 6, "corrupt");
        assert_eq!(empty.json("store info")["store"]["exists"], false);

        home.ok("create a");
        let before = home.ok("export --all");
        refused(&home.run(["store", "restore", "nothing", "--yes", "--json"]), 3, "not-found");
        let junk = home.path().join("home/junk");
        fs::write(&junk, "somebody's notes\n".repeat(1000)).unwrap();
        let listing = home.files();
        refused(&home.run(["store", "restore", "junk", "--yes", "--json"]), 6, "corrupt");
        assert_eq!(home.ok("export --all"), before);
        let left: Vec<_> =
            home.files().into_iter().filter(|file| !listing.contains(file)).collect();
        assert!(left.iter().all(|file| !file.contains("-sqlite.db") && !file.contains("Z-jsonl")));
    }
}

#[test]
fn a_store_that_cannot_be_read_is_kept_when_a_backup_takes_its_place() {
    for (store, file) in [("sqlite", "session.db"), ("jsonl", "jsonl/format.json")] {
        let home = Home::with_store(store);
        furnish(&home);
        let first = home.ok("export --all");
        let backup = home.ok("store backup");
        for suffix in ["-wal", "-shm"] {
            let _not_there = fs::remove_file(home.data().join(format!("{file}{suffix}")));
        }
        fs::write(home.data().join(file), "broken beyond reading").unwrap();
        refused(&home.run(["list", "--json"]), 6, "corrupt");
        let words = ["store", "restore", backup.trim_end(), "--yes", "--json"];
        let ran = home.run(words);
        assert_eq!(ran.code, 0, "{ran:?}");
        let done = crate::home::parsed(&ran.out);
        assert_eq!(home.ok("export --all"), first);
        assert!(done["undo"].is_null(), "{done}");
        let kept = std::path::Path::new(done["before"].as_str().unwrap());
        let kept = if store == "sqlite" { kept.to_owned() } else { kept.join("format.json") };
        assert_eq!(fs::read_to_string(kept).unwrap(), "broken beyond reading");
    }
}

#[test]
fn while_programs_run_nothing_is_replaced() {
    for store in STORES {
        let home = Home::with_store(store);
        home.start("live", "read go");
        let backup = home.ok("store backup");
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        let words = ["store", "restore", backup.trim_end(), "--yes", "--json"];
        refused(&home.run(words), 5, "still-running");
        refused(&home.run(["store", "convert", "--to", other, "--json"]), 5, "still-running");
        assert_eq!(home.json("show live")["session"]["process"]["state"], "running");
        home.ok("stop live");
        let after = home.ok("export --all");
        assert_eq!(home.run(words).code, 0, "an idle supervisor is in nobody's way");
        assert_ne!(home.ok("export --all"), after);
    }
}

#[test]
fn converting_there_and_back_changes_nothing() {
    for store in STORES {
        let home = Home::with_store(store);
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        refused(&home.run(["store", "convert", "--to", other, "--json"]), 3, "not-found");
        furnish(&home);
        home.start("ran", "echo hello; exit 7");
        home.run(["wait", "ran"]);
        let before = home.ok("export --all");
        let ran = home.run(["store", "convert", "--to", other]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for way in
            [format!("--store {other}"), format!("SESSION_STORE={other}"), "config.toml".to_owned()]
        {
            assert!(ran.err.contains(&way), "{way}: {ran:?}");
        }
        assert_eq!(home.ok("export --all"), before, "the source stays as it is");
        assert_eq!(home.ok(&format!("export --all --store {other}")), before);

        // The way back: the original has to make room.
        let ran = home.run(["store", "convert", "--to", store, "--store", other, "--json"]);
        refused(&ran, 4, "exists");
        assert!(ran.error()["hint"].as_str().unwrap().contains("move"), "{ran:?}");
        let file = if store == "sqlite" { "session.db" } else { "jsonl" };
        fs::rename(home.data().join(file), home.path().join("moved")).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _not_there = fs::remove_file(home.data().join(format!("{file}{suffix}")));
        }
        let done = home.json(&format!("store convert --to {store} --store {other}"));
        assert_eq!(
            (&done["to"]["kind"], &done["sessions"], &done["records"], &done["tombstones"]),
            (&json!(store), &json!(3), &json!(5), &json!(1)),
            "{done}"
        );
        assert_eq!(home.ok("export --all"), before);
        assert_eq!(home.json("store check")["damaged"], json!([]));
        refused(&home.run(["store", "convert", "--to", store, "--json"]), 2, "usage");
        let left = home.files().into_iter().filter(|file| file.contains("building"));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn a_store_without_sessions_makes_room_for_a_converted_one() {
    for store in STORES {
        let home = Home::with_store(store);
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        furnish(&home);
        let before = home.ok("export --all");
        // What is tried in a store makes it, though nothing comes of it.
        let tried = home.run(["new", "x", "-d", "--store", other, "--", "no-such-program"]);
        assert_eq!(tried.code, 127, "{tried:?}");
        home.ok(&format!("supervisor stop --store {other}"));
        assert_eq!(home.json(&format!("store info --store {other}"))["store"]["exists"], true);
        home.ok(&format!("store convert --to {other}"));
        assert_eq!(home.ok(&format!("export --all --store {other}")), before);
    }
}

#[test]
fn a_conversion_that_was_killed_is_in_nobodys_way_and_one_at_work_is() {
    let home = Home::new();
    home.ok("create a");
    let building = home.data().join("building-jsonl");
    fs::create_dir_all(building.join("new/jsonl")).unwrap();
    fs::write(building.join("new/jsonl/leftover"), "half of a store").unwrap();
    let lock = fs::File::create(building.join("lock")).unwrap();
    lock.lock().unwrap();
    refused(&home.run(["store", "convert", "--to", "jsonl", "--json"]), 7, "busy");
    drop(lock);
    home.ok("store convert --to jsonl");
    assert!(!building.exists() && !home.data().join("jsonl/leftover").exists());
    home.ok("show a --store jsonl");
}

#[test]
fn the_configuration_chooses_store_and_durability() {
    for store in STORES {
        let mut home = Home::with_store(store);
        home.unset("SESSION_STORE");
        let config = home.path().join("config.toml");
        fs::write(&config, format!("store = '{store}'\ndurability = 'normal'\n")).unwrap();
        home.set("SESSION_CONFIG", config.to_str().unwrap());
        home.ok("create a");
        assert_eq!(home.ok("message add a --role user Hello"), "1\n");
        let info = home.json("store info")["store"].clone();
        assert_eq!((&info["kind"], &info["durability"]), (&json!(store), &json!("normal")));
        fs::write(&config, "durability = 'maybe'\n").unwrap();
        refused(&home.run(["list", "--json"]), 2, "usage");
    }
}

#[test]
fn what_is_acknowledged_while_a_store_is_converted_is_there_afterwards() {
    for (store, made_before) in STORES.iter().flat_map(|store| [(store, false), (store, true)]) {
        let home = Home::with_store(store);
        let other = if *store == "sqlite" { "jsonl" } else { "sqlite" };
        furnish(&home);
        if made_before {
            home.run(["new", "x", "-d", "--store", other, "--", "no-such-program"]);
            home.ok(&format!("supervisor stop --store {other}"));
        }
        let mut acknowledged = Vec::new();
        std::thread::scope(|scope| {
            let converting = scope.spawn(|| home.run(["store", "convert", "--to", other]));
            for number in 0.. {
                let name = format!("acked-{number}");
                if home.run(["create", &name, "--store", other]).code == 0 {
                    acknowledged.push(name);
                }
                if converting.is_finished() {
                    break;
                }
            }
            let ran = converting.join().unwrap();
            assert!(matches!(ran.code, 0 | 4), "{ran:?}");
        });
        for name in acknowledged {
            home.ok(&format!("show {name} --store {other}"));
        }
    }
}

#[test]
fn a_store_is_no_backup_of_itself_and_holds_none() {
    for store in STORES {
        let home = Home::with_store(store);
        furnish(&home);
        let before = home.ok("export --all");
        let location = home.json("store info")["store"]["location"].as_str().unwrap().to_owned();
        std::os::unix::fs::symlink(&location, home.path().join("home/link")).unwrap();
        for copy in [&location, "link"] {
            let ran = home.run(["store", "restore", copy, "--yes", "--json"]);
            refused(&ran, 6, "corrupt");
            assert!(ran.error()["message"].as_str().unwrap().contains("itself"), "{ran:?}");
        }
        for place in ["jsonl", "session.db", "session.db-wal", "session.db.lock", "building-jsonl"]
        {
            let place = home.data().join(place);
            let ran = home.run(["store", "backup", place.to_str().unwrap(), "--json"]);
            refused(&ran, 2, "usage");
        }
        if store == "jsonl" {
            let place = format!("{location}/copy");
            refused(&home.run(["store", "backup", &place, "--json"]), 2, "usage");
        }
        assert_eq!(home.ok("export --all"), before);
        home.ok(&format!("store backup {}", home.data().join("session.db.bak").display()));
    }
}

#[test]
fn what_is_no_backup_is_refused_before_anybody_is_asked() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let other = Home::with_store(if store == "sqlite" { "jsonl" } else { "sqlite" });
        other.ok("create b");
        let of_the_other_kind = other.ok("store backup");
        fs::write(home.path().join("home/junk"), "somebody's notes\n".repeat(1000)).unwrap();
        fs::write(home.path().join("home/nothing"), "").unwrap();
        for copy in ["junk", "nothing", of_the_other_kind.trim_end()] {
            let ran = home.run(["store", "restore", copy, "--json"]);
            refused(&ran, 6, "corrupt");
            assert!(ran.error()["hint"].as_str().unwrap().contains("--store"), "{ran:?}");
        }
        let sound = home.ok("store backup");
        refused(&home.run(["store", "restore", sound.trim_end(), "--json"]), 2, "usage");
    }
}

#[test]
fn backups_are_listed_until_somebody_removes_them() {
    for store in STORES {
        let home = Home::with_store(store);
        assert_eq!(home.json("store info")["backups"], json!([]));
        furnish(&home);
        let first = home.ok("store backup").trim_end().to_owned();
        home.ok(&format!("store restore {first} --yes"));
        fs::write(home.data().join("backups/half"), "of a copy").unwrap();
        let listed = home.json("store info")["backups"].clone();
        let listed = listed.as_array().unwrap();
        let at = |path: &str| listed.iter().find(|one| one["path"] == path).unwrap();
        assert!(at(&first)["bytes"].as_u64() > Some(100), "{listed:?}");
        assert!(at(&first)["modified_at"].as_str().unwrap().ends_with('Z'), "{listed:?}");
        let half = home.data().join("backups/half");
        assert_eq!(at(half.to_str().unwrap())["bytes"], 9);
        // A store of files keeps what was replaced by itself as well.
        assert_eq!(listed.len(), if store == "sqlite" { 3 } else { 4 }, "{listed:?}");
        let ran = home.run(["store", "info"]);
        assert!(ran.out.contains(&first) && ran.out.contains("half, 9 bytes, "), "{ran:?}");
        assert!(ran.err.contains("rm -r"), "{ran:?}");
        assert!(home.ok("store --help").contains("never removed by themselves"));
    }
}

#[test]
fn a_restoration_that_fails_leaves_no_copy_of_what_is_still_there() {
    for store in STORES {
        let home = Home::with_store(store);
        furnish(&home);
        let before = home.ok("export --all");
        let copy = home.path().join("home/copy");
        home.ok(&format!("store backup {}", copy.display()));
        // Sound enough to be opened, and damaged in what is read later.
        if store == "sqlite" {
            let mut bytes = fs::read(&copy).unwrap();
            let length = bytes.len();
            bytes[length / 2..].fill(0xff);
            fs::write(&copy, bytes).unwrap();
        } else {
            let entry = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().path());
            let mut histories: Vec<_> = entry
                .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
                .collect();
            histories.sort();
            for history in histories {
                let mut text = fs::read(&history).unwrap();
                let length = text.len();
                text[length / 2..length - 1].fill(b'x');
                fs::write(&history, text).unwrap();
            }
        }
        refused(&home.run(["store", "restore", "copy", "--yes", "--json"]), 6, "corrupt");
        assert_eq!(home.ok("export --all"), before);
        assert_eq!(home.json("store info")["backups"], json!([]));
    }
}

#[test]
fn a_backup_that_finds_no_room_leaves_nothing() {
    let home = Home::with_store("jsonl");
    furnish(&home);
    let program = env!("CARGO_BIN_EXE_session");
    for line in ["store backup", "rm --all --yes"] {
        let script = format!("trap '' XFSZ; ulimit -f 0; exec {program} {line} --json");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script]).env_clear().envs(home.variables());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        refused(&crate::home::finished(command, b""), 1, "disk-full");
        assert_eq!(home.json("store info")["backups"], json!([]), "{line}");
    }
    home.ok("show a");
}
