//! What only the inside shows: custody, and taking programs back.

mod ending;
mod idle;
mod typists;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use session_core::{Exit, RuntimeError, SessionId, TerminalSize, Timestamp};

use super::journal::{Journal, Writer};
use super::leader::Leader;
use super::spawn::{Program, Started, Terminal, never_block};
use super::{
    Adopted, Beginning, Custody, ExitNotice, ExitTeller, Limits, NoCustody, OnEnd, Remains,
    SessionHandle, Setting, lock,
};
use crate::screen::Screen;
use crate::stream::StreamEvent;
use crate::wire::{Feed, ViewerSpec};

const DEADLINE: Duration = Duration::from_secs(30);

const SIZE: TerminalSize = TerminalSize::DEFAULT;

fn id(number: u128) -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(1), number)
}

fn program(script: &str) -> Program {
    Program {
        file: "/bin/sh".into(),
        argv: ["sh", "-c", script].map(str::to_owned).into(),
        workdir: "/".into(),
        environment: std::env::vars_os().collect(),
        umask: None,
        size: SIZE,
    }
}

/// Sends what is left of the program.
fn on_end() -> (OnEnd, Receiver<Remains>) {
    let (tell, told) = channel();
    let record = Box::new(move |remains| {
        // A test that ends first does not wait for it.
        let _nobody_waits = tell.send(remains);
    });
    (OnEnd { record, until_all_left: Box::new(()) }, told)
}

fn setting(awake_screens: usize) -> Setting {
    let limits = Limits { awake_screens, ..Limits::default() };
    Setting::with_rest(limits, Arc::new(NoCustody), Duration::ZERO)
}

fn start(number: u128, script: &str, setting: &Setting) -> (SessionHandle, Receiver<Remains>) {
    let (on_end, told) = on_end();
    let (handle, beginning) =
        SessionHandle::start(id(number), program(script), setting, on_end).unwrap();
    beginning.begin(None);
    (handle, told)
}

/// Waits until the log has this text, listening to events.
#[track_caller]
fn until_logged(handle: &SessionHandle, text: &str) {
    let spec = ViewerSpec { read_only: true, feed: Feed::Log, ..ViewerSpec::default() };
    let mut stream = handle.watch(spec).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let has = || String::from_utf8_lossy(&handle.log()).contains(text);
    while !has() {
        let event = stream.next_before(deadline.into()).unwrap();
        let log = handle.log();
        let end = String::from_utf8_lossy(&log[log.len().saturating_sub(300)..]).into_owned();
        assert!(event.is_some() && (event != Some(StreamEvent::Closed) || has()), "{text}: {end}");
    }
}

fn shown(handle: &SessionHandle) -> String {
    let (size, bytes) = handle.screen(100);
    let mut screen = Screen::new(size, 1000);
    screen.feed(&bytes);
    screen.text(Some(100))
}

/// Waits until the screen ends like this. It is behind the log for as long as the viewers are served in between.
#[track_caller]
fn until_shown(handle: &SessionHandle, end: &str) {
    let deadline = Instant::now() + DEADLINE;
    while !shown(handle).ends_with(end) {
        assert!(Instant::now() < deadline, "{end:?} is not shown: {}", shown(handle));
        std::thread::yield_now();
    }
}

/// A program whose supervisor was ended, and whatever it left.
struct Orphan {
    leader: Leader,
    pid: u32,
    master: OwnedFd,
    slave: OwnedFd,
    journal: Arc<Journal>,
    writer: Writer,
}

impl Orphan {
    fn new(script: &str) -> Self {
        let terminal = Terminal::open(SIZE).unwrap();
        let (journal, writer) = Journal::create(1 << 20, SIZE).unwrap();
        let Started { leader, pid, master, slave } = program(script).start(terminal).unwrap();
        let pid = pid.as_raw_nonzero().get().unsigned_abs();
        Self { leader, pid, master, slave, journal, writer }
    }

    /// Reads as the old supervisor did, until it was ended.
    fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.journal.bytes()).contains(text) {
            let mut fds = [rustix::event::PollFd::new(&self.master, rustix::event::PollFlags::IN)];
            let deadline = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
            let ready = rustix::event::poll(&mut fds, Some(&deadline));
            assert!(ready.unwrap() > 0, "{text} never came");
            self.writer.read(&self.master).unwrap();
        }
    }

    fn adopted(&self) -> (ExitTeller, Adopted) {
        let (teller, ended) = ExitNotice::new().unwrap();
        let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().unwrap();
        let adopted = Adopted {
            pid: self.pid,
            master: copy(self.master.as_fd()),
            slave: copy(self.slave.as_fd()),
            journal: copy(self.journal.as_fd()),
            ended,
        };
        (teller, adopted)
    }

    /// Reaps it as a keeper does, and tells how it ended.
    fn reap(mut self, teller: ExitTeller) {
        let raw = match self.leader.exit() {
            Exit::Code(code) => code << 8,
            Exit::Signal(signal) => signal,
            _ => return,
        };
        self.leader.reap();
        teller.tell(raw);
    }
}

fn adopt(adopted: Adopted, setting: &Setting) -> (SessionHandle, Beginning, Receiver<Remains>) {
    let (on_end, told) = on_end();
    let (handle, beginning) = SessionHandle::adopt(id(7), adopted, setting, on_end).unwrap();
    (handle, beginning, told)
}

#[test]
fn a_program_that_is_taken_back_goes_on_where_it_was() {
    let script = "stty -echo; printf '\\033]2;mine\\007\\033[?2004h\\n'; seq 1 3000; echo begun; read x; \
                  echo got $x; read y; seq 3001 6000; exit 5";
    let mut orphan = Orphan::new(script);
    orphan.read_until("begun");
    let (teller, adopted) = orphan.adopted();
    let (handle, beginning, told) = adopt(adopted, &setting(8));
    assert_eq!((handle.pid(), handle.live().size), (orphan.pid, SIZE));
    beginning.begin(None);
    assert!(shown(&handle).ends_with("2999\n3000\nbegun\n"));
    assert_eq!(handle.live().title.as_deref(), Some("mine"));
    handle.paste(b"two\nlines").unwrap();
    until_logged(&handle, "got \u{1b}[200~two");
    handle.write(b"\n").unwrap();
    orphan.reap(teller);
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(5)));
    let remains = told.recv_timeout(DEADLINE).unwrap();
    let log = String::from_utf8(remains.kept.log).unwrap();
    let numbers: Vec<u32> = log.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers == (1..=6000).collect::<Vec<_>>(), "{} numbers", numbers.len());
    assert!(log.ends_with("6000\r\n"));
}

#[test]
fn what_a_program_said_before_its_end_is_read_before_that_is_recorded() {
    let mut orphan = Orphan::new("echo begun; read x; echo last words; exit 3");
    orphan.read_until("begun");
    rustix::io::write(&orphan.master, b"\n").unwrap();
    assert_eq!(orphan.leader.exit(), Exit::Code(3));
    let (teller, adopted) = orphan.adopted();
    orphan.reap(teller);
    let (handle, beginning, told) = adopt(adopted, &setting(8));
    beginning.begin(None);
    let remains = told.recv_timeout(DEADLINE).unwrap();
    assert_eq!(remains.exit, Exit::Code(3));
    assert!(remains.kept.log.ends_with(b"last words\r\n"));
    // Its number may be another's by now.
    assert!(lock(&handle.shared.leader).is_none());
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(3)));
}

#[test]
fn a_program_whose_end_nobody_knows_has_ended_nevertheless() {
    let orphan = Orphan::new("read x");
    let (teller, adopted) = orphan.adopted();
    let (handle, beginning, told) = adopt(adopted, &setting(8));
    beginning.begin(None);
    drop(teller);
    assert_eq!(told.recv_timeout(DEADLINE).unwrap().exit, Exit::Unknown);
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Unknown));
    drop(handle);
    orphan.master.as_fd();
}

#[test]
fn a_program_that_was_taken_back_is_ended_like_any_other() {
    for script in [
        "trap '' HUP TERM; echo ready; while :; do read x || sleep 100; done",
        "set -m; sh -c 'trap \"\" HUP TERM; echo ready; while :; do read x || sleep 100; done'",
    ] {
        let mut orphan = Orphan::new(script);
        orphan.read_until("ready");
        let (teller, adopted) = orphan.adopted();
        let (handle, beginning, _told) = adopt(adopted, &setting(8));
        beginning.begin(None);
        let keeper = std::thread::spawn(move || orphan.reap(teller));
        let exit = handle.stop(Duration::from_millis(200)).unwrap();
        assert!(matches!(exit, Exit::Signal(_)), "{exit:?}");
        keeper.join().unwrap();
    }
}

#[test]
fn a_damaged_journal_costs_what_it_kept_and_not_the_program() {
    let mut orphan = Orphan::new("echo begun; read x; echo got $x; read y");
    orphan.read_until("begun");
    let (teller, adopted) = orphan.adopted();
    rustix::io::pwrite(&orphan.journal, b"something", 0).unwrap();
    let custody = Arc::new(Register::default());
    let setting =
        Setting::new(Limits::default(), Arc::clone(&custody) as Arc<dyn Custody>, nobody());
    let (handle, beginning, _told) = adopt(adopted, &setting);
    assert_eq!(*lock(&custody.0), ["deposit"], "the new journal is held in the old one's place");
    beginning.begin(None);
    handle.write(b"it\n").unwrap();
    until_logged(&handle, "got it");
    assert!(!String::from_utf8_lossy(&handle.log()).contains("begun"));
    let keeper = std::thread::spawn(move || orphan.reap(teller));
    handle.stop(Duration::from_millis(200)).unwrap();
    keeper.join().unwrap();
}

#[test]
fn a_new_size_that_was_not_noted_is_found_at_the_terminal() {
    let orphan = Orphan::new("read x");
    let size = TerminalSize::nearest(33, 11);
    let window = rustix::termios::Winsize { ws_row: 11, ws_col: 33, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&orphan.master, window).unwrap();
    let (teller, adopted) = orphan.adopted();
    let (handle, _beginning, _told) = adopt(adopted, &setting(8));
    assert_eq!((handle.live().size, handle.screen(0).0), (size, size));
    drop(teller);
}

#[test]
fn a_query_is_answered_once_whoever_has_the_session() {
    let script = "stty raw -echo; printf '\\033[5n\\001'; dd bs=4 count=1 2>&-; printf '\\033[6n\\002'; \
                  dd bs=6 count=1 2>&-; printf '\\003'; read x";
    let (handle, _told) = start(1, script, &setting(8));
    until_logged(&handle, "\u{3}");
    let (first, second) = ("\u{1b}[0n", "\u{1b}[1;1R");
    let log = String::from_utf8(handle.log()).unwrap();
    assert!(log.contains(first) && log.contains(second), "{log:?}");
    // Whoever comes next reads that all of it is answered.
    let journal = handle.shared.journal.as_fd().try_clone_to_owned().unwrap();
    let (journal, _writer) = Journal::open(journal).unwrap();
    assert!(journal.answered() >= 8);
    handle.stop(Duration::from_millis(200)).unwrap();

    let mut orphan = Orphan::new("stty raw -echo; printf '\\033[5n\\001'; read x");
    orphan.read_until("\u{1}");
    orphan.journal.note_answered(orphan.journal.written());
    let (teller, adopted) = orphan.adopted();
    let (handle, beginning, _told) = adopt(adopted, &setting(8));
    assert_eq!(shown(&handle), "");
    assert_eq!(handle.shared.emulator.take_answers(), b"", "answered before");
    drop((beginning, teller));
    let (teller, adopted) = orphan.adopted();
    orphan.journal.note_answered(0);
    let (handle, beginning, _told) = adopt(adopted, &setting(8));
    assert_eq!(shown(&handle), "");
    assert_eq!(handle.shared.emulator.take_answers(), first.as_bytes(), "not answered before");
    drop((beginning, teller));
}

/// Writes down what was called.
#[derive(Debug, Default)]
struct Register(Mutex<Vec<&'static str>>);

/// Nobody is told anything.
fn nobody() -> crate::events::Witness {
    Arc::new(|_, _| {})
}

impl Custody for Register {
    fn deposit(
        &self,
        _: SessionId,
        master: BorrowedFd<'_>,
        slave: BorrowedFd<'_>,
        journal: BorrowedFd<'_>,
    ) -> io::Result<()> {
        assert!(rustix::termios::isatty(master) && rustix::termios::isatty(slave));
        let (journal, _) =
            Journal::open(journal.try_clone_to_owned()?).map_err(io::Error::other)?;
        assert_eq!(journal.written(), 0);
        lock(&self.0).push("deposit");
        Ok(())
    }

    fn started(&self, _: SessionId, pid: u32) {
        assert!(crate::os::process_start(pid).is_some());
        lock(&self.0).push("started");
    }

    fn released(&self, _: SessionId) {
        lock(&self.0).push("released");
    }
}

#[derive(Debug)]
struct Refusing;

impl Custody for Refusing {
    fn deposit(
        &self,
        _: SessionId,
        _: BorrowedFd<'_>,
        _: BorrowedFd<'_>,
        _: BorrowedFd<'_>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn started(&self, _: SessionId, _: u32) {
        panic!("nothing may be started");
    }

    fn released(&self, _: SessionId) {}
}

#[test]
fn a_terminal_is_safe_before_anything_runs_on_it() {
    let custody = Arc::new(Register::default());
    let setting =
        Setting::new(Limits::default(), Arc::clone(&custody) as Arc<dyn Custody>, nobody());
    let (handle, _told) = start(1, "exit 0", &setting);
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(0)));
    assert_eq!(*lock(&custody.0), ["deposit", "started"]);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ran");
    let setting = Setting::new(Limits::default(), Arc::new(Refusing), nobody());
    let script = program(&format!("touch {}", file.display()));
    assert!(SessionHandle::start(id(2), script, &setting, on_end().0).is_err());
    assert!(!file.exists());
}

#[test]
fn a_program_is_reaped_after_its_end_was_recorded() {
    let (tell, told): (Sender<String>, _) = channel();
    let (pid_tell, pid_told) = channel::<u32>();
    let record = Box::new(move |_: Remains| {
        let pid = pid_told.recv().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        tell.send(stat.rsplit_once(')').map_or_else(String::new, |(_, rest)| rest.to_owned()))
            .unwrap();
    });
    let on_end = OnEnd { record, until_all_left: Box::new(()) };
    let (handle, beginning) =
        SessionHandle::start(id(1), program("exit 4"), &setting(8), on_end).unwrap();
    pid_tell.send(handle.pid()).unwrap();
    beginning.begin(None);
    let state = told.recv_timeout(DEADLINE).unwrap();
    assert!(state.starts_with(" Z"), "{state}");
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(4)));
    assert!(!std::path::Path::new(&format!("/proc/{}", handle.pid())).exists());
    assert!(matches!(handle.write(b"x"), Err(RuntimeError::NotRunning { .. })));
}

#[test]
fn a_terminal_that_is_none_is_refused() {
    let orphan = Orphan::new("read x");
    let (_teller, mut adopted) = orphan.adopted();
    adopted.master = orphan.journal.as_fd().try_clone_to_owned().unwrap();
    assert!(SessionHandle::adopt(id(7), adopted, &setting(8), on_end().0).is_err());
    never_block(&orphan.master).unwrap();
}
