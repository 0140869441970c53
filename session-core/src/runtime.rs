//! The seam between sessions and whatever runs their programs.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::{ErrorKind, Exit, Session, SessionId, StoreError, TerminalSize};

/// The most bytes that [`SessionRuntime::write`] takes in one call.
pub const MAX_INPUT: usize = 16 << 20;

/// Something that runs programs of sessions on terminals.
///
/// This is the synchronous face, the same for a runtime inside the process, one behind a socket and a scripted
/// one. Each records what happens into a [`crate::SessionStore`].
///
/// Each sentence with an id is a promise that the shared suite tests under that id for every runtime. The last three
/// are about runtimes whose programs outlive them:
///
/// - `RUN-15`: while the runtime is gone, without notice, its programs run on. Who writes meanwhile, watches or waits
///   goes on with the runtime that takes its place: nothing is lost, and nothing comes twice. Only of a `write` or `spawn`
///   that the runtime died over can nobody say whether it was done: it fails with `Io`, and is not tried again.
/// - `RUN-16`: how a program ended meanwhile is recorded as if the runtime had been there, and its last output is kept.
/// - `RUN-17`: a store that cannot be read when the runtime comes back ends no program and is not touched. Once it can
///   be read, everything goes on.
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
    /// - `RUN-12`: more than [`MAX_INPUT`] bytes are `Refused`, and none of them is typed.
    ///
    /// # Errors
    /// As above.
    fn write(&self, id: SessionId, bytes: &[u8]) -> Result<(), RuntimeError>;

    /// Changes the size of the program's terminal.
    ///
    /// - `RUN-07`: the program is told the new size.
    /// - `RUN-13`: watchers are told too. The size that the terminal has already is no change, and nobody is told; of
    ///   several changes in a row, the last is told at least.
    ///
    /// # Errors
    /// As for `write`.
    fn resize(&self, id: SessionId, size: TerminalSize) -> Result<(), RuntimeError>;

    /// Watches the program from now on, or from its end when it has ended.
    ///
    /// - `RUN-08`: every subscriber gets all output from the subscription on, once and in order, then how the
    ///   program ended. What it cannot take in time is replaced by an explicit gap, never left out silently; with the
    ///   gap comes the screen as it is then. One that takes nothing, or leaves, holds up neither program nor others.
    ///
    /// # Errors
    /// `NotFound` for an unknown session.
    fn subscribe(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError>;

    /// Watches the program from its beginning, as far as its output is kept.
    ///
    /// - `RUN-14`: first comes the output so far, then what [`subscribe`](Self::subscribe) gives, with nothing left out
    ///   or doubled where they meet. Of much output the last part is kept, perhaps from the beginning of a line; what
    ///   came before is a gap without a screen. The output is kept after the end too, where the runtime was given a place for it.
    ///
    /// # Errors
    /// `NotFound` for an unknown session.
    fn replay(&self, id: SessionId) -> Result<Box<dyn Subscription>, RuntimeError>;

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
    /// So many bytes were left out because the watcher was too slow, or because they are not kept any more.
    Gap {
        /// How many bytes.
        missed: u64,
        /// Terminal bytes that reset the screen and paint it as it is now. Empty where what is kept begins.
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
    /// More than a program is typed at once.
    #[error("at most {MAX_INPUT} bytes can be typed at once, not {len}")]
    TooMuchInput {
        /// How many bytes it was to be.
        len: usize,
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
            Self::TooMuchInput { .. } => ErrorKind::Refused,
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
