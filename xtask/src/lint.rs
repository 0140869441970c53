//! The `lint` verb: rustfmt, clippy and rustdoc over the whole workspace, warnings as errors.

use std::path::Path;

use crate::step::{Step, run_all};

/// The steps, also the first ones of `ci`.
pub const STEPS: &[Step] = &[
    Step::cargo(&["fmt", "--all", "--check"]),
    Step::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    Step { args: &["doc", "--workspace", "--no-deps"], env: Some(("RUSTDOCFLAGS", "-D warnings")) },
];

/// Runs the lints.
///
/// # Errors
///
/// The first step that fails.
pub fn run(root: &Path) -> anyhow::Result<()> {
    run_all(root, STEPS)
}
