//! The terminal on which a program runs that is measured: of one size everywhere.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::output::{COLUMNS, ROWS};

/// A new terminal: the side of whoever looks at it, and the program's. Neither is inherited.
///
/// # Errors
/// What the system says.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let outer = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&outer, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&outer)?;
    rustix::pty::unlockpt(&outer)?;
    let name = rustix::pty::ptsname(&outer, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let inner = rustix::fs::open(name, flags, Mode::empty())?;
    let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&inner, size)?;
    Ok((outer, inner))
}
