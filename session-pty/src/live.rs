//! One running program: its terminal, its output, its screen, its viewers.
//!
//! Two plain threads per session in which something happens. The relay moves bytes from the terminal to the journal
//! and to the viewers and back, and waits for nothing else; the emulator follows behind it and keeps the screen.
//! Whoever wants the screen as of now parses the rest of the backlog first. An idle session has neither: one thread
//! waits for all of them.

mod audience;
mod awake;
mod beginning;
mod custody;
mod emulator;
mod end;
mod idle;
mod journal;
mod leader;
mod queue;
mod relay;
mod spawn;
mod tally;
mod title;
mod typing;
mod viewer;
mod waker;

#[cfg(test)]
mod tests;

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Exit, MAX_INPUT, RuntimeError, SessionId, TerminalSize};

use crate::events::News;
use crate::output::Kept;
use crate::stream::ViewerStream;
use crate::wire::{Decoder, LiveSession, TypedCall, ViewerSpec};

use emulator::Emulator;
use journal::Journal;
use leader::Target;
use relay::Command;
use typing::Call;
use waker::Waker;

pub(crate) use beginning::Adopted;
pub(crate) use beginning::{Beginning, Setting};
pub(crate) use custody::Custody;
pub(crate) use custody::NoCustody;
pub(crate) use leader::{ExitNotice, ExitTeller};
pub(crate) use spawn::{Program, check_directory, find_program};

/// How long a program may leave unread what a call has typed.
const TYPING_TIMEOUT: Duration = Duration::from_secs(10);

/// How much a session keeps and how much it lets a viewer lag behind.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of output kept for `logs`.
    pub journal_bytes: usize,
    /// Lines of history kept above the screen.
    pub history_lines: usize,
    /// Bytes by which a viewer may be behind before it gets a gap. They cost no memory: they are read from where the
    /// output is kept, which has room for `journal_bytes` and 12 MiB more, beyond which there is a gap in any case.
    pub viewer_bytes: usize,
    /// Screens that are kept ready, those that somebody had to do with last; the others are snapshots once they were
    /// quiet for a second.
    pub awake_screens: usize,
}

/// A running program, for as many holders as want to have to do with it.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    shared: Arc<Shared>,
}

/// What is left of a program that has ended.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) id: SessionId,
    pub(crate) exit: Exit,
    pub(crate) kept: Kept,
}

/// What the relay's thread does at the end of a program.
pub(crate) struct OnEnd {
    /// Called before anybody is told of the end.
    pub(crate) record: Box<dyn FnOnce(Remains) + Send>,
    /// Dropped when the last viewer has left.
    pub(crate) until_all_left: Box<dyn Send>,
}

impl std::fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnEnd")
    }
}

#[derive(Debug)]
struct Shared {
    id: SessionId,
    pid: u32,
    commands: Mutex<Sender<Command>>,
    waker: Waker,
    emulator: Arc<Emulator>,
    news: News,
    journal: Arc<Journal>,
    viewers: AtomicUsize,
    size: Mutex<TerminalSize>,
    last_output: Mutex<Instant>,
    end: Mutex<Option<Exit>>,
    ended: Condvar,
    /// The process to signal, until it was reaped: afterwards the number may be somebody else's.
    leader: Mutex<Option<Target>>,
    /// The terminal, until the end: it knows the group in the foreground and has a size.
    terminal: Mutex<Option<Arc<std::os::fd::OwnedFd>>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            journal_bytes: 4 << 20,
            history_lines: 2000,
            viewer_bytes: 4 << 20,
            awake_screens: 8,
        }
    }
}

impl SessionHandle {
    /// The session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.shared.id
    }

    /// The program's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// How the program ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        *lock(&self.shared.end)
    }

    /// What a listing shows of it.
    #[must_use]
    pub fn live(&self) -> LiveSession {
        let quiet = lock(&self.shared.last_output).elapsed();
        LiveSession {
            id: self.shared.id,
            size: *lock(&self.shared.size),
            viewers: self.shared.viewers.load(Ordering::Acquire),
            title: self.shared.emulator.title(),
            quiet_ms: u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX),
            written: self.shared.journal.written(),
        }
    }

    /// Types bytes and waits until the terminal has taken them.
    ///
    /// # Errors
    /// `NotRunning` after the end; `TooMuchInput` for more than 16 MiB; `Timeout` when the program does not read for ten
    /// seconds, or when 16 MiB wait for it already. Then either nothing was typed, or the beginning was and the rest will be: never a part.
    pub fn write(&self, bytes: &[u8]) -> Result<(), RuntimeError> {
        self.type_bytes(bytes, None, false)
    }

    /// Types text as a paste: in bracketed-paste marks when the program asked for them and the text has line breaks.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn paste(&self, text: &[u8]) -> Result<(), RuntimeError> {
        self.answer_write(text, true, None)
    }

    /// Types for a call, which may have been made before: then what the terminal has taken is not typed again.
    ///
    /// # Errors
    /// As for [`Self::write`]; `Conflict` when it is not known any more what the terminal has taken.
    pub(crate) fn answer_write(
        &self,
        bytes: &[u8],
        paste: bool,
        typed: Option<TypedCall>,
    ) -> Result<(), RuntimeError> {
        let journal = &self.shared.journal;
        let again = typed.filter(|typed| typed.again);
        let account = again.and_then(|typed| journal.account(typed.typist));
        if again.is_some() && account.is_none() && journal.has_forgotten() {
            return Err(RuntimeError::Remote {
                kind: ErrorKind::Conflict,
                message: "the supervisor died while it typed: how much arrived is not known".into(),
                hint: Some("look at the screen before you type it again".to_owned()),
            });
        }
        let begun = again.and(account).filter(|it| Some(it.call) == again.map(|it| it.number));
        let asks = || bytes.contains(&b'\n') && self.shared.emulator.wants_paste_marks();
        // What has begun as a paste goes on as one.
        let marked = begun.map_or_else(|| paste && asks(), |begun| begun.marked);
        if marked {
            self.type_bytes(&[b"\x1b[200~", bytes, b"\x1b[201~"].concat(), typed, true)
        } else {
            self.type_bytes(bytes, typed, false)
        }
    }

    fn type_bytes(
        &self,
        bytes: &[u8],
        typed: Option<TypedCall>,
        marked: bool,
    ) -> Result<(), RuntimeError> {
        if self.exit().is_none() && bytes.len() > MAX_INPUT {
            return Err(RuntimeError::TooMuchInput { len: bytes.len() });
        }
        let (done, taken) = std::sync::mpsc::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let call = Call { done, given_up: Arc::clone(&given_up), typed, marked };
        self.send(Command::Type { bytes: bytes.to_vec(), call })?;
        match taken.recv_timeout(TYPING_TIMEOUT) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => given_up.store(true, Ordering::Release),
            Err(RecvTimeoutError::Disconnected) if self.exit().is_some() => {
                return Err(self.not_running());
            }
            Err(RecvTimeoutError::Disconnected) => {}
        }
        Err(RuntimeError::Timeout { what: "typing: the program does not read, so it" })
    }

    /// Changes the size of the terminal.
    ///
    /// # Errors
    /// `NotRunning` after the end.
    pub fn resize(&self, size: TerminalSize) -> Result<(), RuntimeError> {
        self.send(Command::Resize(size))
    }

    /// Watches from inside this process.
    ///
    /// # Errors
    /// `NotRunning` after the end, and whatever the operating system says.
    pub fn watch(&self, viewer: ViewerSpec) -> Result<ViewerStream, RuntimeError> {
        let (ours, theirs) = UnixStream::pair()
            .map_err(|source| RuntimeError::io("making a viewer's stream", source))?;
        let counts = viewer.typist.is_some();
        self.attach(theirs, viewer, Vec::new())?;
        Ok(ViewerStream::new(ours, Decoder::default()).counting(counts))
    }

    /// Gives the connection to the relay as a viewer. Bytes that were read from it already come along.
    ///
    /// # Errors
    /// `NotRunning` after the end.
    pub(crate) fn attach(
        &self,
        stream: UnixStream,
        spec: ViewerSpec,
        unread: Vec<u8>,
    ) -> Result<(), RuntimeError> {
        self.send(Command::Attach { stream, spec, unread })
    }

    /// Tells a viewer that came too late to attach what was there and how it ended, on a thread of its own.
    pub(crate) fn tell_end(&self, stream: UnixStream, spec: ViewerSpec) {
        let Some(exit) = self.exit() else { return };
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(format!("end {}", self.id().short()));
        // Without a thread the stream closes, which sends the viewer to the record.
        drop(thread.spawn(move || audience::tell_end(&shared, stream, spec, exit)));
    }

    /// Serves a viewer that comes back after the end.
    pub(crate) fn tell_kept(stream: UnixStream, spec: ViewerSpec, kept: Kept, exit: Exit) {
        let thread = std::thread::Builder::new().name("end".to_owned());
        // Without a thread the stream closes, which sends the viewer to the record.
        drop(thread.spawn(move || audience::tell_kept(&kept, stream, spec, exit)));
    }

    /// Sends viewers away: the one that typed last, or all.
    ///
    /// # Errors
    /// `NotRunning` after the end.
    pub fn detach(&self, all: bool) -> Result<(), RuntimeError> {
        self.send(Command::Detach { all })
    }

    /// The screen with up to `history` lines above it, as bytes that reset a terminal and paint it.
    #[must_use]
    pub fn screen(&self, history: usize) -> (TerminalSize, Vec<u8>) {
        self.shared.emulator.snapshot(history)
    }

    /// The output that is kept, as it came.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        self.shared.journal.bytes()
    }

    /// The output that is kept from this byte on, and where it begins.
    pub(crate) fn since(&self, position: u64) -> (u64, Vec<u8>) {
        self.shared.journal.since(position)
    }

    /// Waits for the end; `None` when `timeout` passes first.
    #[must_use]
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Exit> {
        let running = |end: &mut Option<Exit>| end.is_none();
        let end = lock(&self.shared.end);
        let ended = match timeout {
            None => {
                self.shared.ended.wait_while(end, running).unwrap_or_else(PoisonError::into_inner)
            }
            Some(timeout) => {
                let waited = self.shared.ended.wait_timeout_while(end, timeout, running);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        *ended
    }

    /// Ends the program: hang-up, termination, kill, each after `grace`; then whatever else its session left.
    ///
    /// # Errors
    /// `NotRunning` when it has ended already, `Timeout` when even a kill did not end it.
    pub fn stop(&self, grace: Duration) -> Result<Exit, RuntimeError> {
        if self.exit().is_some() {
            return Err(self.not_running());
        }
        end::stop(self, grace)
    }

    fn send(&self, command: Command) -> Result<(), RuntimeError> {
        if self.exit().is_some() {
            return Err(self.not_running());
        }
        lock(&self.shared.commands).send(command).map_err(|_| self.not_running())?;
        self.shared.waker.wake();
        Ok(())
    }

    fn not_running(&self) -> RuntimeError {
        RuntimeError::NotRunning { id: self.shared.id }
    }
}

impl Shared {
    /// Tells the terminal its size, and through it the program.
    fn set_window_size(&self, size: TerminalSize) -> bool {
        let window = rustix::termios::Winsize {
            ws_row: size.rows(),
            ws_col: size.cols(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = lock(&self.terminal);
        terminal
            .as_ref()
            .is_some_and(|terminal| rustix::termios::tcsetwinsize(terminal, window).is_ok())
    }
}

/// A time span as the system wants it.
fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Locks what a panic elsewhere cannot leave half changed: every critical section here is a plain assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
