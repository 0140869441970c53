//! Exports: everything of sessions in plain lines, to standard output or to a file.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::home::{Home, STORES};

fn kinds(lines: &str) -> Vec<String> {
    let kind = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        object["type"].as_str().unwrap().to_owned()
    };
    lines.lines().map(kind).collect()
}

#[test]
fn an_export_has_everything_of_the_sessions_that_are_named() {
    for store in STORES {
        let mut home = Home::with_store(store);
        for name in ["a", "b", "c"] {
            home.ok(&format!("create {name}"));
        }
        home.ok("message add a --role user Hello");
        home.ok("rm c");
        let one = home.ok("export a");
        assert_eq!(kinds(&one), ["bundle", "session", "record", "end"]);
        assert!(
            one.ends_with("{\"type\":\"end\",\"sessions\":1,\"records\":1,\"tombstones\":0}\n"),
            "{one}"
        );
        assert_eq!(home.ok("export a --format jsonl"), one);
        let record = home.json("transcript a")["records"][0].clone();
        let line: Value = serde_json::from_str(one.lines().nth(2).unwrap()).unwrap();
        assert_eq!(line["record"], record);

        let two = home.ok("export b a a");
        assert_eq!(
            kinds(&two),
            ["bundle", "session", "record", "session", "end"],
            "by id, each once"
        );
        let id = home.json("show a")["session"]["id"].as_str().unwrap().to_owned();
        home.set("SESSION_ID", &id);
        assert_eq!(home.ok("export"), one);
        home.unset("SESSION_ID");
        assert_eq!(home.run(["export", "--json"]).error()["kind"], "no-session");
        let all = home.ok("export --all");
        assert_eq!(kinds(&all), ["bundle", "session", "record", "session", "session", "end"]);
        assert!(all.contains("trashed_at"), "what is in the trash is part of all");
        for line in ["export a --all", "export a --force", "export a --format odd"] {
            assert_eq!(home.run(line.split(' ')).code, 2, "{line}");
        }
        for name in ["c", "../a", "nobody"] {
            let ran = home.run(["export", "a", name, "--json"]);
            assert_eq!((ran.code, ran.error()["kind"].as_str()), (3, Some("not-found")), "{ran:?}");
            assert!(ran.out.is_empty(), "{ran:?}");
        }
    }
}

#[test]
fn a_file_is_whole_and_private_and_replaces_nothing_unasked() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        home.ok("message add a --role user Hello");
        let report = home.json("export --all -o out.jsonl");
        let path = home.path().join("home/out.jsonl");
        assert_eq!(
            report,
            json!({"schema_version": 1, "path": path.to_str().unwrap(), "sessions": 1, "records": 1, "tombstones": 0})
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), home.ok("export --all"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::write(&path, "precious").unwrap();
        let ran = home.run(["export", "a", "-o", "out.jsonl", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("exists")), "{ran:?}");
        assert!(ran.error()["hint"].as_str().unwrap().contains("--force"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        home.ok("export a -o out.jsonl --force");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), home.ok("export a"));

        std::fs::create_dir(home.path().join("home/dir")).unwrap();
        assert_ne!(home.run(["export", "a", "-o", "dir", "--force"]).code, 0);
        assert_ne!(home.run(["export", "a", "-o", "no/such/dir/x"]).code, 0);
        let left = std::fs::read_dir(home.path().join("home")).unwrap();
        assert_eq!(left.count(), 2, "nothing unfinished is left");
    }
}
