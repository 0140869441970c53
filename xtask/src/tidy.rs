//! The `tidy` verb: the house rules that neither rustc nor clippy knows, over every file of the tree.
//!
//! Each family of rules is a file of functions from text to [`Finding`]s. This file only decides
//! which text each of them sees.

use std::path::Path;

use anyhow::bail;

use crate::finding::Finding;
use crate::workspace;

mod contract;
mod manifest;
mod retold;
mod rust;
mod text;
mod tree;

/// A file of the tree that is text: its path from the root, and its content.
type File = (String, String);

/// Checks the tree and says how much was looked at.
///
/// # Errors
///
/// Every broken rule, one line each.
pub fn run(root: &Path) -> anyhow::Result<String> {
    let files = read(root)?;
    let findings = check(&files);
    if findings.is_empty() {
        return Ok(format!("tidy: {} files, no complaint", files.len()));
    }
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    bail!("{} house rule(s) broken:\n{}", lines.len(), lines.join("\n"));
}

fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for path in workspace::files(root)? {
        // What is no text still has a path, and some rules are about paths.
        let text = workspace::text(root, &path)?.unwrap_or_default();
        files.push((path, text));
    }
    Ok(files)
}

/// Runs every rule over the files of a tree: pairs of a path from the root and a text.
pub fn check(files: &[(String, String)]) -> Vec<Finding> {
    let mut findings = tree::check(files.iter().map(|(path, _)| path.as_str()));
    for (path, content) in files {
        findings.extend(text::check(path, content));
        if path.ends_with(".rs") {
            findings.extend(rust::check(path, content));
        }
        if path.ends_with("/Cargo.toml") {
            findings.extend(manifest::check_member(path, content));
        }
    }
    let named = |name: &str| {
        let file = files.iter().find(|(path, _)| path == name);
        file.map_or("", |(_, content)| content.as_str())
    };
    findings.extend(manifest::check_reasons(named("Cargo.toml"), named("ARCHITECTURE.md")));
    let under = |folder: &str| {
        let rust = |path: &str| path.starts_with(folder) && path.ends_with(".rs");
        files.iter().filter(|(path, _)| rust(path)).cloned().collect::<Vec<File>>()
    };
    findings
        .extend(contract::check(&under("session-core/src/"), &under("session-core/testkit/src/")));
    findings.extend(retold::check(named(retold::DOCUMENT), files));
    findings.sort();
    findings
}
