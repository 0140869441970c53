//! Exit codes: the one table from kinds of errors to numbers, and what a program's own end counts as.

use session_core::{ErrorKind, Exit};

use crate::error::Kind;

/// How a command that did what it was asked for ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done.
    Done,
    /// As the program inside the session ended.
    Program(Exit),
    /// Done, and what was found is bad.
    Unwell,
}

impl Code {
    pub(crate) fn as_u8(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Program(exit) => exit.shell_code(),
            Self::Unwell => 1,
        }
    }
}

/// The exit code of a kind.
pub(crate) const fn code(kind: Kind) -> u8 {
    match kind {
        Kind::InvalidName | Kind::Core(ErrorKind::Usage | ErrorKind::InvalidWorkdir) => 2,
        Kind::NoSession | Kind::ToolNotFound | Kind::Core(ErrorKind::NotFound) => 3,
        Kind::Core(
            ErrorKind::Exists
            | ErrorKind::Conflict
            | ErrorKind::Ambiguous
            | ErrorKind::StaleCursor
            | ErrorKind::WrongStore,
        ) => 4,
        Kind::Core(
            ErrorKind::Expired
            | ErrorKind::Closed
            | ErrorKind::NotRunning
            | ErrorKind::StillRunning
            | ErrorKind::RunningChildren,
        ) => 5,
        Kind::Core(ErrorKind::Corrupt) => 6,
        Kind::Core(ErrorKind::Locked | ErrorKind::Busy) => 7,
        Kind::Core(ErrorKind::NewerVersion) => 8,
        Kind::Core(ErrorKind::Timeout) => 124,
        Kind::Core(ErrorKind::CommandNotFound) => 127,
        Kind::Core(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_code() {
        let codes: Vec<_> = ErrorKind::ALL
            .into_iter()
            .map(Kind::Core)
            .chain([Kind::InvalidName, Kind::NoSession, Kind::ToolNotFound])
            .map(|kind| format!("{} {}", kind.as_str(), code(kind)))
            .collect();
        let expected = [
            "usage 2",
            "not-found 3",
            "exists 4",
            "conflict 4",
            "ambiguous 4",
            "stale-cursor 4",
            "wrong-store 4",
            "expired 5",
            "closed 5",
            "gone 1",
            "not-running 5",
            "still-running 5",
            "running-children 5",
            "corrupt 6",
            "locked 7",
            "busy 7",
            "newer-version 8",
            "start-failed 1",
            "command-not-found 127",
            "invalid-workdir 2",
            "disk-full 1",
            "permission-denied 1",
            "unsupported 1",
            "refused 1",
            "timeout 124",
            "io 1",
            "internal 1",
            "invalid-name 2",
            "no-session 3",
            "tool-not-found 3",
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_program_ends_the_command_with_its_own_code() {
        assert_eq!(Code::Program(Exit::Code(7)).as_u8(), 7);
        assert_eq!(Code::Program(Exit::Signal(9)).as_u8(), 137);
        assert_eq!(Code::Program(Exit::Unknown).as_u8(), 1);
    }
}
