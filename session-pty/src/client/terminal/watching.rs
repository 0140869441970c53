//! The loop of a viewer at a terminal: keys one way, output the other, neither ever waiting for the other.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::AttachEnd;
use super::display::{Display, timespec};
use super::input::{Origin, Sorter};
use super::modes::RawMode;
use super::pending::Pending;
use super::returning::Returning;
use super::signals::{self, Signals};
use crate::client::detach::{DetachKey, ESCAPE_WAIT, Matcher};
use crate::stream::{StreamEvent, ViewerStream};
use crate::wire::Kind;

/// Bytes for the terminal that may wait here; beyond it the supervisor is not read, and decides what to leave out.
const OUTPUT_LIMIT: usize = 256 << 10;

/// Typed bytes that may wait here or be on their way. Beyond it the keyboard is not read. More than a supervisor takes,
/// so that the detach key is found behind a long paste that nobody reads.
pub(super) const INPUT_LIMIT: usize = 1 << 20;

/// How long the session may take to take what was typed before its viewer left.
pub(super) const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// Somebody who can be heard, or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Keyboard,
    Supervisor,
    Display,
    Resized,
    Continued,
    Ended,
}

/// A viewer that watches.
#[derive(Debug)]
pub(super) struct Watching<'a> {
    pub(super) stream: ViewerStream,
    keyboard: BorrowedFd<'a>,
    display: &'a Display<'a>,
    modes: &'a RawMode<'a>,
    signals: &'a Signals,
    /// Those who have said their last.
    silent: Vec<Source>,
    matcher: Matcher,
    /// When what the matcher holds is no longer the beginning of a sequence.
    release_at: Option<Instant>,
    sorter: Sorter,
    pub(super) output: Pending,
    /// While the supervisor is gone, whoever waits for the next one.
    returning: Option<Returning>,
    seen_screen: bool,
    pub(super) end: Option<AttachEnd>,
    /// The supervisor is told that this viewer leaves.
    pub(super) said: bool,
    /// When leaving waits for nobody any more.
    pub(super) leave_by: Option<Instant>,
}

impl<'a> Watching<'a> {
    pub(super) fn new(
        stream: ViewerStream,
        key: DetachKey,
        modes: &'a RawMode<'a>,
        signals: &'a Signals,
    ) -> Self {
        Self {
            stream,
            keyboard: modes.keyboard,
            display: modes.display,
            modes,
            signals,
            silent: Vec::new(),
            matcher: Matcher::new(key),
            release_at: None,
            sorter: Sorter::default(),
            output: Pending::default(),
            returning: None,
            seen_screen: false,
            end: None,
            said: false,
            leave_by: None,
        }
    }

    pub(super) fn run(&mut self) -> io::Result<AttachEnd> {
        rustix::io::ioctl_fionbio(&self.stream, true)?;
        self.take_events()?;
        loop {
            if let Some(end) = self.end
                && self.is_over(end)
            {
                return Ok(end);
            }
            self.turn()?;
        }
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self, end: AttachEnd) -> bool {
        if self.leave_by.is_some_and(|by| by <= Instant::now()) {
            return true;
        }
        if takes_leave(end) {
            // It closes the stream when it has read the leave, and with it everything before.
            self.silent.contains(&Source::Supervisor)
        } else {
            // What the program has said last is still shown before its end is.
            self.output.is_empty()
        }
    }

    /// Who is worth waiting for. Nobody else is asked: one who hung up answers whatever the question.
    pub(super) fn interests(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let when = |wanted: bool, flags| if wanted { flags } else { PollFlags::empty() };
        // After the end, only the detach key is looked for.
        let keyboard = self.end.is_some() || self.stream.outbox.len() < INPUT_LIMIT;
        let supervisor = self.end.map_or(self.output.len() < OUTPUT_LIMIT, takes_leave);
        let (supervisor_fd, supervisor) = match &self.returning {
            Some(returning) => (returning.as_fd(), PollFlags::IN),
            None => {
                let typing = when(self.stream.outbox.wants_to_send(), PollFlags::OUT);
                (self.stream.as_fd(), when(supervisor, PollFlags::IN) | typing)
            }
        };
        let display = when(!self.output.is_empty(), PollFlags::OUT);
        let mut interests = vec![
            (Source::Keyboard, self.keyboard, when(keyboard, PollFlags::IN)),
            (Source::Supervisor, supervisor_fd, supervisor),
            (Source::Display, self.display.as_fd(), display),
            (Source::Resized, self.signals.resized.as_fd(), PollFlags::IN),
            (Source::Continued, self.signals.continued.as_fd(), PollFlags::IN),
            (Source::Ended, self.signals.ended.as_fd(), PollFlags::IN),
        ];
        interests.retain(|(source, _, flags)| !flags.is_empty() && !self.silent.contains(source));
        interests
    }

    /// Waits until something happens, and does what is to be done then.
    pub(super) fn turn(&mut self) -> io::Result<()> {
        self.take_leave();
        let now = Instant::now();
        // Decided before the poll: what had come by then is read first and may complete the sequence.
        let overdue = self.release_at.is_some_and(|at| at <= now);
        let unsorted = self.sorter.left().map(|left| now + left);
        let wake = [self.release_at, self.leave_by, unsorted].into_iter().flatten().min();
        let timeout = wake.map(|at| timespec(at.saturating_duration_since(now)));
        let interests = self.interests();
        let mut fds: Vec<_> =
            interests.iter().map(|&(_, fd, flags)| PollFd::from_borrowed_fd(fd, flags)).collect();
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = interests
            .iter()
            .zip(&fds)
            .map(|(&(source, ..), fd)| (source, fd.revents()))
            .filter(|(_, flags)| !flags.is_empty())
            .collect();
        drop(fds);
        let can =
            |source, flags| ready.iter().any(|&(who, can)| who == source && can.intersects(flags));
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let keyboard = can(Source::Keyboard, PollFlags::IN | gone);
        if keyboard {
            self.read_keyboard()?;
        } else if overdue {
            self.release();
        }
        let keys = self.sorter.overdue();
        self.type_keys(&keys);
        if can(Source::Ended, PollFlags::IN | gone) {
            self.silent.push(Source::Ended);
            self.lose_terminal();
        }
        if can(Source::Continued, PollFlags::IN) {
            signals::drain(&self.signals.continued);
            // A terminal that is gone is noticed by reading from it.
            let _gone = self.modes.enter_again();
            self.tell_size();
        }
        if can(Source::Resized, PollFlags::IN) {
            signals::drain(&self.signals.resized);
            self.tell_size();
        }
        if can(Source::Supervisor, PollFlags::IN | gone) {
            match self.returning.take() {
                Some(returning) => self.come_back(returning)?,
                None => self.hear()?,
            }
        }
        if can(Source::Supervisor, PollFlags::OUT) && self.returning.is_none() {
            self.stream.send();
        }
        if can(Source::Display, PollFlags::OUT | gone)
            && !self.output.is_empty()
            && self.display.write(&mut self.output).is_err()
        {
            self.lose_terminal();
        }
        Ok(())
    }

    fn read_keyboard(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match rustix::io::read(self.keyboard, &mut buffer) {
            Ok(0) | Err(Errno::IO) => {
                self.silent.push(Source::Keyboard);
                self.lose_terminal();
            }
            Ok(len) => {
                let found = self.matcher.feed(&buffer[..len]);
                self.release_at = self.matcher.is_holding().then(|| Instant::now() + ESCAPE_WAIT);
                self.sort(&found.pass);
                if found.detach && self.end.is_none() {
                    self.leave(AttachEnd::Detached);
                } else if found.detach {
                    self.leave_by = Some(Instant::now());
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Gives up waiting for the rest of a sequence: it was typed.
    fn release(&mut self) {
        self.release_at = None;
        let keys = self.matcher.release();
        self.sort(&keys);
        let keys = self.sorter.give_up();
        self.type_keys(&keys);
    }

    /// Passes on what was typed, and apart from it what the terminal says of itself.
    fn sort(&mut self, bytes: &[u8]) {
        if self.end.is_some() {
            return;
        }
        let (mut typed, outbox) = (Vec::new(), &mut self.stream.outbox);
        self.sorter.feed(bytes, |piece, origin| {
            if origin == Origin::Typed {
                typed.extend_from_slice(piece);
            } else {
                outbox.push_typed(&std::mem::take(&mut typed));
                outbox.push(Kind::Report, piece);
            }
        });
        outbox.push_typed(&typed);
    }

    fn type_keys(&mut self, keys: &[u8]) {
        if self.end.is_none() {
            self.stream.outbox.push_typed(keys);
        }
    }

    fn tell_size(&mut self) {
        if self.end.is_none()
            && let Some(size) = self.display.size()
            && let Ok(size) = serde_json::to_vec(&size)
        {
            self.stream.outbox.push(Kind::Resize, &size);
        }
    }

    fn hear(&mut self) -> io::Result<()> {
        match self.stream.receive() {
            Ok(true) => self.take_events(),
            Ok(false) => {
                self.take_events()?;
                self.lose_supervisor()
            }
            Err(error) => Err(error),
        }
    }

    /// The stream is closed. Unless it was said why, the supervisor has died, and another one is waited for.
    fn lose_supervisor(&mut self) -> io::Result<()> {
        let leaves = self.end.is_some_and(takes_leave) && !self.stream.outbox.is_settled();
        let way_back = self.stream.way_back().filter(|_| self.end.is_none() || leaves);
        match way_back {
            Some(way_back) => {
                self.returning = Some(Returning::start(way_back.sized(self.display.size()))?);
            }
            None => {
                self.silent.push(Source::Supervisor);
                self.finish(AttachEnd::Closed);
            }
        }
        Ok(())
    }

    /// Goes on with the next supervisor, if there is one.
    fn come_back(&mut self, returning: Returning) -> io::Result<()> {
        match returning.finish()? {
            Some(stream) => {
                self.stream.replace(Some(stream));
                rustix::io::ioctl_fionbio(&self.stream, true)?;
                self.tell_size();
                self.take_events()
            }
            None => {
                self.silent.push(Source::Supervisor);
                self.finish(AttachEnd::Closed);
                Ok(())
            }
        }
    }

    fn take_events(&mut self) -> io::Result<()> {
        while let Some(event) = self.stream.buffered()? {
            if self.end.is_some() {
                continue;
            }
            match event {
                StreamEvent::Output(bytes) => self.output.push(&bytes),
                StreamEvent::Screen(screen) | StreamEvent::Gap { screen, .. } => {
                    self.make_room();
                    self.output.push(&screen);
                }
                StreamEvent::Detached => self.finish(AttachEnd::SentAway),
                StreamEvent::Exited(exit) => self.finish(AttachEnd::Exited(exit)),
                StreamEvent::Closed => self.finish(AttachEnd::Closed),
                StreamEvent::Resized(_) => {}
            }
        }
        Ok(())
    }

    /// Scrolls what the terminal shows out of sight before the first screen is painted over it.
    fn make_room(&mut self) {
        if !std::mem::replace(&mut self.seen_screen, true)
            && let Some(size) = self.display.size()
        {
            self.output.push(format!("\x1b[{};1H", size.rows()).as_bytes());
            self.output.push(&b"\n".repeat(size.rows().into()));
        }
    }

    /// Nobody sees anything any more, or is to: what was typed is all that is left to do.
    fn lose_terminal(&mut self) {
        self.output = Pending::default();
        if self.end.is_none() {
            self.release();
            self.leave(AttachEnd::TerminalGone);
        }
    }

    /// Says goodbye after all that was typed, and shows nothing more.
    fn leave(&mut self, end: AttachEnd) {
        self.output = Pending::default();
        // What is held is no beginning of anything any more.
        let keys = self.sorter.give_up();
        self.type_keys(&keys);
        self.end = Some(end);
        self.leave_by = Some(Instant::now() + LEAVE_WAIT);
    }

    /// Tells the supervisor, once the terminal has taken everything: afterwards nobody is there to send it again.
    fn take_leave(&mut self) {
        let leaves = self.end.is_some_and(takes_leave) && self.stream.outbox.is_settled();
        if leaves && !std::mem::replace(&mut self.said, true) {
            self.stream.outbox.push(Kind::Detach, b"");
        }
    }

    /// The first reason to end is the one that counts. It takes no more typing.
    fn finish(&mut self, end: AttachEnd) {
        if self.end.is_none() {
            self.end = Some(end);
            self.stream.outbox.clear();
        }
    }
}

/// Whether this end is one that the supervisor must be told of.
const fn takes_leave(end: AttachEnd) -> bool {
    matches!(end, AttachEnd::Detached | AttachEnd::TerminalGone)
}
