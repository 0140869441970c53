//! The contract sentences of the traits and the cases that hold adapters to them, side by side.
//!
//! A sentence is a documentation line of the core that begins with its id, such as `STORE-07`, after
//! any list mark or emphasis. A case names the id anywhere in the testkit but in a file's own
//! introduction, which could claim what nothing checks.

use std::collections::{BTreeMap, BTreeSet};

use super::File;
use crate::finding::Finding;
use crate::source::split;

const FAMILIES: &[&str] = &["STORE", "RUN", "SRC"];

type Place<'a> = (&'a str, usize);

/// Compares the sentences of the core with the cases of the testkit.
pub(super) fn check(core: &[File], testkit: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sentences: BTreeMap<Id, Place<'_>> = BTreeMap::new();
    let mut mentions: BTreeMap<Id, Place<'_>> = BTreeMap::new();
    for (path, text) in core {
        for (line, number) in split(text).iter().zip(1..) {
            let Some(doc) = line.doc() else { continue };
            for id in ids(doc) {
                mentions.entry(id).or_insert((path, number));
            }
            let Some(id) = leading_id(doc) else { continue };
            if let Some((first, at)) = sentences.insert(id, (path, number)) {
                let message = format!("{id} already begins a sentence at {first}:{at}");
                findings.push(Finding::at(path, number, message));
            }
        }
    }
    let mut cases: BTreeMap<Id, Place<'_>> = BTreeMap::new();
    for (path, text) in testkit {
        for (line, number) in text.lines().zip(1..) {
            if !line.trim_start().starts_with("//!") {
                ids(line).for_each(|id| _ = cases.entry(id).or_insert((path, number)));
            }
        }
    }
    let mut add =
        |(path, line): Place<'_>, message| findings.push(Finding::at(path, line, message));
    for (id, place) in &mentions {
        if !cases.contains_key(id) {
            add(*place, format!("{id} is promised, but no case of the testkit checks it"));
        }
    }
    for (id, place) in &cases {
        if !sentences.contains_key(id) {
            add(*place, format!("{id} is checked, but no sentence of the core begins with it"));
        }
    }
    for (id, place) in gaps(&sentences) {
        add(place, format!("{id} is missing before this one: ids have no gaps"));
    }
    findings
}

/// The ids that are left out below one that is there, with the place of the next.
fn gaps<'a>(sentences: &BTreeMap<Id, Place<'a>>) -> Vec<(Id, Place<'a>)> {
    let mut gaps = Vec::new();
    for family in FAMILIES {
        let mut expected = 1;
        for (id, place) in sentences.iter().filter(|(id, _)| id.family == *family) {
            let missing = (expected..id.number).map(|number| (Id { family, number }, *place));
            gaps.extend(missing);
            expected = id.number + 1;
        }
    }
    gaps
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    family: &'static str,
    number: u32,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:02}", self.family, self.number)
    }
}

/// The id at the start of a documentation line, past list marks, emphasis and table bars.
fn leading_id(doc: &str) -> Option<Id> {
    let doc = doc.trim_start_matches(|c: char| c.is_whitespace() || "-*|`[#".contains(c));
    let id = ids(doc).next()?;
    doc.starts_with(&format!("{}-", id.family)).then_some(id)
}

/// Every id of a text, once.
fn ids(text: &str) -> impl Iterator<Item = Id> {
    let mut found = BTreeSet::new();
    let mut in_order = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let Some((family, number)) = word.split_once('-') else { continue };
        let Some(family) = FAMILIES.iter().find(|known| **known == family) else { continue };
        if let Ok(number) = number.parse()
            && found.insert((family, number))
        {
            in_order.push(Id { family, number });
        }
    }
    in_order.into_iter()
}

#[cfg(test)]
mod tests {
    use super::check;

    fn messages(core: &str, testkit: &str) -> Vec<String> {
        let file = |path: &str, text: &str| [(path.to_owned(), text.to_owned())];
        let findings = check(&file("core.rs", core), &file("kit.rs", testkit));
        findings.iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(core: &str, testkit: &str, complaint: &str) {
        assert_eq!(messages(core, testkit), [complaint]);
    }

    const CORE: &str = "//! Why.\n/// - **STORE-01** a. See STORE-02.\n/// STORE-02: b.\n";

    #[test]
    fn sentences_and_cases_match() {
        assert_eq!(messages(CORE, "/// STORE-01, STORE-02\nfn a() {}\n"), [""; 0]);
        assert_eq!(messages(CORE, "case(\"STORE-01\");\ncase(\"STORE-02\");\n"), [""; 0]);
        assert_eq!(messages("// STORE-09\nlet a = \"STORE-08\";\n", ""), [""; 0]);
        assert_eq!(messages("/// As `STORE-nn` and PRESTORE-1 say.\n", ""), [""; 0]);
    }

    #[test]
    fn a_sentence_without_a_case_is_noticed() {
        let only_introduced = "//! Covers STORE-02.\n/// STORE-01\n";
        let complaint = "core.rs:2: STORE-02 is promised, but no case of the testkit checks it";
        refused(CORE, only_introduced, complaint);
    }

    #[test]
    fn a_case_without_a_sentence_is_noticed() {
        let complaint = "kit.rs:2: RUN-03 is checked, but no sentence of the core begins with it";
        refused(CORE, "// STORE-01 STORE-02\n// RUN-03\n", complaint);
    }

    #[test]
    fn ids_are_unique_and_without_gaps() {
        let twice = "/// SRC-01 a\n/// SRC-01 b\n";
        refused(twice, "// SRC-01\n", "core.rs:2: SRC-01 already begins a sentence at core.rs:1");
        let gap = "/// RUN-01 a\n/// RUN-03 b\n";
        let complaint = "core.rs:2: RUN-02 is missing before this one: ids have no gaps";
        refused(gap, "// RUN-01 RUN-03\n", complaint);
    }
}
