//! The `ci` verb: what a merge needs, in the order that fails soonest.

use std::path::Path;

use crate::lint;
use crate::step::{Step, run_all};

const AFTER_LINT: &[Step] =
    &[Step::cargo(&["test"]), Step::cargo(&["bench", "--workspace", "--", "--test"])];

/// Runs the lints, all tests, and every bench once.
///
/// # Errors
///
/// The first step that fails.
pub fn run(root: &Path) -> anyhow::Result<()> {
    run_all(root, &[lint::STEPS, AFTER_LINT].concat())
}
