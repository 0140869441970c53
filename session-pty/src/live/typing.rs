//! Bytes on their way to the program, and the end of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::event::PollFlags;

/// Typed bytes that may wait for the program. Beyond it viewers are not read: a paste waits, nothing is lost.
const LIMIT: usize = 256 << 10;

/// After the end of input, output must have been quiet for so long before the end-of-file character is typed:
/// a shell that has just been fed still switches its terminal between modes.
pub(super) const QUIET: Duration = Duration::from_millis(150);

/// What was typed and not yet taken by the terminal.
#[derive(Debug, Default)]
pub(super) struct Typing {
    queue: VecDeque<(Vec<u8>, Option<Sender<()>>)>,
    sent: usize,
    waiting: usize,
    /// The end-of-file character is to be typed once the program has read everything; looked at after this long,
    /// since a program that reads tells nobody.
    end: Option<Duration>,
}

impl Typing {
    /// Queues bytes; `done` is told when the terminal has taken them.
    pub(super) fn push(&mut self, bytes: Vec<u8>, done: Option<Sender<()>>) {
        if bytes.is_empty() {
            // The receiver may have given up.
            let _nobody_waits = done.map(|done| done.send(()));
            return;
        }
        self.waiting += bytes.len();
        self.queue.push_back((bytes, done));
    }

    /// What to poll the terminal for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.queue.is_empty() { PollFlags::empty() } else { PollFlags::OUT }
    }

    /// Types as much as the terminal takes.
    pub(super) fn send(&mut self, master: &OwnedFd) {
        while let Some((bytes, done)) = self.queue.front() {
            let Ok(len) = rustix::io::write(master, &bytes[self.sent..]) else { return };
            self.sent += len;
            self.waiting -= len;
            if self.sent == bytes.len() {
                if let Some(done) = done {
                    let _nobody_waits = done.send(());
                }
                self.sent = 0;
                self.queue.pop_front();
            }
        }
    }

    /// Whether more may be typed.
    pub(super) const fn has_room(&self) -> bool {
        self.waiting < LIMIT
    }

    /// Asks for the end-of-file character behind everything that is queued.
    pub(super) fn end_when_read(&mut self) {
        self.end = Some(QUIET / 2);
    }

    /// After how long [`Self::end`] wants to look again.
    pub(super) const fn look_again_after(&self) -> Option<Duration> {
        self.end
    }

    /// Types the end-of-file character, if that was asked for and the program has read all that was typed, is the
    /// one in the foreground, and is at rest.
    pub(super) fn end(&mut self, master: &OwnedFd, slave: &OwnedFd, program: u32, at_rest: bool) {
        let Some(patience) = self.end else { return };
        let read_all = self.queue.is_empty()
            && rustix::io::ioctl_fionread(slave).is_ok_and(|unread| unread == 0);
        let foreground = rustix::termios::tcgetpgrp(master);
        let leads = foreground
            .is_ok_and(|group| u32::try_from(group.as_raw_nonzero().get()) == Ok(program));
        if read_all && at_rest && leads {
            self.end = None;
            self.push(vec![end_of_file(slave)], None);
            self.send(master);
        } else {
            self.end = Some((patience * 2).min(Duration::from_secs(1)));
        }
    }
}

/// The character that means the end of a file on this terminal.
fn end_of_file(terminal: &OwnedFd) -> u8 {
    rustix::termios::tcgetattr(terminal)
        .map_or(0x04, |modes| modes.special_codes[rustix::termios::SpecialCodeIndex::VEOF])
}
