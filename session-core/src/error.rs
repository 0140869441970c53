//! What can go wrong with a store, in kinds that callers can act upon.

mod kind;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::{Revision, SessionId, SessionName, Status, Timestamp, TransitionError};

pub use kind::ErrorKind;

/// Why a store did not do what it was asked for. Nothing was changed unless the text says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No session answers to the selector.
    #[error("there is no session {selector}")]
    NotFound {
        /// What was looked for.
        selector: String,
    },
    /// Several sessions answer to the selector.
    #[error("{selector} could be any of {}", list(candidates))]
    Ambiguous {
        /// What was looked for.
        selector: String,
        /// Some of those that answer, newest first.
        candidates: Vec<(SessionId, Option<SessionName>)>,
    },
    /// Another session holds the name.
    #[error("the name {name} is held by session {holder}")]
    NameHeld {
        /// The name.
        name: SessionName,
        /// Who holds it.
        holder: SessionId,
    },
    /// A session with this id is already stored.
    #[error("session {id} exists already")]
    IdExists {
        /// The id.
        id: SessionId,
    },
    /// The record was changed since it was read.
    #[error("session {id} was changed meanwhile: expected revision {expected}, found {found}")]
    Conflict {
        /// The session.
        id: SessionId,
        /// The revision that the caller had read.
        expected: Revision,
        /// The revision that is stored.
        found: Revision,
    },
    /// The change of status is not legal.
    #[error("session {id} stays as it is")]
    Transition {
        /// The session.
        id: SessionId,
        /// From what to what.
        source: TransitionError,
    },
    /// The session is in the trash.
    #[error("session {id} is in the trash")]
    Trashed {
        /// The session.
        id: SessionId,
    },
    /// The session is not in the trash.
    #[error("session {id} is not in the trash")]
    NotTrashed {
        /// The session.
        id: SessionId,
    },
    /// The session was destroyed, and nothing brings it back.
    #[error("session {id} was destroyed at {at}")]
    Purged {
        /// The session.
        id: SessionId,
        /// When.
        at: Timestamp,
    },
    /// The session was ended for good, so nothing is added to it.
    #[error("session {id} is {status}")]
    Ended {
        /// The session.
        id: SessionId,
        /// How it ended: closed or expired.
        status: Status,
    },
    /// The program of the session still runs.
    #[error("the program of session {id} is still running")]
    StillRunning {
        /// The session.
        id: SessionId,
    },
    /// Programs of children still run.
    #[error("session {id} has running children: {}", list_ids(children))]
    RunningChildren {
        /// The session.
        id: SessionId,
        /// Its children with running programs.
        children: Vec<SessionId>,
    },
    /// A field that never changes was changed.
    #[error("{field} of session {id} never changes")]
    Immutable {
        /// The session.
        id: SessionId,
        /// The field.
        field: &'static str,
    },
    /// The session, an entry of its history or its tombstone is none that could be read back.
    #[error("session {id} cannot be stored: {reason}")]
    Invalid {
        /// The session.
        id: SessionId,
        /// Why not, with the name of the member that is at fault, where it is one.
        reason: Cow<'static, str>,
    },
    /// The cursor belongs to another query or to a state of the store that is gone.
    #[error("the cursor belongs to another listing")]
    StaleCursor,
    /// What is stored at a place cannot be read.
    #[error("{place} is damaged: {reason}")]
    Corrupt {
        /// File and position, or table and row.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// A newer version of the program wrote the store.
    #[error("{path} has format version {found}, this program knows versions up to {supported}")]
    NewerVersion {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        supported: i64,
    },
    /// Something stands at the store's place that is not a store of ours.
    #[error("{path} is not a session store: {reason}")]
    NotAStore {
        /// The place.
        path: PathBuf,
        /// What stands there.
        reason: String,
    },
    /// Another process holds the store for longer than the caller wanted to wait.
    #[error("{path} is locked{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Locked {
        /// What is locked.
        path: PathBuf,
        /// Who holds it, if that is known.
        holder: Option<String>,
    },
    /// There is no room left.
    #[error("no room left on the disk for {path}")]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// What the operating system said, if it was asked by us.
        source: Option<io::Error>,
    },
    /// Something stands where a file was to be made.
    #[error("{path} exists already")]
    TargetExists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system forbids it.
    #[error("no permission for {path}")]
    PermissionDenied {
        /// What was opened or written.
        path: PathBuf,
        /// What the operating system said, if it was asked by us.
        source: Option<io::Error>,
    },
    /// The store was opened for reading, or its medium allows no more.
    #[error("{path} can only be read")]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// What the operating system said; `None` when the store was opened for reading.
        source: Option<io::Error>,
    },
    /// This backend cannot do it.
    #[error("this store cannot {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// A write or sync failed earlier: what is on the disk is uncertain until the store is opened anew.
    #[error("the store failed earlier and must be opened anew")]
    Poisoned,
    /// This handle on the store was closed by its owner; the store can be opened anew.
    #[error("the store is closed")]
    StoreClosed,
    /// Anything else that the operating system reports.
    #[error("{operation} failed for {path}")]
    Io {
        /// What the store was doing.
        operation: &'static str,
        /// What it was doing it with.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Anything else that the backend reports.
    #[error("{operation} failed")]
    Backend {
        /// What the store was doing.
        operation: &'static str,
        /// What the backend said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// A backend's own error, during `operation`.
    pub fn backend(
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Backend { operation, source: source.into() }
    }

    /// What the operating system said about `path`, during `operation`. It is the source of what comes of it.
    #[must_use]
    pub fn io(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = path.into();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                Self::DiskFull { path, source: Some(source) }
            }
            Kind::PermissionDenied => Self::PermissionDenied { path, source: Some(source) },
            Kind::ReadOnlyFilesystem => Self::ReadOnly { path, source: Some(source) },
            _ => Self::Io { operation, path, source },
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::Trashed { .. } | Self::NotTrashed { .. } => {
                ErrorKind::NotFound
            }
            Self::Purged { .. } => ErrorKind::Gone,
            Self::Ambiguous { .. } => ErrorKind::Ambiguous,
            Self::NameHeld { .. } | Self::IdExists { .. } | Self::TargetExists { .. } => {
                ErrorKind::Exists
            }
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Transition { source: TransitionError { from: status, .. }, .. }
            | Self::Ended { status, .. } => match status {
                Status::Expired => ErrorKind::Expired,
                Status::Closed => ErrorKind::Closed,
                _ => ErrorKind::NotRunning,
            },
            Self::StillRunning { .. } => ErrorKind::StillRunning,
            Self::RunningChildren { .. } => ErrorKind::RunningChildren,
            Self::Immutable { .. } | Self::Invalid { .. } => ErrorKind::Usage,
            Self::StaleCursor => ErrorKind::StaleCursor,
            Self::Corrupt { .. } | Self::NotAStore { .. } => ErrorKind::Corrupt,
            Self::NewerVersion { .. } => ErrorKind::NewerVersion,
            Self::Locked { .. } => ErrorKind::Locked,
            Self::DiskFull { .. } => ErrorKind::DiskFull,
            Self::PermissionDenied { .. } | Self::ReadOnly { .. } => ErrorKind::PermissionDenied,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Poisoned | Self::StoreClosed | Self::Io { .. } | Self::Backend { .. } => {
                ErrorKind::Io
            }
        }
    }
}

fn list(candidates: &[(SessionId, Option<SessionName>)]) -> String {
    let shown = candidates.iter().map(|(id, name)| match name {
        Some(name) => format!("{id} ({name})"),
        None => id.to_string(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn list_ids(ids: &[SessionId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_of_the_caller_is_no_bug() {
        let id = SessionId::from_parts(Timestamp::from_millis(1), 1);
        let invalid = StoreError::Invalid { id, reason: "it is its own parent".into() };
        let immutable = StoreError::Immutable { id, field: "created_at" };
        let nothing = crate::RuntimeError::NothingToStart { id };
        for kind in [invalid.kind(), immutable.kind(), nothing.kind()] {
            assert_eq!(kind, ErrorKind::Usage);
        }
        assert_eq!(StoreError::StoreClosed.kind(), ErrorKind::Io);
    }
    #[test]
    fn what_the_operating_system_said_is_the_source() {
        for (number, kind) in [
            (5, ErrorKind::Io),
            (13, ErrorKind::PermissionDenied),
            (28, ErrorKind::DiskFull),
            (30, ErrorKind::PermissionDenied),
        ] {
            let error = StoreError::io("sync", "/x", io::Error::from_raw_os_error(number));
            assert_eq!(error.kind(), kind);
            let source = error.source().and_then(|it| it.downcast_ref::<io::Error>()).unwrap();
            assert_eq!(source.raw_os_error(), Some(number));
            assert!(error.to_string().contains("/x"), "{error}");
            assert!(!error.to_string().contains(&source.to_string()), "{error}");
        }
    }
}
