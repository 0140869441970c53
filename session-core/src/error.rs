//! What can go wrong with a store, in kinds that callers can act upon.

use std::error::Error;
use std::path::PathBuf;

use crate::{Revision, SessionId, SessionName, TransitionError};

/// The kind of an error: what a caller can do about it. The words are stable and the same in every front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such session.
    NotFound,
    /// The name or the id is taken.
    Exists,
    /// Somebody else changed it in between: read again and decide anew.
    Conflict,
    /// Several sessions answer to it.
    Ambiguous,
    /// The listing must begin anew.
    StaleCursor,
    /// It belongs to another store.
    WrongStore,
    /// It ended by its deadline.
    Expired,
    /// It was ended for good.
    Closed,
    /// No program of it runs.
    NotRunning,
    /// Its program still runs.
    StillRunning,
    /// Programs of its children still run.
    RunningChildren,
    /// What is stored cannot be read.
    Corrupt,
    /// Another process holds the store.
    Locked,
    /// Something is at work that must finish first.
    Busy,
    /// A newer version of the program wrote it.
    NewerVersion,
    /// The program could not be started.
    StartFailed,
    /// The program to start was not found.
    CommandNotFound,
    /// The directory to start in cannot be used.
    InvalidWorkdir,
    /// No room on the disk.
    DiskFull,
    /// The operating system forbids it.
    PermissionDenied,
    /// This backend cannot do it.
    Unsupported,
    /// It was refused for safety.
    Refused,
    /// It did not happen in time.
    Timeout,
    /// Reading or writing failed.
    Io,
    /// A bug.
    Internal,
}

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
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The session is in the trash.
    #[error("session {id} is in the trash")]
    Trashed {
        /// The session.
        id: SessionId,
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
    /// The session is not one that could be read back.
    #[error("session {id} cannot be stored: {reason}")]
    Invalid {
        /// The session.
        id: SessionId,
        /// Why not.
        reason: &'static str,
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
    },
    /// The operating system forbids it.
    #[error("no permission for {path}")]
    PermissionDenied {
        /// What was opened or written.
        path: PathBuf,
    },
    /// The store was opened for reading, or its medium allows no more.
    #[error("{path} can only be read")]
    ReadOnly {
        /// The store.
        path: PathBuf,
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
    /// The store was closed by its owner.
    #[error("the store is closed")]
    StoreClosed,
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

    /// What the operating system said about `path`, during `operation`.
    #[must_use]
    pub fn io(operation: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let path = path.into();
        match source.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => Self::DiskFull { path },
            Io::PermissionDenied => Self::PermissionDenied { path },
            Io::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => {
                Self::Backend { operation, source: format!("{}: {source}", path.display()).into() }
            }
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::Trashed { .. } => ErrorKind::NotFound,
            Self::Ambiguous { .. } => ErrorKind::Ambiguous,
            Self::NameHeld { .. } | Self::IdExists { .. } => ErrorKind::Exists,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Transition(error) => match error.from {
                crate::Status::Expired => ErrorKind::Expired,
                crate::Status::Closed => ErrorKind::Closed,
                _ => ErrorKind::NotRunning,
            },
            Self::StillRunning { .. } => ErrorKind::StillRunning,
            Self::RunningChildren { .. } => ErrorKind::RunningChildren,
            Self::Immutable { .. } | Self::Invalid { .. } | Self::StoreClosed => {
                ErrorKind::Internal
            }
            Self::StaleCursor => ErrorKind::StaleCursor,
            Self::Corrupt { .. } | Self::NotAStore { .. } => ErrorKind::Corrupt,
            Self::NewerVersion { .. } => ErrorKind::NewerVersion,
            Self::Locked { .. } => ErrorKind::Locked,
            Self::DiskFull { .. } => ErrorKind::DiskFull,
            Self::PermissionDenied { .. } | Self::ReadOnly { .. } => ErrorKind::PermissionDenied,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Poisoned | Self::Backend { .. } => ErrorKind::Io,
        }
    }
}

impl ErrorKind {
    /// The stable word in kebab case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::Ambiguous => "ambiguous",
            Self::StaleCursor => "stale-cursor",
            Self::WrongStore => "wrong-store",
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::NotRunning => "not-running",
            Self::StillRunning => "still-running",
            Self::RunningChildren => "running-children",
            Self::Corrupt => "corrupt",
            Self::Locked => "locked",
            Self::Busy => "busy",
            Self::NewerVersion => "newer-version",
            Self::StartFailed => "start-failed",
            Self::CommandNotFound => "command-not-found",
            Self::InvalidWorkdir => "invalid-workdir",
            Self::DiskFull => "disk-full",
            Self::PermissionDenied => "permission-denied",
            Self::Unsupported => "unsupported",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }

    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::NotFound,
        Self::Exists,
        Self::Conflict,
        Self::Ambiguous,
        Self::StaleCursor,
        Self::WrongStore,
        Self::Expired,
        Self::Closed,
        Self::NotRunning,
        Self::StillRunning,
        Self::RunningChildren,
        Self::Corrupt,
        Self::Locked,
        Self::Busy,
        Self::NewerVersion,
        Self::StartFailed,
        Self::CommandNotFound,
        Self::InvalidWorkdir,
        Self::DiskFull,
        Self::PermissionDenied,
        Self::Unsupported,
        Self::Refused,
        Self::Timeout,
        Self::Io,
        Self::Internal,
    ];

    /// The kind that a word names, as it comes over a wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the same call may succeed later without anybody changing anything else.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Conflict | Self::Locked | Self::Busy | Self::DiskFull | Self::Timeout)
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
