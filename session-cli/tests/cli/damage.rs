//! Stores that are damaged, newer, or none at all: named, kept, and put in order only when asked to.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::home::{Home, STORES, parsed};

/// A store with three sessions, and the bytes of one message of the second on the disk.
fn furnished(store: &str) -> Home {
    let home = Home::with_store(store);
    for name in ["a", "b", "c"] {
        home.ok(&format!("create {name}"));
        home.ok(&format!("message add {name} --role user before"));
        home.ok(&format!("message add {name} --role user needle-{name}"));
        home.ok(&format!("message add {name} --role user after"));
    }
    home
}

/// The file that holds these bytes, and where.
fn find(directory: &Path, bytes: &[u8]) -> (PathBuf, usize) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name == "jsonl") {
                return find(&path, bytes);
            }
        } else if let Some(at) =
            fs::read(&path).unwrap().windows(bytes.len()).position(|window| window == bytes)
        {
            return (path, at);
        }
    }
    panic!("nowhere in {}", directory.display());
}

/// Makes a record that holds this text unreadable, and returns the bytes of it that are on the disk then.
fn damage(home: &Home, needle: &str) -> Vec<u8> {
    let (path, at) = find(&home.data(), needle.as_bytes());
    let mut bytes = fs::read(&path).unwrap();
    // A quote in the middle of a string: no JSON any more.
    bytes[at + 3] = b'"';
    fs::write(&path, &bytes).unwrap();
    bytes[at..at + needle.len()].to_vec()
}

#[test]
fn a_check_names_damage_and_a_repair_keeps_its_bytes() {
    for store in STORES {
        let home = furnished(store);
        home.ok("store check");
        let bytes = damage(&home, "needle-b");

        let ran = home.run(["store", "check", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("--repair"), "{ran:?}");
        let report = parsed(&ran.out);
        let damaged = report["damaged"].as_array().unwrap();
        assert!(!damaged.is_empty(), "{report}");
        assert!(damaged.iter().all(|one| one["place"].is_string() && one["reason"].is_string()));
        let ran = home.run(["store", "check"]);
        assert!(ran.code == 6 && ran.out.starts_with("damaged: "), "{ran:?}");

        // Everything else can be read, and what cannot is told.
        let transcript = home.json("transcript a");
        assert_eq!(transcript["records"].as_array().unwrap().len(), 3);
        let ran = home.run(["transcript", "b", "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!parsed(&ran.out)["damaged"].as_array().unwrap().is_empty(), "{ran:?}");
        assert!(ran.err.contains("damaged"), "{ran:?}");
        let ran = home.run(["export", "--all", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        let ran = home.run(["store", "convert", "--to", other, "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("--repair"), "{ran:?}");
        assert!(!home.data().join(if store == "sqlite" { "jsonl" } else { "session.db" }).exists());

        let ran = home.run(["store", "check", "--repair", "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = parsed(&ran.out);
        assert_eq!(report["damaged"], json!([]));
        let kept: Vec<_> = report["repaired"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["kept"].as_str())
            .collect();
        assert!(!kept.is_empty(), "{report}");
        let holds = |path: &&str| {
            let found = fs::read(path).unwrap();
            found.windows(bytes.len()).any(|window| window == bytes)
                || holds_escaped(&found, &bytes)
        };
        assert!(kept.iter().any(holds), "{report}");
        assert_eq!(home.json("store check")["damaged"], json!([]));
        home.ok(&format!("store convert --to {other}"));
        let texts = home.ok("transcript b");
        assert!(texts.contains("before") && texts.contains("after"), "{texts}");
        assert_eq!(home.ok("message add b --role user more"), "4\n", "numbers go on");
    }
}

/// As a JSON string, a quote has a backslash before it.
fn holds_escaped(found: &[u8], bytes: &[u8]) -> bool {
    let escaped = String::from_utf8_lossy(bytes).replace('"', "\\\"").into_bytes();
    found.windows(escaped.len()).any(|window| window == escaped)
}

#[test]
fn a_newer_store_is_refused_and_stays_as_it_is() {
    for store in STORES {
        let home = furnished(store);
        match store {
            "sqlite" => {
                // The format version is PRAGMA user_version, big-endian at byte 60.
                let path = home.data().join("session.db");
                let mut bytes = fs::read(&path).unwrap();
                bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
                fs::write(&path, bytes).unwrap();
            }
            _ => {
                let path = home.data().join("jsonl/format.json");
                let text = fs::read_to_string(&path).unwrap();
                let (before, rest) = text.split_once("\"version\":").unwrap();
                let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
                fs::write(&path, format!("{before}\"version\":99{rest}")).unwrap();
            }
        }
        let before = home.files();
        for line in [
            "list",
            "show a",
            "create x",
            "message add a --role user x",
            "transcript a",
            "export --all",
            "rm --all --yes",
            "prune --older-than 1h",
            "trash list",
            "trash restore a",
            "trash empty --yes",
            "store info",
            "store check",
            "store check --repair",
            "store backup",
            "store reindex",
        ] {
            let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
            let ran = home.run(&words);
            assert_eq!(ran.code, 8, "{line}: {ran:?}");
            assert_eq!(ran.error()["kind"], "newer-version", "{line}: {ran:?}");
        }
        let other = if store == "sqlite" { "jsonl" } else { "sqlite" };
        assert_eq!(home.run(["store", "convert", "--to", other]).code, 8);
        assert_eq!(home.files(), before, "nothing was changed or made");
    }
}

#[test]
fn an_older_store_is_not_changed_by_reading_and_the_hint_helps() {
    let home = furnished("sqlite");
    let path = home.data().join("session.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&1_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let before = home.files();
    for line in ["list", "store info", "store backup", "export --all"] {
        let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let ran = home.run(&words);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (1, Some("unsupported")), "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("check --repair"), "{ran:?}");
    }
    assert_eq!(home.files(), before);
}

#[test]
fn what_is_no_store_is_refused_and_stays_as_it_is() {
    for store in STORES {
        let home = Home::with_store(store);
        fs::create_dir(home.data()).unwrap();
        if store == "sqlite" {
            fs::create_dir(home.data().join("session.db")).unwrap();
            fs::write(home.data().join("session.db/precious"), "notes").unwrap();
        } else {
            fs::write(home.data().join("jsonl"), "notes").unwrap();
        }
        let files = || {
            let mut files = home.files();
            files.retain(|file| !file.contains("instance-") && !file.contains("/data "));
            files
        };
        let before = files();
        for line in [
            "list",
            "create x",
            "store info",
            "store check",
            "export --all",
            "rm --all --yes",
            "store backup",
        ] {
            let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
            let ran = home.run(&words);
            assert_eq!(
                (ran.code, ran.error()["kind"].as_str()),
                (6, Some("corrupt")),
                "{line}: {ran:?}"
            );
            assert!(ran.error()["hint"].is_string(), "{line}: {ran:?}");
        }
        assert_eq!(files(), before);
    }
}

#[test]
fn a_name_that_is_a_path_leads_nowhere() {
    for store in STORES {
        let home = furnished(store);
        let outside = home.path().join("home/outside");
        fs::write(&outside, "precious").unwrap();
        let paths = || {
            let path = |file: String| file.split(' ').next().unwrap().to_owned();
            let mut paths: Vec<_> = home.files().into_iter().map(path).collect();
            paths.retain(|file| !file.contains("instance-"));
            paths
        };
        let before = (paths(), home.ok("export --all"));
        for name in ["../outside", "/etc/passwd", "..", ".", "a/../b"] {
            for (line, kind) in [
                ("create", "invalid-name"),
                ("show", "not-found"),
                ("rm", "not-found"),
                ("export", "not-found"),
                ("transcript", "not-found"),
            ] {
                let ran = home.run([line, name, "--json"]);
                assert_eq!(ran.error()["kind"], kind, "{line} {name}: {ran:?}");
            }
        }
        assert_eq!((paths(), home.ok("export --all")), before);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
    }
}

#[test]
fn a_store_that_cannot_be_mended_is_put_back_from_a_backup() {
    let home = furnished("sqlite");
    let before = home.ok("export --all");
    let backup = home.ok("store backup");
    let path = home.data().join("session.db");
    for rest in ["session.db-wal", "session.db-shm"] {
        let _none = fs::remove_file(home.data().join(rest));
    }
    let bytes = fs::read(backup.trim_end()).unwrap();
    fs::write(&path, &bytes[..5000]).unwrap();
    for line in ["store check", "store check --repair"] {
        let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let ran = home.run(words);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
        let hint = ran.error()["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains("session store restore FILE"), "{hint}");
        assert!(hint.contains(home.data().join("backups").to_str().unwrap()), "{hint}");
        assert_eq!(fs::read(&path).unwrap(), bytes[..5000], "{line}");
    }
    home.ok(&format!("store restore {} --yes", backup.trim_end()));
    assert_eq!(home.ok("export --all"), before);
    let health = home.ok("doctor");
    assert!(health.contains("3 sessions, 9 records"), "{health}");
}
