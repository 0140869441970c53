//! What only the inside shows: custody, taking programs back, sleeping screens.

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
fn only_so_many_screens_are_awake_and_none_shows_it() {
    let setting = setting(2);
    let script = |number: u32| {
        format!(
            "printf '\\033]2;title {number}\\007\\033[?2004h\\033[31m'; seq {number}00 {number}80; \
             echo ready; read x; echo again $x; read y"
        )
    };
    let handles: Vec<_> = (1..6)
        .map(|number| {
            let (handle, _) = start(number.into(), &script(number), &setting);
            until_logged(&handle, "ready");
            until_shown(&handle, "ready\n");
            handle
        })
        .collect();
    let awake = || handles.iter().filter(|handle| handle.shared.emulator.is_awake()).count();
    assert_eq!(awake(), 2);
    assert!(!handles[0].shared.emulator.is_awake());
    for (handle, number) in handles.iter().zip(1..) {
        assert_eq!(handle.live().title, Some(format!("title {number}")), "known in sleep");
    }
    for (handle, number) in handles.iter().zip(1_u32..) {
        let expected: String =
            (number * 100..=number * 100 + 80).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown(handle), format!("{expected}ready\n"));
        assert!(handle.shared.emulator.wants_paste_marks());
        assert!(awake() <= 2);
    }
    // Output wakes one, on a thread of its own.
    assert!(!handles[0].shared.emulator.is_awake());
    handles[0].write(b"yes\n").unwrap();
    until_logged(&handles[0], "again yes");
    until_shown(&handles[0], "ready\nyes\nagain yes\n");
    assert_eq!(awake(), 2);
    for handle in handles {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

#[test]
fn screens_that_are_busy_stay_awake_however_many() {
    let limits = Limits { awake_screens: 1, ..Limits::default() };
    let setting = Setting::with_rest(limits, Arc::new(NoCustody), Duration::from_secs(3600));
    let handles: Vec<_> = (1..5)
        .map(|number| {
            let (handle, _) = start(number, "echo ready; read x", &setting);
            until_logged(&handle, "ready");
            until_shown(&handle, "ready\n");
            handle
        })
        .collect();
    assert!(handles.iter().all(|handle| handle.shared.emulator.is_awake()));
    // One that was only taken back has not been busy.
    let mut orphan = Orphan::new("echo orphan; read x");
    orphan.read_until("orphan");
    let (teller, adopted) = orphan.adopted();
    let (handle, _beginning, _told) = adopt(adopted, &setting);
    let deadline = Instant::now() + DEADLINE;
    while !handle.shared.emulator.is_awake() {
        assert!(Instant::now() < deadline, "what is taken back is taken in at once");
        std::thread::yield_now();
    }
    assert_eq!(handle.shared.emulator.active(), 0);
    drop(teller);
    for handle in handles {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

#[test]
fn a_screen_that_sleeps_takes_in_new_sizes_later() {
    let setting = setting(1);
    let (first, _told) = start(1, "echo one; read x", &setting);
    until_logged(&first, "one");
    until_shown(&first, "one\n");
    let (second, _told) = start(2, "echo two; read x", &setting);
    until_logged(&second, "two");
    until_shown(&second, "two\n");
    assert!(!first.shared.emulator.is_awake());
    let spec = ViewerSpec { read_only: true, feed: Feed::Events, ..ViewerSpec::default() };
    let mut stream = first.watch(spec).unwrap();
    for cols in [50, 60, 70] {
        let size = TerminalSize::nearest(cols, 20);
        first.resize(size).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while stream.next_before(deadline.into()).unwrap().unwrap() != StreamEvent::Resized(size) {}
    }
    assert!(!first.shared.emulator.is_awake(), "a size alone wakes nobody");
    assert_eq!(first.screen(0).0, TerminalSize::nearest(70, 20));
    assert_eq!(shown(&first), "one\n");
    for handle in [first, second] {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

#[test]
fn a_session_without_output_has_no_screen_and_a_flood_leaves_little_more_than_is_kept() {
    let (handle, _told) = start(1, "read x; seq 1 3000000; echo end; read y", &setting(8));
    assert!(!handle.shared.emulator.is_awake());
    handle.write(b"\n").unwrap();
    until_logged(&handle, "end\r\n");
    until_shown(&handle, "3000000\nend\n");
    // What is typed is echoed, which is no flood any more.
    handle.write(b"x").unwrap();
    until_logged(&handle, "end\r\nx");
    until_shown(&handle, "3000000\nend\nx\n");
    let stat = rustix::fs::fstat(&*handle.shared.journal).unwrap();
    let memory = u64::try_from(stat.st_blocks).unwrap() * 512;
    let bound = (4 << 20) + (2 << 20);
    assert!(memory < bound, "{memory} bytes");
    let log = handle.log();
    assert!(log.len() <= 4 << 20 && log.len() > (4 << 20) - 100);
    handle.stop(Duration::from_millis(200)).unwrap();
}

#[test]
fn a_terminal_that_is_none_is_refused() {
    let orphan = Orphan::new("read x");
    let (_teller, mut adopted) = orphan.adopted();
    adopted.master = orphan.journal.as_fd().try_clone_to_owned().unwrap();
    assert!(SessionHandle::adopt(id(7), adopted, &setting(8), on_end().0).is_err());
    never_block(&orphan.master).unwrap();
}
