//! What FORMAT.md shows is what is read and written.
#![expect(clippy::unwrap_used, reason = "test code")]

use session_core::bundle::Line;
use session_core::record::Body;
use session_core::{Record, Session};

/// The examples of the document: the first is one object on many lines, the others have one on each.
fn examples() -> Vec<&'static str> {
    let document = include_str!("../FORMAT.md");
    let fenced = document.split("```json\n").skip(1);
    fenced.map(|rest| rest.split_once("```").unwrap().0).collect()
}

/// The example of a session, without the white space between its tokens.
fn session() -> String {
    let lines: String = examples()[0].lines().map(str::trim).collect();
    lines.replace("\": ", "\":").replace(", \"", ",\"")
}

#[test]
fn the_session_is_canonical() {
    let read: Session = serde_json::from_str(&session()).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), session());
    assert!(read.unknown.is_empty());
}

#[test]
fn the_table_has_a_row_for_every_member() {
    let document = include_str!("../FORMAT.md");
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&session()).unwrap();
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    for member in members.keys().map(String::as_str).chain(["trashed_at"]) {
        let named = format!("`{member}`");
        assert!(rows.iter().any(|row| row.contains(&named)), "no row for {member}");
    }
}

#[test]
fn the_records_are_canonical_and_of_every_kind() {
    let mut kinds = Vec::new();
    for line in examples()[1].lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
        let is_foreign = matches!(record.entry.body, Body::Foreign(_));
        assert_eq!(is_foreign, !record.entry.unknown.is_empty(), "{line}");
        kinds.push(record.entry.body.kind().to_owned());
    }
    for kind in Body::KINDS {
        assert!(kinds.iter().any(|shown| shown == kind), "no {kind}");
    }
}

#[test]
fn the_bundle_is_canonical() {
    for line in examples()[2].lines() {
        assert_eq!(line.parse::<Line>().unwrap().to_string(), line);
    }
}
