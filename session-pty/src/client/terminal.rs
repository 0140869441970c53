//! A person at a terminal: the viewer that passes keys and bytes through and always puts the terminal back.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use session_core::{Exit, RuntimeError, TerminalSize};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};

use super::detach::{DetachKey, ESCAPE_WAIT, Matcher};
use crate::screen::RESTORE;
use crate::stream::{StreamEvent, ViewerStream};
use crate::wire::{Kind, encode};

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

/// Bytes for the terminal that may wait here; beyond it the supervisor is not read, and decides what to leave out.
const OUTPUT_LIMIT: usize = 256 << 10;

/// Typed bytes that may wait here. Beyond it the keyboard is not read.
const INPUT_LIMIT: usize = 1 << 20;

/// Written to the terminal at once: small enough that a stalled terminal does not hold up the keyboard for long.
const PIECE: usize = 16 << 10;

/// The size of the terminal on standard output, else on standard input.
#[must_use]
pub fn terminal_size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())).ok()?;
    (size.ws_col > 0 && size.ws_row > 0)
        .then_some(TerminalSize { cols: size.ws_col, rows: size.ws_row })
}

/// Watches a session from the terminal on standard input and output until something ends it.
///
/// # Errors
/// When the terminal cannot be put into raw mode, or the stream makes no sense. The terminal is put back first.
pub fn attach_terminal(stream: ViewerStream, key: DetachKey) -> Result<AttachEnd, RuntimeError> {
    let failed = |source| RuntimeError::io("watching from the terminal", source);
    let signals = Signals::register().map_err(failed)?;
    let raw = RawMode::enter().map_err(failed)?;
    let mut watching = Watching {
        stream,
        signals,
        matcher: Matcher::new(key),
        output: Pending::default(),
        input: Pending::default(),
        seen_screen: false,
        end: None,
    };
    let end = watching.run().map_err(failed);
    drop(raw);
    end
}

/// The terminal's modes as they were; put back when dropped, whatever happened in between.
struct RawMode {
    before: Termios,
}

impl RawMode {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let rows = terminal_size().map_or(1, |size| size.rows);
        let mut out = io::stdout().lock();
        // The terminal may be gone; there is nobody left to tell then.
        let _gone = out
            .write_all(RESTORE)
            .and_then(|()| write!(out, "\x1b[{rows};1H\r\n"))
            .and_then(|()| out.flush());
        let _gone = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Signals as bytes that can be polled for.
struct Signals {
    resized: UnixStream,
    ended: UnixStream,
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    fn register() -> io::Result<Self> {
        let (resized, resize_sender) = UnixStream::pair()?;
        let (ended, end_sender) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        let mut registered = Vec::new();
        for signal in [SIGWINCH, SIGCONT] {
            let id = signal_hook::low_level::pipe::register(signal, resize_sender.try_clone()?)?;
            registered.push(id);
        }
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let id = signal_hook::low_level::pipe::register(signal, end_sender.try_clone()?)?;
            registered.push(id);
        }
        Ok(Self { resized, ended, registered })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Bytes on their way somewhere.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

struct Watching {
    stream: ViewerStream,
    signals: Signals,
    matcher: Matcher,
    output: Pending,
    input: Pending,
    seen_screen: bool,
    end: Option<AttachEnd>,
}

impl Watching {
    fn run(&mut self) -> io::Result<AttachEnd> {
        rustix::io::ioctl_fionbio(&self.stream, true)?;
        self.take_events()?;
        loop {
            // What the program has said last is still shown before its end is.
            if let Some(end) = self.end
                && self.output.is_empty()
            {
                return Ok(end);
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let interest = |wanted: bool, flags| if wanted { flags } else { PollFlags::empty() };
        let open = self.end.is_none();
        let socket = interest(open && self.output.len() < OUTPUT_LIMIT, PollFlags::IN)
            | interest(!self.input.is_empty(), PollFlags::OUT);
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let polled = [
            (stdin.as_fd(), interest(open && self.input.len() < INPUT_LIMIT, PollFlags::IN)),
            (self.stream.as_fd(), socket),
            (stdout.as_fd(), interest(!self.output.is_empty(), PollFlags::OUT)),
            (self.signals.resized.as_fd(), PollFlags::IN),
            (self.signals.ended.as_fd(), PollFlags::IN),
        ];
        let mut fds: Vec<_> =
            polled.iter().map(|&(fd, flags)| PollFd::from_borrowed_fd(fd, flags)).collect();
        let wait = self
            .matcher
            .is_holding()
            .then(|| Timespec { tv_sec: 0, tv_nsec: i64::from(ESCAPE_WAIT.subsec_nanos()) });
        let ready = match rustix::event::poll(&mut fds, wait.as_ref()) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let has = |index: usize, flags| fds[index].revents().intersects(flags);
        let keyboard = has(0, PollFlags::IN | gone);
        let (heard, can_say) = (has(1, PollFlags::IN | gone), has(1, PollFlags::OUT));
        let can_show = has(2, PollFlags::OUT | gone);
        let (resized, told_to_end) = (has(3, PollFlags::IN), has(4, PollFlags::IN));
        drop(fds);
        if told_to_end {
            self.finish(AttachEnd::TerminalGone);
            self.output = Pending::default();
            return Ok(());
        }
        if ready == 0 {
            let keys = self.matcher.release();
            self.type_keys(&keys);
        }
        if resized {
            self.tell_size();
        }
        if keyboard && open {
            self.read_keyboard()?;
        }
        if heard && open {
            self.hear()?;
        }
        if can_say && self.input.write_to(self.stream.as_fd(), usize::MAX).is_err() {
            self.finish(AttachEnd::Closed);
        }
        if can_show && self.output.write_to(stdout.as_fd(), PIECE).is_err() {
            self.output = Pending::default();
            self.finish(AttachEnd::TerminalGone);
        }
        Ok(())
    }

    fn read_keyboard(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(0) | Err(rustix::io::Errno::IO) => self.finish(AttachEnd::TerminalGone),
            Ok(len) => {
                let found = self.matcher.feed(&buffer[..len]);
                self.type_keys(&found.pass);
                if found.detach {
                    self.input.push(&encode(Kind::Detach, b""));
                    // Best effort: a closed connection means the same to the supervisor.
                    let _left_anyway = self.input.write_to(self.stream.as_fd(), usize::MAX);
                    self.output = Pending::default();
                    self.finish(AttachEnd::Detached);
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn type_keys(&mut self, keys: &[u8]) {
        if !keys.is_empty() {
            self.input.push(&encode(Kind::Input, keys));
        }
    }

    fn tell_size(&mut self) {
        let mut drained = [0; 64];
        while matches!(self.signals.resized.read(&mut drained), Ok(len) if len == drained.len()) {}
        if let Some(size) = terminal_size()
            && let Ok(size) = serde_json::to_vec(&size)
        {
            self.input.push(&encode(Kind::Resize, &size));
        }
    }

    fn hear(&mut self) -> io::Result<()> {
        match self.stream.receive() {
            Ok(true) => self.take_events(),
            Ok(false) => {
                self.take_events()?;
                self.finish(AttachEnd::Closed);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn take_events(&mut self) -> io::Result<()> {
        while let Some(event) = self.stream.buffered()? {
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
            && let Some(size) = terminal_size()
        {
            self.output.push(format!("\x1b[{};1H", size.rows).as_bytes());
            self.output.push(&b"\n".repeat(size.rows.into()));
        }
    }

    /// The first reason to leave is the one that counts.
    fn finish(&mut self, end: AttachEnd) {
        self.end.get_or_insert(end);
    }
}

impl Pending {
    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes at most `most` bytes, as far as they are taken.
    fn write_to(&mut self, fd: BorrowedFd<'_>, most: usize) -> rustix::io::Result<()> {
        let end = self.bytes.len().min(self.sent.saturating_add(most));
        match rustix::io::write(fd, &self.bytes[self.sent..end]) {
            Ok(len) => self.sent += len,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error),
        }
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
        Ok(())
    }
}
