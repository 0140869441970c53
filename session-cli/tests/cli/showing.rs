//! What is printed: listings, screens, pages, the tour, and the doctor's findings.

use crate::home::{Home, parsed};

#[test]
fn without_a_terminal_a_listing_is_lines_of_fields() {
    let home = Home::new();
    assert_eq!(home.ok("list"), "");
    home.start("x", "read go");
    let line = home.ok("list");
    let fields: Vec<_> = line.trim_end_matches('\n').split('\t').collect();
    assert_eq!(
        (fields.len(), fields[0], fields[2], fields[3], fields[5]),
        (6, "x", "running", "running", "sh -c 'read go'")
    );
    assert_eq!(home.run(Vec::<&str>::new()).out, line, "the command alone is a listing");
    assert_eq!(home.ok("ls"), line);
    let object = home.json("list");
    assert!(object["next_cursor"].is_null() && object.get("damaged").is_none(), "{object}");
    assert_eq!(object["sessions"][0]["live"]["approval"], serde_json::Value::Null);
    assert!(!home.ok("list --color always").is_empty());
}

#[test]
fn a_damaged_record_costs_itself_and_is_reported() {
    let home = Home::with_store("jsonl");
    home.ok("create good");
    home.ok("create bad");
    let id = home.json("show bad")["session"]["id"].as_str().unwrap().to_owned();
    let file = home.data().join("jsonl").join(format!("{id}.jsonl"));
    std::fs::write(&file, "{ this is no JSON }\n").unwrap();
    let listing = home.json("list --all");
    assert_eq!(listing["sessions"][0]["name"], "good");
    assert!(listing["damaged"][0]["place"].as_str().unwrap().contains(&id), "{listing}");
    let ran = home.run(["list", "--all"]);
    assert!(ran.code == 0 && ran.err.contains("damaged"), "{ran:?}");
    let ran = home.run(["show", &id, "--json"]);
    assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
    let doctor = home.run(["doctor", "--json"]);
    assert_eq!(doctor.code, 1);
    assert_eq!(parsed(&doctor.out)["healthy"], false);
}

#[test]
fn a_screen_has_four_forms_while_it_runs_and_after() {
    let home = Home::new();
    home.start("x", r"printf '\033[31mred\033[0m <&>\r\n'; i=0; while [ $i -lt 40 ]; do echo row $i; i=$((i+1)); done; read go");
    home.ok("wait x --text row.39");
    let look = || {
        let text = home.ok("screen x");
        assert!(text.ends_with("row 39\n") && !text.contains("red"), "{text}");
        let all = home.ok("screen x --scrollback all");
        assert!(all.starts_with("red <&>\nrow 0\n"), "{all}");
        assert!(home.ok("screen x --scrollback all --format ansi").contains("\x1b["));
        let html = home.ok("screen x --scrollback all --format html");
        assert!(html.starts_with("<pre") && html.contains("&lt;&amp;&gt;"), "{html}");
        let object = parsed(&home.ok("screen x --format json --scrollback 3"));
        assert_eq!(object["screen"]["rows"], 24);
        assert_eq!(object["scrollback"].as_array().unwrap().len(), 3);
        object["live"].as_bool().unwrap()
    };
    assert!(look());
    home.ok("send x --enter");
    home.run(["wait", "x"]);
    // The line that was typed is on the screen now.
    assert!(home.ok("screen x --scrollback all").starts_with("red <&>\n"));
    assert_eq!(parsed(&home.ok("screen x --json"))["live"], false);
}

#[test]
fn what_was_never_written_is_empty_and_no_failure() {
    let home = Home::new();
    home.ok("create x");
    assert_eq!(home.ok("logs x"), "");
    assert_eq!(home.ok("screen x"), "");
    assert!(home.json("screen x")["screen"].is_null());
}

#[test]
fn the_tour_shows_it_all_and_leaves_nothing() {
    let mut home = Home::new();
    let tmp = home.path().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    home.set("TMPDIR", tmp.to_str().unwrap());
    let text = home.ok("tour");
    for said in [
        "session new tour",
        "session attach tour",
        "What is your name?",
        "Hello, Ada.",
        "exit code 7",
        "status   failed",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let object = home.json("tour");
    assert_eq!(object["exit"]["code"], 7);
    assert_eq!(object["session"]["process"]["exit"]["code"], 7);
    assert_eq!(
        object["steps"][1]["shows"], object["steps"][2]["shows"],
        "it came back to the same screen"
    );
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
    assert!(!home.data().exists() && !home.path().join("run").exists());
}

#[test]
fn the_doctor_finds_a_healthy_place_healthy() {
    let home = Home::new();
    let report = home.json("doctor");
    assert_eq!(report["healthy"], true, "{report}");
    home.start("x", "read go");
    let report = home.json("doctor");
    assert_eq!(report["healthy"], true, "{report}");
    let text = home.ok("doctor");
    assert!(text.contains("supervisor.log") && text.contains("1 session, 0 viewers"), "{text}");
    home.kill_supervisor_and_keeper();
    let text = home.ok("doctor");
    assert!(text.contains("warn") && text.contains("left of a dead one"), "{text}");
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    assert!(home.ok("man").contains(".TH session 1"));
    assert!(home.ok("man attach").contains("session\\-attach"));
    let directory = home.path().join("man");
    home.ok(&format!("man --dir {}", directory.display()));
    for page in ["session.1", "session-new.1", "session-supervisor-status.1"] {
        let text = std::fs::read_to_string(directory.join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    assert!(!directory.join("session-supervisor-serve.1").exists());
}

#[test]
fn help_and_version_go_to_standard_output() {
    let home = Home::new();
    assert!(home.ok("--help").contains("session attach main"));
    assert!(home.ok("new --help").contains("Examples:"));
    assert!(home.ok("--version").starts_with("session "));
}

#[test]
fn xdg_directories_are_used_when_nothing_else_is_said() {
    let mut home = Home::new();
    for name in ["SESSION_DATA_DIR", "SESSION_RUNTIME_DIR", "SESSION_STORE"] {
        home.unset(name);
    }
    home.set("XDG_RUNTIME_DIR", home.path().join("xdg-run").to_str().unwrap());
    std::fs::create_dir(home.path().join("xdg-run")).unwrap();
    home.ok("new x -d -- sh");
    assert!(home.path().join("home/.local/share/session/session.db").exists());
    assert!(home.path().join("xdg-run/session/supervisor.sock").exists());
    home.ok("supervisor stop --force");
}
