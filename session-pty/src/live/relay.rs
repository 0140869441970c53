//! The byte path of one session: a thread that moves bytes between the terminal and its viewers.
//!
//! It polls and never waits for anything else, so that a flooding session delays no other and a slow viewer
//! delays nobody. Viewers get bytes before the emulator does.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use session_core::{Exit, TerminalSize};

use super::input::Origin;
use super::typing::{QUIET, Typing};
use super::viewer::Viewer;
use super::{Limits, OnEnd, Remains, Shared, lock};
use crate::screen::RESTORE;
use crate::wire::{Feed, Frame, Kind, ViewerSpec};

/// Output is gathered up to this many bytes before it is passed on: the terminal hands out four kilobytes at a
/// time, and one write per read would double the work.
const BATCH: usize = 64 << 10;

/// How long viewers may take to fetch the last bytes of a program that has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// What others ask of a relay.
#[derive(Debug)]
pub(super) enum Command {
    /// A viewer with its connection.
    Attach { stream: UnixStream, spec: ViewerSpec, unread: Vec<u8> },
    /// Bytes to type; told when the terminal has taken them.
    Type { bytes: Vec<u8>, done: Sender<()> },
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
    pub(super) child: std::process::Child,
    pub(super) exit_watch: OwnedFd,
    pub(super) wakeups: UnixStream,
    pub(super) commands: Receiver<Command>,
    pub(super) viewers: Vec<Viewer>,
    pub(super) typing: Typing,
    /// Counts pieces of typing over all viewers: whoever has the highest number typed last.
    pub(super) turn: u64,
}

/// Wakes a relay from any thread. A full buffer means that it will wake anyway.
pub(super) fn wake(mut waker: &UnixStream) {
    let _full_is_fine = waker.write(&[0]);
}

impl Relay {
    /// Runs until the program has ended and its viewers know.
    pub(super) fn run(mut self, on_end: OnEnd) {
        let mut buffer = vec![0; BATCH];
        // Should this thread fail, its program must not go on unwatched and recorded as running.
        let relayed = catch_unwind(AssertUnwindSafe(|| self.relay(&mut buffer)));
        if relayed.is_err() {
            super::end::kill(&self.shared);
        }
        self.finish(&mut buffer, on_end);
    }

    fn relay(&mut self, buffer: &mut [u8]) {
        loop {
            let ready = self.poll();
            if ready.output {
                self.relay_output(buffer);
            }
            // Before anything that may add or remove viewers: these are their places in the list.
            for index in ready.viewers_to_read {
                self.hear(index, buffer);
            }
            if ready.woken {
                self.obey(buffer);
            }
            self.type_into_program();
            self.serve_viewers();
            if ready.exited {
                return;
            }
        }
    }

    fn poll(&mut self) -> Ready {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds = vec![
            readable(self.wakeups.as_fd()),
            readable(self.exit_watch.as_fd()),
            PollFd::new(&self.master, self.typing.interest() | PollFlags::IN),
        ];
        let hears = self.typing.has_room();
        for viewer in &self.viewers {
            let mut interest = PollFlags::empty();
            if hears {
                interest |= PollFlags::IN;
            }
            if viewer.has_queue() {
                interest |= PollFlags::OUT;
            }
            fds.push(PollFd::from_borrowed_fd(viewer.stream.as_fd(), interest));
        }
        let timeout = self.typing.look_again_after().map(timespec);
        let polled = rustix::event::poll(&mut fds, timeout.as_ref());
        let has = |index: usize, flags| polled.is_ok() && fds[index].revents().intersects(flags);
        let input = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        Ready {
            woken: has(0, input),
            exited: has(1, input),
            output: has(2, input),
            viewers_to_read: (0..self.viewers.len())
                .filter(|index| has(3 + index, input))
                .collect(),
        }
    }

    /// Reads what the program wrote, up to one batch, and passes it on.
    fn relay_output(&mut self, buffer: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::read(&self.master, &mut buffer[filled..]) {
                Ok(0) | Err(_) => break,
                Ok(len) => filled += len,
            }
        }
        if filled == 0 {
            return false;
        }
        let bytes = &buffer[..filled];
        lock(&self.shared.journal).append(bytes);
        *lock(&self.shared.last_output) = Instant::now();
        for viewer in &mut self.viewers {
            viewer.output(bytes);
        }
        self.shared.emulator.push(bytes);
        true
    }

    /// Does what others asked for, and what the emulator has to say.
    fn obey(&mut self, buffer: &mut [u8]) {
        while matches!(self.wakeups.read(buffer), Ok(len) if len == buffer.len()) {}
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Attach { stream, spec, unread } => self.admit(stream, spec, &unread),
                Command::Type { bytes, done } => self.typing.push(bytes, Some(done)),
                Command::Resize(size) => self.resize(size),
                Command::Detach { all } => self.send_away(all),
            }
        }
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.painted.is_some()) {
            repaint(&self.shared, viewer);
        }
    }

    fn admit(&mut self, stream: UnixStream, spec: ViewerSpec, unread: &[u8]) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if spec.detach_others {
            self.send_away(true);
        }
        let viewer = Viewer::new(stream, spec, unread, self.limits.viewer_bytes);
        self.viewers.push(viewer);
        let newcomer = self.viewers.len() - 1;
        if self.leader() == Some(newcomer) {
            self.follow_leader();
        }
        introduce(&self.shared, &mut self.viewers[newcomer]);
        self.viewers_changed();
        // What it sent right behind its request is in the decoder already and will not make the socket readable.
        self.act_on_frames(newcomer);
    }

    /// Reads from a viewer and acts on it.
    fn hear(&mut self, index: usize, buffer: &mut [u8]) {
        self.viewers[index].receive(buffer);
        self.act_on_frames(index);
    }

    fn act_on_frames(&mut self, index: usize) {
        while let Some(Frame { kind, payload }) = self.viewers[index].next_frame() {
            match kind {
                Kind::Input => self.take_typing(index, &payload),
                Kind::Resize => {
                    if let Ok(size) = serde_json::from_slice::<TerminalSize>(&payload) {
                        self.viewers[index].spec.size = Some(size);
                        if self.leader() == Some(index) {
                            self.follow_leader();
                        } else {
                            introduce(&self.shared, &mut self.viewers[index]);
                        }
                    }
                }
                Kind::EndOfInput if !self.viewers[index].spec.read_only => {
                    self.typing.end_when_read();
                }
                Kind::Detach => self.viewers[index].leave(),
                _ => {}
            }
        }
    }

    /// Typing goes to the program and makes its viewer the leader; answers and reports go only from the leader.
    fn take_typing(&mut self, index: usize, bytes: &[u8]) {
        let leader = self.leader();
        let viewer = &mut self.viewers[index];
        if viewer.spec.read_only {
            return;
        }
        if !viewer.spec.terminal {
            self.typing.push(bytes.to_vec(), None);
            return;
        }
        let leads = leader == Some(index);
        let (mut passed, mut typed) = (Vec::new(), false);
        viewer.sorter.feed(bytes, |piece, origin| {
            typed |= origin == Origin::Typed;
            if leads || origin == Origin::Typed {
                passed.extend_from_slice(piece);
            }
        });
        if typed {
            self.turn += 1;
            viewer.typed = self.turn;
            if !leads {
                self.follow_leader();
                self.viewers_changed();
            }
        }
        self.typing.push(passed, None);
    }

    /// The viewer that typed last among those that may lead; before anybody typed, the one that came first.
    fn leader(&self) -> Option<usize> {
        let candidates =
            self.viewers.iter().enumerate().filter(|(_, v)| v.can_lead() && !v.is_gone());
        candidates.rev().max_by_key(|(_, viewer)| viewer.typed).map(|(index, _)| index)
    }

    fn follow_leader(&mut self) {
        let size = self.leader().and_then(|leader| self.viewers[leader].spec.size);
        if let Some(size) = size
            && size != *lock(&self.shared.size)
        {
            self.resize(size);
        }
    }

    /// Gives the terminal another size and every viewer a picture of it.
    fn resize(&mut self, size: TerminalSize) {
        let window = rustix::termios::Winsize {
            ws_row: size.rows,
            ws_col: size.cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if rustix::termios::tcsetwinsize(&self.master, window).is_err() {
            return;
        }
        self.shared.emulator.resize(size);
        *lock(&self.shared.size) = size;
        for index in 0..self.viewers.len() {
            if self.viewers[index].spec.feed == Feed::Screen {
                introduce(&self.shared, &mut self.viewers[index]);
            } else {
                self.viewers[index].resized(size);
            }
        }
    }

    fn send_away(&mut self, all: bool) {
        let watching = self.viewers.iter().enumerate().filter(|(_, viewer)| viewer.watches());
        let latest = watching.max_by_key(|(_, viewer)| viewer.typed).map(|(index, _)| index);
        for (index, viewer) in self.viewers.iter_mut().enumerate() {
            if viewer.watches() && (all || Some(index) == latest) {
                viewer.detached();
                viewer.leave();
            }
        }
        self.remove_gone();
    }

    fn serve_viewers(&mut self) {
        for viewer in &mut self.viewers {
            viewer.send();
            if viewer.gap_is_due() {
                viewer.tell_gap(&self.shared.emulator.snapshot_for_viewer());
            }
        }
        self.remove_gone();
    }

    fn remove_gone(&mut self) {
        let before = self.viewers.len();
        self.viewers.retain(|viewer| !viewer.is_gone());
        if self.viewers.len() != before {
            self.follow_leader();
            self.viewers_changed();
        }
    }

    /// Tells the rest of the session who watches now.
    fn viewers_changed(&self) {
        let watching = self.viewers.iter().filter(|viewer| viewer.watches()).count();
        self.shared.viewers.store(watching, Ordering::Release);
        // A leader's terminal sees the raw bytes and answers what they ask; otherwise the emulator does.
        self.shared.emulator.set_answering(self.leader().is_none());
        let framed = self.viewers.iter().any(|viewer| viewer.painted.is_some());
        self.shared.emulator.set_watched(framed);
    }

    fn type_into_program(&mut self) {
        self.typing.push(self.shared.emulator.take_answers(), None);
        self.typing.send(&self.master);
        let at_rest = lock(&self.shared.last_output).elapsed() >= QUIET;
        self.typing.end(&self.master, &self.slave, self.shared.pid, at_rest);
    }

    /// The program has ended: collects what it left, has it recorded, tells everybody.
    fn finish(mut self, buffer: &mut [u8], on_end: OnEnd) {
        let exit = self.reap();
        // What it wrote before its end is still in the terminal. Others that hold the terminal may go on writing
        // for ever, so there is a bound.
        let mut most = 256;
        while most > 0 && self.relay_output(buffer) {
            most -= 1;
        }
        self.serve_viewers();
        let (size, screen) = self.shared.emulator.snapshot(self.limits.history_lines);
        let log = lock(&self.shared.journal).bytes();
        (on_end.record)(Remains { id: self.shared.id, exit, log, screen, size });
        *lock(&self.shared.terminal) = None;
        *lock(&self.shared.end) = Some(exit);
        self.shared.ended.notify_all();
        // Whoever asked before that was set is still answered.
        self.obey(buffer);
        for viewer in &mut self.viewers {
            // There will be no better time to tell a gap: the end comes after it, however full the queue is.
            if viewer.has_gap() {
                viewer.tell_gap(&self.shared.emulator.snapshot_for_viewer());
            }
            viewer.exited(exit);
        }
        self.see_off();
        self.shared.viewers.store(0, Ordering::Release);
        self.shared.emulator.close();
        drop(on_end.until_all_left);
    }

    /// Collects the exit status. From here on the process number may belong to somebody else.
    fn reap(&mut self) -> Exit {
        use std::os::unix::process::ExitStatusExt as _;
        let mut leader = lock(&self.shared.leader);
        let status = self.child.wait();
        *leader = None;
        match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Unknown,
            },
            Err(_) => Exit::Unknown,
        }
    }

    /// Waits, not for ever, until the viewers have fetched everything.
    fn see_off(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        loop {
            for viewer in &mut self.viewers {
                viewer.send();
            }
            self.viewers.retain(|viewer| !viewer.is_gone() && viewer.has_queue());
            let left = deadline.saturating_duration_since(Instant::now());
            if self.viewers.is_empty() || left.is_zero() {
                return;
            }
            let mut fds: Vec<_> = self
                .viewers
                .iter()
                .map(|viewer| PollFd::new(&viewer.stream, PollFlags::OUT))
                .collect();
            if rustix::event::poll(&mut fds, Some(&timespec(left))).is_err() {
                return;
            }
        }
    }
}

struct Ready {
    woken: bool,
    exited: bool,
    output: bool,
    viewers_to_read: Vec<usize>,
}

/// Gives a viewer what it needs to go on from here.
fn introduce(shared: &Shared, viewer: &mut Viewer) {
    let size = *lock(&shared.size);
    viewer.resized(size);
    viewer.painted = None;
    match viewer.spec.feed {
        Feed::Screen if viewer.needs_frames(size) => repaint(shared, viewer),
        Feed::Screen => viewer.screen(&shared.emulator.snapshot_for_viewer()),
        Feed::Log => viewer.replay(&lock(&shared.journal).bytes()),
        Feed::Output | Feed::Events => {}
    }
}

/// Serves a viewer that came after the end: what was there, and how it ended. Waits for it, not for ever.
pub(super) fn tell_end(shared: &Shared, stream: UnixStream, spec: ViewerSpec, exit: Exit) {
    let patient =
        stream.set_nonblocking(false).and_then(|()| stream.set_write_timeout(Some(FAREWELL)));
    if patient.is_ok() {
        let mut viewer = Viewer::new(stream, spec, b"", usize::MAX);
        introduce(shared, &mut viewer);
        viewer.exited(exit);
    }
}

/// Shows a viewer of another size what has changed, unless it has not yet fetched what changed before.
fn repaint(shared: &Shared, viewer: &mut Viewer) {
    let Some(size) = viewer.spec.size else { return };
    if viewer.painted.is_some() && viewer.has_queue() {
        return;
    }
    let frame = shared.emulator.frame(size);
    let bytes = frame.paint(viewer.painted.as_ref());
    if viewer.painted.is_none() {
        // Its terminal may be in any mode that the program's raw bytes have left it in.
        viewer.screen(&[RESTORE, &bytes].concat());
    } else if !bytes.is_empty() {
        viewer.frame(Kind::Output, &bytes);
    }
    viewer.painted = Some(frame);
}

fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
