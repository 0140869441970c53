//! Kinds of errors: what a caller can do about them.

/// The kind of an error: what a caller can do about it. The words are stable and the same in every front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for makes no sense, whatever is stored: the caller has to ask for something else.
    Usage,
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
    /// It was destroyed, and nothing brings it back.
    Gone,
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

impl ErrorKind {
    /// The stable word in kebab case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::Ambiguous => "ambiguous",
            Self::StaleCursor => "stale-cursor",
            Self::WrongStore => "wrong-store",
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::Gone => "gone",
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
    pub const ALL: [Self; 27] = [
        Self::Usage,
        Self::NotFound,
        Self::Exists,
        Self::Conflict,
        Self::Ambiguous,
        Self::StaleCursor,
        Self::WrongStore,
        Self::Expired,
        Self::Closed,
        Self::Gone,
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

    /// Whether the very same call may succeed later though whoever makes it changes nothing and frees nothing.
    ///
    /// A [`Conflict`](Self::Conflict) is none: the call names a revision that never comes back. Neither is a full disk,
    /// on which somebody has to make room.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Locked | Self::Busy | Self::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let retryable: Vec<_> =
            ErrorKind::ALL.into_iter().filter(|kind| kind.is_retryable()).collect();
        assert_eq!(retryable, [ErrorKind::Locked, ErrorKind::Busy, ErrorKind::Timeout]);
    }

    #[test]
    fn words_come_back() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ErrorKind::parse("whatever"), None);
    }
}
