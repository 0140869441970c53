//! Why a file could not be read, apart from what the store makes of it: a listing reports it, a lookup fails.

use std::io;
use std::path::{Path, PathBuf};

use session_core::{Damage, StoreError};

use crate::SCHEMA_VERSION;

/// Why a file of the store could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{} failed for {}", operation, path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is not a directory", path.display())]
    NotADirectory { path: PathBuf },
    #[error("{} has format version {found}", path.display())]
    Newer { path: PathBuf, found: i64 },
    #[error("{} is damaged: {}", .0.place, .0.reason)]
    Damaged(Damage),
}

impl ReadError {
    /// What the operating system said about `path`, during `operation`.
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }

    /// Whether the same call may well succeed another time. Until then nobody knows what the file holds, so it
    /// must not be taken for a session that is not there.
    pub(crate) const fn is_io(&self) -> bool {
        matches!(self, Self::Io { .. })
    }

    /// The same as a line of a listing's report.
    pub(crate) fn into_damage(self) -> Damage {
        self.to_damage()
    }

    /// The same as a line of a listing's report.
    pub(crate) fn to_damage(&self) -> Damage {
        let at = |path: &Path| path.display().to_string();
        match self {
            Self::Io { path, operation, source } => {
                Damage { place: at(path), reason: format!("{operation} failed: {source}") }
            }
            Self::NotAFile { path } => {
                Damage { place: at(path), reason: "not a regular file".to_owned() }
            }
            Self::NotADirectory { path } => {
                Damage { place: at(path), reason: "not a directory".to_owned() }
            }
            Self::Newer { path, found } => Damage {
                place: at(path),
                reason: format!(
                    "format version {found}, this program knows versions up to {SCHEMA_VERSION}"
                ),
            },
            Self::Damaged(damage) => damage.clone(),
        }
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { operation, path, source } => Self::io(operation, path, source),
            ReadError::Newer { path, found } => {
                Self::NewerVersion { path, found, supported: SCHEMA_VERSION }
            }
            ReadError::NotAFile { .. }
            | ReadError::NotADirectory { .. }
            | ReadError::Damaged(_) => {
                let Damage { place, reason } = error.into_damage();
                Self::Corrupt { place, reason }
            }
        }
    }
}
