//! What SQLite reports, sorted by its result codes into what callers can act upon. Never by its texts.

use std::fs::File;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{self, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
use session_core::{Damage, StoreError};

/// Why something inside this crate failed, before the caller is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    /// The contract refuses it, or the kind is known already.
    #[error(transparent)]
    Refused(#[from] StoreError),
    /// A statement failed; its transaction is rolled back.
    #[error(transparent)]
    Statement(#[from] rusqlite::Error),
    /// The commit itself failed.
    #[error(transparent)]
    Commit(rusqlite::Error),
}

impl SqlError {
    /// Whether it is uncertain after this what is on the disk.
    ///
    /// A commit that finds no room has not been written as a whole and is rolled back: that is certain, and may
    /// be tried again. Any other failed commit, write or sync is not.
    pub(crate) fn is_uncertain(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Statement(error) => code(error) == Some(ErrorCode::SystemIoFailure),
            Self::Commit(error) => !matches!(
                code(error),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
        }
    }

    /// Whether the database, or what SQLite needs beside it, could not be opened, for want of room included.
    pub(crate) fn is_cannot_open(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        match code(error) {
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DiskFull) => true,
            _ => {
                failure(error).is_some_and(|failure| failure.extended_code == SQLITE_IOERR_SHMSIZE)
            }
        }
    }

    /// What the caller is told: `operation` on the database at `path` failed.
    pub(crate) fn told(self, operation: &'static str, path: &Path) -> StoreError {
        let error = match self {
            Self::Refused(error) => return error,
            Self::Statement(error) | Self::Commit(error) => error,
        };
        let (path, extended) = (path.to_owned(), failure(&error).map(|f| f.extended_code));
        match code(&error) {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreError::Locked { path, holder: None },
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { path },
            // SQLite reports ENOSPC as full, but a quota and a file size limit as a failed write, and any of
            // them as this when it finds no room for its shared memory file.
            Some(ErrorCode::SystemIoFailure)
                if matches!(extended, Some(SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE)) =>
            {
                StoreError::DiskFull { path }
            }
            Some(ErrorCode::NotADatabase) => {
                StoreError::NotAStore { path, reason: "it is no SQLite database".to_owned() }
            }
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt {
                place: path.display().to_string(),
                reason: format!(
                    "SQLite found a damaged page (result code {})",
                    extended.unwrap_or(0)
                ),
            },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::PermissionDenied) => StoreError::PermissionDenied { path },
            // The code says no more; the directory may (too many open files, gone, forbidden). The database
            // itself must not be opened to find out: closing it would drop SQLite's locks on it.
            Some(ErrorCode::CannotOpen) => match path.parent().map(File::open) {
                Some(Err(source)) => StoreError::io(operation, path, source),
                _ => StoreError::PermissionDenied { path },
            },
            _ => StoreError::backend(operation, error),
        }
    }
}

/// The error for a record that was asked for and cannot be read.
impl From<Damage> for SqlError {
    fn from(damage: Damage) -> Self {
        Self::Refused(StoreError::Corrupt { place: damage.place, reason: damage.reason })
    }
}

fn failure(error: &rusqlite::Error) -> Option<&ffi::Error> {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure),
        rusqlite::Error::SqlInputError { error, .. } => Some(error),
        _ => None,
    }
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    failure(error).map(|failure| failure.code)
}
