//! The real workspace keeps its layers, and each way to break one is noticed.

use xtask::layers::{Edge, Graph, Kind, LAYERS, check, read, run, table};
use xtask::workspace::root;

/// A workspace with every member of the table and one dependency.
fn with_edge(from: &str, to: &str, kind: Kind) -> Graph {
    let members =
        LAYERS.iter().map(|layer| (layer.member.into(), format!("{}.toml", layer.member)));
    let local = LAYERS.iter().any(|layer| layer.member == to);
    let edge = Edge { from: from.into(), to: to.into(), kind, local };
    Graph { members: members.collect(), edges: vec![edge] }
}

#[track_caller]
fn allowed(from: &str, to: &str, kind: Kind) {
    assert_eq!(check(&with_edge(from, to, kind)), [], "{from} -> {to}");
}

#[track_caller]
fn refused(from: &str, to: &str, kind: Kind, why: &str) {
    let findings = check(&with_edge(from, to, kind));
    let [finding] = &findings[..] else { panic!("{from} -> {to}: {findings:?}") };
    let text = finding.to_string();
    for part in [&format!("{from}.toml:1: {from} -> {to}: "), why, "ARCHITECTURE.md"] {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn the_workspace_keeps_its_layers() {
    let structure = run(&root()).unwrap_or_else(|error| panic!("{error}"));
    println!("{structure}");
    let graph = read(&root()).unwrap();
    let members: Vec<_> = graph.members.keys().map(String::as_str).collect();
    let mut expected: Vec<_> = LAYERS.iter().map(|layer| layer.member).collect();
    expected.sort_unstable();
    assert_eq!(members, expected, "the table names the members, no more and no fewer");
}

#[test]
fn adapters_know_the_core_and_never_each_other() {
    for from in ["session-sql", "session-jsonl", "session-pty"] {
        allowed(from, "session-core", Kind::Normal);
        for to in ["session-sql", "session-jsonl", "session-pty", "session-cli"] {
            refused(from, to, Kind::Normal, "keep these two apart");
            refused(from, to, Kind::Dev, "keep these two apart");
        }
    }
    refused("session-core", "session-sql", Kind::Normal, "keep these two apart");
    refused("xtask", "session-core", Kind::Dev, "keep these two apart");
}

#[test]
fn the_testkit_is_for_tests() {
    for from in ["session-core", "session-sql", "session-jsonl", "session-pty", "session-cli"] {
        allowed(from, "session-testkit", Kind::Dev);
        refused(from, "session-testkit", Kind::Normal, "only tests");
        refused(from, "session-testkit", Kind::Build, "only tests");
    }
    allowed("session-benches", "session-testkit", Kind::Normal);
    allowed("session-cli", "session-sql", Kind::Dev);
}

#[test]
fn outside_crates_are_listed_and_the_telling_ones_fenced() {
    allowed("session-core", "ulid", Kind::Normal);
    allowed("session-core", "proptest", Kind::Dev);
    refused("session-core", "proptest", Kind::Normal, "not among the outside crates");
    refused("session-core", "cc", Kind::Build, "not among the outside crates");
    refused("session-core", "tokio", Kind::Normal, "only session-pty may");
    refused("session-cli", "tokio", Kind::Dev, "only session-pty may");
    refused("session-jsonl", "rusqlite", Kind::Dev, "only session-sql, session-benches may");
    refused("session-sql", "clap", Kind::Normal, "only session-cli may");
    refused("session-sql", "criterion", Kind::Dev, "only session-benches may");
    allowed("session-benches", "rusqlite", Kind::Dev);
}

#[test]
fn a_stranger_in_the_workspace_is_noticed() {
    let mut graph = with_edge("session-core", "elsewhere", Kind::Dev);
    graph.edges[0].local = true;
    assert!(check(&graph)[0].message.contains("a folder that is no member"));
    graph.edges.clear();
    graph.members.insert("session-web".into(), "session-web/Cargo.toml".into());
    assert!(check(&graph)[0].message.contains("session-web is in no layer"));
}

#[test]
fn the_table_reads_from_the_bottom_up() {
    let text = table(&with_edge("session-sql", "session-core", Kind::Normal));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("crate "), "{text}");
    assert!(lines[1].starts_with("core "), "{text}");
    assert!(lines[3].starts_with("sql ") && lines[3].contains("-> core"), "{text}");
    assert_eq!(*lines.last().unwrap(), "crates: 8, edges between them: 1, all allowed");
}
