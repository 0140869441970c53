//! Rules about where files stand and what they are called.

use crate::finding::Finding;

const FOLDERS: &[&str] = &[
    "benches",
    "session-cli",
    "session-core",
    "session-jsonl",
    "session-pty",
    "session-sql",
    "xtask",
];

const FILES: &[&str] = &["Cargo.lock", "LICENSE"];

/// Names that say nothing, and so attract everything.
const DRAWERS: &[&str] = &["common", "helper", "manager", "misc", "util"];

/// Every broken rule about the paths of a tree.
pub(super) fn check<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in paths {
        if !is_agreed(path) {
            let message = format!(
                "not an agreed top-level entry: the folders are {}, and beside them stand \
                 dot-folders, Markdown and TOML files, LICENSE and Cargo.lock",
                FOLDERS.join(", ")
            );
            findings.push(Finding::about(path, message));
        }
        if let Some(drawer) = drawer(path) {
            let message =
                format!("{drawer:?} is a drawer, not a subject: name what the file is about");
            findings.push(Finding::about(path, message));
        }
    }
    findings
}

fn is_agreed(path: &str) -> bool {
    match path.split_once('/') {
        Some((folder, _)) => folder.starts_with('.') || FOLDERS.contains(&folder),
        None => {
            path.ends_with(".md")
                || path.ends_with(".toml")
                || path == ".gitignore"
                || FILES.contains(&path)
        }
    }
}

/// The part of a Rust file's path that is named for nothing in particular.
fn drawer(path: &str) -> Option<&str> {
    let mut parts = path.strip_suffix(".rs")?.split('/');
    parts.find(|part| part.split(['_', '-']).any(|word| DRAWERS.contains(&singular(word))))
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[track_caller]
    fn refused(path: &str, why: &str) {
        let findings = check([path].into_iter());
        assert!(
            matches!(&findings[..], [one] if one.message.contains(why)),
            "{path}: {findings:?}"
        );
    }

    #[test]
    fn the_top_level_is_agreed() {
        refused("docs/guide.md", "not an agreed top-level entry");
        refused("session-web/src/lib.rs", "not an agreed top-level entry");
        refused("Makefile", "not an agreed top-level entry");
        refused(".editorconfig", "not an agreed top-level entry");
        let paths =
            ["README.md", "deny.toml", "Cargo.lock", ".ci/run", "benches/a.rs", ".gitignore"];
        assert_eq!(check(paths.into_iter()), []);
    }

    #[test]
    fn a_file_is_named_for_its_subject() {
        for path in ["xtask/src/util.rs", "session-cli/tests/common/mod.rs", "benches/io_utils.rs"]
        {
            refused(path, "is a drawer");
        }
        refused("session-pty/src/session_manager.rs", "\"session_manager\" is a drawer");
        let fine =
            ["session-core/src/utility.rs", "session-core/src/commons.md", "xtask/miscible.rs"];
        assert_eq!(check(fine.into_iter()), []);
    }
}
