//! Where things are by default: the XDG base directories, and what stands in for them.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::caller::Caller;
use crate::error::CliError;

/// Default places, as the caller's environment has them.
#[derive(Debug)]
pub(super) struct FromEnvironment<'a> {
    caller: &'a Caller,
}

impl<'a> FromEnvironment<'a> {
    pub(super) const fn new(caller: &'a Caller) -> Self {
        Self { caller }
    }

    /// Where sessions are kept.
    pub(super) fn data_dir(&self) -> Result<PathBuf, CliError> {
        self.base("XDG_DATA_HOME", ".local/share").map(|base| base.join("session")).ok_or_else(
            || {
                CliError::usage("there is no home directory to keep sessions in")
                    .hint("set HOME, or choose a place with --data-dir")
            },
        )
    }

    /// The configuration file.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.base("XDG_CONFIG_HOME", ".config").map(|base| base.join("session/config.toml"))
    }

    /// Where the supervisor listens; `suffix` tells stores apart that are not the default one.
    pub(super) fn runtime_dir(&self, suffix: Option<&str>) -> PathBuf {
        let suffix = suffix.map(|suffix| format!("-{suffix}")).unwrap_or_default();
        match self.absolute("XDG_RUNTIME_DIR") {
            Some(base) => base.join(format!("session{suffix}")),
            None => {
                let temporary = self.absolute("TMPDIR").unwrap_or_else(|| "/tmp".into());
                temporary.join(format!("session-{}{suffix}", self.caller.uid))
            }
        }
    }

    /// A base directory. The XDG specification has relative values ignored.
    fn base(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.absolute(variable).or_else(|| self.home().map(|home| home.join(below_home)))
    }

    /// `HOME`, else what the user database says.
    fn home(&self) -> Option<PathBuf> {
        self.absolute("HOME")
            .or_else(|| etcetera::home_dir().ok().filter(|home| home.is_absolute()))
    }

    fn absolute(&self, variable: &str) -> Option<PathBuf> {
        self.caller.path(variable).filter(|path| path.is_absolute())
    }
}

/// The absolute path without symbolic links, also of a directory that is not there yet: two spellings of one
/// directory must not look like two stores.
pub(super) fn resolved(path: &Path, caller: &Caller) -> Result<PathBuf, CliError> {
    let absolute = caller.absolute(path)?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(canonical) => {
                return Ok(missing
                    .iter()
                    .rev()
                    .fold(canonical, |path: PathBuf, name| path.join(name)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (Some(parent), Some(Component::Normal(name))) =
                    (existing.parent(), existing.components().next_back())
                else {
                    let message = format!("{} leads through what is not there", absolute.display());
                    return Err(CliError::usage(message).hint("use a path without `..`"));
                };
                missing.push(name.to_owned());
                existing = parent;
            }
            Err(error) => {
                return Err(CliError::io(&format!("looking for {}", absolute.display()), &error));
            }
        }
    }
}
