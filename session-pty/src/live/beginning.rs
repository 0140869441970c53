//! How a session begins to be moved: with a program that is started, or with one that is taken back.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use session_core::{SessionId, TerminalSize};

use super::audience::Audience;
use super::awake::Awake;
use super::custody::Custody;
use super::emulator::Emulator;
use super::idle::Idle;
use super::journal::{Journal, Writer};
use super::leader::{ExitNotice, Leader, Target};
use super::relay::Relay;
use super::spawn::{Program, Terminal, never_block};
use super::typing::Typing;
use super::waker::Waker;
use super::{Limits, OnEnd, SessionHandle, Shared, end};
use crate::events::{News, Witness};
use crate::supervisor::log_line;
use crate::wire::ViewerSpec;

/// How long after anything has happened a session keeps its thread, and its screen is awake even if many are.
const REST: Duration = Duration::from_secs(1);

/// What the sessions of one runtime share.
#[derive(Clone)]
pub(crate) struct Setting {
    limits: Limits,
    custody: Arc<dyn Custody>,
    witness: Witness,
    awake: Arc<Awake>,
    idle: Arc<Idle>,
    rest: Duration,
}

/// A program whose output nobody moves yet, so that its first viewer misses nothing. Dropped, it begins alone.
#[derive(Debug)]
pub(crate) struct Beginning {
    handle: SessionHandle,
    relay: Option<Box<Relay>>,
}

/// What is left of a session whose supervisor has ended, as it was deposited.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) pid: u32,
    pub(crate) master: OwnedFd,
    pub(crate) slave: OwnedFd,
    pub(crate) journal: OwnedFd,
    /// How the program's end becomes known: it is somebody else's child.
    pub(crate) ended: ExitNotice,
}

/// What has to be there before a program is started, so that nothing can fail once it runs.
struct Wires {
    waker: Waker,
    emulator: Arc<Emulator>,
    journal: Arc<Journal>,
    writer: Writer,
    news: News,
}

/// A program on a terminal.
struct Running {
    pid: u32,
    target: Option<Target>,
    leader: Leader,
    master: OwnedFd,
    slave: OwnedFd,
}

impl Setting {
    /// Sessions that keep so much, and whose terminals somebody else holds as well.
    pub(crate) fn new(limits: Limits, custody: Arc<dyn Custody>, witness: Witness) -> Self {
        Self { witness, ..Self::with_rest(limits, custody, REST) }
    }

    /// The same, with sessions that rest sooner.
    pub(super) fn with_rest(limits: Limits, custody: Arc<dyn Custody>, rest: Duration) -> Self {
        let awake = Arc::new(Awake::new(limits.awake_screens, rest));
        let idle = Arc::new(Idle::new(Arc::clone(&awake)));
        Self { limits, custody, witness: Arc::new(|_, _| {}), awake, idle, rest }
    }
}

#[cfg(test)]
impl Setting {
    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }
}

#[cfg(test)]
impl Beginning {
    pub(super) fn writer(&mut self) -> &mut Writer {
        &mut self.relay.as_mut().unwrap().journal
    }
}

impl SessionHandle {
    /// Starts the program. Its output waits in its terminal until the returned beginning is begun.
    ///
    /// # Errors
    /// When it cannot be started, or its terminal is not safe; then nothing runs.
    pub(crate) fn start(
        id: SessionId,
        program: Program,
        setting: &Setting,
        on_end: OnEnd,
    ) -> io::Result<(Self, Beginning)> {
        let size = program.size;
        let terminal = Terminal::open(size)?;
        let (journal, writer) = Journal::create(setting.limits.journal_bytes, size)?;
        setting.custody.deposit(id, terminal.master(), terminal.slave(), journal.as_fd())?;
        let wires = Wires::new(id, journal, writer, setting)?;
        let started = program.start(terminal)?;
        let pid = started.pid.as_raw_nonzero().get().unsigned_abs();
        setting.custody.started(id, pid);
        let running = Running {
            pid,
            target: Some(Target::Child(started.pid)),
            leader: started.leader,
            master: started.master,
            slave: started.slave,
        };
        Ok(wires.connect(id, running, setting, on_end))
    }

    /// Takes back a program that runs already, or has ended in the meantime.
    ///
    /// A journal that cannot be trusted is replaced by an empty one, which is deposited in its place: what it kept is
    /// lost, the program is not.
    ///
    /// # Errors
    /// When the terminal is none, or the system refuses a thread's worth of things. The program goes on then.
    pub(crate) fn adopt(
        id: SessionId,
        adopted: Adopted,
        setting: &Setting,
        on_end: OnEnd,
    ) -> io::Result<(Self, Beginning)> {
        let Adopted { pid, master, slave, journal, ended } = adopted;
        let window = rustix::termios::tcgetwinsize(&master)?;
        let size = TerminalSize::nearest(window.ws_col, window.ws_row);
        never_block(&master)?;
        let (journal, writer) = match Journal::open(journal) {
            Ok(opened) => opened,
            Err(error) => {
                log_line(&format!("{id}: what was kept of its output is lost: {error}"));
                let fresh = Journal::create(setting.limits.journal_bytes, size)?;
                fresh.0.note_forgotten();
                setting.custody.deposit(id, master.as_fd(), slave.as_fd(), fresh.0.as_fd())?;
                fresh
            }
        };
        if journal.last_size() != size {
            // The last supervisor was ended between the terminal and the note.
            journal.note_resize(size);
        }
        let wires = Wires::new(id, journal, writer, setting)?;
        let target = Target::adopted(pid, &ended)?;
        let running = Running { pid, target, leader: Leader::Adopted(ended), master, slave };
        let (handle, beginning) = wires.connect(id, running, setting, on_end);
        handle.shared.emulator.take_over();
        Ok((handle, beginning))
    }
}

impl Wires {
    fn new(
        id: SessionId,
        journal: Arc<Journal>,
        writer: Writer,
        setting: &Setting,
    ) -> io::Result<Self> {
        setting.idle.open()?;
        let waker = Waker::new()?;
        let news = News::of(id, &setting.witness);
        let emulator = Emulator::new(
            Arc::clone(&journal),
            Arc::clone(&setting.awake),
            setting.limits.history_lines,
            waker.clone(),
            &id.short(),
            news.clone(),
        );
        Ok(Self { waker, emulator, journal, writer, news })
    }

    fn connect(
        self,
        id: SessionId,
        running: Running,
        setting: &Setting,
        on_end: OnEnd,
    ) -> (SessionHandle, Beginning) {
        let (commands, inbox) = std::sync::mpsc::channel();
        let master = Arc::new(running.master);
        let shared = Arc::new(Shared {
            id,
            pid: running.pid,
            commands: Mutex::new(commands),
            waker: self.waker.clone(),
            emulator: self.emulator,
            news: self.news,
            size: Mutex::new(self.journal.last_size()),
            journal: self.journal,
            viewers: AtomicUsize::new(0),
            last_output: Mutex::new(Instant::now()),
            end: Mutex::new(None),
            ended: Condvar::new(),
            leader: Mutex::new(running.target),
            terminal: Mutex::new(Some(Arc::clone(&master))),
        });
        let relay = Relay {
            shared: Arc::clone(&shared),
            limits: setting.limits,
            master,
            slave: running.slave,
            leader: running.leader,
            journal: self.writer,
            starved: None,
            wakeups: self.waker,
            commands: inbox,
            audience: Audience::new(Arc::clone(&shared), setting.limits.viewer_bytes as u64),
            typing: Typing::new(Arc::clone(&shared.journal)),
            on_end: Some(on_end),
            idle: Arc::clone(&setting.idle),
            linger: setting.rest,
            is_settled: false,
        };
        let handle = SessionHandle { shared };
        (handle.clone(), Beginning { handle, relay: Some(Box::new(relay)) })
    }
}

impl Beginning {
    /// Begins to move bytes, with this viewer watching from the first one.
    pub(crate) fn begin(mut self, viewer: Option<(UnixStream, ViewerSpec, Vec<u8>)>) {
        let Some(viewer) = viewer else { return };
        // The relay has not begun, so it cannot have ended and does take the command.
        let (stream, spec, unread) = viewer;
        let _taken = self.handle.attach(stream, spec, unread);
        self.start_relay();
    }

    fn start_relay(&mut self) {
        let Some(relay) = self.relay.take() else { return };
        if let Err((relay, _refused)) = relay.start() {
            // Without a thread there is no byte path: the program cannot stay, and its end is recorded here.
            end::kill(&self.handle.shared);
            relay.finish();
        }
    }
}

impl Drop for Beginning {
    /// With nobody to watch, it begins with the first byte.
    fn drop(&mut self) {
        let Some(relay) = self.relay.take() else { return };
        if let Err(relay) = Arc::clone(&relay.idle).park(relay) {
            self.relay = Some(relay);
            self.start_relay();
        }
    }
}
