//! The canonical JSON of records, to the byte: what comes back, in whatever order it came, and what is refused.
#![expect(clippy::unwrap_used, reason = "test code")]

use session_core::record::{Block, Body};
use session_core::{RawJson, Record, RecordId, Seq};

const NOTE: &str =
    r#"{"seq":1,"id":"n","at":"2026-01-31T08:15:00.007Z","type":"note","note":{"text":"x"}}"#;

fn read(text: &str) -> Result<Record, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn written(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

/// The record with this member `message`.
fn message(body: &str) -> String {
    format!(
        r#"{{"seq":1,"id":"m","at":"2026-01-31T08:15:00.007Z","type":"message","message":{body}}}"#
    )
}

#[test]
fn members_come_in_any_order() {
    let turned =
        r#"{"note":{"text":"x"},"type":"note","at":"2026-01-31T08:15:00.007Z","id":"n","seq":1}"#;
    assert_eq!(written(&read(turned).unwrap()), NOTE);
    let block = message(r#"{"content":[{"text":"hi","type":"text"}],"role":"user"}"#);
    let straight = message(r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#);
    assert_eq!(written(&read(&block).unwrap()), straight);
}

#[test]
fn what_is_unknown_stays_to_the_byte() {
    for text in [
        r#"{"seq":7,"id":"x","at":"2026-01-31T08:15:00.007Z","type":"hologram","hologram":{"n":1.0e2,"n":1},"z":0.10,"a":"\u00e9"}"#,
        &message(
            r#"{"role":"critic","content":[{"type":"video","frames":[1.50, 2]},{"type":"text","text":"a","cache":true}],"mood":-0.0}"#,
        ),
        r#"{"seq":1,"id":"e","at":"2026-01-31T08:15:00.007Z","type":"event","event":{"kind":"k","data":{"big":12345678901234567890.10}},"note":{"text":7}}"#,
        r#"{"seq":1,"id":"u","at":"2026-01-31T08:15:00.007Z","type":"usage","usage":{"tokens":{"input":1,"dreams":2.0},"cost":{"usd": 0.10 },"by":[]}}"#,
        r#"{"seq":1,"id":"c","at":"2026-01-31T08:15:00.007Z","type":"checkpoint","checkpoint":{"messages":[],"covers":null,"why":""}}"#,
    ] {
        assert_eq!(written(&read(text).unwrap()), text);
    }
}

#[test]
fn null_is_a_value_where_values_are_opaque() {
    let usage = |body: &str| {
        format!(
            r#"{{"seq":1,"id":"u","at":"2026-01-31T08:15:00.007Z","type":"usage","usage":{body}}}"#
        )
    };
    let event = |body: &str| {
        format!(
            r#"{{"seq":1,"id":"e","at":"2026-01-31T08:15:00.007Z","type":"event","event":{body}}}"#
        )
    };
    let call = |input: &str| {
        message(&format!(
            r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"n"{input}}}]}}"#
        ))
    };
    for (with, without) in [
        (usage(r#"{"cost":null}"#), usage("{}")),
        (event(r#"{"kind":"k","data":null}"#), event(r#"{"kind":"k"}"#)),
        (call(r#","input":null"#), call("")),
    ] {
        let (null, none) = (read(&with).unwrap(), read(&without).unwrap());
        assert_ne!(null, none, "{with}");
        assert_eq!((written(&null), written(&none)), (with, without));
    }
    let twice = event(r#"{"kind":"k","data":null,"data":1}"#);
    assert!(read(&twice).unwrap_err().contains("duplicate field `data`"));
}

#[test]
fn a_foreign_body_before_its_kind_is_kept_too() {
    let text = r#"{"hologram":{"n":1.0},"seq":7,"id":"x","at":"2026-01-31T08:15:00.007Z","type":"hologram"}"#;
    let record = read(text).unwrap();
    assert!(matches!(record.entry.body, Body::Foreign(_)));
    assert_eq!(read(&written(&record)).unwrap(), record);
    assert!(written(&record).ends_with(r#""type":"hologram","hologram":{"n":1.0}}"#));
}

#[test]
fn every_fault_is_named() {
    let before_its_kind = |members: &str| {
        NOTE.replace(r#","note":{"text":"x"}"#, "")
            .replace(r#""type""#, &format!("{members}\"type\""))
    };
    assert_eq!(written(&read(&before_its_kind(r#""note":{"text":"x"},"#)).unwrap()), NOTE);
    for (text, named) in [
        (NOTE.replace(r#""seq":1,"#, ""), "seq"),
        (NOTE.replace(r#""seq":1"#, r#""seq":0"#), "seq"),
        (NOTE.replace(r#""seq":1"#, r#""seq":-1"#), "seq"),
        (NOTE.replace(r#""id":"n","#, ""), "id"),
        (NOTE.replace(r#""id":"n""#, r#""id":"""#), "record's id"),
        (NOTE.replace(r#""id":"n""#, r#""id":"a\nb""#), "control characters"),
        (NOTE.replace(r#""type":"note","#, ""), "type"),
        (NOTE.replace(r#""type":"note""#, r#""type":"message""#), "message"),
        (NOTE.replace(r#","note":{"text":"x"}"#, ""), "note"),
        (NOTE.replace(r#"{"text":"x"}"#, r#"{"text":"x"},"note":{"text":"y"}"#), "note"),
        (before_its_kind(r#""note":{"text":"x"},"note":{"text":"y"},"#), "note"),
        (before_its_kind(r#""note":{"text":"x"},"note":null,"#), "note"),
        (before_its_kind(r#""note":{"text":7},"#), "note"),
        (NOTE.replace(r#"{"text":"x"}"#, r#"{"text":7}"#), "text"),
        (NOTE.replace(r#""type":"note""#, r#""type":"note","type":"note""#), "type"),
        (message(r#"{"role":"user","content":[{"text":"x"}]}"#), "type"),
        (message(r#"{"role":"user","content":[{}]}"#), "type"),
        (
            message(r#"{"role":"user","content":[{"type":"text","text":"x","type":"text"}]}"#),
            "type",
        ),
        (message(r#"{"role":"user","content":[{"text":"x","type":"text","text":"y"}]}"#), "text"),
        (message(r#"{"content":[]}"#), "role"),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(named), "{named}: {error}\n{text}");
    }
    let checkpoint = |body: &str| {
        let at = r#""at":"2026-01-31T08:15:00.007Z","type":"checkpoint""#;
        read(&format!(r#"{{"seq":1,"id":"c",{at},"checkpoint":{body}}}"#))
    };
    for body in [r#"{"covers":1}"#, r#"{"summary":"a","messages":[],"covers":1}"#] {
        assert!(checkpoint(body).unwrap_err().contains("either a summary or messages"), "{body}");
    }
}

#[test]
fn ids_have_bounds() {
    assert!(RecordId::parse(&"x".repeat(256)).is_ok());
    for bad in ["", "\u{7f}", "a\0", &"x".repeat(257)] {
        assert!(RecordId::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(Seq::new(0), None);
    assert_eq!(Seq::after(0), Seq::FIRST);
    assert_eq!(Seq::after(u64::MAX), Seq::LAST);
}

#[test]
fn raw_json_is_one_value_on_one_line() {
    assert_eq!(RawJson::parse("{\"a\":\n 1.0}").unwrap().as_str(), "{\"a\":  1.0}");
    // What brings its own text is put on one line as well.
    let lent =
        serde_json::value::RawValue::from_string("[1,\r\n\t\"a\\nb\"\n]".to_owned()).unwrap();
    let entries = std::collections::BTreeMap::from([("k", &*lent)]);
    assert_eq!(RawJson::of(&*lent).unwrap().as_str(), "[1,  \t\"a\\nb\" ]");
    assert_eq!(RawJson::of(&entries).unwrap().as_str(), "{\"k\":[1,  \t\"a\\nb\" ]}");
    for bad in ["", "1 2", "{", "nul"] {
        assert!(RawJson::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn text_is_what_people_search_for() {
    let text = |line: &str| read(line).unwrap().entry.text().into_owned();
    assert_eq!(text(NOTE), "x");
    let content = r#"[{"type":"text","text":"said"},{"type":"thinking","text":"thought","data":"secret"},{"type":"tool_use","id":"t","name":"read","input":{"path":"a\u0062.rs","n":[1,"two"]}},{"type":"tool_result","id":"t","output":"answer"},{"type":"image","data":"AAAA"}]"#;
    let body = format!(r#"{{"role":"user","content":{content},"summary":"short"}}"#);
    assert_eq!(text(&message(&body)), "said\nthought\nread\nab.rs\ntwo\nanswer\nshort");
}

#[test]
fn the_input_of_a_tool_has_text_whatever_else_is_in_it() {
    let text = |input: &str| {
        let call = format!(r#"[{{"type":"tool_use","id":"t","name":"n","input":{input}}}]"#);
        let line = message(&format!(r#"{{"role":"assistant","content":{call}}}"#));
        read(&line).unwrap().entry.text().into_owned()
    };
    assert_eq!(text(r#"{"n":1e400,"path":"a.rs"}"#), "n\na.rs");
    assert_eq!(text(r#"{"n":12345678901234567890123,"a":"x","a":"y"}"#), "n\nx\ny");
    assert_eq!(
        text(r#"["half \ud83e","whole \ud83e\uddea"]"#),
        "n\nhalf \u{fffd}\nwhole \u{1f9ea}"
    );
    let depth = 500_000;
    let deep = format!(r#"{}"end"{}"#, r#"{"a":["#.repeat(depth), "]}".repeat(depth));
    assert_eq!(text(&deep), "n\nend");
    assert_eq!(text("null"), "n");
}

#[test]
fn blocks_tell_their_kind() {
    assert_eq!(Block::text("a").kind(), "text");
}
