//! What SQLite reports, sorted by its result codes into what callers can act upon. Never by its texts.

use std::fs::File;
use std::path::Path;

use rusqlite::ffi::{
    self, SQLITE_ERROR, SQLITE_FULL, SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA,
    SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_WRITE,
};
use rusqlite::{Connection, ErrorCode};
use session_core::{Damage, StoreError};

use crate::errno;

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
    /// The same, once it is known from the connection on which it came whether there was no room: a limit on the size
    /// of files and a quota end a write as a full disk does, and can be lifted.
    pub(crate) fn explained(self, connection: &Connection) -> Self {
        let full = |error: &rusqlite::Error| {
            let extended = failure(error)?.extended_code;
            let writes = matches!(extended, SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE);
            (writes && errno::is_for_want_of_room(connection)).then(|| {
                rusqlite::Error::SqliteFailure(
                    ffi::Error::new(SQLITE_FULL),
                    Some(error.to_string()),
                )
            })
        };
        match self {
            Self::Statement(error) => Self::Statement(full(&error).unwrap_or(error)),
            Self::Commit(error) => Self::Commit(full(&error).unwrap_or(error)),
            Self::Refused(_) => self,
        }
    }

    /// A page that could not be read, as SQLite tells it in a text: the medium failed with this result code.
    pub(crate) fn unread(code: i32, text: &str) -> Self {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text.to_owned())).into()
    }

    /// Whether it is uncertain after this what is on the disk.
    ///
    /// A commit that finds no room has not been written as a whole and is rolled back: that is certain, and may
    /// be tried again. Any other failed commit, write or sync is not.
    pub(crate) fn is_uncertain(&self) -> bool {
        match self {
            Self::Refused(error) => matches!(error, StoreError::Poisoned),
            Self::Statement(error) => code(error) == Some(ErrorCode::SystemIoFailure),
            Self::Commit(error) => !matches!(
                code(error),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
        }
    }

    /// Whether somebody else kept it from happening who may be done soon.
    pub(crate) fn is_locked(&self) -> bool {
        match self {
            Self::Refused(error) => matches!(error, StoreError::Locked { .. }),
            Self::Statement(error) | Self::Commit(error) => {
                matches!(code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
        }
    }

    /// Whether something stands in the database that it cannot make sense of. A medium that fails says nothing of
    /// what stands on it.
    pub(crate) fn is_damage(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        match code(error) {
            _ if is_of_another_type(error) || is_of_another_schema(error) => true,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => true,
            Some(ErrorCode::SystemIoFailure) => {
                failure(error).is_some_and(|failure| is_damage_by_code(failure.extended_code))
            }
            _ => false,
        }
    }

    /// Whether it could not read something, because that is damaged or the medium fails.
    pub(crate) fn is_unreadable(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        self.is_damage() || code(error) == Some(ErrorCode::SystemIoFailure)
    }

    /// Whether a row was refused for what stands in it.
    pub(crate) fn is_constraint(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        code(error) == Some(ErrorCode::ConstraintViolation)
    }

    /// What SQLite reported, for everybody else whom it hit; `None` if it was not SQLite that refused.
    pub(crate) fn reported_again(&self) -> Option<Self> {
        let again = |error| {
            failure(error)
                .map(|code| rusqlite::Error::SqliteFailure(*code, Some(error.to_string())))
        };
        match self {
            Self::Refused(_) => None,
            Self::Statement(error) => again(error).map(Self::Statement),
            Self::Commit(error) => again(error).map(Self::Commit),
        }
    }

    /// Whether the database, or what SQLite needs beside it, could not be opened. Want of room is something else: it
    /// ends, and it keeps nobody from writing who has those files already.
    pub(crate) fn is_cannot_open(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        matches!(code(error), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    }

    /// What the caller is told: `operation` on the database at `path` failed.
    pub(crate) fn told(self, operation: &'static str, path: &Path) -> StoreError {
        let is_unsure = matches!(self, Self::Commit(_)) && self.is_uncertain();
        let error = match self {
            Self::Refused(error) => return error,
            Self::Statement(error) | Self::Commit(error) => error,
        };
        if is_of_another_type(&error) {
            let (place, reason) = (path.display().to_string(), error.to_string());
            return StoreError::Corrupt { place, reason };
        }
        if is_of_another_schema(&error) {
            let reason = format!("its schema is not that of a store: {error}");
            return StoreError::Corrupt { place: path.display().to_string(), reason };
        }
        let (path, extended) = (path.to_owned(), failure(&error).map(|f| f.extended_code));
        match code(&error) {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreError::Locked { path, holder: None },
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { path, source: None },
            Some(ErrorCode::TooBig) => StoreError::Unsupported {
                what: "keep a session or a record of more than a gigabyte",
            },
            // It finds no room for its shared memory file, whatever the reason.
            Some(ErrorCode::SystemIoFailure) if extended == Some(SQLITE_IOERR_SHMSIZE) => {
                StoreError::DiskFull { path, source: None }
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
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path, source: None },
            Some(ErrorCode::PermissionDenied) => {
                StoreError::PermissionDenied { path, source: None }
            }
            // The code says no more; the directory may (too many open files, gone, forbidden). The database
            // itself must not be opened to find out: closing it would drop SQLite's locks on it.
            Some(ErrorCode::CannotOpen) => match path.parent().map(File::open) {
                Some(Err(source)) => StoreError::io(operation, path, source),
                _ => StoreError::PermissionDenied { path, source: None },
            },
            _ if is_unsure => StoreError::backend(operation, Unsure(error)),
            _ => StoreError::backend(operation, error),
        }
    }
}

/// A commit failed that may be on the medium all the same, as when it could not be synced.
#[derive(Debug, thiserror::Error)]
#[error("what was to be written may be there all the same: look before trying again")]
struct Unsure(#[source] rusqlite::Error);

/// The error for a record that was asked for and cannot be read.
impl From<Damage> for SqlError {
    fn from(damage: Damage) -> Self {
        Self::Refused(StoreError::Corrupt { place: damage.place, reason: damage.reason })
    }
}

/// Whether SQLite takes for a failed read what the file system says of the content: that it ends too early, or does not
/// agree with its checksum.
pub(crate) const fn is_damage_by_code(extended: i32) -> bool {
    matches!(extended, SQLITE_IOERR_SHORT_READ | SQLITE_IOERR_DATA | SQLITE_IOERR_CORRUPTFS)
}

/// Whether a column holds something that only a damaged page can hold, as all tables are strict.
fn is_of_another_type(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

/// How SQLite says in words alone that an index, or the table of the text index, is not that of a store.
const OTHER_SCHEMA: [&str; 6] = [
    "no such index",
    "no query solution",
    "unrecognized option",
    "no such tokenizer",
    "malformed ",
    "vtable constructor failed",
];

/// Whether a statement makes no sense: all of them do where tables, columns and indexes are those of a store.
fn is_of_another_schema(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqlInputError { .. } => true,
        rusqlite::Error::SqliteFailure(failure, Some(message)) => {
            failure.extended_code == SQLITE_ERROR
                && OTHER_SCHEMA.iter().any(|words| message.starts_with(words))
        }
        _ => false,
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
