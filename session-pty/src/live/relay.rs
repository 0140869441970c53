//! The byte path of one session: a thread that moves bytes between the terminal and its viewers.
//!
//! It polls and never waits for anything else, so that a flooding session delays no other and a slow viewer
//! delays nobody. Viewers get bytes before the emulator does.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use session_core::TerminalSize;

use super::audience::Audience;
use super::journal::Writer;
use super::leader::Leader;
use super::typing::{Call, QUIET, Typing};
use super::{Limits, OnEnd, Remains, Shared, lock, timespec};
use crate::output::Kept;
use crate::supervisor::log_line;
use crate::wire::ViewerSpec;

/// What is read from a viewer at once.
const HEARD: usize = 64 << 10;

/// Without memory for what the program writes, the program waits; so long until there is another look.
const STARVED: Duration = Duration::from_millis(500);

/// Batches that are read after the program's end. Others that hold the terminal may go on writing for ever.
const LAST_BATCHES: usize = 256;

/// What others ask of a relay.
#[derive(Debug)]
pub(super) enum Command {
    /// A viewer with its connection.
    Attach { stream: UnixStream, spec: ViewerSpec, unread: Vec<u8> },
    /// Bytes to type for somebody who waits until that is done.
    Type { bytes: Vec<u8>, call: Call },
    /// A new size for the terminal.
    Resize(TerminalSize),
    /// Viewers that have to leave.
    Detach { all: bool },
}

/// The relay's own state, on its own thread.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) shared: Arc<Shared>,
    pub(super) limits: Limits,
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
    pub(super) leader: Leader,
    pub(super) journal: Writer,
    /// When to look again whether there is memory for output.
    pub(super) starved: Option<Instant>,
    pub(super) wakeups: UnixStream,
    pub(super) commands: Receiver<Command>,
    pub(super) audience: Audience,
    pub(super) typing: Typing,
}

/// What a poll has found.
struct Ready {
    woken: bool,
    exited: bool,
    output: bool,
    /// Places in the list of viewers, as it was polled.
    viewers: Vec<usize>,
}

/// Wakes a relay from any thread. A full buffer means that it will wake anyway.
pub(super) fn wake(mut waker: &UnixStream) {
    let _full_is_fine = waker.write(&[0]);
}

impl Relay {
    /// Runs until the program has ended and its viewers know.
    pub(super) fn run(mut self, on_end: OnEnd) {
        let mut buffer = vec![0; HEARD];
        // Should this thread fail, its program must not go on unwatched and recorded as running.
        let relayed = catch_unwind(AssertUnwindSafe(|| self.relay(&mut buffer)));
        if relayed.is_err() {
            self.audience.dismiss();
            super::end::kill(&self.shared);
        }
        self.finish(&mut buffer, on_end);
    }

    fn relay(&mut self, buffer: &mut [u8]) {
        loop {
            let ready = self.poll();
            if ready.output {
                self.relay_output();
            }
            // Before anything that may add or remove viewers: these are their places in the list.
            for index in ready.viewers {
                self.audience.hear(index, buffer, &mut self.typing);
            }
            if ready.woken {
                self.obey(buffer);
            }
            self.audience.pass_overdue(&mut self.typing);
            self.type_into_program();
            self.audience.serve();
            if ready.exited {
                return;
            }
        }
    }

    fn poll(&self) -> Ready {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let starved = self.starved.map(|until| until.saturating_duration_since(Instant::now()));
        let mut interest = self.typing.interest();
        interest.set(PollFlags::IN, starved.is_none());
        let mut fds = vec![
            readable(self.wakeups.as_fd()),
            readable(self.leader.watch()),
            PollFd::new(&self.master, interest),
        ];
        let hears = self.typing.has_room();
        for viewer in self.audience.viewers() {
            let mut interest = PollFlags::empty();
            if hears {
                interest |= PollFlags::IN;
            }
            if viewer.has_queue() {
                interest |= PollFlags::OUT;
            }
            fds.push(PollFd::from_borrowed_fd(viewer.stream.as_fd(), interest));
        }
        let again = [self.typing.look_again_after(), self.audience.look_again_after(), starved];
        let timeout = again.into_iter().flatten().min().map(timespec);
        let polled = rustix::event::poll(&mut fds, timeout.as_ref());
        let has = |index: usize, flags| polled.is_ok() && fds[index].revents().intersects(flags);
        let input = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        Ready {
            woken: has(0, input),
            exited: has(1, input),
            output: has(2, input) || starved.is_some_and(|left| left.is_zero()),
            viewers: (0..fds.len() - 3).filter(|index| has(3 + index, input)).collect(),
        }
    }

    /// Reads what the program wrote, up to one batch, and passes it on.
    fn relay_output(&mut self) -> bool {
        let emulator = &self.shared.emulator;
        let room = if self.journal.has_room() { Ok(()) } else { emulator.make_room() };
        let batch = match room.and_then(|()| self.journal.read(&self.master)) {
            Ok(batch) => batch,
            Err(error) => {
                log_line(&format!("{}: no memory for output: {error}", self.shared.id));
                self.starved = Some(Instant::now() + STARVED);
                return false;
            }
        };
        self.starved = None;
        if batch.is_empty() {
            return false;
        }
        *lock(&self.shared.last_output) = Instant::now();
        self.audience.output(self.journal.bytes(batch.clone()));
        emulator.push(batch.end);
        true
    }

    /// Does what others asked for, and looks at what the emulator has done.
    fn obey(&mut self, buffer: &mut [u8]) {
        while matches!(self.wakeups.read(buffer), Ok(len) if len == buffer.len()) {}
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Attach { stream, spec, unread } => {
                    self.audience.admit(stream, spec, &unread, &mut self.typing);
                }
                Command::Type { bytes, call } => self.typing.push_call(bytes, call),
                Command::Resize(size) => {
                    self.audience.resize(size);
                }
                Command::Detach { all } => self.audience.send_away(all),
            }
        }
        self.audience.screen_changed();
    }

    fn type_into_program(&mut self) {
        self.typing.push_answers(self.shared.emulator.take_answers());
        self.typing.send(&self.master);
        let at_rest = lock(&self.shared.last_output).elapsed() >= QUIET;
        self.typing.end(&self.master, &self.slave, self.shared.pid, at_rest);
    }

    /// The program has ended: collects what it left, has it recorded, tells everybody.
    pub(super) fn finish(mut self, buffer: &mut [u8], on_end: OnEnd) {
        let exit = self.leader.exit();
        let last_words = AssertUnwindSafe(|| {
            // What it wrote before its end is still in the terminal.
            for _ in 0..LAST_BATCHES {
                if !self.relay_output() {
                    break;
                }
            }
            self.audience.serve();
            self.shared.emulator.snapshot(self.limits.history_lines)
        });
        let (size, screen) =
            catch_unwind(last_words).unwrap_or_else(|_| (*lock(&self.shared.size), Vec::new()));
        let (log, written) = (self.shared.journal.bytes(), self.shared.journal.written());
        let kept = Kept { log, written, screen, size };
        // Before the program is reaped: should this process end in between, somebody else still learns how it ended.
        (on_end.record)(Remains { id: self.shared.id, exit, kept });
        self.reap();
        *lock(&self.shared.terminal) = None;
        *lock(&self.shared.end) = Some(exit);
        self.shared.ended.notify_all();
        let farewell = AssertUnwindSafe(|| {
            // Whoever asked before that was set is still answered.
            self.obey(buffer);
            self.audience.say_goodbye(exit);
        });
        if catch_unwind(farewell).is_err() {
            self.audience.dismiss();
        }
        self.shared.emulator.close();
        drop(on_end.until_all_left);
    }

    /// Lets go of the program, which has ended. From here on its number may belong to somebody else.
    fn reap(&mut self) {
        let mut target = lock(&self.shared.leader);
        self.leader.reap();
        *target = None;
    }
}
