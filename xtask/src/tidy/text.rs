//! Rules about any text: how lines and files end, and paths of somebody's machine.

use crate::finding::Finding;

/// Names of people that examples are about. Somebody else's home is taken for a real one.
const EXAMPLES: &[&str] =
    &["alice", "ana", "bob", "dev", "example", "me", "somebody", "someone", "u", "user", "you"];

/// Every broken rule of one file.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_fixture(path) {
        // Recorded bytes of other programs stay as they were recorded.
        return findings;
    }
    for (line, number) in text.lines().zip(1..) {
        if let Some(home) = somebodys_home(line) {
            let message =
                format!("{home:?} is a path of one machine: use a relative path, or an example");
            findings.push(Finding::at(path, number, message));
        }
        if is_written_by_hand(path) && line.ends_with([' ', '\t']) {
            findings.push(Finding::at(path, number, "white space at the end of the line"));
        }
    }
    if is_written_by_hand(path) && !text.is_empty() && !text.ends_with('\n') {
        let message = "the last line does not end";
        findings.push(Finding::at(path, text.lines().count(), message));
    }
    findings
}

fn is_fixture(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "fixtures" | "snapshots" | "transcripts"))
}

fn is_written_by_hand(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, extension)) => {
            matches!(extension, "gitignore" | "md" | "rs" | "sh" | "sql" | "toml" | "yaml" | "yml")
        }
        None => true,
    }
}

/// The first home directory of a line that is nobody's example.
fn somebodys_home(line: &str) -> Option<&str> {
    for start in ["/home/", "/Users/", "/root/"] {
        for (at, _) in line.match_indices(start) {
            // `~/home/a`, `$DIR/home/a` and `docs/home/a` are no absolute paths.
            let inner = |c: char| c.is_alphanumeric() || "._-~}".contains(c);
            if line[..at].ends_with(inner) {
                continue;
            }
            let rest = &line[at + start.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && !"._-".contains(c));
            let name = &rest[..end.unwrap_or(rest.len())];
            let is_real = if start == "/root/" { !name.is_empty() } else { is_real_name(name) };
            if is_real {
                return Some(&line[at..at + start.len() + name.len()]);
            }
        }
    }
    None
}

fn is_real_name(name: &str) -> bool {
    !name.is_empty() && !EXAMPLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::check;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(path: &str, text: &str, why: &str) {
        let messages = messages(path, text);
        assert!(matches!(&messages[..], [one] if one.contains(why)), "{text:?}: {messages:?}");
    }

    #[track_caller]
    fn fine(path: &str, text: &str) {
        assert_eq!(messages(path, text), [""; 0], "{text:?}");
    }

    #[test]
    fn lines_and_files_end_properly() {
        refused("a.md", "one\ntwo \n", "a.md:2: white space");
        refused("a.rs", "one\t\ntwo\n", "a.rs:1: white space");
        refused("LICENSE", "one\ntwo", "LICENSE:2: the last line does not end");
        refused(".ci/run", "one \n", ".ci/run:1: white space");
        fine("a.md", "one\n\ntwo\n");
        fine("a/mod.toml", "");
    }

    #[test]
    fn recorded_bytes_are_left_alone() {
        let recorded = concat!("{\"cwd\":\"/ho", "me/carol/x\"} ");
        fine("session-jsonl/tests/fixtures/codex.jsonl", recorded);
        fine("docs/a.svg", "one ");
        refused("docs/a.svg", recorded, "path of one machine");
    }

    #[test]
    fn nobodys_home_leaks() {
        for (folder, name) in [("home", "carol"), ("Users", "carol"), ("root", ".config")] {
            refused("a.rs", &format!("f(\"/{folder}/{name}/src\");\n"), "path of one machine");
        }
        fine("a.md", "Say `/home/you/project`, `/home/user`, or `/Users/me`.\n");
        fine("a.md", "`/home/<name>`, `/home/$USER`, `/home/*`, `/root/` alone, docs/home/page\n");
        let second = format!("/home/me and /{}/carol\n", "home");
        refused("a.md", &second, "carol");
    }
}
