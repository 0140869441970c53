//! What FORMAT.md shows is what is read and written.
#![expect(clippy::unwrap_used, reason = "test code")]

use session_core::Session;

/// The example of the document, without the white space between its tokens.
fn example() -> String {
    let document = include_str!("../FORMAT.md");
    let (_, rest) = document.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let lines: String = example.lines().map(str::trim).collect();
    lines.replace("\": ", "\":").replace(", \"", ",\"")
}

#[test]
fn the_example_is_canonical() {
    let session: Session = serde_json::from_str(&example()).unwrap();
    assert_eq!(serde_json::to_string(&session).unwrap(), example());
    assert!(session.unknown.is_empty());
}

#[test]
fn the_table_has_a_row_for_every_member() {
    let document = include_str!("../FORMAT.md");
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&example()).unwrap();
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    for member in members.keys().map(String::as_str).chain(["trashed_at"]) {
        let named = format!("`{member}`");
        assert!(rows.iter().any(|row| row.contains(&named)), "no row for {member}");
    }
}
