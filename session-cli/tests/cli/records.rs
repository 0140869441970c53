//! What is stored: created, changed, named, labelled, listed, put into the trash.

use crate::home::{Home, STORES, parsed};

#[test]
fn a_session_without_a_program_is_created_and_changed() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        let words = [
            "create",
            "notes",
            "--title",
            "Some notes",
            "--model",
            "m1",
            "--workspace",
            ".",
            "--ttl",
            "1h",
            "--json",
        ];
        let session = parsed(&home.run(words).out)["session"].clone();
        assert_eq!(
            (session["status"].as_str(), session["title"].as_str()),
            (Some("pending"), Some("Some notes"))
        );
        assert_eq!(session["conversation"]["model"], "m1");
        assert!(session["conversation"]["workspace"].as_str().unwrap().ends_with("/home"));
        assert!(session["expires_at"].is_string() && session["process"].is_null(), "{session}");

        let words = ["edit", "notes", "--title", "", "--vendor", "v", "--ttl", "never", "--json"];
        let session = parsed(&home.run(words).out)["session"].clone();
        assert!(session["title"].is_null() && session["expires_at"].is_null(), "{session}");
        assert_eq!(session["conversation"]["vendor"], "v");
        assert_eq!(session["conversation"]["model"], "m1");
        assert_eq!(session["revision"], 2);
        assert_eq!(home.run(["edit", "notes"]).code, 2);
        assert!(!home.data().join("../run").exists(), "no supervisor is needed for that");
    }
}

#[test]
fn a_name_is_given_and_released() {
    let home = Home::new();
    home.ok("create a");
    home.ok("create b");
    let ran = home.run(["rename", "a", "b", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("exists")));
    assert_eq!(home.json("rename a c")["session"]["name"], "c");
    assert_eq!(home.run(["show", "a"]).code, 3);
    home.ok("create a");
    let generated = home.ok("create");
    let (name, _) = generated.trim_end().split_once('\t').unwrap();
    home.ok(&format!("show {name}"));
}

#[test]
fn labels_are_set_removed_and_looked_for() {
    let home = Home::new();
    home.ok("create a");
    home.ok("create b");
    let labels = home.json("label a team=web urgent=")["session"]["labels"].clone();
    assert_eq!((labels["team"].as_str(), labels["urgent"].as_str()), (Some("web"), Some("")));
    let labels = home.json("label a urgent- team=api")["session"]["labels"].clone();
    assert_eq!(labels, serde_json::json!({"team": "api"}));
    let found = home.json("list --all --label team=api");
    assert_eq!(found["sessions"][0]["name"], "a");
    assert_eq!(found["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(home.run(["label", "a", "-bad="]).code, 2);
}

#[test]
fn rm_only_marks() {
    let home = Home::new();
    home.start("x", "echo kept; read go");
    let ran = home.run(["rm", "x", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("still-running")));
    home.ok("stop x");
    let id = home.json("show x")["session"]["id"].as_str().unwrap().to_owned();
    let ran = home.run(["rm", "x", "nobody"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("in the trash"), "{ran:?}");
    assert_eq!(home.run(["show", "x"]).code, 3);
    assert_eq!(home.json("list --all")["sessions"].as_array().unwrap().len(), 0);
    assert!(home.data().join("output").join(format!("{id}.log")).exists());
    let ran = home.run(["show", &id, "--json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.error()["message"].as_str().unwrap().contains("in the trash"));
    home.start("x", "read go");
}

#[test]
fn rm_of_a_parent_waits_for_its_children() {
    let home = Home::new();
    home.start("parent", "read go");
    let words = ["new", "child", "-d", "--parent", "parent", "--", "sh", "-c", "read go"];
    assert_eq!(home.run(words).code, 0);
    home.ok("stop parent");
    let ran = home.run(["rm", "parent", "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (5, Some("running-children")));
}

#[test]
fn listings_come_in_pages_and_orders() {
    let home = Home::new();
    for name in ["b", "c", "a"] {
        home.ok(&format!("create {name}"));
    }
    let first = home.json("list --all --sort name --limit 2");
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = home.json(&format!("list --all --sort name --limit 2 --cursor {cursor}"));
    assert_eq!(names(&second), ["c"]);
    assert!(second["next_cursor"].is_null());
    let ran = home.run(["list", "--all", "--cursor", cursor, "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("stale-cursor")));
    assert_eq!(names(&home.json("list --status pending --all")).len(), 3);
    assert_eq!(home.json("list")["sessions"].as_array().unwrap().len(), 0, "empty ones are hidden");
}

#[test]
fn readers_make_nothing_and_start_nothing() {
    for store in ["sqlite", "jsonl"] {
        let home = Home::with_store(store);
        let look = || {
            let before = home.files();
            for line in [
                "list",
                "list --all --json",
                "",
                "doctor",
                "supervisor status",
                "completions bash",
                "man",
            ] {
                let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
                let ran = home.run(words);
                assert_eq!(ran.code, 0, "{line}: {ran:?}");
            }
            for line in ["show x", "logs x", "screen x", "wait x --timeout 1s"] {
                home.run(line.split(' '));
            }
            assert_eq!(home.files(), before);
        };
        look();
        assert!(!home.data().exists());
        home.start("x", "read go");
        home.ok("stop x");
        home.ok("supervisor stop");
        look();
        assert_eq!(home.json("supervisor status")["running"], false);
    }
}

#[test]
fn a_binding_is_made_changed_and_looked_for() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a --chat c1 --agent claude --project /p");
        home.ok("create b --chat c1");
        let binding = home.json("show a")["session"]["lease"]["binding"].clone();
        assert_eq!(binding, serde_json::json!({"chat": "c1", "agent": "claude", "project": "/p"}));
        assert!(home.ok("show a").contains("chat c1, agent claude, project /p"));
        let names = |line: &str| {
            let listed = home.json(line);
            let sessions = listed["sessions"].as_array().unwrap();
            let mut names: Vec<_> =
                sessions.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(names("list --chat c1"), "a b");
        assert_eq!(names("list --chat c1 --agent claude"), "a");
        assert_eq!(names("list --project /p"), "a");
        assert_eq!(names("list --project /q"), "");
        assert_eq!(names("list --role implementer"), "");
        assert_eq!(home.run(["list", "--role", "No Role"]).code, 2);

        let ran = home.run(["edit", "a", "--agent", "", "--chat", "c2", "--json"]);
        let lease = parsed(&ran.out)["session"]["lease"].clone();
        assert_eq!(
            lease["binding"],
            serde_json::json!({"chat": "c2", "agent": "", "project": "/p"})
        );
        let ran = home.run(["edit", "b", "--chat", "", "--json"]);
        assert!(parsed(&ran.out)["session"]["lease"].is_null(), "{ran:?}");
    }
}

#[test]
fn a_listing_says_what_it_hides() {
    for store in STORES {
        let home = Home::with_store(store);
        let said = |line: &str| home.run(line.split(' ')).err;
        home.ok("create there");
        home.ok("message add there --role user Hello");
        assert_eq!(said("list"), "");
        home.ok("create empty");
        home.ok("create brief --ttl 1ms");
        assert_eq!(said("list"), "2 sessions hidden; --all shows them\n");
        assert_eq!(said("list --all") + &said("list -q") + &said("list --json"), "");
        assert_eq!(said("list --status expired"), "1 session hidden; --all shows them\n");
        assert_eq!(said("list --chat c"), "");
        home.ok("create more");
        home.ok("message add more --role user Hello");
        let ran = home.run(["list", "--limit", "1"]);
        assert!(ran.err.contains("there is more") && !ran.err.contains("hidden"), "{ran:?}");
        for number in 0..100 {
            home.ok(&format!("create hidden-{number}"));
        }
        assert_eq!(said("list"), "100 or more sessions are hidden; --all shows them\n");
    }
}
