//! Each adapter stands on the core alone: a stranger's crate with just those two dependencies builds,
//! runs the adapter's front-page example, and gets no other adapter with them.

#![expect(
    clippy::unwrap_used,
    reason = "here, what goes wrong while preparing a test fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use serde_json::Value;
use xtask::workspace;

#[test]
fn sql_needs_the_core_alone() {
    check("session-sql", &["session-jsonl", "session-pty", "tokio"]);
}

#[test]
fn jsonl_needs_the_core_alone() {
    check("session-jsonl", &["session-sql", "session-pty", "rusqlite", "tokio"]);
}

#[test]
fn pty_needs_the_core_alone() {
    check("session-pty", &["session-sql", "session-jsonl", "rusqlite"]);
}

/// Runs the front-page example of an adapter in a crate of its own, which none of the strangers may
/// come along into.
fn check(adapter: &str, strangers: &[&str]) {
    let lib = fs::read_to_string(workspace::root().join(adapter).join("src/lib.rs")).unwrap();
    let example = front_page_example(&lib)
        .unwrap_or_else(|| panic!("{adapter}/src/lib.rs begins with no example that runs"));
    let stranger = Stranger::new(adapter, &example);
    succeeded("the front-page example", stranger.cargo(&["run", "--offline", "--quiet"]));
    let packages = stranger.packages();
    for expected in ["session-core", adapter] {
        assert!(packages.contains(expected), "{expected} is not among {packages:?}");
    }
    for unwanted in strangers.iter().copied().chain(["session-cli", "session-testkit"]) {
        assert!(!packages.contains(unwanted), "{adapter} brings {unwanted}: {packages:?}");
    }
}

/// A crate outside of the workspace, gone when dropped.
struct Stranger {
    folder: PathBuf,
}

impl Stranger {
    fn new(adapter: &str, main: &str) -> Self {
        let root = workspace::root();
        let name = format!("standalone-{adapter}");
        let folder = env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let this = Self { folder };
        fs::create_dir_all(this.folder.join("src")).unwrap();
        let dependency = |name: &str| format!("{name} = {{ path = {:?} }}\n", root.join(name));
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{}{}\n[workspace]\n\n{}",
            dependency("session-core"),
            dependency(adapter),
            dev_profile(&fs::read_to_string(root.join("Cargo.toml")).unwrap()),
        );
        fs::write(this.folder.join("Cargo.toml"), manifest).unwrap();
        fs::write(this.folder.join("src/main.rs"), main).unwrap();
        // The same versions as in the workspace: they are tested there, and need no network here.
        fs::copy(root.join("Cargo.lock"), this.folder.join("Cargo.lock")).unwrap();
        this
    }

    fn cargo(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(&self.folder).stdin(Stdio::null());
        // What is built here is kept, and shared with the workspace wherever it is the same.
        command.env("CARGO_TARGET_DIR", target_dir());
        // The example is a stranger to whatever session the tests are run from.
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SESSION_"))
        {
            command.env_remove(name);
        }
        command.output().unwrap()
    }

    /// The packages that a build of this crate takes on this platform.
    fn packages(&self) -> BTreeSet<String> {
        let version = succeeded("cargo -vV", self.cargo(&["-vV"]));
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        // Without a platform, cargo would want the packages of all of them, which a build has not fetched.
        let args = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
        let metadata = succeeded("cargo metadata", self.cargo(&args));
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap().iter();
        let names: BTreeMap<_, _> = packages
            .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .collect();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
        nodes.map(|node| names[node["id"].as_str().unwrap()].to_owned()).collect()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary directory fails no promise.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The folder that cargo built this test into.
fn target_dir() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap().to_path_buf()
}

fn succeeded(what: &str, output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The sections of a manifest that say how development builds are made.
fn dev_profile(manifest: &str) -> String {
    let mut inside = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            inside = line.starts_with("[profile.dev");
        }
        inside
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The first Rust block of a crate's introduction as a program, made as rustdoc makes it.
fn front_page_example(lib: &str) -> Option<String> {
    let docs = lib.lines().map_while(|line| line.strip_prefix("//!"));
    let mut docs = docs.map(|line| line.strip_prefix(' ').unwrap_or(line));
    while let Some(line) = docs.next() {
        let Some(language) = line.trim().strip_prefix("```") else { continue };
        let block: Vec<_> = docs.by_ref().take_while(|line| line.trim() != "```").collect();
        if matches!(language, "" | "rust") {
            return Some(as_program(&block));
        }
    }
    None
}

fn as_program(block: &[&str]) -> String {
    let unhidden = block.iter().map(|line| match line.trim_start() {
        "#" => "",
        hidden if hidden.starts_with("# ") => &hidden[2..],
        escaped if escaped.starts_with("##") => &escaped[1..],
        _ => line,
    });
    let code = unhidden.collect::<Vec<_>>().join("\n");
    if code.contains("fn main(") {
        return code + "\n";
    }
    let (attributes, body): (Vec<&str>, Vec<&str>) =
        code.lines().partition(|line| line.starts_with("#!["));
    let (attributes, body) = (attributes.join("\n"), body.join("\n"));
    if body.trim_end().ends_with("(())") {
        // rustdoc, too, takes a last line of `Ok::<(), Error>(())` for a body that may use `?`.
        return format!(
            "{attributes}\nfn main() {{\n    fn inner() -> Result<(), impl std::fmt::Debug> {{\n\
             {body}\n    }}\n    inner().unwrap();\n}}\n"
        );
    }
    format!("{attributes}\nfn main() {{\n{body}\n}}\n")
}

#[test]
fn the_example_is_made_as_rustdoc_makes_it() {
    let example = |docs: &str| front_page_example(docs).unwrap();
    let page = "//! A store.\n//!\n//! ```text\n//! a -> b\n//! ```\n//! ```\n//! # use a::b;\n//! b();\n\
                //! #\n//! ##[c]\n//! ```\n//! ```\n//! second();\n//! ```\nuse d;\n";
    assert_eq!(example(page), "\nfn main() {\nuse a::b;\nb();\n\n#[c]\n}\n");
    assert_eq!(example("//! ```rust\n//! fn main() {}\n//! ```\n"), "fn main() {}\n");
    let fallible = example("//! ```\n//! #![a]\n//! b()?;\n//! # Ok::<(), C>(())\n//! ```\n");
    assert!(fallible.starts_with("#![a]\nfn main() {\n    fn inner() -> Result<"), "{fallible}");
    assert!(
        fallible.contains("\nb()?;\nOk::<(), C>(())\n    }\n    inner().unwrap();"),
        "{fallible}"
    );
    assert_eq!(front_page_example("//! ```no_run\n//! a();\n//! ```\n"), None);
    assert_eq!(front_page_example("//! A store.\nuse a;\n/// ```\n/// b();\n/// ```\n"), None);
}

#[test]
fn only_the_development_profile_is_taken_along() {
    let manifest = "[a]\nb = 1\n[profile.dev]\nc = 2\n\n[profile.dev.package.\"*\"]\nd = 3\n[profile.release]\ne = 4\n";
    assert_eq!(
        dev_profile(manifest),
        "[profile.dev]\nc = 2\n\n[profile.dev.package.\"*\"]\nd = 3\n"
    );
}
