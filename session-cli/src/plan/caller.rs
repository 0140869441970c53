//! What the process was given from outside: environment, directory, file creation mask, terminals.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Everything that a command knows of its surroundings. Read once, when the process has one thread.
///
/// Its `Debug` form keeps the variables to itself.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// The working directory, if it still exists.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) umask: u32,
    pub(crate) uid: u32,
    pub(crate) stdin_is_terminal: bool,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("directory", &self.directory)
            .field("umask", &self.umask)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// Looks around.
    pub(crate) fn capture() -> Self {
        // The mask can only be read by changing it, which is why this happens before any thread begins.
        let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        rustix::process::umask(mask);
        Self {
            variables: std::env::vars_os().collect(),
            directory: std::env::current_dir().ok(),
            umask: mask.as_raw_mode(),
            uid: rustix::process::geteuid().as_raw(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// A variable; one that is empty counts as not set.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A variable that holds a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from)
    }

    /// A variable that holds text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, CliError> {
        let Some(value) = self.variable(name) else { return Ok(None) };
        let text =
            value.to_str().ok_or_else(|| CliError::usage(format!("{name} is not valid UTF-8")));
        text.map(|text| Some(text.to_owned()))
    }

    /// The path, seen from the working directory.
    pub(crate) fn absolute(&self, path: &Path) -> Result<PathBuf, CliError> {
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let directory = self.directory.as_ref().ok_or_else(|| {
            CliError::usage(format!(
                "{} is relative, and the working directory is gone",
                path.display()
            ))
        })?;
        Ok(directory.join(path))
    }

    /// Whether a person sits at both ends.
    pub(crate) const fn is_at_terminal(&self) -> bool {
        self.stdin_is_terminal && self.stdout_is_terminal
    }
}
