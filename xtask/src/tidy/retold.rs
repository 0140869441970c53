//! Behaviour that was retold from other programs: every case has a test, and the test is there.

use std::collections::BTreeSet;

use crate::finding::Finding;

/// Where the cases are listed: tables whose rows begin with a case and end with its tests.
pub(super) const DOCUMENT: &str = "session-core/testkit/RETOLD.md";

/// How many cases of each letter there are, defects among them.
const CASES: &[(&str, u32)] = &[("B", 19), ("C", 17), ("P", 6), ("M", 15), ("J", 6)];

/// Checks that the document has each case, with tests written as `path::function` that exist in `files`.
pub(super) fn check(document: &str, files: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut missing: BTreeSet<String> = CASES
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}")))
        .collect();
    for (index, line) in document.lines().enumerate() {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [case, .., tests] = cells[..] else { continue };
        if !missing.remove(case) {
            continue;
        }
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            findings.push(Finding::at(DOCUMENT, index + 1, format!("{case} names no test")));
        }
        for name in named {
            if !exists(name, files) {
                let message = format!("{case} names {name}, which does not exist");
                findings.push(Finding::at(DOCUMENT, index + 1, message));
            }
        }
    }
    findings.extend(missing.iter().map(|case| {
        Finding::about(DOCUMENT, format!("{case} is missing: add a row with its tests"))
    }));
    findings
}

fn exists(name: &str, files: &[(String, String)]) -> bool {
    let Some((path, function)) = name.split_once("::") else { return false };
    let has = |opening: &str| {
        let start = format!("fn {function}{opening}");
        files.iter().any(|(known, text)| known == path && text.contains(&start))
    };
    has("(") || has("<")
}

#[cfg(test)]
mod tests {
    use super::{CASES, check};

    fn files() -> Vec<(String, String)> {
        vec![("a/b.rs".to_owned(), "fn told() {}".to_owned())]
    }

    fn document(last: &str) -> String {
        let row = |case: String| format!("| {case} | what it is | `a/b.rs::told` |\n");
        let cases = CASES.iter().flat_map(|(letter, count)| {
            (1..=*count).map(move |number| format!("{letter}{number}"))
        });
        let mut rows: Vec<_> = cases.map(row).collect();
        rows.pop();
        rows.concat() + last
    }

    #[test]
    fn every_case_names_tests_that_exist() {
        assert_eq!(check(&document("| J6 | last | `a/b.rs::told` |"), &files()), []);
        for (last, complaint) in [
            ("", "J6 is missing"),
            ("| J6 | last | none |", "names no test"),
            ("| J6 | last | `a/b.rs::untold` |", "does not exist"),
            ("| J6 | last | `a/c.rs::told` |", "does not exist"),
        ] {
            let findings = check(&document(last), &files());
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(findings[0].message.contains(complaint), "{findings:?}");
        }
    }
}
