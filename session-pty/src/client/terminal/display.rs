//! The terminal as something to write to without ever waiting for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{tcgetwinsize, ttyname};
use session_core::TerminalSize;

use super::pending::Pending;

/// A terminal that shows what is written to it.
#[derive(Debug)]
pub(super) struct Display<'a> {
    given: BorrowedFd<'a>,
    /// The same terminal, opened once more so that writing to it never blocks. Setting that on the given descriptor
    /// would set it for everybody who shares it, the user's shell included.
    own: Option<OwnedFd>,
}

/// Written at once to a terminal that could not be opened once more, as one of another user's. A terminal that is
/// ready takes so much without blocking: those of Linux make room in pages.
const PIECE: usize = 512;

impl<'a> Display<'a> {
    pub(super) fn of(given: BorrowedFd<'a>) -> Self {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let own = ttyname(given, Vec::new())
            .and_then(|name| rustix::fs::open(name, flags, Mode::empty()))
            .ok();
        Self { given, own }
    }

    /// As when the terminal cannot be opened once more.
    #[cfg(test)]
    pub(super) const fn only(given: BorrowedFd<'a>) -> Self {
        Self { given, own: None }
    }

    pub(super) fn size(&self) -> Option<TerminalSize> {
        size_of(self.given)
    }

    /// Writes what the terminal takes, after a poll has said that it is ready.
    pub(super) fn write(&self, bytes: &mut Pending) -> Result<(), Errno> {
        let most = if self.own.is_some() { usize::MAX } else { PIECE };
        bytes.write_to(self.as_fd(), most)
    }

    /// Writes all of it, or what the terminal takes in this time.
    pub(super) fn write_within(&self, bytes: &[u8], time: Duration) -> Result<(), Errno> {
        let deadline = Instant::now() + time;
        let mut pending = Pending::default();
        pending.push(bytes);
        while !pending.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = timespec(left);
            match rustix::event::poll(&mut [PollFd::new(self, PollFlags::OUT)], Some(&timeout)) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Ok(_) => self.write(&mut pending)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Display<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.own.as_ref().map_or(self.given, AsFd::as_fd)
    }
}

/// The size of a terminal, when it is one and knows.
pub(super) fn size_of(terminal: BorrowedFd<'_>) -> Option<TerminalSize> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(TerminalSize::nearest(size.ws_col, size.ws_row))
}

/// A time span as the system wants it.
pub(super) fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}
