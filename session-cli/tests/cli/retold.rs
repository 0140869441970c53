//! What went wrong in other programs of this kind, tried on this one; `RETOLD.md` of the testkit says which is which.

use std::fs;

use serde_json::Value;

use crate::home::{Home, STORES, parsed};

#[test]
fn a_new_session_knows_what_it_was_made_with() {
    for store in STORES {
        let home = Home::with_store(store);
        let directory = home.path().join("home/work");
        fs::create_dir(&directory).unwrap();
        let words = ["new", "x", "-d", "--json", "--workdir", "work", "--", "sh", "-c", "read go"];
        let made = parsed(&home.run(words).out)["session"].clone();
        let shown = home.json("show x")["session"].clone();
        for session in [&made, &shown] {
            assert_eq!(session["name"], "x");
            assert_eq!(session["id"].as_str().map(str::len), Some(26));
            assert_eq!(session["launch"]["workdir"], directory.to_str().unwrap());
            assert_eq!(session["launch"]["mode"], "safe", "until somebody says otherwise");
            // No year 1: it was made now, and every clock that runs this is in this millennium.
            let created = session["created_at"].as_str().unwrap();
            assert!(
                created.starts_with("20") && created <= session["updated_at"].as_str().unwrap()
            );
            // Nothing is guessed of a tool that has said nothing.
            assert_eq!(session["origins"], serde_json::json!([]));
            assert!(session["process"]["tool_session_id"].is_null(), "{session}");
            assert!(session["launch"]["tool"].is_null(), "{session}");
        }
        assert_eq!(made["id"], shown["id"]);
        assert_eq!(shown["launch"]["argv"], serde_json::json!(["sh", "-c", "read go"]));
    }
}

#[test]
fn whoever_changes_what_is_not_there_is_told_so() {
    for store in STORES {
        let home = Home::with_store(store);
        let lines = [
            "rename nobody x",
            "label nobody a=b",
            "edit nobody --title x",
            "rm nobody",
            "message add nobody --role user x",
            "trash restore nobody",
            "show nobody",
            "transcript nobody",
            "export nobody",
            "stop nobody",
            "send nobody x",
            "logs nobody",
        ];
        let refused = |line: &str| {
            let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
            let ran = home.run(words);
            let error = ran.error();
            assert_eq!(
                (ran.code, error["kind"].as_str()),
                (3, Some("not-found")),
                "{line}: {ran:?}"
            );
            assert!(error["message"].as_str().unwrap().contains("nobody"), "{line}: {ran:?}");
            assert!(error["hint"].is_string(), "{line}: {ran:?}");
        };
        lines.iter().for_each(|line| refused(line));
        assert!(!home.data().exists(), "nothing is made for what is not there");
        home.ok("create a");
        let before = home.ok("export --all");
        lines.iter().for_each(|line| refused(line));
        assert_eq!(home.ok("export --all"), before);
    }
}

#[test]
fn a_name_that_breaks_the_rules_renames_nothing() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        home.ok("create b");
        let before = home.ok("export --all");
        for (name, kind) in [("b", "exists"), ("x y", "invalid-name"), ("..", "invalid-name")] {
            let ran = home.run(["rename", "a", name, "--json"]);
            assert_eq!(ran.error()["kind"], kind, "{ran:?}");
            assert_eq!(home.ok("export --all"), before);
        }
    }
}

#[test]
fn a_beginning_of_a_name_is_no_name() {
    let home = Home::new();
    home.start("foobar", "read go");
    for line in
        ["stop foo", "send foo x", "rm foo", "attach foo --no-create", "stop foo*", "show f"]
    {
        let ran = home.run(line.split(' '));
        assert_eq!(ran.code, 3, "{line}: {ran:?}");
    }
    assert_eq!(home.json("show foobar")["session"]["process"]["state"], "running");
}

#[test]
fn coming_back_finds_the_same_program() {
    let home = Home::new();
    home.start("x", "while read line; do echo $$ $line; done");
    let process = |field: &str| home.json("show x")["session"]["process"][field].clone();
    let pid = process("pid");
    assert!(pid.is_u64(), "{pid}");
    for _ in 0..3 {
        let ran = home.typed(["attach", "x"], b"again\n");
        assert!(ran.code == 0 && ran.out.contains(&format!("{pid} again")), "{ran:?}");
        assert_eq!((process("pid"), process("state")), (pid.clone(), Value::from("running")));
    }
}

#[test]
fn what_cannot_be_read_is_not_taken_for_absent() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let marker = match store {
            "sqlite" => home.data().join("session.db"),
            _ => home.data().join("jsonl/format.json"),
        };
        fs::write(marker, "not what it was").unwrap();
        let files = home.files();
        for line in
            ["attach a -- true", "new a -d -- true", "create a", "rm a", "stop a", "rename a b"]
        {
            let ran = home.run(line.split(' '));
            assert_eq!(ran.code, 6, "{line}: {ran:?}");
        }
        let left: Vec<_> = home.files().into_iter().filter(|file| !files.contains(file)).collect();
        assert!(left.iter().all(|file| !file.contains("output")), "{left:?}");
        assert!(home.run(["list"]).code == 6, "no listing claims that there is nothing");
    }
}
