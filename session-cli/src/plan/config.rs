//! The configuration file: a handful of values in TOML, each also a flag or a variable.

use std::path::PathBuf;

use serde::Deserialize;

use super::caller::Caller;
use super::directories::FromEnvironment;
use crate::error::CliError;

/// What the file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// `sqlite` or `jsonl`.
    pub(super) store: Option<String>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) runtime_dir: Option<PathBuf>,
    /// The key that detaches, such as `C-]`.
    pub(super) detach_key: Option<String>,
    /// Lines of history that a terminal gets when it attaches.
    pub(super) scrollback: Option<u32>,
    /// `full` or `normal`.
    pub(super) durability: Option<String>,
}

impl Config {
    /// Reads the file that `SESSION_CONFIG` names, which must be there, or the one at its usual place, which need
    /// not. Returns where it is, or would be.
    pub(super) fn load(
        environment: &FromEnvironment<'_>,
        caller: &Caller,
    ) -> Result<(Option<PathBuf>, Self), CliError> {
        let named = caller.path("SESSION_CONFIG").map(|path| caller.absolute(&path)).transpose()?;
        let must_exist = named.is_some();
        let Some(path) = named.or_else(|| environment.config_file()) else {
            return Ok((None, Self::default()));
        };
        let config = match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|(line, column, reason)| {
                CliError::usage(format!("{}:{line}:{column}: {reason}", path.display()))
                    .hint("correct the configuration, or name another one in SESSION_CONFIG")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {
                Self::default()
            }
            Err(error) => {
                let message = format!("cannot read the configuration {}: {error}", path.display());
                return Err(CliError::usage(message).hint("SESSION_CONFIG names the file to read"));
            }
        };
        Ok((Some(path), config))
    }

    /// Reads the text; an error comes with line and column, counted from 1.
    fn parse(text: &str) -> Result<Self, (usize, usize, String)> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let before = &text.as_bytes()[..at];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
            (line, column, error.message().replace('\n', " "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_are_read() {
        let text = "store = 'jsonl'\ndata_dir = '/d'\nruntime_dir = '/r'\ndetach_key = 'C-]'\n\
                    durability = 'normal'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.store.as_deref(), Some("jsonl"));
        assert_eq!(config.data_dir, Some("/d".into()));
        assert_eq!(config.runtime_dir, Some("/r".into()));
        assert_eq!(config.detach_key.as_deref(), Some("C-]"));
        assert_eq!(config.durability.as_deref(), Some("normal"));
    }

    #[test]
    fn a_broken_file_is_told_by_line_and_column() {
        let (line, column, _) = Config::parse("store = 'jsonl'\ndata_dir = = 1\n").unwrap_err();
        assert_eq!((line, column), (2, 12));
        let (line, column, reason) = Config::parse("\n  colour = 'red'\n").unwrap_err();
        assert_eq!((line, column), (2, 3));
        assert!(reason.contains("colour"), "{reason}");
    }
}
