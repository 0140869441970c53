//! A person at a terminal: the viewer that passes keys and bytes through and always puts the terminal back.

mod display;
mod input;
mod modes;
mod pending;
mod returning;
mod signals;
mod watching;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::AsFd as _;

use session_core::{Exit, RuntimeError, TerminalSize};

use self::display::{Display, size_of};
use self::modes::RawMode;
use self::signals::Signals;
use self::watching::Watching;
use super::detach::DetachKey;
use crate::stream::ViewerStream;

/// Why a viewer at a terminal left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachEnd {
    /// The person pressed the detach key.
    Detached,
    /// Somebody else sent it away.
    SentAway,
    /// The program has ended.
    Exited(Exit),
    /// The supervisor is gone, or the program ended in the moment of attaching.
    Closed,
    /// The terminal is gone, or this process was told to end.
    TerminalGone,
}

/// The size of the terminal on standard output, else on standard input.
#[must_use]
pub fn terminal_size() -> Option<TerminalSize> {
    size_of(io::stdout().as_fd()).or_else(|| size_of(io::stdin().as_fd()))
}

/// Watches a session from the terminal on standard input and output until something ends it.
///
/// What was typed before the detach key, or before the terminal went away, is still taken by the session's terminal. One
/// that does not take it in five seconds is left all the same, and at once when the key is pressed again.
///
/// While it watches, HUP, INT and TERM end the watching; before and after, they do to this process what they do by
/// default. Handlers that the caller had for them are called too.
///
/// # Errors
/// When the terminal cannot be put into raw mode, or the stream makes no sense. The terminal is put back first.
pub fn attach_terminal(stream: ViewerStream, key: DetachKey) -> Result<AttachEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching from the terminal", source);
    // Declared first and so dropped last: a signal must not end this process before the terminal is put back.
    let signals = Signals::register().map_err(failed)?;
    let (keyboard, shown) = (io::stdin(), io::stdout());
    let display = Display::of(shown.as_fd());
    let modes = RawMode::enter(keyboard.as_fd(), &display).map_err(failed)?;
    Watching::new(stream, key, &modes, &signals).run().map_err(failed)
}
