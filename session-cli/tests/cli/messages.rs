//! What is said in a session: appended, durable, read back, handed to a model.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::home::{Home, Ran, STORES, parsed};

#[track_caller]
fn refused(ran: &Ran, code: i32, kind: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.error()["kind"], kind, "{ran:?}");
}

fn seqs(transcript: &Value) -> Vec<u64> {
    let records = transcript["records"].as_array().unwrap();
    records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

#[test]
fn messages_come_from_words_from_standard_input_and_as_blocks() {
    for store in STORES {
        let mut home = Home::with_store(store);
        home.ok("create a");
        assert_eq!(home.ok("message add a --role user Hello"), "1\n");
        let id = home.json("show a")["session"]["id"].as_str().unwrap().to_owned();
        let added = home.json("message add a --role system Rules --summary short");
        assert_eq!(added, json!({"schema_version": 1, "session": id, "seqs": [2]}));
        let text = "two lines\n\ttab \u{1b}[2J é\n";
        let ran = home.typed(["message", "add", "a", "--role", "tool", "--stdin"], text.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (0, "3\n"), "{ran:?}");
        let blocks = r#"[{"type":"text","text":"x"},{"type":"hologram","beams":3.0}]"#;
        let words = ["message", "add", "a", "--role", "assistant", "--json-blocks"];
        assert_eq!(home.typed(words, blocks.as_bytes()).out, "4\n");
        home.set("SESSION_ID", &id);
        assert_eq!(home.ok("message add --role user one-word"), "5\n", "to the current session");
        home.unset("SESSION_ID");
        assert_eq!(home.ok("message add -S a --role user again"), "6\n");

        let transcript = home.json("transcript a");
        assert_eq!((&transcript["session"], &transcript["damaged"]), (&json!(id), &json!([])));
        assert_eq!(seqs(&transcript), [1, 2, 3, 4, 5, 6]);
        let messages: Vec<_> =
            transcript["records"].as_array().unwrap().iter().map(|one| &one["message"]).collect();
        assert_eq!(
            *messages[1],
            json!({"role": "system", "content": [{"type": "text", "text": "Rules"}], "summary": "short"})
        );
        assert_eq!(messages[2]["content"][0]["text"], text);
        assert!(home.ok("transcript a --json").contains(blocks), "as they were, byte for byte");
        let shown = home.json("show a")["session"].clone();
        assert_eq!(
            (&shown["title"], &shown["conversation"]["totals"]["messages"]),
            (&json!("Hello"), &json!(6))
        );
        assert!(home.ok("show a").contains("6 records, 6 of them messages"));
        assert!(!home.path().join("run").exists(), "no supervisor is needed for that");
    }
}

#[test]
fn what_cannot_be_added_is_told_and_adds_nothing() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        for line in [
            "message add a --role user",
            "message add --role user",
            "message add a Hello",
            "message add a Hello --role robot",
            "message add a Hello more --role user",
            "message add a Hello --role user --stdin",
            "message add a --role user --stdin --json-blocks",
            "message add b Hello -S a --role user",
            "message",
            "transcript a --from 0",
            "transcript a --last x",
            "transcript a --context --last 3",
        ] {
            let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
            let ran = home.run(&words);
            let expected =
                if line == "message add --role user" || line == "message add a --role user" {
                    // One word alone is the text, and no session is current.
                    ["usage", "no-session"]
                } else {
                    ["usage", "usage"]
                };
            assert!(expected.contains(&ran.error()["kind"].as_str().unwrap()), "{line}: {ran:?}");
            assert!(ran.out.is_empty() && matches!(ran.code, 2 | 3), "{line}: {ran:?}");
        }
        let stdin = ["message", "add", "a", "--role", "user", "--stdin", "--json"];
        refused(&home.typed(stdin, b"caf\xe9"), 2, "usage");
        refused(&home.run(stdin), 2, "usage");
        refused(&home.typed(stdin, &vec![b'x'; (8 << 20) + 1]), 2, "usage");
        refused(&home.run(["message", "add", "a", "", "--role", "user", "--json"]), 2, "usage");
        let blocks = ["message", "add", "a", "--role", "user", "--json-blocks", "--json"];
        for json in
            ["{}", "[]", "[1]", r#"[{"type":"text"}]"#, "[", r#"[{"type":"text","text":"a"}] x"#]
        {
            refused(&home.typed(blocks, json.as_bytes()), 2, "usage");
        }
        refused(
            &home.run(["message", "add", "nobody", "x", "--role", "user", "--json"]),
            3,
            "not-found",
        );
        let path = ["message", "add", "../a", "x", "--role", "user", "--json"];
        refused(&home.run(path), 3, "not-found");
        assert_eq!(seqs(&home.json("transcript a")), [0; 0]);
    }
}

#[test]
fn nothing_is_added_to_what_has_ended() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create brief --ttl 1ms");
        let ran = home.run(["message", "add", "brief", "x", "--role", "user", "--json"]);
        refused(&ran, 5, "expired");
        home.ok("create a");
        home.ok("rm a");
        let ran = home.run(["message", "add", "a", "x", "--role", "user", "--json"]);
        refused(&ran, 3, "not-found");
        assert_eq!(seqs(&home.json("transcript brief")), [0; 0]);
    }
}

#[test]
fn a_transcript_is_cut_where_it_is_asked_to_be() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        for number in 1..=5 {
            home.ok(&format!("message add a --role user m{number}"));
        }
        assert_eq!(seqs(&home.json("transcript a --last 2")), [4, 5]);
        assert_eq!(seqs(&home.json("transcript a --from 4")), [4, 5]);
        assert_eq!(seqs(&home.json("transcript a --from 2 --last 3")), [3, 4, 5]);
        assert_eq!(seqs(&home.json("transcript a --last 0")), [0; 0]);
        assert_eq!(seqs(&home.json("transcript a --from 6")), [0; 0]);
        let text = home.ok("transcript a --last 1");
        let (heading, rest) = text.split_once('\n').unwrap();
        assert!(heading.starts_with("#5  ") && heading.ends_with("Z  user"), "{text}");
        assert_eq!(rest, "  m5\n");
    }
}

#[test]
fn a_transcript_does_nothing_to_the_terminal() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let text =
            "before\x1b]0;title\x07\n#9  2026-01-31T08:15:00.000Z  user\nafter\u{9b}2J\u{202e}\r\n";
        let ran = home.typed(["message", "add", "a", "--role", "user", "--stdin"], text.as_bytes());
        assert_eq!(ran.code, 0, "{ran:?}");
        for line in ["transcript a", "transcript a --context", "show a", "list"] {
            let shown = home.ok(line);
            let acts =
                |one: char| one.is_control() && one != '\n' && one != '\t' || one == '\u{202e}';
            assert!(!shown.chars().any(acts), "{line}: {shown:?}");
        }
        let shown = home.ok("transcript a");
        assert!(shown.contains("\n  #9  2026"), "no content looks like a heading: {shown}");
    }
}

#[test]
fn a_model_gets_what_was_said() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        home.ok("message add a --role system Rules");
        home.ok("message add a --role user Hello");
        let context = home.json("transcript a --context");
        assert!(context["checkpoint"].is_null() && context.get("damaged").is_none(), "{context}");
        assert_eq!(
            context["messages"][1],
            json!({"role": "user", "content": [{"type": "text", "text": "Hello"}]})
        );
        assert_eq!(home.ok("transcript a --context"), "system\n  Rules\n\nuser\n  Hello\n");
    }
}

/// A loop of `message add` is killed in the middle, with everything in it: whatever number was printed is there.
#[test]
fn every_acknowledged_message_survives_kill_9() {
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let mut acknowledged = Vec::new();
        for round in 1..=4 {
            let mut command = home.command([""; 0]);
            let script = r#"while "$0" message add a --role user hello; do :; done"#;
            command = {
                let mut shell = std::process::Command::new("sh");
                shell.args(["-c", script, command.get_program().to_str().unwrap()]);
                shell.env_clear().envs(home.variables()).process_group(0);
                shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
                shell
            };
            let mut child = command.spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut text = String::new();
            for _ in 0..round * 3 {
                assert!(out.read_line(&mut text).unwrap() > 0, "{text}");
            }
            kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
            out.read_to_string(&mut text).unwrap();
            child.wait().unwrap();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            acknowledged.extend(whole.lines().map(|line| line.parse::<u64>().unwrap()));
        }
        let transcript = home.json("transcript a");
        let found = seqs(&transcript);
        assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>(), "none is missing");
        assert!(acknowledged.windows(2).all(|pair| pair[0] < pair[1]), "none is given twice");
        assert!(acknowledged.iter().all(|seq| found.contains(seq)), "{acknowledged:?} {found:?}");
        assert_eq!(home.json("store check")["damaged"], json!([]));
    }
}

#[test]
fn nobody_who_reads_is_no_failure() {
    let home = Home::new();
    home.ok("create a");
    let long = "x".repeat(1 << 20);
    assert_eq!(
        home.typed(["message", "add", "a", "--role", "user", "--stdin"], long.as_bytes()).code,
        0
    );
    for words in [&["transcript", "a"][..], &["transcript", "a", "--json"], &["export", "a"]] {
        let mut child = home.command(words).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    }
    assert_eq!(parsed(&home.ok("transcript a --json"))["records"][0]["seq"], 1);
}

/// A history is printed as it is read: however long it is, it never is in memory.
#[test]
fn a_long_transcript_takes_no_memory() {
    const EACH: usize = 1 << 20;
    const MANY: usize = 40;
    for store in STORES {
        let home = Home::with_store(store);
        home.ok("create a");
        let text = "lorem ipsum\n".repeat(EACH / 12);
        for _ in 0..MANY {
            let words = ["message", "add", "a", "--role", "tool", "--stdin"];
            assert_eq!(home.typed(words, text.as_bytes()).code, 0);
        }
        for line in ["transcript a --json", "transcript a", "export a"] {
            let mut child = home.command(line.split(' ')).spawn().unwrap();
            let mut out = child.stdout.take().unwrap();
            // It has begun to print, and waits for somebody to read the rest.
            out.read_exact(&mut vec![0; EACH]).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
            assert!(peak * 1024 < EACH * MANY * 4 / 5, "{store} {line}: {peak} kB");
            drop(out);
            assert!(child.wait_with_output().unwrap().status.success());
        }
    }
}
