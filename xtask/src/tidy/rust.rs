//! Rules about one Rust file: how it begins, how long it is, and what may not stand in it.

use crate::finding::Finding;
use crate::source::{Line, split};

const MAX_LINES: usize = 600;

/// Every broken rule of one Rust file.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        let message = "begin with a `//!` line that says why this file exists";
        findings.push(Finding::at(path, 1, message));
    }
    let lines = split(text);
    if lines.len() > MAX_LINES {
        let message = format!(
            "{} lines, and {MAX_LINES} is the limit: look for the second reason that this file \
             has to exist, and give it a file of its own",
            lines.len()
        );
        findings.push(Finding::at(path, MAX_LINES + 1, message));
    }
    let test_file = is_test_file(path);
    for (line, number) in lines.iter().zip(1..) {
        let complaints = check_line(line, test_file);
        findings.extend(complaints.map(|message| Finding::at(path, number, message)));
    }
    for (raw, number) in text.lines().zip(1..) {
        if raw.contains('\t') {
            findings.push(Finding::at(path, number, "a tab: indent with spaces, write `\\t`"));
        }
    }
    findings
}

fn check_line(line: &Line, test_file: bool) -> impl Iterator<Item = &'static str> {
    let has = |part: &str| line.code.contains(part);
    let unfinished = has("todo!") || has("unimplemented!");
    let marked = ["FIXME", "XXX"].iter().any(|mark| words(&line.comment).any(|word| word == *mark));
    let sleeps = has("thread::sleep") || has("time::sleep");
    let allows = has("#[allow(") || has("#![allow(");
    let rules = [
        (unfinished, "unfinished code: finish it, or return a typed refusal"),
        (marked, "an unfinished thought: settle it, or open an issue and say what holds today"),
        (
            sleeps && (test_file || line.in_test_item),
            "a test that sleeps is slow on a good day and wrong on a bad one: wait for the event, \
             with a deadline",
        ),
        (has("#[ignore"), "an ignored test tests nothing: fix it, or assert what happens today"),
        (allows, "write `#[expect(.., reason = \"..\")]`, which complains once it is not needed"),
    ];
    rules.into_iter().filter_map(|(broken, message)| broken.then_some(message))
}

/// Whether a whole file is test code, going by where it stands.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "testkit" | "tests.rs"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use super::check;

    /// The complaint about line 2 of a file that is fine otherwise.
    fn second_line(path: &str, line: &str) -> Option<String> {
        let findings = check(path, &format!("//! Says why.\n{line}\n"));
        assert!(findings.len() <= 1 && findings.iter().all(|f| f.line == 2), "{findings:?}");
        findings.into_iter().next().map(|finding| finding.message)
    }

    #[track_caller]
    fn refused(path: &str, line: &str, why: &str) {
        let message = second_line(path, line).unwrap_or_else(|| panic!("{line:?} passed"));
        assert!(message.contains(why), "{line:?}: {message}");
    }

    #[track_caller]
    fn fine(path: &str, line: &str) {
        assert_eq!(second_line(path, line), None, "{line:?}");
    }

    #[test]
    fn a_file_begins_by_saying_why_it_exists() {
        assert_eq!(check("a.rs", "//! Why.\nfn a() {}\n"), []);
        assert_eq!(check("a.rs", "\n//! Why.\n")[0].line, 1);
        assert!(check("a.rs", "use b;\n")[0].message.contains("why this file exists"));
    }

    #[test]
    fn a_long_file_is_asked_for_its_second_reason() {
        let file = |lines: usize| "//! Why.\n".to_owned() + &"// a\n".repeat(lines - 1);
        assert_eq!(check("a.rs", &file(600)), []);
        let findings = check("a.rs", &file(601));
        assert!(findings[0].message.contains("601 lines"), "{findings:?}");
        assert!(findings[0].message.contains("second reason"), "{findings:?}");
    }

    #[test]
    fn unfinished_code_is_refused_but_may_be_talked_about() {
        refused("a.rs", "    todo!()", "unfinished code");
        refused("a.rs", "    unimplemented!(\"later\")", "unfinished code");
        refused("a.rs", "// FIXME: later", "unfinished thought");
        refused("a.rs", "f(); /* XXX */", "unfinished thought");
        fine("a.rs", "let name = \"todo! FIXME XXX\";");
        fine("a.rs", "// `mktemp` wants a name in XXXXXX; todo! is for later");
    }

    #[test]
    fn tests_do_not_sleep() {
        for path in ["a/tests/b.rs", "session-core/testkit/src/b.rs", "a/src/b/tests.rs"] {
            refused(path, "std::thread::sleep(pause);", "wait for the event");
            refused(path, "tokio::time::sleep(pause).await;", "wait for the event");
        }
        fine("a/src/b.rs", "std::thread::sleep(pause);");
        let inside = "//! Why.\n#[cfg(test)]\nmod tests {\n    fn a() { thread::sleep(b); }\n}\n";
        assert_eq!(check("a/src/b.rs", inside)[0].line, 4);
    }

    #[test]
    fn exceptions_are_expected_and_tests_are_run() {
        refused("a.rs", "#[allow(dead_code)]", "expect");
        refused("a.rs", "#![allow(dead_code, reason = \"b\")]", "expect");
        fine("a.rs", "#[expect(dead_code, reason = \"b\")]");
        refused("a.rs", "#[ignore]", "tests nothing");
        refused("a.rs", "    #[ignore = \"slow\"]", "tests nothing");
        refused("a.rs", "\tf();", "a tab");
    }
}
