//! The terminal's modes: raw while somebody watches, then as they were.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::display::Display;
use crate::screen::RESTORE;

/// The terminal's modes as they were; put back when dropped, whatever happened in between.
#[derive(Debug)]
pub(super) struct RawMode<'a> {
    pub(super) keyboard: BorrowedFd<'a>,
    pub(super) display: &'a Display<'a>,
    before: Termios,
    raw: Termios,
}

/// How long a terminal that takes nothing may hold up being put back.
const PATIENCE: Duration = Duration::from_secs(1);

impl<'a> RawMode<'a> {
    pub(super) fn enter(keyboard: BorrowedFd<'a>, display: &'a Display<'a>) -> io::Result<Self> {
        let before = tcgetattr(keyboard)?;
        let mut raw = before.clone();
        raw.make_raw();
        let modes = Self { keyboard, display, before, raw };
        modes.enter_again()?;
        Ok(modes)
    }

    /// Makes the terminal raw once more: whoever had it in the meantime has set modes of their own.
    pub(super) fn enter_again(&self) -> io::Result<()> {
        // Now, rather than when everything is shown: a stalled terminal never shows everything.
        Ok(tcsetattr(self.keyboard, OptionalActions::Now, &self.raw)?)
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        let rows = self.display.size().map_or(1, |size| size.rows());
        let text = [RESTORE, format!("\x1b[{rows};1H\r\n").as_bytes()].concat();
        // The terminal may be gone or stalled; there is nobody to tell then.
        let _gone = self.display.write_within(&text, PATIENCE);
        let _gone = tcsetattr(self.keyboard, OptionalActions::Now, &self.before);
    }
}
