//! The `layers` verb: which crate may know which, as one table, checked against the manifests.
//!
//! A dependency is how a layer leaks, so each one is allowed here by name. Cargo's own metadata is
//! read, by kind of dependency: a crate that a member uses in its tests alone is no part of its layer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::finding::Finding;
use crate::step::cargo;

/// What one member may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Package name.
    pub member: &'static str,
    /// Members that it may use, in its tests too.
    pub knows: &'static [&'static str],
    /// Members that only its tests may use.
    pub tests_know: &'static [&'static str],
    /// Crates from outside that it may use. Its tests may use others, within [`FENCES`].
    pub external: &'static [&'static str],
}

/// The allowed edges, bottom layer first.
pub const LAYERS: &[Layer] = &[
    Layer {
        member: "session-core",
        knows: &[],
        tests_know: &["session-testkit"],
        external: &["jiff", "serde", "serde_json", "thiserror", "ulid", "unicode-segmentation"],
    },
    Layer {
        member: "session-testkit",
        knows: &["session-core"],
        tests_know: &[],
        external: &["proptest", "proptest-state-machine", "serde_json"],
    },
    Layer {
        member: "session-sql",
        knows: &["session-core"],
        tests_know: &["session-testkit"],
        external: &["rusqlite", "serde", "serde_json", "thiserror"],
    },
    Layer {
        member: "session-jsonl",
        knows: &["session-core"],
        tests_know: &["session-testkit"],
        external: &["memchr", "rustix", "serde", "serde_json", "thiserror"],
    },
    Layer {
        member: "session-pty",
        knows: &["session-core"],
        tests_know: &["session-testkit"],
        external: &[
            "alacritty_terminal",
            "pty-process",
            "regex",
            "rustix",
            "serde",
            "serde_json",
            "signal-hook",
            "thiserror",
            "tokio",
            "toml",
            "vte",
        ],
    },
    Layer {
        member: "session-cli",
        knows: &["session-core", "session-sql", "session-jsonl", "session-pty"],
        tests_know: &["session-testkit"],
        external: &[
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "comfy-table",
            "etcetera",
            "jiff",
            "regex",
            "rustix",
            "serde",
            "serde_json",
            "thiserror",
            "toml",
            "ulid",
        ],
    },
    Layer {
        member: "session-benches",
        knows: &["session-core", "session-testkit", "session-sql", "session-jsonl", "session-pty"],
        tests_know: &[],
        external: &["rustix"],
    },
    Layer {
        member: "xtask",
        knows: &[],
        tests_know: &[],
        external: &["anyhow", "serde_json", "toml"],
    },
];

/// Crates whose use marks a layer: only these members may name them, not even in tests otherwise.
pub const FENCES: &[(&str, &[&str])] = &[
    ("clap", &["session-cli"]),
    ("clap_complete", &["session-cli"]),
    ("clap_mangen", &["session-cli"]),
    ("criterion", &["session-benches"]),
    ("rusqlite", &["session-sql", "session-benches"]),
    ("tokio", &["session-pty"]),
];

/// When a member needs a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// In the crate itself.
    Normal,
    /// In its tests, examples and benches.
    Dev,
    /// In its build script.
    Build,
}

/// One `[dependencies]` entry of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The member that has the entry.
    pub from: String,
    /// The crate that it names.
    pub to: String,
    /// The section that it stands in.
    pub kind: Kind,
    /// Whether the crate comes from a folder rather than a registry.
    pub local: bool,
}

/// The members and their direct dependencies, as the manifests have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Package name of each member, and the folder of its manifest from the root.
    pub members: BTreeMap<String, String>,
    /// Every dependency entry of every member.
    pub edges: Vec<Edge>,
}

/// Checks the workspace and returns its structure as a table.
///
/// # Errors
///
/// The edges that are not allowed, each with what to do about it.
pub fn run(root: &Path) -> anyhow::Result<String> {
    let graph = read(root)?;
    let findings = check(&graph);
    if findings.is_empty() {
        return Ok(table(&graph));
    }
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    bail!("{} edge(s) not allowed:\n{}", lines.len(), lines.join("\n"));
}

/// Reads the members and edges from cargo.
///
/// # Errors
///
/// When cargo fails or answers something else than its format 1.
pub fn read(root: &Path) -> anyhow::Result<Graph> {
    let output = cargo(root)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata = serde_json::from_slice(&output.stdout).context("output of cargo metadata")?;
    parse(&metadata).context("cargo metadata has an unexpected shape")
}

fn parse(metadata: &Value) -> Option<Graph> {
    let root = Path::new(metadata["workspace_root"].as_str()?);
    let mut graph = Graph::default();
    for package in metadata["packages"].as_array()? {
        let from = package["name"].as_str()?;
        let manifest = Path::new(package["manifest_path"].as_str()?).strip_prefix(root).ok()?;
        graph.members.insert(from.to_owned(), manifest.to_str()?.replace('\\', "/"));
        for dependency in package["dependencies"].as_array()? {
            graph.edges.push(Edge {
                from: from.to_owned(),
                to: dependency["name"].as_str()?.to_owned(),
                kind: match dependency["kind"].as_str() {
                    None => Kind::Normal,
                    Some("dev") => Kind::Dev,
                    Some("build") => Kind::Build,
                    Some(_) => return None,
                },
                local: dependency["source"].is_null(),
            });
        }
    }
    Some(graph)
}

/// The edges and members that the table does not allow.
pub fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (member, manifest) in &graph.members {
        if !LAYERS.iter().any(|layer| layer.member == member) {
            let message = format!("{member} is in no layer; {DECIDE}");
            findings.push(Finding::about(manifest, message));
        }
    }
    for edge in &graph.edges {
        if let (Some(manifest), Some(why)) = (graph.members.get(&edge.from), refusal(edge)) {
            let Edge { from, to, .. } = edge;
            findings.push(Finding::about(manifest, format!("{from} -> {to}: {why}; {DECIDE}")));
        }
    }
    findings
}

const DECIDE: &str = "a new edge is a decision: take it in ARCHITECTURE.md, where its reason stands, \
                      then in the table of xtask/src/layers.rs";

fn refusal(edge: &Edge) -> Option<String> {
    let layer = LAYERS.iter().find(|layer| layer.member == edge.from)?;
    let to = edge.to.as_str();
    if LAYERS.iter().any(|layer| layer.member == to) {
        return match edge.kind {
            _ if layer.knows.contains(&to) => None,
            Kind::Dev if layer.tests_know.contains(&to) => None,
            _ if layer.tests_know.contains(&to) => {
                Some("only tests of that crate may know this one".into())
            }
            _ => Some("the layers keep these two apart".into()),
        };
    }
    if edge.local {
        return Some("a crate in a folder that is no member".into());
    }
    if let Some((_, members)) = FENCES.iter().find(|(fenced, _)| *fenced == to)
        && !members.contains(&edge.from.as_str())
    {
        return Some(format!("only {} may name it, in tests as elsewhere", members.join(", ")));
    }
    (edge.kind != Kind::Dev && !layer.external.contains(&to))
        .then(|| "not among the outside crates of this layer".into())
}

/// The structure as it is, one row a crate, in the order of the layers.
pub fn table(graph: &Graph) -> String {
    let mut rows = vec![["crate", "knows", "in tests also", "from outside"].map(str::to_owned)];
    for layer in LAYERS.iter().filter(|layer| graph.members.contains_key(layer.member)) {
        let names = |kind, ours| {
            let edges = graph.edges.iter().filter(|edge| {
                edge.from == layer.member && edge.kind == kind && is_member(&edge.to) == ours
            });
            let names: BTreeSet<_> = edges.map(|edge| short(&edge.to)).collect();
            if names.is_empty() { "-".into() } else { Vec::from_iter(names).join(" ") }
        };
        rows.push([
            short(layer.member).to_owned(),
            names(Kind::Normal, true),
            names(Kind::Dev, true),
            names(Kind::Normal, false),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    let lines = rows.iter().map(|[name, knows, tests, outside]| {
        let arrow = if knows == "knows" || knows == "-" { "  " } else { "->" };
        format!("{name:a$}  {arrow} {knows:b$}   {tests:c$}   {outside}").trim_end().to_owned()
    });
    let edges = graph.edges.iter().filter(|edge| is_member(&edge.to)).count();
    let sum = format!("crates: {}, edges between them: {edges}, all allowed", graph.members.len());
    lines.chain(["".into(), sum]).collect::<Vec<_>>().join("\n")
}

fn is_member(name: &str) -> bool {
    LAYERS.iter().any(|layer| layer.member == name)
}

fn short(name: &str) -> &str {
    if is_member(name) { name.strip_prefix("session-").unwrap_or(name) } else { name }
}
