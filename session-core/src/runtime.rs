//! The seam between sessions and whatever runs their programs.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::{ErrorKind, Exit, Session, SessionId, StoreError, TerminalSize};

/// Something that runs programs of sessions on terminals.
///
/// This is the synchronous face, the same for a runtime inside the process, one behind a socket and a scripted
/// one. Each records what happens into a [`crate::SessionStore`].
///
/// Each sentence with an id is a promise that the shared suite tests under that id for every runtime.
pub trait SessionRuntime: Send + Sync + fmt::Debug {
    /// Stores the session, which takes its name, and starts its program.
    ///
    /// - `RUN-01`: the session is returned, and stored, as running with a pid.
    /// - `RUN-02`: a program that is not found is `CommandNotFound`, a directory that is not there
    ///   `InvalidWorkdir`; no session that is pending or running is left behind.
    /// - `RUN-03`: a held name is `Exists`, and nothing is started.
    /// - `RUN-04`: the program starts in the session's directory with the given environment, plus the session's
    ///   additions, `SESSION_ID` and, if the session has a name, `SESSION_NAME`.
    ///
    /// # Errors
    /// As above, and whatever the store or the operating system reports.
    fn spawn(&self, spawn: Spawn) -> Result<Session, RuntimeError>;

    /// Types bytes into the program's terminal.
    ///
    /// - `RUN-05`: what was written reaches the program whole and in order.
    /// - `RUN-06`: an unknown session is `NotFound`, one whose program has ended `NotRunning`. The same holds for
    ///   `resize` and `stop`.
    ///
    /// # Errors
    /// As above.
    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError>;

    /// Changes the size of the program's terminal.
    ///
    /// - `RUN-07`: the program is told the new size.
    ///
    /// # Errors
    /// As for `write`.
    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError>;

    /// Watches the program from now on, or from its end when it has ended.
    ///
    /// - `RUN-08`: every subscriber gets all output from the subscription on, once and in order, then how the
    ///   program ended. What it cannot take in time is replaced by an explicit gap, never left out silently.
    ///
    /// # Errors
    /// `NotFound` for an unknown session.
    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError>;

    /// Ends the program: it is asked twice, more firmly the second time, then killed; each after `grace`.
    ///
    /// - `RUN-09`: returns how the program ended, also one that ignores every signal that can be ignored.
    ///
    /// # Errors
    /// As for `write`.
    fn stop(&self, id: SessionId, grace: Duration) -> Result<Exit, RuntimeError>;

    /// Waits for the end of the program; `None` when `timeout` passes first.
    ///
    /// - `RUN-10`: returns at once when the program has ended.
    /// - `RUN-11`: before anybody is told of the end, it is recorded: exit 0 as completed, any other as failed. A
    ///   session that was closed or has expired meanwhile stays so, with the exit beside it.
    ///
    /// # Errors
    /// `NotFound` for an unknown session.
    fn wait(&self, id: SessionId, timeout: Option<Duration>) -> Result<Option<Exit>, RuntimeError>;
}

/// A watcher's end of a running program.
pub trait Subscription: Send + fmt::Debug {
    /// The next event; `None` when `timeout` passes first. After [`RuntimeEvent::Exited`] there are no more.
    ///
    /// # Errors
    /// When the runtime is gone.
    fn next(&mut self, timeout: Duration) -> Result<Option<RuntimeEvent>, RuntimeError>;
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeEvent {
    /// Bytes that the program wrote to its terminal.
    Output(Vec<u8>),
    /// So many bytes were left out because the watcher was too slow. `screen` repaints what they led to.
    Gap {
        /// How many bytes.
        missed: u64,
        /// Terminal bytes that reset the screen and paint it as it is now.
        screen: Vec<u8>,
    },
    /// The terminal has another size.
    Resized(TerminalSize),
    /// The program has ended.
    Exited(Exit),
}

/// What is needed to start a program: the record to be, and what comes from outside.
///
/// Its `Debug` form names the variables of the environment and keeps their values to itself: they may be secrets.
#[derive(Clone)]
pub struct Spawn {
    /// The session with its launch part; pending.
    pub session: Session,
    /// The whole environment of whoever asks. Only the session's own additions are stored.
    pub environment: Vec<(OsString, OsString)>,
    /// The file creation mask of whoever asks; `None` for the runtime's own.
    pub umask: Option<u32>,
}

/// Why a runtime did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session has no launch part, or one that names no program.
    #[error("session {id} has no program to start")]
    NothingToStart {
        /// The session.
        id: SessionId,
    },
    /// The program was not found.
    #[error("command not found: {program}")]
    CommandNotFound {
        /// What was looked for.
        program: String,
    },
    /// The directory to start in cannot be used.
    #[error("cannot start in {workdir}: {reason}")]
    InvalidWorkdir {
        /// The directory.
        workdir: String,
        /// Why not.
        reason: String,
    },
    /// The program could not be started.
    #[error("cannot start {program}")]
    StartFailed {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No program of the session runs here.
    #[error("session {id} is not running")]
    NotRunning {
        /// The session.
        id: SessionId,
    },
    /// It did not happen in time.
    #[error("{what} did not happen in time")]
    Timeout {
        /// What was waited for.
        what: &'static str,
    },
    /// The runtime is gone, or what it said makes no sense.
    #[error("{operation} failed")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A remote runtime reported it.
    #[error("{message}")]
    Remote {
        /// The kind as the remote side gave it.
        kind: ErrorKind,
        /// Its words.
        message: String,
        /// Its advice.
        hint: Option<String>,
    },
}

impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, environment, umask } = self;
        let names: Vec<_> = environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Spawn")
            .field("session", session)
            .field("environment", &names)
            .field("umask", umask)
            .finish()
    }
}

impl RuntimeError {
    /// An error of the operating system during `operation`.
    #[must_use]
    pub const fn io(operation: &'static str, source: std::io::Error) -> Self {
        Self::Io { operation, source }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::NothingToStart { .. } => ErrorKind::Usage,
            Self::CommandNotFound { .. } => ErrorKind::CommandNotFound,
            Self::InvalidWorkdir { .. } => ErrorKind::InvalidWorkdir,
            Self::StartFailed { .. } => ErrorKind::StartFailed,
            Self::NotRunning { .. } => ErrorKind::NotRunning,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    ErrorKind::DiskFull
                }
                std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Io,
            },
            Self::Remote { kind, .. } => *kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Launch, MemoryStore, SessionStore as _};

    #[test]
    fn no_debug_form_tells_a_secret() {
        let now = crate::Timestamp::from_millis(1);
        let mut session = Session::new(SessionId::from_parts(now, 1), now);
        let env = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
        let argv = vec!["true".to_owned()];
        session.launch = Some(Launch { argv, workdir: "/".to_owned(), env, ..Launch::default() });
        let environment = vec![(OsString::from("SECRET"), OsString::from("hunter2"))];
        let spawn = Spawn { session: session.clone(), environment, umask: None };
        let store = MemoryStore::new();
        store.create(session.clone()).unwrap();
        for (form, named) in [
            (format!("{session:?}"), "TOKEN"),
            (format!("{:#?}", session.launch), "TOKEN"),
            (format!("{spawn:?}"), "SECRET"),
            (format!("{store:?}"), "sessions: 1"),
        ] {
            assert!(!form.contains("hunter2") && form.contains(named), "{form}");
        }
    }
}
