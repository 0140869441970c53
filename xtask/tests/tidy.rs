//! The real tree keeps the house rules, and `tidy` sees every kind of file in it.

use xtask::workspace::root;

#[test]
fn the_tree_is_tidy() {
    let report = xtask::tidy::run(&root()).unwrap_or_else(|error| panic!("{error}"));
    println!("{report}");
}

#[test]
fn each_kind_of_file_reaches_its_rules() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = [
        file("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\n"),
        file("README.md", "one \n"),
        file("docs/a.md", "one\n"),
        file("session-core/src/store.rs", "//! Why.\n/// STORE-01: a.\n"),
        file("session-core/testkit/src/lib.rs", "//! Why.\n/// STORE-02\n"),
        file("xtask/Cargo.toml", "[package]\n"),
        file("xtask/src/main.rs", "fn main() {}\n"),
    ];
    let findings = xtask::tidy::check(&files).into_iter().map(|finding| finding.to_string());
    // One for each case: the document is not there.
    let (retold, findings): (Vec<_>, Vec<_>) =
        findings.partition(|finding| finding.starts_with("session-core/testkit/RETOLD.md"));
    assert!(retold.len() > 1, "{retold:?}");
    let starts = [
        "Cargo.toml:2: `serde` has no row",
        "README.md:1: white space",
        "docs/a.md:1: not an agreed top-level entry",
        "session-core/src/store.rs:2: STORE-01 is promised",
        "session-core/testkit/src/lib.rs:2: STORE-02 is checked",
        "xtask/Cargo.toml:1: no `[lints]",
        "xtask/src/main.rs:1: begin with",
    ];
    assert_eq!(findings.len(), starts.len(), "{findings:#?}");
    for (finding, start) in findings.iter().zip(starts) {
        assert!(finding.starts_with(start), "{finding:?} is not about {start:?}");
    }
}
