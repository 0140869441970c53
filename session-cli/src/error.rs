//! The command's own error: a stable kind, one line, advice, and what caused it.

use std::error::Error;
use std::io;

use session_core::{ErrorKind, NameError, RuntimeError, SelectorError, StoreError};

/// What went wrong, as it is told to people and programs.
#[derive(Clone, Debug)]
pub(crate) struct CliError {
    kind: Kind,
    message: String,
    hint: Option<String>,
    broken_pipe: bool,
}

/// The kind of an error: a kind of the libraries, or one that only the command knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A kind that the libraries have.
    Core(ErrorKind),
    /// A name breaks the rules.
    InvalidName,
    /// No session was named, and none is current.
    NoSession,
    /// The tool is not installed.
    ToolNotFound,
}

impl Kind {
    /// The stable word in kebab case.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Core(kind) => kind.as_str(),
            Self::InvalidName => "invalid-name",
            Self::NoSession => "no-session",
            Self::ToolNotFound => "tool-not-found",
        }
    }

    const fn is_retryable(self) -> bool {
        matches!(self, Self::Core(kind) if kind.is_retryable())
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Self {
        Self::Core(kind)
    }
}

impl CliError {
    /// An error of this kind without advice.
    pub(crate) fn new(kind: impl Into<Kind>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), hint: None, broken_pipe: false }
    }

    /// What was typed makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// What the operating system said, during `operation`.
    pub(crate) fn io(operation: &str, source: &io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::PermissionDenied
            }
            _ => ErrorKind::Io,
        };
        let hint = match source.kind() {
            io::ErrorKind::NotFound => Some("check the path: it leads to what is not there"),
            io::ErrorKind::IsADirectory => Some("choose a file: that is a directory"),
            io::ErrorKind::NotADirectory => Some("check the path: it leads through a file"),
            _ => advice(kind),
        };
        Self {
            broken_pipe: source.kind() == io::ErrorKind::BrokenPipe,
            hint: hint.map(str::to_owned),
            ..Self::new(kind, format!("{operation}: {source}"))
        }
    }

    /// With this advice in place of any other.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// Whether whoever read our output has enough of it.
    pub(crate) const fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    /// Whether it is of this kind of the libraries.
    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.kind == Kind::Core(kind)
    }

    fn of(kind: ErrorKind, error: &dyn Error, own_hint: Option<String>) -> Self {
        let hint = own_hint.or_else(|| advice(kind).map(str::to_owned));
        Self { hint, ..Self::new(kind, with_causes(error)) }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            StoreError::NameHeld { name, .. } => {
                Some(format!("attach to it with `session attach {name}`, or choose another name"))
            }
            StoreError::Trashed { id } => {
                Some(format!("`session trash restore {id}` brings it back"))
            }
            StoreError::TargetExists { .. } => {
                Some("choose another file; nothing is overwritten".to_owned())
            }
            StoreError::NotAStore { .. } => {
                Some("move it away, or choose another place with --data-dir".to_owned())
            }
            StoreError::Ambiguous { .. } => Some("give more of the id, or the name".to_owned()),
            StoreError::Invalid { .. } | StoreError::Immutable { .. } => {
                Some("change what the message names, then try again".to_owned())
            }
            _ => None,
        };
        Self::of(error.kind(), &error, hint)
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::Store(error) => error.into(),
            RuntimeError::Remote { kind, message, hint } => {
                let hint = hint.or_else(|| advice(kind).map(str::to_owned));
                Self { hint, ..Self::new(kind, message) }
            }
            RuntimeError::NothingToStart { .. } => {
                let hint = "name a program: `session new -- COMMAND`".to_owned();
                Self::of(error.kind(), &error, Some(hint))
            }
            error => Self::of(error.kind(), &error, None),
        }
    }
}

impl From<NameError> for CliError {
    fn from(error: NameError) -> Self {
        let hint = match error.suggestion() {
            Some(suggestion) => format!("for example {suggestion}"),
            None => "leave the name out to have one made up".to_owned(),
        };
        Self::new(Kind::InvalidName, error.to_string()).hint(hint)
    }
}

impl From<SelectorError> for CliError {
    fn from(error: SelectorError) -> Self {
        Self::new(ErrorKind::NotFound, error.to_string()).hint(LIST)
    }
}

const LIST: &str = "`session list --all` shows what there is";

/// What helps with any error of a kind.
const fn advice(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => LIST,
        ErrorKind::Exists => "attach to it with `session attach`, or choose another name",
        ErrorKind::Conflict => "somebody else changed it: look again, then try again",
        ErrorKind::StaleCursor => "begin the listing anew, without --cursor",
        ErrorKind::WrongStore => "choose another --runtime-dir for this store",
        ErrorKind::Expired | ErrorKind::Closed => {
            "it has ended for good; `session show` tells when"
        }
        ErrorKind::NotRunning => "`session show` tells how it ended",
        ErrorKind::StillRunning => "end it first with `session stop`",
        ErrorKind::RunningChildren => "end its children first: `session list --parent` shows them",
        ErrorKind::Corrupt => {
            "`session store check` tells what is damaged; everything else stays readable"
        }
        ErrorKind::Locked | ErrorKind::Busy => "try again in a moment",
        ErrorKind::NewerVersion => "use the version of this program that wrote it, or a newer one",
        ErrorKind::CommandNotFound => "check the spelling and PATH",
        ErrorKind::InvalidWorkdir => "choose a directory with --workdir",
        ErrorKind::DiskFull => "make room, then try again",
        ErrorKind::PermissionDenied => "`session doctor` shows the paths and their permissions",
        ErrorKind::Internal => "this is a bug of session; `session doctor` names the log",
        ErrorKind::StartFailed | ErrorKind::Io => "`session doctor` may know more",
        _ => return None,
    })
}

/// One line: the error and what caused it.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use session_core::{SessionId, Timestamp};

    use super::*;
    use crate::exit::code;

    #[test]
    fn what_the_caller_can_put_right_is_no_bug() {
        let id = SessionId::from_parts(Timestamp::from_millis(1), 1);
        let mistakes = [
            CliError::from(StoreError::Invalid { id, reason: "it is its own parent".into() }),
            CliError::from(StoreError::Immutable { id, field: "created_at" }),
            CliError::from(RuntimeError::NothingToStart { id }),
        ];
        for error in mistakes {
            assert_eq!((error.kind().as_str(), code(error.kind())), ("usage", 2), "{error:?}");
            assert!(error.advice().is_some_and(|hint| !hint.contains("bug")), "{error:?}");
            assert!(!error.is_retryable());
        }
        let closed = CliError::from(StoreError::StoreClosed);
        assert!(closed.advice().is_none_or(|hint| !hint.contains("bug")), "{closed:?}");
    }
}
