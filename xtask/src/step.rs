//! Runs one command of a chore, says that it does, and measures it.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// One cargo invocation of a chore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Arguments to cargo.
    pub args: &'static [&'static str],
    /// One environment variable to set, where the tool takes its strictness from there.
    pub env: Option<(&'static str, &'static str)>,
}

impl Step {
    /// A step that runs cargo with these arguments.
    pub const fn cargo(args: &'static [&'static str]) -> Self {
        Self { args, env: None }
    }

    /// What one would type to run this step by hand.
    pub fn command_line(&self) -> String {
        let env = self.env.map(|(key, value)| format!("{key}=\"{value}\" ")).unwrap_or_default();
        format!("{env}cargo {}", self.args.join(" "))
    }
}

/// Runs the steps in order, stops at the first that fails, and ends with the time of each.
///
/// # Errors
///
/// The failing step, as one would type it.
pub fn run_all(root: &Path, steps: &[Step]) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for step in steps {
        println!("==> {}", step.command_line());
        times.push((step.command_line(), run(root, step)?));
    }
    println!();
    for (what, time) in times {
        println!("{:>8.1} s  {what}", time.as_secs_f64());
    }
    Ok(())
}

/// Starts cargo again; `CARGO` names the one that started us, so that toolchains cannot mix.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    command
}

fn run(root: &Path, step: &Step) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let status = cargo(root)
        .args(step.args)
        .envs(step.env)
        .status()
        .with_context(|| format!("cannot start: {}", step.command_line()))?;
    judge(step, status, started.elapsed())
}

fn judge(step: &Step, status: ExitStatus, time: Duration) -> anyhow::Result<Duration> {
    if !status.success() {
        bail!("failed after {time:.1?} ({status}): {}", step.command_line());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use super::{Step, judge, run_all};

    const VERSION: Step = Step::cargo(&["--version"]);

    #[test]
    fn a_step_reads_as_it_would_be_typed() {
        let step = Step { args: &["doc", "--no-deps"], env: Some(("RUSTDOCFLAGS", "-D warnings")) };
        assert_eq!(step.command_line(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }

    #[test]
    fn a_step_that_fails_is_named() {
        let judged = |program| {
            judge(&VERSION, Command::new(program).status().unwrap(), Duration::from_secs(2))
        };
        assert_eq!(judged("true").unwrap(), Duration::from_secs(2));
        let error = judged("false").unwrap_err().to_string();
        assert!(error.starts_with("failed after 2.0s"), "{error}");
        assert!(error.ends_with("cargo --version"), "{error}");
    }

    #[test]
    fn steps_run_in_the_workspace() {
        run_all(&crate::workspace::root(), &[VERSION]).unwrap();
        let error = run_all(Path::new("no/such/folder"), &[VERSION]).unwrap_err().to_string();
        assert_eq!(error, "cannot start: cargo --version");
    }
}
