//! Rules about manifests: lints and versions come from the workspace, and each outside crate has a
//! reason.
//!
//! The manifests are read line by line, which holds as long as an entry begins on a line of its own;
//! an entry in a form that these rules do not know counts as broken, never as fine.

use crate::finding::Finding;

/// The one dependency that is a bare path: a cycle that only tests close. With a version, cargo would
/// want the testkit published before the core.
const BARE_PATH: (&str, &str) = ("session-core/Cargo.toml", "session-testkit");

/// Every broken rule of a member's manifest.
pub(super) fn check_member(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let entries = entries(text);
    let inherits = |entry: &Entry<'_>| {
        entry.section == "lints" && entry.key == "workspace" && entry.value == "true"
    };
    if !entries.iter().any(inherits) {
        let message = "no `[lints] workspace = true`: the rules of the house would not hold here";
        findings.push(Finding::about(path, message));
    }
    for entry in entries.iter().filter(|entry| entry.is_dependency()) {
        let message = if BARE_PATH == (path, entry.key) {
            "this one is `{ path = \"..\" }` without a version: with one, cargo would want it \
             published first"
        } else {
            "write `name.workspace = true`, and the version and features in the root manifest: one \
             version of each crate, in one place"
        };
        if !entry.is_proper(BARE_PATH == (path, entry.key)) {
            findings.push(Finding::at(path, entry.line, format!("`{}`: {message}", entry.key)));
        }
    }
    findings
}

/// The outside crates of the root manifest that ARCHITECTURE.md gives no reason for.
pub(super) fn check_reasons(root_manifest: &str, architecture: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(root_manifest) {
        if entry.section != "workspace.dependencies" || entry.value.contains("path =") {
            continue;
        }
        let name = format!("`{}`", entry.key);
        let reasoned = |line: &str| line.starts_with(['|', '-', '*']) && line.contains(&name);
        if !architecture.lines().any(reasoned) {
            let message = format!("{name} has no row in ARCHITECTURE.md: say there what it is for");
            findings.push(Finding::at("Cargo.toml", entry.line, message));
        }
    }
    findings
}

/// One `key = value` line under a `[section]`, or a section that is a dependency by itself.
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    line: usize,
}

impl Entry<'_> {
    fn is_dependency(&self) -> bool {
        self.section.rsplit('.').next().is_some_and(|last| last.ends_with("dependencies"))
    }

    fn is_proper(&self, bare_path: bool) -> bool {
        let has = |part: &str| self.value.contains(part);
        if bare_path {
            return has("path =") && !has("version") && !has("workspace");
        }
        has("workspace = true") && !has("path =")
    }
}

fn entries(manifest: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut section = "";
    for (text, line) in manifest.lines().zip(1..) {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            section = header.trim_start_matches('[').split(']').next().unwrap_or(header).trim();
            // `[dependencies.name]` spreads one entry over a section; it has no value here, so no
            // rule takes it for proper.
            if let Some((outer, key)) = section.rsplit_once('.')
                && outer.ends_with("dependencies")
            {
                entries.push(Entry { section: outer, key, value: "", line });
            }
        } else if let Some((key, value)) = text.split_once('=')
            && !text.starts_with('#')
        {
            // `name.workspace = true` is short for `name = { workspace = true }`.
            let (key, value) = match key.trim().split_once('.') {
                Some((name, "workspace")) if value.trim() == "true" => (name, "workspace = true"),
                Some((name, _)) => (name, ""),
                None => (key.trim(), value.trim()),
            };
            entries.push(Entry { section, key: key.trim_matches('"'), value, line });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{check_member, check_reasons};

    const LINTS: &str = "[lints]\nworkspace = true\n";

    /// Whether a dependency section passes, in a manifest that is fine otherwise.
    fn passes(path: &str, section: &str) -> bool {
        let findings = check_member(path, &format!("{LINTS}{section}\n"));
        assert!(findings.iter().all(|finding| finding.line >= 3), "{findings:?}");
        findings.is_empty()
    }

    #[test]
    fn a_member_takes_the_lints_of_the_house() {
        assert_eq!(check_member("a/Cargo.toml", LINTS), []);
        let findings = check_member("a/Cargo.toml", "[package]\nworkspace = true\n");
        assert!(findings[0].message.contains("[lints] workspace = true"), "{findings:?}");
    }

    #[test]
    fn a_dependency_takes_its_version_from_the_root() {
        let passes = |section| passes("a/Cargo.toml", section);
        assert!(passes("[dependencies]\nserde.workspace = true"));
        assert!(passes(
            "[dev-dependencies]\nserde = { workspace = true, features = [\n\"a\",\n] }"
        ));
        assert!(passes("[dependencies]\n# serde = \"1\""));
        assert!(!passes("[dependencies]\nserde = \"1\""));
        assert!(!passes("[build-dependencies]\nserde = { version = \"1\" }"));
        assert!(!passes("[target.'cfg(unix)'.dependencies]\nserde = \"1\""));
        assert!(!passes("[dependencies.serde]\nversion = \"1\""));
        assert!(!passes("[dependencies]\nserde.version = \"1\""));
        assert!(!passes("[dependencies]\nsession-core = { path = \"../session-core\" }"));
    }

    #[test]
    fn one_cycle_is_a_bare_path() {
        let core = |value| {
            passes(
                "session-core/Cargo.toml",
                &format!("[dev-dependencies]\nsession-testkit{value}"),
            )
        };
        assert!(core(" = { path = \"testkit\" }"));
        assert!(!core(" = { path = \"testkit\", version = \"0.1.0\" }"));
        assert!(!core(".workspace = true"));
        assert!(!passes("a/Cargo.toml", "[dev-dependencies]\nsession-testkit = { path = \"b\" }"));
    }

    #[test]
    fn an_outside_crate_has_a_reason() {
        let root = "[workspace.dependencies]\nours = { path = \"ours\" }\nserde = \"1\"\n";
        assert_eq!(check_reasons(root, "| `serde` | the JSON form |\n"), []);
        let findings = check_reasons(root, "We use `serde`.\n| `serde_json` | text |\n");
        assert_eq!((findings.len(), findings[0].line), (1, 3), "{findings:?}");
        assert!(findings[0].message.contains("`serde` has no row"), "{findings:?}");
    }
}
