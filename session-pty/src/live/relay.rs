//! The byte path of one session: a thread that moves bytes between the terminal and its viewers.
//!
//! It polls and never waits for anything else, so that a flooding session delays no other and a slow viewer
//! delays nobody. Viewers get bytes before the emulator does.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use session_core::TerminalSize;

use super::audience::Audience;
use super::idle::Idle;
use super::journal::Writer;
use super::leader::Leader;
use super::typing::{Call, QUIET, Typing};
use super::waker::Waker;
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
    pub(super) master: Arc<OwnedFd>,
    pub(super) slave: OwnedFd,
    pub(super) leader: Leader,
    pub(super) journal: Writer,
    /// When to look again whether there is memory for output.
    pub(super) starved: Option<Instant>,
    pub(super) wakeups: Waker,
    pub(super) commands: Receiver<Command>,
    pub(super) audience: Audience,
    pub(super) typing: Typing,
    /// What the program's end is told to; none once it was.
    pub(super) on_end: Option<OnEnd>,
    /// Who waits while nothing happens.
    pub(super) idle: Arc<Idle>,
    /// How long nothing must have happened until the session is idle.
    pub(super) linger: Duration,
    /// It has been told that nothing has happened for so long.
    pub(super) is_settled: bool,
}

/// What a poll has found.
struct Ready {
    /// The time is up, and that is all.
    nothing: bool,
    woken: bool,
    exited: bool,
    output: bool,
    /// Places in the list of viewers, as it was polled.
    viewers: Vec<usize>,
}

/// Why a relay stops moving bytes.
enum Stop {
    /// The program has ended.
    Ended,
    /// Nothing happens, and nobody watches.
    Idle,
}

impl Relay {
    /// Runs on a thread of its own.
    ///
    /// # Errors
    /// The relay itself, when the system refuses a thread.
    pub(super) fn start(self: Box<Self>) -> Result<(), (Box<Self>, io::Error)> {
        let name = format!("relay {}", self.shared.id.short());
        let slot = Arc::new(Mutex::new(Some(self)));
        let taken = Arc::clone(&slot);
        let run = move || {
            let relay = lock(&taken).take();
            relay.into_iter().for_each(Self::run);
        };
        let Err(error) = std::thread::Builder::new().name(name).spawn(run) else { return Ok(()) };
        // Nobody has taken it.
        lock(&slot).take().map_or(Ok(()), |relay| Err((relay, error)))
    }

    /// Runs until the program has ended and its viewers know, or until nothing happens.
    fn run(mut self: Box<Self>) {
        loop {
            // Should this thread fail, its program must not go on unwatched and recorded as running.
            match catch_unwind(AssertUnwindSafe(|| self.relay())) {
                Ok(Stop::Ended) => break,
                Ok(Stop::Idle) => match Arc::clone(&self.idle).park(self) {
                    Ok(()) => return,
                    Err(refused) => self = refused,
                },
                Err(_) => {
                    self.audience.dismiss();
                    super::end::kill(&self.shared);
                    break;
                }
            }
        }
        self.finish();
    }

    fn relay(&mut self) -> Stop {
        self.is_settled = false;
        let mut buffer = Vec::new();
        loop {
            let ready = self.poll();
            if ready.nothing && self.is_at_rest() {
                self.is_settled = true;
                self.shared.emulator.settle();
                self.journal.rest();
                buffer = Vec::new();
                if self.audience.viewers().is_empty() {
                    return Stop::Idle;
                }
                continue;
            }
            self.is_settled = false;
            if ready.output {
                self.relay_output();
            }
            // Before anything that may add or remove viewers: these are their places in the list.
            for index in ready.viewers {
                buffer.resize(HEARD, 0);
                self.audience.hear(index, &mut buffer, &mut self.typing);
            }
            if ready.woken {
                self.obey();
            }
            self.type_into_program();
            self.audience.serve();
            if ready.exited {
                return Stop::Ended;
            }
        }
    }

    /// Whether it waits for nothing but what [`Self::awaited`] or a viewer may bring.
    fn is_at_rest(&self) -> bool {
        let looks_again = [self.typing.look_again_after(), self.audience.look_again_after()];
        self.typing.interest().is_empty()
            && self.starved.is_none()
            && looks_again.iter().all(Option::is_none)
    }

    /// What becomes readable when there is something to do, whoever watches.
    pub(super) fn awaited(&self) -> [BorrowedFd<'_>; 3] {
        [self.wakeups.as_fd(), self.leader.watch(), self.master.as_fd()]
    }

    fn poll(&self) -> Ready {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let starved = self.starved.map(|until| until.saturating_duration_since(Instant::now()));
        let mut interest = self.typing.interest();
        interest.set(PollFlags::IN, starved.is_none());
        let [wakeups, leader, master] = self.awaited();
        let mut fds =
            vec![readable(wakeups), readable(leader), PollFd::from_borrowed_fd(master, interest)];
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
        let linger = (!self.is_settled && self.is_at_rest()).then_some(self.linger);
        let again =
            [self.typing.look_again_after(), self.audience.look_again_after(), starved, linger];
        let timeout = again.into_iter().flatten().min().map(timespec);
        let polled = rustix::event::poll(&mut fds, timeout.as_ref());
        let has = |index: usize, flags| polled.is_ok() && fds[index].revents().intersects(flags);
        let input = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        Ready {
            nothing: polled == Ok(0),
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
                if self.starved.is_none() {
                    log_line(&format!("{}: no memory for output: {error}", self.shared.id));
                }
                self.starved = Some(Instant::now() + STARVED);
                return false;
            }
        };
        self.starved = None;
        if batch.is_empty() {
            return false;
        }
        *lock(&self.shared.last_output) = Instant::now();
        self.audience.output(&batch, self.journal.bytes(batch.clone()));
        emulator.push(batch.end);
        true
    }

    /// Does what others asked for, and looks at what the emulator has done.
    fn obey(&mut self) {
        self.wakeups.notice();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Attach { stream, spec, unread } => {
                    self.audience.admit(stream, spec, &unread, &mut self.typing);
                }
                Command::Type { bytes, call } => {
                    self.typing.push_call(bytes, call, |typist| self.audience.has(typist));
                }
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
        self.audience.note_taken(&self.typing.progress());
    }

    /// The program has ended: collects what it left, has it recorded, tells everybody.
    pub(super) fn finish(mut self) {
        let Some(on_end) = self.on_end.take() else { return };
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
            self.obey();
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
