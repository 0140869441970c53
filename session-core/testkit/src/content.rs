//! All of a store as text, to compare two of them by.

use session_core::{SessionStore, StoreError, bundle};

/// Everything that a store holds, as the lines of a bundle: sessions, the trash included, with their histories, and
/// tombstones.
///
/// # Panics
/// When it cannot be read, or something in it is damaged.
#[must_use]
#[track_caller]
pub fn content(store: &dyn SessionStore) -> Vec<String> {
    let mut lines = Vec::new();
    let damaged = bundle::dump(store, |line| {
        lines.push(line.to_string());
        Ok::<_, StoreError>(())
    });
    assert_eq!(damaged.unwrap(), [], "nothing in the store is damaged");
    lines
}

/// Checks that two stores hold the same, byte for byte in canonical JSON.
///
/// # Panics
/// When they do not, with the first line that differs.
#[track_caller]
pub fn assert_same_content(one: &dyn SessionStore, other: &dyn SessionStore) {
    assert_same_lines(&content(one), &content(other), "the stores hold different things");
}

/// Checks that two texts are the same, and shows no more of them than the first line that differs.
#[track_caller]
pub(crate) fn assert_same_lines(found: &[String], expected: &[String], what: &str) {
    let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    assert_eq!(found.get(same), expected.get(same), "{what}, from line {same} on");
}
