//! The list of cases: every promise has a case, every case names its promise, and none is left out of the list.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use session_testkit::{cases, runtime};

/// Each `pub fn` of the files of a folder with the documentation line above it, as `file::name`.
fn functions(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let mut documentation: Option<&str> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("pub fn ") {
                let name = rest.split(['(', '<']).next().unwrap();
                let line = documentation.unwrap_or_default().to_owned();
                found.push((format!("{module}::{name}"), line));
            }
            documentation = match line.strip_prefix("/// ") {
                Some(line) => documentation.or(Some(line)),
                None => None,
            };
        }
    }
    found
}

/// The ids of the sentences of a contract, from the source that states it: each stands before its sentence.
fn stated(contract: &str, prefix: &str) -> BTreeSet<String> {
    let sentences = contract.lines().filter_map(|line| line.trim().strip_prefix("/// - `"));
    let ids: BTreeSet<String> = sentences
        .filter_map(|sentence| sentence.split_once("`: "))
        .map(|(id, _)| id.to_owned())
        .collect();
    let counted = (1..=ids.len()).map(|number| format!("{prefix}-{number:02}"));
    assert_eq!(ids, counted.collect(), "the ids of a contract are counted");
    ids
}

fn check(folder: &str, listed: &[&str], stated: &BTreeSet<String>) {
    let functions = functions(folder);
    let names: BTreeSet<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), names, "the list of cases");
    let mut promised = BTreeSet::new();
    for (name, documentation) in &functions {
        let id = documentation.split(':').next().unwrap().to_owned();
        assert!(stated.contains(&id), "{name} begins with {documentation:?}");
        promised.insert(id);
    }
    assert_eq!(promised, *stated, "promises that have a case");
}

#[test]
fn every_promise_of_a_store_has_a_case() {
    let listed: Vec<_> = cases::ALL.iter().map(|(name, _)| *name).collect();
    let contract = [
        include_str!("../../src/store.rs"),
        include_str!("../../src/store/records.rs"),
        include_str!("../../src/store/upkeep.rs"),
    ];
    let stated = stated(&contract.concat(), "STORE");
    assert!(stated.len() > 50);
    check("src/cases", &listed, &stated);
}

#[test]
fn every_promise_of_a_runtime_has_a_case() {
    let listed: Vec<_> = runtime::cases::ALL.iter().map(|(name, _)| *name).collect();
    let stated = stated(include_str!("../../src/runtime.rs"), "RUN");
    assert!(stated.len() > 10);
    check("src/runtime/cases", &listed, &stated);
}
